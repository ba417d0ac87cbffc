//! What the site does while nobody bears its clock out: it bids nothing, and keeps its readings to itself until it is known
//! whether they were made at the times they say.

use super::{note, Effects, SiteCore};
use crate::core::{Effect, Now};
use crate::site::act::SiteAction;
use crate::site::journal::Kept;
use crate::site::trust::Change;
use wire::message::MeterReading;

impl SiteCore {
    /// Goes by what has become known of the clock.
    pub(super) fn mind_clock(&mut self, now: Now, out: &mut Effects) {
        match self.trust.step(now) {
            None => {}
            Some(Change::Doubted) => {
                note(out, "clock-unconfirmed", "nobody bears the clock out: no bids until then".to_owned());
            }
            Some(Change::BorneOut) => {
                let readings = self.metering.borne_out();
                let text = format!("the clock is borne out, and {} readings by it", readings.len());
                note(out, "clock-confirmed", text);
                let kept: Vec<Kept> = readings.iter().map(kept).collect();
                if !kept.is_empty() {
                    out.push(Effect::Own(SiteAction::Keep { records: kept }));
                }
            }
            Some(Change::Set) => {
                let gone = self.metering.disowned();
                let text =
                    format!("the clock was set, and {} readings by what it said before are none", gone.len());
                note(out, "clock-set", text);
            }
        }
    }
}

/// The record of a reading.
pub(super) fn kept(reading: &MeterReading) -> Kept {
    Kept::Reading { interval: reading.interval, energy: reading.energy }
}
