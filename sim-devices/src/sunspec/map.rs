//! A device's register map: the marker, its models in a chain, the end. Points not given read as not
//! implemented.

use super::models::{Kind, Model};
use market::units::Milliwatt;

/// Where the map begins.
pub const BASE: u16 = 40_000;

const MARKER: [u16; 2] = [0x5375, 0x6E53];
const END: [u16; 2] = [0xFFFF, 0];

/// A point's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A number as it stands in the registers, bounded to what fits; counters begin again.
    Number(i64),
    /// A floating-point number.
    Float(f64),
    /// Text, cut to what fits.
    Text(&'a str),
}

impl<T: Into<i64>> From<T> for Value<'_> {
    fn from(number: T) -> Self {
        Self::Number(number.into())
    }
}

/// A map under construction, and then as read.
#[derive(Clone, Debug)]
pub struct Map {
    words: Vec<u16>,
    models: Vec<(usize, &'static Model)>,
}

impl Map {
    /// A map with the common model, under which a device says who made it.
    pub fn of(common: &'static Model, model: &str, serial: &str) -> Self {
        let words = [&MARKER[..], &END[..]].concat();
        let made = [
            ("Mn", Value::Text("gridpact")),
            ("Md", Value::Text(model)),
            ("Vr", Value::Text(env!("CARGO_PKG_VERSION"))),
            ("SN", Value::Text(serial)),
            ("DA", Value::Number(1)),
        ];
        Self { words, models: Vec::new() }.with(common, &made)
    }

    /// With one more model. Every name must be one of its points.
    pub fn with(self, model: &'static Model, values: &[(&str, Value<'_>)]) -> Self {
        self.with_as(model, model.id, values)
    }

    /// With one more model under the identifier `id`, whose layout is the same.
    pub fn with_as(mut self, model: &'static Model, id: u16, values: &[(&str, Value<'_>)]) -> Self {
        debug_assert!(
            values.iter().all(|(name, _)| model.points.iter().any(|(n, _)| n == name)),
            "{values:?}"
        );
        self.words.truncate(self.words.len() - END.len());
        self.models.push((self.words.len(), model));
        self.words.extend([id, model.length()]);
        for (name, kind) in model.points {
            match values.iter().find(|(given, _)| given == name) {
                Some((_, value)) => self.words.extend(encode(*kind, *value)),
                None => self.words.extend(kind.absent()),
            }
        }
        self.words.extend(END);
        self
    }

    /// The registers asked for; none where one of them does not exist.
    pub fn read(&self, start: u16, count: u16) -> Option<Vec<u16>> {
        let first = usize::from(start.checked_sub(BASE)?);
        self.words.get(first..first + usize::from(count)).map(<[u16]>::to_vec)
    }

    /// What a write of `words` at `start` sets, point by point; none where it begins or ends within a point, or
    /// sets what is none.
    pub fn written(&self, start: u16, words: &[u16]) -> Option<Vec<(u16, &'static str, i64)>> {
        let (mut at, mut left) = (start, words);
        let mut written = Vec::new();
        while !left.is_empty() {
            let (model, name, kind) = self.point(at)?;
            let size = kind.size();
            let (own, rest) = left.split_at_checked(usize::from(size))?;
            written.push((model.id, name, kind.number(own)));
            left = rest;
            at = at.checked_add(size)?;
        }
        Some(written)
    }

    /// The model and point whose first register stands at `address`.
    fn point(&self, address: u16) -> Option<(&'static Model, &'static str, Kind)> {
        let at = usize::from(address.checked_sub(BASE)?);
        let (start, model) = self.models.iter().rfind(|(start, _)| *start <= at)?;
        let mut offset = *start + 2;
        model.points.iter().find_map(|(name, kind)| {
            let here = offset == at;
            offset += usize::from(kind.size());
            here.then_some((*model, *name, *kind))
        })
    }
}

fn encode(kind: Kind, value: Value<'_>) -> Vec<u16> {
    match (kind, value) {
        (Kind::Text(size), Value::Text(text)) => {
            let mut bytes = text.as_bytes().to_vec();
            bytes.resize(2 * usize::from(size), 0);
            bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
        }
        (Kind::Uint16, Value::Number(n)) => vec![n.clamp(0, 0xFFFE) as u16],
        (Kind::Int16, Value::Number(n)) => vec![(n.clamp(-0x7FFF, 0x7FFF) as i16).cast_unsigned()],
        (Kind::Uint32, Value::Number(n)) => halves(n.clamp(0, 0xFFFF_FFFE) as u64, 2),
        (Kind::Acc32, Value::Number(n)) => halves(n.rem_euclid(0xFFFF_FFFF) as u64, 2),
        (Kind::Acc64, Value::Number(n)) => halves(n.max(0) as u64, 4),
        (Kind::Int32, Value::Number(n)) => {
            halves(n.clamp(-0x7FFF_FFFF, 0x7FFF_FFFF).cast_unsigned() & 0xFFFF_FFFF, 2)
        }
        (Kind::Uint64, Value::Number(n)) => halves(n.max(0) as u64, 4),
        (Kind::Float32, Value::Number(n)) => halves((n as f32).to_bits().into(), 2),
        (Kind::Float32, Value::Float(n)) => halves((n as f32).to_bits().into(), 2),
        (kind, _) => kind.absent(),
    }
}

fn halves(value: u64, count: u32) -> Vec<u16> {
    (0..count).rev().map(|n| (value >> (16 * n)) as u16).collect()
}

/// The scale factor at which powers up to `most` fit a signed register, at least whole watts.
pub fn watt_scale(most: Milliwatt) -> i16 {
    (0..10).find(|scale| most.0 / 1000 / 10i64.pow(*scale) <= 32_000).unwrap_or(10) as i16
}

/// `power` in watts at `scale`, rounded half away from zero.
pub fn watts(power: Milliwatt, scale: i16) -> i64 {
    let unit = 1000 * 10i64.pow(u32::from(scale.unsigned_abs()));
    (power.0 + unit / 2 * power.0.signum()) / unit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sunspec::models::{der, COMMON, CONTROLS, INVERTER, METER, NAMEPLATE, STATUS, STORAGE};

    #[test]
    fn models_are_as_long_as_the_specification_says() {
        let models = [&COMMON, &INVERTER, &NAMEPLATE, &STATUS, &CONTROLS, &STORAGE, &METER];
        let lengths = models.map(|model| (model.id, model.length()));
        let expected = [(1, 66), (103, 50), (120, 26), (122, 44), (123, 24), (124, 24), (203, 105)];
        assert_eq!(lengths, expected);
        let der = [
            &der::SETTINGS,
            &der::FLOAT_INVERTER,
            &der::FLOAT_METER,
            &der::MEASUREMENT,
            &der::CAPACITY,
            &der::ENTER_SERVICE,
            &der::DER_CONTROL,
            &der::DER_STORAGE,
            &der::BATTERY,
        ];
        let lengths = der.map(|model| (model.id, model.length()));
        let expected = [
            (121, 30),
            (113, 60),
            (213, 124),
            (701, 153),
            (702, 50),
            (703, 17),
            (704, 65),
            (713, 7),
            (802, 62),
        ];
        assert_eq!(lengths, expected);
    }

    #[test]
    fn functions_models_are_as_long_as_the_specification_says_for_two_curves_of_four_points() {
        use crate::sunspec::models::curves as c;
        let models = [
            &c::VOLT_VAR,
            &c::VOLT_WATT,
            &c::TRIP_LV,
            &c::TRIP_HV,
            &c::TRIP_LF,
            &c::TRIP_HF,
            &c::FREQ_DROOP,
            &c::WATT_VAR,
            &c::MEASURE_DC,
            &c::DER_CTL,
        ];
        let lengths = models.map(|model| (model.id, model.length()));
        let expected = [
            (705, 49),
            (706, 39),
            (707, 87),
            (708, 87),
            (709, 111),
            (710, 111),
            (711, 32),
            (712, 36),
            (714, 43),
            (715, 7),
        ];
        assert_eq!(lengths, expected);
    }

    #[test]
    fn addresses_name_the_points_that_begin_there() {
        let map = Map::of(&COMMON, "inverter", "1").with(&CONTROLS, &[]);
        let start = BASE + 2 + 68;
        let name = |address| map.point(address).map(|(model, name, _)| (model.id, name));
        assert_eq!(name(start + 5), Some((123, "WMaxLimPct")));
        assert_eq!(name(start + 25), Some((123, "VArPct_SF")));
        assert_eq!(name(start + 26), None);
        assert_eq!(name(start), None);
        assert_eq!(name(BASE + 5), None);
        assert_eq!(name(0), None);
        assert_eq!(map.read(start + 26, 2), Some(END.to_vec()));
        assert_eq!(map.read(start + 26, 3), None);
    }

    #[test]
    fn a_write_sets_whole_points() {
        let map = Map::of(&COMMON, "inverter", "1").with(&der::DER_CONTROL, &[]);
        let start = BASE + 2 + 68;
        let check = |offset, words: &[u16], expected: Option<&[(u16, &'static str, i64)]>| {
            assert_eq!(map.written(start + offset, words).as_deref(), expected);
        };
        check(24, &[0xFFFF, 0xFFFE], Some(&[(704, "WSet", -2)]));
        check(14, &[1, 5000], Some(&[(704, "WMaxLimPctEna", 1), (704, "WMaxLimPct", 5000)]));
        check(24, &[0], None);
        check(25, &[0], None);
        check(0, &[0], None);
        check(66, &[0, 0], None);
    }

    #[test]
    fn powers_take_the_finest_scale_that_fits() {
        for (most_w, scale) in [(5000, 0), (32_000, 0), (33_000, 1), (400_000, 2)] {
            assert_eq!(watt_scale(Milliwatt(most_w * 1000)), scale);
        }
        assert_eq!(watts(Milliwatt(-1500), 0), -2);
        assert_eq!(watts(Milliwatt(1_234_567), 1), 123);
    }
}
