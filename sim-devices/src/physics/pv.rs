//! A PV inverter: what the sun gives, cut to the limit it holds and to what its grid lets it give. No protocol, no clock.

use super::functions::{Beyond, Functions};
use super::grid::GridCourse;
use super::profile::Profile;
use super::reversion::Held;
use super::service::InService;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};

/// A PV system.
#[derive(Clone, Debug, PartialEq)]
pub struct PvSpec {
    /// The inverter's nameplate, positive.
    pub nameplate: Milliwatt,
    /// What the sun gives, in fractions of the nameplate.
    pub sun: Profile,
}

/// A hundredth of a percent, of which this many are the whole nameplate.
pub const WHOLE: u16 = 10_000;

/// Reactive power it can give or absorb beside all of its real power, in hundredths of a percent of its
/// nameplate: what IEEE 1547-2018 asks of category B. Its rating is a tenth above the nameplate, so there is
/// always room for it.
pub const REACTIVE_WHOLE: i16 = 4_400;

/// A PV system's state.
#[derive(Clone, Debug)]
pub struct Pv {
    spec: PvSpec,
    /// Limit on output in hundredths of a percent of the nameplate.
    pub limit: Held<u16>,
    /// Reactive power given (negative: absorbed), in hundredths of a percent of the nameplate.
    pub reactive: Held<i16>,
    /// Whether it may feed in at all.
    pub service: InService,
    /// How its grid goes.
    pub grid: GridCourse,
    /// What it does by itself at its grid.
    pub functions: Functions,
    /// Whether its controller lets it run.
    pub running: bool,
    beyond: Beyond,
    power: Milliwatt,
    fed_in: Millijoule,
    lost: Millijoule,
}

impl Pv {
    /// A system without a limit, giving at `start` what the sun gives.
    pub fn new(spec: PvSpec, start: UnixSeconds) -> Self {
        let (limit, none) = (Held::off(WHOLE), Millijoule::ZERO);
        let reactive = Held::off(0);
        let service = InService::new(start);
        let mut pv = Self {
            spec,
            limit,
            reactive,
            service,
            grid: GridCourse::default(),
            functions: Functions::default(),
            running: true,
            beyond: Beyond::default(),
            power: Milliwatt::ZERO,
            fed_in: none,
            lost: none,
        };
        pv.power = pv.power_at(start);
        pv
    }

    /// Lets `seconds` pass from `now` on, within which neither sun nor limit changes; gives the power,
    /// zero or negative.
    pub fn step(&mut self, now: UnixSeconds, seconds: i64) -> Milliwatt {
        let grid = self.grid.at(now);
        let trips = self.beyond.observe(now, grid, &self.functions.trips);
        self.service.observe(now, grid, trips);
        self.power = self.power_at(now);
        self.fed_in += (-self.power).over_seconds(seconds);
        self.lost += (self.power - self.available(now)).over_seconds(seconds);
        self.power
    }

    /// Whether it is in service, and not stopped.
    pub fn works(&self, now: UnixSeconds) -> bool {
        self.running && self.service.at(now)
    }

    fn power_at(&self, now: UnixSeconds) -> Milliwatt {
        if !self.works(now) {
            return Milliwatt::ZERO;
        }
        let by_grid = self.functions.most(self.grid.at(now)).min(self.service.permille(now) * 10);
        let share = i64::from(self.limit.at(now).unwrap_or(WHOLE).min(WHOLE)).min(by_grid);
        self.available(now).max(Milliwatt(-self.spec.nameplate.0 * share / i64::from(WHOLE)))
    }

    /// What it could feed in at `now` without a limit, zero or negative.
    pub fn available(&self, now: UnixSeconds) -> Milliwatt {
        Milliwatt(-self.spec.sun.of(self.spec.nameplate.0, now).clamp(0, self.spec.nameplate.0))
    }

    /// Reactive power at `now` in millivars, absorbed positive.
    pub fn reactive_mvar(&self, now: UnixSeconds) -> i64 {
        if !self.works(now) {
            return 0;
        }
        let most = i64::from(REACTIVE_WHOLE);
        let by_grid = || {
            let power = -self.power.0 * i64::from(WHOLE) / self.spec.nameplate.0.max(1);
            let of_most = self.functions.reactive(self.grid.at(now), power)?;
            Some(of_most * most / i64::from(WHOLE))
        };
        let given = self.reactive.at(now).map(i64::from).or_else(by_grid).unwrap_or(0).clamp(-most, most);
        -(self.spec.nameplate.0 * given / i64::from(WHOLE))
    }

    /// Power over the last step, zero or negative.
    pub fn power(&self) -> Milliwatt {
        self.power
    }

    /// Energy fed in since it was built, positive.
    pub fn fed_in(&self) -> Millijoule {
        self.fed_in
    }

    /// Energy the limit has kept back since it was built, positive.
    pub fn lost(&self) -> Millijoule {
        self.lost
    }

    /// Its nameplate, positive.
    pub fn nameplate(&self) -> Milliwatt {
        self.spec.nameplate
    }

    /// The first instant after `now` at which sun or limit changes by itself.
    pub fn next_change(&self, now: UnixSeconds) -> UnixSeconds {
        let sun = self.spec.sun.next_change(now);
        let timers = [
            self.limit.lapses(),
            self.reactive.lapses(),
            self.service.next_change(now),
            self.grid.next_change(now),
            self.beyond.due(self.grid.at(now), &self.functions.trips),
        ];
        timers.into_iter().flatten().filter(|end| *end > now).fold(sun, UnixSeconds::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limit: Option<(u16, u16)>, now: i64, power_w: i64) {
        let sun = Profile::constant(0.6);
        let mut pv = Pv::new(PvSpec { nameplate: Milliwatt(10_000_000), sun }, UnixSeconds(0));
        if let Some((value, revert_s)) = limit {
            pv.limit.write(UnixSeconds(0), value, revert_s, true);
        }
        assert_eq!(pv.step(UnixSeconds(now), 60), Milliwatt(power_w * 1000));
        assert_eq!(pv.fed_in(), Millijoule(-power_w * 60_000));
        assert_eq!(pv.lost(), Millijoule((6000 + power_w) * 60_000));
    }

    #[test]
    fn reactive_power_holds_until_its_timer_ends_and_changes_no_real_power() {
        let sun = Profile::constant(0.6);
        let mut pv = Pv::new(PvSpec { nameplate: Milliwatt(10_000_000), sun }, UnixSeconds(0));
        pv.reactive.write(UnixSeconds(0), -2_000, 900, true);
        assert_eq!(pv.step(UnixSeconds(0), 60), Milliwatt(-6_000_000));
        assert_eq!((pv.reactive_mvar(UnixSeconds(899)), pv.reactive_mvar(UnixSeconds(900))), (2_000_000, 0));
        assert_eq!(pv.next_change(UnixSeconds(0)), UnixSeconds(900));
        pv.reactive.write(UnixSeconds(0), 9_000, 0, true);
        assert_eq!(pv.reactive_mvar(UnixSeconds(0)), -4_400_000);
    }

    #[test]
    fn the_sun_is_fed_in_up_to_the_limit_in_force() {
        check(None, 0, -6000);
        check(Some((8000, 0)), 0, -6000);
        check(Some((2500, 900)), 899, -2500);
        check(Some((2500, 900)), 900, -6000);
        check(Some((0, 0)), 0, 0);
    }
}
