//! Entries: what parties ask the ledger to record. What they *do* there is the ledger's business.

mod bilateral;
mod double_clearing;
mod evidence;
pub mod governance;
mod issuance;
pub mod registry;
mod reserve;
mod response;

pub use bilateral::{BilateralEntry, BilateralOffer, BilateralStep};
pub use double_clearing::DoubleClearingEntry;
pub use evidence::{EvidenceEntry, Said, StatementKind};
pub use issuance::{BurnEntry, MintEntry, RedeemEntry, Redeemed, Reference};
pub use reserve::{
    Direction, ReserveActivate, ReserveAward, ReserveEntry, ReserveOffer, ReserveTender, MAX_RESERVE_OFFERS,
};
pub use response::{
    ResponseCall, ResponseEnrol, ResponseEntry, ResponseLeave, ResponseSettle, MAX_RESPONDING,
};

use crate::hash::Hash32;
use crate::party::Id;
use governance::{BallotEntry, ProposalEntry};
use market::day_ahead::clearing::DayAheadClearing;
use market::grid::certificate::GridClearing;
use market::interval::Interval;
use market::units::{Millijoule, Millivar, Milliwatt, NanoEur, PicoEurPerWh};
use registry::ParticipantEntry;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// A signed envelope with its topic: evidence that anyone with the registry can check later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedEnvelope {
    /// The topic it was published on, which its signature covers.
    pub topic: String,
    /// Its bytes.
    pub bytes: ByteBuf,
}

/// One entry. Who may submit which kind follows from the submitter's role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// By the DSO: an interval's clearing with its certificate.
    Clearing(ClearingEntry),
    /// By the DSO: a day-ahead session's clearing with its certificate.
    DayAhead(DayAheadEntry),
    /// By an aggregator: what its sites were committed to and what they delivered. Settles them.
    Delivery(DeliveryEntry),
    /// By any account's owner: a payment.
    Transfer(TransferEntry),
    /// By a validator: proof that a validator contradicted itself.
    Evidence(Box<EvidenceEntry>),
    /// By anyone: proof that a DSO cleared one interval twice.
    DoubleClearing(Box<DoubleClearingEntry>),
    /// By a participant or whose role registers it: a change of the registry.
    Participant(Box<ParticipantEntry>),
    /// By a validator, the DSO or a regulator: a change of the rules, to be voted on.
    Proposal(Box<ProposalEntry>),
    /// By a validator: a vote on a proposal.
    Ballot(BallotEntry),
    /// By a gateway: tokens for money that came in.
    Mint(MintEntry),
    /// By any account's owner: a request to be paid out.
    Redeem(RedeemEntry),
    /// By the gateway that was asked: tokens that were paid out end, or go back.
    Burn(BurnEntry),
    /// By sites and the DSO: a step of a bilateral contract.
    Bilateral(BilateralEntry),
    /// By the DSO, the TSO interface and sites: a step of reserve.
    Reserve(ReserveEntry),
    /// By the DSO, aggregators and sites: a step of demand response.
    Response(ResponseEntry),
}

/// A clearing with the evidence that makes it checkable by anyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClearingEntry {
    /// Which interval.
    pub interval: Interval,
    /// Rounds of questions and answers it took.
    pub rounds: u32,
    /// Net import at the grid supply point.
    pub import: Milliwatt,
    /// Price at each bus, in the order of the feeder's buses.
    pub prices: Vec<PicoEurPerWh>,
    /// Power on each line, in the order of the feeder's lines.
    pub flows: Vec<Milliwatt>,
    /// What a market that knows its grid publishes besides; none where lines limit real power alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<Box<GridClearing>>,
    /// The TSO interface's signed [`crate::message::Supply`].
    pub supply: SignedEnvelope,
    /// Each aggregator's signed [`crate::message::FinalDemand`], in order of aggregator.
    pub demands: Vec<SignedEnvelope>,
}

/// A day-ahead session's clearing with the evidence that makes it checkable by anyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayAheadEntry {
    /// The session: its first interval.
    pub session: Interval,
    /// Rounds of questions and answers it took.
    pub rounds: u32,
    /// Prices, and the schedules of the aggregators' orders: in order of aggregator, and of each one's as its
    /// demand has them.
    pub clearing: DayAheadClearing,
    /// The TSO interface's signed [`crate::message::day_ahead::DayAheadSupply`].
    pub supply: SignedEnvelope,
    /// Each aggregator's signed [`crate::message::day_ahead::DayAheadFinalDemand`], in order of aggregator.
    pub demands: Vec<SignedEnvelope>,
}

/// A file of records that lies off the ledger, in somebody's archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchReference {
    /// SHA-256 of the file's bytes, as `sha256sum` gives it.
    pub sha256: Hash32,
    /// Where it lies: a URL, or a path within the archive of whoever submitted the entry. At most 200 characters.
    pub location: String,
}

/// One aggregator's delivery over one interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryEntry {
    /// Which interval.
    pub interval: Interval,
    /// The batch of the sites' signed meter readings.
    pub readings: Box<BatchReference>,
    /// The batch of the signed bids that were cleared, with their salts.
    pub bids: Box<BatchReference>,
    /// Every site under the aggregator's allocations root, in order of account.
    pub sites: Vec<SiteDelivery>,
    /// Every site under the aggregator's day-ahead allocations root for this interval, in order of account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<SitePosition>,
}

/// One site's commitment and delivery. The leaf lets validators rebuild the allocations' root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteDelivery {
    /// The site's account.
    pub account: Id,
    /// Salted hash of the site's bid, as in its leaf.
    pub bid_hash: Hash32,
    /// What it was committed to.
    pub commitment: Milliwatt,
    /// Reactive power it was committed to; absorbed positive.
    #[serde(default, skip_serializing_if = "crate::message::reactive::is_none")]
    pub reactive: Millivar,
    /// What its meter counted; none where no reading came in time.
    pub energy: Option<Millijoule>,
}

/// One site's day-ahead position. The leaf lets validators rebuild the allocations' root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SitePosition {
    /// The site's account.
    pub account: Id,
    /// Salted hash of the site's day-ahead bid, as in its leaf.
    pub bid_hash: Hash32,
    /// What it bought, or sold where negative.
    pub position: Milliwatt,
}

/// Moves tokens from the submitter's account to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferEntry {
    /// Receiver.
    pub to: Id,
    /// Amount, more than zero.
    pub amount: NanoEur,
    /// Sender's transfer count before this one, against replay.
    pub nonce: u64,
}
