//! What the site does where a device does not obey, where the meter is lost, and where no firm price comes.

use super::{note, Effects, SiteCore};
use crate::core::Effect;
use crate::device::Reading;
use crate::site::act::SiteAction;
use crate::site::bidding::OwnBid;
use crate::site::obedience::Disobeys;
use crate::site::schedule::Fallback;
use market::curve::FlexCurve;
use market::curve_ops::sum;
use market::interval::{Interval, UnixSeconds};
use market::units::Milliwatt;

/// The part of an interval after which devices are looked at, once what was written has been read back.
const CHECK_PART: i64 = 6;
/// So many readings of the meter must fail running before it is lost.
const METER_LOST: u32 = 2;

impl SiteCore {
    /// Setpoints were read back: in a while it will show what they are worth.
    pub(super) fn look_later(&mut self, now: UnixSeconds, interval: Interval) {
        let after_s = (self.config.parameters.interval_s / CHECK_PART).max(1);
        self.check_at = Some((interval, now.plus(after_s)));
    }

    /// Looks at the devices where it is time to.
    pub(super) fn look(&mut self, now: UnixSeconds, here: Interval, out: &mut Effects) {
        if let Some((interval, at)) = self.check_at.filter(|(_, at)| *at <= now) {
            self.check_at = None;
            // Past the interval the next one's setpoints hold, or are on their way.
            if interval == here {
                self.looked_at = Some(at);
                out.push(Effect::Own(SiteAction::Check { interval }));
            }
        }
    }

    /// Holds every device against what it was told.
    pub(super) fn judge(&mut self, devices: &[Result<Reading, String>], out: &mut Effects) {
        let here = self.here.unwrap_or_default();
        let clock = (here, self.config.parameters.interval_s);
        let mut disobey = Vec::new();
        for (place, (reading, (_, wish))) in devices.iter().zip(&self.config.devices).enumerate() {
            if let Ok(reading) = reading {
                disobey.extend(self.obedience.judge((place, wish), reading, clock));
            }
        }
        for Disobeys { place, told, does } in &disobey {
            let text = format!("{} was told {told}, took it, and is at {does}", self.name(*place));
            note(out, "device-disobeys", text);
        }
        if !disobey.is_empty() {
            self.shed(here, &disobey, out);
        }
    }

    /// Lets the other devices make up for those that do not obey, within what they bid.
    fn shed(&mut self, here: Interval, disobey: &[Disobeys], out: &mut Effects) {
        let Some((allocation, orders)) = self.firm.get(&here) else { return };
        let Some(bid) = self.cleared.get(&here).and_then(|interval| self.bids.get(interval)) else { return };
        let Some(left) = without(bid, disobey) else { return };
        let others = self.orders(here, *allocation, &left);
        let changed: Vec<_> = others
            .setpoints
            .iter()
            .filter(|setpoint| !orders.setpoints.contains(setpoint))
            .copied()
            .collect();
        if changed.is_empty() {
            return note(out, "not-shed", format!("nothing else can make up for it in the {here}"));
        }
        let allocation = *allocation;
        let mut orders = others;
        orders.devices_power += disobey.iter().map(|device| device.does).sum();
        self.firm.insert(here, (allocation, orders.clone()));
        self.schedule.follow(orders);
        self.write(here, changed, out);
    }

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

    /// What is safe without a firm price, or without a meter. True where anything is written.
    pub(super) fn fall_back(&mut self, here: Interval, out: &mut Effects) -> bool {
        let base_load = self.base_load.unwrap_or_default();
        let metered = !self.meter_lost();
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

/// The bid with what these devices do as something that can't be changed.
fn without(bid: &OwnBid, disobey: &[Disobeys]) -> Option<OwnBid> {
    let mut left = bid.clone();
    let mut fixed = Milliwatt::ZERO;
    for device in disobey {
        *left.devices.get_mut(device.place)? = None;
        fixed += device.does;
    }
    left.base = sum([&left.base, &FlexCurve::inelastic(fixed)].into_iter()).ok()?;
    Some(left)
}
