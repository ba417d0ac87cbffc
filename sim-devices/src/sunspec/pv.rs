//! A PV system as a SunSpec inverter (1, 101 to 113, 120 to 123). What can be written is the limit on
//! its output and its reactive power, each with its reversion timer and switch.

use super::inverter::{with_measured, PHASE_VOLTAGE};
use super::map::{watt_scale, watts, Map, Value};
use super::models::der::SETTINGS;
use super::models::{COMMON, CONTROLS, NAMEPLATE, STATUS};
use super::server::Refusal;
use crate::physics::pv::{Pv, REACTIVE_WHOLE, WHOLE};
use crate::world::Site;
use market::interval::UnixSeconds;
use market::units::Milliwatt;

/// `DERTyp` of model 120.
const DER_TYPE_PV: i64 = 4;
/// Connected, available and operating, in model 122.
const AT_WORK: i64 = 0b111;
/// `VArPct_Mod` of model 123: of full power.
const OF_FULL_POWER: u16 = 1;
/// What of model 123 can be written for the limit on output.
const LIMIT: [&str; 3] = ["WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena"];
/// What of it can be written for reactive power.
const REACTIVE: [&str; 4] = ["VArWMaxPct", "VArPct_RvrtTms", "VArPct_Mod", "VArPct_Ena"];
/// `Conn` of model 123: connected.
const CONNECTED: i64 = 1;

pub(super) fn map(site: &Site, pv: &Pv, now: UnixSeconds, id: u16) -> Map {
    let scale = watt_scale(pv.nameplate());
    let throttled = pv.power() > pv.available(now);
    let limit = pv.limit;
    let limited = i64::from(limit.at(now).is_some());
    let nameplate = watts(pv.nameplate(), scale);
    let reactive = pv.reactive;
    let reactive_max = nameplate * i64::from(REACTIVE_WHOLE) / i64::from(WHOLE);
    let map = Map::of(&COMMON, "simulated PV inverter", &site.spec().name);
    with_measured(map, id, (-pv.power(), pv.fed_in()), throttled, scale)
        .with(
            &NAMEPLATE,
            &[
                ("DERTyp", DER_TYPE_PV.into()),
                ("WRtg", nameplate.into()),
                ("WRtg_SF", scale.into()),
                ("VARtg", watts(Milliwatt(pv.nameplate().0 / 10 * 11), scale).into()),
                ("VARtg_SF", scale.into()),
                ("VArRtgQ1", reactive_max.into()),
                ("VArRtgQ4", (-reactive_max).into()),
                ("VArRtg_SF", scale.into()),
            ],
        )
        .with(
            &SETTINGS,
            &[
                ("WMax", nameplate.into()),
                ("WMax_SF", scale.into()),
                ("VRef", PHASE_VOLTAGE.into()),
                ("VRef_SF", 0.into()),
                ("VRefOfs", 0.into()),
                ("VRefOfs_SF", 0.into()),
            ],
        )
        .with(
            &STATUS,
            &[
                ("PVConn", AT_WORK.into()),
                ("StorConn", 0.into()),
                ("ECPConn", CONNECTED.into()),
                ("WAval", watts(-pv.available(now), scale).into()),
                ("WAval_SF", scale.into()),
            ],
        )
        .with(
            &CONTROLS,
            &[
                ("Conn", CONNECTED.into()),
                ("WMaxLimPct", limit.value.into()),
                ("WMaxLimPct_RvrtTms", limit.revert_s.into()),
                ("WMaxLim_Ena", limited.into()),
                ("WMaxLimPct_SF", Value::Number(-2)),
                ("OutPFSet_Ena", 0.into()),
                ("VArWMaxPct", reactive.value.into()),
                ("VArPct_RvrtTms", reactive.revert_s.into()),
                ("VArPct_Mod", OF_FULL_POWER.into()),
                ("VArPct_Ena", i64::from(reactive.at(now).is_some()).into()),
                ("VArPct_SF", Value::Number(-2)),
            ],
        )
}

/// Takes a whole write or refuses it whole.
pub(super) fn write(pv: &mut Pv, now: UnixSeconds, writes: &[(u16, &str, i64)]) -> Result<(), Refusal> {
    let mut limit = (pv.limit.value, pv.limit.revert_s, pv.limit.at(now).is_some());
    let mut reactive = (pv.reactive.value, pv.reactive.revert_s, pv.reactive.at(now).is_some());
    let (mut limited, mut set) = (false, false);
    for (model, name, value) in writes {
        match (model, *name) {
            (123, "WMaxLimPct") => limit.0 = within(*value, 0, WHOLE)?,
            (123, "WMaxLimPct_RvrtTms") => limit.1 = within(*value, 0, 0xFFFE)?,
            (123, "WMaxLim_Ena") => limit.2 = within(*value, 0, 1u16)? == 1,
            (123, "VArWMaxPct") => reactive.0 = within(*value, -REACTIVE_WHOLE, REACTIVE_WHOLE)?,
            (123, "VArPct_RvrtTms") => reactive.1 = within(*value, 0, 0xFFFE)?,
            (123, "VArPct_Mod") => {
                within(*value, OF_FULL_POWER, OF_FULL_POWER)?;
            }
            (123, "VArPct_Ena") => reactive.2 = within(*value, 0, 1u16)? == 1,
            _ => return Err(Refusal::Address),
        }
        limited |= LIMIT.contains(name);
        set |= REACTIVE.contains(name);
    }
    // A control's timer starts again only when it is written itself.
    if limited {
        pv.limit.write(now, limit.0, limit.1, limit.2);
    }
    if set {
        pv.reactive.write(now, reactive.0, reactive.1, reactive.2);
    }
    Ok(())
}

/// A value within its bounds, or a refusal.
pub(super) fn within<T: TryFrom<i64> + PartialOrd>(value: i64, least: T, most: T) -> Result<T, Refusal> {
    let value = T::try_from(value).map_err(|_| Refusal::Value)?;
    if value < least || value > most {
        return Err(Refusal::Value);
    }
    Ok(value)
}
