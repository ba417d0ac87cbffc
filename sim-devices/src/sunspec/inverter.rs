//! What every simulated inverter says of itself in model 103.

use super::map::{watts, Value};
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};

const PHASE_VOLTAGE: i64 = 230;

/// `St` of model 103: at work.
const MPPT: i64 = 4;
/// `St` of model 103: held below what it could.
const THROTTLED: i64 = 5;
/// `St` of model 103: idle.
const STANDBY: i64 = 8;

/// The points of model 103 for an inverter that gives `output` (negative: takes) and has given `energy`.
pub(super) fn measured(
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
