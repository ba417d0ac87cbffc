//! Sampled values (OCPP 1.6, section 7.33 to 7.44; 2.0.1, section 2.37 and 2.52): power and energy register
//! out of what a charge point reports, whatever else it reports beside them.

use super::fields::{FieldError, Fields};
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH, POWER_BOUND};

/// Most meter values and sampled values looked at in one message.
const VALUES_MAX: usize = 256;

/// What one `MeterValues` says that we use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Power.Active.Import: the total, or the sum of the phases.
    pub power: Option<Milliwatt>,
    /// Energy.Active.Import.Register: the total, or the sum of the phases.
    pub register: Option<Millijoule>,
    /// By the charge point's own clock, in milliseconds since 1970.
    pub taken_ms: Option<i64>,
}

#[derive(Default)]
struct Sum {
    total: Option<i64>,
    phases: Option<i64>,
}

impl Sum {
    fn add(&mut self, phase: &str, value: i64) {
        match phase {
            "" => self.total = Some(value),
            "L1" | "L2" | "L3" | "L1-N" | "L2-N" | "L3-N" => {
                self.phases = Some(self.phases.unwrap_or(0).saturating_add(value));
            }
            _ => {}
        }
    }

    fn value(&self) -> Option<i64> {
        self.total.or(self.phases)
    }
}

/// Reads a `MeterValues` payload. Of several meter values the last that states a quantity counts.
/// Unknown measurands, units and locations are passed over, as are values that are no number, are
/// negative, or lie beyond the market's bounds.
pub fn reading(payload: Fields<'_>) -> Reading {
    let mut reading = Reading::default();
    for value in payload.objects("meterValue").take(VALUES_MAX) {
        let (mut power, mut register) = (Sum::default(), Sum::default());
        for sample in value.objects("sampledValue").take(VALUES_MAX) {
            take(sample, &mut power, &mut register);
        }
        reading.power = power.value().map(Milliwatt).or(reading.power);
        reading.register = register.value().map(Millijoule).or(reading.register);
        reading.taken_ms = value.instant_ms("timestamp").max(reading.taken_ms);
    }
    reading
}

fn take(sample: Fields<'_>, power: &mut Sum, register: &mut Sum) {
    let measurand = sample.text_or_empty("measurand");
    let Some((unit, factor)) = unit(sample) else { return };
    let phase = sample.text_or_empty("phase");
    let location = sample.text_or_empty("location");
    let Ok(value) = sample.number("value").map(|value| value * factor) else { return };
    // The default location is the outlet. What car, cable or inlet report is another quantity.
    if !matches!(location.as_str(), "" | "Outlet") || value < 0.0 {
        return;
    }
    match (measurand.as_str(), unit.as_str()) {
        ("Power.Active.Import", "" | "W") => add(power, &phase, value * 1e3, POWER_BOUND.0),
        ("Power.Active.Import", "kW") => add(power, &phase, value * 1e6, POWER_BOUND.0),
        // The default measurand is this register, the default unit Wh.
        ("" | "Energy.Active.Import.Register", "" | "Wh") => {
            add(register, &phase, value * MILLIJOULE_PER_WH as f64, i64::MAX / 4);
        }
        ("" | "Energy.Active.Import.Register", "kWh") => {
            add(register, &phase, value * MILLIJOULE_PER_WH as f64 * 1e3, i64::MAX / 4);
        }
        _ => {}
    }
}

/// The unit's name and the factor before it: 2.0.1 states both in an object of their own. None for a factor
/// that nobody means.
fn unit(sample: Fields<'_>) -> Option<(String, f64)> {
    let Some(unit) = sample.object("unitOfMeasure") else { return Some((sample.text_or_empty("unit"), 1.0)) };
    let exponent = match unit.integer("multiplier") {
        Ok(exponent) => exponent,
        Err(FieldError::Missing(_)) => 0,
        Err(FieldError::Wrong(..)) => return None,
    };
    let exponent = i32::try_from(exponent).ok().filter(|exponent| (-10..=10).contains(exponent))?;
    Some((unit.text_or_empty("unit"), 10_f64.powi(exponent)))
}

fn add(sum: &mut Sum, phase: &str, value: f64, bound: i64) {
    if value <= bound as f64 {
        sum.add(phase, value.round() as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{json, Value};

    fn check(samples: Value, power_w: Option<i64>, register_wh: Option<i64>) {
        let payload = json!({"connectorId": 1, "meterValue": [{"timestamp": "2024-01-01T00:00:00Z", "sampledValue": samples}]});
        let expected = Reading {
            power: power_w.map(|watt| Milliwatt(watt * 1000)),
            register: register_wh.map(|wh| Millijoule(wh * MILLIJOULE_PER_WH)),
            taken_ms: Some(1_704_067_200_000),
        };
        assert_eq!(reading(Fields(&payload)), expected, "{payload}");
    }

    #[test]
    fn a_bare_value_is_the_energy_register_in_watt_hours() {
        check(json!([{"value": "1234"}]), None, Some(1234));
        check(json!({"value": 1234, "unit": "Wh"}), None, Some(1234));
        check(
            json!([{"value": "1.234", "unit": "kWh", "measurand": "Energy.Active.Import.Register"}]),
            None,
            Some(1234),
        );
    }

    #[test]
    fn power_is_the_total_or_the_sum_of_phases() {
        let of = |value: &str, unit: &str, phase: Option<&str>| {
            let mut sample = json!({"value": value, "unit": unit, "measurand": "Power.Active.Import"});
            if let Some(phase) = phase {
                sample["phase"] = json!(phase);
            }
            sample
        };
        check(json!([of("11.04", "kW", None)]), Some(11_040), None);
        check(
            json!([of("1000", "W", Some("L1")), of("1001", "W", Some("L2")), of("1002", "W", Some("L3-N"))]),
            Some(3003),
            None,
        );
        check(json!([of("1000", "W", Some("L1")), of("3000", "W", None)]), Some(3000), None);
    }

    #[test]
    fn units_with_a_multiplier_are_taken_by_it() {
        let of = |unit: Value| json!([{"value": 11.04, "measurand": "Power.Active.Import", "unitOfMeasure": unit}]);
        check(of(json!({"unit": "W", "multiplier": 3})), Some(11_040), None);
        check(of(json!({"unit": "kW"})), Some(11_040), None);
        check(of(json!({"multiplier": 3})), Some(11_040), None);
        check(of(json!({"unit": "W", "multiplier": 99})), None, None);
        check(of(json!({"unit": "W", "multiplier": "x"})), None, None);
        check(of(json!({"unit": "VA"})), None, None);
    }

    #[test]
    fn what_is_something_else_is_passed_over() {
        check(
            json!([
                {"value": "16.0", "measurand": "Current.Import", "unit": "A"},
                {"value": "55", "measurand": "SoC", "unit": "Percent", "location": "EV"},
                {"value": "9", "measurand": "Vendor.Thing"},
                {"value": "700", "measurand": "Power.Active.Import", "location": "Inlet"},
                {"value": "-5", "measurand": "Power.Active.Import"},
                {"value": "much", "measurand": "Power.Active.Import"},
                {"value": "1e300", "measurand": "Power.Active.Import"},
                "nonsense"
            ]),
            None,
            None,
        );
    }
}
