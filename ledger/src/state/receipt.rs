//! What an entry did, and why one was refused.

use crate::contracts::bilateral::BilateralRefusal;
use crate::contracts::clearing::ClearingRefusal;
use crate::contracts::day_ahead::DayAheadRefusal;
use crate::contracts::delivery::DeliveryRefusal;
use crate::contracts::double_clearing::DoubleClearingRefusal;
use crate::contracts::evidence::EvidenceRefusal;
use crate::contracts::governance::GovernanceRefusal;
use crate::contracts::issuance::IssuanceRefusal;
use crate::contracts::reserve::ReserveRefusal;
use crate::contracts::response::ResponseRefusal;
use crate::contracts::span::SpanRefusal;
use crate::contracts::transfer::TransferRefusal;
use crate::governed::registry::RegistryRefusal;
use market::interval::Interval;
use market::units::{Millijoule, Millivar, Milliwatt, NanoEur, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::cbor::CborError;
use wire::hash::Hash32;
use wire::party::{Id, PartyId};

/// What an accepted entry did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Who submitted it.
    pub submitter: PartyId,
    /// Kind of entry, as [`crate::contracts::kind`].
    pub kind: &'static str,
    /// Interval it is about, where it is about one.
    pub interval: Option<Interval>,
    /// What each account received (negative: paid), in order of account. The sum is zero, or what was
    /// minted or burned.
    pub payments: Vec<Payment>,
    /// What it cleared, in order of interval.
    pub cleared: Vec<Cleared>,
    /// What sites' accounts are paid for, where it is a delivery.
    pub settled: BTreeMap<Id, SettledSite>,
}

/// What a site was settled for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettledSite {
    /// Place of its bus in the feeder's buses, whose prices it was settled at.
    pub bus: u32,
    /// What it had bought (negative: sold) a day ahead.
    pub position: Milliwatt,
    /// What it was committed to in real time.
    pub commitment: Milliwatt,
    /// Reactive power it was committed to; absorbed positive.
    pub reactive: Millivar,
    /// What its meter read; none where it read nothing.
    pub energy: Option<Millijoule>,
}

/// What a clearing recorded of one interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cleared {
    /// The interval.
    pub interval: Interval,
    /// Price at each bus, in the order of the feeder's buses.
    pub prices: Vec<PicoEurPerWh>,
    /// What each aggregator was allocated, in order of aggregator.
    pub awards: Vec<Allocated>,
}

/// What one aggregator signed for one interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocated {
    /// The aggregator.
    pub aggregator: Id,
    /// Root over its bids.
    pub bids_root: Hash32,
    /// Root of the Merkle-sum tree over its sites' allocations.
    pub allocations_root: Hash32,
    /// Sum of the allocations that import.
    pub import: Milliwatt,
    /// Sum of the allocations that export, as a positive power.
    pub export: Milliwatt,
}

/// Change of one account's balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// The account.
    pub account: Id,
    /// What it received; negative where it paid.
    pub amount: NanoEur,
}

/// Why an entry was refused. It leaves no trace in the state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The submitter's role has no right to this kind of entry.
    #[error("{submitter} may not submit a {kind}")]
    Right {
        /// Who submitted it.
        submitter: PartyId,
        /// Kind of entry.
        kind: &'static str,
    },
    /// The submitter is no participant.
    #[error("{party} is no participant")]
    NoParticipant {
        /// Who submitted it.
        party: PartyId,
    },
    /// The submitter's registration begins later.
    #[error("{party} takes part from {from_ms} ms since 1970 on, and not before")]
    NotYetValid {
        /// Who submitted it.
        party: PartyId,
        /// From when, by the blocks' time.
        from_ms: u64,
    },
    /// The submitter's registration has ended.
    #[error("{party} took part until {to_ms} ms since 1970")]
    Expired {
        /// Who submitted it.
        party: PartyId,
        /// Until when, by the blocks' time.
        to_ms: u64,
    },
    /// The submitter's registration was taken back.
    #[error("the registration of {party} was taken back at {at_ms} ms since 1970")]
    Revoked {
        /// Who submitted it.
        party: PartyId,
        /// When, by the blocks' time.
        at_ms: u64,
    },
    /// The submitter's key was rotated away since it signed.
    #[error("{party} signed with its key of epoch {epoch}, which it has rotated away")]
    OldKey {
        /// Who submitted it.
        party: PartyId,
        /// The epoch it signed in.
        epoch: u32,
    },
    /// A change of the registry that may not be. In a box: it says much.
    #[error(transparent)]
    Registry(Box<RegistryRefusal>),
    /// A proposal or ballot that may not be. In a box: it says much.
    #[error(transparent)]
    Governance(Box<GovernanceRefusal>),
    /// An account it names does not exist.
    #[error("there is no account {account}")]
    NoAccount {
        /// The account.
        account: Id,
    },
    /// A balance would leave 64 bits.
    #[error("the balance of {account} would overflow")]
    Overflow {
        /// The account.
        account: Id,
    },
    /// Its payments do not sum to zero, nor to what it mints or burns.
    #[error("the payments sum to {sum} nEUR, and must to what is minted or burned")]
    Unbalanced {
        /// What they sum to.
        sum: i128,
    },
    /// All balances together would leave 64 bits.
    #[error("with {issued} more, all balances together would overflow")]
    Supply {
        /// What would be issued.
        issued: NanoEur,
    },
    /// The submitter can't pay the entry's fee.
    #[error("after the entry the account holds {balance} and can't pay the fee of {fee}")]
    Fee {
        /// What it would hold.
        balance: NanoEur,
        /// The fee.
        fee: NanoEur,
    },
    /// The contract that holds now is another than this program knows.
    #[error("version {version} of the contract {contract} is not known")]
    Version {
        /// The contract.
        contract: &'static str,
        /// Its version by governance.
        version: u32,
    },
    /// What would be kept has no encoding.
    #[error("keeping a record: {0}")]
    Record(#[from] CborError),
    /// A clearing that does not hold.
    #[error(transparent)]
    Clearing(#[from] ClearingRefusal),
    /// A day-ahead clearing that does not hold. In a box: it says the most of all.
    #[error(transparent)]
    DayAhead(Box<DayAheadRefusal>),
    /// A delivery that does not hold.
    #[error(transparent)]
    Delivery(#[from] DeliveryRefusal),
    /// A transfer that can't be made.
    #[error(transparent)]
    Transfer(#[from] TransferRefusal),
    /// Evidence that proves nothing new.
    #[error(transparent)]
    Evidence(#[from] EvidenceRefusal),
    /// A double clearing that proves nothing new.
    #[error(transparent)]
    DoubleClearing(#[from] DoubleClearingRefusal),
    /// Tokens that can't be minted, redeemed or burned.
    #[error(transparent)]
    Issuance(#[from] IssuanceRefusal),
    /// A span of intervals that can't be dealt in.
    #[error(transparent)]
    Span(#[from] SpanRefusal),
    /// A step of a bilateral contract that can't be made.
    #[error(transparent)]
    Bilateral(#[from] BilateralRefusal),
    /// A step of reserve that can't be made.
    #[error(transparent)]
    Reserve(#[from] ReserveRefusal),
    /// A step of demand response that can't be made.
    #[error(transparent)]
    Response(#[from] ResponseRefusal),
}

impl From<DayAheadRefusal> for Refusal {
    fn from(refusal: DayAheadRefusal) -> Self {
        Self::DayAhead(Box::new(refusal))
    }
}

impl From<RegistryRefusal> for Refusal {
    fn from(refusal: RegistryRefusal) -> Self {
        Self::Registry(Box::new(refusal))
    }
}

impl From<GovernanceRefusal> for Refusal {
    fn from(refusal: GovernanceRefusal) -> Self {
        Self::Governance(Box::new(refusal))
    }
}

impl Refusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::Right { .. } => "right",
            Refusal::NoParticipant { .. } => "no-participant",
            Refusal::NotYetValid { .. } => "not-yet-valid",
            Refusal::Expired { .. } => "expired",
            Refusal::Revoked { .. } => "revoked",
            Refusal::OldKey { .. } => "old-key",
            Refusal::Registry(refusal) => refusal.reason(),
            Refusal::Governance(refusal) => refusal.reason(),
            Refusal::NoAccount { .. } => "no-account",
            Refusal::Overflow { .. } => "overflow",
            Refusal::Unbalanced { .. } => "unbalanced",
            Refusal::Supply { .. } => "supply",
            Refusal::Fee { .. } => "fee",
            Refusal::Version { .. } => "version",
            Refusal::Record(_) => "record",
            Refusal::Clearing(refusal) => refusal.reason(),
            Refusal::DayAhead(refusal) => refusal.reason(),
            Refusal::Delivery(refusal) => refusal.reason(),
            Refusal::Transfer(refusal) => refusal.reason(),
            Refusal::Evidence(refusal) => refusal.reason(),
            Refusal::DoubleClearing(refusal) => refusal.reason(),
            Refusal::Issuance(refusal) => refusal.reason(),
            Refusal::Span(refusal) => refusal.reason(),
            Refusal::Bilateral(refusal) => refusal.reason(),
            Refusal::Reserve(refusal) => refusal.reason(),
            Refusal::Response(refusal) => refusal.reason(),
        }
    }

    /// Whether the same entry may fit later, when others have been decided.
    pub fn is_premature(&self) -> bool {
        matches!(
            self,
            Refusal::Delivery(DeliveryRefusal::NotCleared { .. })
                | Refusal::Transfer(TransferRefusal::NonceAhead { .. })
                | Refusal::Evidence(EvidenceRefusal::Ahead { .. })
                | Refusal::Span(SpanRefusal::NothingCleared)
        )
    }
}
