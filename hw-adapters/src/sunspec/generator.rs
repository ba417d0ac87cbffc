//! A SunSpec inverter with the limit on its output and its reactive power: measured by 701, 101 to 103 or 111
//! to 113, rated by 702 or 120 and 121, controlled by 704 or 123. 123 has no way to say what holds after its
//! timer ends, so a limit of somebody else that ours took the place of is written again when ours is lifted.

mod disconnect;
mod reactive;
mod volt_var;

pub use volt_var::VoltVarPoint;

use self::disconnect::{Nothing, CONNECTION};
use super::control::{apply, Unit, Write};
use super::enter_service::{EnterService, EnterServiceRules, Service};
use super::found::{Control, Found};
use super::measured::{measured, now_ms};
use super::pace::{Pace, Way};
use super::plate::Plate;
use super::points::der::control;
use super::points::{controls, status};
use super::registers::ModelRegisters;
use super::session::Session;
use crate::device::{Aged, DeviceError, Generator, GeneratorState, GiveBack, Paced, Reactive};
use crate::freshness::Freshness;
use crate::modbus::{Endpoint, Timeouts};
use crate::ramp::RampRules;
use futures::future::{BoxFuture, FutureExt};
use market::units::{Millivar, Milliwatt};
use std::path::PathBuf;
use std::time::Duration;

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

/// Everything of it that may be written, in the order it is given back in.
fn controls() -> Vec<Control> {
    [&LIMITS[..], &[CONNECTION], &reactive::CONTROLS[..], &[volt_var::CONTROL]].concat()
}

/// An inverter that feeds in, read and limited over Modbus.
pub struct SunSpecGenerator {
    session: Session,
    found: Found,
    freshness: Freshness,
    service: EnterService,
    pace: Pace,
    nothing: Nothing,
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
            pace: Pace::default(),
            nothing: Nothing::default(),
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

    /// Moves its limit by this ramp, or by the device's own or the usual one where nothing is said. Without this
    /// the limit jumps.
    #[must_use]
    pub fn ramping_by(self, rules: Option<RampRules>) -> Self {
        Self { pace: Pace::new(rules), ..self }
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
        let service = self.service.observe(now_ms(), now.grid(plate.nominal_mv));
        let most = service.of(plate.rated);
        let available = match available {
            Some(power) => Some(Milliwatt(-power.min(most.0))),
            None => (service != Service::Permitted).then_some(-most),
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
            Some(power) => {
                let limit = Milliwatt(power.0.saturating_neg());
                self.set(control, &before, limit, &plate, hold_s).await.map(Some)
            }
            None => self.lift(control, &before, &plate, hold_s).await,
        }
    }

    async fn look(&mut self) -> Result<(), DeviceError> {
        if self.found.load(&mut self.session).await? {
            let restored = self.restore_all().await;
            self.found.settle(&self.session, restored)?;
        }
        Ok(())
    }

    async fn restore_all(&mut self) -> Result<(), DeviceError> {
        self.restore_curves().await?;
        self.found.restore(&mut self.session, &controls()).await
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

    /// Sets the limit, a positive power.
    async fn set(
        &mut self,
        control: &Control,
        before: &ModelRegisters,
        limit: Milliwatt,
        plate: &Plate,
        hold_s: u32,
    ) -> Result<Milliwatt, DeviceError> {
        let point = control.values[0];
        let unit = Unit::percent(&self.session, LIMIT, before, point, plate.full)?;
        let most = plate.full.min(plate.rated);
        let goal = limit.max(Milliwatt::ZERO).min(most);
        let (way, told) = self.way(control, (before, &unit), goal, plate).await?;
        let aim = self.pace.aim(told, &way);
        let asked = unit.raw(&self.session, LIMIT, point, aim)?;
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
        let tighter = |limit: i64| others.map_or(limit, |others| limit.min(others));
        let raw = tighter(asked);
        self.pace.stepped((aim, unit.power(raw)), &way);
        let in_force = before.raw(control.enable) == Some(1) && before.raw(point) == Some(raw);
        if in_force && !self.found.is_ours(control, before) {
            return Ok(-unit.power(raw));
        }
        let session = &mut self.session;
        let values = [Write { point, raw, goal: tighter(unit.raw(session, LIMIT, point, goal)?) }];
        apply(session, LIMIT, &mut self.found, control, before, (&values, 1, hold_s)).await?;
        self.make_sure(control, raw, plate, hold_s).await?;
        Ok(-unit.power(raw))
    }

    /// Where the limit is to go, and where it begins. What lies above what the device gives binds nothing, so a
    /// limit comes down from what it gives, and goes up from where it is.
    async fn way(
        &mut self,
        control: &Control,
        (before, unit): (&ModelRegisters, &Unit),
        goal: Milliwatt,
        plate: &Plate,
    ) -> Result<(Way, Option<Milliwatt>), DeviceError> {
        let session = &mut self.session;
        let bounds = (Milliwatt::ZERO, plate.full.max(plate.rated));
        let rate = self.pace.rate(session, LIMIT, (plate, plate.rated)).await?;
        if rate.is_none() {
            return Ok((Way { goal, measured: Milliwatt::ZERO, bounds, rate }, None));
        }
        // A limit is not left undone because what the device measures can't be believed: it then comes down at once.
        let (service, gives) = match measured(session, LIMIT, &mut self.freshness).await {
            Ok(now) => (self.service.observe(now_ms(), now.grid(plate.nominal_mv)), now.output),
            Err(error @ (DeviceError::Silent { .. } | DeviceError::Refused { .. })) => return Err(error),
            Err(_) => (Service::Permitted, Milliwatt::ZERO),
        };
        let bounds = match service {
            Service::Ramping { .. } => (Milliwatt::ZERO, service.of(bounds.1)),
            Service::Permitted | Service::Outside | Service::Waiting { .. } => bounds,
        };
        let gives = gives.max(Milliwatt::ZERO);
        let in_force = before.raw(control.enable) == Some(1);
        let told = before.raw(control.values[0]).filter(|_| in_force).map(|raw| unit.power(raw));
        // One that gives more than it is limited to shows no limit at all.
        let told = told.filter(|limit| *limit > Milliwatt::ZERO || gives.0 <= plate.rated.0 / 10);
        let begins = match told {
            Some(limit) if goal >= limit => limit,
            Some(limit) => limit.min(gives.max(goal)),
            None => gives.max(goal),
        };
        Ok((Way { goal, measured: gives, bounds, rate }, Some(begins)))
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

    /// Lifts our own limit and nobody else's, once its ramp has come to where that is no jump.
    async fn lift(
        &mut self,
        control: &'static Control,
        before: &ModelRegisters,
        plate: &Plate,
        hold_s: u32,
    ) -> Result<Option<Milliwatt>, DeviceError> {
        let session = &mut self.session;
        if let Ok(now) = measured(session, LIMIT, &mut self.freshness).await {
            let service = self.service.observe(now_ms(), now.grid(plate.nominal_mv));
            if matches!(service, Service::Outside | Service::Waiting { .. }) {
                return Err(session.refused(LIMIT, format!("not lifted while out of service: {service:?}")));
            }
        }
        let ours = before.raw(control.enable) == Some(1) && self.found.is_ours(control, before);
        if ours && !self.may_jump(control, before, plate).await? {
            return self.set(control, before, plate.full, plate, hold_s).await.map(Some);
        }
        self.pace.ended();
        self.found.restore_one(&mut self.session, control).await?;
        self.reconnect().await?;
        let session = &mut self.session;
        let now = session.model(LIMIT, control.model).await?;
        self.held(control, now.as_ref().unwrap_or(before), plate)
    }

    /// Whether the limit in force is a step below what stands when it is lifted, or less.
    async fn may_jump(
        &mut self,
        control: &Control,
        before: &ModelRegisters,
        plate: &Plate,
    ) -> Result<bool, DeviceError> {
        let point = control.values[0];
        let unit = Unit::percent(&self.session, LIMIT, before, point, plate.full)?;
        let most = plate.full.min(plate.rated);
        let goal = self.found_limit(control).map_or(most, |raw| unit.power(raw).min(most));
        let (way, told) = self.way(control, (before, &unit), goal, plate).await?;
        Ok(way.rate.is_none() || self.pace.aim(told, &way) >= goal)
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
        self.pace.ended();
        self.nothing = Nothing::default();
        self.restore_all().await
    }
}

impl GiveBack for SunSpecGenerator {
    fn give_back(&mut self) -> BoxFuture<'_, Result<(), DeviceError>> {
        let deadline = self.session.deadline();
        deadline.keep(GIVE_BACK, self.give_back_now()).boxed()
    }
}

impl Aged for SunSpecGenerator {
    fn age(&self) -> Duration {
        Duration::from_millis(self.freshness.age_ms(now_ms()))
    }
}

impl Paced for SunSpecGenerator {
    fn next_step(&self) -> Option<Duration> {
        self.pace.next_step().or_else(|| self.nothing.next_look(now_ms()))
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
