//! What an aggregator's core does with a reading that comes when its interval is settled.

use super::act::AggregatorAct;
use super::core::AggregatorCore;
use super::late::Late;
use crate::core::{Effect, Incoming, Now};
use wire::message::{MeterReading, Verdict};

type Effects = Vec<Effect<AggregatorAct>>;

impl AggregatorCore {
    /// What is done about a reading that comes too late for its delivery; nothing where it does not. It is answered once it is
    /// stored: what the site then forgets must be here.
    pub(super) fn take_late(
        &mut self,
        now: Now,
        message: &Incoming,
        reading: &MeterReading,
    ) -> Option<Effects> {
        let parameters = self.market.parameters;
        let (interval, interval_s) = (reading.interval, parameters.interval_s);
        let open = self.trading.get(&interval).is_some_and(|trading| trading.takes_readings());
        if open || !Late::reaches(interval, parameters.interval_at(now.market), interval_s) {
            return None;
        }
        let site = self.site(&message.id.sender).ok()?.clone();
        // What was in time and is said again is in the batch, and was answered for.
        let known = self.trading.get(&interval).is_some_and(|trading| trading.readings.has(&site, reading));
        let of = message.id.clone();
        if known {
            return Some(vec![Effect::Acknowledge { of, verdict: Verdict::Accepted }]);
        }
        let aggregator = &self.settings.party.id;
        Some(match self.late.take(aggregator, (&site, interval_s), reading, &message.raw) {
            Ok(batch) => {
                let text =
                    format!("a reading of {} for {interval}, which is settled without it", message.id.sender);
                vec![
                    Effect::Note { event: "reading-late", text },
                    Effect::Own(AggregatorAct::StoreLate { of, batch }),
                ]
            }
            Err(reason) => {
                vec![Effect::Acknowledge { of, verdict: Verdict::refused(&reason) }]
            }
        })
    }
}
