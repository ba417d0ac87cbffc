//! A meter by its table of registers: the [`Meter`] trait over Modbus.

use super::plan::{reads, value, Read};
use crate::device::{Aged, DeviceError, Meter, MeterState};
use crate::freshness::Freshness;
use crate::modbus::{LinkError, ModbusLink};
use crate::template::{PointName, RegisterTable, RegisterTemplate};
use futures::future::{BoxFuture, FutureExt};
use market::units::{Millijoule, Milliwatt};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::time::timeout;

const READ: &str = "reading the meter";

/// A meter read by a table of registers.
pub struct RegisterMeter {
    name: String,
    link: ModbusLink,
    template: RegisterTemplate,
    reads: Vec<Read>,
    freshness: Freshness,
    /// What ages are reckoned from.
    opened: Instant,
}

impl RegisterMeter {
    /// The meter `name` over `link`, its registers being as `template` says. Connects on first use.
    pub fn new(name: String, link: ModbusLink, template: RegisterTemplate) -> Self {
        let reads = reads(&template);
        Self { name, link, template, reads, freshness: Freshness::default(), opened: Instant::now() }
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
        let state = MeterState {
            power: Milliwatt(amount(PointName::Power)?.unwrap_or_default()),
            imported: Millijoule(amount(PointName::Imported)?.unwrap_or_default()),
            exported: Millijoule(amount(PointName::Exported)?.unwrap_or_default()),
        };
        // Its counters' step is not known, so it takes longer to tell that nothing moves.
        let image: Vec<u16> = brought.into_values().flatten().collect();
        match self.freshness.frozen(self.now_ms(), &image, state.power.0.unsigned_abs(), None) {
            None => Ok(state),
            Some(age_ms) => {
                let reason = format!("{} flow, and nothing has moved for {age_ms} ms", state.power);
                Err(DeviceError::Stale { device: self.name.clone(), act: READ, age_ms, reason })
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn failed(&self, error: &LinkError) -> DeviceError {
        let (device, act, reason) = (self.name.clone(), READ, error.to_string());
        match error {
            LinkError::Silent(_) | LinkError::Unanswered(_) => DeviceError::Silent { device, act, reason },
            LinkError::BadAnswer(_) => DeviceError::BadAnswer { device, act, reason },
            LinkError::Exception(_) => DeviceError::Refused { device, act, reason },
        }
    }
}

impl Aged for RegisterMeter {
    fn age(&self) -> Duration {
        Duration::from_millis(self.freshness.age_ms(self.now_ms()))
    }
}

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
