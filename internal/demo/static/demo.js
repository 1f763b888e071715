// Makes the demonstration nicer to watch. Without it the page asks for itself again every few seconds, and its buttons are
// plain forms; with it, what changed is put in its place as soon as the server says so.
'use strict';

const every = (selector, root = document) => [...root.querySelectorAll(selector)];
const reply = async (address, options) => {
  const response = await fetch(address, {cache: 'no-store', ...options});
  if (!response.ok) throw new Error(response.statusText);
  return new DOMParser().parseFromString(await response.text(), 'text/html');
};

// Whether an element says what it said; that it rang a moment ago is no difference.
const same = (a, b) => {
  const plain = a.cloneNode(true);
  plain.classList.remove('rings');
  if (!plain.classList.length && !b.hasAttribute('class')) plain.removeAttribute('class');
  return plain.isEqualNode(b);
};

// Puts a part of the page in the place of the one before. Entries that did not change stay the elements they are, so that
// no picture is loaded twice; those that are new or different ring.
const put = (now, next) => {
  const known = new Map(every('[data-key]', now).map(e => [e.dataset.key, e]));
  for (const entry of every('[data-key]', next)) {
    const before = known.get(entry.dataset.key);
    if (before && same(before, entry)) entry.replaceWith(before);
    else if (known.size) entry.classList.add('rings');
  }
  const places = every('[tabindex="0"]', now).map(e => [e.scrollTop, e.scrollHeight - e.scrollTop - e.clientHeight < 40]);
  const focus = now.contains(document.activeElement) ? every('a, button, [tabindex]', now).indexOf(document.activeElement) : -1;
  now.replaceChildren(...next.childNodes);
  every('[tabindex="0"]', now).forEach((e, i) => {
    const [top, atEnd] = places[i] ?? [0, true];
    e.scrollTop = 'bottom' in e.dataset && atEnd ? e.scrollHeight : top;
  });
  if (focus >= 0) every('a, button, [tabindex]', now)[focus]?.focus({preventScroll: true});
};

const show = page => {
  for (const next of every('[data-part]', page)) {
    const now = document.querySelector(`[data-part="${next.dataset.part}"]`);
    if (now && !now.isEqualNode(next)) put(now, next);
  }
  count();
};

// One question at a time; what changes meanwhile is asked for afterwards.
let asking = false, again = false;
const refresh = async () => {
  again = true;
  if (asking) return;
  asking = true;
  while (again) {
    again = false;
    try {
      show(await reply(location.href));
    } catch {} // the next change asks again
    await new Promise(done => setTimeout(done, 60));
  }
  asking = false;
};

// The hosted page is loaded beside the one that is seen, and takes its place when it is there.
const screens = document.querySelector('.screens');
const page = document.querySelector('[data-page]').dataset.page;
const reload = () => {
  every('.coming', screens).forEach(e => e.remove());
  const old = screens.querySelector('iframe');
  const next = old.cloneNode();
  next.className = 'coming';
  next.src = page;
  next.addEventListener('load', () => {
    next.className = '';
    every('iframe', screens).forEach(e => e === next || e.remove());
  }, {once: true});
  screens.append(next);
};

const count = () => every('[data-until]').forEach(e => {
  const n = Math.max(0, Math.ceil((Number(e.dataset.until) - Date.now()) / 1000));
  const text = e.dataset.say.replace('{n}', n);
  if (e.textContent !== text) e.textContent = text;
});

document.addEventListener('submit', async event => {
  const form = event.target;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  try {
    const page = await reply(form.action, {method: 'POST', body});
    // What the button could not do stays until the next one is pressed.
    document.querySelector('[data-nothing]').textContent = page.querySelector('[data-nothing]').textContent;
    show(page);
  } catch {
    refresh();
  }
});

// A mail is opened where it stands.
document.addEventListener('click', event => {
  const link = event.target.closest('a[data-mail]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  history.replaceState(null, '', link.href);
  refresh();
});

let version = '';
const ended = document.querySelector('[data-ended]');
const events = new EventSource('/demo/events');
events.addEventListener('open', () => { ended.hidden = true; refresh(); });
events.addEventListener('error', () => { ended.hidden = false; });
events.addEventListener('changed', event => {
  refresh();
  if (event.data !== version) reload();
  version = event.data;
});

every('[data-bottom]').forEach(e => { e.scrollTop = e.scrollHeight; });
count();
setInterval(count, 250);
