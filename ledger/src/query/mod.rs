//! What can be asked of the ledger, and who is answered: rights first, then what the chain says. Pure: blocks
//! come through [`History`], the caller was recognised before. How questions travel is not known here.

pub use prices::time_s;

pub mod answers;
mod commitments;
mod heads;
mod kept;
mod prices;
mod standing;

use crate::block::DecidedBlock;
use crate::contracts::rules::Rules;
use crate::execute::Tip;
use crate::governed::member::Standing;
use crate::rights::{may_read, EntryKind, Query};
use crate::state::receipt::Payment;
use crate::state::State;
use market::interval::{Interval, UnixSeconds};
use std::sync::Arc;
use thiserror::Error;
use wire::party::{Id, PartyId, Role};
use wire::token::{self, TokenError};

/// Most intervals one question may span: a week of quarter hours.
pub const MAX_INTERVALS: i64 = 672;
/// Most heights one question may span.
pub const MAX_HEIGHTS: u64 = 100;

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

/// Where an entry stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Height of its block.
    pub height: u64,
    /// Its place in the block, from 0.
    pub index: usize,
    /// Who submitted it.
    pub submitter: PartyId,
    /// What it paid.
    pub payments: Vec<Payment>,
}

/// The blocks that are kept, and what is remembered of them.
pub trait History {
    /// The decided block at a height; none where there is none, or none any more.
    ///
    /// # Errors
    /// Where it can't be read.
    fn block(&self, height: u64) -> Result<Option<DecidedBlock>, HistoryError>;
    /// What each entry of a block paid, in order.
    ///
    /// # Errors
    /// Where it can't be read.
    fn payments(&self, height: u64) -> Result<Option<Vec<Vec<Payment>>>, HistoryError>;
    /// Entries of a kind about an interval.
    ///
    /// # Errors
    /// Where it can't be read.
    fn about(&self, interval: Interval, kind: EntryKind) -> Result<Vec<Place>, HistoryError>;
}

/// Why the blocks kept can't be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("reading the chain: {reason}")]
pub struct HistoryError {
    /// What failed.
    pub reason: String,
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
