//! A SunSpec meter (models 201 to 204, 211 to 214) at the connection point.

use super::measured::{fresh, now_ms};
use super::points::{meter, meter_float, Model, Point};
use super::session::Session;
use crate::device::{Aged, DeviceError, Meter, MeterState};
use crate::freshness::Freshness;
use crate::modbus::{Endpoint, Timeouts};
use futures::future::{BoxFuture, FutureExt};
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};
use std::time::Duration;

const READ: &str = "reading the meter";

/// Model, power, export and import of each kind of meter.
const LAYOUTS: [(Model, Point, [Point; 2]); 2] = [
    (meter::MODEL, meter::W, [meter::TOT_WH_EXP, meter::TOT_WH_IMP]),
    (meter_float::MODEL, meter_float::W, [meter_float::TOT_WH_EXP, meter_float::TOT_WH_IMP]),
];

/// A meter read over Modbus.
pub struct SunSpecMeter {
    session: Session,
    freshness: Freshness,
}

impl SunSpecMeter {
    /// The meter `name` at `endpoint` (from a `String`: `host:port`), Modbus unit `unit`. Connects on first use.
    pub fn new(name: String, endpoint: impl Into<Endpoint>, unit: u8, timeouts: Timeouts) -> Self {
        Self::over(Session::new(name, endpoint, unit, timeouts))
    }

    /// Over a session there is already.
    pub fn over(session: Session) -> Self {
        Self { session, freshness: Freshness::default() }
    }

    async fn read_now(&mut self) -> Result<MeterState, DeviceError> {
        for (model, power, energy) in &LAYOUTS {
            let session = &mut self.session;
            let Some(registers) = session.model(READ, model).await? else { continue };
            let counted = |point| {
                let energy = session.required(READ, &registers, point, MILLIJOULE_PER_WH)?;
                let sound = energy >= 0;
                sound
                    .then_some(Millijoule(energy))
                    .ok_or_else(|| session.bad(READ, format!("{} counts {energy} mJ", point.name)))
            };
            let state = MeterState {
                power: Milliwatt(session.required(READ, &registers, power, 1000)?),
                exported: counted(&energy[0])?,
                imported: counted(&energy[1])?,
            };
            // A floating-point counter's step grows with it: it can't tell.
            let counters = if *model == meter::MODEL { &energy[..] } else { &[] };
            fresh(session, READ, &mut self.freshness, &registers, (state.power.0, counters))?;
            return Ok(state);
        }
        Err(self.session.bad(READ, "it has no model for meters".to_owned()))
    }
}

impl Aged for SunSpecMeter {
    fn age(&self) -> Duration {
        Duration::from_millis(self.freshness.age_ms(now_ms()))
    }
}

impl Meter for SunSpecMeter {
    fn read(&mut self) -> BoxFuture<'_, Result<MeterState, DeviceError>> {
        let deadline = self.session.deadline();
        deadline.keep(READ, self.read_now()).boxed()
    }
}
