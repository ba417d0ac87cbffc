//! What the devices were last told, and what a site does when no firm price comes.

use crate::device::preferences::Preferences;
use crate::device::DeviceBid;
use market::units::{Millivar, Milliwatt};

/// What one device is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setpoint {
    /// Take (negative: give) this power. For a generator: at most feed in so much.
    Power(Milliwatt),
    /// Absorb (negative: give) this reactive power.
    Reactive(Millivar),
    /// Whatever it does by itself.
    OwnDefault,
}

impl Setpoint {
    /// What gives the device back to its own default.
    fn released(self) -> Self {
        match self {
            Setpoint::Reactive(_) => Setpoint::Reactive(Millivar::ZERO),
            Setpoint::Power(_) | Setpoint::OwnDefault => Setpoint::OwnDefault,
        }
    }

    /// The real power asked for; none where the device is left to itself.
    pub fn power(self) -> Option<Milliwatt> {
        match self {
            Setpoint::Power(power) => Some(power),
            Setpoint::OwnDefault | Setpoint::Reactive(_) => None,
        }
    }
}

/// The setpoint by which a device takes `power` of its bid. Where export is full, more sun than was
/// foreseen must not go to the grid.
pub fn setpoint_of(wish: &Preferences, power: Milliwatt, bid: &DeviceBid, export_full: bool) -> Setpoint {
    match wish {
        // All it could feed in needs no limit, and none lets it give more should the sky clear.
        Preferences::Generator(_) if power <= bid.curve.power_min() && !export_full => Setpoint::OwnDefault,
        Preferences::Charger(_) if power > Milliwatt::ZERO && power >= bid.curve.power_max() => {
            Setpoint::Power(bid.setpoint_whole.unwrap_or(power).max(least(bid)))
        }
        Preferences::Charger(_) if power > Milliwatt::ZERO => Setpoint::Power(power.max(least(bid))),
        _ => Setpoint::Power(power),
    }
}

/// The least setpoint at which it runs.
fn least(bid: &DeviceBid) -> Milliwatt {
    bid.block.map_or(Milliwatt::ZERO, |block| block.setpoint_min)
}

/// Setpoints for one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    /// Devices by their places, and what each is to do.
    pub setpoints: Vec<(usize, Setpoint)>,
    /// What the devices then take together, as far as is known.
    pub devices_power: Milliwatt,
}

/// The orders in force, and how long they have been without a firm price.
#[derive(Clone, Debug)]
pub struct Schedule {
    patience: u32,
    without_price: u32,
    orders: Orders,
    /// What each device is told where nothing more is known.
    safe: Vec<Option<Milliwatt>>,
    /// Intervals for which that has been told.
    safe_for: u32,
}

/// What to do in an interval without a firm price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing was ever ordered, or all was released: devices are on their own default.
    Nothing,
    /// Hold every device to its stored safe limit; one without has its own default.
    Safe(Vec<(usize, Setpoint)>),
    /// Go on as last ordered.
    Keep(Vec<(usize, Setpoint)>),
    /// Give every device back to its own default.
    Release(Vec<(usize, Setpoint)>),
}

impl Schedule {
    /// Nothing ordered yet. Orders are kept for `patience` intervals without a firm price, and after that the safe
    /// limits for as many again.
    pub fn new(patience: u32, safe: Vec<Option<Milliwatt>>) -> Self {
        Self { patience, without_price: 0, orders: Orders::default(), safe, safe_for: 0 }
    }

    /// A firm price's orders take the place of what was before.
    pub fn follow(&mut self, orders: Orders) {
        (self.without_price, self.safe_for) = (0, 0);
        self.orders = orders;
    }

    /// An interval begins without a firm price, or the meter is lost: the last orders stand, as long as there is a
    /// meter that says that with `base_load` they keep within `connection`, and not for ever. Then the safe limits
    /// hold, and after those each device's own default.
    pub fn go_on_without(&mut self, base_load: Milliwatt, connection: Milliwatt, metered: bool) -> Fallback {
        if self.orders.setpoints.is_empty() {
            return Fallback::Nothing;
        }
        self.without_price = self.without_price.saturating_add(1);
        let power = base_load.0.saturating_add(self.orders.devices_power.0);
        let within = metered && (-connection.0..=connection.0).contains(&power);
        if self.safe_for == 0 && self.without_price <= self.patience && within {
            return Fallback::Keep(self.orders.setpoints.clone());
        }
        if self.safe_for < self.patience.max(1) && self.safe.iter().any(Option::is_some) {
            self.safe_for += 1;
            let safe = |(place, setpoint): &(usize, Setpoint)| match self.safe.get(*place) {
                Some(Some(power)) if matches!(setpoint, Setpoint::Power(_) | Setpoint::OwnDefault) => {
                    (*place, Setpoint::Power(*power))
                }
                _ => (*place, setpoint.released()),
            };
            return Fallback::Safe(self.orders.setpoints.iter().map(safe).collect());
        }
        let orders = std::mem::take(&mut self.orders);
        Fallback::Release(
            orders.setpoints.into_iter().map(|(place, setpoint)| (place, setpoint.released())).collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::preferences::{ChargerPreferences, GeneratorPreferences};
    use crate::device::Block;
    use market::curve::{Breakpoint, FlexCurve};
    use market::units::PicoEurPerWh;

    /// No meter says what the base load is.
    const LOST: i64 = i64::MIN;

    fn follow(schedule: &mut Schedule, power: i64) {
        let power = Milliwatt(power);
        schedule.follow(Orders { setpoints: vec![(0, Setpoint::Power(power))], devices_power: power });
    }

    #[test]
    fn orders_stand_for_a_while_and_only_within_the_connection() {
        let check = |schedule: &mut Schedule, base: i64, expected: &str| {
            // No meter is as bad as a full connection.
            let (base, metered) = if base == LOST { (0, false) } else { (base, true) };
            let fallback = schedule.go_on_without(Milliwatt(base), Milliwatt(1_000), metered);
            let word = match fallback {
                Fallback::Nothing => "nothing",
                Fallback::Keep(_) => "keep",
                Fallback::Safe(setpoints) => {
                    assert_eq!(setpoints, [(0, Setpoint::Power(Milliwatt(100)))]);
                    "safe"
                }
                Fallback::Release(_) => "release",
            };
            assert_eq!(word, expected);
        };
        let mut schedule = Schedule::new(2, vec![None]);
        check(&mut schedule, 0, "nothing");
        follow(&mut schedule, 700);
        for expected in ["keep", "keep", "release", "nothing"] {
            check(&mut schedule, 300, expected);
        }
        follow(&mut schedule, 700);
        check(&mut schedule, 301, "release");
        follow(&mut schedule, -700);
        check(&mut schedule, -301, "release");
        let mut schedule = Schedule::new(2, vec![Some(Milliwatt(100))]);
        follow(&mut schedule, 700);
        for expected in ["keep", "keep", "safe", "safe", "release", "nothing"] {
            check(&mut schedule, 300, expected);
        }
        follow(&mut schedule, 700);
        for (base, expected) in [(LOST, "safe"), (300, "safe"), (300, "release")] {
            check(&mut schedule, base, expected);
        }
    }

    fn check_setpoint(wish: &Preferences, points: &[(i64, i64)], power: i64, expected: Setpoint) {
        check_where_export_is(false, wish, points, power, expected);
    }

    fn check_where_export_is(
        export_full: bool,
        wish: &Preferences,
        points: &[(i64, i64)],
        power: i64,
        expected: Setpoint,
    ) {
        let point = |(price, power): &(i64, i64)| Breakpoint {
            price: PicoEurPerWh(*price),
            power: Milliwatt(*power),
        };
        let curve = FlexCurve::new(points.iter().map(point).collect()).unwrap();
        let block = Some(Block { height: Milliwatt(300), setpoint_min: Milliwatt(1_400) });
        assert_eq!(
            setpoint_of(
                wish,
                Milliwatt(power),
                &DeviceBid { curve, block, setpoint_whole: None },
                export_full
            ),
            expected
        );
    }

    #[test]
    fn a_generator_is_limited_only_below_what_it_could_give() {
        let wish = Preferences::Generator(GeneratorPreferences::default());
        check_setpoint(&wish, &[(0, 0), (0, -500)], -500, Setpoint::OwnDefault);
        check_setpoint(&wish, &[(0, 0), (0, -500)], -499, Setpoint::Power(Milliwatt(-499)));
        let held = Setpoint::Power(Milliwatt(-500));
        check_where_export_is(true, &wish, &[(0, 0), (0, -500)], -500, held);
    }

    #[test]
    fn a_charger_that_runs_runs_at_least_at_its_least() {
        let wish = Preferences::Charger(ChargerPreferences {
            departure: "07:00".to_owned().try_into().unwrap(),
            arrival: None,
            energy_need_wh: 1.0,
            unmet_eur_per_mwh: 1.0,
            slows_over_wh: None,
        });
        check_setpoint(&wish, &[(9, 300), (9, 0)], 0, Setpoint::Power(Milliwatt(0)));
        check_setpoint(&wish, &[(9, 300), (9, 0)], 300, Setpoint::Power(Milliwatt(1_400)));
        check_setpoint(&wish, &[(9, 3_000), (9, 0)], 2_000, Setpoint::Power(Milliwatt(2_000)));
    }

    #[test]
    fn a_car_that_takes_all_it_bid_for_is_not_slowed_before_it_slows_itself() {
        let wish = Preferences::Charger(ChargerPreferences {
            departure: "07:00".to_owned().try_into().unwrap(),
            arrival: None,
            energy_need_wh: 1.0,
            unmet_eur_per_mwh: 1.0,
            slows_over_wh: None,
        });
        let point = |price, power| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
        let curve = FlexCurve::new(vec![point(9, 5_000), point(9, 0)]).unwrap();
        let bid = DeviceBid { curve, block: None, setpoint_whole: Some(Milliwatt(7_000)) };
        let setpoint = |power| setpoint_of(&wish, Milliwatt(power), &bid, false);
        assert_eq!(setpoint(5_000), Setpoint::Power(Milliwatt(7_000)));
        assert_eq!(setpoint(4_999), Setpoint::Power(Milliwatt(4_999)));
        assert_eq!(setpoint(0), Setpoint::Power(Milliwatt::ZERO));
    }
}
