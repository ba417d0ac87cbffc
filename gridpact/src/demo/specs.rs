//! From a neighbourhood's customers to the simulated world's sites. The same specifications make the
//! coordinated day and the one without coordination.

use crate::neighbourhood::customer::{BatterySize, ChargerSize, Customer, Plant};
use crate::neighbourhood::day::{Season, INTERVAL_S};
use crate::neighbourhood::heat;
use crate::neighbourhood::Neighbourhood;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt};
use sim_devices::physics::battery::BatterySpec;
use sim_devices::physics::car::{CarStay, ChargerConfig};
use sim_devices::physics::profile::Profile;
use sim_devices::physics::pv::PvSpec;
use sim_devices::world::{HeatPumpSpec, LoadSpec, SiteSpec};
use std::sync::Arc;

/// Seconds of a day.
const DAY_S: i64 = 86_400;
/// Least capacity a car's battery is given. Charging profiles tell energies and no batteries, and
/// charging slows only over a battery's last fifth, so a battery is as large as the need.
const CAR_BATTERY_MIN: Millijoule = Millijoule(3_600_000_000);

/// One specification a customer, in their order, with cars for `days` days from the first.
pub fn of(neighbourhood: &Neighbourhood, season: Season, days: i64) -> Vec<SiteSpec> {
    let start = neighbourhood.first.start();
    let outdoor = outdoor(season, start);
    let site = |customer: &Customer| SiteSpec {
        name: super::roster::site_id(customer.number),
        load: load(customer, start),
        pv: customer.plant.as_ref().map(|plant| pv(plant, start)),
        battery: customer.battery.map(battery),
        charger: customer.charger.as_ref().map(|size| charger(size, start, days)),
        heat_pump: customer
            .heat_pump
            .clone()
            .map(|config| HeatPumpSpec { config, outdoor_celsius: outdoor.clone() }),
    };
    neighbourhood.customers.iter().map(site).collect()
}

/// Outdoor temperature of a season's day that begins at `start`, in degrees Celsius.
pub fn outdoor(season: Season, start: UnixSeconds) -> Profile {
    let celsius = |interval| heat::outdoor_millicelsius(season, interval * INTERVAL_S) as f64 / 1e3;
    Profile { start, step_s: INTERVAL_S, values: Arc::new((0..DAY_S / INTERVAL_S).map(celsius).collect()) }
}

fn load(customer: &Customer, start: UnixSeconds) -> LoadSpec {
    let peak = customer.base.iter().copied().max().unwrap_or_default().max(Milliwatt(1));
    let reactive_peak_mvar =
        customer.base_reactive_var.iter().fold(0.0f64, |most, q| most.max(q.abs())).mul_add(1e3, 1.0) as i64;
    let active = customer.base.iter().map(|power| power.0 as f64 / peak.0 as f64).collect();
    let reactive = customer.base_reactive_var.iter().map(|q| q * 1e3 / reactive_peak_mvar as f64).collect();
    let profile = |values| Profile { start, step_s: INTERVAL_S, values: Arc::new(values) };
    LoadSpec { peak, active: profile(active), reactive_peak_mvar, reactive: profile(reactive) }
}

fn pv(plant: &Plant, start: UnixSeconds) -> PvSpec {
    let fraction = |power: &Milliwatt| power.0 as f64 / plant.nameplate.0 as f64;
    let values = Arc::new(plant.available.iter().map(fraction).collect());
    PvSpec { nameplate: plant.nameplate, sun: Profile { start, step_s: INTERVAL_S, values } }
}

/// Batteries begin the day empty, so that no day lives on energy it did not buy.
fn battery(size: BatterySize) -> BatterySpec {
    BatterySpec {
        capacity: size.capacity,
        stored: Millijoule::ZERO,
        charge_max: size.power_max,
        discharge_max: size.power_max,
        efficiency_permille: (size.one_way_efficiency * 1e3).round() as i64,
    }
}

/// A charge point with its car's stay on each of so many days from `start` on.
pub fn charger(size: &ChargerSize, start: UnixSeconds, days: i64) -> ChargerConfig {
    let of_day = |day: i64| {
        size.stay.map(|stay| CarStay {
            arrival: start.plus(day * DAY_S + stay.arrival_s),
            departure: start.plus(day * DAY_S + stay.departure_s),
            energy_need: stay.energy_need,
        })
    };
    ChargerConfig {
        phases: size.phases,
        power_max: size.power_max,
        battery_capacity: size.stay.map_or(CAR_BATTERY_MIN, |stay| stay.energy_need.max(CAR_BATTERY_MIN)),
        stays: (0..days).filter_map(of_day).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neighbourhood::dataset::Dataset;
    use crate::neighbourhood::day::{Day, Weekday};
    use crate::neighbourhood::simbench::Grid;
    use sim_devices::world::World;

    #[test]
    fn every_grid_makes_a_world_that_consumes_what_its_profiles_say() {
        for grid in [Grid::Rural1, Grid::Semiurb4, Grid::Urban6] {
            let season = Season::Winter;
            let day = Day { season, weekday: Weekday::Wednesday };
            let here = Neighbourhood::read(grid, day, &Dataset::Embedded).unwrap();
            let mut specs = of(&here, season, 1);
            for spec in &mut specs {
                (spec.pv, spec.battery, spec.charger, spec.heat_pump) = (None, None, None, None);
            }
            let mut world = World::new(here.first.start(), specs).unwrap();
            world.advance_to(here.first.start().plus(DAY_S));
            let counted: i64 = world.sites().iter().map(|site| site.meter().imported.0).sum();
            let base = here.customers.iter().flat_map(|customer| &customer.base);
            let expected: i64 = base.map(|power| power.over_seconds(INTERVAL_S).0).sum();
            assert!((counted - expected).abs() < expected / 1_000_000, "{counted} {expected}");
            World::new(here.first.start(), of(&here, season, 2)).unwrap();
        }
    }
}
