//! The entry that proves a validator's contradiction.

use crate::hash::Hash32;
use crate::party::Id;
use crate::signature::Signature;
use serde::{Deserialize, Serialize};

/// What a validator may sign once alone at one height and round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StatementKind {
    /// A proposal of a block.
    Proposal = 1,
    /// A first vote.
    Prevote = 2,
    /// A second vote.
    Precommit = 3,
}

/// One thing a validator signed, apart from what [`EvidenceEntry`] says of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Hash of the block; none in a vote for no block.
    pub block: Option<Hash32>,
    /// In a proposal: the earlier round in which two thirds voted for the block, where there was one.
    pub polka_round: Option<u32>,
    /// Over the ledger's fixed bytes for such a statement.
    pub signature: Signature,
}

/// Two different things that one validator signed where it may sign one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceEntry {
    /// Who signed both.
    pub validator: Id,
    /// Height of both.
    pub height: u64,
    /// Round of both.
    pub round: u32,
    /// What both are.
    pub kind: StatementKind,
    /// What one says: the lesser by block, then by earlier round.
    pub first: Said,
    /// What the other says.
    pub second: Said,
}
