//! A model's registers as one read brought them, and what its points say. No guess: what is not
//! implemented is absent, and what can't be right is an error.

use super::points::Point;
use std::fmt;
use thiserror::Error;

/// Scale factors the specification allows, either sign.
const SCALE_MAX: i16 = 10;

/// How a point's registers are to be understood, and what of them says "not implemented".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Unsigned, 0xFFFF when not implemented.
    Uint16,
    /// Signed, 0x8000 when not implemented.
    Int16,
    /// Unsigned of two registers, all ones when not implemented.
    Uint32,
    /// Signed of two registers, 0x80000000 when not implemented.
    Int32,
    /// Unsigned of four registers, all ones when not implemented.
    Uint64,
    /// Counter of two registers; all ones, which no counter reaches, is taken as not implemented.
    Acc32,
    /// Counter of four registers, likewise.
    Acc64,
    /// IEEE 754 of two registers, no number when not implemented.
    Float32,
    /// A choice, 0xFFFF when not implemented.
    Enum16,
    /// Flags, all ones when not implemented.
    Bitfield16,
    /// Flags of two registers, all ones when not implemented.
    Bitfield32,
    /// A scale factor, -10 to 10, 0x8000 when not implemented.
    Scale,
    /// Text of so many registers, empty when not implemented.
    Text(u16),
    /// So many registers that say nothing.
    Skip(u16),
}

impl Kind {
    /// Registers it takes.
    pub const fn size(self) -> u16 {
        match self {
            Self::Uint16 | Self::Int16 | Self::Enum16 | Self::Bitfield16 | Self::Scale => 1,
            Self::Uint32 | Self::Int32 | Self::Acc32 | Self::Float32 | Self::Bitfield32 => 2,
            Self::Uint64 | Self::Acc64 => 4,
            Self::Text(size) | Self::Skip(size) => size,
        }
    }

    /// By its name in the specification; texts with their size, as `string16`.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "uint16" => Self::Uint16,
            "int16" => Self::Int16,
            "uint32" => Self::Uint32,
            "int32" => Self::Int32,
            "uint64" => Self::Uint64,
            "acc32" => Self::Acc32,
            "acc64" => Self::Acc64,
            "float32" => Self::Float32,
            "enum16" => Self::Enum16,
            "bitfield16" => Self::Bitfield16,
            "bitfield32" => Self::Bitfield32,
            "sunssf" => Self::Scale,
            "pad" => Self::Skip(1),
            _ => Self::Text(name.strip_prefix("string")?.parse().ok().filter(|size| *size > 0)?),
        })
    }

    /// The whole number in `words`, which are this point's and no more; none where it is not implemented, is
    /// no number, or does not fit.
    pub(super) fn whole(self, words: &[u16]) -> Option<i64> {
        let bits = words.iter().take(4).fold(0u64, |bits, word| bits << 16 | u64::from(*word));
        let all_ones = u64::MAX.checked_shr(64 - 16 * u32::from(self.size().min(4))).unwrap_or_default();
        let given = |absent: u64| Some(bits).filter(|bits| *bits != absent);
        match self {
            Self::Int16 | Self::Scale => given(0x8000).map(|bits| i64::from(bits as u16 as i16)),
            Self::Int32 => given(0x8000_0000).map(|bits| i64::from(bits as u32 as i32)),
            Self::Float32 | Self::Text(_) | Self::Skip(_) => None,
            _ => given(all_ones).and_then(|bits| i64::try_from(bits).ok()),
        }
    }
}

/// A point that can't be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ValueError {
    /// A scale factor outside -10 to 10.
    #[error("{point} has scale factor {scale}")]
    Scale {
        /// The point it belongs to.
        point: String,
        /// What was read.
        scale: i16,
    },
    /// A value with its scale factor beyond 64 bits of the unit asked for.
    #[error("{point} is {raw} with scale factor {scale}, more than anything can be")]
    TooLarge {
        /// The point.
        point: String,
        /// What was read.
        raw: i64,
        /// What was read.
        scale: i16,
    },
    /// A floating-point number beyond all bounds.
    #[error("{point} is {read}, more than anything can be")]
    NotFinite {
        /// The point.
        point: String,
        /// What was read.
        read: String,
    },
}

/// What a point says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: it is not implemented, or its scale factor isn't.
    Absent,
    /// `raw` times ten to the `scale`.
    Number {
        /// As it stands in the registers.
        raw: i64,
        /// Its scale factor.
        scale: i16,
    },
    /// A floating-point number.
    Float(f32),
    /// Text.
    Text(String),
}

impl fmt::Display for Value {
    /// Exactly, in decimals; nothing where it is absent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => Ok(()),
            Self::Float(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::Number { raw, scale } => {
                let power = 10i128.pow(u32::from(scale.unsigned_abs()));
                let raw = i128::from(*raw);
                if *scale >= 0 {
                    return write!(f, "{}", raw * power);
                }
                let sign = if raw < 0 { "-" } else { "" };
                let (whole, part) = (raw.abs() / power, raw.abs() % power);
                write!(f, "{sign}{whole}.{part:0width$}", width = usize::from(scale.unsigned_abs()))
            }
        }
    }
}

/// What the registers `words` of a point of this kind say, with `scale` as its scale factor (none where that is
/// not implemented).
///
/// # Errors
/// A number that can't be.
pub fn value(point: &str, kind: Kind, words: &[u16], scale: Option<i16>) -> Result<Value, ValueError> {
    Ok(match kind {
        Kind::Text(_) => {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            let text = String::from_utf8_lossy(&bytes);
            let printable = |c: &char| !c.is_control() && *c != char::REPLACEMENT_CHARACTER;
            let text: String = text.trim_end_matches(['\0', ' ']).chars().filter(printable).collect();
            if text.is_empty() {
                Value::Absent
            } else {
                Value::Text(text)
            }
        }
        Kind::Float32 => float(point, words)?.map_or(Value::Absent, Value::Float),
        kind => match (kind.whole(words), scale) {
            (Some(raw), Some(scale)) => Value::Number { raw, scale },
            _ => Value::Absent,
        },
    })
}

fn float(point: &str, words: &[u16]) -> Result<Option<f32>, ValueError> {
    let &[high, low] = words else { return Ok(None) };
    let number = f32::from_bits(u32::from(high) << 16 | u32::from(low));
    match number {
        number if number.is_nan() => Ok(None),
        number if number.is_finite() => Ok(Some(number)),
        number => Err(ValueError::NotFinite { point: point.to_owned(), read: number.to_string() }),
    }
}

/// Whether a scale factor may be so.
///
/// # Errors
/// One outside -10 to 10.
pub fn check_scale(point: &str, word: u16) -> Result<Option<i16>, ValueError> {
    match word.cast_signed() {
        i16::MIN => Ok(None),
        scale if scale.abs() <= SCALE_MAX => Ok(Some(scale)),
        scale => Err(ValueError::Scale { point: point.to_owned(), scale }),
    }
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

    /// The model's identifier.
    pub fn id(&self) -> u16 {
        self.words.first().copied().unwrap_or_default()
    }

    /// All of them, the ID first.
    pub fn words(&self) -> &[u16] {
        &self.words
    }

    /// The point's own registers; none where it lies beyond the model's end, in part or whole.
    pub fn of(&self, point: &Point) -> Option<&[u16]> {
        let start = usize::from(point.offset);
        self.words.get(start..start + usize::from(point.kind.size()))
    }

    /// The point's registers as a whole number; none where it is not implemented or beyond the model's end.
    ///
    /// A counter of zero is taken as zero although the specification also has it mean "not
    /// accumulated": a new meter reads so. All ones, which no counter reaches, is taken as absent.
    pub fn raw(&self, point: &Point) -> Option<i64> {
        point.kind.whole(self.of(point)?)
    }

    /// The point's scale factor: zero for a point without one; none where it is not implemented,
    /// and then the value says nothing either.
    ///
    /// # Errors
    /// A scale factor outside -10 to 10.
    pub fn scale(&self, point: &Point) -> Result<Option<i16>, ValueError> {
        let Some(offset) = point.scale else { return Ok(Some(0)) };
        let Some(word) = self.words.get(usize::from(offset)) else { return Ok(None) };
        check_scale(point.name, *word)
    }

    /// The point's value in units of which `per_unit` make one of the specification's (1000 for
    /// milliwatts from watts), rounded half away from zero; none where not implemented.
    ///
    /// # Errors
    /// A scale factor outside -10 to 10, or a value that does not fit.
    pub fn scaled(&self, point: &Point, per_unit: i64) -> Result<Option<i64>, ValueError> {
        if point.kind == Kind::Float32 {
            return self.scaled_float(point, per_unit);
        }
        let (Some(raw), Some(scale)) = (self.raw(point), self.scale(point)?) else { return Ok(None) };
        let exact = i128::from(raw) * i128::from(per_unit);
        let power = 10i128.pow(u32::from(scale.unsigned_abs()));
        let too_large = || ValueError::TooLarge { point: point.name.to_owned(), raw, scale };
        let value = if scale >= 0 {
            exact.checked_mul(power).ok_or_else(too_large)?
        } else {
            (exact + power / 2 * exact.signum()) / power
        };
        i64::try_from(value).map(Some).map_err(|_| too_large())
    }

    fn scaled_float(&self, point: &Point, per_unit: i64) -> Result<Option<i64>, ValueError> {
        let Some(number) = self.of(point).map_or(Ok(None), |words| float(point.name, words))? else {
            return Ok(None);
        };
        let scaled = (f64::from(number) * per_unit as f64).round();
        // Well within 64 bits, so that the cast is exact but for the float's own coarseness.
        if scaled.abs() >= 9e18 {
            return Err(ValueError::NotFinite { point: point.name.to_owned(), read: number.to_string() });
        }
        Ok(Some(scaled as i64))
    }
}

#[cfg(test)]
mod tests;
