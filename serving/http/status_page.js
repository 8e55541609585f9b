const form = document.querySelector('form'), answer = document.querySelector('#answer');
const read = { number: Number, integer: Number, boolean: text => text === 'true' };
function element(tag, text = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
function acceptable(field) {  // beyond what is only usual the service answers, too
  const { rangeOverflow, rangeUnderflow } = field.validity;
  return 'usual' in field.dataset && (rangeOverflow || rangeUnderflow) || field.reportValidity();
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
  const answered = await response.json();
  if (!response.ok) throw new Error(answered.detail);
  return answered;
}
const percent = share => (100 * share).toFixed(1) + ' %';
function sentence(prediction, probability) {
  const { target, unit } = answer.dataset, yesOrNo = 'yesOrNo' in answer.dataset;
  const words = yesOrNo ? (prediction ? target : 'not ' + target) : target + ': ' + prediction;
  const said = words.charAt(0).toUpperCase() + words.slice(1) + (unit ? ' ' + unit : '');
  const share = (probability || {})[String(prediction)];
  return said + (share === undefined ? '.' : ', with a chance of ' + percent(share) + '.');
}
function chances(probability) {
  const table = element('table');
  for (const [name, share] of Object.entries(probability || {})) {
    const line = table.insertRow(), meter = element('meter');
    meter.value = share;
    meter.setAttribute('aria-label', 'chance of ' + name);
    line.insertCell().textContent = name;
    line.insertCell().append(meter);
    line.insertCell().textContent = percent(share);
  }
  return table;
}
function show(answered) {
  const { prediction, probability, prediction_id } = answered.predictions[0];
  const about = element('small', 'version ' + answered.version + ' · ' + prediction_id);
  const { target, about: means } = answer.dataset;
  const meaning = element('p', means && target + ': ' + means);
  answer.replaceChildren(
    element('strong', sentence(prediction, probability)), meaning, chances(probability), about);
}
form?.addEventListener('submit', async event => {
  event.preventDefault();
  if (![...form.querySelectorAll('[data-type]')].every(acceptable)) return;
  answer.className = '';
  answer.replaceChildren(element('span', 'asking …'));
  try {
    show(await ask());
  } catch (error) {
    answer.className = 'wrong';
    answer.replaceChildren(element('span', error.message));
  }
  answer.scrollIntoView({ block: 'nearest' });
});
