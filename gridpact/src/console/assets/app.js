// Which page is shown, what the reader chose, and asking again when something is new.

import { h, show } from './dom.js';
import { ask, Refused, setToken, token } from './fetch.js';
import { feeder } from './feeder.js';
import { curves } from './curves.js';
import { delivery } from './commitments.js';
import { ledger } from './chain.js';
import { site, sites } from './site.js';

const PAGES = { feeder, curves, delivery, ledger, sites, site, token: tokenPage };
const TITLES = { feeder: 'Feeder', curves: 'Curves', delivery: 'Delivery', ledger: 'Ledger', sites: 'Sites', site: 'Site', token: 'Who is looking' };
const EVERY_MS = 1000;
const NARROW = 720;

const main = document.getElementById('main');
const app = {
  market: null,
  summaries: [],
  state: { page: 'feeder', start: '' },
  // The interval looked at: the one chosen, or the latest.
  chosen: () => app.state.start || (app.summaries.length ? app.summaries[app.summaries.length - 1].start : null),
  width: () => main.clientWidth,
  narrow: () => main.clientWidth < NARROW,
  closed: (what) => h('p', { class: 'closed' }, `${what} are not shown to ${app.market.viewer}. `, h('a', { href: '#token' }, 'Show a token'), ' of a role that may see them.'),
};

function route() {
  const [where, query] = location.hash.slice(1).split('?');
  const [page, which] = where.split('/');
  const parts = new URLSearchParams(query || '');
  app.state.page = PAGES[page] ? page : 'feeder';
  app.state.site = which ? decodeURIComponent(which) : null;
  app.state.bus = parts.get('bus') || '';
}

let drawing = Promise.resolve();
let wanted = false;

// One drawing at a time; what is wanted meanwhile is drawn once after it.
function draw() {
  if (wanted) return;
  wanted = true;
  drawing = drawing.then(async () => {
    wanted = false;
    try {
      [app.market, app.summaries] = await Promise.all([ask('market'), ask('intervals')]);
      show(main, await PAGES[app.state.page](app));
      frame();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      show(main, [h('h1', {}, TITLES[app.state.page]), h('p', { class: 'closed' }, `${error.message}. `, h('a', { href: '#token' }, 'Show a token'))]);
    }
  }).catch((error) => {
    if (error instanceof TypeError && !navigatorReaches) return;
    console.error(error);
  });
}

let navigatorReaches = true;

function frame() {
  const { page } = app.state;
  document.title = `${page === 'site' ? `Site ${app.state.site}` : TITLES[page]} · gridpact console`;
  document.getElementById('network').textContent = app.market.network;
  document.getElementById('viewer').textContent = app.market.viewer;
  for (const link of document.querySelectorAll('[data-page]')) {
    const here = link.dataset.page === page || (page === 'site' && link.dataset.page === 'sites');
    if (here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

function say(text, state) {
  const live = document.getElementById('live');
  if (live.textContent !== text) live.textContent = text;
  live.className = `live ${state}`;
}

let revision = null;

async function beat() {
  try {
    const pulse = await ask('pulse');
    navigatorReaches = true;
    say('live', 'on');
    document.getElementById('height').textContent = pulse.height;
    const clock = document.getElementById('clock');
    document.getElementById('clock-box').hidden = !pulse.market_time;
    if (pulse.market_time) clock.textContent = pulse.market_time.slice(0, 16).replace('T', ' ');
    if (pulse.revision !== revision) {
      revision = pulse.revision;
      draw();
    }
  } catch (error) {
    navigatorReaches = false;
    say(error instanceof Refused ? 'the token is refused' : 'not reached; trying again', 'off');
  }
  setTimeout(beat, EVERY_MS);
}

function tokenPage() {
  return [
    h('h1', {}, 'Who is looking'),
    h('p', {}, 'Shown is what ', h('strong', {}, app.market.viewer), ' may see.'),
    app.market.demo ? h('p', {}, 'All of this is made up, so all of it is shown.') : h('form', { class: 'card', 'data-action': 'token' },
      h('p', {}, 'A token says who looks, and what may be seen follows from the role. It comes from ', h('code', {}, 'gridpact ledger token --as FILE'), ', lasts up to an hour, and is kept in this tab alone.'),
      h('label', { for: 'token' }, 'Token'), h('input', { id: 'token', name: 'token', type: 'password', autocomplete: 'off', spellcheck: 'false' }),
      h('p', {}, h('button', { type: 'submit' }, 'Show it'), ' ', token() && h('button', { type: 'button', 'data-action': 'forget' }, 'Forget it'))),
  ];
}

const ACTIONS = {
  interval: (element) => { app.state.start = element.value; draw(); },
  by: (element) => { app.state.by = element.value; draw(); },
  prices: (element) => { app.state.prices = element.value; draw(); },
  bus: (element) => { location.hash = `#curves${element.value ? `?bus=${encodeURIComponent(element.value)}` : ''}`; },
  find: (element) => { app.state.find = element.value; draw(); },
  step: (element) => { app.state.start = element.dataset.start; draw(); },
  forget: () => { setToken(''); draw(); },
  skip: () => { main.focus(); },
};

function act(event, types) {
  const element = event.target.closest('[data-action]');
  if (!element || !types.includes(element.nodeName)) return;
  if (element.dataset.action === 'skip') event.preventDefault();
  const action = ACTIONS[element.dataset.action];
  if (action) action(element);
}

document.addEventListener('click', (event) => act(event, ['BUTTON', 'A']));
document.addEventListener('change', (event) => act(event, ['SELECT']));
document.addEventListener('input', (event) => act(event, ['INPUT']));
document.addEventListener('submit', (event) => {
  event.preventDefault();
  setToken(event.target.elements.token.value.trim());
  location.hash = '#feeder';
  draw();
});
window.addEventListener('hashchange', () => {
  const before = app.state.page;
  route();
  draw();
  // Who follows a link to another page goes on reading there.
  if (before !== app.state.page) drawing.then(() => { main.focus({ preventScroll: true }); window.scrollTo(0, 0); });
});
let width = 0;
new ResizeObserver(() => {
  if (Math.abs(main.clientWidth - width) > 8) { width = main.clientWidth; if (app.market) draw(); }
}).observe(main);

route();
beat();
