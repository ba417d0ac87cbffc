// Figures as they stand on the ledger. They come as integers in text, and a decimal point is put in: no digit is rounded, no
// arithmetic is done. What can't be exact in a customary unit (kilowatt-hours) says the exact figure beside it.

import { h } from './dom.js';

const MINUS = '\u2212';

// Decimal places of the unit shown, and how many of them are read first.
const UNITS = {
  'pico_eur_per_wh': { places: 6, first: 2, unit: 'EUR/MWh' },
  'milliwatt': { places: 6, first: 2, unit: 'kW' },
  'nano_eur': { places: 9, first: 4, unit: 'EUR' },
  'micro_pu': { places: 6, first: 4, unit: 'p.u.' },
  'basis_points': { places: 2, first: 1, unit: '%' },
  'millivoltampere': { places: 6, first: 0, unit: 'kVA' },
  'millicelsius': { places: 3, first: 1, unit: '°C' },
};

const MILLIJOULE_PER_KWH = 3.6e9;

export function decimal(exact, places) {
  const negative = exact.startsWith('-');
  const digits = exact.replace('-', '').padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  return { sign: negative ? MINUS : '', whole, part: digits.slice(digits.length - places) };
}

export function grouped(exact) {
  const { sign, whole } = decimal(exact, 0);
  return sign + whole.replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

// The number alone, for charts and lengths: never for text that is read as the ledger's.
export function value(exact, unit) {
  if (unit === 'millijoule') return Number(exact) / MILLIJOULE_PER_KWH;
  return Number(exact) / 10 ** UNITS[unit].places;
}

export function unitOf(unit) {
  return unit === 'millijoule' ? 'kWh' : UNITS[unit].unit;
}

// A few places, for labels in drawings.
export function short(exact, unit, places) {
  const number = value(exact, unit);
  return (number < 0 ? MINUS : '') + Math.abs(number).toFixed(places);
}

export function figure(exact, unit, withUnit = true) {
  if (exact === null || exact === undefined) return h('span', { class: 'none' }, 'not known');
  const mark = { class: 'figure', 'data-exact': exact, 'data-unit': unit };
  if (unit === 'millijoule') {
    return h('span', mark, h('span', { class: 'about' }, short(exact, unit, 3), withUnit && h('span', { class: 'unit' }, ' kWh')),
      h('span', { class: 'exact' }, `${grouped(exact)} mJ`));
  }
  const { places, first, unit: name } = UNITS[unit];
  const { sign, whole, part } = decimal(exact, places);
  const main = `${sign}${whole}${first ? `.${part.slice(0, first)}` : ''}`;
  const rest = `${first ? '' : '.'}${part.slice(first)}`;
  return h('span', mark, main, h('span', { class: 'rest' }, rest), withUnit && h('span', { class: 'unit' }, ` ${name}`));
}

export function clock(start) {
  return h('time', { datetime: start }, start.slice(11, 16));
}

export function day(start) {
  return h('time', { datetime: start }, `${start.slice(0, 10)} ${start.slice(11, 16)}`);
}

// Names without the words that all of them begin with; those of others stay whole.
export function shortNames(names) {
  let common = names.length > 1 ? names[0] : '';
  for (const name of names) {
    while (!name.startsWith(common)) common = common.slice(0, -1);
  }
  const upTo = (text) => text.slice(0, text.lastIndexOf(' ') + 1);
  common = upTo(common);
  // A number alone says too little.
  if (names.some((name) => /^\d+$/.test(name.slice(common.length)))) common = upTo(common.trimEnd());
  return (name) => (common && name.startsWith(common) ? name.slice(common.length) : name);
}
