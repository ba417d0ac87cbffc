//! What any inverter measures of itself, whichever of the measuring models it has: 701, 101 to 103, 111 to 113.

use super::enter_service::Grid;
use super::points::der::measurement;
use super::points::{inverter, inverter_float, Model, Point};
use super::registers::ModelRegisters;
use super::session::Session;
use crate::device::DeviceError;
use crate::freshness::Freshness;
use market::units::Milliwatt;
use std::time::Instant;

/// Where a model has what is measured.
struct Layout {
    model: Model,
    power: Point,
    /// What counts the energy it gives.
    given: &'static [Point],
    /// What counts the energy it takes; nothing where nothing does.
    taken: &'static [Point],
    voltage: Point,
    frequency: Point,
}

impl Layout {
    /// The counters that must move while this power flows; none where that can't be told: the older models count
    /// nothing of what an inverter takes, and a battery that charges evenly is not frozen.
    fn counters(&self, output_mw: i64) -> Option<&'static [Point]> {
        match output_mw {
            1.. => Some(self.given),
            _ if self.taken.is_empty() => None,
            _ => Some(self.taken),
        }
    }
}

const LAYOUTS: [Layout; 3] = [
    Layout {
        model: measurement::MODEL,
        power: measurement::W,
        given: &[measurement::TOT_WH_INJ],
        taken: &[measurement::TOT_WH_ABS],
        voltage: measurement::LNV,
        frequency: measurement::HZ,
    },
    Layout {
        model: inverter::MODEL,
        power: inverter::W,
        given: &[inverter::WH],
        taken: &[],
        voltage: inverter::PH_V_A,
        frequency: inverter::HZ,
    },
    Layout {
        model: inverter_float::MODEL,
        power: inverter_float::W,
        given: &[],
        taken: &[],
        voltage: inverter_float::PH_V_A,
        frequency: inverter_float::HZ,
    },
];

/// What an inverter measures now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    /// AC power, positive out of the inverter.
    pub output: Milliwatt,
    voltage_mv: Option<i64>,
    frequency_mhz: Option<i64>,
}

impl Measured {
    /// The grid it sees, at this nominal voltage.
    pub fn grid(&self, nominal_mv: Option<i64>) -> Grid {
        let voltage = self.voltage_mv.zip(nominal_mv.filter(|nominal| *nominal > 0));
        // A nominal voltage between phases stands beside measured ones against neutral in many a device.
        let permille = voltage.map(|(volts, nominal)| match volts.saturating_mul(1000) / nominal {
            520..=640 => volts.saturating_mul(1732) / nominal,
            permille => permille,
        });
        Grid {
            // Further off than any grid that a device still measures: the nominal voltage is not this one's.
            voltage_permille: permille
                .filter(|permille| (300..=2_000).contains(permille))
                .and_then(|permille| u32::try_from(permille).ok()),
            frequency_millihertz: self.frequency_mhz.and_then(|mhz| u32::try_from(mhz).ok()),
        }
    }
}

/// Milliseconds on a clock that never runs backwards.
pub(super) fn now_ms() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Reads the first measuring model that has a power; a frozen one is stale.
pub(super) async fn measured(
    session: &mut Session,
    act: &'static str,
    freshness: &mut Freshness,
) -> Result<Measured, DeviceError> {
    let mut has_model = false;
    for layout in &LAYOUTS {
        let Some(registers) = session.model(act, &layout.model).await? else { continue };
        has_model = true;
        let Some(power) = session.optional(act, &registers, &layout.power, 1000)? else { continue };
        match layout.counters(power) {
            Some(counters) => fresh(session, act, freshness, &registers, (power, counters))?,
            // Nothing tells whether it is frozen; when it was read is known nevertheless.
            None => drop(freshness.frozen(now_ms(), registers.words(), 0, None)),
        }
        return Ok(Measured {
            output: Milliwatt(power),
            voltage_mv: session.optional(act, &registers, &layout.voltage, 1000)?,
            frequency_mhz: session.optional(act, &registers, &layout.frequency, 1000)?,
        });
    }
    let missing = if has_model { "W is not implemented" } else { "it has no model for inverters" };
    Err(session.bad(act, missing.to_owned()))
}

/// A model whose power says that energy flows and whose counters don't count it is stale.
pub(super) fn fresh(
    session: &Session,
    act: &'static str,
    freshness: &mut Freshness,
    registers: &ModelRegisters,
    (power, energy): (i64, &[Point]),
) -> Result<(), DeviceError> {
    // A counter's step is ten to its scale factor watt-hours; one that isn't there can't tell.
    let step = |point: &Point| {
        registers.raw(point)?;
        let scale = registers.scale(point).ok().flatten()?;
        Some(10u64.saturating_pow(u32::try_from(scale + 3).unwrap_or(0)))
    };
    // Of two counters either may stand still, so the coarser one decides.
    let steps = energy.iter().map(step).collect::<Option<Vec<u64>>>();
    let step = steps.and_then(|steps| steps.into_iter().max());
    match freshness.frozen(now_ms(), registers.words(), power.unsigned_abs(), step) {
        None => Ok(()),
        Some(age_ms) => {
            let reason = format!("{power} mW flow, and nothing has moved for {age_ms} ms");
            Err(DeviceError::Stale { device: session.name().to_owned(), act, age_ms, reason })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_held_to_the_counter_of_what_flows() {
        let check = |layout: usize, output: i64, expected: Option<&[Point]>| {
            assert_eq!(LAYOUTS[layout].counters(output), expected);
        };
        check(0, 5_000, Some(&[measurement::TOT_WH_INJ]));
        check(0, -5_000, Some(&[measurement::TOT_WH_ABS]));
        check(1, 5_000, Some(&[inverter::WH]));
        check(1, -5_000, None);
        check(2, 5_000, Some(&[]));
        check(2, -5_000, None);
    }
}
