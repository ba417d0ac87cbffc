//! Being in service (IEEE 1547-2018, 4.10): a device whose permission is withdrawn, or that trips, ceases at once. It
//! returns only so long after the grid is back within its bounds and permission given, and then comes back to its
//! full power over its ramp. No protocol, no clock.

use super::grid::Grid;
use market::interval::UnixSeconds;

/// Parts of the whole power, thousandths.
const WHOLE: i64 = 1_000;

/// Whether a device may be in service, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InService {
    /// Whether it is permitted.
    pub permitted: bool,
    /// Lowest and highest voltage to enter at, in hundredths of a percent of nominal.
    pub voltage: (u16, u16),
    /// Lowest and highest frequency to enter at, in thousandths of a hertz.
    pub frequency: (u32, u32),
    /// Seconds from permission to service.
    pub delay_s: u32,
    /// Seconds from entering service to its full power.
    pub ramp_s: u32,
    /// Whether it has tripped and the grid has not been back since.
    tripped: bool,
    /// When it enters.
    enters: UnixSeconds,
    /// Whether it has come back, and so ramps.
    came_back: bool,
}

impl InService {
    /// In service at once and for ever, by the defaults of EN 50549-1 but for its ramp, which is none.
    pub fn new(start: UnixSeconds) -> Self {
        Self {
            permitted: true,
            voltage: (8_500, 11_000),
            frequency: (49_500, 50_200),
            delay_s: 60,
            ramp_s: 0,
            tripped: false,
            enters: start,
            came_back: false,
        }
    }

    /// Gives or withdraws the permission at `now`.
    pub fn permit(&mut self, now: UnixSeconds, permitted: bool) {
        if permitted && !self.permitted {
            self.enter_after_delay(now);
        }
        self.permitted = permitted;
    }

    /// Takes the grid at `now`, and whether it trips the device.
    pub fn observe(&mut self, now: UnixSeconds, grid: Grid, trips: bool) {
        let within = self.allows(grid);
        let waiting = now < self.enters;
        if trips || (waiting && !within) {
            self.tripped = true;
        } else if self.tripped && within {
            self.tripped = false;
            self.enter_after_delay(now);
        }
    }

    /// Whether it may enter service at this grid.
    pub fn allows(&self, grid: Grid) -> bool {
        let (voltage, frequency) = (self.voltage, self.frequency);
        (i64::from(voltage.0)..=i64::from(voltage.1)).contains(&grid.voltage)
            && (i64::from(frequency.0)..=i64::from(frequency.1)).contains(&grid.frequency)
    }

    fn enter_after_delay(&mut self, now: UnixSeconds) {
        self.enters = now.plus(self.delay_s.into());
        self.came_back = true;
    }

    /// Whether it is in service at `now`.
    pub fn at(&self, now: UnixSeconds) -> bool {
        self.permitted && !self.tripped && self.enters <= now
    }

    /// How much of its power it may give at `now`, in thousandths.
    pub fn permille(&self, now: UnixSeconds) -> i64 {
        match self.ramp_s {
            _ if !self.at(now) => 0,
            ramp_s if self.came_back && ramp_s > 0 => {
                ((now.0 - self.enters.0) * WHOLE / i64::from(ramp_s)).clamp(0, WHOLE)
            }
            _ => WHOLE,
        }
    }

    /// Seconds until it enters; zero where it is in service, or not permitted to be.
    pub fn remaining_s(&self, now: UnixSeconds) -> i64 {
        if self.permitted && !self.tripped {
            self.enters.0.saturating_sub(now.0).max(0)
        } else {
            0
        }
    }

    /// The first instant after `now` at which it enters, or gives more than before, by itself.
    pub fn next_change(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        if !self.permitted || self.tripped {
            return None;
        }
        if self.enters > now {
            return Some(self.enters);
        }
        (self.permille(now) < WHOLE).then(|| now.plus(1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::grid::NOMINAL;
    use super::*;

    #[test]
    fn a_device_returns_after_its_delay_and_ceases_at_once() {
        let mut service = InService { delay_s: 300, ..InService::new(UnixSeconds(0)) };
        assert!(service.at(UnixSeconds(0)));
        service.permit(UnixSeconds(10), false);
        assert!(!service.at(UnixSeconds(10)));
        service.permit(UnixSeconds(20), true);
        assert_eq!((service.at(UnixSeconds(319)), service.remaining_s(UnixSeconds(319))), (false, 1));
        // Permitting what is permitted starts nothing anew.
        service.permit(UnixSeconds(319), true);
        assert!(service.at(UnixSeconds(320)));
    }

    #[test]
    fn after_a_trip_it_waits_until_the_grid_has_been_back_for_its_delay_and_ramps() {
        let mut service = InService { delay_s: 60, ramp_s: 100, ..InService::new(UnixSeconds(0)) };
        let sag = Grid { voltage: 6_000, frequency: 50_000 };
        let mut check = |now, grid, trips, permille, left_s| {
            service.observe(UnixSeconds(now), grid, trips);
            let at = UnixSeconds(now);
            assert_eq!((service.permille(at), service.remaining_s(at)), (permille, left_s), "at {now}");
        };
        check(0, NOMINAL, false, 1_000, 0);
        check(1, sag, false, 1_000, 0);
        check(2, sag, true, 0, 0);
        check(9, sag, false, 0, 0);
        check(10, NOMINAL, false, 0, 60);
        check(50, NOMINAL, false, 0, 20);
        // Out again while it waits: the delay begins anew.
        check(55, sag, false, 0, 0);
        check(60, NOMINAL, false, 0, 60);
        check(120, NOMINAL, false, 0, 0);
        check(170, NOMINAL, false, 500, 0);
        check(220, NOMINAL, false, 1_000, 0);
    }
}
