//! SunSpec over Modbus TCP: real devices' register images, wire faults, and the order in which controls are written.

use crate::peer::{Manner, Peer};
use hw_adapters::device::{
    Battery, DeviceError, Generator, GeneratorState, GiveBack, Meter, MeterState, Reactive,
};
use hw_adapters::modbus::Timeouts;
use hw_adapters::sunspec::points::{
    controls, der, inverter, meter, meter_float, nameplate, settings, status, storage, Model, Point,
};
use hw_adapters::sunspec::{Discovery, Step, SunSpecBattery, SunSpecGenerator, SunSpecMeter, VoltVarPoint};
use market::units::{Millijoule, Millivar, Milliwatt, MILLIJOULE_PER_WH};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Long enough that a slow machine is not taken for a silent device, where an answer is expected.
pub fn patient() -> Timeouts {
    let long = Duration::from_secs(30);
    Timeouts { connect: long, request: long, operation: long }
}

/// Short, for peers that will not answer.
pub fn impatient() -> Timeouts {
    Timeouts { request: Duration::from_millis(300), ..patient() }
}

/// A register image from the reference cases: address to word, and the chain the file states.
pub struct Image {
    pub name: String,
    pub registers: BTreeMap<u16, u16>,
    models: Vec<(u16, u16)>,
}

/// Every SunSpec image, or none, said plainly, where the cases don't stand beside the project.
pub fn images() -> Vec<Image> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases/devices");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no device images at {}", folder.display());
        return Vec::new();
    };
    let files = entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let documents = files.map(|text| serde_json::from_str::<serde_json::Value>(&text).unwrap());
    documents.filter(|document| document["kind"] == "sunspec").map(|document| image(&document)).collect()
}

fn image(document: &serde_json::Value) -> Image {
    let word = |value: &serde_json::Value| u16::try_from(value.as_u64().unwrap()).unwrap();
    let registers = document["space"]["hr"].as_object().unwrap();
    let models = document["models"].as_array().unwrap();
    Image {
        name: document["name"].as_str().unwrap().to_owned(),
        registers: registers.iter().map(|(at, value)| (at.parse().unwrap(), word(value))).collect(),
        models: models.iter().map(|model| (word(&model[0]), word(&model[1]))).collect(),
    }
}

#[test]
fn discovery_finds_in_real_devices_the_models_they_are_known_to_have() {
    for Image { name, registers, models } in images() {
        let mut discovery = Discovery::default();
        let mut step = discovery.start();
        while let Step::Read(at) = step {
            let words = registers.get(&at).copied().zip(registers.get(&(at + 1)).copied());
            step = discovery.answer(words.map(Into::into)).unwrap();
        }
        let Step::Found(found) = step else { unreachable!() };
        assert_eq!(found.iter().map(|m| (m.id, m.length)).collect::<Vec<_>>(), models, "{name}");
    }
}

/// (power, nameplate) in watts, or words of the refusal.
type AsGenerator = Result<(i64, i64), &'static str>;

/// What each device's image gives as a generator.
const GENERATORS: [(&str, AsGenerator); 8] = [
    ("sma_sb36_20230810", Ok((-1080, 3680))),
    ("sma_sb36_20250518_day", Ok((-3680, 3680))),
    ("sma_sb36_20250608_night", Err("W is not implemented")),
    ("fimer_pvs_20240722", Ok((-141_380, 185_000))),
    ("ha_sunspec_inverter", Ok((-9_800, 10_000))),
    ("pysunspec2_inverter_123", Err("no model for inverter")),
    ("pysunspec2_device_1547", Ok((-9_800, 10_000))),
    ("dersec_der_7xx", Ok((-9_800, 10_000))),
];

#[tokio::test]
async fn real_devices_read_as_what_they_are_and_never_as_more() {
    for Image { name, registers, .. } in images() {
        let peer = Peer::start(registers).await;
        let address = || peer.address.clone();
        let mut generator = SunSpecGenerator::new(name.clone(), address(), 1, patient());
        let (_, expected) = GENERATORS.iter().find(|(n, _)| *n == name).unwrap();
        match (generator.read().await, expected) {
            (Ok(state), Ok((power, nameplate))) => assert_eq!(
                state,
                GeneratorState {
                    power: Milliwatt(power * 1000),
                    available: None,
                    nameplate: Milliwatt(nameplate * 1000),
                    reactive_max: state.reactive_max.filter(|most| *most <= Millivar(nameplate * 1000)),
                },
                "{name}"
            ),
            (Err(DeviceError::BadAnswer { reason, .. }), Err(part)) => {
                assert!(reason.contains(part), "{name}: {reason}");
            }
            (other, expected) => panic!("{name}: {other:?}, expected {expected:?}"),
        }
        let mut battery = SunSpecBattery::new(name.clone(), address(), 1, patient());
        let refusal = battery.read().await.unwrap_err();
        assert!(matches!(refusal, DeviceError::BadAnswer { .. }), "{name}: {refusal}");
        let mut meter = SunSpecMeter::new(name.clone(), address(), 1, patient());
        let refusal = meter.read().await.unwrap_err();
        assert!(matches!(refusal, DeviceError::BadAnswer { .. }), "{name}: {refusal}");
        assert!(peer.unit().writes.is_empty(), "{name}: a read must not write");
    }
}

/// A model, its identifier, and words by offset; other words are zero.
pub type Words<'a> = (&'a Model, u16, &'a [(u16, u16)]);

/// A map at 40000.
pub fn map(models: &[Words<'_>]) -> BTreeMap<u16, u16> {
    let mut words = vec![0x5375, 0x6E53];
    for (model, id, points) in models {
        let mut body = vec![0; usize::from(model.span)];
        body[0] = *id;
        body[1] = model.span - 2;
        for (offset, word) in *points {
            body[usize::from(*offset)] = *word;
        }
        words.extend(body);
    }
    words.extend([0xFFFF, 0]);
    (40_000..).zip(words).collect()
}

pub fn sf(scale: i16) -> u16 {
    scale.cast_unsigned()
}

pub fn meter_map() -> BTreeMap<u16, u16> {
    map(&[(&meter::MODEL, 203, &[(18, sf(-1234)), (22, 0), (39, 70), (46, 1), (47, 4464), (54, 1)])])
}

pub fn battery_map() -> BTreeMap<u16, u16> {
    let storage_words = [(2, 5000), (7, 1000), (8, 6000), (21, sf(-2)), (22, sf(-2)), (25, sf(-2))];
    map(&[
        (&inverter::MODEL, 103, &[(14, 1500), (15, 0)]),
        (&nameplate::MODEL, 120, &[(3, 5000), (19, 10_000), (23, 5000), (25, 4000)]),
        (&storage::MODEL, 124, &storage_words),
    ])
}

pub fn generator_map() -> BTreeMap<u16, u16> {
    map(&[
        (&inverter::MODEL, 101, &[(14, 300), (15, 1)]),
        (&nameplate::MODEL, 120, &[(3, 800), (4, 1)]),
        (&status::MODEL, 122, &[(31, 3500), (32, 0)]),
        (&controls::MODEL, 123, &[(5, 1000), (23, sf(-1))]),
    ])
}

/// A meter in floating-point numbers that takes 1500 W.
pub fn float_meter_map() -> BTreeMap<u16, u16> {
    let whole = Model { span: 126, ..meter_float::MODEL };
    let energy = [(60, 0x4348), (68, 0x447A)];
    map(&[(&whole, 213, &[&[(28, 0x44BB), (29, 0x8000)][..], &energy[..]].concat())])
}

/// A DER that gives 2 kW of 10.
pub fn der_map() -> BTreeMap<u16, u16> {
    let whole = |model: Model, span| Model { span, ..model };
    let measurement = whole(der::measurement::MODEL, 155);
    let control = whole(der::control::MODEL, 67);
    let flow = [(10, 2_000), (16, 2_300), (18, 50_000), (114, sf(-1)), (115, sf(-3)), (116, 0), (120, 0)];
    map(&[
        (&measurement, 701, &flow),
        (&der::capacity::MODEL, 702, &[(2, 10_000), (14, 230), (26, 10_000)]),
        (&control, 704, &[(15, 10_000), (54, sf(-2)), (57, 0)]),
    ])
}

/// The address of a register of a model of a map at 40000.
pub fn address(registers: &BTreeMap<u16, u16>, id: u16, offset: u16) -> u16 {
    let mut at = 40_002;
    while registers[&at] != id {
        at += 2 + registers[&(at + 1)];
    }
    at + offset
}

#[tokio::test]
async fn a_meter_reads_power_and_energy_with_the_houses_sign() {
    let peer = Peer::start(meter_map()).await;
    let mut meter = SunSpecMeter::new("meter".into(), peer.address.clone(), 1, patient());
    let expected = MeterState {
        power: Milliwatt(-1_234_000),
        imported: Millijoule(700_000 * MILLIJOULE_PER_WH),
        exported: Millijoule(700 * MILLIJOULE_PER_WH),
    };
    assert_eq!(meter.read().await, Ok(expected));
    assert_eq!(meter.read().await, Ok(expected));
    assert_eq!(peer.unit().connections, 1);
}

#[tokio::test]
async fn a_battery_is_usable_above_its_reserve() {
    let peer = Peer::start(battery_map()).await;
    let mut battery = SunSpecBattery::new("battery".into(), peer.address.clone(), 1, patient());
    let state = battery.read().await.unwrap();
    assert_eq!(state.power, Milliwatt(-1_500_000));
    assert_eq!(state.stored, Millijoule(5000 * MILLIJOULE_PER_WH));
    assert_eq!(state.capacity, Millijoule(9000 * MILLIJOULE_PER_WH));
    assert_eq!((state.charge_max, state.discharge_max), (Milliwatt(5_000_000), Milliwatt(4_000_000)));
}

#[tokio::test]
async fn a_battery_setpoint_arms_the_timer_then_bounds_then_enables() {
    let registers = battery_map();
    let at = |point: &Point| address(&registers, 124, point.offset);
    let (timer, rates, mode) =
        (at(&storage::IN_OUT_W_RTE_RVRT_TMS), at(&storage::OUT_W_RTE), at(&storage::STOR_CTL_MOD));
    let peer = Peer::start(registers.clone()).await;
    let mut battery = SunSpecBattery::new("battery".into(), peer.address.clone(), 1, patient());
    for (asked_w, held_w, raw) in [(2500, 2500, 5000), (-9000, -4000, -8000), (0, 0, 0)] {
        peer.unit().writes.clear();
        assert_eq!(battery.set_power(Milliwatt(asked_w * 1000), 900).await, Ok(Milliwatt(held_w * 1000)));
        let expected = [(timer, vec![900]), (rates, vec![sf(-raw), sf(raw)]), (mode, vec![3])];
        assert_eq!(peer.unit().writes, expected);
    }
}

#[tokio::test]
async fn a_generator_is_limited_and_only_our_own_limit_is_lifted() {
    let registers = generator_map();
    let at = |point: &Point| address(&registers, 123, point.offset);
    let (timer, percent, enable) =
        (at(&controls::W_MAX_LIM_PCT_RVRT_TMS), at(&controls::W_MAX_LIM_PCT), at(&controls::W_MAX_LIM_ENA));
    let peer = Peer::start(registers.clone()).await;
    let mut generator = SunSpecGenerator::new("pv".into(), peer.address.clone(), 1, patient());
    let state = generator.read().await.unwrap();
    assert_eq!(state.available, Some(Milliwatt(-3_500_000)));

    // Somebody else's limit of 40 % stands: it is told, and stays.
    peer.unit().registers.extend([(percent, 400), (enable, 1)]);
    assert_eq!(generator.limit(None, 900).await, Ok(Some(Milliwatt(-3_200_000))));
    assert!(peer.unit().writes.is_empty());

    assert_eq!(generator.limit(Some(Milliwatt(-2_000_000)), 900).await, Ok(Some(Milliwatt(-2_000_000))));
    assert_eq!(peer.unit().writes, [(timer, vec![900]), (percent, vec![250]), (enable, vec![1])]);
    // Theirs is tighter than 70 %, and stands again once ours is gone.
    let theirs = Ok(Some(Milliwatt(-3_200_000)));
    assert_eq!(generator.limit(Some(Milliwatt(-5_600_000)), 900).await, theirs);
    assert_eq!(generator.limit(None, 900).await, theirs);
    assert_eq!(peer.unit().registers[&percent], 400);
    assert_eq!(peer.unit().registers[&enable], 1);

    peer.unit().registers.insert(enable, 0);
    assert_eq!(generator.limit(Some(Milliwatt(-2_000_000)), 900).await, Ok(Some(Milliwatt(-2_000_000))));
    assert_eq!(generator.limit(None, 900).await, Ok(None));
    assert_eq!(peer.unit().registers[&enable], 0);
}

#[tokio::test]
async fn what_a_crash_left_is_given_back_at_the_next_start_and_what_others_set_is_not() {
    let registers = generator_map();
    let at = |point: &Point| address(&registers, 123, point.offset);
    let (percent, enable) = (at(&controls::W_MAX_LIM_PCT), at(&controls::W_MAX_LIM_ENA));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("devices").join("pv.found.json");
    let peer = Peer::start(registers.clone()).await;
    let start = || {
        SunSpecGenerator::new("pv".into(), peer.address.clone(), 1, patient()).keeping_state_in(file.clone())
    };
    let held = || {
        let unit = peer.unit();
        (unit.registers[&percent], unit.registers[&enable])
    };
    peer.unit().registers.extend([(percent, 900), (enable, 1)]);
    let mut generator = start();
    assert_eq!(generator.limit(Some(Milliwatt(-2_000_000)), 900).await, Ok(Some(Milliwatt(-2_000_000))));
    assert_eq!((held(), file.exists()), ((250, 1), true));
    // It never says good-bye.
    drop(generator);
    start().read().await.unwrap();
    assert_eq!((held(), file.exists()), ((900, 1), false));

    let mut generator = start();
    generator.limit(Some(Milliwatt(-2_000_000)), 900).await.unwrap();
    generator.give_back().await.unwrap();
    assert_eq!((held(), file.exists()), ((900, 1), false));

    // Set by somebody else while we were away: left alone.
    let mut generator = start();
    generator.limit(Some(Milliwatt(-2_000_000)), 900).await.unwrap();
    drop(generator);
    peer.unit().registers.extend([(percent, 100), (enable, 1)]);
    start().read().await.unwrap();
    assert_eq!((held(), file.exists()), ((100, 1), false));
}

#[tokio::test]
async fn a_device_that_accepts_and_forgets_is_told_on() {
    let peer = Peer::start(battery_map()).await;
    peer.unit().manner = Manner::Forgetful;
    let mut battery = SunSpecBattery::new("battery".into(), peer.address.clone(), 1, patient());
    let error = battery.set_power(Milliwatt(1_000_000), 60).await.unwrap_err();
    assert!(matches!(error, DeviceError::Disobeyed { what: "OutWRte", .. }), "{error}");

    let peer = Peer::start(generator_map()).await;
    peer.unit().manner = Manner::Forgetful;
    let mut generator = SunSpecGenerator::new("pv".into(), peer.address.clone(), 1, patient());
    let error = generator.limit(Some(Milliwatt::ZERO), 60).await.unwrap_err();
    assert!(matches!(error, DeviceError::Disobeyed { what: "WMaxLimPct", .. }), "{error}");
}

/// A meter that answered well, then in `manner`, then well again.
async fn check_wire(
    manner: Manner,
    timeouts: Timeouts,
    expected: fn(&DeviceError) -> bool,
    reconnects: bool,
) {
    let peer = Peer::start(meter_map()).await;
    let mut meter = SunSpecMeter::new("meter".into(), peer.address.clone(), 1, timeouts);
    // Patience once, so that a slow machine does not fail the test where an answer is due.
    let good = loop {
        if let Ok(state) = meter.read().await {
            break state;
        }
    };
    let connections = peer.unit().connections;
    peer.unit().manner = manner;
    let error = meter.read().await.unwrap_err();
    assert!(expected(&error), "{manner:?}: {error}");
    peer.unit().manner = Manner::Sound;
    let register = address(&meter_map(), 203, meter::W.offset);
    peer.unit().registers.insert(register, 77);
    let after = loop {
        if let Ok(state) = meter.read().await {
            break state;
        }
    };
    assert_eq!(after, MeterState { power: Milliwatt(77_000), ..good }, "{manner:?}");
    assert_eq!(peer.unit().connections > connections, reconnects, "{manner:?}");
}

#[tokio::test]
async fn a_faulty_answer_costs_the_connection_and_nothing_else() {
    let silent = |e: &DeviceError| matches!(e, DeviceError::Silent { .. });
    let bad = |e: &DeviceError| matches!(e, DeviceError::BadAnswer { .. });
    let refused = |e: &DeviceError| matches!(e, DeviceError::Refused { .. });
    check_wire(Manner::Silent, impatient(), silent, true).await;
    check_wire(Manner::OneLate, impatient(), silent, true).await;
    check_wire(Manner::Half, impatient(), silent, true).await;
    check_wire(Manner::Closing, patient(), silent, true).await;
    check_wire(Manner::OtherTransaction, patient(), bad, true).await;
    check_wire(Manner::OneShort, patient(), bad, true).await;
    check_wire(Manner::OtherFunction, patient(), bad, true).await;
    check_wire(Manner::Failing, patient(), refused, false).await;
}

#[tokio::test]
async fn a_device_that_is_not_there_is_silent_and_comes_back() {
    let holder = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = holder.local_addr().unwrap().to_string();
    drop(holder);
    let mut meter = SunSpecMeter::new("meter".into(), address.clone(), 1, patient());
    let error = meter.read().await.unwrap_err();
    assert!(matches!(error, DeviceError::Silent { .. }), "{error}");
    let _peer = Peer::start_at(&address, meter_map()).await;
    assert_eq!(meter.read().await.map(|state| state.power), Ok(Milliwatt(-1_234_000)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a device's registers say, it is read as something that can be, or refused.
    #[test]
    fn no_registers_make_an_adapter_panic_or_believe_nonsense(
        scrambled in prop::collection::vec((40_004u16..40_112, any::<u16>()), 0..40),
        asked_w in -100_000i64..100_000,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut registers = battery_map();
            registers.extend(scrambled);
            let peer = Peer::start(registers).await;
            let mut battery = SunSpecBattery::new("battery".into(), peer.address.clone(), 1, patient());
            if let Ok(state) = battery.read().await {
                assert!(state.stored >= Millijoule::ZERO && state.stored <= state.capacity, "{state:?}");
                assert!(state.charge_max >= Milliwatt::ZERO && state.discharge_max >= Milliwatt::ZERO);
            }
            let asked = Milliwatt(asked_w * 1000);
            if let Ok(held) = battery.set_power(asked, 60).await {
                assert!(held.0.abs() <= asked.0.abs(), "{held} for {asked}");
            }
            // Writes reach the storage model alone, wherever its header claims to be.
            let lowest = peer.unit().writes.iter().map(|(at, _)| *at).min();
            assert!(lowest.is_none_or(|at| at > 40_003), "{lowest:?}");
        });
    }
}

#[tokio::test]
async fn a_map_that_moved_is_found_again() {
    let peer = Peer::start(meter_map()).await;
    let mut meter = SunSpecMeter::new("meter".into(), peer.address.clone(), 1, patient());
    let before = meter.read().await.unwrap();
    let shifted = map(&[
        (&settings::MODEL, 121, &[]),
        (&meter::MODEL, 203, &[(18, sf(-1234)), (22, 0), (39, 70), (46, 1), (47, 4464), (54, 1)]),
    ]);
    peer.unit().registers = shifted;
    let error = meter.read().await.unwrap_err();
    assert!(matches!(error, DeviceError::BadAnswer { .. }), "{error}");
    assert_eq!(meter.read().await, Ok(before));
}

#[tokio::test]
async fn a_volt_var_curve_is_stored_adopted_and_put_in_force_and_no_one_elses_is_replaced() {
    let whole = Model { span: 69, ..der::volt_var::MODEL };
    // Two curves of four points; adoption is said to be done.
    let head = [(4, 1), (5, 4), (6, 2), (12, sf(-2)), (13, sf(-2))];
    let mut registers = der_map();
    let end = *registers.keys().last().unwrap() - 1;
    registers.extend((end..).zip(map(&[(&whole, 705, &head)]).into_values().skip(2)));
    let at = |offset| address(&registers, 705, offset);
    let peer = Peer::start(registers.clone()).await;
    let mut generator = SunSpecGenerator::new("pv".into(), peer.address.clone(), 1, patient());
    let curve = [(9_200, 4_400), (9_800, 0), (10_200, 0), (10_800, -4_400)];
    let curve = curve.map(|(voltage, reactive)| VoltVarPoint { voltage, reactive });
    generator.set_volt_var(&curve, 900).await.unwrap();
    let words = vec![9_200, 4_400, 9_800, 0, 10_200, 0, 10_800, sf(-4_400)];
    let expected = [
        (at(7), vec![0, 900]),
        (at(43), words),
        (at(33), vec![4]),
        (at(3), vec![2]),
        (at(7), vec![0, 900]),
        (at(2), vec![1]),
    ];
    assert_eq!(peer.unit().writes, expected);
    generator.set_volt_var(&[], 900).await.unwrap();
    assert_eq!(peer.unit().registers[&at(2)], 0);

    peer.unit().registers.insert(at(2), 1);
    let error = generator.set_volt_var(&curve, 900).await.unwrap_err();
    assert!(matches!(error, DeviceError::Refused { .. }), "{error}");
}

/// A DER's limit, reactive power and reversion timers are of two registers.
#[tokio::test]
async fn a_der_is_limited_by_704_with_its_timer_armed_first() {
    let registers = der_map();
    let at = |offset| address(&registers, 704, offset);
    let peer = Peer::start(registers.clone()).await;
    let mut generator = SunSpecGenerator::new("der".into(), peer.address.clone(), 1, patient());
    assert_eq!(generator.limit(Some(Milliwatt(-2_500_000)), 900).await, Ok(Some(Milliwatt(-2_500_000))));
    assert_eq!(peer.unit().writes, [(at(18), vec![0, 900]), (at(15), vec![2_500]), (at(14), vec![1])]);
    assert_eq!(generator.limit(None, 900).await, Ok(None));
    assert_eq!(peer.unit().registers[&at(14)], 0);
    peer.unit().writes.clear();
    assert_eq!(generator.set_reactive(Millivar(1_500_000), 600).await, Ok(Millivar(1_500_000)));
    let expected =
        [(at(45), vec![0, 600]), (at(36), vec![4]), (at(38), vec![0xFFFF, sf(-1_500)]), (at(35), vec![1])];
    assert_eq!(peer.unit().writes, expected);
}
