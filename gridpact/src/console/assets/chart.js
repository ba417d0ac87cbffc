// Charts with axes, for figures that stand in a table beside them.

import { s } from './dom.js';

export function ticks(low, high, about) {
  const span = high - low || 1;
  const rough = span / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) {
    found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  }
  return found;
}

const plain = (number) => String(Number(number.toPrecision(6))).replace('-', '\u2212');

// A frame: `x` and `y` are [low, high, title]; gives what maps figures to places, and what is drawn behind them.
export function frame({ width, height, x, y, xLabel }) {
  const box = { left: 58, right: width - 14, top: 26, bottom: height - 44 };
  const px = (at) => box.left + ((at - x[0]) / (x[1] - x[0] || 1)) * (box.right - box.left);
  const py = (at) => box.bottom - ((at - y[0]) / (y[1] - y[0] || 1)) * (box.bottom - box.top);
  const back = [
    ticks(y[0], y[1], 5).map((at) => [
      s('line', { class: at === 0 ? 'zero' : 'grid', x1: box.left, x2: box.right, y1: py(at), y2: py(at) }),
      s('text', { class: 'tick', x: box.left - 8, y: py(at) + 4, 'text-anchor': 'end' }, plain(at))]),
    (xLabel ? xLabel() : ticks(x[0], x[1], width < 500 ? 4 : 8).map((at) => [at, plain(at)])).map(([at, text]) => [
      s('line', { class: at === 0 && !xLabel ? 'zero' : 'grid', x1: px(at), x2: px(at), y1: box.top, y2: box.bottom }),
      s('text', { class: 'tick', x: px(at), y: box.bottom + 18, 'text-anchor': 'middle' }, text)]),
    s('text', { class: 'axis', x: 4, y: 14 }, y[2]),
    s('text', { class: 'axis', x: box.right, y: height - 6, 'text-anchor': 'end' }, x[2]),
  ];
  return { px, py, box, back };
}

export function path(points) {
  return points.map(([x, y], place) => `${place ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
}

export function drawing({ width, height, label }, ...children) {
  return s('svg', { class: 'chart', viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': label }, children);
}
