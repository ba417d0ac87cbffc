//! Simulated SunSpec devices: as the `sunspec` crate reads them, as our own adapters read and steer
//! them, how they refuse, and how adapters come through their faults.

use ::sunspec::models::{
    model1::Model1, model103::Model103, model120::Model120, model122::Model122, model123::Model123,
    model124::Model124, model203::Model203,
};
use ::sunspec::{Model, ParseError};
use hw_adapters::device::{Battery, DeviceError, Generator, GiveBack, Meter, Reactive};
use hw_adapters::modbus::{ModbusLink, Timeouts};
use hw_adapters::sunspec::{SunSpecBattery, SunSpecDevice, SunSpecGenerator, SunSpecMeter};
use market::interval::UnixSeconds;
use market::units::{Millijoule, Millivar, Milliwatt};
use sim_devices::physics::battery::BatterySpec;
use sim_devices::physics::profile::Profile;
use sim_devices::physics::pv::PvSpec;
use sim_devices::sunspec::fault::ModbusFault;
use sim_devices::sunspec::{Dialect, Role, SunSpecServer, UNIT};
use sim_devices::world::{lock, LoadSpec, SharedWorld, SiteSpec, World};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KW: i64 = 1_000_000;
const KWH: i64 = 3_600_000_000;

/// Long enough that a slow machine is not taken for a silent device, where an answer is expected.
fn patient() -> Timeouts {
    let long = Duration::from_secs(30);
    Timeouts { connect: long, request: long, operation: long }
}

/// A site of 1 kW load, 6 kW of sun on 10 kWp, and a half-full battery of 10 kWh and 5 kW.
pub fn world() -> SharedWorld {
    let site = SiteSpec {
        name: "site-7".into(),
        load: LoadSpec {
            peak: Milliwatt(KW),
            active: Profile::constant(1.0),
            reactive_peak_mvar: 0,
            reactive: Profile::constant(0.0),
        },
        pv: Some(PvSpec { nameplate: Milliwatt(10 * KW), sun: Profile::constant(0.6) }),
        battery: Some(BatterySpec {
            capacity: Millijoule(10 * KWH),
            stored: Millijoule(5 * KWH),
            charge_max: Milliwatt(5 * KW),
            discharge_max: Milliwatt(5 * KW),
            efficiency_permille: 950,
        }),
        charger: None,
        heat_pump: None,
    };
    Arc::new(Mutex::new(World::new(UnixSeconds(0), vec![site]).unwrap()))
}

pub async fn serve(world: &SharedWorld, role: Role) -> SunSpecServer {
    SunSpecServer::start(world.clone(), 0, role, "127.0.0.1:0".parse().unwrap()).await.unwrap()
}

pub fn advance(world: &SharedWorld, now: i64) {
    lock(world).advance_to(UnixSeconds(now));
}

fn link(server: &SunSpecServer, unit: u8) -> ModbusLink {
    ModbusLink::new(server.address().to_string(), unit, patient())
}

/// The model's words without header, wherever the chain has it.
async fn model_words(server: &SunSpecServer, id: u16) -> Vec<u16> {
    let mut link = link(server, UNIT);
    assert_eq!(link.read(40_000, 2).await.unwrap(), [0x5375, 0x6E53]);
    let mut at = 40_002;
    loop {
        let header = link.read(at, 2).await.unwrap();
        assert_ne!(header[0], 0xFFFF, "no model {id}");
        if header[0] == id {
            return link.read(at + 2, header[1]).await.unwrap();
        }
        at += 2 + header[1];
    }
}

/// As the crate has it, whether or not it finds a mandatory point not implemented.
async fn parsed<M: Model>(server: &SunSpecServer) -> M {
    match M::parse(&model_words(server, M::ID).await) {
        Ok(model) => model,
        Err(ParseError::InvalidPointData(invalid)) => invalid.model,
        Err(ParseError::Decode(error)) => panic!("model {}: {error}", M::ID),
    }
}

#[tokio::test]
async fn the_sunspec_crate_reads_what_the_physics_say() {
    let world = world();
    advance(&world, 3600);
    let meter = serve(&world, Role::Meter).await;
    let common: Model1 = parsed(&meter).await;
    assert_eq!((common.mn.as_str(), common.sn.as_str()), ("gridpact", "site-7"));
    // The battery takes the surplus of 5 kW.
    let model: Model203 = parsed(&meter).await;
    assert_eq!((model.w, model.tot_wh_imp, model.tot_wh_exp, model.tot_wh_sf), (0, 0, 0, 0));

    let pv = serve(&world, Role::Pv).await;
    let model: Model103 = parsed(&pv).await;
    assert_eq!((model.w, model.w_sf, model.wh, model.wh_sf), (6000, 0, 6000, 0));
    let model: Model120 = parsed(&pv).await;
    assert_eq!((model.w_rtg, model.w_rtg_sf, model.wh_rtg), (10_000, 0, None));
    let model: Model122 = parsed(&pv).await;
    assert_eq!((model.w_aval, model.w_aval_sf), (Some(6000), Some(0)));
    let model: Model123 = parsed(&pv).await;
    assert_eq!((model.w_max_lim_pct, model.w_max_lim_pct_sf), (10_000, -2));

    let battery = serve(&world, Role::Battery).await;
    let model: Model103 = parsed(&battery).await;
    assert_eq!((model.w, model.w_sf), (-5000, 0));
    let model: Model120 = parsed(&battery).await;
    assert_eq!(
        (model.wh_rtg, model.max_cha_rte, model.max_dis_cha_rte),
        (Some(10_000), Some(5000), Some(5000))
    );
    let model: Model124 = parsed(&battery).await;
    assert_eq!((model.cha_state, model.cha_state_sf, model.in_w_rte_sf()), (Some(9750), Some(-2), Some(-2)));
}

trait RateScale {
    fn in_w_rte_sf(&self) -> Option<i16>;
}

impl RateScale for Model124 {
    fn in_w_rte_sf(&self) -> Option<i16> {
        self.in_out_w_rte_sf
    }
}

#[tokio::test]
async fn an_adapter_steers_the_battery_until_its_timer_ends() {
    let world = world();
    let (battery_server, meter_server) =
        (serve(&world, Role::Battery).await, serve(&world, Role::Meter).await);
    let mut battery =
        SunSpecBattery::new("battery".into(), battery_server.address().to_string(), UNIT, patient());
    let mut meter = SunSpecMeter::new("meter".into(), meter_server.address().to_string(), UNIT, patient());

    assert_eq!(battery.set_power(Milliwatt(-2 * KW), 900).await, Ok(Milliwatt(-2 * KW)));
    advance(&world, 900);
    let state = battery.read().await.unwrap();
    assert_eq!(state.power, Milliwatt(-2 * KW));
    // 5 kWh less 0.5 kWh at 95 %, to the hundredth of a percent it can say.
    assert_eq!(state.stored, Millijoule(4_473 * KWH / 1000));
    let reading = meter.read().await.unwrap();
    assert_eq!(reading.power, Milliwatt(-7 * KW));
    assert_eq!(reading.exported, Millijoule(7 * KWH / 4));

    advance(&world, 960);
    assert_eq!(battery.read().await.unwrap().power, Milliwatt(5 * KW));
    assert_eq!(meter.read().await.unwrap().power, Milliwatt::ZERO);
}

#[tokio::test]
async fn an_adapter_limits_the_generator_and_lifts_the_limit() {
    let world = world();
    let server = serve(&world, Role::Pv).await;
    let mut generator = SunSpecGenerator::new("pv".into(), server.address().to_string(), UNIT, patient());
    assert_eq!(generator.limit(Some(Milliwatt(-2_500_600)), 900).await, Ok(Some(Milliwatt(-2_500_000))));
    advance(&world, 600);
    let state = generator.read().await.unwrap();
    assert_eq!((state.power, state.available), (Milliwatt(-2_500_000), Some(Milliwatt(-6 * KW))));
    assert_eq!(generator.limit(None, 900).await, Ok(None));
    advance(&world, 660);
    assert_eq!(generator.read().await.unwrap().power, Milliwatt(-6 * KW));
}

#[tokio::test]
async fn what_does_not_exist_or_cannot_be_written_is_refused_by_exception() {
    let world = world();
    let server = serve(&world, Role::Pv).await;
    let mut sound = link(&server, UNIT);
    let refused = |result: Result<(), _>, code: &str| {
        let error: hw_adapters::modbus::LinkError = result.unwrap_err();
        assert!(error.to_string().contains(code), "{error} for {code}");
    };
    refused(sound.read(39_999, 2).await.map(drop), "IllegalDataAddress");
    refused(sound.read(41_000, 1).await.map(drop), "IllegalDataAddress");
    // The nameplate can't be written, nor a limit above the whole.
    refused(sound.write(40_000 + 2 + 68 + 52 + 3, &[1]).await, "IllegalDataAddress");
    let controls = 40_000 + 2 + 68 + 52 + 28 + 32 + 46;
    refused(sound.write(controls + 5, &[10_001]).await, "IllegalDataValue");
    refused(sound.write(controls + 9, &[2]).await, "IllegalDataValue");
    refused(link(&server, UNIT + 1).read(40_000, 2).await.map(drop), "GatewayPathUnavailable");
    assert_eq!(parsed::<Model123>(&server).await.w_max_lim_pct, 10_000);
}

/// What a setpoint meets under `fault`, and that all is well after it.
async fn check_fault(fault: ModbusFault, timeouts: Timeouts, expected: fn(&DeviceError) -> bool) {
    let world = world();
    let server = serve(&world, Role::Battery).await;
    let mut battery = SunSpecBattery::new("battery".into(), server.address().to_string(), UNIT, timeouts);
    server.fault().set(fault);
    let error = battery.set_power(Milliwatt(KW), 900).await.unwrap_err();
    assert!(expected(&error), "{fault:?}: {error}");
    server.fault().set(ModbusFault::None);
    let mut battery = SunSpecBattery::new("battery".into(), server.address().to_string(), UNIT, patient());
    assert_eq!(battery.set_power(Milliwatt(2 * KW), 900).await, Ok(Milliwatt(2 * KW)));
}

#[tokio::test]
async fn a_faulty_device_is_told_on_and_comes_back() {
    let short = Timeouts { request: Duration::from_millis(200), ..patient() };
    let silent = |e: &DeviceError| matches!(e, DeviceError::Silent { .. });
    check_fault(ModbusFault::Silent, short, silent).await;
    check_fault(ModbusFault::Late(Duration::from_secs(20)), short, silent).await;
    check_fault(ModbusFault::HalfFrames, short, silent).await;
    check_fault(ModbusFault::Busy, patient(), |e| matches!(e, DeviceError::BadAnswer { .. })).await;
    check_fault(ModbusFault::Forgets, patient(), |e| matches!(e, DeviceError::Disobeyed { .. })).await;
}

#[tokio::test]
async fn a_device_that_pretends_is_found_out_only_by_the_meter() {
    let world = world();
    let (battery_server, meter_server) =
        (serve(&world, Role::Battery).await, serve(&world, Role::Meter).await);
    let mut battery =
        SunSpecBattery::new("battery".into(), battery_server.address().to_string(), UNIT, patient());
    battery_server.fault().set(ModbusFault::Pretends);
    assert_eq!(battery.set_power(Milliwatt::ZERO, 900).await, Ok(Milliwatt::ZERO));
    advance(&world, 60);
    let mut meter = SunSpecMeter::new("meter".into(), meter_server.address().to_string(), UNIT, patient());
    assert_eq!(meter.read().await.unwrap().power, Milliwatt::ZERO);
}

#[tokio::test]
async fn our_adapter_sets_reactive_power_and_reads_it_back() {
    let world = world();
    let server = serve(&world, Role::Pv).await;
    let mut generator = SunSpecGenerator::new("pv".into(), server.address().to_string(), UNIT, patient());
    let state = generator.read().await.unwrap();
    assert_eq!(state.reactive_max, Some(Millivar(4_400_000)));
    for (asked, held) in [(1_234_000, 1_234_000), (-4_400_000, -4_400_000), (-700_999, -700_000)] {
        assert_eq!(generator.set_reactive(Millivar(asked), 1_800).await, Ok(Millivar(held)));
        advance(&world, 60);
        let absorbed = |now| lock(&world).sites()[0].pv.as_ref().unwrap().reactive_mvar(UnixSeconds(now));
        assert_eq!((absorbed(60), absorbed(1_861)), (held, 0));
    }
    // More than the inverter has is refused, and nothing changes; zero switches it off.
    assert!(generator.set_reactive(Millivar(4_500_000), 1_800).await.is_err());
    assert_eq!(generator.set_reactive(Millivar::ZERO, 1_800).await, Ok(Millivar::ZERO));
    assert_eq!(lock(&world).sites()[0].pv.as_ref().unwrap().reactive_mvar(UnixSeconds(60)), 0);
}

pub async fn serve_as(world: &SharedWorld, role: Role, dialect: Dialect) -> SunSpecServer {
    let listen = "127.0.0.1:0".parse().unwrap();
    SunSpecServer::start_as(world.clone(), 0, (role, dialect), listen).await.unwrap()
}

#[tokio::test]
async fn adapters_find_the_same_in_every_dialect() {
    for (inverter, meter) in
        [(101, 201), (102, 202), (103, 204), (111, 211), (112, 212), (113, 214), (701, 213)]
    {
        let (world, dialect) = (world(), Dialect { meter, inverter });
        advance(&world, 3600);
        let of = |role| serve_as(&world, role, dialect);
        let (meter, pv, battery) = (of(Role::Meter).await, of(Role::Pv).await, of(Role::Battery).await);
        let at = |server: &SunSpecServer| server.address().to_string();
        let mut meter = SunSpecMeter::new("meter".into(), at(&meter), UNIT, patient());
        let mut generator = SunSpecGenerator::new("pv".into(), at(&pv), UNIT, patient());
        let mut adapter = SunSpecBattery::new("battery".into(), at(&battery), UNIT, patient());
        assert_eq!(meter.read().await.unwrap().power, Milliwatt::ZERO, "{inverter}");
        assert_eq!(generator.read().await.unwrap().power, Milliwatt(-6 * KW), "{inverter}");
        assert_eq!(adapter.read().await.unwrap().power, Milliwatt(5 * KW), "{inverter}");

        assert_eq!(generator.limit(Some(Milliwatt(-2 * KW)), 900).await, Ok(Some(Milliwatt(-2 * KW))));
        assert_eq!(adapter.set_power(Milliwatt(-KW), 900).await, Ok(Milliwatt(-KW)));
        assert_eq!(generator.set_reactive(Millivar(1_200_000), 900).await, Ok(Millivar(1_200_000)));
        advance(&world, 4200);
        assert_eq!(generator.read().await.unwrap().power, Milliwatt(-2 * KW), "{inverter}");
        assert_eq!(adapter.read().await.unwrap().power, Milliwatt(-KW), "{inverter}");
        assert_eq!(meter.read().await.unwrap().power, Milliwatt(-2 * KW), "{inverter}");
        // Nobody refreshes them: they lapse.
        advance(&world, 5400);
        assert_eq!(generator.read().await.unwrap().power, Milliwatt(-6 * KW), "{inverter}");
        assert_eq!(lock(&world).sites()[0].pv.as_ref().unwrap().reactive_mvar(UnixSeconds(5400)), 0);
        generator.limit(Some(Milliwatt(-KW)), 900).await.unwrap();
        generator.give_back().await.unwrap();
        adapter.give_back().await.unwrap();
        advance(&world, 5460);
        assert_eq!(generator.read().await.unwrap().power, Milliwatt(-6 * KW), "{inverter}");
    }
}

#[tokio::test]
async fn a_gateway_that_gives_old_measurements_is_told_on() {
    let world = world();
    let server = serve(&world, Role::Pv).await;
    let mut device = SunSpecDevice::new("pv".into(), server.address().to_string(), UNIT, patient());
    let models = device.models().await.unwrap();
    assert_eq!(models.iter().map(|place| place.id).collect::<Vec<_>>(), [1, 103, 120, 121, 122, 123]);
    server.fault().set(ModbusFault::Frozen);
    let before = device.read(models[1]).await.unwrap();
    advance(&world, 3600);
    assert_eq!(device.read(models[1]).await.unwrap(), before);
    server.fault().set(ModbusFault::None);
    assert_ne!(device.read(models[1]).await.unwrap(), before);
}

#[tokio::test]
async fn a_point_is_found_by_name_and_set_only_where_it_may_be() {
    let world = world();
    let server = serve_as(&world, Role::Battery, Dialect { inverter: 701, ..Dialect::default() }).await;
    let mut device = SunSpecDevice::new("battery".into(), server.address().to_string(), UNIT, patient());
    let models = device.models().await.unwrap();
    assert_eq!(models.iter().map(|place| place.id).collect::<Vec<_>>(), [1, 701, 702, 703, 704, 713, 802]);
    let place = |id| *models.iter().find(|place| place.id == id).unwrap();
    let mut errors = Vec::new();
    for model in &models {
        let reading = device.read(*model).await.unwrap();
        errors.extend(reading.points.into_iter().filter(|point| point.value.is_err()));
    }
    assert_eq!(errors, []);
    let set = device.set(place(704), "WSet", -1_500.0).await.unwrap();
    assert_eq!((set.path.as_str(), set.value.unwrap().to_string()), ("WSet", "-1500".into()));
    for (model, path, to, part) in [
        (704, "WSetMod", 7.0, "IllegalDataValue"),
        (704, "WSetRvrtRem", 1.0, "can't be written"),
        (704, "Nothing", 1.0, "has no Nothing"),
        (704, "WSet", 1e12, "can't be"),
        (702, "WMax", 4_000.0, "IllegalDataAddress"),
    ] {
        let error = device.set(place(model), path, to).await.unwrap_err().to_string();
        assert!(error.contains(part), "{error} without {part}");
    }
}

#[tokio::test]
async fn a_device_enters_service_only_after_its_delay() {
    let world = world();
    let server = serve_as(&world, Role::Pv, Dialect { inverter: 701, ..Dialect::default() }).await;
    let mut device = SunSpecDevice::new("pv".into(), server.address().to_string(), UNIT, patient());
    let models = device.models().await.unwrap();
    let service = *models.iter().find(|place| place.id == 703).unwrap();
    let power = |now| {
        advance(&world, now);
        lock(&world).sites()[0].pv.as_ref().unwrap().power()
    };
    device.set(service, "ESDlyTms", 300.0).await.unwrap();
    device.set(service, "ES", 0.0).await.unwrap();
    assert_eq!(power(60), Milliwatt::ZERO);
    device.set(service, "ES", 1.0).await.unwrap();
    assert_eq!((power(360), power(361)), (Milliwatt::ZERO, Milliwatt(-6 * KW)));
}

#[tokio::test]
async fn a_device_that_reboots_or_answers_by_chance_comes_back() {
    let world = world();
    let server = serve(&world, Role::Meter).await;
    let timeouts = Timeouts { request: Duration::from_millis(200), ..patient() };
    let mut meter = SunSpecMeter::new("meter".into(), server.address().to_string(), UNIT, timeouts);
    let good = meter.read().await.unwrap();
    server.fault().set(ModbusFault::Rebooting(Duration::from_millis(300)));
    meter.read().await.unwrap_err();
    server.fault().set(ModbusFault::None);
    let among = vec![ModbusFault::Silent, ModbusFault::HalfFrames, ModbusFault::Busy];
    server.fault().set_by_chance(7, 30, among);
    let mut read = 0;
    for _ in 0..20 {
        // Whatever comes of it, it is never another value.
        if let Ok(state) = meter.read().await {
            assert_eq!(state, good);
            read += 1;
        }
    }
    assert!(read > 0);
    server.fault().set(ModbusFault::None);
    assert_eq!(meter.read().await, Ok(good));
}
