// Makes the page nicer to watch. Without it the page asks for itself again every few seconds, and its buttons are plain forms.
'use strict';

const every = (selector, root = document) => [...root.querySelectorAll(selector)];
const ask = async (address, options) => {
  const response = await fetch(address, {cache: 'no-store', ...options});
  return new DOMParser().parseFromString(await response.text(), 'text/html');
};

// Puts each part that changed in the place of the one before. What was unfolded stays so, and the focus stays where it was.
const show = page => {
  for (const next of every('[data-part]', page)) {
    const now = document.querySelector(`[data-part="${next.dataset.part}"]`);
    if (!now || now.innerHTML === next.innerHTML) continue;
    for (const open of every('details[open]', now)) next.querySelector(`details[data-key="${open.dataset.key}"]`)?.setAttribute('open', '');
    const places = every('a, button, summary, pre', now);
    const focus = places.indexOf(document.activeElement);
    now.replaceChildren(...next.childNodes);
    if (focus >= 0) every('a, button, summary, pre', now)[focus]?.focus({preventScroll: true});
  }
};

// One question at a time; what changes meanwhile is asked for afterwards.
let asking = false, again = false;
const refresh = async () => {
  again = true;
  if (asking) return;
  asking = true;
  while (again) {
    again = false;
    try { show(await ask('/')); } catch {} // the next change asks again
    await new Promise(done => setTimeout(done, 150));
  }
  asking = false;
};

document.addEventListener('submit', async event => {
  event.preventDefault();
  try { show(await ask(event.target.action, {method: 'POST'})); } catch { refresh(); }
});

const ended = document.querySelector('[data-ended]');
const events = new EventSource('/events');
events.addEventListener('open', () => { ended.hidden = true; refresh(); });
events.addEventListener('error', () => { ended.hidden = false; });
events.addEventListener('changed', refresh);
