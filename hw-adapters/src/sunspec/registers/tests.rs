//! What registers say, and what they must not be taken to say.

use super::*;
use crate::sunspec::points::{inverter, inverter_float, meter};
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
    check(&[(14, (-25i16).cast_unsigned()), (15, (-1i16).cast_unsigned())], &inverter::W, Ok(Some(-2500)));
    check(&[(14, 15), (15, (-4i16).cast_unsigned())], &inverter::W, Ok(Some(2)));
    check(&[(46, 1), (47, 2), (54, 0)], &meter::TOT_WH_IMP, Ok(Some(65_538_000)));
    check(&[(22, 0xC4AC), (23, 0x4000)], &inverter_float::W, Ok(Some(-1_378_000)));
}

#[test]
fn what_is_not_implemented_is_absent() {
    check(&[(14, 0x8000), (15, 1)], &inverter::W, Ok(None));
    check(&[(14, 368), (15, 0x8000)], &inverter::W, Ok(None));
    check(&[(46, 0xFFFF), (47, 0xFFFF)], &meter::TOT_WH_IMP, Ok(None));
    check(&[], &Point { offset: 200, ..inverter::W }, Ok(None));
    check(&[(22, 0x7FC0), (23, 0)], &inverter_float::W, Ok(None));
    // Half of it beyond the end.
    check(&[], &Point { offset: 106, ..meter::TOT_WH_IMP }, Ok(None));
}

#[test]
fn a_scale_factor_beyond_ten_is_refused() {
    for scale in [11, -11, 300] {
        let word = i16::cast_unsigned(scale);
        check(&[(14, 1), (15, word)], &inverter::W, Err(ValueError::Scale { point: "W".into(), scale }));
    }
}

#[test]
fn a_value_beyond_all_bounds_is_refused() {
    let words = [(46, 0xFFFF), (54, 10)];
    let raw = 0xFFFF_0000;
    let point = || "TotWhImp".to_owned();
    check(&words, &meter::TOT_WH_IMP, Err(ValueError::TooLarge { point: point(), raw, scale: 10 }));
    let infinite = ValueError::NotFinite { point: "W".into(), read: "inf".into() };
    check(&[(22, 0x7F80), (23, 0)], &inverter_float::W, Err(infinite));
}

fn check_shown(kind: Kind, words: &[u16], scale: Option<i16>, expected: &str) {
    assert_eq!(value("p", kind, words, scale).unwrap().to_string(), expected);
}

#[test]
fn a_value_is_shown_exactly() {
    check_shown(Kind::Int16, &[(-5i16).cast_unsigned()], Some(-1), "-0.5");
    check_shown(Kind::Int16, &[25], Some(2), "2500");
    check_shown(Kind::Uint32, &[0, 60_000], Some(-3), "60.000");
    check_shown(Kind::Uint64, &[0, 0, 1, 0], Some(0), "65536");
    check_shown(Kind::Uint16, &[7], None, "");
    check_shown(Kind::Enum16, &[0xFFFF], Some(0), "");
    check_shown(Kind::Text(3), &[0x534D, 0x4120, 0], None, "SMA");
    check_shown(Kind::Float32, &[0x4248, 0], None, "50");
}

proptest! {
    #[test]
    fn no_registers_panic(words in prop::collection::vec(any::<u16>(), 0..130), per_unit in 1i64..=3_600_000) {
        let registers = ModelRegisters::new(words);
        for point in [inverter::W, inverter::WH, meter::W, meter::TOT_WH_EXP, inverter_float::W] {
            let _ = registers.raw(&point);
            let _ = registers.scaled(&point, per_unit);
        }
    }
}
