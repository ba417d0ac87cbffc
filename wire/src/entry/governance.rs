//! Entries by which the rules themselves change: a proposal that names a height, and the validators' ballots.

use super::registry::Registration;
use crate::cbor::{self, CborError};
use crate::hash::Hash32;
use crate::party::{Id, PartyId};
use market::day_ahead::rules::DayAheadRules;
use market::grid::rules::GridRules;
use market::parameters::MarketParameters;
use serde::{Deserialize, Serialize};

/// Most validators one proposal admits or dismisses.
pub const MAX_VALIDATORS_CHANGED: usize = 32;

/// A change of what holds for everyone, to be voted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalEntry {
    /// The first block that goes by it. Lapses where too few have voted for it by the block before.
    pub at_height: u64,
    /// What is to change.
    pub change: GovernedChange,
}

/// What a vote can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GovernedChange {
    /// The market's figures, but for the length of an interval, which records are named by.
    Parameters(MarketParameters),
    /// What a market that knows its grid goes by.
    Grid(Box<GridRules>),
    /// When day-ahead sessions are; none where there are to be no more.
    DayAhead(Option<DayAheadRules>),
    /// Who decides on blocks.
    Validators {
        /// New ones.
        admit: Vec<Registration>,
        /// Those who go. Their registration ends.
        dismiss: Vec<Id>,
    },
    /// Version of a contract; 0 switches it off.
    Contract {
        /// Its word.
        contract: String,
        /// The version.
        version: u32,
    },
    /// Registers somebody whose role nobody else may register.
    Admit(Box<Registration>),
    /// Ends anybody's registration but a validator's.
    Revoke(PartyId),
}

/// A validator's vote on a proposal. It stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BallotEntry {
    /// The proposal's identity: [`ProposalEntry::id`].
    pub proposal: Hash32,
    /// For or against it.
    pub approve: bool,
}

impl ProposalEntry {
    /// What ballots name it by: a hash over all of it.
    ///
    /// # Errors
    /// Where it has no encoding.
    pub fn id(&self) -> Result<Hash32, CborError> {
        Ok(Hash32::of("gridpact proposal", &[&cbor::to_vec(self)?]))
    }
}
