//! The simulated devices on the network, and how a site controller is told to reach them.

use super::ports::FreePorts;
use super::roster::site_id;
use crate::neighbourhood::customer::{BatterySize, ChargerSize, Customer};
use crate::neighbourhood::Neighbourhood;
use agents::device::preferences::{
    BatteryPreferences, ChargerPreferences, GeneratorPreferences, HeatPumpPreferences, PreferenceError,
    Preferences, TimeOfDay,
};
use agents::site::options::{SiteDevice, SiteOptions};
use hw_adapters::config::{ChargerConfig, DeviceConfig, HeatPumpConfig, ModbusConfig};
use hw_adapters::ramp::RampRules;
use market::interval::UnixSeconds;
use market::units::Millijoule;
use sim_devices::mqtt::MqttHeatPumpConfig;
use sim_devices::ocpp::ChargePointConfig;
use sim_devices::physics::heat_pump::HeatPumpConfig as House;
use sim_devices::site::{serve, ServeError, SiteServers, Wiring};
use sim_devices::world::SharedWorld;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use thiserror::Error;

/// Milliseconds of real time within which a simulated device must answer. Generous, because a demo may
/// share a busy machine.
const ANSWER_WITHIN_MS: u64 = 10_000;
/// Milliseconds of real time between a heat pump's states where nothing changes.
const HEAT_PUMP_PUBLISH_MS: u64 = 1_000;
/// Milliseconds of real time after which a heat pump's state is stale.
const HEAT_PUMP_STALE_MS: u64 = 30_000;
/// Simulated seconds between a charge point's meter values.
const CHARGER_METER_S: u32 = 300;
/// For how long a charger's limit holds, in seconds of its own clock, which the demo lets run fast: between two
/// intervals' limits, and when the machine is slow between several.
const CHARGER_LIMIT_LIFE_S: u32 = 14_400;
/// A demo's quarter of an hour may pass in a second; a ramp runs in real time.
const AT_ONCE: RampRules = RampRules { percent_per_s: Some(10_000), w_per_s: None };
/// Wear of a battery: 100 EUR/kWh over 5000 full cycles.
const BATTERY_WEAR_EUR_PER_MWH: f64 = 20.0;
/// Warmest a room may be heated ahead of a dear hour; the coolest is the thermostat's own lower end.
const COMFORT_MAX_CELSIUS: f64 = 22.0;

/// Why a device is not on the network.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// No port was free.
    #[error("finding a port for a charge point: {0}")]
    Port(io::Error),
    /// A server could not be started.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// A departure that is no time of day.
    #[error(transparent)]
    Preference(#[from] PreferenceError),
}

/// Puts every customer's devices on the network, in the world's order, and says how to reach each.
///
/// # Errors
/// Where a port or a server can't be had.
pub async fn start(
    neighbourhood: &Neighbourhood,
    world: &SharedWorld,
    device_broker: SocketAddr,
    ports: &mut FreePorts,
) -> Result<Vec<(SiteServers, SiteOptions)>, DeviceError> {
    let mut started = Vec::new();
    for (place, customer) in neighbourhood.customers.iter().enumerate() {
        let name = site_id(customer.number);
        let central = match customer.charger {
            Some(_) => Some(ports.take().map_err(DeviceError::Port)?),
            None => None,
        };
        let wiring = Wiring {
            listen: Ipv4Addr::LOCALHOST.into(),
            charger: central.map(|central| ChargePointConfig {
                meter_interval_s: CHARGER_METER_S,
                ..ChargePointConfig::new(&format!("ws://{central}"), &format!("{name}-charger"))
            }),
            heat_pump: customer.heat_pump.as_ref().map(|_| MqttHeatPumpConfig {
                host: device_broker.ip().to_string(),
                port: device_broker.port(),
                prefix: heat_pump_prefix(&name),
                client_id: format!("{name}-heat-pump"),
                publish_every_ms: HEAT_PUMP_PUBLISH_MS,
            }),
        };
        let servers = serve(world.clone(), place, wiring).await?;
        let reached = Reached { name, servers: &servers, central, device_broker };
        let options = reached.options(customer, neighbourhood.first.start())?;
        started.push((servers, options));
    }
    Ok(started)
}

fn heat_pump_prefix(site: &str) -> String {
    format!("home/{site}/heat-pump")
}

/// Where one site's devices are.
struct Reached<'a> {
    name: String,
    servers: &'a SiteServers,
    central: Option<SocketAddr>,
    device_broker: SocketAddr,
}

impl Reached<'_> {
    fn options(&self, customer: &Customer, midnight: UnixSeconds) -> Result<SiteOptions, DeviceError> {
        let mut devices = Vec::new();
        if let Some(pv) = &self.servers.pv {
            devices.push(SiteDevice {
                config: DeviceConfig::SunSpecGenerator(modbus("pv", pv.address())),
                preferences: Preferences::Generator(GeneratorPreferences::default()),
                safe_w: None,
            });
        }
        if let (Some(battery), Some(size)) = (&self.servers.battery, customer.battery) {
            devices.push(SiteDevice {
                config: DeviceConfig::SunSpecBattery(modbus("battery", battery.address())),
                preferences: Preferences::Battery(battery_wish(size)),
                safe_w: None,
            });
        }
        if let (Some(listen), Some(size)) = (self.central, &customer.charger) {
            devices.push(SiteDevice {
                config: DeviceConfig::OcppCharger(ChargerConfig {
                    limit_life_s: CHARGER_LIMIT_LIFE_S,
                    answer_within_ms: ANSWER_WITHIN_MS,
                    ..ChargerConfig::new(
                        "charger",
                        listen,
                        &format!("{}-charger", self.name),
                        size.phases,
                        u32::try_from(size.power_max.0 / 1_000).unwrap_or(u32::MAX),
                    )
                }),
                preferences: Preferences::Charger(charger_wish(size, midnight)?),
                safe_w: None,
            });
        }
        if let Some(house) = &customer.heat_pump {
            devices.push(SiteDevice {
                config: DeviceConfig::MqttHeatPump(HeatPumpConfig {
                    login: None,
                    name: "heat-pump".to_owned(),
                    broker: self.device_broker.to_string(),
                    prefix: heat_pump_prefix(&self.name),
                    stale_after_ms: HEAT_PUMP_STALE_MS,
                    answer_within_ms: ANSWER_WITHIN_MS,
                }),
                preferences: Preferences::HeatPump(heat_pump_wish(house)),
                safe_w: None,
            });
        }
        let meter = DeviceConfig::SunSpecMeter(modbus("meter", self.servers.meter.address()));
        let answer_within_ms = 2 * ANSWER_WITHIN_MS;
        Ok(SiteOptions {
            meter,
            devices,
            tariff: None,
            horizon: 96,
            patience: 2,
            templates: None,
            answer_within_ms,
        })
    }
}

fn modbus(name: &str, address: SocketAddr) -> ModbusConfig {
    ModbusConfig {
        name: name.to_owned(),
        address: address.to_string(),
        serial: None,
        unit: 1,
        answer_within_ms: ANSWER_WITHIN_MS,
        enter_service: None,
        ramp: Some(AT_ONCE),
    }
}

/// What the owner of a battery of this size wants.
pub fn battery_wish(size: BatterySize) -> BatteryPreferences {
    BatteryPreferences {
        reserve_percent: 0.0,
        wear_eur_per_mwh: BATTERY_WEAR_EUR_PER_MWH,
        efficiency: size.one_way_efficiency * size.one_way_efficiency,
    }
}

/// What the driver wants at a charger, on the day that begins at `midnight`.
///
/// # Errors
/// Where the departure is no time of day.
pub fn charger_wish(
    size: &ChargerSize,
    midnight: UnixSeconds,
) -> Result<ChargerPreferences, PreferenceError> {
    let time = |of_day_s: i64| {
        let minute = midnight.plus(of_day_s).0.rem_euclid(86_400) / 60;
        TimeOfDay::try_from(format!("{:02}:{:02}", minute / 60, minute % 60))
    };
    let need = size.stay.map_or(Millijoule::ZERO, |stay| stay.energy_need);
    Ok(ChargerPreferences {
        departure: time(size.stay.map_or(0, |stay| stay.departure_s))?,
        arrival: size.stay.map(|stay| time(stay.arrival_s)).transpose()?,
        energy_need_wh: need.kwh() * 1e3,
        unmet_eur_per_mwh: 1_000.0,
        slows_over_wh: None,
    })
}

/// What the residents of a house want.
pub fn heat_pump_wish(house: &House) -> HeatPumpPreferences {
    HeatPumpPreferences {
        comfort_min_celsius: (house.set_millicelsius - house.hysteresis_millikelvin) as f64 / 1e3,
        comfort_max_celsius: COMFORT_MAX_CELSIUS,
        heat_loss_w_per_kelvin: house.loss_w_per_k,
        heat_capacity_wh_per_kelvin: house.capacitance_j_per_k / 3_600.0,
        performance_at_7_celsius: house.cop_at_zero + 7.0 * house.cop_per_kelvin,
        performance_per_kelvin: house.cop_per_kelvin,
        other_gains_w: house.gains_w,
        discomfort_eur_per_kelvin_hour: 1.0,
    }
}
