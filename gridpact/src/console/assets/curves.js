// Supply and demand by price, and where they cleared.

import { h, s, table, num } from './dom.js';
import { ask } from './fetch.js';
import { figure, short, value } from './figures.js';
import { drawing, frame, path } from './chart.js';
import { fact, radio } from './feeder.js';
import { picker } from './picker.js';

const AROUND = 90;

export async function curves(app) {
  const { market, summaries } = app;
  const start = app.chosen();
  const head = (bus) => h('div', { class: 'title' }, h('h1', {}, 'Curves'), picker(app, summaries, start), choose(market, bus));
  if (!market.may.clearings) return [h('h1', {}, 'Curves'), app.closed('Clearings')];
  if (!start) return [h('h1', {}, 'Curves'), h('p', {}, 'No interval was cleared yet.')];
  const bus = app.state.bus || '';
  const curve = await ask('curve', { start, bus });
  const whole = app.state.prices === 'all';
  return [
    head(bus),
    h('dl', { class: 'facts' },
      fact(bus ? 'Local price' : 'Import price', figure(curve.price_pico_eur_per_wh, 'pico_eur_per_wh')),
      fact(bus ? 'Taken there' : 'Imported', figure(curve.power_milliwatt, 'milliwatt')),
      curve.allocation_milliwatt !== null && !bus && fact('Allocated to sites', figure(curve.allocation_milliwatt, 'milliwatt')),
      curve.least_milliwatt !== null && fact('Bids allow at local prices',
        h('span', {}, figure(curve.least_milliwatt, 'milliwatt', false), ' to ', figure(curve.most_milliwatt, 'milliwatt')))),
    h('fieldset', { class: 'choice' }, h('legend', {}, 'Prices shown'),
      radio('prices', 'near', 'near the clearing', whole ? 'all' : 'near'), radio('prices', 'all', 'all', whole ? 'all' : 'near')),
    h('section', { class: 'card', 'aria-label': 'Curves' }, draw(app, curve, whole), key(curve, bus)),
    h('details', { class: 'card' }, h('summary', {}, 'Points of the curves'), points(curve)),
  ];
}

function choose(market, bus) {
  return h('div', { class: 'picker' }, h('label', { for: 'bus' }, 'Where'),
    h('select', { id: 'bus', 'data-action': 'bus' }, h('option', { value: '', selected: !bus }, 'Whole feeder'),
      market.buses.map((at) => h('option', { value: at.bus, selected: at.bus === bus }, at.bus))));
}

const number = (point) => [value(point.power_milliwatt, 'milliwatt'), value(point.price_pico_eur_per_wh, 'pico_eur_per_wh')];

// A curve of steps: power holds up to the next price.
function steps(points) {
  return points.flatMap((point, place) => (place === 0 ? [point] : [[point[0], points[place - 1][1]], point]));
}

function draw(app, curve, whole) {
  const width = Math.max(340, Math.min(app.width() - 34, 1100));
  const height = app.narrow() ? 340 : 420;
  const at = [value(curve.power_milliwatt, 'milliwatt'), value(curve.price_pico_eur_per_wh, 'pico_eur_per_wh')];
  const demand = (curve.demand || []).map(number);
  const supply = (curve.supply || []).map(number);
  const prices = [...demand, ...supply].map(([, price]) => price);
  const y = whole && prices.length ? [Math.min(...prices, at[1]), Math.max(...prices, at[1])] : [Math.min(0, at[1] - AROUND), at[1] + AROUND];
  const powers = [at[0], 0, ...demand.map(([power]) => power)];
  if (curve.least_milliwatt !== null) powers.push(value(curve.least_milliwatt, 'milliwatt'), value(curve.most_milliwatt, 'milliwatt'));
  const [low, high] = [Math.min(...powers), Math.max(...powers)];
  const room = (high - low || 1) * 0.08;
  const x = [low - room, high + room];
  const { px, py, box, back } = frame({ width, height, x: [...x, 'kW'], y: [...y, 'EUR/MWh'] });
  const place = ([power, price]) => [px(Math.max(x[0] - 1e4, Math.min(x[1] + 1e4, power))), py(price)];
  const label = `${curve.demand ? 'Demand and ' : ''}${curve.supply ? 'supply ' : ''}by price; cleared at ${short(curve.price_pico_eur_per_wh, 'pico_eur_per_wh', 2)} EUR/MWh and ${short(curve.power_milliwatt, 'milliwatt', 2)} kW`;
  const right = px(at[0]) > width * 0.6;
  return drawing({ width, height, label },
    s('defs', {}, s('clipPath', { id: 'inside' }, s('rect', { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top }))),
    back,
    s('g', { 'clip-path': 'url(#inside)' },
      s('path', { class: 'demand', d: path(steps(demand).map(place)) }),
      s('path', { class: 'supply', d: path(supply.map(place)) }),
      curve.least_milliwatt !== null && s('line', { class: 'range', x1: px(value(curve.least_milliwatt, 'milliwatt')), x2: px(value(curve.most_milliwatt, 'milliwatt')), y1: py(at[1]), y2: py(at[1]) }),
      s('line', { class: 'drop', x1: px(at[0]), x2: px(at[0]), y1: py(at[1]), y2: box.bottom }),
      s('line', { class: 'drop', x1: box.left, x2: px(at[0]), y1: py(at[1]), y2: py(at[1]) })),
    s('circle', { class: 'cleared', cx: px(at[0]), cy: py(at[1]), r: 6 }),
    s('text', { class: 'cleared-text', x: px(at[0]) + (right ? -12 : 12), y: py(at[1]) - 12, 'text-anchor': right ? 'end' : 'start' },
      `${short(curve.power_milliwatt, 'milliwatt', 2)} kW at ${short(curve.price_pico_eur_per_wh, 'pico_eur_per_wh', 2)}`));
}

function key(curve, bus) {
  const line = (name, words) => h('li', {}, s('svg', { width: 30, height: 10, 'aria-hidden': 'true' }, s('line', { class: name, x1: 1, x2: 29, y1: 5, y2: 5 })), ` ${words}`);
  return h('div', { class: 'legend' }, h('div', {}, h('ul', {},
    curve.demand && line('demand', 'Demand of all sites, as aggregators answered in the rounds'),
    curve.supply && line('supply', 'Supply from the grid above, as its interface signed it'),
    curve.least_milliwatt !== null && line('range', 'What bids allow at the local prices, as aggregators signed it'),
    h('li', {}, s('svg', { width: 30, height: 14, 'aria-hidden': 'true' }, s('circle', { class: 'cleared', cx: 15, cy: 7, r: 5 })), ' Where it cleared')),
  !curve.demand && h('p', { class: 'muted' }, 'Demand by price is not on the ledger: curves stay with the aggregators. What they signed at the cleared price is.'),
  !bus && curve.demand && h('p', { class: 'muted' }, 'Where lines or losses make local prices differ, each bus takes what its own price says, and the point lies beside the demand curve.')));
}

function points(curve) {
  const rows = (list) => list.map((point) => [figure(point.price_pico_eur_per_wh, 'pico_eur_per_wh', false), figure(point.power_milliwatt, 'milliwatt', false)]);
  const heads = [num('Price, EUR/MWh'), num('Power, kW')];
  return [curve.supply && table('Supply', heads, rows(curve.supply), { id: 'supply' }),
    curve.demand && table('Demand', heads, rows(curve.demand), { id: 'demand' })];
}
