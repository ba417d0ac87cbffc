//! A battery as a SunSpec inverter with storage (1, 103, 120, 124). What can be written is both rates
//! of model 124, their reversion timer and switches; the rates are percentages of `WChaMax`.

use super::inverter::measured;
use super::map::{watt_scale, watts, Map, Value};
use super::models::{COMMON, INVERTER, NAMEPLATE, STORAGE};
use super::server::Refusal;
use crate::physics::battery::{Battery, WHOLE};
use crate::world::Site;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};

/// `DERTyp` of model 120: PV with storage, the only one with storage there is.
const DER_TYPE_PV_STOR: i64 = 82;
/// `ChaGriSet` of model 124: charging from the grid is allowed.
const GRID: i64 = 1;
/// Bits of `StorCtl_Mod`.
const CHARGE: u16 = 1;
const DISCHARGE: u16 = 2;

pub(super) fn map(site: &Site, battery: &Battery, now: UnixSeconds) -> Map {
    let spec = battery.spec();
    let scale = watt_scale(spec.charge_max.max(spec.discharge_max));
    let energy_scale = watt_scale(Milliwatt(spec.capacity.0 / MILLIJOULE_PER_WH * 1000));
    let capacity_wh = spec.capacity.0 / MILLIJOULE_PER_WH / 10i64.pow(u32::from(energy_scale.unsigned_abs()));
    let charged = i128::from(battery.stored().0) * 10_000 / i128::from(spec.capacity.0);
    let (charge_max, discharge_max) = (watts(spec.charge_max, scale), watts(spec.discharge_max, scale));
    let rates = battery.bounds;
    Map::of(&COMMON, "simulated battery inverter", &site.spec().name)
        .with(&INVERTER, &measured(-battery.power(), battery.given(), false, scale))
        .with(
            &NAMEPLATE,
            &[
                ("DERTyp", DER_TYPE_PV_STOR.into()),
                ("WRtg", discharge_max.into()),
                ("WRtg_SF", scale.into()),
                ("VARtg", discharge_max.into()),
                ("VARtg_SF", scale.into()),
                ("WHRtg", capacity_wh.into()),
                ("WHRtg_SF", energy_scale.into()),
                ("MaxChaRte", charge_max.into()),
                ("MaxChaRte_SF", scale.into()),
                ("MaxDisChaRte", discharge_max.into()),
                ("MaxDisChaRte_SF", scale.into()),
            ],
        )
        .with(
            &STORAGE,
            &[
                ("WChaMax", charge_max.into()),
                ("WChaGra", 100.into()),
                ("WDisChaGra", 100.into()),
                ("StorCtl_Mod", mode(battery, now).into()),
                ("ChaState", Value::Number(charged as i64)),
                ("ChaSt", charge_status(battery).into()),
                ("OutWRte", rates.value.discharge.into()),
                ("InWRte", rates.value.charge.into()),
                ("InOutWRte_RvrtTms", rates.revert_s.into()),
                ("ChaGriSet", GRID.into()),
                ("WChaMax_SF", scale.into()),
                ("WChaDisChaGra_SF", 0.into()),
                ("ChaState_SF", (-2).into()),
                ("InOutWRte_SF", (-2).into()),
            ],
        )
}

fn mode(battery: &Battery, now: UnixSeconds) -> u16 {
    battery.bounds.at(now).map_or(0, |bounds| {
        CHARGE * u16::from(bounds.bound_charge) + DISCHARGE * u16::from(bounds.bound_discharge)
    })
}

/// `ChaSt` of model 124.
fn charge_status(battery: &Battery) -> i64 {
    match (battery.stored(), battery.power()) {
        (Millijoule(0), _) => 2,
        (_, Milliwatt(..=-1)) => 3,
        (_, Milliwatt(1..)) => 4,
        (stored, _) if stored == battery.spec().capacity => 5,
        _ => 6,
    }
}

/// Takes a whole write or refuses it whole.
pub(super) fn write(
    battery: &mut Battery,
    now: UnixSeconds,
    writes: &[(u16, &str, u16)],
) -> Result<(), Refusal> {
    let (mut bounds, mut revert_s) = (battery.bounds.value, battery.bounds.revert_s);
    let mut bits = mode(battery, now);
    for (model, name, word) in writes {
        let rate = word.cast_signed();
        let within = (-WHOLE..=WHOLE).contains(&rate);
        match (model, *name) {
            (124, "OutWRte") if within => bounds.discharge = rate,
            (124, "InWRte") if within => bounds.charge = rate,
            (124, "InOutWRte_RvrtTms") if *word < u16::MAX => revert_s = *word,
            (124, "StorCtl_Mod") if *word <= CHARGE + DISCHARGE => bits = *word,
            (124, "OutWRte" | "InWRte" | "InOutWRte_RvrtTms" | "StorCtl_Mod") => return Err(Refusal::Value),
            _ => return Err(Refusal::Address),
        }
    }
    bounds.bound_charge = bits & CHARGE != 0;
    bounds.bound_discharge = bits & DISCHARGE != 0;
    battery.bounds.write(now, bounds, revert_s, bits != 0);
    Ok(())
}
