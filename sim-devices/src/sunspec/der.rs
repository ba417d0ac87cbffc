//! PV systems and batteries as the models that came with IEEE 1547-2018 have them (1, 701 to 704; a PV system 705 to
//! 712, 714 and 715 as well, a battery 713 and 802). What can be written is of 703 and 704: entering service, the limit on output, a battery's
//! power, and an inverter's reactive power, each with its reversion.

use super::battery::with_battery;
use super::functions::FunctionRegisters;
use super::inverter::PHASE_VOLTAGE;
use super::map::{watt_scale, watts, Map, Value};
use super::models::der::{CAPACITY, DER_CONTROL, DER_STORAGE, ENTER_SERVICE, MEASUREMENT};
use super::models::COMMON;
use super::pv::within;
use super::server::Refusal;
use crate::physics::battery::{Battery, Bounds, WHOLE as BATTERY_WHOLE};
use crate::physics::grid::{Grid, NOMINAL};
use crate::physics::pv::{Pv, REACTIVE_WHOLE, WHOLE};
use crate::physics::service::InService;
use crate::world::Site;
use market::interval::UnixSeconds;
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};

/// `InvSt` of 701: off, running, throttled, standby.
const OFF: i64 = 0;
const RUNNING: i64 = 3;
const THROTTLED: i64 = 4;
const STANDBY: i64 = 7;
/// `WSetMod` of 704: in watts. `VarSetMod`: in vars.
const IN_WATTS: i64 = 1;
const IN_VARS: i64 = 4;
/// `Alrm` of 701: disconnected from the grid.
const GRID_DISCONNECT: i64 = 4;
/// Longest reversion timer.
const REVERT_MAX_S: u16 = 0xFFFE;

type Values = Vec<(&'static str, Value<'static>)>;

/// What is measured at a device.
struct Flow {
    output: Milliwatt,
    given_mvar: i64,
    injected: Millijoule,
    absorbed: Millijoule,
    throttled: bool,
    in_service: bool,
    /// Whether it may enter service at this grid.
    allowed: bool,
    grid: Grid,
    scale: i16,
}

pub(super) fn pv_map(site: &Site, pv: &Pv, functions: &FunctionRegisters, now: UnixSeconds) -> Map {
    let scale = watt_scale(pv.nameplate());
    let flow = Flow {
        output: -pv.power(),
        given_mvar: -pv.reactive_mvar(now),
        injected: pv.fed_in(),
        absorbed: Millijoule::ZERO,
        throttled: pv.power() > pv.available(now),
        in_service: pv.works(now),
        allowed: pv.service.allows(pv.grid.at(now)),
        grid: pv.grid.at(now),
        scale,
    };
    let rated = watts(pv.nameplate(), scale);
    let reactive = rated * i64::from(REACTIVE_WHOLE) / i64::from(WHOLE);
    let mut capacity = capacity(rated, scale);
    for name in ["VarMaxInjRtg", "VarMaxAbsRtg", "VarMaxInj", "VarMaxAbs"] {
        capacity.push((name, reactive.into()));
    }
    capacity.push(("Var_SF", scale.into()));
    let map = Map::of(&COMMON, "simulated PV inverter", &site.spec().name)
        .with(&MEASUREMENT, &measured(&flow))
        .with(&CAPACITY, &capacity)
        .with(&ENTER_SERVICE, &service(&pv.service, now))
        .with(&DER_CONTROL, &pv_control(pv, now));
    functions.add_to(map, pv, now, scale)
}

pub(super) fn battery_map(site: &Site, battery: &Battery, now: UnixSeconds) -> Map {
    let spec = battery.spec();
    let scale = watt_scale(spec.charge_max.max(spec.discharge_max));
    let flow = Flow {
        output: -battery.power(),
        given_mvar: 0,
        injected: battery.given(),
        absorbed: battery.taken(),
        throttled: false,
        in_service: battery.service.at(now),
        allowed: true,
        grid: NOMINAL,
        scale,
    };
    let (charge, discharge) = (watts(spec.charge_max, scale), watts(spec.discharge_max, scale));
    let mut capacity = capacity(discharge, scale);
    for (name, most) in [
        ("WChaRteMaxRtg", charge),
        ("WChaRteMax", charge),
        ("WDisChaRteMaxRtg", discharge),
        ("WDisChaRteMax", discharge),
    ] {
        capacity.push((name, most.into()));
    }
    let energy_scale = watt_scale(Milliwatt(spec.capacity.0 / MILLIJOULE_PER_WH * 1000));
    let unit = MILLIJOULE_PER_WH * 10i64.pow(u32::from(energy_scale.unsigned_abs()));
    let charged = i128::from(battery.stored().0) * 10_000 / i128::from(spec.capacity.0);
    let map = Map::of(&COMMON, "simulated battery inverter", &site.spec().name)
        .with(&MEASUREMENT, &measured(&flow))
        .with(&CAPACITY, &capacity)
        .with(&ENTER_SERVICE, &service(&battery.service, now))
        .with(&DER_CONTROL, &battery_control(battery, now))
        .with(
            &DER_STORAGE,
            &[
                ("WHRtg", (spec.capacity.0 / unit).into()),
                ("WHAvail", (battery.stored().0 / unit).into()),
                ("SoC", Value::Number(charged as i64)),
                ("SoH", 10_000.into()),
                ("Sta", 0.into()),
                ("WH_SF", energy_scale.into()),
                ("Pct_SF", (-2).into()),
            ],
        );
    with_battery(map, battery)
}

fn measured(flow: &Flow) -> Values {
    let state = match flow.output {
        _ if !flow.in_service => OFF,
        _ if flow.throttled => THROTTLED,
        Milliwatt(0) => STANDBY,
        _ => RUNNING,
    };
    // In hundredths of an ampere.
    let current = flow.output.0.abs() / (PHASE_VOLTAGE * 10);
    let Grid { voltage, frequency } = flow.grid;
    let at_grid = |nominal: i64| Value::Number(nominal * voltage / 10_000);
    let wh = |energy: Millijoule| Value::Number(energy.0 / MILLIJOULE_PER_WH);
    vec![
        ("ACType", 2.into()),
        ("St", i64::from(flow.in_service).into()),
        ("InvSt", state.into()),
        ("ConnSt", i64::from(flow.in_service).into()),
        ("Alrm", alarms(flow).into()),
        ("DERMode", 1.into()),
        ("W", watts(flow.output, flow.scale).into()),
        ("VA", watts(Milliwatt(flow.output.0.abs()), flow.scale).into()),
        ("Var", watts(Milliwatt(flow.given_mvar), flow.scale).into()),
        ("A", current.into()),
        ("LNV", at_grid(PHASE_VOLTAGE * 10)),
        ("LLV", at_grid(4_000)),
        ("Hz", frequency.into()),
        ("TotWhInj", wh(flow.injected)),
        ("TotWhAbs", wh(flow.absorbed)),
        ("A_SF", (-2).into()),
        ("V_SF", (-1).into()),
        ("Hz_SF", (-3).into()),
        ("W_SF", flow.scale.into()),
        ("VA_SF", flow.scale.into()),
        ("Var_SF", flow.scale.into()),
        ("TotWh_SF", 0.into()),
    ]
}

/// `Alrm` of 701: out of service, and what about the grid keeps it there.
fn alarms(flow: &Flow) -> i64 {
    if flow.allowed || flow.in_service {
        return 0;
    }
    let Grid { voltage, frequency } = flow.grid;
    let bits = [
        (frequency > NOMINAL.frequency, 8),
        (frequency < NOMINAL.frequency, 9),
        (voltage > NOMINAL.voltage, 10),
        (voltage < NOMINAL.voltage, 11),
    ];
    bits.into_iter().filter(|(is, _)| *is).map(|(_, bit)| 1_i64 << bit).sum::<i64>() | 1 << GRID_DISCONNECT
}

fn capacity(rated: i64, scale: i16) -> Values {
    vec![
        ("WMaxRtg", rated.into()),
        ("WMax", rated.into()),
        ("VAMaxRtg", rated.into()),
        ("VAMax", rated.into()),
        ("VNomRtg", PHASE_VOLTAGE.into()),
        ("VNom", PHASE_VOLTAGE.into()),
        ("NorOpCatRtg", 1.into()),
        ("AbnOpCatRtg", 2.into()),
        ("W_SF", scale.into()),
        ("VA_SF", scale.into()),
        ("V_SF", 0.into()),
    ]
}

fn service(service: &InService, now: UnixSeconds) -> Values {
    vec![
        ("ES", i64::from(service.permitted).into()),
        ("ESVLo", service.voltage.0.into()),
        ("ESVHi", service.voltage.1.into()),
        ("ESHzLo", service.frequency.0.into()),
        ("ESHzHi", service.frequency.1.into()),
        ("ESDlyTms", service.delay_s.into()),
        ("ESRmpTms", service.ramp_s.into()),
        ("ESDlyRemTms", service.remaining_s(now).into()),
        ("V_SF", (-2).into()),
        ("Hz_SF", (-3).into()),
    ]
}

/// The scale factor at which a ten-thousandth of `whole` is a step or less.
fn step_scale(whole: Milliwatt) -> i16 {
    (0..10).find(|scale| whole.0 / 10_000 <= 1000 * 10i64.pow(*scale)).unwrap_or(10) as i16
}

/// `part` ten-thousandths of `whole` in watts at `scale`, and back, both rounded half away from zero.
fn in_watts(part: i64, whole: Milliwatt, scale: i16) -> i64 {
    let unit = 1000 * 10i64.pow(u32::from(scale.unsigned_abs()));
    rounded(part * whole.0, 10_000 * unit)
}

fn in_parts(watts: i64, whole: Milliwatt, scale: i16) -> i64 {
    let unit = 1000 * 10i64.pow(u32::from(scale.unsigned_abs()));
    rounded(watts.clamp(-1_000_000_000, 1_000_000_000) * unit / 1000 * 10_000, (whole.0 / 1000).max(1))
}

fn rounded(number: i64, by: i64) -> i64 {
    (number + by / 2 * number.signum()) / by
}

fn pv_control(pv: &Pv, now: UnixSeconds) -> Values {
    let (limit, reactive) = (&pv.limit, &pv.reactive);
    let scale = step_scale(pv.nameplate());
    vec![
        ("WMaxLimPctEna", i64::from(limit.at(now).is_some()).into()),
        ("WMaxLimPct", limit.at(now).unwrap_or(limit.value).into()),
        ("WMaxLimPctRvrt", limit.then.unwrap_or(WHOLE).into()),
        ("WMaxLimPctEnaRvrt", i64::from(limit.then.is_some()).into()),
        ("WMaxLimPctRvrtTms", limit.revert_s.into()),
        ("WMaxLimPctRvrtRem", limit.remaining_s(now).into()),
        ("VarSetEna", i64::from(reactive.at(now).is_some()).into()),
        ("VarSetMod", IN_VARS.into()),
        ("VarSetPri", 0.into()),
        ("VarSet", in_watts(reactive.value.into(), pv.nameplate(), scale).into()),
        ("VarSetRvrt", 0.into()),
        ("VarSetEnaRvrt", 0.into()),
        ("VarSetRvrtTms", reactive.revert_s.into()),
        ("VarSetRvrtRem", reactive.remaining_s(now).into()),
        ("WMaxLimPct_SF", (-2).into()),
        ("VarSet_SF", scale.into()),
    ]
}

fn battery_control(battery: &Battery, now: UnixSeconds) -> Values {
    let (bounds, whole) = (&battery.bounds, battery.spec().charge_max);
    let scale = step_scale(whole);
    vec![
        ("WSetEna", i64::from(bounds.at(now).is_some()).into()),
        ("WSetMod", IN_WATTS.into()),
        ("WSet", in_watts(bounds.value.discharge.into(), whole, scale).into()),
        ("WSetRvrt", 0.into()),
        ("WSetEnaRvrt", 0.into()),
        ("WSetRvrtTms", bounds.revert_s.into()),
        ("WSetRvrtRem", bounds.remaining_s(now).into()),
        ("WSet_SF", scale.into()),
    ]
}

/// Takes a whole write or refuses it whole.
pub(super) fn write_pv(pv: &mut Pv, now: UnixSeconds, writes: &[(u16, &str, i64)]) -> Result<(), Refusal> {
    let mut next = pv.clone();
    let (mut limit, mut reactive) =
        ((pv.limit.at(now).is_some(), false), (pv.reactive.at(now).is_some(), false));
    let scale = step_scale(pv.nameplate());
    for (model, name, value) in writes {
        let value = *value;
        match (model, *name) {
            (703, name) => write_service(&mut next.service, now, name, value)?,
            (704, "WMaxLimPctEna") => limit = (within(value, 0, 1u16)? == 1, true),
            (704, "WMaxLimPct") => (next.limit.value, limit.1) = (within(value, 0, WHOLE)?, true),
            (704, "WMaxLimPctRvrt") => {
                let after = within(value, 0, WHOLE)?;
                next.limit.then = next.limit.then.map(|_| after);
            }
            (704, "WMaxLimPctEnaRvrt") => {
                let after = (within(value, 0, 1u16)? == 1).then(|| next.limit.then.unwrap_or(WHOLE));
                next.limit.then = after;
            }
            (704, "WMaxLimPctRvrtTms") => {
                (next.limit.revert_s, limit.1) = (within(value, 0, REVERT_MAX_S)?, true);
            }
            (704, "VarSetEna") => reactive = (within(value, 0, 1u16)? == 1, true),
            (704, "VarSetMod") => {
                within(value, IN_VARS, IN_VARS)?;
            }
            (704, "VarSet") => {
                let parts = in_parts(value, pv.nameplate(), scale);
                (next.reactive.value, reactive.1) = (within(parts, -REACTIVE_WHOLE, REACTIVE_WHOLE)?, true);
            }
            (704, "VarSetRvrtTms") => {
                (next.reactive.revert_s, reactive.1) = (within(value, 0, REVERT_MAX_S)?, true);
            }
            _ => return Err(Refusal::Address),
        }
    }
    // A control's timer starts again only when it is written itself.
    if limit.1 {
        let held = next.limit;
        next.limit.write(now, held.value, held.revert_s, limit.0);
    }
    if reactive.1 {
        let held = next.reactive;
        next.reactive.write(now, held.value, held.revert_s, reactive.0);
    }
    *pv = next;
    Ok(())
}

/// Takes a whole write or refuses it whole.
pub(super) fn write_battery(
    battery: &mut Battery,
    now: UnixSeconds,
    writes: &[(u16, &str, i64)],
) -> Result<(), Refusal> {
    let mut service = battery.service;
    let (mut on, mut touched) = (battery.bounds.at(now).is_some(), false);
    let (mut power, mut revert_s) = (battery.bounds.value.discharge, battery.bounds.revert_s);
    let whole = battery.spec().charge_max;
    for (model, name, value) in writes {
        let value = *value;
        match (model, *name) {
            (703, name) => {
                write_service(&mut service, now, name, value)?;
                continue;
            }
            (704, "WSetEna") => on = within(value, 0, 1u16)? == 1,
            (704, "WSetMod") => {
                within(value, IN_WATTS, IN_WATTS)?;
            }
            (704, "WSet") => {
                let parts = in_parts(value, whole, step_scale(whole));
                power = within(parts, -BATTERY_WHOLE, BATTERY_WHOLE)?;
            }
            (704, "WSetRvrtTms") => revert_s = within(value, 0, REVERT_MAX_S)?,
            _ => return Err(Refusal::Address),
        }
        touched = true;
    }
    battery.service = service;
    if touched {
        let bounds = Bounds { bound_charge: true, bound_discharge: true, charge: -power, discharge: power };
        battery.bounds.write(now, bounds, revert_s, on);
    }
    Ok(())
}

fn write_service(service: &mut InService, now: UnixSeconds, name: &str, value: i64) -> Result<(), Refusal> {
    match name {
        "ES" => service.permit(now, within(value, 0, 1u16)? == 1),
        "ESVLo" => service.voltage.0 = within(value, 0, 10_000)?,
        "ESVHi" => service.voltage.1 = within(value, 10_000, 20_000)?,
        "ESHzLo" => service.frequency.0 = within(value, 40_000, 60_000)?,
        "ESHzHi" => service.frequency.1 = within(value, 50_000, 70_000)?,
        "ESDlyTms" => service.delay_s = within(value, 0, 3_600)?,
        "ESRmpTms" => service.ramp_s = within(value, 0, 3_600)?,
        _ => return Err(Refusal::Address),
    }
    Ok(())
}
