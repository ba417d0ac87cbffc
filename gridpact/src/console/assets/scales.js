// Scales in steps: each has a colour, a sign and words, so that none depends on colour alone.

import { h, s } from './dom.js';
import { value } from './figures.js';

const VOLTAGE = [
  { sign: '\u25bc\u25bc', words: 'below its limit' },
  { sign: '\u25bc', words: 'low' },
  { sign: '\u25bd', words: 'a little low' },
  { sign: '\u2022', words: 'near nominal' },
  { sign: '\u25b3', words: 'a little high' },
  { sign: '\u25b2', words: 'high' },
  { sign: '\u25b2\u25b2', words: 'above its limit' },
];

// Bounds between the steps, in p.u.
export function voltageBounds(market) {
  const bound = (exact, otherwise) => (exact === null ? otherwise : value(exact, 'micro_pu'));
  return [bound(market.voltage_min_micro_pu, 0.9), 0.95, 0.99, 1.01, 1.05, bound(market.voltage_max_micro_pu, 1.1)];
}

function step(bounds, number) {
  const found = bounds.findIndex((bound) => number < bound);
  return found < 0 ? bounds.length : found;
}

export function voltage(market, exact) {
  if (exact === null) return { index: 'none', sign: '?', words: 'not known' };
  const index = step(voltageBounds(market), value(exact, 'micro_pu'));
  return { index, ...VOLTAGE[index] };
}

const PRICE = [
  { sign: '\u25bc', words: 'more than 10 below the import' },
  { sign: '\u25bd', words: 'below the import' },
  { sign: '\u2022', words: 'as the import' },
  { sign: '\u25b3', words: 'above the import' },
  { sign: '\u25b2', words: 'more than 10 above the import' },
];
const PRICE_BOUNDS = [-10, -0.5, 0.5, 10];

export function price(exact, root) {
  const index = step(PRICE_BOUNDS, value(exact, 'pico_eur_per_wh') - value(root, 'pico_eur_per_wh'));
  return { index: index + 1, ...PRICE[index] };
}

const LOADING = [
  { words: 'under 25 %', width: 2 },
  { words: '25 to 50 %', width: 3.5 },
  { words: '50 to 80 %', width: 5 },
  { words: '80 to 100 %', width: 6.5 },
  { words: 'over 100 %', width: 7.5 },
];

export function loading(exact) {
  if (exact === null || exact === undefined) return { index: 'none', words: 'no rating', width: 2 };
  const index = step([25, 50, 80, 100], Number(exact) / 100);
  return { index, ...LOADING[index] };
}

const key = (swatch, words) => h('li', {}, swatch, ` ${words}`);

function bus(index, sign) {
  return h('span', { class: `swatch bus-${index}`, 'aria-hidden': 'true' }, sign);
}

export function legend(market, by) {
  const bounds = voltageBounds(market).map((bound) => bound.toFixed(2));
  const span = (index) => (index === 0 ? `under ${bounds[0]}`
    : index === bounds.length ? `over ${bounds[bounds.length - 1]}` : `${bounds[index - 1]} to ${bounds[index]}`);
  const buses = by === 'price'
    ? [...PRICE.keys()].map((index) => key(bus(index + 1, PRICE[index].sign), PRICE[index].words))
    : [...VOLTAGE.keys()].map((index) => key(bus(index, VOLTAGE[index].sign), `${span(index)}`));
  const lines = LOADING.map(({ words, width }, index) => key(
    s('svg', { width: 30, height: 10, 'aria-hidden': 'true' },
      s('line', { x1: 1, x2: 29, y1: 5, y2: 5, class: `line-${index}`, 'stroke-width': width })), words));
  return h('div', { class: 'legend' },
    h('div', {}, h('p', {}, by === 'price' ? 'Bus: voltage in p.u. · local price in EUR/MWh; coloured by price' : 'Bus: voltage in p.u. · local price in EUR/MWh; coloured by voltage'), h('ul', {}, buses)),
    h('div', {}, h('p', {}, 'Line: loading of its rating; the arrow says which way power flows'), h('ul', {}, lines)));
}
