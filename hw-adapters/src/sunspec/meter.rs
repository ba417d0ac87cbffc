//! A SunSpec meter (models 201 to 204) at the connection point.

use super::points::meter;
use super::session::Session;
use crate::device::{DeviceError, Meter, MeterState};
use crate::modbus::Timeouts;
use futures::future::{BoxFuture, FutureExt};
use market::units::{Millijoule, Milliwatt, MILLIJOULE_PER_WH};

const READ: &str = "reading the meter";

/// A meter read over Modbus TCP.
pub struct SunSpecMeter {
    session: Session,
}

impl SunSpecMeter {
    /// The meter `name` at `address` (`host:port`), Modbus unit `unit`. Connects on first use.
    pub fn new(name: String, address: String, unit: u8, timeouts: Timeouts) -> Self {
        Self { session: Session::new(name, address, unit, timeouts) }
    }

    async fn read_now(&mut self) -> Result<MeterState, DeviceError> {
        let session = &mut self.session;
        let registers = session.must_have(READ, &meter::MODEL).await?;
        let energy = |point| session.required(READ, &registers, point, MILLIJOULE_PER_WH).map(Millijoule);
        Ok(MeterState {
            power: Milliwatt(session.required(READ, &registers, &meter::W, 1000)?),
            imported: energy(&meter::TOT_WH_IMP)?,
            exported: energy(&meter::TOT_WH_EXP)?,
        })
    }
}

impl Meter for SunSpecMeter {
    fn read(&mut self) -> BoxFuture<'_, Result<MeterState, DeviceError>> {
        let deadline = self.session.deadline();
        deadline.keep(READ, self.read_now()).boxed()
    }
}
