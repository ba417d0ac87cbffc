//! A SunSpec battery with an inverter of its own: measured and rated like any inverter, set by the storage
//! model (124) or by the power of 704, its state of charge from 124, 713 or 802.
//!
//! Model 124 bounds the battery from both sides: it charges with at most `InWRte` and discharges
//! with at most `OutWRte`, both in percent of `WChaMax`, and a negative bound forces the other
//! direction. A setpoint is therefore both bounds closing on one value. On a hybrid inverter the
//! AC power of 101 to 103 includes PV; those are not read here.

mod charge;

use self::charge::{Charge, WHOLE};
use super::control::{apply, Unit, Write};
use super::enter_service::{EnterService, EnterServiceRules, Service};
use super::found::{Control, Found};
use super::measured::{measured, now_ms};
use super::pace::{Pace, Way};
use super::plate::Plate;
use super::points::der::control;
use super::points::storage;
use super::session::Session;
use crate::device::{Aged, Battery, BatteryState, DeviceError, GiveBack, Paced};
use crate::freshness::Freshness;
use crate::modbus::{Endpoint, Timeouts};
use crate::ramp::RampRules;
use futures::future::{BoxFuture, FutureExt};
use market::units::{Millijoule, Milliwatt};
use std::path::PathBuf;
use std::time::Duration;

const READ: &str = "reading the battery";
const SET: &str = "setting the battery";
const GIVE_BACK: &str = "giving the battery back";

/// Both bounds in force (`StorCtl_Mod`, bits 0 and 1).
const BOTH_BOUNDS: u16 = 0b11;
/// `WSetMod` of 704: in watts.
const IN_WATTS: i64 = 1;

const RATES: Control = Control {
    model: &storage::MODEL,
    timer: &storage::IN_OUT_W_RTE_RVRT_TMS,
    values: &[&storage::OUT_W_RTE, &storage::IN_W_RTE],
    enable: &storage::STOR_CTL_MOD,
};
const POWER: Control = Control {
    model: &control::MODEL,
    timer: &control::SET_RVRT_TMS,
    values: &[&control::SET_MOD, &control::SET],
    enable: &control::SET_ENA,
};

/// A battery read and set over Modbus.
pub struct SunSpecBattery {
    session: Session,
    found: Found,
    freshness: Freshness,
    service: EnterService,
    pace: Pace,
}

impl SunSpecBattery {
    /// The battery `name` at `endpoint` (from a `String`: `host:port`), Modbus unit `unit`. Connects on first use.
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

    /// Moves its setpoints by this ramp; by none where nothing is said.
    #[must_use]
    pub fn ramping_by(self, rules: Option<RampRules>) -> Self {
        Self { pace: Pace::new(rules), ..self }
    }

    async fn read_now(&mut self) -> Result<BatteryState, DeviceError> {
        self.found.look(&mut self.session, &[RATES, POWER]).await?;
        let session = &mut self.session;
        let now = measured(session, READ, &mut self.freshness).await?;
        let plate = Plate::read(session, READ).await?;
        let charge = Charge::read(session, READ, &plate).await?;
        Plate::check(session, READ, now.output, charge.charge_max.max(charge.discharge_max))?;
        let service = self.service.observe(now_ms(), now.grid(plate.nominal_mv));
        Ok(BatteryState {
            power: -now.output,
            stored: share((charge.state - charge.reserve).max(0), charge.full),
            capacity: share(WHOLE - charge.reserve, charge.full),
            charge_max: service.of(charge.charge_max),
            discharge_max: service.of(charge.discharge_max),
        })
    }

    async fn set_now(&mut self, power: Milliwatt, hold_s: u32) -> Result<Milliwatt, DeviceError> {
        self.found.look(&mut self.session, &[RATES, POWER]).await?;
        let session = &mut self.session;
        let plate = Plate::read(session, SET).await?;
        let charge = Charge::read(session, SET, &plate).await?;
        let (service, does) = match measured(session, SET, &mut self.freshness).await {
            Ok(now) => (self.service.observe(now_ms(), now.grid(plate.nominal_mv)), -now.output),
            // To do nothing it can be told whatever it says of itself.
            Err(DeviceError::Stale { .. } | DeviceError::BadAnswer { .. }) if power == Milliwatt::ZERO => {
                (Service::Permitted, Milliwatt::ZERO)
            }
            Err(error) => return Err(error),
        };
        let out = matches!(service, Service::Outside | Service::Waiting { .. });
        if out && power != Milliwatt::ZERO {
            return Err(session.refused(SET, format!("out of service: {service:?}")));
        }
        // At its reserve it gives nothing more.
        let discharge_max =
            if charge.state > charge.reserve { charge.discharge_max } else { Milliwatt::ZERO };
        let bounds = (-service.of(discharge_max), service.of(charge.charge_max));
        let most = charge.charge_max.max(charge.discharge_max);
        let rate = self.pace.rate(session, SET, (&plate, most)).await?;
        // What it may do once it has come back; until then it goes on as far as it may.
        let goal = power.max(-discharge_max).min(charge.charge_max);
        let way = Way { goal, measured: does, bounds, rate };
        match charge.rate_of {
            Some(of) => self.set_rates(way, of, hold_s).await,
            None => self.set_watts(way, hold_s).await,
        }
    }

    async fn set_rates(&mut self, way: Way, of: Milliwatt, hold_s: u32) -> Result<Milliwatt, DeviceError> {
        let session = &mut self.session;
        let before = session.must_have(SET, &storage::MODEL).await?;
        let unit = Unit::percent(session, SET, &before, &storage::IN_W_RTE, of)?;
        let in_force = before.raw(&storage::STOR_CTL_MOD) == Some(BOTH_BOUNDS.into());
        let told = before.raw(&storage::IN_W_RTE).filter(|_| in_force && self.found.is_ours(&RATES, &before));
        let aim = self.pace.aim(told.map(|raw| unit.power(raw)), &way);
        let raw = unit.raw(session, SET, &storage::IN_W_RTE, aim)?;
        let goal = unit.raw(session, SET, &storage::IN_W_RTE, way.goal)?;
        let values = [
            Write { point: &storage::OUT_W_RTE, raw: -raw, goal: -goal },
            Write { point: &storage::IN_W_RTE, raw, goal },
        ];
        apply(session, SET, &mut self.found, &RATES, &before, (&values, BOTH_BOUNDS, hold_s)).await?;
        self.pace.stepped((aim, unit.power(raw)), &way);
        Ok(unit.power(raw))
    }

    async fn set_watts(&mut self, way: Way, hold_s: u32) -> Result<Milliwatt, DeviceError> {
        let session = &mut self.session;
        let before = session.must_have(SET, &control::MODEL).await?;
        let unit = Unit::whole(session, SET, &before, &control::SET)?;
        let in_force = before.raw(&control::SET_ENA) == Some(1) && self.found.is_ours(&POWER, &before);
        let told = before.raw(&control::SET).filter(|_| in_force);
        let aim = self.pace.aim(told.map(|raw| -unit.power(raw)), &way);
        let raw = unit.raw(session, SET, &control::SET, -aim)?;
        let goal = unit.raw(session, SET, &control::SET, -way.goal)?;
        let values = [Write::once(&control::SET_MOD, IN_WATTS), Write { point: &control::SET, raw, goal }];
        apply(session, SET, &mut self.found, &POWER, &before, (&values, 1, hold_s)).await?;
        self.pace.stepped((aim, -unit.power(raw)), &way);
        Ok(-unit.power(raw))
    }

    async fn give_back_now(&mut self) -> Result<(), DeviceError> {
        self.pace.ended();
        self.found.restore(&mut self.session, &[RATES, POWER]).await
    }
}

/// `part` thousandths of a percent of `full`, rounded down.
fn share(part: i64, full: i64) -> Millijoule {
    Millijoule((i128::from(part) * i128::from(full) / i128::from(WHOLE)) as i64)
}

impl GiveBack for SunSpecBattery {
    fn give_back(&mut self) -> BoxFuture<'_, Result<(), DeviceError>> {
        let deadline = self.session.deadline();
        deadline.keep(GIVE_BACK, self.give_back_now()).boxed()
    }
}

impl Aged for SunSpecBattery {
    fn age(&self) -> Duration {
        Duration::from_millis(self.freshness.age_ms(now_ms()))
    }
}

impl Paced for SunSpecBattery {
    fn next_step(&self) -> Option<Duration> {
        self.pace.next_step()
    }
}

impl Battery for SunSpecBattery {
    fn read(&mut self) -> BoxFuture<'_, Result<BatteryState, DeviceError>> {
        let deadline = self.session.deadline();
        deadline.keep(READ, self.read_now()).boxed()
    }

    fn set_power(&mut self, power: Milliwatt, hold_s: u32) -> BoxFuture<'_, Result<Milliwatt, DeviceError>> {
        let deadline = self.session.deadline();
        deadline.keep(SET, self.set_now(power, hold_s)).boxed()
    }
}
