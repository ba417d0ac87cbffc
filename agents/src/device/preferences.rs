//! What an owner wants of a device, and what its agent must know of it. Read from configuration.

use market::interval::UnixSeconds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Preferences by kind of device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Preferences {
    /// A battery.
    Battery(BatteryPreferences),
    /// A charge point for an electric vehicle.
    Charger(ChargerPreferences),
    /// A heat pump.
    HeatPump(HeatPumpPreferences),
    /// A generator, as a rule PV.
    Generator(GeneratorPreferences),
    /// A plug, and what hangs on it.
    Plug(PlugPreferences),
}

/// What the owner wants of a battery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatteryPreferences {
    /// Part of the usable capacity, in percent, that is never sold.
    pub reserve_percent: f64,
    /// Wear of one MWh charged and discharged again, in EUR/MWh.
    pub wear_eur_per_mwh: f64,
    /// Part of the energy charged that comes back out: the round-trip efficiency, above 0, at most 1.
    pub efficiency: f64,
}

/// What the driver wants of a charge point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChargerPreferences {
    /// When the car leaves, each day: UTC time of day, "HH:MM".
    pub departure: TimeOfDay,
    /// When the car comes, each day, where the driver says so: a day-ahead market can then plan its charging
    /// before it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<TimeOfDay>,
    /// Energy to be charged from plugging in to departure, in Wh.
    pub energy_need_wh: f64,
    /// What each MWh missing at departure costs the driver, in EUR/MWh.
    #[serde(default = "unmet_eur_per_mwh")]
    pub unmet_eur_per_mwh: f64,
    /// Energy over which charging slows down towards a full battery, in Wh: with less than that to go,
    /// power falls with what is left. Zero where it never does; where it isn't said, a fifth of the need.
    pub slows_over_wh: Option<f64>,
}

/// What the residents want of a heat pump, and the physics of what it heats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeatPumpPreferences {
    /// Coolest the room may be, in degrees Celsius.
    pub comfort_min_celsius: f64,
    /// Warmest the room may be heated to, in degrees Celsius.
    pub comfort_max_celsius: f64,
    /// Heat the building loses for each kelvin between room and outdoors, in W/K.
    pub heat_loss_w_per_kelvin: f64,
    /// Heat that warms the building by one kelvin, in Wh/K.
    pub heat_capacity_wh_per_kelvin: f64,
    /// Coefficient of performance at 7 degrees Celsius outdoors.
    pub performance_at_7_celsius: f64,
    /// Change of the coefficient of performance for each kelvin outdoors.
    #[serde(default)]
    pub performance_per_kelvin: f64,
    /// Heat from people, sun and appliances, in W.
    #[serde(default)]
    pub other_gains_w: f64,
    /// What one kelvin outside the comfort band costs for an hour, in EUR.
    #[serde(default = "discomfort_eur_per_kelvin_hour")]
    pub discomfort_eur_per_kelvin_hour: f64,
}

/// What the owner wants of a plug: what hangs on it runs while power is cheap enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlugPreferences {
    /// What running is worth: it runs while power is no dearer, in EUR/MWh.
    pub worth_eur_per_mwh: f64,
}

/// What the owner wants of a generator, which feeds in unless the price is negative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeneratorPreferences {
    /// Which quantile of the sun's forecast is promised, in percent, 10 to 90. Where feeding in too little
    /// costs as much as too much, the median is best; the dearer too little is, the lower.
    #[serde(default = "quantile_percent")]
    pub quantile_percent: f64,
}

impl Default for GeneratorPreferences {
    fn default() -> Self {
        Self { quantile_percent: quantile_percent() }
    }
}

fn quantile_percent() -> f64 {
    50.0
}

fn unmet_eur_per_mwh() -> f64 {
    1_000.0
}

fn discomfort_eur_per_kelvin_hour() -> f64 {
    1.0
}

/// 1e-12 EUR/Wh for a value in EUR/MWh.
pub(super) fn pico_per_wh(eur_per_mwh: f64) -> f64 {
    eur_per_mwh * 1e6
}

/// Why preferences are none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PreferenceError {
    /// A figure that makes no sense.
    #[error("preferences: {rule}")]
    Figure {
        /// What must hold.
        rule: &'static str,
    },
    /// Not a time of day.
    #[error("{text:?} is not a time of day: 00:00 to 23:59")]
    TimeOfDay {
        /// The text given, cut to 20 characters.
        text: String,
    },
}

impl Preferences {
    /// Checks that every figure makes sense. NaN never does.
    ///
    /// # Errors
    /// [`PreferenceError::Figure`] with the first rule broken.
    pub fn validate(&self) -> Result<(), PreferenceError> {
        let rules: &[(bool, &'static str)] = match self {
            Preferences::Battery(wish) => &[
                ((0.0..=100.0).contains(&wish.reserve_percent), "reserve_percent must lie in 0..=100"),
                ((0.0..=1e6).contains(&wish.wear_eur_per_mwh), "wear_eur_per_mwh must lie in 0..=1000000"),
                ((0.01..=1.0).contains(&wish.efficiency), "efficiency must lie in 0.01..=1"),
            ],
            Preferences::Charger(wish) => &[
                ((0.0..=1e6).contains(&wish.energy_need_wh), "energy_need_wh must lie in 0..=1000000"),
                ((0.0..=1e6).contains(&wish.unmet_eur_per_mwh), "unmet_eur_per_mwh must lie in 0..=1000000"),
                (
                    wish.slows_over_wh.is_none_or(|over| (0.0..=1e6).contains(&over)),
                    "slows_over_wh must lie in 0..=1000000",
                ),
            ],
            Preferences::HeatPump(wish) => &heat_pump_rules(wish),
            Preferences::Plug(wish) => &[(
                (-1e4..=1e4).contains(&wish.worth_eur_per_mwh),
                "worth_eur_per_mwh must lie in -10000..=10000",
            )],
            Preferences::Generator(wish) => {
                &[((10.0..=90.0).contains(&wish.quantile_percent), "quantile_percent must lie in 10..=90")]
            }
        };
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(PreferenceError::Figure { rule }),
            None => Ok(()),
        }
    }
}

fn heat_pump_rules(wish: &HeatPumpPreferences) -> [(bool, &'static str); 8] {
    let positive = |value: f64| value > 0.0 && value <= 1e9;
    let celsius = |value: f64| (-50.0..=80.0).contains(&value);
    [
        (celsius(wish.comfort_min_celsius), "comfort_min_celsius must lie in -50..=80"),
        (celsius(wish.comfort_max_celsius), "comfort_max_celsius must lie in -50..=80"),
        (
            wish.comfort_min_celsius <= wish.comfort_max_celsius,
            "comfort_min_celsius must not lie above comfort_max_celsius",
        ),
        (
            positive(wish.heat_loss_w_per_kelvin) && positive(wish.heat_capacity_wh_per_kelvin),
            "heat_loss_w_per_kelvin and heat_capacity_wh_per_kelvin must be more than 0",
        ),
        (
            (1.0..=20.0).contains(&wish.performance_at_7_celsius),
            "performance_at_7_celsius must lie in 1..=20",
        ),
        ((-1.0..=1.0).contains(&wish.performance_per_kelvin), "performance_per_kelvin must lie in -1..=1"),
        ((-1e6..=1e6).contains(&wish.other_gains_w), "other_gains_w must lie in -1000000..=1000000"),
        (
            (0.0..=1e6).contains(&wish.discomfort_eur_per_kelvin_hour),
            "discomfort_eur_per_kelvin_hour must lie in 0..=1000000",
        ),
    ]
}

/// A time of day in UTC, written "HH:MM".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct TimeOfDay {
    minute: u32,
}

impl TimeOfDay {
    /// The first instant after `now` at this time of day.
    pub fn next_after(self, now: UnixSeconds) -> UnixSeconds {
        let today = now.0.div_euclid(86_400) * 86_400 + i64::from(self.minute) * 60;
        UnixSeconds(if today > now.0 { today } else { today + 86_400 })
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = PreferenceError;
    fn try_from(text: String) -> Result<Self, PreferenceError> {
        let two_digits = |part: &str, below: u32| -> Option<u32> {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            part.parse().ok().filter(|number| digits && *number < below)
        };
        text.split_once(':')
            .and_then(|(hour, minute)| Some(two_digits(hour, 24)? * 60 + two_digits(minute, 60)?))
            .map(|minute| Self { minute })
            .ok_or_else(|| PreferenceError::TimeOfDay { text: text.chars().take(20).collect() })
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        format!("{:02}:{:02}", time.minute / 60, time.minute % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_time(text: &str, expected: Option<i64>) {
        let time = TimeOfDay::try_from(text.to_owned());
        assert_eq!(time.ok().map(|time| time.next_after(UnixSeconds(86_400 + 3_600)).0), expected, "{text}");
    }

    #[test]
    fn a_time_of_day_is_the_next_there_is() {
        check_time("07:30", Some(86_400 + 27_000));
        check_time("01:00", Some(2 * 86_400 + 3_600));
        check_time("00:59", Some(2 * 86_400 + 3_540));
        for bad in ["24:00", "7:30", "07:60", "07-30", "+7:30", ""] {
            check_time(bad, None);
        }
    }

    #[test]
    fn a_configuration_names_its_kind_and_nothing_unknown() {
        let check = |text: &str, expected: bool| {
            let read = toml::from_str::<Preferences>(text);
            assert_eq!(read.is_ok(), expected, "{text}: {read:?}");
        };
        check("kind = 'charger'\ndeparture = '07:30'\nenergy_need_wh = 9000.0", true);
        check("kind = 'generator'", true);
        check("kind = 'generator'\nprice = 3", false);
        check("kind = 'charger'\ndeparture = '25:30'\nenergy_need_wh = 9000.0", false);
        check("kind = 'windmill'", false);
    }

    #[test]
    fn figures_without_sense_are_refused_by_name() {
        let check = |efficiency, rule: Option<&'static str>| {
            let battery = BatteryPreferences { reserve_percent: 10.0, wear_eur_per_mwh: 20.0, efficiency };
            let expected = rule.map_or(Ok(()), |rule| Err(PreferenceError::Figure { rule }));
            assert_eq!(Preferences::Battery(battery).validate(), expected);
        };
        check(0.9, None);
        check(0.0, Some("efficiency must lie in 0.01..=1"));
        check(f64::NAN, Some("efficiency must lie in 0.01..=1"));
    }
}
