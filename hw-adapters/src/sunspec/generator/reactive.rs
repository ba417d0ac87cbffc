//! Reactive power of a SunSpec inverter: how much by its nameplate (120), and set as a percentage of its
//! full power by the immediate controls (123). Given reactive power is positive there, absorbed here.

use super::super::control::{Percent, REVERSION_MAX_S};
use super::super::points::{controls, nameplate};
use super::super::registers::ModelRegisters;
use super::SunSpecGenerator;
use crate::device::DeviceError;
use market::units::{Millivar, Milliwatt};

pub(super) const SET: &str = "setting the generator's reactive power";
const READ: &str = "reading the generator's reactive power";

/// `VArPct_Mod`: the percentage is of WMax.
const OF_FULL_POWER: u16 = 1;

impl SunSpecGenerator {
    /// What it gives and absorbs by its nameplate, the lesser of both; none where the nameplate or the controls
    /// don't have it.
    pub(super) async fn reactive_max(
        &mut self,
        plate: &ModelRegisters,
    ) -> Result<Option<Millivar>, DeviceError> {
        let session = &mut self.session;
        let given = session.optional(READ, plate, &nameplate::VAR_RTG_Q1, 1000)?;
        let absorbed = session.optional(READ, plate, &nameplate::VAR_RTG_Q4, 1000)?;
        let (Some(given), Some(absorbed)) = (given, absorbed) else { return Ok(None) };
        let most = given.unsigned_abs().min(absorbed.unsigned_abs());
        let most = i64::try_from(most).ok().filter(|most| *most > 0);
        let Some(most) = most else { return Ok(None) };
        let controls = session.model(READ, &controls::MODEL).await?;
        let settable = |now: &ModelRegisters| {
            let points = [&controls::VAR_W_MAX_PCT, &controls::VAR_PCT_MOD, &controls::VAR_PCT_ENA];
            points.into_iter().all(|point| now.raw(point).is_some())
        };
        Ok(controls.filter(settable).map(|_| Millivar(most)))
    }

    pub(super) async fn set_reactive_now(
        &mut self,
        reactive: Millivar,
        hold_s: u32,
    ) -> Result<Millivar, DeviceError> {
        let of = self.full_power().await?;
        let session = &mut self.session;
        let before = session.must_have(SET, &controls::MODEL).await?;
        if reactive == Millivar::ZERO {
            session.write(SET, &controls::MODEL, &controls::VAR_PCT_ENA, &[0]).await?;
            let after = session.must_have(SET, &controls::MODEL).await?;
            session.same(&after, &controls::VAR_PCT_ENA, 0)?;
            return Ok(Millivar::ZERO);
        }
        let percent = Percent::read(session, SET, &before, &controls::VAR_W_MAX_PCT, of)?;
        let given = Milliwatt(reactive.0.saturating_neg().clamp(-of.0, of.0));
        let raw = percent.raw(session, SET, given)?;
        let has_timer = before.raw(&controls::VAR_PCT_RVRT_TMS).is_some();
        if has_timer {
            let seconds = [hold_s.clamp(1, REVERSION_MAX_S) as u16];
            session.write(SET, &controls::MODEL, &controls::VAR_PCT_RVRT_TMS, &seconds).await?;
        }
        session.write(SET, &controls::MODEL, &controls::VAR_PCT_MOD, &[OF_FULL_POWER]).await?;
        session.write(SET, &controls::MODEL, &controls::VAR_W_MAX_PCT, &[raw.cast_unsigned()]).await?;
        session.write(SET, &controls::MODEL, &controls::VAR_PCT_ENA, &[1]).await?;

        let after = session.must_have(SET, &controls::MODEL).await?;
        session.same(&after, &controls::VAR_W_MAX_PCT, i64::from(raw))?;
        session.same(&after, &controls::VAR_PCT_MOD, i64::from(OF_FULL_POWER))?;
        session.same(&after, &controls::VAR_PCT_ENA, 1)?;
        if has_timer {
            session.armed(&after, &controls::VAR_PCT_RVRT_TMS, hold_s)?;
        }
        Ok(Millivar(percent.power(raw).0.saturating_neg()))
    }
}
