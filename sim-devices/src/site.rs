//! All of a site's devices put on the network, each by its own protocol and on its own socket.

use crate::mqtt::{MqttHeatPump, MqttHeatPumpConfig, MqttHeatPumpError};
use crate::ocpp::{ChargePoint, ChargePointConfig, ChargePointError};
use crate::sunspec::{Role, SunSpecServer};
use crate::world::{lock, SharedCharger, SharedHeatPump, SharedWorld};
use std::net::{IpAddr, SocketAddr};
use thiserror::Error;

/// Where a site's devices listen, and whom those connect to that do not listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// Meter, PV and battery listen here, each on a free port.
    pub listen: IpAddr,
    /// The charge point's central system; none leaves a charge point off the network.
    pub charger: Option<ChargePointConfig>,
    /// The heat pump's broker and topics; none leaves a heat pump off the network.
    pub heat_pump: Option<MqttHeatPumpConfig>,
}

/// A site's devices on the network. Dropping them takes them off it.
pub struct SiteServers {
    /// Its meter.
    pub meter: SunSpecServer,
    /// Its PV inverter, where it has one.
    pub pv: Option<SunSpecServer>,
    /// Its battery, where it has one.
    pub battery: Option<SunSpecServer>,
    /// Its charge point, where it has one and knows its central system.
    pub charger: Option<ChargePoint>,
    /// Its heat pump, where it has one and knows its broker.
    pub heat_pump: Option<MqttHeatPump>,
}

/// A site that can't be put on the network.
#[derive(Debug, Error)]
pub enum ServeError {
    /// There is no such site.
    #[error("there is no site {0}")]
    NoSuchSite(usize),
    /// A device can't listen.
    #[error("site {site}: listening for {role:?}: {source}")]
    Listen {
        /// The site's place in the world.
        site: usize,
        /// Which device.
        role: Role,
        /// Why.
        source: std::io::Error,
    },
    /// The charge point can't be started.
    #[error("site {site}: {source}")]
    Charger {
        /// The site's place in the world.
        site: usize,
        /// Why.
        source: ChargePointError,
    },
    /// The heat pump can't be started.
    #[error("site {site}: {source}")]
    HeatPump {
        /// The site's place in the world.
        site: usize,
        /// Why.
        source: MqttHeatPumpError,
    },
}

/// Puts the devices of the `site`th site on the network. Whoever holds the world steps it.
///
/// # Errors
/// Where there is no such site, or one of its devices can't be started.
pub async fn serve(world: SharedWorld, site: usize, wiring: Wiring) -> Result<SiteServers, ServeError> {
    let parts = parts(&world, site)?;
    let listen = SocketAddr::new(wiring.listen, 0);
    let start = |role: Role| {
        let world = world.clone();
        async move {
            let started = SunSpecServer::start(world, site, role, listen).await;
            started.map_err(|source| ServeError::Listen { site, role, source })
        }
    };
    let meter = start(Role::Meter).await?;
    let pv = if parts.pv { Some(start(Role::Pv).await?) } else { None };
    let battery = if parts.battery { Some(start(Role::Battery).await?) } else { None };
    let charger = wiring.charger.zip(parts.charger).map(|(config, sim)| ChargePoint::start(config, sim));
    let heat_pump =
        wiring.heat_pump.zip(parts.heat_pump).map(|(config, sim)| MqttHeatPump::start(config, sim));
    Ok(SiteServers {
        meter,
        pv,
        battery,
        charger: charger.transpose().map_err(|source| ServeError::Charger { site, source })?,
        heat_pump: heat_pump.transpose().map_err(|source| ServeError::HeatPump { site, source })?,
    })
}

/// What a site has to serve.
struct Parts {
    pv: bool,
    battery: bool,
    charger: Option<SharedCharger>,
    heat_pump: Option<SharedHeatPump>,
}

fn parts(world: &SharedWorld, index: usize) -> Result<Parts, ServeError> {
    let world = lock(world);
    let site = world.sites().get(index).ok_or(ServeError::NoSuchSite(index))?;
    Ok(Parts {
        pv: site.pv.is_some(),
        battery: site.battery.is_some(),
        charger: site.charger().cloned(),
        heat_pump: site.heat_pump().cloned(),
    })
}
