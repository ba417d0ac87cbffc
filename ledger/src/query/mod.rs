//! What can be asked of the ledger, and who is answered: rights first, then what the chain says. Pure: blocks
//! come through [`History`], the caller was recognised before. How questions travel is not known here.

pub use aggregates::{Hour, K_ANONYMOUS};
pub use history::{History, HistoryError, Place};
pub use prices::time_s;
pub use proofs::ProofRequest;
pub use statements::{Booked, PeriodOf, MAX_LINES, MAX_PERIOD_DAYS};

mod aggregates;
pub mod answers;
mod commitments;
mod evidence;
mod governance;
mod heads;
mod history;
pub(crate) mod kept;
mod prices;
mod proofs;
mod standing;
mod statements;

use crate::block::{entry_leaves, DecidedBlock};
use crate::contracts::rules::Rules;
use crate::execute::Tip;
use crate::governed::member::Standing;
use crate::proof::head::HeadProofError;
use crate::proof::prove::ProveError;
use crate::proof::settlement::SettlementProofError;
use crate::receipts::receipts_root;
use crate::rights::{may_read, Query};
use crate::state::receipt::Receipt;
use crate::state::State;
use crate::statement::StatementError;
use market::interval::{Interval, UnixSeconds};
use std::sync::Arc;
use thiserror::Error;
use wire::cbor::CborError;
use wire::entry::Entry;
use wire::party::{Id, PartyId, Role};
use wire::token::{self, TokenError};

/// Most intervals one question may span: a week of quarter hours.
pub const MAX_INTERVALS: i64 = 672;
/// Most heights one question may span.
pub const MAX_HEIGHTS: u64 = 100;
/// Most commitments in one answer.
pub const MAX_COMMITMENTS: usize = 50_000;

/// A chain as it stands after its last block.
#[derive(Clone, Debug)]
pub struct View {
    /// The last block.
    pub tip: Tip,
    /// The state after it.
    pub state: Arc<State>,
    /// The rules after it.
    pub rules: Arc<Rules>,
}

/// Why a question is not answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The caller has no right to ask this.
    #[error("{} may not read: {}", caller_words(caller), query.words())]
    NotAllowed {
        /// Who asks; none for an anonymous caller.
        caller: Option<PartyId>,
        /// What was asked.
        query: Query,
    },
    /// There is no such thing, or none any more.
    #[error("there is no {what}")]
    NoSuch {
        /// What was asked for.
        what: String,
    },
    /// The span asked for is empty or too long.
    #[error("from {from} to {to}: a question spans 1 to {most} {unit}")]
    Span {
        /// From which.
        from: i64,
        /// Before which.
        to: i64,
        /// How many it may span.
        most: i64,
        /// What is counted.
        unit: &'static str,
    },
    /// More would be answered than is.
    #[error("the answer would have more than {most} {what}: ask for less at once")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many an answer has at most.
        most: usize,
    },
    /// What should be proven is not there.
    #[error(transparent)]
    Unprovable(#[from] ProveError),
    /// A proof of a settlement would not hold.
    #[error("the proof would not hold: {0}")]
    Settlement(#[from] SettlementProofError),
    /// A proof of a head would not hold.
    #[error("the proof would not hold: {0}")]
    Head(#[from] HeadProofError),
    /// Lines do not add up to what balances changed by.
    #[error("the statement does not reconcile: {0}")]
    Statement(#[from] StatementError),
    /// An answer has no encoding.
    #[error("encoding the answer: {0}")]
    Encoding(#[from] CborError),
    /// The chain can't be read.
    #[error(transparent)]
    History(#[from] HistoryError),
}

fn caller_words(caller: &Option<PartyId>) -> String {
    caller.as_ref().map_or_else(|| "an anonymous caller".to_owned(), PartyId::to_string)
}

/// One caller before one chain.
pub struct Reader<'a> {
    view: &'a View,
    history: &'a dyn History,
    caller: Option<PartyId>,
}

impl<'a> Reader<'a> {
    /// For a caller whose identity was checked; none for an anonymous one.
    pub fn new(view: &'a View, history: &'a dyn History, caller: Option<PartyId>) -> Self {
        Self { view, history, caller }
    }

    fn role(&self) -> Option<Role> {
        self.caller.as_ref().map(|party| party.role)
    }

    fn may(&self, query: Query) -> bool {
        may_read(self.role(), query)
    }

    /// Whether the caller may ask this.
    ///
    /// # Errors
    /// [`ReadError::NotAllowed`].
    pub fn allow(&self, query: Query) -> Result<(), ReadError> {
        match self.may(query) {
            true => Ok(()),
            false => Err(ReadError::NotAllowed { caller: self.caller.clone(), query }),
        }
    }

    /// The caller's own account, where it has one.
    fn own_account(&self) -> Option<&Id> {
        self.view.rules.account_of(self.caller.as_ref()?)
    }

    /// The intervals that start in a span of time.
    fn intervals(&self, from: UnixSeconds, to: UnixSeconds) -> Result<Vec<Interval>, ReadError> {
        let length_s = self.view.rules.parameters.interval_s;
        let first = Interval::containing(from, length_s);
        let first = if first.start() < from { first.later(1, length_s) } else { first };
        let span = ReadError::Span { from: from.0, to: to.0, most: MAX_INTERVALS, unit: "intervals" };
        let seconds = to.0.checked_sub(first.start().0).filter(|seconds| *seconds > 0);
        let count = seconds.map(|seconds| (seconds - 1) / length_s + 1);
        match count.filter(|count| *count <= MAX_INTERVALS) {
            Some(count) => Ok((0..count).map(|n| first.later(n, length_s)).collect()),
            None => Err(span),
        }
    }

    /// The caller's own account, or the one that it names and has a right to: its own, one of its sites', or any with
    /// the right `any`.
    fn account_for(&self, named: Option<Id>, (own, any): (Query, Query)) -> Result<Id, ReadError> {
        if !self.may(any) {
            self.allow(own)?;
        }
        let Some(account) = named else {
            let none = || ReadError::NoSuch { what: "account of the caller; name one".to_owned() };
            return self.own_account().cloned().ok_or_else(none);
        };
        if !self.may(any) && self.own_account() != Some(&account) && !self.has_site(&account) {
            return Err(ReadError::NotAllowed { caller: self.caller.clone(), query: any });
        }
        Ok(account)
    }

    /// Whether the caller is the aggregator of the site with this account.
    fn has_site(&self, account: &Id) -> bool {
        let site = self.view.rules.sites.get(account);
        let aggregator = self.caller.as_ref().filter(|caller| caller.role == Role::Aggregator);
        aggregator.zip(site).is_some_and(|(aggregator, site)| site.aggregator == aggregator.id)
    }

    /// A block with what its entries did, held against what it names.
    fn executed(&self, height: u64) -> Result<(DecidedBlock, Vec<(Entry, Receipt)>), ReadError> {
        let decided = self.block(height)?;
        let unknown = || ReadError::NoSuch { what: format!("record here of what block {height} did") };
        let remembered = self.history.remembered(height)?.ok_or_else(unknown)?;
        let rules = &self.view.rules;
        let pairs = decided.entries().zip(&remembered);
        let receipts: Vec<_> =
            pairs.map(|((_, entry), of)| (entry.clone(), of.receipt(rules, &entry))).collect();
        let entries = &decided.block.entries;
        if receipts.len() != entries.len()
            || receipts_root(entries, &entry_leaves(entries), &receipts) != decided.block.header.receipts_root
        {
            let reason = format!("what is remembered of block {height} is not what it names");
            return Err(HistoryError::Failed { reason }.into());
        }
        Ok((decided, receipts))
    }

    /// Refuses an interval of which no clearing was `found` here although it may have been cleared: in a block that is
    /// gone, or of which it is not known what it did. `known_from` is the first of those of which it is.
    fn check_known(&self, interval: Interval, found: bool, known_from: u64) -> Result<(), ReadError> {
        let state = &self.view.state;
        let past = state.intervals().contains_key(&interval) || state.forgotten_to() >= Some(interval);
        match known_from > 1 && past && !found {
            true => {
                let what = format!("record here of the {interval}, but only of blocks from {known_from} on");
                Err(ReadError::NoSuch { what })
            }
            false => Ok(()),
        }
    }

    fn block(&self, height: u64) -> Result<DecidedBlock, ReadError> {
        self.history.block(height)?.ok_or_else(|| ReadError::NoSuch { what: format!("block {height}") })
    }
}

/// Why a caller is not believed to be who it says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallerError {
    /// Its token does not hold.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Its registration has not begun, or has ended.
    #[error("{party} does not take part at this time")]
    NotTakingPart {
        /// Who it is.
        party: PartyId,
    },
}

/// Who shows this token, at `now_ms` (milliseconds since 1970).
///
/// # Errors
/// Where the token does not hold, or whoever signed it does not take part now.
pub fn caller(view: &View, token: &str, now_ms: u64) -> Result<PartyId, CallerError> {
    let verifier = &view.rules.verifier;
    let key_of = |party: &PartyId| verifier.registry().get(party).map(|participant| participant.key);
    let party = token::read(token, verifier.ledger(), (now_ms / 1_000) as i64, key_of)?;
    let member = view.rules.governed.members.get(&party);
    match member.is_some_and(|member| member.standing(now_ms) == Standing::Valid) {
        true => Ok(party),
        false => Err(CallerError::NotTakingPart { party }),
    }
}
