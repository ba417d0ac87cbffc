// The feeder as a single-line diagram. On wide screens buses are bars and lines run to the right; on narrow ones every bus
// has a row. The tables beneath it say the same.

import { h, s } from './dom.js';
import { short } from './figures.js';
import { widest, widths } from './ruler.js';
import { loading, price, voltage } from './scales.js';

const COLUMN = 108;
const MOST_COLUMN = 190;
const ROW = 62;
const BETWEEN = 14;
const NARROW_ROW = 40;
const NARROW_COLUMN = 22;
const LEAST_NARROW_COLUMN = 9;
const GAP = 10;

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

// A deep feeder goes on below: as many columns as have the room make a part, and a bus at the end of one part is drawn
// again at the beginning of the next.
function parts(buses, most) {
  const depth = Math.max(...buses.map((bus) => bus.depth));
  const part = (bus) => Math.max(0, Math.ceil(bus.depth / most) - 1);
  const rows = Array.from({ length: part({ depth }) + 1 }, (_, at) =>
    [...new Set(buses.filter((bus) => part(bus) === at).map((bus) => bus.row))].sort((a, b) => a - b));
  const above = rows.map((_, at) => rows.slice(0, at).reduce((sum, own) => sum + own.length, 0));
  return {
    columns: Math.min(depth, most),
    rows: rows.reduce((sum, own) => sum + own.length, 0),
    parts: rows.length,
    part,
    again: (bus) => bus.depth > 0 && bus.depth % most === 0,
    column: (bus, at) => bus.depth - at * most,
    row: (bus, at) => above[at] + rows[at].indexOf(bus.row),
  };
}

export function wide(scene, room) {
  const { buses } = scene.market;
  const read = buses.map((_, place) => readings(scene, place));
  const label = Math.max(widest('name', buses.map((bus) => scene.name(bus.bus))),
    widest('reading', read.map(([volts, price]) => `${volts} \u00b7 ${price}`)));
  // Labels are centred over their buses: none reaches into the next one's, or out of the drawing.
  const box = label + GAP;
  const margin = box / 2 + GAP;
  const least = Math.max(COLUMN, box + 4);
  const drawn = parts(buses, Math.max(1, Math.floor((room - 2 * margin) / least)));
  const column = Math.max(least, Math.min(MOST_COLUMN, (room - 2 * margin) / Math.max(drawn.columns, 1)));
  const x = (bus, at) => margin + drawn.column(bus, at) * column;
  const y = (bus, at) => 44 + drawn.row(bus, at) * ROW + at * BETWEEN;
  const width = 2 * margin + drawn.columns * column;
  const height = 44 + (drawn.rows - 1) * ROW + (drawn.parts - 1) * BETWEEN + 48;
  const lines = [];
  const bars = [];
  // A bus with its label, from its own row down to that of its last branch in this part.
  const bar = (bus, place, at) => {
    const below = buses.filter((other) => other.parent === place && drawn.part(other) === at);
    const last = Math.max(y(bus, at), ...below.map((other) => y(other, at)));
    const [volts, price] = read[place];
    return [
      s('rect', { class: `bar bus-${step(scene, place).index}`, x: x(bus, at) - 5, y: y(bus, at) - 14, width: 10,
        height: last - y(bus, at) + 28, rx: 2 }),
      s('text', { class: 'name', x: x(bus, at), y: y(bus, at) - 30, 'text-anchor': 'middle' }, scene.name(bus.bus)),
      s('text', { class: 'reading', x: x(bus, at), y: y(bus, at) - 18, 'text-anchor': 'middle' }, volts,
        s('tspan', { class: 'soft' }, ` \u00b7 ${price}`))];
  };
  buses.forEach((bus, place) => {
    const at = drawn.part(bus);
    if (bus.parent !== null) {
      const [to, from, level, line] = [x(bus, at), x(bus, at) - column, y(bus, at), lineOf(scene, place)];
      const middle = from + column / 2;
      lines.push(s('g', {}, s('title', {}, `${line.name}: ${percent(line) || 'no rating'}`),
        s('line', { class: `line-${line.index}`, 'stroke-width': line.width, x1: from, x2: to, y1: level, y2: level }),
        isTransformer(scene, place) ? transformer(middle - 12, level, line) : null,
        line.still ? null : arrow(isTransformer(scene, place) ? middle + 18 : middle, level, line.back ? 180 : 0),
        s('text', { class: 'percent', x: middle, y: level + 19, 'text-anchor': 'middle' }, percent(line))));
    }
    if (drawn.again(bus) && buses.some((other) => other.parent === place)) {
      lines.push(s('g', { class: 'again' }, bar(bus, place, at + 1)));
    }
    bars.push(link(scene, place,
      s('rect', { class: 'hit', x: x(bus, at) - box / 2, y: y(bus, at) - 43, width: box, height: 60, rx: 6 }),
      bar(bus, place, at)));
  });
  return h('div', { class: 'scroll diagram', role: 'region', tabindex: '0', 'aria-label': 'Diagram of the feeder' },
    s('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'Buses of the feeder' },
      s('g', { 'aria-hidden': 'true' }, lines), inOrder(buses, bars)));
}

// The columns of the narrow diagram, right-aligned, by where each ends; names have the room up to `text`.
function columnsOf(scene, width, cells) {
  const heads = ['p.u.', 'EUR/MWh', 'its line'];
  const styles = ['reading', 'reading', 'percent'];
  const ends = [];
  const text = heads.reduceRight((end, head, at) => {
    ends[at] = end;
    return end - Math.max(widest('percent', [head]), widest(styles[at], cells.map((row) => row[at]))) - GAP;
  }, width - 2);
  return { heads, styles, ends, text };
}

// Names in one line or two, broken between words; nothing where a word of any has not the room.
function broken(names, rooms) {
  const own = widths('name', names);
  const lines = names.map((name, place) => {
    const at = own[place] <= rooms[place] ? -1 : name.lastIndexOf(' ');
    return at < 0 ? [name] : [name.slice(0, at), name.slice(at + 1)];
  });
  const parts = widths('name', lines.flat());
  let next = 0;
  return lines.every((line, place) => line.every(() => parts[next++] <= rooms[place])) ? lines : null;
}

function cut(names, rooms) {
  const own = widths('name', names);
  return names.map((name, place) => (own[place] <= rooms[place] ? name
    : `${name.slice(0, Math.max(1, Math.floor(name.length * rooms[place] / own[place]) - 2))}\u2026`));
}

export function narrow(scene, room) {
  const { buses } = scene.market;
  const width = Math.max(260, room);
  const cells = buses.map((bus, place) => {
    const line = bus.parent === null ? null : lineOf(scene, place);
    const flow = !line ? '' : `${line.still ? '' : line.back ? '\u2191' : '\u2193'} ${percent(line)}`;
    return [...readings(scene, place), flow];
  });
  const { heads, styles, ends, text } = columnsOf(scene, width, cells);
  const most = Math.max(...buses.map((bus) => bus.column));
  const column = Math.max(LEAST_NARROW_COLUMN, Math.min(NARROW_COLUMN, text * 0.4 / Math.max(most, 1)));
  const x = (bus) => 12 + bus.column * column;
  const y = (bus) => 44 + bus.order * NARROW_ROW;
  // To the right of a bus its row is empty: lines that pass it go on further left.
  const from = (bus) => x(bus) + 13;
  const whole = buses.map((bus) => scene.name(bus.bus));
  const beside = broken(whole, buses.map((bus) => text - from(bus)));
  // Where they have no room beside the figures, names stand above them.
  const names = beside || cut(whole, buses.map((bus) => width - from(bus))).map((name) => [name]);
  const below = beside ? 5 : 14;
  const height = 44 + (buses.length - 1) * NARROW_ROW + 26;
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
    const first = y(bus) + (beside && names[place].length === 1 ? 5 : -3);
    bars.push(link(scene, place,
      s('rect', { class: 'hit', x: 1, y: y(bus) - NARROW_ROW / 2 + 1, width: width - 2, height: NARROW_ROW - 2 }),
      s('rect', { class: `bar bus-${index}`, x: x(bus) - 8, y: y(bus) - 5, width: 16, height: 10, rx: 2 }),
      names[place].map((part, at) => s('text', { class: 'name', x: from(bus), y: first + at * 15 }, part)),
      cells[place].map((cell, at) => s('text', { class: styles[at], x: ends[at], y: y(bus) + below, 'text-anchor': 'end' }, cell))));
  });
  return h('div', { class: 'diagram' },
    s('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'Buses of the feeder' },
      s('g', { 'aria-hidden': 'true' },
        s('text', { class: 'percent', x: 4, y: 13 }, 'Bus'),
        heads.map((head, at) => s('text', { class: 'percent', x: ends[at], y: 13, 'text-anchor': 'end' }, head)), lines),
      inOrder(buses, bars)));
}

// Tab goes from bus to bus as the feeder goes.
function inOrder(buses, drawn) {
  return [...drawn.keys()].sort((a, b) => buses[a].order - buses[b].order).map((place) => drawn[place]);
}
