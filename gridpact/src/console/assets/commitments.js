// What sites were committed to, what they delivered, and what they were paid.

import { h, s, table, num } from './dom.js';
import { ask } from './fetch.js';
import { clock, figure, short, value } from './figures.js';
import { drawing, frame } from './chart.js';
import { fact } from './feeder.js';
import { picker } from './picker.js';

const SHOWN = 48;
const LISTED = 24;
// An aggregator may never deliver: after so many intervals it is waited for no longer.
const AWAITED = 3;

// The latest interval that everybody has settled, so that rows do not come and go while they are read.
function latest(settled) {
  const whole = settled.slice(-AWAITED).filter((summary) => !summary.sites.awaited);
  return whole.pop() || settled[settled.length - 1];
}

export async function delivery(app) {
  const { market, summaries } = app;
  const start = app.chosen();
  if (!start) return [h('h1', {}, 'Delivery'), h('p', {}, 'No interval was cleared yet.')];
  const settled = summaries.filter((summary) => summary.sites);
  const chosen = app.state.start || (settled.length ? latest(settled).start : start);
  const detail = await ask('interval', { start: chosen });
  const sums = detail.sites;
  return [
    h('div', { class: 'title' }, h('h1', {}, 'Delivery'), picker(app, summaries, chosen)),
    sums && sums.awaited > 0 && h('p', { class: 'muted' }, `So far: ${sums.awaited} ${sums.awaited > 1 ? 'aggregators have' : 'aggregator has'} not delivered yet.`),
    sums && h('dl', { class: 'facts' },
      fact('Committed', figure(sums.committed_millijoule, 'millijoule')),
      fact('Delivered', figure(sums.delivered_millijoule, 'millijoule')),
      fact('Off, site by site', figure(sums.deviation_millijoule, 'millijoule')),
      fact('Sites received', figure(sums.payment_nano_eur, 'nano_eur')),
      fact('Readings', h('span', {}, `${sums.readings} of ${sums.sites} sites`))),
    !market.may.commitments && app.closed('Other sites’ commitments'),
    settled.length > 0 && h('section', { class: 'card', 'aria-label': 'All sites together' }, h('h2', {}, 'All sites together'), draw(app, settled.slice(-SHOWN)),
      h('div', { class: 'legend' }, h('div', {}, h('ul', {}, swatch('committed', 'Committed'), swatch('delivered', 'Delivered'))))),
    h('section', { class: 'card', 'aria-label': 'Site by site' }, h('h2', {}, `Site by site, ${chosen.slice(0, 10)} ${chosen.slice(11, 16)} UTC`), sites(detail)),
    settled.length > 0 && h('details', { class: 'card' }, h('summary', {}, 'Intervals as a table'), intervals(settled.slice(-LISTED).reverse())),
  ];
}

function swatch(name, words) {
  return h('li', {}, s('svg', { width: 14, height: 14, 'aria-hidden': 'true' }, s('rect', { class: name, width: 14, height: 14 })), ` ${words}`);
}

export function draw(app, settled) {
  const width = Math.max(340, Math.min(app.width() - 34, 1100));
  const height = 260;
  const of = (summary) => [value(summary.sites.committed_millijoule, 'millijoule'), value(summary.sites.delivered_millijoule, 'millijoule')];
  const all = settled.flatMap(of);
  const y = [Math.min(0, ...all) * 1.05, Math.max(0, ...all) * 1.05 || 1];
  const every = Math.ceil(settled.length / (app.narrow() ? 4 : 10));
  const xLabel = () => settled.map((summary, place) => [place, summary.start.slice(11, 16)]).filter((_, place) => place % every === 0);
  const { px, py, back } = frame({ width, height, x: [-0.7, settled.length - 0.3, 'UTC'], y: [...y, 'kWh'], xLabel });
  const wide = Math.max(2, (px(1) - px(0)) * 0.38);
  const bar = (name, place, number, shift) => s('rect', { class: name, x: px(place) + shift, width: wide, y: py(Math.max(0, number)), height: Math.max(0.5, Math.abs(py(number) - py(0))) });
  const last = settled[settled.length - 1];
  return drawing({ width, height, label: `Committed and delivered energy of ${settled.length} intervals; in the last ${short(last.sites.committed_millijoule, 'millijoule', 2)} committed and ${short(last.sites.delivered_millijoule, 'millijoule', 2)} kilowatt-hours delivered` },
    back, settled.map((summary, place) => {
      const [committed, delivered] = of(summary);
      return s('g', {}, s('title', {}, `${summary.start.slice(11, 16)}: ${committed.toFixed(3)} kWh committed, ${delivered.toFixed(3)} kWh delivered`), bar('committed', place, committed, -wide), bar('delivered', place, delivered, 0));
    }));
}

function sites(detail) {
  if (!detail.sites_settled.length) return h('p', { class: 'muted' }, 'Nothing of this interval is settled yet, or it is not yours to see.');
  const rows = detail.sites_settled.map((row) => [
    h('a', { href: `#site/${row.site}` }, row.site), figure(row.commitment_milliwatt, 'milliwatt', false),
    figure(row.committed_millijoule, 'millijoule', false), figure(row.energy_millijoule, 'millijoule', false),
    figure(row.payment_nano_eur, 'nano_eur', false), `${row.height}.${row.entry}`]);
  return table('Import is positive, export negative; negative amounts were paid', ['Site', num('Committed, kW'), num('Committed, kWh'), num('Delivered, kWh'), num('Received, EUR'), num('Block.entry')], rows, { id: 'site-rows' });
}

function intervals(list) {
  const rows = list.map((summary) => [clock(summary.start), figure(summary.import_price_pico_eur_per_wh, 'pico_eur_per_wh', false),
    figure(summary.sites.committed_millijoule, 'millijoule', false), figure(summary.sites.delivered_millijoule, 'millijoule', false),
    figure(summary.sites.deviation_millijoule, 'millijoule', false), figure(summary.sites.payment_nano_eur, 'nano_eur', false)]);
  return table('Last intervals settled', ['Start, UTC', num('Import, EUR/MWh'), num('Committed, kWh'), num('Delivered, kWh'), num('Off, kWh'), num('Sites received, EUR')], rows, { id: 'interval-rows' });
}
