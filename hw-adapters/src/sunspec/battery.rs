//! A SunSpec battery with an inverter of its own (101 to 103, 120) and the storage model (124).
//!
//! Model 124 bounds the battery from both sides: it charges with at most `InWRte` and discharges
//! with at most `OutWRte`, both in percent of `WChaMax`, and a negative bound forces the other
//! direction. A setpoint is therefore both bounds closing on one value. On a hybrid inverter the
//! AC power of 101 to 103 includes PV; those are not read here.

use super::control::{Percent, REVERSION_MAX_S};
use super::points::{inverter, nameplate, storage};
use super::session::Session;
use crate::device::{Battery, BatteryState, DeviceError};
use crate::modbus::Timeouts;
use futures::future::{BoxFuture, FutureExt};
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};

const READ: &str = "reading the battery";
const SET: &str = "setting the battery";

/// Both bounds in force (`StorCtl_Mod`, bits 0 and 1).
const BOTH_BOUNDS: u16 = 0b11;
/// Thousandths of a percent in the whole.
const WHOLE: i64 = 100_000;

/// A battery read and set over Modbus TCP.
pub struct SunSpecBattery {
    session: Session,
}

/// Most power in either direction, and what the rates are percentages of. All positive.
#[derive(Clone, Copy)]
struct Rating {
    charge_max: Milliwatt,
    discharge_max: Milliwatt,
    of: Milliwatt,
}

impl SunSpecBattery {
    /// The battery `name` at `address` (`host:port`), Modbus unit `unit`. Connects on first use.
    pub fn new(name: String, address: String, unit: u8, timeouts: Timeouts) -> Self {
        Self { session: Session::new(name, address, unit, timeouts) }
    }

    async fn read_now(&mut self) -> Result<BatteryState, DeviceError> {
        let session = &mut self.session;
        let measured = session.must_have(READ, &inverter::MODEL).await?;
        let plate = session.must_have(READ, &nameplate::MODEL).await?;
        let stored = session.must_have(READ, &storage::MODEL).await?;
        let power = session.required(READ, &measured, &inverter::W, 1000)?;
        let rating = rating(session, READ, &plate, &stored)?;
        let most = rating.charge_max.max(rating.discharge_max).0;
        if power.abs() > most + most / 5 {
            return Err(session.bad(READ, format!("{power} mW from a battery of {most} mW")));
        }
        let full = session.required(READ, &plate, &nameplate::WH_RTG, MILLIJOULE_PER_WH)?;
        let charge = session.required(READ, &stored, &storage::CHA_STATE, 1000)?;
        let reserve = session.optional(READ, &stored, &storage::MIN_RSV_PCT, 1000)?.unwrap_or(0);
        if charge > WHOLE || reserve > WHOLE {
            return Err(session.bad(READ, format!("charged to {charge}, reserve {reserve} of {WHOLE}")));
        }
        Ok(BatteryState {
            power: Milliwatt(-power),
            stored: share((charge - reserve).max(0), full),
            capacity: share(WHOLE - reserve, full),
            charge_max: rating.charge_max,
            discharge_max: rating.discharge_max,
        })
    }

    async fn set_now(&mut self, power: Milliwatt, hold_s: u32) -> Result<Milliwatt, DeviceError> {
        let session = &mut self.session;
        let plate = session.must_have(SET, &nameplate::MODEL).await?;
        let before = session.must_have(SET, &storage::MODEL).await?;
        let rating = rating(session, SET, &plate, &before)?;
        let percent = Percent::read(session, SET, &before, &storage::IN_W_RTE, rating.of)?;
        let bounded = power.clamp(-rating.discharge_max, rating.charge_max);
        let raw = percent.raw(session, SET, bounded)?;

        let has_timer = before.raw(&storage::IN_OUT_W_RTE_RVRT_TMS).is_some();
        if has_timer {
            let seconds = [hold_s.clamp(1, REVERSION_MAX_S) as u16];
            session.write(SET, &storage::MODEL, &storage::IN_OUT_W_RTE_RVRT_TMS, &seconds).await?;
        }
        // Out and in are neighbours: one write, so that the bounds never cross in between.
        let rates = [(-raw).cast_unsigned(), raw.cast_unsigned()];
        session.write(SET, &storage::MODEL, &storage::OUT_W_RTE, &rates).await?;
        session.write(SET, &storage::MODEL, &storage::STOR_CTL_MOD, &[BOTH_BOUNDS]).await?;

        let after = session.must_have(SET, &storage::MODEL).await?;
        session.same(&after, &storage::OUT_W_RTE, i64::from(-raw))?;
        session.same(&after, &storage::IN_W_RTE, i64::from(raw))?;
        session.same(&after, &storage::STOR_CTL_MOD, i64::from(BOTH_BOUNDS))?;
        if has_timer {
            session.armed(&after, &storage::IN_OUT_W_RTE_RVRT_TMS, hold_s)?;
        }
        Ok(percent.power(raw))
    }
}

fn rating(
    session: &Session,
    act: &'static str,
    plate: &super::ModelRegisters,
    stored: &super::ModelRegisters,
) -> Result<Rating, DeviceError> {
    let of = session.required(act, stored, &storage::W_CHA_MAX, 1000)?;
    let charge = session.optional(act, plate, &nameplate::MAX_CHA_RTE, 1000)?.unwrap_or(of);
    let discharge = session.optional(act, plate, &nameplate::MAX_DIS_CHA_RTE, 1000)?.unwrap_or(of);
    Ok(Rating {
        charge_max: Milliwatt(charge.min(of)),
        discharge_max: Milliwatt(discharge),
        of: Milliwatt(of),
    })
}

/// `part` thousandths of a percent of `full`, rounded down.
fn share(part: i64, full: i64) -> Millijoule {
    Millijoule((i128::from(part) * i128::from(full) / i128::from(WHOLE)) as i64)
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
