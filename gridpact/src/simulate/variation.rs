//! How one site differs from the customer it is patterned on: drawn from a seed of its own, so that it
//! is the same however many sites there are and whoever computes it.

use crate::neighbourhood::customer::{ChargerSize, Plant};
use crate::neighbourhood::stays::Stay;
use market::units::{Millijoule, Milliwatt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sim_devices::physics::heat_pump::HeatPumpConfig;

/// Seconds of a day.
const DAY_S: i64 = 86_400;
/// Seconds of the grid on which habits move: an interval, so that loads change where intervals do.
const HABIT_STEP_S: i64 = 300;
/// Steps by which a household's day may begin earlier or later: half an hour.
const HABIT_STEPS: i64 = 6;
/// Minutes by which a car may come earlier or later.
const ARRIVAL_MINUTES: i64 = 60;

/// One site's differences. All are drawn for every site, whatever it has, so that a device more or less
/// changes nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variation {
    load_factor: f64,
    habit_s: i64,
    sun_factor: f64,
    arrival_s: i64,
    need_factor: f64,
    house_factor: f64,
    room_millikelvin: i64,
}

impl Variation {
    /// That of site `number` under `seed`.
    pub fn draw(seed: u64, number: u64) -> Self {
        // An odd multiplier keeps every site's seed another one.
        let mut random = StdRng::seed_from_u64(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self {
            load_factor: random.random_range(0.7..=1.3),
            habit_s: random.random_range(-HABIT_STEPS..=HABIT_STEPS) * HABIT_STEP_S,
            sun_factor: random.random_range(0.8..=1.0),
            arrival_s: random.random_range(-ARRIVAL_MINUTES..=ARRIVAL_MINUTES) * 60,
            need_factor: random.random_range(0.6..=1.0),
            house_factor: random.random_range(0.8..=1.1),
            room_millikelvin: random.random_range(-400..=400),
        }
    }

    /// The load's size.
    pub fn load(&self, peak: Milliwatt) -> Milliwatt {
        scaled(peak, self.load_factor).max(Milliwatt(1))
    }

    /// How much later everything is done, in seconds.
    pub fn habit_s(&self) -> i64 {
        self.habit_s
    }

    /// The plant's nameplate.
    pub fn nameplate(&self, plant: &Plant) -> Milliwatt {
        scaled(plant.nameplate, self.sun_factor).max(Milliwatt(1))
    }

    /// The charger with its car's stay: as long, within the day, and with no more need than the
    /// pattern's, so that it can be met as well.
    pub fn charger(&self, size: &ChargerSize) -> ChargerSize {
        let stay = size.stay.map(|stay| {
            let earliest = -stay.arrival_s;
            let moved_s = self.arrival_s.clamp(earliest, DAY_S - stay.departure_s);
            Stay {
                arrival_s: stay.arrival_s + moved_s,
                departure_s: stay.departure_s + moved_s,
                energy_need: Millijoule((stay.energy_need.0 as f64 * self.need_factor).round() as i64),
            }
        });
        ChargerSize { stay, ..size.clone() }
    }

    /// The house: better or worse insulated with the same time constant, and warmer or cooler at first.
    pub fn house(&self, pattern: &HeatPumpConfig) -> HeatPumpConfig {
        HeatPumpConfig {
            loss_w_per_k: pattern.loss_w_per_k * self.house_factor,
            capacitance_j_per_k: pattern.capacitance_j_per_k * self.house_factor,
            gains_w: pattern.gains_w * self.house_factor,
            room_millicelsius: pattern.room_millicelsius + self.room_millikelvin,
            ..pattern.clone()
        }
    }
}

fn scaled(power: Milliwatt, factor: f64) -> Milliwatt {
    Milliwatt((power.0 as f64 * factor).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_differs_by_seed_and_number_alone() {
        assert_eq!(Variation::draw(7, 3), Variation::draw(7, 3));
        assert_ne!(Variation::draw(7, 3), Variation::draw(7, 4));
        assert_ne!(Variation::draw(7, 3), Variation::draw(8, 3));
    }

    #[test]
    fn a_stay_keeps_its_length_and_its_day() {
        for (arrival_h, departure_h) in [(0, 8), (9, 17), (20, 24)] {
            let stay = Stay {
                arrival_s: arrival_h * 3_600,
                departure_s: departure_h * 3_600,
                energy_need: Millijoule(36_000_000_000),
            };
            let size = ChargerSize { power_max: Milliwatt(11_000_000), phases: 3, stay: Some(stay) };
            for number in 0..200 {
                let varied = Variation::draw(1, number).charger(&size).stay.unwrap();
                assert_eq!(varied.departure_s - varied.arrival_s, stay.departure_s - stay.arrival_s);
                assert!(varied.arrival_s >= 0 && varied.departure_s <= DAY_S, "{varied:?}");
                assert!((varied.arrival_s - stay.arrival_s).abs() <= ARRIVAL_MINUTES * 60);
                assert!(varied.energy_need <= stay.energy_need);
            }
        }
    }
}
