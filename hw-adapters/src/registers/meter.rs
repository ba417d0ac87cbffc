//! A meter by its table of registers: the [`Meter`] trait over Modbus.

use super::plan::{reads, value, Read};
use crate::device::{Aged, DeviceError, Meter, MeterState};
use crate::modbus::{LinkError, ModbusLink};
use crate::template::{PointName, RegisterTable, RegisterTemplate};
use futures::future::{BoxFuture, FutureExt};
use market::units::{Millijoule, Milliwatt};
use std::collections::BTreeMap;
use tokio::time::timeout;

const READ: &str = "reading the meter";

/// A meter read by a table of registers.
pub struct RegisterMeter {
    name: String,
    link: ModbusLink,
    template: RegisterTemplate,
    reads: Vec<Read>,
}

impl RegisterMeter {
    /// The meter `name` over `link`, its registers being as `template` says. Connects on first use.
    pub fn new(name: String, link: ModbusLink, template: RegisterTemplate) -> Self {
        let reads = reads(&template);
        Self { name, link, template, reads }
    }

    async fn read_now(&mut self) -> Result<MeterState, DeviceError> {
        let mut brought = BTreeMap::new();
        for read in &self.reads {
            let words = match self.template.table {
                RegisterTable::Input => self.link.read_input(read.start, read.count).await,
                RegisterTable::Holding => self.link.read(read.start, read.count).await,
            };
            brought.insert(read.start, words.map_err(|error| self.failed(&error))?);
        }
        let amount = |name: PointName| {
            let point = self.template.points.get(&name);
            let amount = point.map(|point| value(name, point, &brought)).transpose();
            let device = self.name.clone();
            amount.map_err(|error| DeviceError::BadAnswer { device, act: READ, reason: error.to_string() })
        };
        Ok(MeterState {
            power: Milliwatt(amount(PointName::Power)?.unwrap_or_default()),
            imported: Millijoule(amount(PointName::Imported)?.unwrap_or_default()),
            exported: Millijoule(amount(PointName::Exported)?.unwrap_or_default()),
        })
    }

    fn failed(&self, error: &LinkError) -> DeviceError {
        let (device, act, reason) = (self.name.clone(), READ, error.to_string());
        match error {
            LinkError::Silent(_) => DeviceError::Silent { device, act, reason },
            LinkError::BadAnswer(_) => DeviceError::BadAnswer { device, act, reason },
            LinkError::Exception(_) => DeviceError::Refused { device, act, reason },
        }
    }
}

impl Aged for RegisterMeter {}

impl Meter for RegisterMeter {
    fn read(&mut self) -> BoxFuture<'_, Result<MeterState, DeviceError>> {
        let limit = self.link.timeouts().operation;
        let device = self.name.clone();
        async move {
            timeout(limit, self.read_now()).await.unwrap_or_else(|_| {
                let reason = format!("not done within {} ms", limit.as_millis());
                Err(DeviceError::Silent { device, act: READ, reason })
            })
        }
        .boxed()
    }
}
