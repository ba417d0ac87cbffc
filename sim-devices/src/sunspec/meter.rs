//! A site's meter as a three-phase SunSpec meter (1, and one of 201 to 204 or 211 to 214). Nothing in it can be written.

use super::map::{watt_scale, watts, Map, Value};
use super::models::der::FLOAT_METER;
use super::models::{COMMON, METER};
use crate::world::Site;
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};

/// Nominal phase voltage: the feeder's own is another's to compute.
const PHASE_VOLTAGE: i64 = 230;
const LINE_VOLTAGE: i64 = 400;

/// The first meter model in floating-point numbers.
const FIRST_FLOAT: u16 = 211;

pub(super) fn map(site: &Site, id: u16) -> Map {
    let meter = site.meter();
    let scale = watt_scale(site.power_max());
    let power = watts(meter.power, scale);
    let phase = watts(Milliwatt(meter.power.0 / 3), scale);
    // Tenths of an ampere, all phases together and each.
    let current = meter.power.0 / (PHASE_VOLTAGE * 100);
    let reactive = watts(Milliwatt(meter.reactive_mvar), scale);
    let wh = |energy: Millijoule| Value::Number(energy.0 / MILLIJOULE_PER_WH);
    let mut values: Vec<(&str, Value<'_>)> = vec![
        ("A", current.into()),
        ("A_SF", (-1).into()),
        ("PhV", PHASE_VOLTAGE.into()),
        ("PPV", LINE_VOLTAGE.into()),
        ("V_SF", 0.into()),
        ("Hz", 50.into()),
        ("Hz_SF", 0.into()),
        ("W", power.into()),
        ("W_SF", scale.into()),
        ("VAR", reactive.into()),
        ("VAR_SF", scale.into()),
        ("TotWhExp", wh(meter.exported)),
        ("TotWhImp", wh(meter.imported)),
        ("TotWh_SF", 0.into()),
        ("Evt", 0.into()),
    ];
    values.extend(["AphA", "AphB", "AphC"].map(|name| (name, Value::Number(current / 3))));
    values.extend(["PhVphA", "PhVphB", "PhVphC"].map(|name| (name, Value::Number(PHASE_VOLTAGE))));
    values.extend(["PhVphAB", "PhVphBC", "PhVphCA"].map(|name| (name, Value::Number(LINE_VOLTAGE))));
    values.extend(["WphA", "WphB", "WphC"].map(|name| (name, Value::Number(phase))));
    let map = Map::of(&COMMON, "simulated meter", &site.spec().name);
    if id < FIRST_FLOAT {
        return map.with_as(&METER, id, &values);
    }
    let float = |milli: i64| Value::Float(milli as f64 / 1e3);
    let energy = |energy: Millijoule| Value::Float(energy.0 as f64 / MILLIJOULE_PER_WH as f64);
    values.retain(|(name, _)| !name.ends_with("_SF"));
    for (name, value) in &mut values {
        // Voltages between phases have another name there.
        *name = match *name {
            "PhVphAB" => "PPVphAB",
            "PhVphBC" => "PPVphBC",
            "PhVphCA" => "PPVphCA",
            name => name,
        };
        match *name {
            "W" => *value = float(meter.power.0),
            "WphA" | "WphB" | "WphC" => *value = float(meter.power.0 / 3),
            "VAR" => *value = float(meter.reactive_mvar),
            "A" => *value = float(meter.power.0 / PHASE_VOLTAGE),
            "AphA" | "AphB" | "AphC" => *value = float(meter.power.0 / 3 / PHASE_VOLTAGE),
            "TotWhExp" => *value = energy(meter.exported),
            "TotWhImp" => *value = energy(meter.imported),
            _ => {}
        }
    }
    map.with_as(&FLOAT_METER, id, &values)
}
