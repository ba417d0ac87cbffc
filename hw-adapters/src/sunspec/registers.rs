//! A model's registers as one read brought them, and what its points say. No guess: what is not
//! implemented is absent, and what can't be right is an error.

use super::points::{Point, PointType};
use thiserror::Error;

/// Scale factors the specification allows, either sign.
const SCALE_MAX: i16 = 10;

/// A point that can't be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ValueError {
    /// A scale factor outside -10 to 10.
    #[error("{point} has scale factor {scale}")]
    Scale {
        /// The point it belongs to.
        point: &'static str,
        /// What was read.
        scale: i16,
    },
    /// A value with its scale factor beyond 64 bits of the unit asked for.
    #[error("{point} is {raw} with scale factor {scale}, more than anything can be")]
    TooLarge {
        /// The point.
        point: &'static str,
        /// What was read.
        raw: i64,
        /// What was read.
        scale: i16,
    },
}

/// Registers from a model's ID on, as far as the device gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRegisters {
    words: Vec<u16>,
}

impl ModelRegisters {
    /// From the words of one read, beginning with the model's ID.
    pub fn new(words: Vec<u16>) -> Self {
        Self { words }
    }

    /// The point's registers as a number; none where it is not implemented or beyond the model's end.
    ///
    /// A counter of zero is taken as zero although the specification also has it mean "not
    /// accumulated": a new meter reads so. All ones, which no counter reaches, is taken as absent.
    pub fn raw(&self, point: &Point) -> Option<i64> {
        let word = |n: u16| self.words.get(usize::from(point.offset + n)).copied();
        match point.kind {
            PointType::Uint16 => word(0).filter(|w| *w != u16::MAX).map(i64::from),
            PointType::Int16 => word(0).map(u16::cast_signed).filter(|w| *w != i16::MIN).map(i64::from),
            PointType::Acc32 => {
                let value = u32::from(word(0)?) << 16 | u32::from(word(1)?);
                (value != u32::MAX).then_some(i64::from(value))
            }
        }
    }

    /// The point's scale factor: zero for a point without one; none where it is not implemented,
    /// and then the value says nothing either.
    ///
    /// # Errors
    /// A scale factor outside -10 to 10.
    pub fn scale(&self, point: &Point) -> Result<Option<i16>, ValueError> {
        let Some(offset) = point.scale else { return Ok(Some(0)) };
        let Some(scale) = self.words.get(usize::from(offset)).map(|w| w.cast_signed()) else {
            return Ok(None);
        };
        match scale {
            i16::MIN => Ok(None),
            scale if scale.abs() <= SCALE_MAX => Ok(Some(scale)),
            scale => Err(ValueError::Scale { point: point.name, scale }),
        }
    }

    /// The point's value in units of which `per_unit` make one of the specification's (1000 for
    /// milliwatts from watts), rounded half away from zero; none where not implemented.
    ///
    /// # Errors
    /// A scale factor outside -10 to 10, or a value that does not fit.
    pub fn scaled(&self, point: &Point, per_unit: i64) -> Result<Option<i64>, ValueError> {
        let (Some(raw), Some(scale)) = (self.raw(point), self.scale(point)?) else { return Ok(None) };
        let exact = i128::from(raw) * i128::from(per_unit);
        let power = 10i128.pow(u32::from(scale.unsigned_abs()));
        let value = if scale >= 0 { exact * power } else { (exact + power / 2 * exact.signum()) / power };
        i64::try_from(value).map(Some).map_err(|_| ValueError::TooLarge { point: point.name, raw, scale })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sunspec::points::{inverter, meter};
    use proptest::prelude::*;

    fn check(words: &[(u16, u16)], point: &Point, expected: Result<Option<i64>, ValueError>) {
        let mut image = vec![0; 107];
        for (offset, word) in words {
            image[usize::from(*offset)] = *word;
        }
        assert_eq!(ModelRegisters::new(image).scaled(point, 1000), expected);
    }

    #[test]
    fn a_value_is_raw_times_ten_to_its_scale_factor() {
        check(&[(14, 368), (15, 1)], &inverter::W, Ok(Some(3_680_000)));
        check(
            &[(14, (-25i16).cast_unsigned()), (15, (-1i16).cast_unsigned())],
            &inverter::W,
            Ok(Some(-2500)),
        );
        check(&[(14, 15), (15, (-4i16).cast_unsigned())], &inverter::W, Ok(Some(2)));
        check(&[(46, 1), (47, 2), (54, 0)], &meter::TOT_WH_IMP, Ok(Some(65_538_000)));
    }

    #[test]
    fn what_is_not_implemented_is_absent() {
        check(&[(14, 0x8000), (15, 1)], &inverter::W, Ok(None));
        check(&[(14, 368), (15, 0x8000)], &inverter::W, Ok(None));
        check(&[(46, 0xFFFF), (47, 0xFFFF)], &meter::TOT_WH_IMP, Ok(None));
        check(&[], &Point { offset: 200, ..inverter::W }, Ok(None));
    }

    #[test]
    fn a_scale_factor_beyond_ten_is_refused() {
        for scale in [11, -11, 300] {
            let word = i16::cast_unsigned(scale);
            check(&[(14, 1), (15, word)], &inverter::W, Err(ValueError::Scale { point: "W", scale }));
        }
    }

    #[test]
    fn a_value_beyond_all_bounds_is_refused() {
        let words = [(46, 0xFFFF), (54, 10)];
        let raw = 0xFFFF_0000;
        check(&words, &meter::TOT_WH_IMP, Err(ValueError::TooLarge { point: "TotWhImp", raw, scale: 10 }));
    }

    proptest! {
        #[test]
        fn no_registers_panic(words in prop::collection::vec(any::<u16>(), 0..120), per_unit in 1i64..=3_600_000) {
            let registers = ModelRegisters::new(words);
            for point in [inverter::W, inverter::WH, meter::W, meter::TOT_WH_EXP] {
                if let Ok(Some(_)) = registers.scaled(&point, per_unit) {
                    prop_assert!(registers.raw(&point).is_some());
                }
            }
        }
    }
}
