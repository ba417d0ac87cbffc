//! Rights by role: which entries a role may write, whom it may register, and what it may read. The only place
//! where they stand; docs/RIGHTS.md is written from here. A role has what its work needs and nothing besides.

mod entry_kind;
pub mod page;

pub use entry_kind::EntryKind;

use wire::party::Role;

/// Something that can be asked of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Query {
    /// Headers of blocks with the votes for them.
    Heads,
    /// Prices that were cleared, by interval and bus.
    PublicPrices,
    /// What is governed: parameters, validators, proposals and what became of them.
    Governance,
    /// The balance of one's own account.
    OwnBalance,
    /// Commitments and deliveries of one's own; an aggregator's are its sites'.
    OwnCommitments,
    /// Proofs about one's own entries, commitments and payments.
    OwnProofs,
    /// What was settled with one's own account.
    OwnSettlement,
    /// Clearings, with what each aggregator was allocated.
    ClearingHistory,
    /// Whole blocks.
    Blocks,
    /// Single entries with what they did.
    Entries,
    /// New blocks as they are decided.
    BlockStream,
    /// Participants with keys, places and equipment.
    Participants,
    /// Anybody's balance.
    AnyBalance,
    /// Anybody's commitments and deliveries.
    AnyCommitments,
    /// Proofs about anything.
    AnyProofs,
    /// Settlements of all accounts, for billing.
    SettlementExport,
    /// Proof that a validator said two different things.
    Evidence,
    /// Sums over so many sites that none shows.
    Aggregates,
}

impl Query {
    /// Every query.
    pub const ALL: [Query; 18] = [
        Query::Heads,
        Query::PublicPrices,
        Query::Governance,
        Query::OwnBalance,
        Query::OwnCommitments,
        Query::OwnProofs,
        Query::OwnSettlement,
        Query::ClearingHistory,
        Query::Blocks,
        Query::Entries,
        Query::BlockStream,
        Query::Participants,
        Query::AnyBalance,
        Query::AnyCommitments,
        Query::AnyProofs,
        Query::SettlementExport,
        Query::Evidence,
        Query::Aggregates,
    ];

    /// What the page of rights calls it.
    pub fn words(self) -> &'static str {
        match self {
            Query::Heads => "heads: headers and votes",
            Query::PublicPrices => "public prices",
            Query::Governance => "rules, validators, proposals",
            Query::OwnBalance => "own balance",
            Query::OwnCommitments => "own commitments (an aggregator: its sites')",
            Query::OwnProofs => "proofs of own",
            Query::OwnSettlement => "own settlement",
            Query::ClearingHistory => "clearing history",
            Query::Blocks => "blocks",
            Query::Entries => "entries",
            Query::BlockStream => "block stream",
            Query::Participants => "participants and equipment",
            Query::AnyBalance => "any balance",
            Query::AnyCommitments => "any commitments",
            Query::AnyProofs => "proofs of anything",
            Query::SettlementExport => "settlement export",
            Query::Evidence => "evidence against validators and DSOs",
            Query::Aggregates => "k-anonymous aggregates",
        }
    }
}

/// Whether a role may submit such entries. What an entry says of others is its contract's to judge.
pub fn may_write(role: Role, kind: EntryKind) -> bool {
    use Role::*;
    match kind {
        EntryKind::Clearing | EntryKind::DayAhead => role == Dso,
        EntryKind::Delivery => role == Aggregator,
        // Who reads, measures or keeps time has nothing to pay.
        EntryKind::Mint | EntryKind::Burn => role == Gateway,
        EntryKind::Transfer | EntryKind::Redeem => !matches!(role, Timekeeper | Auditor | Regulator | Meter),
        // A timekeeper takes no part in the market.
        EntryKind::Participant => role != Timekeeper,
        // It proves itself, whoever brings it.
        EntryKind::DoubleClearing => role != Timekeeper,
        EntryKind::BilateralOffer | EntryKind::BilateralAccept => role == Site,
        EntryKind::BilateralApprove => role == Dso,
        EntryKind::BilateralCancel => matches!(role, Site | Dso),
        EntryKind::ReserveOffer => role == Site,
        EntryKind::ReserveTender | EntryKind::ReserveAward | EntryKind::ReserveActivate => {
            matches!(role, Dso | Tso)
        }
        EntryKind::ResponseEnrol | EntryKind::ResponseLeave => role == Site,
        EntryKind::ResponseCall => matches!(role, Dso | Aggregator),
        EntryKind::ResponseSettle => matches!(role, Dso | Aggregator | Site),
        EntryKind::Proposal => matches!(role, Validator | Dso | Regulator),
        EntryKind::Ballot | EntryKind::Evidence => role == Validator,
    }
}

/// Who registers participants of a role, and takes their registration back; none where the validators vote on it.
pub fn registrar_of(role: Role) -> Option<Role> {
    match role {
        Role::Site | Role::Aggregator | Role::Meter | Role::Forecaster | Role::Trader | Role::DataService => {
            Some(Role::Dso)
        }
        Role::Auditor => Some(Role::Regulator),
        Role::Dso | Role::Tso | Role::Validator | Role::Timekeeper | Role::Regulator | Role::Gateway => None,
    }
}

/// Whether a caller may ask this. A caller without a role is anonymous.
pub fn may_read(caller: Option<Role>, query: Query) -> bool {
    use Role::*;
    let Some(role) = caller else { return matches!(query, Query::Heads | Query::PublicPrices) };
    let overseer = matches!(role, Auditor | Regulator);
    match query {
        Query::Heads
        | Query::PublicPrices
        | Query::Governance
        | Query::OwnBalance
        | Query::OwnProofs
        | Query::OwnSettlement => true,
        Query::OwnCommitments => overseer || matches!(role, Site | Aggregator | Meter | Trader),
        Query::ClearingHistory => {
            overseer || matches!(role, Dso | Tso | Aggregator | Validator | Forecaster | Trader)
        }
        Query::Blocks | Query::Entries | Query::BlockStream => {
            overseer || matches!(role, Dso | Tso | Aggregator | Validator)
        }
        Query::Participants => overseer || matches!(role, Dso | Tso | Aggregator | Validator | Gateway),
        Query::AnyBalance | Query::AnyProofs => overseer || role == Validator,
        Query::AnyCommitments => overseer || matches!(role, Validator | Dso),
        Query::SettlementExport => overseer || matches!(role, Dso | Gateway),
        Query::Evidence => overseer || matches!(role, Dso | Validator),
        Query::Aggregates => {
            overseer || matches!(role, DataService | Forecaster | Trader | Aggregator | Dso | Tso)
        }
    }
}
