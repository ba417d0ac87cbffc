//! Which answers pass and which are refused, in one piece and byte by byte.

use super::*;
use proptest::prelude::*;

/// With its checksum.
fn rtu(bytes: &[u8]) -> Vec<u8> {
    [bytes, &crc16(bytes).to_le_bytes()].concat()
}

/// With transaction 7.
fn tcp(bytes: &[u8]) -> Vec<u8> {
    [&[0, 7, 0, 0, 0, bytes.len() as u8], bytes].concat()
}

/// What comes of `answer` to `request`, in one piece and byte by byte.
fn check(framing: Framing, request: &[u8], answer: &[u8], expected: Result<Option<Vec<u8>>, GuardError>) {
    let mut guard = Guard::new(framing);
    guard.asked(request);
    assert_eq!(guard.feed(answer), expected, "{answer:02x?}");
    guard.asked(request);
    let mut last = Ok(None);
    for byte in answer {
        last = guard.feed(&[*byte]);
        if last != Ok(None) {
            break;
        }
    }
    let same = last == expected || matches!((&last, &expected), (Ok(Some(_)) | Err(_), Err(_)));
    assert!(same, "{answer:02x?}: {last:02x?}");
}

const READ: [u8; 6] = [1, 3, 0x9c, 0x40, 0, 2];
const FOUND: [u8; 7] = [1, 3, 4, 0x53, 0x75, 0x6e, 0x53];

#[test]
fn the_specifications_example_has_its_checksum() {
    assert_eq!(rtu(&[2, 7]), [2, 7, 0x41, 0x12]);
}

#[test]
fn a_whole_answer_to_what_was_asked_passes() {
    check(Framing::Rtu, &rtu(&READ), &rtu(&FOUND), Ok(Some(rtu(&FOUND))));
    check(Framing::Tcp, &tcp(&READ), &tcp(&FOUND), Ok(Some(tcp(&FOUND))));
    check(Framing::Tcp, &tcp(&READ), &tcp(&[1, 0x83, 2]), Ok(Some(tcp(&[1, 0x83, 2]))));
    let (write, done) = ([1, 16, 0, 1, 0, 1, 2, 0, 5], [1, 16, 0, 1, 0, 1]);
    check(Framing::Rtu, &rtu(&write), &rtu(&done), Ok(Some(rtu(&done))));
    check(Framing::Tcp, &tcp(&write), &tcp(&done), Ok(Some(tcp(&done))));
}

#[test]
fn half_an_answer_is_none_yet() {
    let (whole, long) = (rtu(&FOUND), tcp(&FOUND));
    check(Framing::Rtu, &rtu(&READ), &whole[..5], Ok(None));
    check(Framing::Tcp, &tcp(&READ), &long[..9], Ok(None));
    check(Framing::Tcp, &tcp(&READ), &[], Ok(None));
}

#[test]
fn an_adapters_echo_is_passed_over() {
    let answer = [rtu(&READ), rtu(&FOUND)].concat();
    check(Framing::Rtu, &rtu(&READ), &answer, Ok(Some(rtu(&FOUND))));
    let (write, done) = (rtu(&[1, 16, 0, 1, 0, 1, 2, 0, 5]), rtu(&[1, 16, 0, 1, 0, 1]));
    check(Framing::Rtu, &write, &[write.clone(), done.clone()].concat(), Ok(Some(done)));
    check(Framing::Rtu, &rtu(&READ), &rtu(&READ), Ok(None));
}

#[test]
fn what_can_t_be_the_answer_is_refused_by_name() {
    let refused = |answer: &[u8], expected| check(Framing::Tcp, &tcp(&READ), answer, Err(expected));
    refused(&tcp(&[2, 3, 4, 0, 0, 0, 0]), GuardError::Unit { asked: 1, read: 2 });
    refused(&tcp(&[1, 4, 4, 0, 0, 0, 0]), GuardError::Function { asked: 3, read: 4 });
    refused(&tcp(&[1, 3, 2, 0, 0]), GuardError::Length { expected: 4, read: 2 });
    refused(&tcp(&[1, 3, 4, 0, 0, 0, 0, 9]), GuardError::Length { expected: 13, read: 14 });
    refused(&[0, 8, 0, 0, 0, 7], GuardError::Transaction { asked: 7, read: 8 });
    refused(&[0, 7, 0, 1, 0, 7], GuardError::Header { protocol: 1, length: 7 });
    refused(&[0, 7, 0, 0, 1, 7], GuardError::Header { protocol: 0, length: 263 });
    refused(&[tcp(&FOUND), vec![0]].concat(), GuardError::Length { expected: 13, read: 14 });
    let mut noisy = rtu(&FOUND);
    noisy[4] ^= 8;
    let mut guard = Guard::new(Framing::Rtu);
    guard.asked(&rtu(&READ));
    assert!(matches!(guard.feed(&noisy), Err(GuardError::Checksum { .. })));
    let write = tcp(&[1, 16, 0, 1, 0, 1, 2, 0, 5]);
    check(Framing::Tcp, &write, &tcp(&[1, 16, 0, 2, 0, 1]), Err(GuardError::Confirmation));
    assert_eq!(Guard::new(Framing::Tcp).feed(&[0]), Err(GuardError::Unasked));
}

proptest! {
    #[test]
    fn nothing_passes_that_is_not_whole_and_sound(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..5], 0..300), cut in 0usize..300, serial in any::<bool>()
    ) {
        let framing = if serial { Framing::Rtu } else { Framing::Tcp };
        let request = if serial { rtu(&READ) } else { tcp(&READ) };
        let mut guard = Guard::new(framing);
        guard.asked(&request);
        let (first, rest) = bytes.split_at(cut.min(bytes.len()));
        let passed = match guard.feed(first) {
            Ok(None) => guard.feed(rest),
            other => other,
        };
        if let Ok(Some(frame)) = passed {
            let sound = if serial { checksum_of(&frame).is_ok() } else { frame[..2] == [0, 7] };
            prop_assert!(sound && (frame.len() == 5 || frame.len() == 9 || frame.len() == 13), "{frame:02x?}");
        }
    }
}
