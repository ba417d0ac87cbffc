//! Versions of contracts. Members agree on which version of a contract holds; a program that does not know it
//! refuses the contract's entries rather than guess what they do.

use super::rules::Rules;
use crate::state::receipt::Refusal;
use wire::entry::Entry;

/// A contract: entries that are about one record and change version together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contract {
    /// A market interval, from its bids' root to its settlement.
    Interval,
    /// A day-ahead session.
    DayAhead,
    /// Payments between accounts.
    Transfer,
    /// Tokens for money.
    Issuance,
    /// Proofs of validators' contradictions, and of DSOs' double clearings.
    Evidence,
    /// Energy from site to site.
    Bilateral,
    /// Power held ready.
    Reserve,
    /// Load that is not taken.
    Response,
}

/// The version that every contract begins with.
const FIRST: u32 = 1;

impl Contract {
    /// Every contract.
    pub const ALL: [Contract; 8] = [
        Contract::Interval,
        Contract::DayAhead,
        Contract::Transfer,
        Contract::Issuance,
        Contract::Evidence,
        Contract::Bilateral,
        Contract::Reserve,
        Contract::Response,
    ];

    /// The word for it, in refusals and in the documents.
    pub fn word(self) -> &'static str {
        match self {
            Contract::Interval => "interval",
            Contract::DayAhead => "day-ahead",
            Contract::Transfer => "transfer",
            Contract::Issuance => "issuance",
            Contract::Evidence => "evidence",
            Contract::Bilateral => "bilateral",
            Contract::Reserve => "reserve",
            Contract::Response => "response",
        }
    }

    /// The contract that an entry is of; none for those about the registry and the rules, without which no
    /// version could be voted on.
    pub fn of(entry: &Entry) -> Option<Self> {
        Some(match entry {
            Entry::Clearing(_) | Entry::Delivery(_) => Contract::Interval,
            Entry::DayAhead(_) => Contract::DayAhead,
            Entry::Transfer(_) => Contract::Transfer,
            Entry::Mint(_) | Entry::Redeem(_) | Entry::Burn(_) => Contract::Issuance,
            Entry::Evidence(_) | Entry::DoubleClearing(_) => Contract::Evidence,
            Entry::Bilateral(_) => Contract::Bilateral,
            Entry::Reserve(_) => Contract::Reserve,
            Entry::Response(_) => Contract::Response,
            Entry::Participant(_) | Entry::Proposal(_) | Entry::Ballot(_) => return None,
        })
    }

    /// Whether this program knows a version of it.
    pub fn knows(self, version: u32) -> bool {
        version == FIRST
    }
}

/// Checks that the entry's contract is in a version that this program knows how to execute.
pub(super) fn check(rules: &Rules, entry: &Entry) -> Result<(), Refusal> {
    let Some(contract) = Contract::of(entry) else { return Ok(()) };
    let version = rules.governed.contract_version(contract.word());
    match contract.knows(version) {
        true => Ok(()),
        false => Err(Refusal::Version { contract: contract.word(), version }),
    }
}
