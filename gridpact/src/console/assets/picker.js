// Which interval is looked at: one of the past, or always the latest.

import { h } from './dom.js';

export function picker(app, summaries, start) {
  const at = summaries.findIndex((summary) => summary.start === start);
  const last = summaries.length - 1;
  const to = (place) => (place === last ? '' : summaries[place].start);
  const step = (by, text, words) => h('button', { type: 'button', 'data-action': 'step', 'aria-label': words,
    'data-start': summaries[at + by] ? to(at + by) : null, disabled: !summaries[at + by] }, text);
  const text = (summary) => `${summary.start.slice(0, 10)} ${summary.start.slice(11, 16)}`;
  const options = [...summaries].reverse().map((summary) => h('option', { value: summary.start,
    selected: app.state.start === summary.start }, text(summary)));
  return h('div', { class: 'picker' },
    h('label', { for: 'interval' }, 'Interval'),
    step(-1, '\u2039', 'Interval before'),
    h('select', { id: 'interval', 'data-action': 'interval' },
      h('option', { value: '', selected: !app.state.start }, `Latest${start ? `: ${text({ start })}` : ''}`), options),
    step(1, '\u203a', 'Interval after'));
}
