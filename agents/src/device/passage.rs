//! What a device's state will be after an interval, should it take the power expected: how an agent gets from
//! what was read to an interval hours away.

use super::heat_pump;
use super::preferences::{BatteryPreferences, ChargerPreferences, Preferences};
use super::{watt, watt_hours, Outlook, Reading};
use hw_adapters::device::{BatteryState, ChargerState};
use market::units::{Millijoule, Milliwatt};

/// The reading expected at the end of the interval of `outlook`, where `reading` is that at its start and the
/// device takes `power` over it. A generator's says nothing of what comes, and stays as it is.
pub fn after(reading: &Reading, wish: &Preferences, power: Milliwatt, outlook: &Outlook) -> Reading {
    let hours = outlook.hours_until_start() + outlook.hours();
    match (reading, wish) {
        (Reading::Battery(state), Preferences::Battery(wish)) => {
            Reading::Battery(battery_after(state, wish, power, outlook))
        }
        (Reading::Charger(state), Preferences::Charger(wish)) => {
            Reading::Charger(charger_after(state, wish, power, outlook))
        }
        (Reading::HeatPump(state), Preferences::HeatPump(wish)) => {
            let at_start = heat_pump::state_after(state, wish, state.power, hours - outlook.hours());
            Reading::HeatPump(heat_pump::state_after(&at_start, wish, power, outlook.hours()))
        }
        _ => *reading,
    }
}

fn battery_after(
    state: &BatteryState,
    wish: &BatteryPreferences,
    power: Milliwatt,
    outlook: &Outlook,
) -> BatteryState {
    let one_way = wish.efficiency.sqrt();
    let stored_wh = |power: Milliwatt, hours: f64| {
        let power_w = watt(power);
        hours * if power_w > 0.0 { power_w * one_way } else { power_w / one_way }
    };
    let until_start = stored_wh(state.power, outlook.hours_until_start());
    let at_end_wh = watt_hours(state.stored) + until_start + stored_wh(power, outlook.hours());
    let stored = millijoule(at_end_wh.clamp(0.0, watt_hours(state.capacity).max(0.0)));
    BatteryState { power, stored, ..*state }
}

/// A car leaves and comes at the times its driver states; what a car took is told anew with each.
fn charger_after(
    state: &ChargerState,
    wish: &ChargerPreferences,
    power: Milliwatt,
    outlook: &Outlook,
) -> ChargerState {
    let (start, end) = (outlook.interval.start(), outlook.interval.end(outlook.interval_s));
    let leaves = Some(wish.departure.next_after(start)).filter(|at| *at <= end);
    let comes = wish.arrival.map(|arrival| arrival.next_after(start)).filter(|at| *at <= end);
    if leaves.is_none() && comes.is_none() {
        let charged_wh =
            watt(state.power).max(0.0) * outlook.hours_until_start() + watt(power) * outlook.hours();
        let charged = if state.plugged { millijoule(charged_wh) } else { Millijoule::ZERO };
        return ChargerState { power, session: state.session + charged, ..*state };
    }
    // Whichever of both is later counts: none is earlier than any.
    ChargerState { plugged: comes > leaves, power: Milliwatt::ZERO, session: Millijoule::ZERO, ..*state }
}

fn millijoule(energy_wh: f64) -> Millijoule {
    Millijoule::from_wh(energy_wh).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::outlook;
    use super::*;
    use market::interval::{Interval, UnixSeconds};

    fn kwh(energy: f64) -> Millijoule {
        Millijoule::from_wh(energy * 1e3).unwrap()
    }

    /// A 10 kWh battery of 81 % over an hour, read half an hour before at 2 kW.
    fn check_battery(stored_kwh: f64, power_w: i64, expected_kwh: f64) {
        let state = BatteryState {
            power: Milliwatt(2_000_000),
            stored: kwh(stored_kwh),
            capacity: kwh(10.0),
            charge_max: Milliwatt(5_000_000),
            discharge_max: Milliwatt(5_000_000),
        };
        let wish = BatteryPreferences { reserve_percent: 0.0, wear_eur_per_mwh: 0.0, efficiency: 0.81 };
        let mut outlook = outlook(&[]);
        outlook.read_at = UnixSeconds(-1_800);
        let power = Milliwatt(power_w * 1_000);
        let after = after(&Reading::Battery(state), &Preferences::Battery(wish), power, &outlook);
        let Reading::Battery(after) = after else { panic!("{after:?}") };
        assert!((after.stored.kwh() - expected_kwh).abs() < 1e-6, "{after:?}");
        assert_eq!(after.power, power);
    }

    #[test]
    fn a_battery_stores_with_its_losses_and_within_its_size() {
        // Half an hour at 2 kW and 0.9 brings 0.9 kWh.
        check_battery(3.0, 0, 3.9);
        check_battery(3.0, 4_000, 3.9 + 3.6);
        check_battery(3.0, -1_800, 3.9 - 2.0);
        check_battery(9.0, 5_000, 10.0);
        check_battery(0.0, -5_000, 0.0);
    }

    /// Over the hour from `hour` on: a car comes at 18:00 and leaves at 07:00.
    fn check_car(hour: i64, plugged: bool, expected: (bool, f64)) {
        let state = ChargerState {
            plugged,
            power: Milliwatt::ZERO,
            session: kwh(3.0),
            power_min: Milliwatt::ZERO,
            power_max: Milliwatt(11_000_000),
        };
        let time = |text: &str| text.to_owned().try_into().unwrap();
        let wish = Preferences::Charger(ChargerPreferences {
            departure: time("07:00"),
            arrival: Some(time("18:00")),
            energy_need_wh: 9_000.0,
            unmet_eur_per_mwh: 1_000.0,
            slows_over_wh: None,
        });
        let mut outlook = outlook(&[]);
        outlook.interval = Interval(UnixSeconds(hour * 3_600));
        outlook.read_at = outlook.interval.start();
        let after = after(&Reading::Charger(state), &wish, Milliwatt(2_000_000), &outlook);
        let Reading::Charger(after) = after else { panic!("{after:?}") };
        assert_eq!((after.plugged, after.session.kwh()), expected, "at {hour}");
    }

    #[test]
    fn a_car_charges_leaves_and_comes_when_its_driver_says() {
        check_car(2, true, (true, 5.0));
        check_car(6, true, (false, 0.0));
        check_car(17, false, (true, 0.0));
        check_car(12, false, (false, 3.0));
    }
}
