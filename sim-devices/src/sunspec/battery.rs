//! A battery as a SunSpec inverter with storage (1, 101 to 113, 120, 124, 802). What can be written is both rates
//! of model 124, their reversion timer and switches; the rates are percentages of `WChaMax`.

use super::inverter::with_measured;
use super::map::{watt_scale, watts, Map, Value};
use super::models::der::BATTERY;
use super::models::{COMMON, NAMEPLATE, STORAGE};
use super::pv::within;
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

pub(super) fn map(site: &Site, battery: &Battery, now: UnixSeconds, id: u16) -> Map {
    let spec = battery.spec();
    let scale = watt_scale(spec.charge_max.max(spec.discharge_max));
    let energy_scale = watt_scale(Milliwatt(spec.capacity.0 / MILLIJOULE_PER_WH * 1000));
    let capacity_wh = spec.capacity.0 / MILLIJOULE_PER_WH / 10i64.pow(u32::from(energy_scale.unsigned_abs()));
    let charged = i128::from(battery.stored().0) * 10_000 / i128::from(spec.capacity.0);
    let (charge_max, discharge_max) = (watts(spec.charge_max, scale), watts(spec.discharge_max, scale));
    let rates = battery.bounds;
    let map = Map::of(&COMMON, "simulated battery inverter", &site.spec().name);
    let map = with_measured(map, id, (-battery.power(), battery.given()), false, scale)
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
        );
    with_battery(map, battery)
}

/// Volts of its cells together: what a household battery of this kind has.
const BATTERY_VOLTAGE: i64 = 400;
/// `Typ` of model 802: lithium ion.
const LITHIUM_ION: i64 = 4;
/// `State` of model 802: connected.
const CONNECTED: i64 = 3;

/// With model 802, of which nothing can be written.
pub(super) fn with_battery(map: Map, battery: &Battery) -> Map {
    let spec = battery.spec();
    let scale = watt_scale(spec.charge_max.max(spec.discharge_max));
    let energy_scale = watt_scale(Milliwatt(spec.capacity.0 / MILLIJOULE_PER_WH * 1000));
    let capacity_wh = spec.capacity.0 / MILLIJOULE_PER_WH;
    let charged = i128::from(battery.stored().0) * 10_000 / i128::from(spec.capacity.0);
    map.with(
        &BATTERY,
        &[
            ("AHRtg", (capacity_wh / BATTERY_VOLTAGE).into()),
            ("WHRtg", (capacity_wh / 10i64.pow(u32::from(energy_scale.unsigned_abs()))).into()),
            ("WChaRteMax", watts(spec.charge_max, scale).into()),
            ("WDisChaRteMax", watts(spec.discharge_max, scale).into()),
            ("SoCMax", 10_000.into()),
            ("SoCMin", 0.into()),
            ("SoCRsvMin", 0.into()),
            ("SoC", Value::Number(charged as i64)),
            ("ChaSt", charge_status(battery).into()),
            ("LocRemCtl", 0.into()),
            ("AlmRst", 0.into()),
            ("Typ", LITHIUM_ION.into()),
            ("State", CONNECTED.into()),
            ("Evt1", 0.into()),
            ("Evt2", 0.into()),
            ("EvtVnd1", 0.into()),
            ("EvtVnd2", 0.into()),
            ("V", BATTERY_VOLTAGE.into()),
            ("A", (-battery.power().0 / BATTERY_VOLTAGE / 1000).into()),
            ("W", watts(-battery.power(), scale).into()),
            ("SetOp", 1.into()),
            ("SetInvState", 3.into()),
            ("AHRtg_SF", 0.into()),
            ("WHRtg_SF", energy_scale.into()),
            ("WChaDisChaMax_SF", scale.into()),
            ("SoC_SF", (-2).into()),
            ("V_SF", 0.into()),
            ("CellV_SF", 0.into()),
            ("A_SF", 0.into()),
            ("AMax_SF", 0.into()),
            ("W_SF", scale.into()),
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
    writes: &[(u16, &str, i64)],
) -> Result<(), Refusal> {
    let (mut bounds, mut revert_s) = (battery.bounds.value, battery.bounds.revert_s);
    let mut bits = mode(battery, now);
    for (model, name, value) in writes {
        match (model, *name) {
            (124, "OutWRte") => bounds.discharge = within(*value, -WHOLE, WHOLE)?,
            (124, "InWRte") => bounds.charge = within(*value, -WHOLE, WHOLE)?,
            (124, "InOutWRte_RvrtTms") => revert_s = within(*value, 0, 0xFFFE)?,
            (124, "StorCtl_Mod") => bits = within(*value, 0, CHARGE + DISCHARGE)?,
            _ => return Err(Refusal::Address),
        }
    }
    bounds.bound_charge = bits & CHARGE != 0;
    bounds.bound_discharge = bits & DISCHARGE != 0;
    battery.bounds.write(now, bounds, revert_s, bits != 0);
    Ok(())
}
