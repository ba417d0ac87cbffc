// The feeder as a single-line diagram. On wide screens buses are bars and lines run to the right; on narrow ones every bus
// has a row. The table beneath says the same.

import { h, s, table, num } from './dom.js';
import { ask } from './fetch.js';
import { clock, figure, short, shortNames, value } from './figures.js';
import { legend, loading, price, voltage } from './scales.js';
import { picker } from './picker.js';

const COLUMN = 108;
const SIDE = 340;
const MARGIN = 62;
const ROW = 62;
const NARROW_ROW = 40;
const NARROW_COLUMN = 22;

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
        app.narrow() ? narrow(scene) : wide(scene, app.width() - 40 - (window.innerWidth >= 1100 ? SIDE : 0)),
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

function step(scene, place) {
  const bus = scene.detail.buses[place];
  return scene.by === 'price' ? price(bus.price_pico_eur_per_wh, scene.root) : voltage(scene.market, bus.voltage_micro_pu);
}

function readings(scene, place) {
  const bus = scene.detail.buses[place];
  const { sign } = step(scene, place);
  const volts = bus.voltage_micro_pu === null ? '–' : short(bus.voltage_micro_pu, 'micro_pu', 4);
  const price = short(bus.price_pico_eur_per_wh, 'pico_eur_per_wh', 1);
  return scene.by === 'price' ? [volts, `${sign} ${price}`] : [`${sign} ${volts}`, price];
}

// What a screen reader says of a bus, and what a pointer that rests on it shows.
function words(scene, place) {
  const bus = scene.detail.buses[place];
  const sites = scene.sites.get(scene.market.buses[place].bus) || 0;
  return [scene.market.buses[place].bus,
    bus.voltage_micro_pu === null ? null
      : `${short(bus.voltage_micro_pu, 'micro_pu', 4)} per unit, ${voltage(scene.market, bus.voltage_micro_pu).words}`,
    `${short(bus.price_pico_eur_per_wh, 'pico_eur_per_wh', 2)} EUR/MWh`,
    `${sites} ${sites === 1 ? 'site' : 'sites'}`].filter(Boolean).join(', ');
}

function link(scene, place, ...children) {
  const { bus } = scene.market.buses[place];
  return s('a', { href: `#feeder?bus=${encodeURIComponent(bus)}`, 'aria-label': words(scene, place), 'data-key': bus,
    class: scene.chosen === bus ? 'bus chosen' : 'bus', 'aria-current': scene.chosen === bus ? 'true' : null },
  s('title', {}, words(scene, place)), children);
}

function lineOf(scene, place) {
  const at = scene.market.buses[place].line;
  const known = scene.detail.lines[at] || {};
  const flow = known.flow_milliwatt;
  return { ...loading(known.loading_basis_points), percent: known.loading_basis_points,
    back: flow !== null && flow !== undefined && flow.startsWith('-'), still: !flow || flow === '0',
    name: scene.market.lines[at].line };
}

const percent = (line) => (line.percent === null || line.percent === undefined ? '' : `${Math.round(Number(line.percent) / 100)} %`);

function arrow(x, y, turned) {
  return s('path', { class: 'arrow', d: 'M-5 -4.5L5 0L-5 4.5Z', transform: `translate(${x} ${y}) rotate(${turned})` });
}

function transformer(x, y, line) {
  return [s('circle', { class: `coil line-${line.index}`, cx: x - 5, cy: y, r: 9 }),
    s('circle', { class: `coil line-${line.index}`, cx: x + 5, cy: y, r: 9 })];
}

const isTransformer = (scene, place) => /traf/i.test(scene.market.lines[scene.market.buses[place].line].line);

function wide(scene, room) {
  const { buses } = scene.market;
  const rows = Math.max(...buses.map((bus) => bus.row)) + 1;
  const depth = Math.max(...buses.map((bus) => bus.depth));
  const column = Math.max(COLUMN, Math.min(190, (room - 2 * MARGIN) / Math.max(depth, 1)));
  const x = (bus) => MARGIN + bus.depth * column;
  const y = (bus) => 44 + bus.row * ROW;
  const width = 2 * MARGIN + depth * column;
  const height = 44 + (rows - 1) * ROW + 48;
  const lines = [];
  const bars = [];
  buses.forEach((bus, place) => {
    if (bus.parent !== null) {
      const [from, to, at, line] = [x(buses[bus.parent]), x(bus), y(bus), lineOf(scene, place)];
      const middle = from + (to - from) * 0.5;
      lines.push(s('g', {}, s('title', {}, `${line.name}: ${percent(line) || 'no rating'}`),
        s('line', { class: `line-${line.index}`, 'stroke-width': line.width, x1: from, x2: to, y1: at, y2: at }),
        isTransformer(scene, place) ? transformer(middle - 12, at, line) : null,
        line.still ? null : arrow(isTransformer(scene, place) ? middle + 18 : middle, at, line.back ? 180 : 0),
        s('text', { class: 'percent', x: middle, y: at + 19, 'text-anchor': 'middle' }, percent(line))));
    }
    const last = Math.max(bus.row, ...buses.filter((other) => other.parent === place).map((other) => other.row));
    const { index } = step(scene, place);
    const [volts, price] = readings(scene, place);
    bars.push(link(scene, place,
      s('rect', { class: 'hit', x: x(bus) - 52, y: y(bus) - 43, width: 104, height: 60, rx: 6 }),
      s('rect', { class: `bar bus-${index}`, x: x(bus) - 5, y: y(bus) - 14, width: 10,
        height: (last - bus.row) * ROW + 28, rx: 2 }),
      s('text', { class: 'name', x: x(bus), y: y(bus) - 30, 'text-anchor': 'middle' }, scene.name(bus.bus)),
      s('text', { class: 'reading', x: x(bus), y: y(bus) - 18, 'text-anchor': 'middle' }, volts,
        s('tspan', { class: 'soft' }, ` \u00b7 ${price}`))));
  });
  return h('div', { class: 'scroll diagram', role: 'region', tabindex: '0', 'aria-label': 'Diagram of the feeder' },
    s('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'Buses of the feeder' },
      s('g', { 'aria-hidden': 'true' }, lines), inOrder(buses, bars)));
}

function narrow(scene) {
  const { buses } = scene.market;
  const x = (bus) => 18 + bus.column * NARROW_COLUMN;
  const y = (bus) => 24 + bus.order * NARROW_ROW;
  const columns = Math.max(...buses.map((bus) => bus.column)) + 1;
  const text = 18 + columns * NARROW_COLUMN;
  const width = 340;
  const height = 24 + (buses.length - 1) * NARROW_ROW + 26;
  const lines = [];
  const bars = [];
  buses.forEach((bus, place) => {
    if (bus.parent !== null) {
      const parent = buses[bus.parent];
      const line = lineOf(scene, place);
      const [px, py, bx, by] = [x(parent), y(parent), x(bus), y(bus)];
      lines.push(px === bx
        ? [s('line', { class: 'trunk', x1: px, x2: px, y1: py, y2: by - NARROW_ROW / 2 }),
          s('line', { class: `line-${line.index}`, 'stroke-width': line.width, x1: px, x2: px, y1: by - NARROW_ROW / 2 - 4, y2: by })]
        : [s('line', { class: 'trunk', x1: px, x2: px, y1: py, y2: by }),
          s('line', { class: `line-${line.index}`, 'stroke-width': line.width, x1: px, x2: bx, y1: by, y2: by })]);
    }
    const { index } = step(scene, place);
    const [volts, price] = readings(scene, place);
    const line = bus.parent === null ? null : lineOf(scene, place);
    const flow = !line ? '' : `${line.still ? '' : line.back ? '\u2191' : '\u2193'} ${percent(line)}`;
    bars.push(link(scene, place,
      s('rect', { class: 'hit', x: 0, y: y(bus) - NARROW_ROW / 2, width, height: NARROW_ROW }),
      s('rect', { class: `bar bus-${index}`, x: x(bus) - 8, y: y(bus) - 5, width: 16, height: 10, rx: 2 }),
      s('text', { class: 'name', x: text, y: y(bus) + 5 }, cut(scene.name(bus.bus))),
      s('text', { class: 'reading', x: width - 116, y: y(bus) + 5, 'text-anchor': 'end' }, volts),
      s('text', { class: 'reading', x: width - 60, y: y(bus) + 5, 'text-anchor': 'end' }, price),
      s('text', { class: 'percent', x: width - 4, y: y(bus) + 5, 'text-anchor': 'end' }, flow)));
  });
  return h('div', { class: 'diagram' },
    h('p', { class: 'heads', 'aria-hidden': 'true' }, h('span', {}, 'Bus'), h('span', {}, 'p.u.'), h('span', {}, 'EUR/MWh'),
      h('span', {}, 'its line')),
    s('svg', { viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'Buses of the feeder' },
      s('g', { 'aria-hidden': 'true' }, lines), inOrder(buses, bars)));
}

const cut = (name) => (name.length > 12 ? `${name.slice(0, 11)}\u2026` : name);

// Tab goes from bus to bus as the feeder goes.
function inOrder(buses, drawn) {
  return [...drawn.keys()].sort((a, b) => buses[a].order - buses[b].order).map((place) => drawn[place]);
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
