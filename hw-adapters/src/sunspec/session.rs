//! A SunSpec device over one link: its model chain, found once, and reads and writes within models.

use super::discovery::{Discovery, ModelPlace, Step};
use super::points::{Model, Point};
use super::registers::{ModelRegisters, ValueError};
use crate::device::DeviceError;
use crate::modbus::{LinkError, ModbusLink, Timeouts};
use std::future::Future;
use tokio::time::timeout;

/// A device's connection and what is known of its map.
pub(super) struct Session {
    name: String,
    link: ModbusLink,
    /// Found on first use; forgotten when the device answers otherwise than it says.
    models: Option<Vec<ModelPlace>>,
}

impl Session {
    pub(super) fn new(name: String, address: String, unit: u8, timeouts: Timeouts) -> Self {
        Self { name, link: ModbusLink::new(address, unit, timeouts), models: None }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Reads a model in one request; none where the device hasn't got it.
    pub(super) async fn model(
        &mut self,
        act: &'static str,
        model: &Model,
    ) -> Result<Option<ModelRegisters>, DeviceError> {
        let Some(place) = self.place(act, model).await? else { return Ok(None) };
        let count = model.span.min(place.length + 2);
        let answer = self.link.read(place.address, count).await;
        if matches!(answer, Err(LinkError::Exception(_))) {
            self.models = None;
        }
        let words = answer.map_err(|e| self.failed(act, e))?;
        if words.first_chunk() != Some(&[place.id, place.length]) {
            self.models = None;
            self.link.drop_connection();
            let header = words.first().copied().unwrap_or_default();
            return Err(self.bad(act, format!("model {} at {} is now {header}", place.id, place.address)));
        }
        Ok(Some(ModelRegisters::new(words)))
    }

    /// Reads a model that must be there.
    pub(super) async fn must_have(
        &mut self,
        act: &'static str,
        model: &Model,
    ) -> Result<ModelRegisters, DeviceError> {
        let registers = self.model(act, model).await?;
        registers.ok_or_else(|| self.bad(act, format!("it has no model for {}", model.name)))
    }

    /// Writes `words` to `point` of a model and the registers after it.
    pub(super) async fn write(
        &mut self,
        act: &'static str,
        model: &Model,
        point: &Point,
        words: &[u16],
    ) -> Result<(), DeviceError> {
        let place = self.place(act, model).await?;
        // Never below the model itself: a missing model must not become a write to address 0.
        let inside =
            |place: &ModelPlace| usize::from(point.offset) + words.len() <= usize::from(place.length) + 2;
        let place = place.filter(inside);
        let place = place.ok_or_else(|| self.bad(act, format!("it has no {} to write", point.name)))?;
        self.link.write(place.address + point.offset, words).await.map_err(|e| self.failed(act, e))
    }

    async fn place(&mut self, act: &'static str, model: &Model) -> Result<Option<ModelPlace>, DeviceError> {
        if self.models.is_none() {
            self.models = Some(self.discover(act).await?);
        }
        let found = self.models.iter().flatten().find(|place| model.ids.contains(&place.id));
        Ok(found.copied())
    }

    async fn discover(&mut self, act: &'static str) -> Result<Vec<ModelPlace>, DeviceError> {
        let mut discovery = Discovery::default();
        let mut step = discovery.start();
        loop {
            let address = match step {
                Step::Read(address) => address,
                Step::Found(models) => return Ok(models),
            };
            let words = match self.link.read(address, 2).await {
                Ok(words) => words.first_chunk().copied(),
                Err(LinkError::Exception(_)) => None,
                Err(e) => return Err(self.failed(act, e)),
            };
            step = discovery.answer(words).map_err(|e| self.bad(act, e.to_string()))?;
        }
    }

    /// A point's value that must be there, in `per_unit` of the specification's unit.
    pub(super) fn required(
        &self,
        act: &'static str,
        registers: &ModelRegisters,
        point: &Point,
        per_unit: i64,
    ) -> Result<i64, DeviceError> {
        self.optional(act, registers, point, per_unit)?
            .ok_or_else(|| self.bad(act, format!("{} is not implemented", point.name)))
    }

    /// A point's value where it is implemented, in `per_unit` of the specification's unit.
    pub(super) fn optional(
        &self,
        act: &'static str,
        registers: &ModelRegisters,
        point: &Point,
        per_unit: i64,
    ) -> Result<Option<i64>, DeviceError> {
        registers.scaled(point, per_unit).map_err(|e: ValueError| self.bad(act, e.to_string()))
    }

    pub(super) fn bad(&self, act: &'static str, reason: String) -> DeviceError {
        DeviceError::BadAnswer { device: self.name.clone(), act, reason }
    }

    fn failed(&self, act: &'static str, error: LinkError) -> DeviceError {
        let device = self.name.clone();
        let reason = error.to_string();
        match error {
            LinkError::Silent(_) => DeviceError::Silent { device, act, reason },
            LinkError::BadAnswer(_) => DeviceError::BadAnswer { device, act, reason },
            LinkError::Exception(_) => DeviceError::Refused { device, act, reason },
        }
    }

    pub(super) fn deadline(&self) -> Deadline {
        Deadline { device: self.name.clone(), timeouts: self.link.timeouts() }
    }
}

/// What bounds one whole operation, however many requests it takes.
pub(super) struct Deadline {
    device: String,
    timeouts: Timeouts,
}

impl Deadline {
    /// Runs `operation`, or gives it up; a request under way then takes its connection with it.
    pub(super) async fn keep<T>(
        self,
        act: &'static str,
        operation: impl Future<Output = Result<T, DeviceError>>,
    ) -> Result<T, DeviceError> {
        let limit = self.timeouts.operation;
        timeout(limit, operation).await.unwrap_or_else(|_| {
            let reason = format!("not done within {} ms", limit.as_millis());
            Err(DeviceError::Silent { device: self.device, act, reason })
        })
    }
}
