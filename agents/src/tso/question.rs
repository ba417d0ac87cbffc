//! What the TSO interface asks of the wholesale market, and the answers: questions that take long enough to
//! be answered elsewhere. Pure.

use super::wholesale::{FeederAward, Wholesale, WholesaleError};
use market::interval::Interval;
use market::supply::SupplyCurve;
use market::units::Milliwatt;
use std::sync::Arc;
use wire::message::ForecastPrice;

/// A question and whom it is put to.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The market.
    pub wholesale: Arc<Wholesale>,
    /// What is asked.
    pub about: About,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// Prices expected in these intervals at this import.
    Expected(Vec<Interval>, Milliwatt),
    /// What is for sale in this interval.
    Supply(Interval),
    /// What is for sale in each of these intervals, a day-ahead session's.
    SessionSupply(Vec<Interval>),
    /// What the feeder gets when it takes this.
    Award(Interval, Milliwatt),
    /// What the feeder gets in a day-ahead session when it takes this in each of these intervals.
    SessionAward(Vec<(Interval, Milliwatt)>),
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub enum TsoReport {
    /// Prices expected; fewer than asked where an auction has no outcome.
    Expected(Vec<ForecastPrice>),
    /// What is for sale.
    Supply(Interval, Result<SupplyCurve, WholesaleError>),
    /// What is for sale in a session's intervals, in order.
    SessionSupply(Result<Vec<(Interval, SupplyCurve)>, WholesaleError>),
    /// What the feeder got.
    Award(Result<FeederAward, WholesaleError>),
    /// What the feeder got in a session's intervals, in order.
    SessionAward(Result<Vec<FeederAward>, WholesaleError>),
}

impl Question {
    /// Runs the auctions it takes.
    pub fn answer(self) -> TsoReport {
        let Self { wholesale, about } = self;
        match about {
            About::Expected(intervals, import) => {
                let awards = intervals.into_iter().map_while(|at| wholesale.award(at, import).ok());
                let price =
                    |award: FeederAward| ForecastPrice { interval: award.interval, price: award.price };
                TsoReport::Expected(awards.map(price).collect())
            }
            About::Supply(interval) => TsoReport::Supply(interval, wholesale.supply(interval)),
            About::SessionSupply(intervals) => {
                let supply = |at| wholesale.supply(at).map(|curve| (at, curve));
                TsoReport::SessionSupply(intervals.into_iter().map(supply).collect())
            }
            About::Award(interval, import) => TsoReport::Award(wholesale.award(interval, import)),
            About::SessionAward(imports) => {
                let award = |(at, import)| wholesale.award(at, import);
                TsoReport::SessionAward(imports.into_iter().map(award).collect())
            }
        }
    }
}
