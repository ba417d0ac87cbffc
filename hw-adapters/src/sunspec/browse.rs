//! Everything a SunSpec device says, model by model, and one point of it set: what an installer looks at on
//! site. Works from the catalogue, knows nothing of what a device is for.

use super::catalog::{self, Located, ModelDef, Scale};
use super::discovery::ModelPlace;
use super::registers::{check_scale, value, Kind, Value, ValueError};
use super::session::Session;
use crate::device::DeviceError;
use crate::modbus::{Endpoint, ModbusLink, Timeouts, READ_MAX};
use std::ops::RangeInclusive;

const SCAN: &str = "finding the device's models";
const READ: &str = "reading a model";
const SET: &str = "setting a point";

/// Trip and momentary-cessation curves: the grid operator's to set, and only read here.
const TRIPS: RangeInclusive<u16> = 707..=710;

/// Longest model read, in registers with its header.
const MODEL_MAX: u16 = 1_000;

/// A SunSpec device as a list of models.
pub struct SunSpecDevice {
    session: Session,
}

/// What a point says.
#[derive(Clone, Debug, PartialEq)]
pub struct PointReading {
    /// Its name; within groups with their names and numbers, as in `Crv[0].Pt[1].V`.
    pub path: String,
    /// Its value, or why it can't be right.
    pub value: Result<Value, ValueError>,
    /// Its unit as the specification writes it.
    pub unit: Option<String>,
    /// Whether the specification lets it be written.
    pub writable: bool,
}

/// A model as one look brought it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelReading {
    /// Where it is.
    pub place: ModelPlace,
    /// What it is, in words; none for a model that is not in the catalogue, which has no points then.
    pub label: Option<String>,
    /// Its points in order.
    pub points: Vec<PointReading>,
}

impl SunSpecDevice {
    /// The device `name` at `endpoint`, Modbus unit `unit`. Connects on first use.
    pub fn new(name: String, endpoint: impl Into<Endpoint>, unit: u8, timeouts: Timeouts) -> Self {
        Self { session: Session::new(name, endpoint, unit, timeouts) }
    }

    /// Over a link there is already.
    pub fn over(name: String, link: ModbusLink) -> Self {
        Self { session: Session::over(name, link) }
    }

    /// Its models in order of address.
    ///
    /// # Errors
    /// Where it does not answer, or has no SunSpec map that can be.
    pub async fn models(&mut self) -> Result<Vec<ModelPlace>, DeviceError> {
        let deadline = self.session.deadline();
        deadline.keep(SCAN, async { self.session.models(SCAN).await.map(<[_]>::to_vec) }).await
    }

    /// Everything one of its models says.
    ///
    /// # Errors
    /// Where it does not answer, or the model is not there any more.
    pub async fn read(&mut self, place: ModelPlace) -> Result<ModelReading, DeviceError> {
        let deadline = self.session.deadline();
        deadline.keep(READ, self.read_now(place)).await
    }

    async fn read_now(&mut self, place: ModelPlace) -> Result<ModelReading, DeviceError> {
        let Some(def) = catalog::model(place.id) else {
            return Ok(ModelReading { place, label: None, points: Vec::new() });
        };
        let words = self.words(READ, def, place).await?;
        let points = def.locate(&words).into_iter().map(|point| reading(def, &words, &point)).collect();
        Ok(ModelReading { place, label: Some(def.label.clone()), points })
    }

    /// Sets the point at `path` of the model at `place` to the number `to`, in the specification's unit, and
    /// gives what reads back.
    ///
    /// # Errors
    /// Where there is no such point, it can't be written or not to that, or does not read back so.
    pub async fn set(&mut self, place: ModelPlace, path: &str, to: f64) -> Result<PointReading, DeviceError> {
        let deadline = self.session.deadline();
        deadline.keep(SET, self.set_now(place, path, to)).await
    }

    async fn set_now(&mut self, place: ModelPlace, path: &str, to: f64) -> Result<PointReading, DeviceError> {
        let refused = |session: &Session, reason: String| session.refused(SET, reason);
        let def = catalog::model(place.id)
            .ok_or_else(|| refused(&self.session, format!("model {} is not in the catalogue", place.id)))?;
        let before = self.words(SET, def, place).await?;
        let points = def.locate(&before);
        let point = points.iter().find(|point| point.path == path);
        let point =
            point.ok_or_else(|| refused(&self.session, format!("model {} has no {path}", place.id)))?;
        if !point.def.writable || TRIPS.contains(&place.id) {
            return Err(refused(&self.session, format!("{path} of model {} can't be written", place.id)));
        }
        let scale = scale_of(def, &before, point).map_err(|e| self.session.bad(SET, e.to_string()))?;
        let registers = scale.and_then(|scale| encode(point.def.kind, scale, to));
        let registers = registers
            .ok_or_else(|| refused(&self.session, format!("{path} of model {} can't be {to}", place.id)))?;
        self.session.write_at(SET, place, point.offset, &registers).await?;
        let after = self.words(SET, def, place).await?;
        let at = usize::from(point.offset);
        if after.get(at..at + registers.len()) != Some(registers.as_slice()) {
            let read = reading(def, &after, point).value;
            return Err(DeviceError::Disobeyed {
                device: self.session.name().to_owned(),
                what: SET,
                written: format!("{path} = {to}"),
                read: read.map_or_else(|e| e.to_string(), |value| value.to_string()),
            });
        }
        Ok(reading(def, &after, point))
    }

    /// A known model's registers. No read splits a point; a scale factor that another read brought than its
    /// value is read again afterwards and must be the same.
    async fn words(
        &mut self,
        act: &'static str,
        def: &ModelDef,
        place: ModelPlace,
    ) -> Result<Vec<u16>, DeviceError> {
        let whole = place.length.saturating_add(2).min(MODEL_MAX);
        let mut words = vec![0; usize::from(whole)];
        let mut known = 0;
        while known < whole {
            let ends = def.locate(&words).into_iter().map(|point| point.offset + point.def.kind.size());
            let reach = known.saturating_add(READ_MAX);
            // What the catalogue does not know, behind a model's last point, has nothing to split.
            let end =
                if whole <= reach { whole } else { ends.filter(|end| *end <= reach).max().unwrap_or(0) };
            let end = if end > known { end } else { reach.min(whole) };
            let part = match known {
                0 => self.session.read(act, place, end).await?,
                _ => self.session.words(act, place.address.saturating_add(known), end - known).await?,
            };
            words[usize::from(known)..usize::from(end)].copy_from_slice(&part);
            let first = std::mem::replace(&mut known, end) == 0;
            if !first && known == whole {
                self.same_scales(act, def, place, &words).await?;
            }
        }
        Ok(words)
    }

    async fn same_scales(
        &mut self,
        act: &'static str,
        def: &ModelDef,
        place: ModelPlace,
        words: &[u16],
    ) -> Result<(), DeviceError> {
        let again = self.session.read(act, place, place.length.saturating_add(2).min(READ_MAX)).await?;
        let scales = def.locate(&again).into_iter().filter(|point| point.def.kind == Kind::Scale);
        let mut changed = scales.filter(|point| {
            let at = usize::from(point.offset);
            words.get(at) != again.get(at)
        });
        match changed.next() {
            None => Ok(()),
            Some(point) => {
                let text = format!("{} of model {} changed while it was read", point.path, place.id);
                Err(self.session.bad(act, text))
            }
        }
    }
}

fn reading(def: &ModelDef, words: &[u16], point: &Located<'_>) -> PointReading {
    let at = usize::from(point.offset);
    let own = words.get(at..at + usize::from(point.def.kind.size())).unwrap_or_default();
    let value = scale_of(def, words, point).and_then(|scale| value(&point.path, point.def.kind, own, scale));
    PointReading {
        path: point.path.clone(),
        value,
        unit: point.def.unit.clone(),
        writable: point.def.writable,
    }
}

/// The point's scale factor; none where it has one that is not implemented.
fn scale_of(def: &ModelDef, words: &[u16], point: &Located<'_>) -> Result<Option<i16>, ValueError> {
    match &point.def.scale {
        Scale::None => Ok(Some(0)),
        Scale::Fixed(power) => Ok(Some(*power)),
        Scale::Point(name) => {
            let points = def.locate(words);
            let scale = points.iter().find(|other| other.path == *name);
            let word = scale.and_then(|scale| words.get(usize::from(scale.offset)));
            word.map_or(Ok(None), |word| check_scale(&point.path, *word))
        }
    }
}

/// `to` as registers of this kind, rounded to what the scale factor can say; none where it does not fit.
fn encode(kind: Kind, scale: i16, to: f64) -> Option<Vec<u16>> {
    if kind == Kind::Float32 {
        let bits = (to as f32).to_bits();
        return to.is_finite().then(|| vec![(bits >> 16) as u16, bits as u16]);
    }
    let raw = (to / 10f64.powi(scale.into())).round();
    let (least, most) = match kind {
        Kind::Uint16 | Kind::Enum16 | Kind::Bitfield16 => (0.0, 65_534.0),
        Kind::Int16 | Kind::Scale => (-32_767.0, 32_767.0),
        Kind::Uint32 | Kind::Bitfield32 => (0.0, 4_294_967_294.0),
        Kind::Int32 => (-2_147_483_647.0, 2_147_483_647.0),
        _ => return None,
    };
    if !(least..=most).contains(&raw) {
        return None;
    }
    let bits = raw as i64;
    Some(match kind.size() {
        1 => vec![bits as u16],
        _ => vec![(bits >> 16) as u16, bits as u16],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, scale: i16, to: f64, expected: Option<&[u16]>) {
        assert_eq!(encode(kind, scale, to).as_deref(), expected, "{to}");
    }

    #[test]
    fn a_number_is_written_as_its_kind_has_it_or_not_at_all() {
        check(Kind::Uint16, -2, 52.5, Some(&[5250]));
        check(Kind::Uint16, -2, 700.0, None);
        check(Kind::Uint16, 0, -1.0, None);
        check(Kind::Int16, -2, -40.0, Some(&[0xF060]));
        check(Kind::Int32, 0, -1.0, Some(&[0xFFFF, 0xFFFF]));
        check(Kind::Uint32, -3, 60.0, Some(&[0, 60_000]));
        check(Kind::Float32, 0, 50.0, Some(&[0x4248, 0]));
        check(Kind::Float32, 0, f64::NAN, None);
        check(Kind::Uint16, 0, f64::NAN, None);
        check(Kind::Text(4), 0, 1.0, None);
    }
}
