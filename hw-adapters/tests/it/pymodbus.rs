//! Our adapters against devices served by pymodbus: register images that are wrong in every way a device's can be,
//! and answers that go wrong on the way, over TCP and over a serial line. Each must end in a named error or an
//! absent value, and the next sound answer must be read again. Runs where `PEERS_PYTHON` names a Python interpreter
//! with `pymodbus` and `pyserial`, and says plainly where it doesn't.

use crate::sunspec::{address, der_map, float_meter_map, generator_map, images, meter_map, sf};
use hw_adapters::device::{DeviceError, Generator, Meter};
use hw_adapters::modbus::{Endpoint, SerialLine, Timeouts};
use hw_adapters::sunspec::points::{der, inverter, meter_float, nameplate};
use hw_adapters::sunspec::{SunSpecGenerator, SunSpecMeter};
use market::units::Milliwatt;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

type Registers = BTreeMap<u16, u16>;

/// Devices served by a Python process, which ends when this is dropped.
struct Served {
    process: Child,
    addresses: Vec<String>,
    _cases: tempfile::NamedTempFile,
}

impl Served {
    /// Serves each (registers, line, fault); none, said plainly, where there is no Python to do it.
    fn start(cases: &[(&Registers, &str, &str)]) -> Option<Self> {
        let Ok(python) = std::env::var("PEERS_PYTHON") else {
            println!("skipped: PEERS_PYTHON is not set");
            return None;
        };
        let cases = cases.iter().map(|(registers, line, fault)| {
            let registers: BTreeMap<String, u16> =
                registers.iter().map(|(at, word)| (at.to_string(), *word)).collect();
            json!({ "registers": registers, "line": line, "fault": fault })
        });
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(json!(cases.collect::<Vec<_>>()).to_string().as_bytes()).unwrap();
        let mut process = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/pymodbus_devices.py"))
            .arg(file.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addresses = serde_json::from_str(&line).unwrap();
        Some(Self { process, addresses, _cases: file })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn patient() -> Timeouts {
    let long = Duration::from_secs(30);
    Timeouts { connect: long, request: long, operation: long }
}

fn impatient() -> Timeouts {
    Timeouts { request: Duration::from_millis(300), ..patient() }
}

/// What a reading of power brings: watts, or the kind of error and words of it.
type Expected = Result<i64, (&'static str, &'static str)>;

fn check(name: &str, read: Result<Milliwatt, DeviceError>, expected: Expected) {
    match (read, expected) {
        (Ok(power), Ok(watts)) => assert_eq!(power, Milliwatt(watts * 1_000), "{name}"),
        (Err(error), Err((kind, words))) => {
            let (found, text) = (format!("{error:?}"), error.to_string());
            assert!(found.starts_with(kind), "{name}: {found} is no {kind}");
            assert!(text.contains(words), "{name}: {text} without {words}");
        }
        (read, expected) => panic!("{name}: {read:?}, expected {expected:?}"),
    }
}

/// A change of an image that makes it wrong.
type Spoil = fn(&mut Registers);

fn set(registers: &mut Registers, id: u16, offset: u16, word: u16) {
    let at = address(registers, id, offset);
    registers.insert(at, word);
}

/// The length a model says it has.
fn say_length(registers: &mut Registers, id: u16, length: u16) {
    set(registers, id, 1, length);
}

const BAD: &str = "BadAnswer";

/// Faults of an inverter's image (101, 120, 122, 123; it gives 3 kW of 8).
#[rustfmt::skip]
const GENERATOR_FAULTS: [(&str, Spoil, Expected); 22] = [
    ("sound", |_| {}, Ok(-3_000)),
    ("power not implemented", |r| set(r, 101, inverter::W.offset, 0x8000), Err((BAD, "W is not implemented"))),
    ("scale factor not implemented", |r| set(r, 101, 15, 0x8000), Err((BAD, "W is not implemented"))),
    ("scale factor 11", |r| set(r, 101, 15, 11), Err((BAD, "scale factor 11"))),
    ("scale factor -11", |r| set(r, 101, 15, sf(-11)), Err((BAD, "scale factor -11"))),
    ("scale factor 32767", |r| set(r, 101, 15, 0x7FFF), Err((BAD, "scale factor 32767"))),
    ("scale factor 10", |r| set(r, 101, 15, 10), Err((BAD, "from a device of"))),
    ("power of two nameplates", |r| set(r, 101, 14, 1_600), Err((BAD, "from a device of"))),
    ("consumption of two nameplates", |r| set(r, 101, 14, sf(-1_600)), Err((BAD, "from a device of"))),
    ("a few watts at night", |r| { set(r, 101, 14, sf(-3)); set(r, 101, 15, 0) }, Ok(0)),
    ("nameplate not implemented", |r| set(r, 120, nameplate::W_RTG.offset, 0xFFFF), Err((BAD, "WRtg is not implemented"))),
    ("nameplate zero", |r| set(r, 120, nameplate::W_RTG.offset, 0), Err((BAD, "rated"))),
    ("nameplate's scale factor", |r| set(r, 120, 4, 300), Err((BAD, "scale factor 300"))),
    ("model cut before its scale factor", |r| { say_length(r, 101, 12); end_after(r, 101, 12) }, Err((BAD, "W is not implemented"))),
    ("model one too short", |r| say_length(r, 101, 49), Err((BAD, ""))),
    ("model one too long", |r| say_length(r, 101, 51), Err((BAD, ""))),
    ("length beyond all addresses", |r| say_length(r, 101, 60_000), Err((BAD, "beyond the last address"))),
    ("length zero", |r| say_length(r, 101, 0), Err((BAD, ""))),
    ("no end", |r| { let end = *r.keys().last().unwrap() - 1; r.remove(&end); r.remove(&(end + 1)); }, Ok(-3_000)),
    ("zeros for an end", |r| { let end = *r.keys().last().unwrap() - 1; r.insert(end, 0); }, Ok(-3_000)),
    ("no marker", |r| { r.insert(40_001, 0x6E54); }, Err((BAD, "no SunSpec map"))),
    ("endless", |r| { r.clear(); r.extend((40_000..).zip([0x5375, 0x6E53])); r.extend((40_002..45_000).zip([7, 0].into_iter().cycle())); }, Err((BAD, "more than 64 models"))),
];

/// Ends the map behind a model that has been cut to `length`.
fn end_after(registers: &mut Registers, id: u16, length: u16) {
    let end = address(registers, id, 2 + length);
    registers.retain(|at, _| *at < end);
    registers.extend([(end, 0xFFFF), (end + 1, 0)]);
}

/// Faults of a meter's image in floating-point numbers (213; it takes 1500 W).
#[rustfmt::skip]
const METER_FAULTS: [(&str, Spoil, Expected); 6] = [
    ("sound", |_| {}, Ok(1_500)),
    ("power no number", |r| set(r, 213, meter_float::W.offset, 0x7FC0), Err((BAD, "W is not implemented"))),
    ("power infinite", |r| { set(r, 213, meter_float::W.offset, 0x7F80); set(r, 213, meter_float::W.offset + 1, 0) }, Err((BAD, "inf"))),
    ("power beyond all bounds", |r| set(r, 213, meter_float::W.offset, 0x7F00), Err((BAD, "more than anything can be"))),
    ("energy no number", |r| set(r, 213, meter_float::TOT_WH_IMP.offset, 0x7FC0), Err((BAD, "TotWhImp is not implemented"))),
    ("energy negative", |r| set(r, 213, meter_float::TOT_WH_IMP.offset, 0xC4AC), Err((BAD, "TotWhImp counts -"))),
];

/// Faults of a DER's image (701, 702, 704; it gives 2 kW of 10).
#[rustfmt::skip]
const DER_FAULTS: [(&str, Spoil, Expected); 6] = [
    ("sound", |_| {}, Ok(-2_000)),
    ("power not implemented", |r| set(r, 701, der::measurement::W.offset, 0x8000), Err((BAD, "W is not implemented"))),
    ("scale factor", |r| set(r, 701, 116, 12), Err((BAD, "scale factor 12"))),
    ("capacity not implemented", |r| set(r, 702, der::capacity::W_MAX_RTG.offset, 0xFFFF), Err((BAD, "nameplate"))),
    ("capacity's scale factor", |r| set(r, 702, 45, sf(-20)), Err((BAD, "scale factor -20"))),
    ("power of two nameplates", |r| set(r, 701, der::measurement::W.offset, 20_000), Err((BAD, "from a device of"))),
];

fn spoilt(image: &Registers, spoil: Spoil) -> Registers {
    let mut registers = image.clone();
    spoil(&mut registers);
    registers
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_images_end_in_named_errors_and_sound_ones_in_their_values() {
    let of = |image: Registers, faults: &[(&'static str, Spoil, Expected)]| {
        faults.iter().map(|(name, spoil, expected)| (*name, spoilt(&image, *spoil), *expected)).collect()
    };
    let generators: Vec<(&str, Registers, Expected)> =
        [of(generator_map(), &GENERATOR_FAULTS), of(der_map(), &DER_FAULTS)].concat();
    let meters: Vec<(&str, Registers, Expected)> = of(float_meter_map(), &METER_FAULTS);
    let all: Vec<_> = generators.iter().chain(&meters).map(|(_, image, _)| (image, "tcp", "")).collect();
    let Some(served) = Served::start(&all) else { return };
    let mut addresses = served.addresses.iter().cloned();
    for ((name, _, expected), address) in generators.iter().zip(&mut addresses) {
        let mut generator = SunSpecGenerator::new((*name).into(), address, 1, patient());
        check(name, generator.read().await.map(|state| state.power), *expected);
    }
    for ((name, _, expected), address) in meters.iter().zip(&mut addresses) {
        let mut meter = SunSpecMeter::new((*name).into(), address, 1, patient());
        check(name, meter.read().await.map(|state| state.power), *expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_devices_images_are_read_and_limited() {
    let images = images();
    let wanted = ["sma_sb36_20250518_day", "fimer_pvs_20240722", "dersec_der_7xx"];
    let images: Vec<_> = images.into_iter().filter(|image| wanted.contains(&image.name.as_str())).collect();
    let cases: Vec<_> = images.iter().map(|image| (&image.registers, "tcp", "")).collect();
    let Some(served) = Served::start(&cases) else { return };
    for (image, address) in images.iter().zip(&served.addresses) {
        let name = &image.name;
        let mut generator = SunSpecGenerator::new(name.clone(), address.clone(), 1, patient());
        let state = generator.read().await.unwrap();
        let half = Milliwatt(-state.nameplate.0 / 2);
        let held = generator.limit(Some(half), 600).await.unwrap().unwrap();
        // Never looser than asked, and within a hundredth.
        assert!(held >= half && held.0 <= half.0 + state.nameplate.0 / 100, "{name}: {held} of {half}");
        assert_eq!(generator.limit(Some(half), 600).await, Ok(Some(held)), "{name}");
        let mut meter = SunSpecMeter::new(name.clone(), address.clone(), 1, patient());
        check(name, meter.read().await.map(|state| state.power), Err((BAD, "no model for meters")));
    }
}

const SILENT: &str = "Silent";

/// What an answer may become on its way over TCP.
const WIRE_FAULTS: [(&str, &str); 36] = [
    ("late", SILENT),
    ("wrong transaction", BAD),
    ("wrong protocol", BAD),
    ("wrong unit", BAD),
    ("wrong function", BAD),
    ("length zero", BAD),
    ("length too large", BAD),
    ("length one short", BAD),
    ("byte count too large", BAD),
    ("byte count zero", BAD),
    ("byte count odd", BAD),
    ("short pdu", ""),
    ("long pdu", BAD),
    ("half", SILENT),
    ("header only", SILENT),
    ("one byte", SILENT),
    ("nothing", SILENT),
    ("twice", BAD),
    ("the one before", ""),
    ("the one before and this", ""),
    ("this and noise", BAD),
    ("noise", BAD),
    ("flood", BAD),
    ("text", BAD),
    ("close in the middle", SILENT),
    ("exception 1", ""),
    ("exception 2", ""),
    ("exception 3", ""),
    ("exception 4", ""),
    ("exception 5", ""),
    ("exception 6", ""),
    ("exception 8", ""),
    ("exception 10", ""),
    ("exception 11", ""),
    ("exception 0", ""),
    ("exception 255", ""),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_that_went_wrong_on_its_way_is_believed() {
    let image = meter_map();
    let cases: Vec<_> = WIRE_FAULTS.iter().map(|(fault, _)| (&image, "tcp", *fault)).collect();
    let Some(served) = Served::start(&cases) else { return };
    for ((fault, kind), address) in WIRE_FAULTS.iter().zip(&served.addresses) {
        let timeouts = if *kind == BAD { patient() } else { impatient() };
        let mut meter = SunSpecMeter::new((*fault).into(), address.clone(), 1, timeouts);
        for _ in 0..2 {
            check(fault, meter.read().await.map(|state| state.power), Err((kind, "")));
        }
        // A limit that nobody confirms is not said to hold.
        let mut generator = SunSpecGenerator::new((*fault).into(), address.clone(), 1, timeouts);
        generator.limit(Some(Milliwatt::ZERO), 60).await.unwrap_err();
    }
}

/// What a serial line may do, and what a reading over it then brings.
const LINE_FAULTS: [(&str, Expected); 12] = [
    ("", Ok(-1_234)),
    ("in pieces", Ok(-1_234)),
    ("echo", Ok(-1_234)),
    ("echo only", Err((SILENT, "no answer"))),
    ("silent", Err((SILENT, "no answer"))),
    ("late", Err((SILENT, "no answer"))),
    ("half", Err((SILENT, "no answer"))),
    ("noise", Err((BAD, "checksum"))),
    ("wrong checksum", Err((BAD, "checksum"))),
    ("noise before", Err((BAD, "unit"))),
    ("wrong unit", Err((BAD, "unit"))),
    ("some noise", Err((BAD, "checksum"))),
];

fn serial(path: &str) -> Endpoint {
    Endpoint::Rtu { path: path.into(), line: SerialLine { baud: 115_200, ..SerialLine::default() } }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_serial_line_brings_the_same_value_or_a_named_error() {
    let image = meter_map();
    let cases: Vec<_> = LINE_FAULTS.iter().map(|(fault, _)| (&image, "rtu", *fault)).collect();
    let Some(served) = Served::start(&cases) else { return };
    for ((fault, expected), path) in LINE_FAULTS.iter().zip(&served.addresses) {
        let timeouts = if matches!(expected, Err((SILENT, _))) { impatient() } else { patient() };
        let mut meter = SunSpecMeter::new((*fault).into(), serial(path), 1, timeouts);
        for _ in 0..2 {
            let read = meter.read().await.map(|state| state.power);
            // Every third answer is spoilt: what is read in between is right.
            match (&read, *fault) {
                (Ok(power), "some noise") => assert_eq!(*power, Milliwatt(-1_234_000)),
                _ => check(fault, read, *expected),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_set_over_an_echoing_serial_line() {
    let image = generator_map();
    let Some(served) = Served::start(&[(&image, "rtu", "echo")]) else { return };
    let mut generator = SunSpecGenerator::new("pv".into(), serial(&served.addresses[0]), 1, patient());
    assert_eq!(generator.limit(Some(Milliwatt(-2_000_000)), 900).await, Ok(Some(Milliwatt(-2_000_000))));
    assert_eq!(generator.read().await.unwrap().power, Milliwatt(-3_000_000));
    // Two units on one line take turns, and a unit that is not there keeps nobody from the other.
    let mut absent = SunSpecMeter::new("absent".into(), serial(&served.addresses[0]), 9, impatient());
    let (absent, present) = tokio::join!(absent.read(), generator.read());
    assert!(absent.is_err());
    assert_eq!(present.unwrap().power, Milliwatt(-3_000_000));
}
