//! What an aggregator's core does about what a process before it left under way, and about decisions it did not hear of.

use super::act::AggregatorAct;
use super::core::{AggregatorCore, Effects};
use super::keeping::renew_bids;
use super::said::Said;
use crate::core::{Effect, Now};
use crate::missed::question;
use market::interval::Interval;
use wire::message::Body;

impl AggregatorCore {
    /// Before anything else is done, the first time: whoever speaks to it first finds what the process before it had
    /// closed or would have. An interval that has begun since is traded still where it had bids: the DSO may be
    /// waiting for them. So it may for what was answered to its award.
    pub(super) fn resume(&mut self, now: Now) -> Effects {
        if std::mem::replace(&mut self.begun, true) {
            return Vec::new();
        }
        let here = self.market.parameters.interval_at(now.market);
        let under_way = self.closed < Some(here) && self.book.count(here) > 0;
        let mut effects = if under_way { self.close_gate(here) } else { Vec::new() };
        effects.extend(self.trading.range(here..).filter_map(|(interval, trading)| {
            let demand = Body::FinalDemand(trading.final_demand()?);
            Some(self.to_dso(Said::FinalDemand, *interval, demand))
        }));
        effects.extend(self.on_time(now));
        effects
    }

    /// Questions about what should be decided by now.
    pub(super) fn missed(&mut self, now: Now) -> Effects {
        let asks = |(interval, trading): (&Interval, &mut super::trading::Trading)| {
            Some(question(*interval, trading.asks(now.real_ms)?))
        };
        self.trading.iter_mut().filter_map(asks).collect()
    }

    /// At an interval's beginning, when there is time: bids that count no more are kept no longer.
    pub(super) fn renew_when_due(&mut self, here: Interval) -> Option<Effect<AggregatorAct>> {
        let before = self.renewed.replace(here).unwrap_or(here);
        if before >= here || self.kept_bids == 0 {
            return None;
        }
        self.kept_bids = 0;
        Some(renew_bids(&self.book))
    }
}
