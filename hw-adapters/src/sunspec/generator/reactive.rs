//! Reactive power of a SunSpec inverter: how much by its nameplate (702, 120), and set in vars by the controls of
//! 704 or as a percentage of its full power by those of 123. Given reactive power is positive there, absorbed
//! here.

use super::super::control::{apply, Unit, Write};
use super::super::found::Control;
use super::super::plate::Plate;
use super::super::points::controls;
use super::super::points::der::control;
use super::SunSpecGenerator;
use crate::device::DeviceError;
use market::units::{Millivar, Milliwatt};

pub(super) const SET: &str = "setting the generator's reactive power";
const READ: &str = "reading the generator's reactive power";

/// `VArPct_Mod` of 123: the percentage is of WMax.
const OF_FULL_POWER: u16 = 1;
/// `VarSetMod` of 704: in vars.
const IN_VARS: u16 = 4;

/// Reactive power, wherever it is set; the first that a device has is used.
pub(super) const CONTROLS: [Control; 2] = [
    Control {
        model: &control::MODEL,
        timer: &control::VAR_RVRT_TMS,
        values: &[&control::VAR_MOD, &control::VAR],
        enable: &control::VAR_ENA,
    },
    Control {
        model: &controls::MODEL,
        timer: &controls::VAR_PCT_RVRT_TMS,
        values: &[&controls::VAR_PCT_MOD, &controls::VAR_W_MAX_PCT],
        enable: &controls::VAR_PCT_ENA,
    },
];

impl SunSpecGenerator {
    /// What it gives and absorbs by its nameplate, the lesser of both; none where the nameplate or the controls
    /// don't have it.
    pub(super) async fn reactive_max(&mut self, plate: &Plate) -> Result<Option<Millivar>, DeviceError> {
        let Some(most) = plate.reactive_max_mvar else { return Ok(None) };
        match self.control(READ, &CONTROLS).await {
            Ok(_) => Ok(Some(Millivar(most))),
            // It answered, and has nothing to set.
            Err(DeviceError::BadAnswer { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn set_reactive_now(
        &mut self,
        reactive: Millivar,
        hold_s: u32,
    ) -> Result<Millivar, DeviceError> {
        self.look().await?;
        let plate = Plate::read(&mut self.session, SET).await?;
        let (control, before) = self.control(SET, &CONTROLS).await?;
        let session = &mut self.session;
        if reactive == Millivar::ZERO {
            self.found.restore_one(session, control).await?;
            return Ok(Millivar::ZERO);
        }
        let [mode, value] = [control.values[0], control.values[1]];
        let (unit, how) = if value.name == control::VAR.name {
            (Unit::whole(session, SET, &before, value)?, IN_VARS)
        } else {
            (Unit::percent(session, SET, &before, value, plate.full)?, OF_FULL_POWER)
        };
        let most = plate.reactive_max_mvar.unwrap_or(plate.full.0);
        if reactive.0.unsigned_abs() > most.unsigned_abs() {
            return Err(session.refused(SET, format!("{reactive} of a device of {most} mvar")));
        }
        let raw = unit.raw(session, SET, value, Milliwatt(reactive.0.saturating_neg()))?;
        let values = [Write::once(mode, how.into()), Write::once(value, raw)];
        apply(session, SET, &mut self.found, control, &before, (&values, 1, hold_s)).await?;
        Ok(Millivar(unit.power(raw).0.saturating_neg()))
    }
}
