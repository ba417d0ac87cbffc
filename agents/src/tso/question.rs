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
    /// What the feeder gets when it takes this.
    Award(Interval, Milliwatt),
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub enum TsoReport {
    /// Prices expected; fewer than asked where an auction has no outcome.
    Expected(Vec<ForecastPrice>),
    /// What is for sale.
    Supply(Interval, Result<SupplyCurve, WholesaleError>),
    /// What the feeder got.
    Award(Result<FeederAward, WholesaleError>),
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
            About::Award(interval, import) => TsoReport::Award(wholesale.award(interval, import)),
        }
    }
}
