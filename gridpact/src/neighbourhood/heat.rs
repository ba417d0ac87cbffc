//! The weather outside and the houses that heat pumps warm.
//!
//! The data sets have no temperatures. Weather here is a stated sinusoid per season, and a house is
//! sized so that, at the winter week's mean temperature, holding its room takes the mean electrical
//! power its SimBench profile has that week. Its time constant and comfort are those of
//! [`HeatPumpConfig::default`].

use super::day::Season;
use market::units::Milliwatt;
use sim_devices::physics::heat_pump::HeatPumpConfig;

/// Seconds of a day.
const DAY_S: i64 = 86_400;
/// The warmest second of a day: 15:00 local.
const WARMEST_S: i64 = 15 * 3_600;

/// Mean and half the span of a season's outdoor temperature, in degrees Celsius: round figures for a
/// German January and July, not measurements.
fn mean_and_swing(season: Season) -> (f64, f64) {
    match season {
        Season::Winter => (0.0, 3.0),
        Season::Summer => (18.0, 6.0),
    }
}

/// Outdoor temperature `local_s` seconds after local midnight, in thousandths of a degree Celsius.
pub fn outdoor_millicelsius(season: Season, local_s: i64) -> i64 {
    let (mean, swing) = mean_and_swing(season);
    let turn = (local_s - WARMEST_S).rem_euclid(DAY_S) as f64 / DAY_S as f64;
    ((mean + swing * (turn * std::f64::consts::TAU).cos()) * 1e3).round() as i64
}

/// The house of a heat pump of `power_max` whose profile of the winter week is `winter_week`.
pub fn house(power_max: Milliwatt, winter_week: &[f64]) -> HeatPumpConfig {
    let usual = HeatPumpConfig::default();
    let (outdoor, _) = mean_and_swing(Season::Winter);
    let inside = usual.set_millicelsius as f64 / 1e3;
    let mean_fraction = winter_week.iter().sum::<f64>() / winter_week.len().max(1) as f64;
    let electric_w = power_max.0 as f64 / 1e3 * mean_fraction;
    let cop = usual.cop_at_zero + usual.cop_per_kelvin * outdoor;
    let loss_w_per_k = (electric_w * cop + usual.gains_w) / (inside - outdoor);
    let time_constant_s = usual.capacitance_j_per_k / usual.loss_w_per_k;
    HeatPumpConfig { power_max, loss_w_per_k, capacitance_j_per_k: loss_w_per_k * time_constant_s, ..usual }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::UnixSeconds;
    use sim_devices::physics::heat_pump::HeatPumpSim;

    #[test]
    fn afternoons_are_warmest() {
        assert_eq!(outdoor_millicelsius(Season::Winter, WARMEST_S), 3_000);
        assert_eq!(outdoor_millicelsius(Season::Winter, 3 * 3_600), -3_000);
        assert_eq!(outdoor_millicelsius(Season::Summer, WARMEST_S + DAY_S), 24_000);
    }

    #[test]
    fn a_house_uses_what_its_profile_says() {
        let power_max = Milliwatt(3_000_000);
        let mut sim = HeatPumpSim::new(house(power_max, &[0.1, 0.3]), UnixSeconds(0), 0).unwrap();
        for _ in 0..10 * 24 {
            sim.step(3_600, 0);
        }
        // Ten days at a fifth of 3 kW: 144 kWh, give or take one run of the thermostat.
        let used = sim.register().kwh();
        assert!((used - 144.0).abs() < 5.0, "{used}");
    }
}
