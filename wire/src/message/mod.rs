//! Every message one agent may send another. One file per conversation; bounds stand beside the
//! types, because bytes from outside are bounded before anything else is believed of them.

mod acknowledge;
mod bid;
mod bounds;
mod clock;
pub mod day_ahead;
mod firm;
mod following;
mod forecast;
mod metering;
pub(crate) mod reactive;
mod registry;
mod right;
mod rounds;
pub mod series;
mod supply;

pub use acknowledge::{Ack, MessageRef, Verdict};
pub use bid::{Bid, BidsCommitted, PastReading};
pub use bounds::{
    BoundsError, MAX_BUSES_PER_MESSAGE, MAX_DEMANDS, MAX_EMISSION, MAX_FAULTS, MAX_PATH_STEPS, MAX_SITES,
    MAX_TEXT_CHARS,
};
pub use clock::Tick;
pub use firm::{BidPath, BusAward, Firm, MerkleSumPath, PathStep, SetpointReport};
pub use following::{BlockQuestion, Decision, RegistryQuestion};
pub use forecast::{DisorderedQuantiles, QuantileForecast, Quantiles};
pub use metering::{DeviceFault, MeterReading};
pub use reactive::{ReactiveAward, ReactiveFirm, ReactiveRange};
pub use right::{Addressing, Kind, KINDS};
pub use rounds::{
    Award, BusPrice, BusQuestion, Corner, Demand, DemandAt, FinalDemand, PriceQuestion, PriceWindow,
    MAX_CORNERS, MAX_TICKS_PER_QUESTION,
};
pub use supply::{Forecast, ForecastPrice, Supply, MAX_FORECAST};

use day_ahead::{
    DayAheadAward, DayAheadBid, DayAheadCommitted, DayAheadDemand, DayAheadFinalDemand, DayAheadFirm,
    DayAheadQuestion, DayAheadSupply,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Largest signed envelope accepted, in bytes. A block with a certificate of an urban feeder
/// stays well below.
pub const MAX_ENVELOPE_BYTES: usize = 1 << 20;

/// The content of one envelope. Its kind stands in the topic as well, and both must agree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// Timekeeper to all: simulated time.
    Tick(Tick),
    /// Anyone to a sender: the market has it, or refuses it and why.
    Ack(Ack),
    /// Site to its aggregator: one curve for one interval.
    Bid(Bid),
    /// Aggregator to DSO: gate closed, bids fixed under a root.
    BidsCommitted(BidsCommitted),
    /// DSO to aggregators: what is your demand at these prices?
    PriceQuestion(PriceQuestion),
    /// Aggregator to DSO: the answer.
    Demand(Demand),
    /// DSO to aggregators: the cleared prices, and each one's allocation by bus.
    Award(Award),
    /// Aggregator to DSO: demand at the cleared prices, with the Merkle-sum root of allocations.
    FinalDemand(FinalDemand),
    /// TSO interface to DSO: the import's price curve for one interval.
    Supply(Supply),
    /// TSO interface to all: price forecast.
    Forecast(Forecast),
    /// Forecaster to all: prices, load and sun expected, with quantiles.
    QuantileForecast(QuantileForecast),
    /// Anyone with the right to it, to the validators: an entry for the ledger.
    Submit(crate::entry::Entry),
    /// Validator to validators: a consensus message in the ledger crate's own encoding.
    Consensus(ByteBuf),
    /// Validator to all, or to the one who asked: a decided block with its vote certificate, in the ledger's encoding.
    Block(ByteBuf),
    /// Anyone to the validators: what is governed, if it is not what the asker knows?
    RegistryQuestion(RegistryQuestion),
    /// A validator to the one who asked: what is governed, with its proof, in the ledger's encoding.
    RegistrySummary(ByteBuf),
    /// Who trades to the validators: send me the block in which this was decided.
    BlockQuestion(BlockQuestion),
    /// Whoever sees it to those who watch: a DSO signed two clearings where it may sign one.
    DoubleClearing(Box<crate::entry::DoubleClearingEntry>),
    /// Aggregator to a site: firm price, allocation, and the proofs of both.
    Firm(Box<Firm>),
    /// Site to its aggregator: setpoints written and read back.
    SetpointReport(SetpointReport),
    /// Site to its aggregator: one meter reading.
    MeterReading(MeterReading),
    /// Site to its aggregator: curves and orders for a day-ahead session.
    DayAheadBid(DayAheadBid),
    /// Aggregator to DSO: a session's gate closed, bids fixed under a root; and the orders in them.
    DayAheadCommitted(DayAheadCommitted),
    /// TSO interface to DSO: the import's price curves for a session.
    DayAheadSupply(DayAheadSupply),
    /// DSO to an aggregator: what is your demand at these prices, in these intervals?
    DayAheadQuestion(DayAheadQuestion),
    /// Aggregator to DSO: the answer.
    DayAheadDemand(DayAheadDemand),
    /// DSO to an aggregator: a session's prices, its allocations and its orders' schedules.
    DayAheadAward(DayAheadAward),
    /// Aggregator to DSO: demand at a session's prices, with each interval's root of positions.
    DayAheadFinalDemand(DayAheadFinalDemand),
    /// Aggregator to a site: its positions in a decided session, with their proofs.
    DayAheadFirm(Box<DayAheadFirm>),
}

impl Body {
    /// The kind's word in topics, configuration and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Body::Tick(_) => "tick",
            Body::Ack(_) => "ack",
            Body::Bid(_) => "bid",
            Body::BidsCommitted(_) => "bids-committed",
            Body::PriceQuestion(_) => "price-question",
            Body::Demand(_) => "demand",
            Body::Award(_) => "award",
            Body::FinalDemand(_) => "final-demand",
            Body::Supply(_) => "supply",
            Body::Forecast(_) => "forecast",
            Body::QuantileForecast(_) => "quantile-forecast",
            Body::Submit(_) => "submit",
            Body::Consensus(_) => "consensus",
            Body::Block(_) => "block",
            Body::RegistryQuestion(_) => "registry-question",
            Body::RegistrySummary(_) => "registry-summary",
            Body::BlockQuestion(_) => "block-question",
            Body::DoubleClearing(_) => "double-clearing",
            Body::Firm(_) => "firm",
            Body::SetpointReport(_) => "setpoint-report",
            Body::MeterReading(_) => "meter-reading",
            Body::DayAheadBid(_) => "day-ahead-bid",
            Body::DayAheadCommitted(_) => "day-ahead-committed",
            Body::DayAheadSupply(_) => "day-ahead-supply",
            Body::DayAheadQuestion(_) => "day-ahead-question",
            Body::DayAheadDemand(_) => "day-ahead-demand",
            Body::DayAheadAward(_) => "day-ahead-award",
            Body::DayAheadFinalDemand(_) => "day-ahead-final-demand",
            Body::DayAheadFirm(_) => "day-ahead-firm",
        }
    }
}
