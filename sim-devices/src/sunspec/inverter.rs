//! What every simulated inverter says of itself in models 101 to 103, or 111 to 113.

use super::map::{watts, Map, Value};
use super::models::der::FLOAT_INVERTER;
use super::models::INVERTER;
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};

/// Nominal, against neutral.
pub(super) const PHASE_VOLTAGE: i64 = 230;
/// The first inverter model in floating-point numbers.
const FIRST_FLOAT: u16 = 111;

/// `St` of model 103: at work.
const MPPT: i64 = 4;
/// `St` of model 103: held below what it could.
const THROTTLED: i64 = 5;
/// `St` of model 103: idle.
const STANDBY: i64 = 8;

/// A map with what is measured, under the model `id` (101 to 103, 111 to 113).
pub(super) fn with_measured(
    map: Map,
    id: u16,
    (output, energy): (Milliwatt, Millijoule),
    throttled: bool,
    scale: i16,
) -> Map {
    let mut values = measured(output, energy, throttled, scale);
    if id < FIRST_FLOAT {
        return map.with_as(&INVERTER, id, &values);
    }
    values.retain(|(name, _)| !name.ends_with("_SF"));
    for (name, value) in &mut values {
        match *name {
            "W" => *value = Value::Float(output.0 as f64 / 1e3),
            "WH" => *value = Value::Float(energy.0 as f64 / MILLIJOULE_PER_WH as f64),
            "A" => *value = Value::Float(output.0.abs() as f64 / 1e3 / PHASE_VOLTAGE as f64),
            "AphA" | "AphB" | "AphC" => {
                *value = Value::Float(output.0.abs() as f64 / 3e3 / PHASE_VOLTAGE as f64);
            }
            _ => {}
        }
    }
    map.with_as(&FLOAT_INVERTER, id, &values)
}

/// The points of model 103 for an inverter that gives `output` (negative: takes) and has given `energy`.
fn measured(
    output: Milliwatt,
    energy: Millijoule,
    throttled: bool,
    scale: i16,
) -> Vec<(&'static str, Value<'static>)> {
    // Tenths of an ampere, all phases together.
    let current = output.0.abs() / (PHASE_VOLTAGE * 100);
    let state = match output {
        _ if throttled => THROTTLED,
        Milliwatt(0) => STANDBY,
        _ => MPPT,
    };
    let mut values = vec![
        ("A", current.into()),
        ("A_SF", (-1).into()),
        ("V_SF", 0.into()),
        ("W", watts(output, scale).into()),
        ("W_SF", scale.into()),
        ("Hz", 50.into()),
        ("Hz_SF", 0.into()),
        ("WH", Value::Number(energy.0 / MILLIJOULE_PER_WH)),
        ("WH_SF", 0.into()),
        ("St", state.into()),
        ("Evt1", 0.into()),
        ("Evt2", 0.into()),
    ];
    values.extend(["AphA", "AphB", "AphC"].map(|name| (name, Value::Number(current / 3))));
    values.extend(["PhVphA", "PhVphB", "PhVphC"].map(|name| (name, Value::Number(PHASE_VOLTAGE))));
    values
}
