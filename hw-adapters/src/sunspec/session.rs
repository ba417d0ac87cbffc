//! A SunSpec device over one link: its model chain, found once, and reads and writes within models.

use super::discovery::{Discovery, ModelPlace, Step};
use super::points::{Model, Point};
use super::registers::{ModelRegisters, ValueError};
use crate::device::DeviceError;
use crate::modbus::{Endpoint, LinkError, ModbusLink, Timeouts};
use std::future::Future;
use tokio::time::timeout;

/// A device's connection and what is known of its map.
pub struct Session {
    name: String,
    link: ModbusLink,
    /// Found on first use; forgotten when the device answers otherwise than it says.
    models: Option<Vec<ModelPlace>>,
    /// Where its marker is looked for first: where it was found last, or behind where it was silent last.
    base: usize,
}

impl Session {
    /// The device `name` at `endpoint`, Modbus unit `unit`. Connects on first use.
    pub fn new(name: String, endpoint: impl Into<Endpoint>, unit: u8, timeouts: Timeouts) -> Self {
        Self::over(name, ModbusLink::new(endpoint, unit, timeouts))
    }

    /// Over a link there is already.
    pub fn over(name: String, link: ModbusLink) -> Self {
        Self { name, link, models: None, base: 0 }
    }

    /// The device's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its models in order of address, found by walking its chain on first use.
    ///
    /// # Errors
    /// Where it does not answer, or has no SunSpec map that can be.
    pub async fn models(&mut self, act: &'static str) -> Result<&[ModelPlace], DeviceError> {
        let models = match self.models.take() {
            Some(models) => models,
            None => self.discover(act).await?,
        };
        Ok(self.models.insert(models))
    }

    /// Reads a model in one request; none where the device hasn't got it.
    pub(super) async fn model(
        &mut self,
        act: &'static str,
        model: &Model,
    ) -> Result<Option<ModelRegisters>, DeviceError> {
        let Some(place) = self.place(act, model).await? else { return Ok(None) };
        let count = model.span.min(place.length.saturating_add(2));
        self.read(act, place, count).await.map(|words| Some(ModelRegisters::new(words)))
    }

    /// Reads the model at `place` from its header on.
    ///
    /// # Errors
    /// Where it does not answer, or the model is not there any more.
    pub(super) async fn read(
        &mut self,
        act: &'static str,
        place: ModelPlace,
        count: u16,
    ) -> Result<Vec<u16>, DeviceError> {
        let words = self.words(act, place.address, count).await?;
        if words.first_chunk() != Some(&[place.id, place.length]) {
            self.models = None;
            self.link.drop_connection().await;
            let header = words.first().copied().unwrap_or_default();
            return Err(self.bad(act, format!("model {} at {} is now {header}", place.id, place.address)));
        }
        Ok(words)
    }

    /// Reads `count` registers at `address`.
    pub(super) async fn words(
        &mut self,
        act: &'static str,
        address: u16,
        count: u16,
    ) -> Result<Vec<u16>, DeviceError> {
        let answer = self.link.read(address, count).await;
        if matches!(answer, Err(LinkError::Exception(_) | LinkError::BadAnswer(_))) {
            // Another device may answer there by now, or the same with another map.
            self.models = None;
        }
        answer.map_err(|e| self.failed(act, e))
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
        let place = place.ok_or_else(|| self.bad(act, format!("it has no {} to write", point.name)))?;
        self.write_at(act, place, point.offset, words).await
    }

    /// Writes `words` from `offset` of the model at `place` on.
    pub(super) async fn write_at(
        &mut self,
        act: &'static str,
        place: ModelPlace,
        offset: u16,
        words: &[u16],
    ) -> Result<(), DeviceError> {
        // Never outside the model itself: a missing model must not become a write to address 0.
        let inside = offset >= 2 && usize::from(offset) + words.len() <= usize::from(place.length) + 2;
        let address = place.address.checked_add(offset).filter(|_| inside);
        let address = address
            .ok_or_else(|| self.bad(act, format!("register {offset} lies beyond its model {}", place.id)))?;
        self.link.write(address, words).await.map_err(|e| self.failed(act, e))
    }

    /// The first of the device's models that is one of `model`'s.
    pub(super) async fn place(
        &mut self,
        act: &'static str,
        model: &Model,
    ) -> Result<Option<ModelPlace>, DeviceError> {
        let models = self.models(act).await?;
        Ok(models.iter().find(|place| model.ids.contains(&place.id)).copied())
    }

    async fn discover(&mut self, act: &'static str) -> Result<Vec<ModelPlace>, DeviceError> {
        let mut discovery = Discovery::beginning_at(self.base);
        let mut step = discovery.start();
        let mut silence = None;
        loop {
            let address = match step {
                Step::Read(address) => address,
                Step::Found(models) => return Ok(models),
            };
            self.base = discovery.base();
            let words = match self.link.read(address, 2).await {
                Ok(words) => words.first_chunk().copied(),
                Err(LinkError::Exception(_)) => None,
                // Some devices say nothing to an address they haven't got. Should there be no time left for the
                // others, they come first the next time.
                Err(e @ LinkError::Unanswered(_)) if discovery.looks_for_marker() => {
                    self.base = discovery.base() + 1;
                    silence = silence.or(Some(e));
                    None
                }
                Err(e) => return Err(self.failed(act, e)),
            };
            step = match (discovery.answer(words), silence.take()) {
                (Ok(step), before) => {
                    silence = before;
                    step
                }
                (Err(_), Some(e)) => return Err(self.failed(act, e)),
                (Err(e), None) => return Err(self.bad(act, e.to_string())),
            };
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

    pub(super) fn refused(&self, act: &'static str, reason: String) -> DeviceError {
        DeviceError::Refused { device: self.name.clone(), act, reason }
    }

    fn failed(&self, act: &'static str, error: LinkError) -> DeviceError {
        let device = self.name.clone();
        let reason = error.to_string();
        match error {
            LinkError::Silent(_) | LinkError::Unanswered(_) => DeviceError::Silent { device, act, reason },
            LinkError::BadAnswer(_) => DeviceError::BadAnswer { device, act, reason },
            LinkError::Exception(_) => DeviceError::Refused { device, act, reason },
        }
    }

    /// What bounds one whole operation.
    pub fn deadline(&self) -> Deadline {
        Deadline { device: self.name.clone(), timeouts: self.link.timeouts() }
    }
}

/// What bounds one whole operation, however many requests it takes.
pub struct Deadline {
    device: String,
    timeouts: Timeouts,
}

impl Deadline {
    /// Runs `operation`, or gives it up; a request under way then takes its connection with it.
    ///
    /// # Errors
    /// The operation's own, or that it was given up.
    pub async fn keep<T>(
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
