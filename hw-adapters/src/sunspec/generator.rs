//! A SunSpec inverter with the limit on its output and its reactive power: measured by 701, 101 to 103 or 111
//! to 113, rated by 702 or 120 and 121, controlled by 704 or 123. 123 has no way to say what holds after its
//! timer ends, so a limit of somebody else that ours took the place of is written again when ours is lifted.

mod reactive;
mod volt_var;

pub use volt_var::VoltVarPoint;

use super::control::{apply, number, Unit};
use super::enter_service::{EnterService, EnterServiceRules, Service};
use super::found::{Control, Found};
use super::freshness::Freshness;
use super::measured::{measured, now_ms};
use super::plate::Plate;
use super::points::der::control;
use super::points::{controls, status};
use super::registers::ModelRegisters;
use super::session::Session;
use crate::device::{Aged, DeviceError, Generator, GeneratorState, GiveBack, Reactive};
use crate::modbus::{Endpoint, Timeouts};
use futures::future::{BoxFuture, FutureExt};
use market::units::{Millivar, Milliwatt};
use std::path::PathBuf;

const READ: &str = "reading the generator";
const LIMIT: &str = "limiting the generator";
const GIVE_BACK: &str = "giving the generator back";

/// The limit on output, wherever it is; the first that a device has is used.
const LIMITS: [Control; 2] = [
    Control {
        model: &control::MODEL,
        timer: &control::LIMIT_RVRT_TMS,
        values: &[&control::LIMIT],
        enable: &control::LIMIT_ENA,
    },
    Control {
        model: &controls::MODEL,
        timer: &controls::W_MAX_LIM_PCT_RVRT_TMS,
        values: &[&controls::W_MAX_LIM_PCT],
        enable: &controls::W_MAX_LIM_ENA,
    },
];

/// An inverter that feeds in, read and limited over Modbus.
pub struct SunSpecGenerator {
    session: Session,
    found: Found,
    freshness: Freshness,
    service: EnterService,
}

impl SunSpecGenerator {
    /// The inverter `name` at `endpoint` (from a `String`: `host:port`), Modbus unit `unit`. Connects on first
    /// use.
    pub fn new(name: String, endpoint: impl Into<Endpoint>, unit: u8, timeouts: Timeouts) -> Self {
        Self::over(Session::new(name, endpoint, unit, timeouts))
    }

    /// Over a session there is already.
    pub fn over(session: Session) -> Self {
        Self {
            session,
            found: Found::default(),
            freshness: Freshness::default(),
            service: EnterService::default(),
        }
    }

    /// Keeps the state found in the device in `file`, and restores it from there after a crash.
    #[must_use]
    pub fn keeping_state_in(self, file: PathBuf) -> Self {
        Self { found: Found::kept_in(Some(file)), ..self }
    }

    /// Lets it enter service by these rules and not by its grid's usual ones.
    #[must_use]
    pub fn entering_service_by(self, rules: Option<EnterServiceRules>) -> Self {
        Self { service: EnterService::new(rules), ..self }
    }

    async fn read_now(&mut self) -> Result<GeneratorState, DeviceError> {
        self.look().await?;
        let session = &mut self.session;
        let now = measured(session, READ, &mut self.freshness).await?;
        let plate = Plate::read(session, READ).await?;
        Plate::check(session, READ, now.output, plate.rated)?;
        let available = match session.model(READ, &status::MODEL).await? {
            Some(registers) => session.optional(READ, &registers, &status::W_AVAL, 1000)?,
            None => None,
        };
        // What can't be in service has nothing to offer, whatever the sun says.
        let available = match self.service.observe(now_ms(), now.grid(plate.nominal_mv)) {
            Service::Permitted => available.map(|power| Milliwatt(-power.min(plate.rated.0))),
            Service::Outside | Service::Waiting { .. } => Some(Milliwatt::ZERO),
        };
        Ok(GeneratorState {
            // At night an inverter takes a few watts; that is the house's load, not generation.
            power: (-now.output).min(Milliwatt::ZERO),
            available,
            nameplate: plate.rated,
            reactive_max: self.reactive_max(&plate).await?,
        })
    }

    async fn limit_now(
        &mut self,
        power: Option<Milliwatt>,
        hold_s: u32,
    ) -> Result<Option<Milliwatt>, DeviceError> {
        self.look().await?;
        let plate = Plate::read(&mut self.session, LIMIT).await?;
        let (control, before) = self.control(LIMIT, &LIMITS).await?;
        match power {
            Some(power) => self.set(control, &before, power, &plate, hold_s).await.map(Some),
            None => self.lift(control, &before, &plate).await,
        }
    }

    async fn look(&mut self) -> Result<(), DeviceError> {
        let controls = [&LIMITS[..], &reactive::CONTROLS[..], &[volt_var::CONTROL]].concat();
        self.found.look(&mut self.session, &controls).await
    }

    /// The first control that the device has and implements, with its registers.
    async fn control(
        &mut self,
        act: &'static str,
        controls: &'static [Control],
    ) -> Result<(&'static Control, ModelRegisters), DeviceError> {
        let mut has_model = None;
        for control in controls {
            let Some(registers) = self.session.model(act, control.model).await? else { continue };
            let mut points = control.values.iter().copied().chain([control.enable]);
            if points.all(|point| registers.raw(point).is_some()) {
                return Ok((control, registers));
            }
            has_model = Some(control.enable.name);
        }
        Err(match has_model {
            Some(point) => self.session.bad(act, format!("{point} is not implemented")),
            None => self.session.bad(act, "it has no model for controls (704, 123)".to_owned()),
        })
    }

    async fn set(
        &mut self,
        control: &Control,
        before: &ModelRegisters,
        power: Milliwatt,
        plate: &Plate,
        hold_s: u32,
    ) -> Result<Milliwatt, DeviceError> {
        let point = control.values[0];
        let unit = Unit::percent(&self.session, LIMIT, before, point, plate.full)?;
        let most = plate.full.min(plate.rated);
        let asked =
            unit.raw(&self.session, LIMIT, point, Milliwatt(power.0.saturating_neg().clamp(0, most.0)))?;
        // Somebody else's limit holds beside ours: the tighter of both.
        let others = match self.found.is_ours(control, before) {
            true => self.found_limit(control),
            false if before.raw(control.enable) == Some(1) => before.raw(point),
            false => None,
        };
        let others = match others {
            Some(0) if self.feeds_in(plate).await => None,
            others => others,
        };
        let raw = others.map_or(asked, |others| asked.min(others));
        let in_force = before.raw(control.enable) == Some(1) && before.raw(point) == Some(raw);
        if in_force && !self.found.is_ours(control, before) {
            return Ok(-unit.power(raw));
        }
        let values = [(point, number(point, raw))];
        let session = &mut self.session;
        apply(session, LIMIT, &mut self.found, control, before, (&values, 1, hold_s)).await?;
        Ok(-unit.power(raw))
    }

    /// Whether it gives more than a tenth of its nameplate: then a limit of nothing is not in force. Some devices
    /// take limits and show zero for whatever they took (SMA).
    async fn feeds_in(&mut self, plate: &Plate) -> bool {
        let now = measured(&mut self.session, LIMIT, &mut self.freshness).await;
        now.is_ok_and(|now| now.output.0 > plate.rated.0 / 10)
    }

    /// The limit that stood before ours, where one was in force.
    fn found_limit(&self, control: &Control) -> Option<i64> {
        let of = |point| self.found.of(control, point)?.first().copied();
        (of(control.enable) == Some(1)).then(|| of(control.values[0]).map(i64::from)).flatten()
    }

    /// Lifts our own limit and nobody else's.
    async fn lift(
        &mut self,
        control: &'static Control,
        before: &ModelRegisters,
        plate: &Plate,
    ) -> Result<Option<Milliwatt>, DeviceError> {
        let session = &mut self.session;
        if let Ok(now) = measured(session, LIMIT, &mut self.freshness).await {
            let service = self.service.observe(now_ms(), now.grid(plate.nominal_mv));
            if service != Service::Permitted {
                return Err(session.refused(LIMIT, format!("not lifted while out of service: {service:?}")));
            }
        }
        self.found.restore_one(session, control).await?;
        let now = session.model(LIMIT, control.model).await?;
        self.held(control, now.as_ref().unwrap_or(before), plate)
    }

    /// The limit that stands; none where there is none.
    fn held(
        &self,
        control: &Control,
        now: &ModelRegisters,
        plate: &Plate,
    ) -> Result<Option<Milliwatt>, DeviceError> {
        let (Some(raw), Some(1)) = (now.raw(control.values[0]), now.raw(control.enable)) else {
            return Ok(None);
        };
        let unit = Unit::percent(&self.session, LIMIT, now, control.values[0], plate.full)?;
        Ok(Some(-unit.power(raw)))
    }

    async fn give_back_now(&mut self) -> Result<(), DeviceError> {
        let controls = [&LIMITS[..], &reactive::CONTROLS[..], &[volt_var::CONTROL]].concat();
        self.found.restore(&mut self.session, &controls).await
    }
}

impl GiveBack for SunSpecGenerator {
    fn give_back(&mut self) -> BoxFuture<'_, Result<(), DeviceError>> {
        let deadline = self.session.deadline();
        deadline.keep(GIVE_BACK, self.give_back_now()).boxed()
    }
}

impl Aged for SunSpecGenerator {}

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
}

impl Reactive for SunSpecGenerator {
    fn set_reactive(
        &mut self,
        reactive: Millivar,
        hold_s: u32,
    ) -> BoxFuture<'_, Result<Millivar, DeviceError>> {
        let deadline = self.session.deadline();
        deadline.keep(reactive::SET, self.set_reactive_now(reactive, hold_s)).boxed()
    }
}
