"""How the status page looks and what its form does; the page's policy names the script by hash."""

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #2563eb }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem }
h1 { margin: 0 0 .25rem; line-height: 1.2 }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; padding: .75rem 1rem;
  border: 1px solid var(--line); border-radius: .5rem; background: var(--soft) }
.facts b { display: block; font-size: .8rem; font-weight: 500; opacity: .7 }
.trouble { border-left: .25rem solid #d97706; padding: .25rem .75rem }
form { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr));
  gap: .75rem 1rem }
label { display: block; font-size: .9rem }
label small { display: block; opacity: .7; line-height: 1.3 }
input, select { font: inherit; width: 100%; box-sizing: border-box; padding: .3rem .5rem;
  border: 1px solid var(--line); border-radius: .3rem }
button { font: inherit; padding: .5rem 1.5rem; border: 0; border-radius: .3rem;
  background: var(--accent); color: #fff; cursor: pointer; align-self: end; justify-self: start }
#answer { margin-top: 1rem; padding: 1rem; border: 1px solid var(--line); border-radius: .5rem }
#answer:empty { display: none }
#answer.wrong { border-color: #dc2626 }
#answer strong { font-size: 1.3rem }
meter { width: 12rem }
td { padding: 0 1rem 0 0 }
"""

SCRIPT = """
const form = document.querySelector('form'), answer = document.querySelector('#answer');
const read = { number: Number, integer: Number, boolean: text => text === 'true' };
function element(tag, text = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
function typedRow() {
  const row = Object.create(null);  // so that any name is a name like others
  for (const field of form.querySelectorAll('[data-type]')) {
    const convert = read[field.dataset.type] || (text => text);
    row[field.name] = field.value === '' ? null : convert(field.value);
  }
  return row;
}
async function ask() {
  const headers = { 'Content-Type': 'application/json', 'X-Source': 'form' };
  const key = form.querySelector('#key');
  if (key && key.value) headers.Authorization = 'Bearer ' + key.value;
  const body = JSON.stringify({ rows: [typedRow()] });
  const response = await fetch('predict', { method: 'POST', headers, body });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}
function show(answer) {
  const { prediction, probability, prediction_id } = answer.predictions[0];
  const table = element('table');
  for (const [name, share] of Object.entries(probability || {})) {
    const line = table.insertRow(), meter = element('meter');
    meter.value = share;
    line.insertCell().textContent = name;
    line.insertCell().append(meter);
    line.insertCell().textContent = (100 * share).toFixed(1) + ' %';
  }
  const about = element('small', 'version ' + answer.version + ' · ' + prediction_id);
  answer.replaceChildren(element('strong', String(prediction)), table, about);
}
form?.addEventListener('submit', async event => {
  event.preventDefault();
  answer.className = '';
  answer.replaceChildren(element('span', 'asking …'));
  try {
    show(await ask());
  } catch (error) {
    answer.className = 'wrong';
    answer.replaceChildren(element('span', error.message));
  }
});
"""

_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; script-src 'sha256-{_HASH}'; style-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
