//! What is fuzzed, as functions of bytes that panic where something must not be. The `cargo fuzz` targets under
//! `fuzz/` include this file.

use hw_adapters::modbus::guard::{crc16, Framing, Guard};
use hw_adapters::sunspec::points::{controls, der, inverter, inverter_float, meter, nameplate};
use hw_adapters::sunspec::registers::{check_scale, value};
use hw_adapters::sunspec::{catalog, Discovery, ModelRegisters, Step, BASES, MODELS_MAX};

/// Most registers one request may read.
const READ_MAX: usize = 125;

/// An answer to a request, in pieces: what passes is a whole and sound frame to what was asked.
///
/// The first bytes say which framing and request, and where the answer is cut; the rest is the answer, whose
/// checksum, where it has one, is made right for every other input.
pub fn modbus_reply(data: &[u8]) {
    let [how, function, count, cut, rest @ ..] = data else { return };
    let framing = if how & 1 == 0 { Framing::Tcp } else { Framing::Rtu };
    let function = [3, 4, 16][usize::from(function % 3)];
    let mut pdu = vec![function, 0x9c, 0x40, 0, count % 126];
    if function == 16 {
        pdu.push(count % 126 * 2);
        pdu.resize(6 + usize::from(count % 126) * 2, 7);
    }
    let request = frame(framing, 1, &pdu);
    let mut answer = rest.to_vec();
    if how & 2 == 2 {
        answer = frame(framing, 1, rest);
    }
    let mut guard = Guard::new(framing);
    guard.asked(&request);
    let (first, second) = answer.split_at(usize::from(*cut).min(answer.len()));
    let passed = match guard.feed(first) {
        Ok(None) => guard.feed(second),
        other => other,
    };
    let Ok(Some(passed)) = passed else { return };
    let body = match framing {
        Framing::Tcp => {
            assert_eq!(passed[..4], request[..4]);
            assert_eq!(usize::from(u16::from_be_bytes([passed[4], passed[5]])), passed.len() - 6);
            &passed[6..]
        }
        Framing::Rtu => {
            let (body, sum) = passed.split_at(passed.len() - 2);
            assert_eq!(crc16(body).to_le_bytes(), sum);
            body
        }
    };
    assert_eq!(body[0], 1);
    match body[1] {
        16 if function == 16 => assert_eq!(body[2..], pdu[1..5]),
        code if code == function => assert_eq!(body.len(), 3 + 2 * usize::from(count % 126)),
        code => assert_eq!((code, body.len()), (function | 0x80, 3)),
    }
}

fn frame(framing: Framing, unit: u8, pdu: &[u8]) -> Vec<u8> {
    let body = [&[unit], pdu].concat();
    match framing {
        Framing::Tcp => [&[0, 7, 0, 0], &(body.len() as u16).to_be_bytes()[..], &body].concat(),
        Framing::Rtu => [&body[..], &crc16(&body).to_le_bytes()].concat(),
    }
}

/// A device's registers from one of the bases on: its chain is walked in bounded reads, and every model in it is
/// read as something that can be, or refused.
pub fn sunspec_map(data: &[u8]) {
    let [base, rest @ ..] = data else { return };
    let base = BASES[usize::from(*base) % BASES.len()];
    let mut words = vec![0x5375, 0x6E53];
    words.extend(rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])));
    let at = |address: u16, count: usize| {
        let start = usize::from(address.checked_sub(base)?);
        words.get(start..start + count)
    };
    let mut discovery = Discovery::default();
    let (mut step, mut reads) = (discovery.start(), 0);
    let models = loop {
        match step {
            Step::Found(models) => break models,
            Step::Read(address) => {
                reads += 1;
                assert!(reads <= BASES.len() + MODELS_MAX + 1);
                let pair = at(address, 2).map(|pair| [pair[0], pair[1]]);
                let Ok(next) = discovery.answer(pair) else { return };
                step = next;
            }
        }
    };
    for place in models {
        let count = (usize::from(place.length) + 2).min(READ_MAX);
        let Some(read) = at(place.address, count) else { continue };
        points(&ModelRegisters::new(read.to_vec()));
        let Some(def) = catalog::model(place.id) else { continue };
        for point in def.locate(read) {
            let own = usize::from(point.offset)..usize::from(point.offset + point.def.kind.size());
            let scale = check_scale("p", read[2]).ok().flatten();
            if let Ok(value) = value(&point.path, point.def.kind, &read[own], scale) {
                assert!(value.to_string().len() < 200);
            }
        }
    }
}

fn points(registers: &ModelRegisters) {
    let points = [
        inverter::W,
        inverter::WH,
        inverter_float::W,
        meter::TOT_WH_IMP,
        nameplate::W_RTG,
        controls::W_MAX_LIM_PCT,
        der::measurement::HZ,
        der::measurement::TOT_WH_INJ,
        der::control::SET,
    ];
    for point in points {
        for per_unit in [1, 1_000, 3_600_000] {
            if let Ok(Some(_)) = registers.scaled(&point, per_unit) {
                assert!(registers.of(&point).is_some());
            }
        }
    }
}
