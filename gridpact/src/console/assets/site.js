// The sites, and one site's own page.

import { h, s, table, num } from './dom.js';
import { ask } from './fetch.js';
import { clock, day, figure, short, value } from './figures.js';
import { drawing, frame, path } from './chart.js';
import { fact } from './feeder.js';

export async function sites(app) {
  const { market } = app;
  const wanted = (app.state.find || '').toLowerCase();
  const found = market.sites.filter((site) => [site.site, site.bus, site.aggregator].join(' ').toLowerCase().includes(wanted));
  return [
    h('h1', {}, 'Sites'),
    !market.may.commitments && app.closed('Other sites’ pages'),
    h('div', { class: 'picker' }, h('label', { for: 'find' }, 'Find'), h('input', { id: 'find', type: 'search', 'data-action': 'find', autocomplete: 'off', placeholder: 'site, bus or aggregator' })),
    h('p', { class: 'muted', role: 'status' }, `${found.length} of ${market.sites.length} sites`),
    table('Sites', ['Site', 'Bus', 'Aggregator'], found.map((site) => [h('a', { href: `#site/${site.site}` }, site.site), site.bus, site.aggregator]), { id: 'sites' }),
  ];
}

// Intervals to come that are shown at once.
const SOON = 8;
const DEVICE = { 'pv': 'Photovoltaics', 'battery': 'Battery', 'charger': 'Charger', 'heat-pump': 'Heat pump', 'meter': 'Meter', 'plug': 'Plug', 'generator': 'Generator' };

export async function site(app) {
  const view = await ask('site', { site: app.state.site });
  const { intervals } = view;
  const cleared = intervals.filter((at) => at.price_pico_eur_per_wh !== null);
  const last = cleared[cleared.length - 1];
  const settled = intervals.filter((at) => at.height !== null).reverse();
  const upTo = settled.length ? settled[0].start : '';
  const ahead = intervals.filter((at) => at.height === null && at.start > upTo);
  return [
    h('p', { class: 'back' }, h('a', { href: '#sites' }, '\u2190 All sites')),
    h('h1', {}, `Site ${view.site}`),
    h('dl', { class: 'facts' },
      last && fact(`Price at ${last.start.slice(11, 16)}`, figure(last.price_pico_eur_per_wh, 'pico_eur_per_wh')),
      last && last.commitment_milliwatt !== null && fact('Committed to', figure(last.commitment_milliwatt, 'milliwatt')),
      view.balance_nano_eur !== null && fact('Balance', figure(view.balance_nano_eur, 'nano_eur')),
      fact('Bus', h('span', {}, view.bus)), fact('Aggregator', h('span', {}, view.aggregator)),
      view.connection_milliwatt !== null && fact('Connection', h('span', {}, `${short(view.connection_milliwatt, 'milliwatt', 1)} kW`))),
    h('p', { class: 'hash' }, 'Account ', h('code', {}, view.account)),
    h('section', { class: 'card', 'aria-label': 'Price and schedule' }, h('h2', {}, 'Price and schedule'), draw(app, intervals)),
    h('section', { class: 'card', 'aria-label': 'Devices' }, h('h2', {}, 'Devices'), devices(view)),
    ahead.length > 0 && h('section', { class: 'card', 'aria-label': 'Not settled yet' }, h('h2', {}, 'Schedule, not settled yet'), schedule(ahead.slice(0, SOON), 'schedule', 'The next intervals'),
      ahead.length > SOON && h('details', {}, h('summary', {}, `${ahead.length - SOON} later ones`), schedule(ahead.slice(SOON), 'later', 'Later intervals'))),
    h('section', { class: 'card', 'aria-label': 'Settled' }, h('h2', {}, 'Settled on the ledger'), readings(settled)),
  ];
}

function devices(view) {
  if (!view.devices) return h('p', { class: 'muted' }, 'What devices do stays at the site: it is not known here.');
  return h('ul', { class: 'devices' }, view.devices.map((device) => h('li', {},
    h('h3', {}, DEVICE[device.kind] || device.kind), h('p', { class: 'muted' }, `${device.device}, by ${device.reached_by}`),
    h('dl', {}, device.power_milliwatt !== null && row('Power', figure(device.power_milliwatt, 'milliwatt')),
      device.facts.map((known) => row(known.name, figure(known.value, known.unit)))))));
}

function row(name, content) {
  return h('div', {}, h('dt', {}, name), h('dd', {}, content));
}

function draw(app, intervals) {
  const list = intervals.slice(-96);
  if (list.length < 2) return h('p', { class: 'muted' }, 'Too little yet.');
  const width = Math.max(340, Math.min(app.width() - 34, 1100));
  return [series(width, app.narrow(), list, 'EUR/MWh', 'pico_eur_per_wh', [['price', 'price_pico_eur_per_wh', 'Local price'], ['ahead', 'ahead_price_pico_eur_per_wh', 'Day-ahead price']]),
    series(width, app.narrow(), list, 'kW', 'milliwatt', [['committed-line', 'commitment_milliwatt', 'Committed'], ['ahead', 'position_milliwatt', 'Held day-ahead'], ['delivered-line', 'mean', 'Delivered, mean']])];
}

function series(width, isNarrow, list, unit, kind, wanted) {
  const height = 200;
  const hours = (new Date(list[1].start) - new Date(list[0].start)) / 3.6e6;
  const of = (at, key) => (key === 'mean' ? (at.energy_millijoule === null ? null : value(at.energy_millijoule, 'millijoule') / hours) : at[key] === null ? null : value(at[key], kind));
  const all = wanted.flatMap(([, key]) => list.map((at) => of(at, key))).filter((number) => number !== null);
  if (!all.length) return null;
  const [low, high] = [Math.min(0, ...all), Math.max(0, ...all)];
  const room = (high - low || 1) * 0.06;
  const every = Math.ceil(list.length / (isNarrow ? 4 : 10));
  const xLabel = () => list.map((at, place) => [place, at.start.slice(11, 16)]).filter((_, place) => place % every === 0);
  const { px, py, back } = frame({ width, height, x: [0, list.length, 'UTC'], y: [low - (low < 0 ? room : 0), high + room, unit], xLabel });
  const steps = (key) => {
    const parts = [];
    let part = [];
    list.forEach((at, place) => {
      const number = of(at, key);
      if (number === null) { if (part.length) parts.push(part); part = []; return; }
      part.push([px(place), py(number)], [px(place + 1), py(number)]);
    });
    if (part.length) parts.push(part);
    return parts.map(path).join('');
  };
  const label = `${wanted.map(([, , words]) => words).join(', ')} in ${unit} over ${list.length} intervals; the figures stand in the tables below`;
  return [drawing({ width, height, label }, back, wanted.map(([name, key]) => s('path', { class: name, d: steps(key) }))),
    h('div', { class: 'legend' }, h('div', {}, h('ul', {}, wanted.map(([name, , words]) => h('li', {}, s('svg', { width: 30, height: 10, 'aria-hidden': 'true' }, s('line', { class: name, x1: 1, x2: 29, y1: 5, y2: 5 })), ` ${words}`)))))];
}

function schedule(ahead, id, words) {
  const rows = ahead.map((at) => [day(at.start), figure(at.price_pico_eur_per_wh, 'pico_eur_per_wh', false), figure(at.ahead_price_pico_eur_per_wh, 'pico_eur_per_wh', false),
    figure(at.position_milliwatt, 'milliwatt', false), figure(at.commitment_milliwatt, 'milliwatt', false),
    at.faults.length ? at.faults.join('; ') : at.setpoints_confirmed === null ? '–' : `${at.setpoints_confirmed} taken`]);
  return table(`${words}, as the site and the day-ahead market have them`, ['Start, UTC', num('Price, EUR/MWh'), num('Day-ahead price'), num('Held day-ahead, kW'), num('Committed, kW'), 'Setpoints'], rows, { id });
}

function readings(settled) {
  if (!settled.length) return h('p', { class: 'muted' }, 'Nothing is settled yet.');
  const rows = settled.map((at) => [day(at.start), figure(at.price_pico_eur_per_wh, 'pico_eur_per_wh', false), figure(at.commitment_milliwatt, 'milliwatt', false),
    figure(at.committed_millijoule, 'millijoule', false), figure(at.energy_millijoule, 'millijoule', false), figure(at.payment_nano_eur, 'nano_eur', false), `${at.height}.${at.entry}`]);
  return table('Import is positive, export negative; negative amounts were paid', ['Start, UTC', num('Price, EUR/MWh'), num('Committed, kW'), num('Committed, kWh'), num('Reading, kWh'), num('Received, EUR'), num('Block.entry')], rows, { id: 'settled' });
}
