//! A SunSpec inverter (101 to 103) with nameplate (120, 121), status (122) and the limit on its
//! output (123).

mod reactive;

use super::control::{Percent, REVERSION_MAX_S};
use super::points::{controls, inverter, nameplate, settings, status};
use super::registers::ModelRegisters;
use super::session::Session;
use crate::device::{DeviceError, Generator, GeneratorState};
use crate::modbus::Timeouts;
use futures::future::{BoxFuture, FutureExt};
use market::units::{Millivar, Milliwatt};

const READ: &str = "reading the generator";
const LIMIT: &str = "limiting the generator";

/// An inverter that feeds in, read and limited over Modbus TCP.
pub struct SunSpecGenerator {
    session: Session,
    /// Whether a limit of ours stands: only that is ever lifted.
    ours: bool,
}

impl SunSpecGenerator {
    /// The inverter `name` at `address` (`host:port`), Modbus unit `unit`. Connects on first use.
    pub fn new(name: String, address: String, unit: u8, timeouts: Timeouts) -> Self {
        Self { session: Session::new(name, address, unit, timeouts), ours: false }
    }

    async fn read_now(&mut self) -> Result<GeneratorState, DeviceError> {
        let session = &mut self.session;
        let measured = session.must_have(READ, &inverter::MODEL).await?;
        let power = session.required(READ, &measured, &inverter::W, 1000)?;
        let plate = session.must_have(READ, &nameplate::MODEL).await?;
        let rated = session.required(READ, &plate, &nameplate::W_RTG, 1000)?;
        if power > rated + rated / 5 {
            return Err(session.bad(READ, format!("{power} mW from an inverter of {rated} mW")));
        }
        let available = match session.model(READ, &status::MODEL).await? {
            Some(registers) => session.optional(READ, &registers, &status::W_AVAL, 1000)?,
            None => None,
        };
        Ok(GeneratorState {
            // At night an inverter takes a few watts; that is the house's load, not generation.
            power: Milliwatt(-power).min(Milliwatt::ZERO),
            available: available.map(|power| Milliwatt(-power)),
            nameplate: Milliwatt(rated),
            reactive_max: self.reactive_max(&plate).await?,
        })
    }

    async fn limit_now(
        &mut self,
        power: Option<Milliwatt>,
        hold_s: u32,
    ) -> Result<Option<Milliwatt>, DeviceError> {
        let of = self.full_power().await?;
        let before = self.session.must_have(LIMIT, &controls::MODEL).await?;
        match power {
            Some(power) => self.set(&before, power, of, hold_s).await.map(Some),
            None if self.ours => self.lift().await,
            None => self.held(&before, of),
        }
    }

    /// What percentages are of: the most the inverter is set to give, or its nameplate.
    async fn full_power(&mut self) -> Result<Milliwatt, DeviceError> {
        let session = &mut self.session;
        if let Some(registers) = session.model(LIMIT, &settings::MODEL).await? {
            if let Some(power) = session.optional(LIMIT, &registers, &settings::W_MAX, 1000)? {
                return Ok(Milliwatt(power));
            }
        }
        let plate = session.must_have(LIMIT, &nameplate::MODEL).await?;
        session.required(LIMIT, &plate, &nameplate::W_RTG, 1000).map(Milliwatt)
    }

    async fn set(
        &mut self,
        before: &ModelRegisters,
        power: Milliwatt,
        of: Milliwatt,
        hold_s: u32,
    ) -> Result<Milliwatt, DeviceError> {
        let session = &mut self.session;
        let percent = Percent::read(session, LIMIT, before, &controls::W_MAX_LIM_PCT, of)?;
        let raw = percent.raw(session, LIMIT, Milliwatt(power.0.saturating_neg().clamp(0, of.0)))?;
        let has_timer = before.raw(&controls::W_MAX_LIM_PCT_RVRT_TMS).is_some();
        if has_timer {
            let seconds = [hold_s.clamp(1, REVERSION_MAX_S) as u16];
            session.write(LIMIT, &controls::MODEL, &controls::W_MAX_LIM_PCT_RVRT_TMS, &seconds).await?;
        }
        session.write(LIMIT, &controls::MODEL, &controls::W_MAX_LIM_PCT, &[raw.cast_unsigned()]).await?;
        self.ours = true;
        session.write(LIMIT, &controls::MODEL, &controls::W_MAX_LIM_ENA, &[1]).await?;

        let after = session.must_have(LIMIT, &controls::MODEL).await?;
        session.same(&after, &controls::W_MAX_LIM_PCT, i64::from(raw))?;
        session.same(&after, &controls::W_MAX_LIM_ENA, 1)?;
        if has_timer {
            session.armed(&after, &controls::W_MAX_LIM_PCT_RVRT_TMS, hold_s)?;
        }
        Ok(-percent.power(raw))
    }

    async fn lift(&mut self) -> Result<Option<Milliwatt>, DeviceError> {
        let session = &mut self.session;
        session.write(LIMIT, &controls::MODEL, &controls::W_MAX_LIM_ENA, &[0]).await?;
        let after = session.must_have(LIMIT, &controls::MODEL).await?;
        session.same(&after, &controls::W_MAX_LIM_ENA, 0)?;
        self.ours = false;
        Ok(None)
    }

    /// The limit that stands and is not ours; none where there is none or it doesn't say.
    fn held(&self, now: &ModelRegisters, of: Milliwatt) -> Result<Option<Milliwatt>, DeviceError> {
        let (Some(raw), Some(1)) = (now.raw(&controls::W_MAX_LIM_PCT), now.raw(&controls::W_MAX_LIM_ENA))
        else {
            return Ok(None);
        };
        let percent = Percent::read(&self.session, LIMIT, now, &controls::W_MAX_LIM_PCT, of)?;
        Ok(i16::try_from(raw).ok().map(|raw| -percent.power(raw)))
    }
}

impl Generator for SunSpecGenerator {
    fn read(&mut self) -> BoxFuture<'_, Result<GeneratorState, DeviceError>> {
        let deadline = self.session.deadline();
        deadline.keep(READ, self.read_now()).boxed()
    }

    fn limit(
        &mut self,
        power: Option<Milliwatt>,
        hold_s: u32,
    ) -> BoxFuture<'_, Result<Option<Milliwatt>, DeviceError>> {
        let deadline = self.session.deadline();
        deadline.keep(LIMIT, self.limit_now(power, hold_s)).boxed()
    }

    fn set_reactive(
        &mut self,
        reactive: Millivar,
        hold_s: u32,
    ) -> BoxFuture<'_, Result<Millivar, DeviceError>> {
        let deadline = self.session.deadline();
        deadline.keep(reactive::SET, self.set_reactive_now(reactive, hold_s)).boxed()
    }
}
