//! A battery with its inverter: left to itself it keeps the site's exchange with the grid at zero;
//! bounds written from outside (SunSpec model 124) narrow that, down to one value. No protocol, no
//! clock.

use super::reversion::Held;
use super::service::InService;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};

/// A battery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatterySpec {
    /// Usable energy when full, positive.
    pub capacity: Millijoule,
    /// Usable energy at the start, from zero to the capacity.
    pub stored: Millijoule,
    /// Most charging power at the grid's side, positive.
    pub charge_max: Milliwatt,
    /// Most discharging power at the grid's side, positive.
    pub discharge_max: Milliwatt,
    /// Energy stored per energy taken, and given per energy drawn, in thousandths, 1 to 1000. About
    /// 950 for a household battery with its inverter.
    pub efficiency_permille: i64,
}

/// A hundredth of a percent of `charge_max`, of which this many are the whole.
pub const WHOLE: i16 = 10_000;

/// Bounds on power in hundredths of a percent of `charge_max`, as model 124 has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Whether charging is bounded.
    pub bound_charge: bool,
    /// Whether discharging is bounded.
    pub bound_discharge: bool,
    /// Most charging; negative forces discharging of at least that much.
    pub charge: i16,
    /// Most discharging; negative forces charging of at least that much.
    pub discharge: i16,
}

/// A battery's state.
#[derive(Clone, Debug)]
pub struct Battery {
    spec: BatterySpec,
    /// Bounds from outside, in force until their timer ends.
    pub bounds: Held<Bounds>,
    /// Whether it may be in service at all.
    pub service: InService,
    taken: Millijoule,
    stored: Millijoule,
    given: Millijoule,
    power: Milliwatt,
}

impl Battery {
    /// A battery left to itself, idle.
    pub fn new(spec: BatterySpec) -> Self {
        let open = Bounds { bound_charge: false, bound_discharge: false, charge: WHOLE, discharge: WHOLE };
        let stored = spec.stored.clamp(Millijoule::ZERO, spec.capacity);
        let none = Millijoule::ZERO;
        // In service since before any instant there is.
        let service = InService::new(UnixSeconds(i64::MIN));
        let bounds = Held::off(open);
        let power = Milliwatt::ZERO;
        Self { spec, bounds, service, taken: none, stored, given: none, power }
    }

    /// Lets `seconds` pass from `now` on, with `others` as the net power of everything else at the
    /// site; gives the power at the grid's side, positive charging.
    pub fn step(&mut self, now: UnixSeconds, seconds: i64, others: Milliwatt) -> Milliwatt {
        let wish = if self.service.at(now) { self.bounded(now, -others) } else { Milliwatt::ZERO };
        let wish = wish.clamp(-self.spec.discharge_max, self.spec.charge_max);
        self.power = wish.clamp(-self.most_out(seconds), self.most_in(seconds));
        self.given += (-self.power).max(Milliwatt::ZERO).over_seconds(seconds);
        self.taken += self.power.max(Milliwatt::ZERO).over_seconds(seconds);
        let energy = i128::from(self.power.0) * i128::from(seconds);
        let efficiency = i128::from(self.spec.efficiency_permille);
        let change = if energy >= 0 { energy * efficiency / 1000 } else { energy * 1000 / efficiency };
        let stored = self.stored + Millijoule(change as i64);
        self.stored = stored.clamp(Millijoule::ZERO, self.spec.capacity);
        self.power
    }

    /// The habit's wish within the bounds in force. Where bounds cross, charging's holds.
    fn bounded(&self, now: UnixSeconds, wish: Milliwatt) -> Milliwatt {
        let Some(bounds) = self.bounds.at(now) else { return wish };
        let power = |share: i16| Milliwatt(self.spec.charge_max.0 * i64::from(share) / i64::from(WHOLE));
        let wish = if bounds.bound_discharge { wish.max(-power(bounds.discharge)) } else { wish };
        if bounds.bound_charge {
            wish.min(power(bounds.charge))
        } else {
            wish
        }
    }

    /// Most power that fits into what is free, over `seconds`.
    fn most_in(&self, seconds: i64) -> Milliwatt {
        let free = i128::from((self.spec.capacity - self.stored).0);
        Milliwatt((free * 1000 / i128::from(self.spec.efficiency_permille * seconds.max(1))) as i64)
    }

    /// Most power what is stored can give, over `seconds`.
    fn most_out(&self, seconds: i64) -> Milliwatt {
        let stored = i128::from(self.stored.0);
        Milliwatt(
            (stored * i128::from(self.spec.efficiency_permille) / (1000 * i128::from(seconds.max(1)))) as i64,
        )
    }

    /// Power over the last step, positive charging.
    pub fn power(&self) -> Milliwatt {
        self.power
    }

    /// Usable energy stored now.
    pub fn stored(&self) -> Millijoule {
        self.stored
    }

    /// Energy given at the grid's side since it was built.
    pub fn given(&self) -> Millijoule {
        self.given
    }

    /// Energy taken at the grid's side since it was built.
    pub fn taken(&self) -> Millijoule {
        self.taken
    }

    /// What it is.
    pub fn spec(&self) -> &BatterySpec {
        &self.spec
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KWH: i64 = 3_600_000_000;

    fn spec(stored_kwh: i64) -> BatterySpec {
        BatterySpec {
            capacity: Millijoule(10 * KWH),
            stored: Millijoule(stored_kwh * KWH),
            charge_max: Milliwatt(5_000_000),
            discharge_max: Milliwatt(4_000_000),
            efficiency_permille: 950,
        }
    }

    fn fixed(share: i16) -> Bounds {
        Bounds { bound_charge: true, bound_discharge: true, charge: share, discharge: -share }
    }

    /// An hour beside `others`, in kW, under `bounds`.
    fn check(stored_kwh: i64, bounds: Option<Bounds>, others_kw: i64, power_w: i64, stored_wh: i64) {
        let mut battery = Battery::new(spec(stored_kwh));
        if let Some(bounds) = bounds {
            battery.bounds.write(UnixSeconds(0), bounds, 0, true);
        }
        let power = battery.step(UnixSeconds(0), 3600, Milliwatt(others_kw * 1_000_000));
        assert_eq!(power, Milliwatt(power_w * 1000));
        assert_eq!(battery.stored().0 / 3_600_000, stored_wh);
    }

    #[test]
    fn left_to_itself_it_stores_surplus_and_covers_load() {
        check(5, None, -3, 3000, 5000 + 2850);
        check(5, None, 2, -2000, 5000 - 2105 - 1);
        check(5, None, -30, 5000, 5000 + 4750);
        check(5, None, 30, -4000, 5000 - 4210 - 1);
    }

    #[test]
    fn bounds_narrow_the_habit_down_to_one_value() {
        check(5, Some(fixed(2000)), 2, 1000, 5950);
        check(5, Some(fixed(-2000)), -2, -1000, 5000 - 1052 - 1);
        check(5, Some(fixed(0)), 3, 0, 5000);
        check(5, Some(Bounds { bound_discharge: false, ..fixed(1000) }), -3, 500, 5475);
        check(5, Some(Bounds { bound_charge: false, ..fixed(0) }), 3, 0, 5000);
        check(5, Some(Bounds { charge: -4000, ..fixed(4000) }), 0, -2000, 5000 - 2105 - 1);
    }

    #[test]
    fn a_full_battery_takes_nothing_and_an_empty_one_gives_nothing() {
        check(10, Some(fixed(10_000)), 0, 0, 10_000);
        check(0, Some(fixed(-8000)), 0, 0, 0);
    }

    proptest! {
        #[test]
        fn energy_is_never_made(
            steps in prop::collection::vec((1i64..4000, -20_000i64..20_000, prop::option::of(-10_000i16..=10_000)), 1..80)
        ) {
            let mut battery = Battery::new(spec(5));
            let (mut now, mut taken) = (UnixSeconds(0), 0i128);
            let stored = battery.stored();
            for (seconds, others_w, share) in steps {
                if let Some(share) = share {
                    battery.bounds.write(now, fixed(share), 900, true);
                }
                let power = battery.step(now, seconds, Milliwatt(others_w * 1000));
                prop_assert!(power <= Milliwatt(5_000_000) && power >= Milliwatt(-4_000_000));
                prop_assert!(battery.stored() >= Millijoule::ZERO && battery.stored() <= Millijoule(10 * KWH));
                taken += i128::from(power.over_seconds(seconds).0);
                now = now.plus(seconds);
            }
            // One millijoule of rounding a step at the most.
            prop_assert!(i128::from((battery.stored() - stored).0) <= taken + 80);
        }
    }
}
