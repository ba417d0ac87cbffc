// The page of the feeder: its diagram, what the chosen bus's price is made of, and the same as tables.

import { h, table, num } from './dom.js';
import { ask } from './fetch.js';
import { figure, short, shortNames } from './figures.js';
import { legend, loading, voltage } from './scales.js';
import { picker } from './picker.js';
import { narrow, wide } from './diagram.js';

// What the card around the diagram takes, and the panel beside it.
const CARD = 40;
const NARROW_CARD = 26;
const SIDE = 340;

export async function feeder(app) {
  const { market, summaries } = app;
  const start = app.chosen();
  const detail = start && await ask('interval', { start });
  if (!detail) return [h('h1', {}, 'Feeder'), h('p', {}, 'No interval was cleared yet.')];
  const by = app.state.by || (market.may.clearings ? 'voltage' : 'price');
  const rootPlace = market.buses.findIndex((bus) => bus.parent === null);
  const scene = { market, detail, by, root: detail.buses[rootPlace].price_pico_eur_per_wh,
    name: shortNames(market.buses.filter((bus) => bus.parent !== null).map((bus) => bus.bus)), sites: countSites(market), chosen: app.state.bus };
  return [
    h('div', { class: 'title' }, h('h1', {}, 'Feeder'), picker(app, summaries, start)),
    facts(scene),
    h('fieldset', { class: 'choice' }, h('legend', {}, 'Colour buses by'),
      radio('by', 'voltage', 'voltage', by, !market.may.clearings), radio('by', 'price', 'local price', by)),
    h('div', { class: 'with-side' },
      h('section', { class: 'card', 'aria-label': 'Single-line diagram' },
        app.narrow() ? narrow(scene, app.width() - NARROW_CARD) : wide(scene, app.width() - CARD - (window.innerWidth >= 1100 ? SIDE : 0)),
        legend(market, by)),
      h('section', { class: 'card side', 'aria-label': 'Chosen bus', 'aria-live': 'polite' }, busPanel(scene))),
    h('details', { class: 'card' }, h('summary', {}, 'Buses and lines as tables'), busTable(scene), lineTable(scene)),
  ];
}

export function radio(name, own, text, chosen, disabled) {
  const id = `${name}-${own}`;
  return h('span', {}, h('input', { type: 'radio', name, id, value: own, checked: own === chosen, disabled,
    'data-action': name }), h('label', { for: id }, text));
}

function countSites(market) {
  const counts = new Map();
  for (const site of market.sites) counts.set(site.bus, (counts.get(site.bus) || 0) + 1);
  return counts;
}

function facts({ detail }) {
  const { lowest_price_pico_eur_per_wh: low, highest_price_pico_eur_per_wh: high } = detail;
  const worst = (list) => list.reduce((most, exact) => (most === null || Number(exact) > Number(most) ? exact : most), null);
  const most = worst(detail.lines.map((line) => line.loading_basis_points).filter((exact) => exact !== null));
  const voltages = detail.buses.map((bus) => bus.voltage_micro_pu).filter((exact) => exact !== null);
  const least = voltages.reduce((least, exact) => (least === null || Number(exact) < Number(least) ? exact : least), null);
  return h('dl', { class: 'facts' },
    fact('Import price', figure(detail.import_price_pico_eur_per_wh, 'pico_eur_per_wh')),
    fact('Local prices', h('span', {}, figure(low, 'pico_eur_per_wh', false), ' to ', figure(high, 'pico_eur_per_wh'))),
    detail.import_milliwatt !== null && fact('Import', figure(detail.import_milliwatt, 'milliwatt')),
    most !== null && fact('Most loaded line', h('span', {}, `${short(most, 'basis_points', 1)} %`)),
    least !== null && fact('Voltages', h('span', {}, `${short(least, 'micro_pu', 3)} to ${short(worst(voltages), 'micro_pu', 3)} p.u.`)),
    detail.rounds !== null && fact('Rounds', h('span', {}, String(detail.rounds))),
    fact('Block', h('span', {}, String(detail.height))));
}

export function fact(name, content) {
  return h('div', {}, h('dt', {}, name), h('dd', {}, content));
}

function busPanel(scene) {
  const place = scene.market.buses.findIndex((bus) => bus.bus === scene.chosen);
  if (place < 0) return [h('h2', {}, 'A bus'), h('p', { class: 'muted' }, 'Choose a bus to see what its price is made of, and its sites.')];
  const bus = scene.detail.buses[place];
  const part = (name, key) => h('tr', {}, h('th', { scope: 'row' }, name), h('td', { class: 'num' }, figure(bus[`${key}_pico_eur_per_wh`], 'pico_eur_per_wh', false)));
  const sites = scene.market.sites.filter((site) => site.bus === scene.chosen);
  return [
    h('h2', {}, scene.chosen),
    h('div', { class: 'scroll' }, h('table', {}, h('caption', {}, 'Local price in EUR/MWh, and its parts'), h('tbody', {},
      h('tr', { class: 'sum' }, h('th', { scope: 'row' }, 'Price'), h('td', { class: 'num' }, figure(bus.price_pico_eur_per_wh, 'pico_eur_per_wh', false))),
      bus.energy_pico_eur_per_wh !== null && [part('Energy', 'energy'), part('Loss', 'loss'), part('Congestion', 'congestion'), part('Voltage', 'voltage')]))),
    bus.voltage_micro_pu !== null && h('p', {}, 'Voltage ', h('strong', {}, `${short(bus.voltage_micro_pu, 'micro_pu', 4)} p.u.`), ', ',
      voltage(scene.market, bus.voltage_micro_pu).words, '. Worked out by AC power flow of what was cleared.'),
    bus.allocation_milliwatt !== null && h('p', {}, 'Allocated ', figure(bus.allocation_milliwatt, 'milliwatt'), '; bids allow ',
      figure(bus.least_milliwatt, 'milliwatt', false), ' to ', figure(bus.most_milliwatt, 'milliwatt'), ' at this price.'),
    scene.market.may.clearings && h('p', {}, h('a', { href: `#curves?bus=${encodeURIComponent(scene.chosen)}` }, 'Demand by price at this bus')),
    sites.length > 0 && h('p', {}, 'Sites: ', sites.map((site, at) => [at ? ', ' : '', h('a', { href: `#site/${site.site}` }, site.site)])),
  ];
}

function busTable(scene) {
  const rows = scene.market.buses.map(({ bus }, place) => {
    const known = scene.detail.buses[place];
    return [bus, known.voltage_micro_pu === null ? '–' : `${short(known.voltage_micro_pu, 'micro_pu', 4)} ${voltage(scene.market, known.voltage_micro_pu).sign}`,
      figure(known.price_pico_eur_per_wh, 'pico_eur_per_wh', false),
      figure(known.allocation_milliwatt, 'milliwatt', false), String(scene.sites.get(bus) || 0)];
  });
  return table(`Buses at ${scene.detail.start.slice(11, 16)} UTC`, ['Bus', num('Voltage, p.u.'), num('Price, EUR/MWh'), num('Allocated, kW'), num('Sites')], rows, { id: 'buses' });
}

function lineTable(scene) {
  const rows = scene.detail.lines.map((line, place) => {
    const known = scene.market.lines[place];
    const scale = loading(line.loading_basis_points);
    return [known.line, figure(line.flow_milliwatt, 'milliwatt', false),
      line.loading_basis_points === null ? '–' : `${short(line.loading_basis_points, 'basis_points', 1)} %, ${scale.words}`,
      known.rating_millivoltampere === null ? '–' : short(known.rating_millivoltampere, 'millivoltampere', 0)];
  });
  return rows.length > 0 && table(`Lines at ${scene.detail.start.slice(11, 16)} UTC; positive: away from the grid supply point`,
    ['Line', num('Flow, kW'), num('Loading'), num('Rating, kVA')], rows, { id: 'lines' });
}
