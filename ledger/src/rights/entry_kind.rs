//! Kinds of entries, as rights tell them apart. One line a kind: whoever adds one names it here, and is asked by the
//! compiler who may write it.

use wire::entry::{BilateralEntry, Entry, ReserveEntry, ResponseEntry};

/// A kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// An interval's clearing with its certificate.
    Clearing,
    /// A day-ahead session's clearing with its certificate.
    DayAhead,
    /// What an aggregator's sites were committed to and delivered; settles them.
    Delivery,
    /// A payment from one's own account.
    Transfer,
    /// Tokens for money that came in.
    Mint,
    /// A request to be paid out.
    Redeem,
    /// Tokens that were paid out end, or go back.
    Burn,
    /// A contract offered to another site.
    BilateralOffer,
    /// Such an offer accepted.
    BilateralAccept,
    /// Such a contract found to fit the feeder's limits.
    BilateralApprove,
    /// Such a contract ended before it begins.
    BilateralCancel,
    /// Reserve asked for.
    ReserveTender,
    /// Reserve offered.
    ReserveOffer,
    /// Offers of reserve taken, in order of merit.
    ReserveAward,
    /// Reserve called.
    ReserveActivate,
    /// A site takes part in demand response.
    ResponseEnrol,
    /// It takes part no longer.
    ResponseLeave,
    /// An event of demand response.
    ResponseCall,
    /// What an event came to against the baselines.
    ResponseSettle,
    /// A change of the registry.
    Participant,
    /// A change of the rules, to be voted on.
    Proposal,
    /// A vote on a proposal.
    Ballot,
    /// Proof that a validator contradicted itself.
    Evidence,
    /// Proof that a DSO cleared one interval twice.
    DoubleClearing,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: [EntryKind; 24] = [
        EntryKind::Clearing,
        EntryKind::DayAhead,
        EntryKind::Delivery,
        EntryKind::Transfer,
        EntryKind::Mint,
        EntryKind::Redeem,
        EntryKind::Burn,
        EntryKind::BilateralOffer,
        EntryKind::BilateralAccept,
        EntryKind::BilateralApprove,
        EntryKind::BilateralCancel,
        EntryKind::ReserveTender,
        EntryKind::ReserveOffer,
        EntryKind::ReserveAward,
        EntryKind::ReserveActivate,
        EntryKind::ResponseEnrol,
        EntryKind::ResponseLeave,
        EntryKind::ResponseCall,
        EntryKind::ResponseSettle,
        EntryKind::Participant,
        EntryKind::Proposal,
        EntryKind::Ballot,
        EntryKind::Evidence,
        EntryKind::DoubleClearing,
    ];

    /// The kind of an entry.
    pub fn of(entry: &Entry) -> Self {
        match entry {
            Entry::Clearing(_) => EntryKind::Clearing,
            Entry::DayAhead(_) => EntryKind::DayAhead,
            Entry::Delivery(_) => EntryKind::Delivery,
            Entry::Transfer(_) => EntryKind::Transfer,
            Entry::Mint(_) => EntryKind::Mint,
            Entry::Redeem(_) => EntryKind::Redeem,
            Entry::Burn(_) => EntryKind::Burn,
            Entry::Bilateral(BilateralEntry::Offer(_)) => EntryKind::BilateralOffer,
            Entry::Bilateral(BilateralEntry::Accept(_)) => EntryKind::BilateralAccept,
            Entry::Bilateral(BilateralEntry::Approve(_)) => EntryKind::BilateralApprove,
            Entry::Bilateral(BilateralEntry::Cancel(_)) => EntryKind::BilateralCancel,
            Entry::Reserve(ReserveEntry::Tender(_)) => EntryKind::ReserveTender,
            Entry::Reserve(ReserveEntry::Offer(_)) => EntryKind::ReserveOffer,
            Entry::Reserve(ReserveEntry::Award(_)) => EntryKind::ReserveAward,
            Entry::Reserve(ReserveEntry::Activate(_)) => EntryKind::ReserveActivate,
            Entry::Response(ResponseEntry::Enrol(_)) => EntryKind::ResponseEnrol,
            Entry::Response(ResponseEntry::Leave(_)) => EntryKind::ResponseLeave,
            Entry::Response(ResponseEntry::Call(_)) => EntryKind::ResponseCall,
            Entry::Response(ResponseEntry::Settle(_)) => EntryKind::ResponseSettle,
            Entry::Participant(_) => EntryKind::Participant,
            Entry::Proposal(_) => EntryKind::Proposal,
            Entry::Ballot(_) => EntryKind::Ballot,
            Entry::Evidence(_) => EntryKind::Evidence,
            Entry::DoubleClearing(_) => EntryKind::DoubleClearing,
        }
    }

    /// The kind's word, in receipts and metrics.
    pub fn word(self) -> &'static str {
        self.described().0
    }

    /// What such an entry says, for the page of rights.
    pub fn meaning(self) -> &'static str {
        self.described().1
    }

    fn described(self) -> (&'static str, &'static str) {
        match self {
            EntryKind::Clearing => ("clearing", "an interval's clearing with its certificate"),
            EntryKind::DayAhead => ("day-ahead", "a day-ahead session's clearing with its certificate"),
            EntryKind::Delivery => {
                ("delivery", "what an aggregator's sites were committed to and delivered; settles them")
            }
            EntryKind::Transfer => ("transfer", "a payment from one's own account"),
            EntryKind::Mint => ("mint", "tokens for money that came in"),
            EntryKind::Redeem => ("redeem", "a request to be paid out"),
            EntryKind::Burn => ("burn", "tokens that were paid out end, or go back"),
            EntryKind::BilateralOffer => ("bilateral-offer", "a contract offered to another site"),
            EntryKind::BilateralAccept => ("bilateral-accept", "such an offer accepted"),
            EntryKind::BilateralApprove => {
                ("bilateral-approve", "such a contract found to fit the feeder's limits")
            }
            EntryKind::BilateralCancel => ("bilateral-cancel", "such a contract ended before it begins"),
            EntryKind::ReserveTender => ("reserve-tender", "reserve asked for"),
            EntryKind::ReserveOffer => ("reserve-offer", "reserve offered"),
            EntryKind::ReserveAward => ("reserve-award", "offers of reserve taken, in order of merit"),
            EntryKind::ReserveActivate => ("reserve-activate", "reserve called"),
            EntryKind::ResponseEnrol => ("response-enrol", "a site takes part in demand response"),
            EntryKind::ResponseLeave => ("response-leave", "it takes part no longer"),
            EntryKind::ResponseCall => ("response-call", "an event of demand response"),
            EntryKind::ResponseSettle => ("response-settle", "what an event came to against the baselines"),
            EntryKind::Participant => (
                "participant",
                "a change of the registry: one's own key, equipment or leaving; others' registration and \
                 revocation as the table below says",
            ),
            EntryKind::Proposal => ("proposal", "a change of the rules, to be voted on"),
            EntryKind::Ballot => ("ballot", "a vote on a proposal"),
            EntryKind::Evidence => ("evidence", "proof that a validator contradicted itself"),
            EntryKind::DoubleClearing => ("double-clearing", "proof that a DSO cleared one interval twice"),
        }
    }
}
