//! The ledger: its last blocks, its validators and who of them is missing, and balances for who may see them.

use super::super::core::BlockLine;
use super::super::exact::Exact;
use super::{time_ms, Desk};
use ledger::rights::Query;
use serde::Serialize;
use wire::party::{Id, Role};

/// Blocks without a validator's vote after which it counts as missing: a certificate ends with the votes that sufficed, so
/// that any one may lack somebody who is there.
const MISSING_AFTER: u64 = 8;
/// Blocks listed.
const LISTED: usize = 30;

/// The ledger as it stands.
#[derive(Serialize)]
pub struct Chain {
    /// Identity of the ledger.
    pub ledger: String,
    /// Height of the last block.
    pub height: u64,
    /// Its hash.
    pub block: String,
    /// Its time.
    pub time: String,
    /// Votes that make a block final.
    pub quorum: usize,
    /// Median of the time from a signature to its block's decision, in milliseconds, over the blocks listed; none where
    /// none was seen here.
    pub final_after_ms: Option<u64>,
    /// The validators, by name.
    pub validators: Vec<Validator>,
    /// The last blocks, the latest first.
    pub blocks: Vec<Block>,
    /// Balances of accounts that are no sites', and of all sites together; none for who may not see them.
    pub balances: Option<Vec<Balance>>,
    /// Sum of all balances.
    pub total_nano_eur: Option<String>,
}

/// A validator.
#[derive(Serialize)]
pub struct Validator {
    /// Its name.
    pub validator: String,
    /// `votes`, or `missing`.
    pub state: &'static str,
    /// Height of the last block it voted for, as far as looked back.
    pub voted: Option<u64>,
    /// Blocks decided since.
    pub blocks_without: u64,
    /// Height of the last block it built.
    pub proposed: Option<u64>,
    /// Whether its turn to propose is passed over.
    pub passed_over: bool,
    /// How often it contradicted itself.
    pub contradictions: u64,
}

/// A block.
#[derive(Serialize)]
pub struct Block {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub block: String,
    /// Its time.
    pub time: String,
    /// Who built it.
    pub proposer: String,
    /// Round in which it was decided.
    pub round: u32,
    /// Who voted for it.
    pub voters: Vec<String>,
    /// Kinds of its entries; how many there are only, for who may not see blocks.
    pub entries: Vec<String>,
    /// How many there are.
    pub entry_count: usize,
    /// From its first entry's signature to its decision, in milliseconds, where that was seen here.
    pub final_after_ms: Option<u64>,
}

/// What an account holds.
#[derive(Serialize)]
pub struct Balance {
    /// Whose it is.
    pub party: String,
    /// What it holds; negative: what is owed.
    pub balance_nano_eur: Exact,
}

impl Desk<'_> {
    /// The ledger.
    pub fn chain(&self) -> Chain {
        let view = &self.book.view;
        let validators = view.rules.verifier.validators();
        let listed = || self.book.blocks.iter().rev().take(LISTED);
        let mut after_ms: Vec<u64> = listed().filter_map(|block| block.final_after_ms).collect();
        after_ms.sort_unstable();
        let all = self.viewer.may(Query::AnyBalance);
        Chain {
            ledger: view.rules.verifier.ledger().to_string(),
            height: view.tip.height,
            block: view.tip.hash.to_string(),
            time: time_ms(view.tip.time_ms),
            quorum: validators.len() * 2 / 3 + 1,
            final_after_ms: after_ms.get(after_ms.len() / 2).copied(),
            validators: validators.iter().map(|(id, _)| self.validator(id)).collect(),
            blocks: listed().map(|block| self.block(block)).collect(),
            balances: all.then(|| self.balances()),
            total_nano_eur: all.then(|| view.state.total_nano_eur().to_string()),
        }
    }

    fn validator(&self, id: &Id) -> Validator {
        let (voting, known) = (self.book.view.state.voting(), self.book.validators.get(id));
        let voted = known.and_then(|known| known.voted);
        let decided =
            |after: u64| self.book.blocks.iter().filter(|block| block.height > after).count() as u64;
        let blocks_without = decided(voted.unwrap_or(0));
        let passed_over = voting.passed_over().contains(id);
        Validator {
            validator: id.to_string(),
            state: if passed_over || blocks_without >= MISSING_AFTER { "missing" } else { "votes" },
            voted,
            blocks_without,
            proposed: known.and_then(|known| known.proposed),
            passed_over,
            contradictions: voting.liars().get(id).map_or(0, |liar| liar.contradictions),
        }
    }

    fn block(&self, block: &BlockLine) -> Block {
        let whole = self.viewer.may(Query::Blocks);
        Block {
            height: block.height,
            block: block.hash.clone(),
            time: time_ms(block.time_ms),
            proposer: block.proposer.to_string(),
            round: block.round,
            voters: block.voters.iter().map(Id::to_string).collect(),
            entries: if whole { block.entries.clone() } else { Vec::new() },
            entry_count: block.entries.len(),
            final_after_ms: block.final_after_ms,
        }
    }

    fn balances(&self) -> Vec<Balance> {
        let (rules, state) = (&self.book.view.rules, &self.book.view.state);
        let (mut sites, mut named) = ((0usize, 0i64), Vec::new());
        let mut left: std::collections::BTreeMap<Id, i64> =
            state.accounts().iter().map(|(id, account)| (id.clone(), account.balance.0)).collect();
        for participant in rules.participants() {
            let Some(balance) = left.remove(&participant.account) else { continue };
            if participant.party.role == Role::Site {
                sites = (sites.0 + 1, sites.1.saturating_add(balance));
            } else {
                named
                    .push(Balance { party: participant.party.to_string(), balance_nano_eur: Exact(balance) });
            }
        }
        named.sort_by(|a, b| a.party.cmp(&b.party));
        let of_system = left.into_iter().filter(|(_, balance)| *balance != 0);
        named.extend(
            of_system
                .map(|(id, balance)| Balance { party: id.to_string(), balance_nano_eur: Exact(balance) }),
        );
        named.push(Balance { party: format!("{} sites", sites.0), balance_nano_eur: Exact(sites.1) });
        named
    }
}
