//! What the site does where the meter is lost, and where no firm price comes.

use super::{note, Effects, SiteCore};
use crate::site::schedule::Fallback;
use market::interval::Interval;
use market::units::Milliwatt;

/// So many readings of the meter must fail running before it is lost.
const METER_LOST: u32 = 2;
/// A base load read so many intervals ago is not what it is now.
const LOAD_KEPT: i64 = 3;

impl SiteCore {
    /// The meter was read, or was not; where that has just become too often, the site makes itself safe.
    pub(super) fn metered(&mut self, answers: bool, out: &mut Effects) {
        let was_lost = self.meter_lost();
        self.meter_failures = if answers { 0 } else { self.meter_failures.saturating_add(1) };
        match (was_lost, self.meter_lost()) {
            (false, true) => {
                let failures = self.meter_failures;
                note(
                    out,
                    "meter-lost",
                    format!("no reading {failures} times running: safe limits until it is back"),
                );
                if let Some(here) = self.here {
                    self.fall_back(here, out);
                }
            }
            (true, false) => note(out, "meter-back", "the meter answers again".to_owned()),
            _ => {}
        }
    }

    /// Whether nothing is known of what flows at the connection.
    pub(super) fn meter_lost(&self) -> bool {
        self.meter_failures >= METER_LOST
    }

    /// What was taken beside the devices when that was last read; none where it is too long ago to tell anything.
    pub(super) fn base_load(&self) -> Option<Milliwatt> {
        let age_s = LOAD_KEPT * self.config.parameters.interval_s;
        self.loads.latest(self.here?, age_s)
    }

    /// What is safe without a firm price, or without a meter. True where anything is written.
    pub(super) fn fall_back(&mut self, here: Interval, out: &mut Effects) -> bool {
        let base_load = self.base_load();
        let metered = !self.meter_lost() && base_load.is_some();
        let base_load = base_load.unwrap_or_default();
        let setpoints = match self.schedule.go_on_without(base_load, self.config.standing.connection, metered)
        {
            Fallback::Nothing => return false,
            Fallback::Keep(setpoints) => setpoints,
            Fallback::Safe(setpoints) => {
                note(out, "safe-limits", "devices are held to their safe limits".to_owned());
                setpoints
            }
            Fallback::Release(setpoints) => {
                note(out, "released", "devices are given back to their own default".to_owned());
                setpoints
            }
        };
        self.write(here, setpoints, out);
        true
    }
}
