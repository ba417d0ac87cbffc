//! A site's meter as a three-phase SunSpec meter (1, 203). Nothing in it can be written.

use super::map::{watt_scale, watts, Map, Value};
use super::models::{COMMON, METER};
use crate::world::Site;
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};

/// Nominal phase voltage: the feeder's own is another's to compute.
const PHASE_VOLTAGE: i64 = 230;
const LINE_VOLTAGE: i64 = 400;

pub(super) fn map(site: &Site) -> Map {
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
    Map::of(&COMMON, "simulated meter", &site.spec().name).with(&METER, &values)
}
