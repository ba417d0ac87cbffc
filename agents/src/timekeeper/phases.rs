//! The order in which simulated time visits each interval: bids open, gate closure, start.

use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;

/// One stop of simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Before the first interval's bids open: roles wake up, the first forecast goes out.
    Prelude(Interval),
    /// Bids for this interval open.
    BidsOpen(Interval),
    /// The gate for this interval closes.
    GateClosure(Interval),
    /// This interval starts, and the one before it ends.
    Start(Interval),
    /// The last interval's deliveries are put on the ledger.
    Epilogue(Interval),
}

impl Phase {
    /// The market's time at this stop.
    pub fn at(self, parameters: &MarketParameters) -> UnixSeconds {
        match self {
            Phase::Prelude(first) => first.start().plus(-parameters.interval_s),
            Phase::BidsOpen(interval) => parameters.bids_open(interval),
            Phase::GateClosure(interval) => parameters.gate_closure(interval),
            Phase::Start(interval) | Phase::Epilogue(interval) => interval.start(),
        }
    }

    /// The next stop; none after the epilogue. `end` is the first interval not traded any more.
    pub fn next(self, parameters: &MarketParameters, end: Option<Interval>) -> Option<Phase> {
        match self {
            Phase::Prelude(first) => Some(Phase::BidsOpen(first)),
            Phase::BidsOpen(interval) => Some(Phase::GateClosure(interval)),
            Phase::GateClosure(interval) => Some(Phase::Start(interval)),
            Phase::Start(interval) if Some(interval) == end => Some(Phase::Epilogue(interval)),
            Phase::Start(interval) => {
                let next = parameters.next(interval);
                // Nothing is bid for the end itself; time only walks up to it.
                if Some(next) == end {
                    Some(Phase::Start(next))
                } else {
                    Some(Phase::BidsOpen(next))
                }
            }
            Phase::Epilogue(_) => None,
        }
    }

    /// Its word in progress and logs.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Prelude(_) => "prelude",
            Phase::BidsOpen(_) => "bids-open",
            Phase::GateClosure(_) => "gate-closure",
            Phase::Start(_) => "start",
            Phase::Epilogue(_) => "epilogue",
        }
    }

    /// The interval it is about.
    pub fn interval(self) -> Interval {
        match self {
            Phase::Prelude(interval)
            | Phase::BidsOpen(interval)
            | Phase::GateClosure(interval)
            | Phase::Start(interval)
            | Phase::Epilogue(interval) => interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene;

    #[test]
    fn two_intervals_are_walked_through_stop_by_stop() {
        let parameters = scene::parameters();
        let first = Interval(UnixSeconds(9_000));
        let end = Some(Interval(UnixSeconds(10_800)));
        let walk = std::iter::successors(Some(Phase::Prelude(first)), |phase| phase.next(&parameters, end));
        let stops: Vec<(&str, i64)> = walk.map(|phase| (phase.word(), phase.at(&parameters).0)).collect();
        assert_eq!(
            stops,
            [
                ("prelude", 8_100),
                ("bids-open", 8_400),
                ("gate-closure", 8_880),
                ("start", 9_000),
                ("bids-open", 9_300),
                ("gate-closure", 9_780),
                ("start", 9_900),
                ("start", 10_800),
                ("epilogue", 10_800),
            ]
        );
    }
}
