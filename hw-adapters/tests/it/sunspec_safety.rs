//! What keeps a house safe whatever a SunSpec device does: ramps, disconnecting what will not stop feeding in, finding a
//! device that is silent about what it hasn't got, and giving nothing of one device to another.

use crate::peer::{Manner, Peer};
use crate::sunspec::{address, battery_map, generator_map, impatient, map, meter_map, patient, sf};
use hw_adapters::device::{Aged, Battery, DeviceError, Generator, GiveBack, Meter, Paced};
use hw_adapters::ramp::RampRules;
use hw_adapters::sunspec::points::{inverter, nameplate, settings, storage, Model};
use hw_adapters::sunspec::{SunSpecBattery, SunSpecGenerator, SunSpecMeter};
use market::units::Milliwatt;
use std::collections::BTreeMap;
use std::time::Duration;

const TENTH: RampRules = RampRules { percent_per_s: Some(10), w_per_s: None };

fn generator(peer: &Peer) -> SunSpecGenerator {
    SunSpecGenerator::new("pv".into(), peer.address.clone(), 1, patient())
}

fn battery(peer: &Peer) -> SunSpecBattery {
    SunSpecBattery::new("battery".into(), peer.address.clone(), 1, patient())
}

fn watts(watts: i64) -> Milliwatt {
    Milliwatt(watts * 1_000)
}

/// Waits until the next step is due, where one is.
async fn step(device: &impl Paced) {
    tokio::time::sleep(device.next_step().expect("a step is due")).await;
}

#[tokio::test]
async fn a_limit_comes_down_from_what_the_device_gives_and_goes_up_from_where_it_is() {
    let registers = generator_map();
    let enable = address(&registers, 123, 9);
    let peer = Peer::start(registers).await;
    // It gives 3 kW of 8.
    let mut generator = generator(&peer).ramping_by(Some(TENTH));
    assert_eq!(generator.limit(Some(watts(-1_000)), 60).await, Ok(Some(watts(-2_200))));
    step(&generator).await;
    assert_eq!(generator.limit(Some(watts(-1_000)), 60).await, Ok(Some(watts(-1_400))));
    step(&generator).await;
    assert_eq!(generator.limit(Some(watts(-1_000)), 60).await, Ok(Some(watts(-1_000))));
    assert_eq!(generator.next_step(), None);
    // Lifting is no jump either.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(generator.limit(None, 60).await, Ok(Some(watts(-1_800))));
    assert_eq!(peer.unit().registers[&enable], 1);
    let mut held = Some(watts(-1_800));
    for _ in 0..9 {
        step(&generator).await;
        let before = held.map_or(0, |held| -held.0);
        held = generator.limit(None, 60).await.unwrap();
        assert!(held.is_none_or(|held| -held.0 - before <= 800_000), "{held:?} after {before}");
        if held.is_none() {
            break;
        }
    }
    assert_eq!((held, generator.next_step()), (None, None));
    assert_eq!(peer.unit().registers[&enable], 0);
}

#[tokio::test]
async fn a_battery_goes_from_what_it_does_to_what_it_is_told_step_by_step() {
    let peer = Peer::start(battery_map()).await;
    // It gives 1500 W, of 5 kW.
    let mut battery = battery(&peer).ramping_by(Some(TENTH));
    assert_eq!(battery.set_power(watts(1_000), 60).await, Ok(watts(-1_000)));
    // Asked again at once it has hardly moved, and a changed mind turns it round from where it is.
    let again = battery.set_power(watts(1_000), 60).await.unwrap();
    assert!((watts(-1_000)..=watts(-500)).contains(&again), "{again}");
    step(&battery).await;
    let back = battery.set_power(watts(-4_000), 60).await.unwrap();
    assert!(back >= again - watts(500) && back < again, "{back} after {again}");
    // At its reserve it gives nothing, whatever its ramp says.
    let state = address(&battery_map(), 124, 8);
    peer.unit().registers.insert(state, 1_000);
    assert_eq!(battery.set_power(watts(-4_000), 60).await, Ok(Milliwatt::ZERO));
}

#[tokio::test]
async fn a_ramp_is_on_the_disk_once_and_what_a_crash_leaves_of_it_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("battery.found.json");
    let written = || std::fs::read(&file).ok();
    let mode = address(&battery_map(), 124, storage::STOR_CTL_MOD.offset);
    let rate = address(&battery_map(), 124, storage::IN_W_RTE.offset);
    let check = async |left: Option<u16>, given_back: bool| {
        let peer = Peer::start(battery_map()).await;
        let start = || battery(&peer).ramping_by(Some(TENTH)).keeping_state_in(file.clone());
        let found = [mode, rate].map(|at| peer.unit().registers[&at]);
        let mut battery = start();
        assert_eq!(battery.set_power(watts(1_000), 60).await, Ok(watts(-1_000)));
        let saved = written();
        assert!(saved.is_some());
        step(&battery).await;
        let second = battery.set_power(watts(1_000), 60).await.unwrap();
        assert!((watts(-999)..=watts(-500)).contains(&second), "{second}");
        assert!(written() == saved, "a step of a ramp that was on the disk was written to it");
        // It never says good-bye.
        drop(battery);
        if let Some(raw) = left {
            peer.unit().registers.insert(rate, raw);
        }
        let stands = [mode, rate].map(|at| peer.unit().registers[&at]);
        start().read().await.unwrap();
        let expected = if given_back { found } else { stands };
        assert_eq!([mode, rate].map(|at| peer.unit().registers[&at]), expected, "{left:?} was left");
        assert_eq!(written(), None);
    };
    check(None, true).await;
    // More than it was on its way to: somebody else's.
    check(Some(9_000), false).await;
}

#[tokio::test]
async fn a_devices_own_ramp_is_kept_where_nobody_says_another() {
    let nameplate_words = [(3, 5000), (19, 10_000), (23, 5000), (25, 5000)];
    let storage_words = [(2, 5000), (8, 6000), (22, sf(-2)), (25, sf(-2))];
    let of = |settings_words: &[(u16, u16)]| {
        map(&[
            (&inverter::MODEL, 103, &[(14, 0), (15, 0)]),
            (&nameplate::MODEL, 120, &nameplate_words),
            (&settings::MODEL, 121, settings_words),
            (&storage::MODEL, 124, &storage_words),
        ])
    };
    let check = async |settings_words: &[(u16, u16)], first_w: i64| {
        let peer = Peer::start(of(settings_words)).await;
        let mut battery = battery(&peer).ramping_by(None);
        assert_eq!(battery.set_power(watts(5_000), 60).await, Ok(watts(first_w)), "{settings_words:?}");
    };
    // WGra of 4 %, none, none that can be, and one with a scale factor that can't be.
    check(&[(2, 5000), (12, 4)], 200).await;
    check(&[(2, 5000), (12, 0xFFFF)], 1_000).await;
    check(&[(2, 5000), (12, 0)], 1_000).await;
    check(&[(2, 5000), (12, 4), (28, 99)], 1_000).await;
}

#[tokio::test]
async fn who_goes_on_feeding_in_where_nothing_may_be_is_disconnected() {
    let mut registers = generator_map();
    let (conn, timer) = (address(&registers, 123, 4), address(&registers, 123, 3));
    registers.extend([(conn, 1), (timer, 0)]);
    let peer = Peer::start(registers.clone()).await;
    let mut generator = generator(&peer);
    assert_eq!(generator.limit(Some(Milliwatt::ZERO), 900).await, Ok(Some(Milliwatt::ZERO)));
    assert_eq!(peer.unit().registers[&conn], 1, "it has time to obey");
    step(&generator).await;
    peer.unit().writes.clear();
    assert_eq!(generator.limit(Some(Milliwatt::ZERO), 900).await, Ok(Some(Milliwatt::ZERO)));
    assert_eq!(peer.unit().writes[3..], [(timer, vec![900]), (conn, vec![0])]);
    assert_eq!(generator.next_step(), None);
    // It is kept so for as long as nothing may be fed in, and connected when something may.
    peer.unit().writes.clear();
    generator.limit(Some(Milliwatt::ZERO), 600).await.unwrap();
    assert!(peer.unit().writes.contains(&(timer, vec![600])));
    generator.limit(Some(watts(-2_000)), 900).await.unwrap();
    assert_eq!(peer.unit().registers[&conn], 1);
    // One that obeys is left connected.
    let power = address(&registers, 101, 14);
    peer.unit().registers.insert(power, 0);
    generator.limit(Some(Milliwatt::ZERO), 900).await.unwrap();
    step(&generator).await;
    generator.limit(Some(Milliwatt::ZERO), 900).await.unwrap();
    assert_eq!((peer.unit().registers[&conn], generator.next_step()), (1, None));
    // One that can't be disconnected is named.
    peer.unit().registers.extend([(power, 300), (conn, 0xFFFF)]);
    generator.limit(Some(watts(-2_000)), 900).await.unwrap();
    generator.limit(Some(Milliwatt::ZERO), 900).await.unwrap();
    step(&generator).await;
    let error = generator.limit(Some(Milliwatt::ZERO), 900).await.unwrap_err();
    assert!(matches!(error, DeviceError::Disobeyed { .. }), "{error}");
}

/// A map moved to another base.
fn at(base: u16, map: BTreeMap<u16, u16>) -> BTreeMap<u16, u16> {
    map.into_iter().map(|(at, word)| (at - 40_000 + base, word)).collect()
}

#[tokio::test]
async fn a_device_that_says_nothing_to_what_it_has_not_got_is_found_at_its_own_place() {
    for base in [0, 50_000] {
        let peer = Peer::start(at(base, meter_map())).await;
        peer.unit().manner = Manner::SilentElsewhere;
        let mut meter = SunSpecMeter::new("meter".into(), peer.address.clone(), 1, impatient());
        assert_eq!(meter.read().await.map(|state| state.power), Ok(watts(-1_234)), "at {base}");
        // Once found it is not looked for again.
        let connections = peer.unit().connections;
        assert!(meter.read().await.is_ok());
        assert_eq!(peer.unit().connections, connections);
    }
    // One that is silent everywhere is silent, and not without a map.
    let peer = Peer::start(BTreeMap::new()).await;
    peer.unit().manner = Manner::SilentElsewhere;
    let mut meter = SunSpecMeter::new("meter".into(), peer.address.clone(), 1, impatient());
    let error = meter.read().await.unwrap_err();
    assert!(matches!(error, DeviceError::Silent { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_byte_by_byte_is_an_answer() {
    let peer = Peer::start(meter_map()).await;
    peer.unit().manner = Manner::Pieces;
    let mut meter = SunSpecMeter::new("meter".into(), peer.address.clone(), 1, patient());
    assert_eq!(meter.read().await.map(|state| state.power), Ok(watts(-1_234)));
}

#[tokio::test]
async fn what_was_found_in_one_device_is_not_given_to_another() {
    let common = Model { name: "common", ids: &[1], span: 68 };
    let rest: Vec<u16> = generator_map().into_values().skip(2).collect();
    let of = |serial: u16| -> BTreeMap<u16, u16> {
        let mut words: Vec<u16> = map(&[(&common, 1, &[(50, serial)])]).into_values().collect();
        words.truncate(words.len() - 2);
        words.extend(&rest);
        (40_000..).zip(words).collect()
    };
    let peer = Peer::start(of(0x4141)).await;
    let mut generator = generator(&peer);
    generator.limit(Some(watts(-2_000)), 900).await.unwrap();
    // Another one of the same kind takes its place, with a limit of its owner's in force.
    let mut other = of(0x4242);
    let (value, enable) = (address(&other, 123, 5), address(&other, 123, 9));
    other.extend([(value, 250), (enable, 1)]);
    peer.unit().registers = other;
    peer.unit().writes.clear();
    generator.give_back().await.unwrap();
    assert_eq!(peer.unit().writes, []);
    // Ours goes beside that one's, and its own stands again when ours is given back.
    assert_eq!(generator.limit(Some(watts(-1_000)), 900).await, Ok(Some(watts(-1_000))));
    generator.give_back().await.unwrap();
    let unit = peer.unit();
    assert_eq!((unit.registers[&value], unit.registers[&enable]), (250, 1));
}

#[tokio::test]
async fn a_reading_says_how_old_it_is() {
    let peer = Peer::start(generator_map()).await;
    let mut generator = generator(&peer);
    generator.read().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(generator.age() >= Duration::from_millis(300), "{:?}", generator.age());
    // Read anew it is as old as what last moved in it, for power flows.
    generator.read().await.unwrap();
    assert!(generator.age() >= Duration::from_millis(300), "{:?}", generator.age());
    let power = address(&generator_map(), 101, 14);
    peer.unit().registers.insert(power, 301);
    generator.read().await.unwrap();
    assert!(generator.age() < Duration::from_millis(300), "{:?}", generator.age());
}

/// What is wrong with a battery's image, and words of the refusal; none where it must be read.
type Fault = (&'static str, &'static [(u16, u16, u16)], Option<&'static str>);

/// Model, offset and word that are put into a battery's image (103, 120, 124).
const BATTERY_FAULTS: [Fault; 18] = [
    ("sound", &[], None),
    ("state not implemented", &[(124, 8, 0xFFFF)], Some("state of charge")),
    ("state of 101 %", &[(124, 8, 10_100)], Some("charged to")),
    ("state's scale factor", &[(124, 22, 11)], Some("scale factor 11")),
    ("state's scale factor not implemented", &[(124, 22, 0x8000)], Some("state of charge")),
    ("reserve not implemented", &[(124, 7, 0xFFFF)], None),
    ("reserve of 200 %", &[(124, 7, 20_000)], Some("reserve")),
    ("capacity not implemented", &[(120, 19, 0xFFFF)], Some("energy when full")),
    ("capacity of nothing", &[(120, 19, 0)], Some("when full")),
    ("capacity's scale factor", &[(120, 20, 0x7FFF)], Some("scale factor 32767")),
    ("power not implemented", &[(103, 14, 0x8000)], Some("W is not implemented")),
    ("power of two nameplates", &[(103, 14, 10_001)], Some("from a device of")),
    ("power's scale factor", &[(103, 15, 12)], Some("scale factor 12")),
    ("nameplate not implemented", &[(120, 3, 0xFFFF)], Some("WRtg is not implemented")),
    ("nameplate of nothing", &[(120, 3, 0)], Some("rated")),
    ("charging rate not implemented", &[(120, 23, 0xFFFF)], None),
    ("what rates are of not implemented", &[(124, 2, 0xFFFF)], None),
    ("voltage and frequency not implemented", &[(103, 10, 0xFFFF), (103, 16, 0xFFFF)], None),
];

#[tokio::test]
async fn a_limit_is_set_whatever_the_device_measures() {
    let mut registers = generator_map();
    let power = address(&registers, 101, 14);
    registers.insert(power, 0x8000);
    let peer = Peer::start(registers).await;
    let mut generator = generator(&peer).ramping_by(Some(TENTH));
    assert_eq!(generator.limit(Some(watts(-1_000)), 60).await, Ok(Some(watts(-1_000))));
}

#[tokio::test]
async fn a_batterys_faulty_image_ends_in_a_named_error_or_without_the_value() {
    for (name, words, expected) in BATTERY_FAULTS {
        let mut registers = battery_map();
        for (model, offset, word) in words {
            let at = address(&registers, *model, *offset);
            registers.insert(at, *word);
        }
        let peer = Peer::start(registers).await;
        let mut battery = battery(&peer);
        match (battery.read().await, expected) {
            (Ok(state), None) => assert_eq!(state.power, watts(-1_500), "{name}"),
            (Err(DeviceError::BadAnswer { reason, .. }), Some(part)) => {
                assert!(reason.contains(part), "{name}: {reason}");
                // What can't be read can't be set either.
                if model_of_setpoint(words) {
                    battery.set_power(watts(1_000), 60).await.unwrap_err();
                }
            }
            (read, expected) => panic!("{name}: {read:?}, expected {expected:?}"),
        }
        assert!(peer.unit().writes.is_empty(), "{name}");
    }
}

/// Whether a fault is in what a setpoint goes by.
fn model_of_setpoint(words: &[(u16, u16, u16)]) -> bool {
    words.iter().any(|(model, ..)| *model == 124 || *model == 120)
}

#[tokio::test]
async fn a_scale_factor_that_flaps_never_makes_a_value_of_another_read() {
    let registers = generator_map();
    let (power, scale) = (address(&registers, 101, 14), address(&registers, 101, 15));
    let peer = Peer::start(registers).await;
    let mut generator = generator(&peer);
    for round in 0..40 {
        let (word, factor) = if round % 2 == 0 { (3_000, 0) } else { (300, 1) };
        peer.unit().registers.extend([(power, word), (scale, factor)]);
        assert_eq!(generator.read().await.map(|state| state.power), Ok(watts(-3_000)), "round {round}");
    }
}
