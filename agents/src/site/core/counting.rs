//! What the site does with its meter at an interval's boundary.

use super::trusting::kept;
use super::{note, Effects, SiteCore};
use crate::core::Effect;
use crate::site::act::SiteAction;
use crate::site::journal::Kept;
use crate::site::tag::About;
use hw_adapters::device::MeterState;
use market::interval::{Interval, UnixSeconds};
use wire::message::Body;

/// Counters read later than this part of an interval after its start are no boundary's counters.
const LATE_PART: i64 = 60;

impl SiteCore {
    /// The meter's reading, unless it shows more than the connection can carry by a fifth.
    pub(super) fn believed(&self, meter: MeterState) -> Result<MeterState, String> {
        let most = self.config.standing.connection;
        if meter.power.0.unsigned_abs() > most.0.saturating_add(most.0 / 5).unsigned_abs() {
            return Err(format!("it shows {} at a connection of {most}", meter.power));
        }
        Ok(meter)
    }

    pub(super) fn count(&mut self, now: UnixSeconds, here: Interval, out: &mut Effects) {
        if now.0 - here.start().0 <= self.config.parameters.interval_s / LATE_PART {
            out.push(Effect::Own(SiteAction::ReadMeter { boundary: here }));
        } else {
            self.metering.came_late(here);
        }
    }

    pub(super) fn counted(
        &mut self,
        boundary: Interval,
        meter: Result<MeterState, String>,
        out: &mut Effects,
    ) {
        self.metered(meter.is_ok(), out);
        let interval_s = self.config.parameters.interval_s;
        let counters = match meter {
            Ok(counters) => counters,
            Err(reason) => {
                self.metering.missed();
                return note(out, "meter-fault", format!("meter at the start of the {boundary}: {reason}"));
            }
        };
        let open = !self.trust.is_sane();
        let mut records = Vec::new();
        match self.metering.counted(boundary, counters, interval_s, open) {
            Ok((reading, dropped)) => {
                if let Some(dropped) = dropped {
                    note(out, "reading-dropped", format!("never acknowledged: the {}", dropped.interval));
                    records.push(Kept::Dropped { interval: dropped.interval });
                }
                records.push(kept(&reading));
            }
            Err(e) => note(out, "no-reading", e.to_string()),
        }
        // What was made by a doubtful clock is kept once that is settled.
        if !open {
            let MeterState { imported, exported, .. } = counters;
            records.push(Kept::Counters { boundary, imported, exported });
            out.push(Effect::Own(SiteAction::Keep { records }));
        }
    }

    /// Somebody has answered for a reading.
    pub(super) fn reading_answered(&mut self, interval: Interval, out: &mut Effects) {
        if self.metering.confirmed(interval) {
            let records = vec![Kept::Answered { interval }];
            out.push(Effect::Own(SiteAction::Keep { records }));
        }
    }

    /// Readings that are due.
    pub(super) fn send_due(&mut self, real_ms: u64, out: &mut Effects) {
        for reading in self.metering.due(real_ms) {
            self.send(Body::MeterReading(reading), reading.interval, About::Reading, out);
        }
    }
}
