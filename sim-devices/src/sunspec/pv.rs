//! A PV system as a SunSpec inverter (1, 103, 120, 122, 123). What can be written is the limit on
//! its output, with its reversion timer and switch.

use super::inverter::measured;
use super::map::{watt_scale, watts, Map, Value};
use super::models::{COMMON, CONTROLS, INVERTER, NAMEPLATE, STATUS};
use super::server::Refusal;
use crate::physics::pv::{Pv, WHOLE};
use crate::world::Site;
use market::interval::UnixSeconds;

/// `DERTyp` of model 120.
const DER_TYPE_PV: i64 = 4;
/// Connected, available and operating, in model 122.
const AT_WORK: i64 = 0b111;
/// `Conn` of model 123: connected.
const CONNECTED: i64 = 1;

pub(super) fn map(site: &Site, pv: &Pv, now: UnixSeconds) -> Map {
    let scale = watt_scale(pv.nameplate());
    let throttled = pv.power() > pv.available(now);
    let limit = pv.limit;
    let limited = i64::from(limit.at(now).is_some());
    let nameplate = watts(pv.nameplate(), scale);
    Map::of(&COMMON, "simulated PV inverter", &site.spec().name)
        .with(&INVERTER, &measured(-pv.power(), pv.fed_in(), throttled, scale))
        .with(
            &NAMEPLATE,
            &[
                ("DERTyp", DER_TYPE_PV.into()),
                ("WRtg", nameplate.into()),
                ("WRtg_SF", scale.into()),
                ("VARtg", nameplate.into()),
                ("VARtg_SF", scale.into()),
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
                ("VArPct_Ena", 0.into()),
            ],
        )
}

/// Takes a whole write or refuses it whole.
pub(super) fn write(pv: &mut Pv, now: UnixSeconds, writes: &[(u16, &str, u16)]) -> Result<(), Refusal> {
    let limit = &mut pv.limit;
    let (mut value, mut revert_s, mut enabled) = (limit.value, limit.revert_s, limit.at(now).is_some());
    for (model, name, word) in writes {
        match (model, *name, *word) {
            (123, "WMaxLimPct", 0..=WHOLE) => value = *word,
            (123, "WMaxLimPct_RvrtTms", 0..=0xFFFE) => revert_s = *word,
            (123, "WMaxLim_Ena", 0 | 1) => enabled = *word == 1,
            (123, "WMaxLimPct" | "WMaxLimPct_RvrtTms" | "WMaxLim_Ena", _) => return Err(Refusal::Value),
            _ => return Err(Refusal::Address),
        }
    }
    limit.write(now, value, revert_s, enabled);
    Ok(())
}
