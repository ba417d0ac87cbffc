//! The day-ahead market: what its agents say to each other about one session, all of its intervals at once.

mod bid;
mod bounds;
mod firm;
mod rounds;

pub use bid::{DayAheadBid, DayAheadCommitted, DayAheadSupply, PlacedOrders};
pub(super) use bounds::{check_body, check_entry};
pub use bounds::{MAX_ORDERS, MAX_ORDERS_PER_SITE, MAX_POWERS};
pub use firm::DayAheadFirm;
pub use rounds::{
    AnswerAt, AnsweredCorner, AskedAt, DayAheadAward, DayAheadDemand, DayAheadFinalDemand, DayAheadQuestion,
    DemandIn, DemandOf,
};
