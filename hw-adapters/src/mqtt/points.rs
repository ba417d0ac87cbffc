//! The newest value of each point with when it came, and whether it can still be passed on: not when it is stale,
//! frozen, or what came last could not be true.

use super::payload::{Payload, PayloadError, Value};
use super::profile::Source;
use crate::template::{PointName, Quantity};
use std::collections::BTreeMap;
use thiserror::Error;

/// A counter is frozen when power says it should have moved by so many of its steps, and it was told so often
/// without having.
const FROZEN_STEPS: i128 = 5;
const FROZEN_TOLD: u32 = 3;

/// Why a point has no value now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Lack {
    /// The broker can't be reached.
    #[error("the broker is not connected")]
    NoBroker,
    /// The device's last will, or itself, says it is away.
    #[error("it is offline, says its availability topic")]
    Offline,
    /// Nothing was ever said.
    #[error("it has said no {0} yet")]
    Unsaid(&'static str),
    /// Nothing was said for long.
    #[error("its last {point} is {age_ms} ms old")]
    Stale {
        /// Which point.
        point: &'static str,
        /// Its age.
        age_ms: u64,
    },
    /// It goes on saying the same while it can't be so.
    #[error("its {point} is frozen: {why}")]
    Frozen {
        /// Which point.
        point: &'static str,
        /// How that shows.
        why: String,
        /// For how long it has been the same.
        same_ms: u64,
    },
    /// What it said last can't be.
    #[error("{0}")]
    Refused(String),
    /// What it announces makes no such device.
    #[error("{0}")]
    Announced(String),
}

#[derive(Clone, Debug)]
struct Part {
    value: Result<i64, String>,
    at_ms: u64,
}

/// One point's values.
#[derive(Clone, Debug, Default)]
struct Held {
    /// For quantities, one for each topic that is added.
    parts: Vec<Option<Part>>,
    /// For switches and words.
    said: Option<(Result<Value, String>, u64)>,
    /// The last sum, and since when it has been just that.
    same: Option<(Value, u64)>,
    /// How often it was told since.
    told: u32,
    /// The message it was last told by.
    message: u64,
}

/// All of a device's points.
#[derive(Clone, Debug, Default)]
pub struct Points {
    held: BTreeMap<PointName, Held>,
    /// Messages taken so far.
    messages: u64,
    /// Energy that went by since the import and export counters last moved, by the power that was told.
    passed: (i128, i128),
    /// The power told last, and when.
    power: Option<(i64, u64)>,
    /// When the device last said anything.
    spoke_ms: Option<u64>,
}

impl Points {
    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self { messages: self.messages, ..Self::default() };
    }

    /// How many messages were taken: what is told after this is newer.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Takes what a message on `topic` says of every point that is found there; a retained one of those that hold.
    ///
    /// # Errors
    /// The first thing in it that is no value. A point that was told something impossible has no value until it is told
    /// again.
    pub fn take(
        &mut self,
        sources: &BTreeMap<PointName, Source>,
        (topic, payload, retained): (&str, &[u8], bool),
        now_ms: u64,
    ) -> Result<(), PayloadError> {
        self.messages += 1;
        if !retained {
            self.spoke_ms = Some(now_ms);
        }
        let mut read = Payload::new(payload);
        let mut first = Ok(());
        for (name, source) in sources {
            for (place, (followed, path)) in source.places.iter().enumerate() {
                if followed != topic || (retained && !source.holds) {
                    continue;
                }
                let place = if source.sum { place } else { 0 };
                let value = match &mut read {
                    Ok(payload) => payload.value(&source.found, path.as_ref()),
                    Err(error) => Err(error.clone()),
                };
                match value {
                    Ok(None) => {}
                    Ok(Some(value)) => self.tell(*name, source, (place, Ok(value)), now_ms),
                    Err(error) => {
                        // What can't be read says nothing; what is read and can't be says that the value isn't known.
                        if matches!(error, PayloadError::Kind { .. } | PayloadError::Range { .. }) {
                            self.tell(*name, source, (place, Err(error.to_string())), now_ms);
                        }
                        first = first.and(Err(error));
                    }
                }
            }
        }
        first
    }

    fn tell(
        &mut self,
        name: PointName,
        source: &Source,
        (place, value): (usize, Result<Value, String>),
        now_ms: u64,
    ) {
        if name == PointName::Power {
            self.pass(now_ms);
        }
        let held = self.held.entry(name).or_default();
        held.message = self.messages;
        match (name.quantity(), value) {
            (Quantity::Switch | Quantity::Word, value) => held.said = Some((value, now_ms)),
            (_, Ok(Value::Amount(amount))) => held.part(source, place, Ok(amount), now_ms),
            (_, Ok(_)) => {}
            (_, Err(reason)) => held.part(source, place, Err(reason), now_ms),
        }
        let now = held.value().and_then(|(value, _)| value.ok());
        if let Some(now) = now {
            match &held.same {
                Some((value, _)) if *value == now => held.told = held.told.saturating_add(1),
                _ => {
                    held.told = 0;
                    held.same = Some((now.clone(), now_ms));
                    match name {
                        PointName::Imported => self.passed.0 = 0,
                        PointName::Exported => self.passed.1 = 0,
                        _ => {}
                    }
                }
            }
            if let (PointName::Power, Value::Amount(power)) = (name, now) {
                self.power = Some((power, now_ms));
            }
        }
    }

    /// Lets the power told last have gone on until now.
    fn pass(&mut self, now_ms: u64) {
        if let Some((power, at_ms)) = self.power {
            let energy = i128::from(power) * i128::from(now_ms.saturating_sub(at_ms)) / 1000;
            if energy > 0 {
                self.passed.0 += energy;
            } else {
                self.passed.1 -= energy;
            }
            self.power = Some((power, now_ms));
        }
    }

    /// The value of a point and its age in milliseconds.
    ///
    /// # Errors
    /// Why there is none to pass on.
    pub fn value(
        &self,
        name: PointName,
        source: &Source,
        (now_ms, stale_after_ms): (u64, u64),
    ) -> Result<(Value, u64), Lack> {
        if let Some(constant) = source.constant {
            return Ok((Value::Amount(constant), 0));
        }
        let held = self.held.get(&name).ok_or(Lack::Unsaid(name.word()))?;
        let (value, mut at_ms) = held.value().ok_or(Lack::Unsaid(name.word()))?;
        if source.holds {
            at_ms = at_ms.max(self.spoke_ms.unwrap_or_default());
        }
        let age_ms = now_ms.saturating_sub(at_ms);
        if age_ms > stale_after_ms {
            return Err(Lack::Stale { point: name.word(), age_ms });
        }
        let value = value.map_err(Lack::Refused)?;
        self.frozen(name, source, held, now_ms)?;
        Ok((value, age_ms))
    }

    fn frozen(&self, name: PointName, source: &Source, held: &Held, now_ms: u64) -> Result<(), Lack> {
        let Some((value, since_ms)) = &held.same else { return Ok(()) };
        let same_ms = now_ms.saturating_sub(*since_ms);
        let frozen = |why| Err(Lack::Frozen { point: name.word(), why, same_ms });
        let zero = matches!(value, Value::Amount(0));
        if source.frozen_after_ms.is_some_and(|after| same_ms > after) && !zero {
            return frozen(format!("the very same for {} s", same_ms / 1000));
        }
        let passed = match name {
            PointName::Imported => self.passed.0,
            PointName::Exported => self.passed.1,
            _ => return Ok(()),
        };
        if held.told >= FROZEN_TOLD && passed > FROZEN_STEPS * i128::from(source.step) {
            let passed_wh = passed / i128::from(market::units::MILLIJOULE_PER_WH);
            return frozen(format!("it has not moved while {passed_wh} Wh went by its power"));
        }
        Ok(())
    }

    /// What a point was told by messages after `message`; none where nothing was.
    pub fn told_after(&self, name: PointName, message: u64) -> Option<Value> {
        let held = self.held.get(&name).filter(|held| held.message > message)?;
        held.value().and_then(|(value, _)| value.ok())
    }
}

impl Held {
    fn part(&mut self, source: &Source, place: usize, value: Result<i64, String>, at_ms: u64) {
        self.parts.resize_with(if source.sum { source.places.len() } else { 1 }, || None);
        if let Some(part) = self.parts.get_mut(place) {
            *part = Some(Part { value, at_ms });
        }
    }

    /// The value with the time of its oldest part.
    fn value(&self) -> Option<(Result<Value, String>, u64)> {
        if let Some((value, at_ms)) = &self.said {
            return Some((value.clone(), *at_ms));
        }
        let parts: Option<Vec<&Part>> = self.parts.iter().map(Option::as_ref).collect();
        let parts = parts.filter(|parts| !parts.is_empty())?;
        let at_ms = parts.iter().map(|part| part.at_ms).min()?;
        let sum = parts.iter().try_fold(0_i64, |sum, part| match &part.value {
            Ok(amount) => Ok(sum.saturating_add(*amount)),
            Err(reason) => Err(reason.clone()),
        });
        Some((sum.map(Value::Amount), at_ms))
    }
}
