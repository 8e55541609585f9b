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
  const answered = await response.json();
  if (!response.ok) throw new Error(answered.detail);
  return answered;
}
function show(answered) {
  const { prediction, probability, prediction_id } = answered.predictions[0];
  const table = element('table');
  for (const [name, share] of Object.entries(probability || {})) {
    const line = table.insertRow(), meter = element('meter');
    meter.value = share;
    line.insertCell().textContent = name;
    line.insertCell().append(meter);
    line.insertCell().textContent = (100 * share).toFixed(1) + ' %';
  }
  const about = element('small', 'version ' + answered.version + ' · ' + prediction_id);
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
