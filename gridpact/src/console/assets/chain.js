// The ledger: validators, who is missing, and blocks with their votes.

import { h, s, table, num } from './dom.js';
import { ask } from './fetch.js';
import { figure, grouped, decimal } from './figures.js';
import { fact } from './feeder.js';

export async function ledger(app) {
  const chain = await ask('chain');
  const missing = chain.validators.filter((validator) => validator.state === 'missing');
  return [
    h('h1', {}, 'Ledger'),
    missing.length > 0
      ? h('p', { class: 'alarm', role: 'alert' }, h('strong', {}, `Missing: ${missing.map((validator) => validator.validator).join(', ')}. `),
        `${chain.validators.length - missing.length} of ${chain.validators.length} validators vote; ${chain.quorum} are needed.`)
      : h('p', { class: 'fine' }, `All ${chain.validators.length} validators vote; ${chain.quorum} votes make a block final.`),
    h('dl', { class: 'facts' },
      fact('Height', h('span', { 'data-exact': String(chain.height), 'data-unit': 'height' }, String(chain.height))),
      fact('Decided', h('time', { datetime: chain.time }, chain.time.replace('T', ' ').replace('Z', ''))),
      chain.final_after_ms !== null && fact('Signed to final, median', h('span', {}, `${chain.final_after_ms} ms`))),
    h('p', { class: 'hash' }, 'Block ', h('code', {}, chain.block)),
    h('section', { class: 'card', 'aria-label': 'Validators' }, h('h2', {}, 'Validators'), validators(chain)),
    h('section', { class: 'card', 'aria-label': 'Blocks' }, h('h2', {}, 'Blocks'), blocks(chain)),
    chain.balances && h('section', { class: 'card', 'aria-label': 'Balances' }, h('h2', {}, 'Balances'), balances(chain)),
  ];
}

function state(validator) {
  const missing = validator.state === 'missing';
  return h('span', { class: missing ? 'state missing' : 'state there' }, missing ? '\u2715 missing' : '\u2713 votes');
}

function validators(chain) {
  const rows = chain.validators.map((validator) => [validator.validator, state(validator),
    validator.voted === null ? 'never' : `${validator.voted}${validator.blocks_without ? ` (${validator.blocks_without} since)` : ''}`,
    validator.proposed === null ? 'never' : String(validator.proposed), validator.passed_over ? 'passed over' : 'in turn',
    validator.contradictions ? `${validator.contradictions}` : 'none']);
  return table(`A validator is missing when the chain passes it over, or lacks its vote in 8 blocks running`,
    ['Validator', 'State', num('Last vote (blocks since)'), num('Last proposed'), 'Turn to propose', num('Contradictions')], rows, { id: 'validators' });
}

function votes(chain, block) {
  const all = chain.validators.map(({ validator }) => validator);
  return h('span', { class: 'votes' },
    h('span', { class: 'sr' }, `${block.voters.length} of ${all.length}: ${block.voters.join(', ')}`),
    all.map((validator) => h('span', { class: block.voters.includes(validator) ? 'vote yes' : 'vote no', 'aria-hidden': 'true', title: validator },
      block.voters.includes(validator) ? '\u25cf' : '\u25cb')));
}

function blocks(chain) {
  const rows = chain.blocks.map((block) => [String(block.height), h('time', { datetime: block.time }, block.time.slice(11, 19)), block.proposer,
    String(block.round), votes(chain, block), block.entries.length ? block.entries.join(', ') : `${block.entry_count}`,
    block.final_after_ms === null ? '–' : String(block.final_after_ms), h('code', { title: block.block }, block.block.slice(0, 12))]);
  return table('The last blocks, with the votes that sufficed', [num('Height'), 'Decided', 'Proposer', num('Round'), 'Votes', 'Entries', num('Final, ms'), 'Hash'], rows, { id: 'blocks' });
}

function balances(chain) {
  const rows = chain.balances.map((balance) => [balance.party, figure(balance.balance_nano_eur, 'nano_eur', false)]);
  rows.push([h('strong', {}, 'All together'), figure(chain.total_nano_eur, 'nano_eur', false)]);
  return table('What accounts hold, in EUR', ['Account', num('Balance, EUR')], rows, { id: 'balances' });
}
