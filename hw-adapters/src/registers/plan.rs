//! Which registers are read together, and what they mean: no read splits a point, and registers that are no number
//! are no number.

use crate::template::{believable, PointName, RegisterKind, RegisterPoint, RegisterTemplate};
use std::collections::BTreeMap;
use thiserror::Error;

/// Registers read for nothing between two points, at most: another request would take longer.
const GAP_MAX: u16 = 24;

/// One request: from which address on, how many registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The first register's address.
    pub start: u16,
    /// How many.
    pub count: u16,
}

/// Registers that are no value.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum RegisterError {
    /// Not read, or the answer was too short.
    #[error("{0} was not among what was read")]
    Unread(&'static str),
    /// No number, or one that can't be right.
    #[error("{point} of {value} can't be right")]
    Unbelievable {
        /// The point.
        point: &'static str,
        /// What the registers say, scaled, in the template's unit.
        value: f64,
    },
}

/// The requests that bring every point, in order of address.
pub fn reads(template: &RegisterTemplate) -> Vec<Read> {
    let mut spans: Vec<(u32, u32)> = template
        .points
        .values()
        .map(|point| (u32::from(point.address), u32::from(point.address) + u32::from(point.kind.registers())))
        .collect();
    spans.sort_unstable();
    let mut joined: Vec<(u32, u32)> = Vec::new();
    for (start, end) in spans {
        match joined.last_mut() {
            Some((first, last))
                if start <= *last + u32::from(GAP_MAX) && end - *first <= u32::from(template.read_max) =>
            {
                *last = end.max(*last);
            }
            _ => joined.push((start, end)),
        }
    }
    let read = |(start, end): (u32, u32)| {
        Some(Read { start: u16::try_from(start).ok()?, count: u16::try_from(end - start).ok()? })
    };
    joined.into_iter().filter_map(read).collect()
}

/// A point's value in milliwatts or millijoules, from what each request brought.
///
/// # Errors
/// Registers that are no value.
pub fn value(
    name: PointName,
    point: &RegisterPoint,
    brought: &BTreeMap<u16, Vec<u16>>,
) -> Result<i64, RegisterError> {
    let words = brought.iter().rev().find_map(|(start, words)| {
        let first = usize::from(point.address.checked_sub(*start)?);
        words.get(first..first + usize::from(point.kind.registers()))
    });
    let words = words.ok_or(RegisterError::Unread(name.word()))?;
    let number = number(point.kind, words).ok_or(RegisterError::Unread(name.word()))?;
    let scaled = number * point.scale;
    let thousandths = point.unit.thousandths(scaled).round();
    if !believable(name.quantity()).contains(&thousandths) {
        return Err(RegisterError::Unbelievable { point: name.word(), value: scaled });
    }
    Ok(thousandths as i64)
}

fn number(kind: RegisterKind, words: &[u16]) -> Option<f64> {
    let bits = |words: &[u16]| words.iter().fold(0_u64, |bits, word| bits << 16 | u64::from(*word));
    Some(match (kind, words) {
        (RegisterKind::Uint16, [word]) => f64::from(*word),
        (RegisterKind::Int16, [word]) => f64::from(word.cast_signed()),
        (RegisterKind::Uint32, [_, _]) => bits(words) as f64,
        (RegisterKind::Int32, [_, _]) => f64::from((bits(words) as u32).cast_signed()),
        (RegisterKind::Float32, [_, _]) => f64::from(f32::from_bits(bits(words) as u32)),
        (RegisterKind::Float32Swapped, [low, high]) => f64::from(f32::from_bits(bits(&[*high, *low]) as u32)),
        (RegisterKind::Uint64, [_, _, _, _]) => bits(words) as f64,
        (RegisterKind::Int64, [_, _, _, _]) => bits(words).cast_signed() as f64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Catalogue, Unit};
    use proptest::prelude::*;

    fn eastron() -> RegisterTemplate {
        Catalogue::built_in().unwrap().get("eastron-sdm630").unwrap().registers.clone().unwrap()
    }

    #[test]
    fn points_near_each_other_are_read_at_once_and_none_is_split() {
        assert_eq!(reads(&eastron()), [Read { start: 0x34, count: 24 }]);
        let mut short = eastron();
        short.read_max = 4;
        assert_eq!(reads(&short), [Read { start: 0x34, count: 2 }, Read { start: 0x48, count: 4 }]);
    }

    fn check(kind: RegisterKind, words: &[u16], expected: Option<i64>) {
        let point = RegisterPoint { address: 10, kind, unit: Unit::W, scale: 1.0 };
        let brought = BTreeMap::from([(8, [&[7, 7][..], words].concat())]);
        assert_eq!(value(PointName::Power, &point, &brought).ok(), expected, "{kind:?} {words:?}");
    }

    #[test]
    fn registers_are_numbers_or_nothing() {
        check(RegisterKind::Uint16, &[0xFFFF], Some(65_535_000));
        check(RegisterKind::Int16, &[0xFFFF], Some(-1_000));
        check(RegisterKind::Int32, &[0xFFFF, 0xFFFE], Some(-2_000));
        // 230.2 as the meter's manual gives it: 43 66 33 33.
        check(RegisterKind::Float32, &[0x4366, 0x3333], Some(230_200));
        check(RegisterKind::Float32Swapped, &[0x3333, 0x4366], Some(230_200));
        check(RegisterKind::Float32, &[0x7FC0, 0x0000], None);
        check(RegisterKind::Float32, &[0xFF80, 0x0000], None);
        check(RegisterKind::Float32, &[0x7F7F, 0xFFFF], None);
        check(RegisterKind::Uint64, &[0, 0, 0, 5], Some(5_000));
        check(RegisterKind::Uint32, &[1], None);
    }

    proptest! {
        #[test]
        fn any_registers_are_a_value_or_refused(words in prop::collection::vec(any::<u16>(), 0..40)) {
            let template = eastron();
            for (name, point) in &template.points {
                let _ = value(*name, point, &BTreeMap::from([(0x34, words.clone())]));
            }
        }
    }
}
