//! A demo's console: the first validator's ledger, what is overheard on the demo's broker, and the simulated devices as they
//! are. In a demo nobody lives anywhere, so all of it is shown.

use super::roster::site_id;
use crate::console::devices::{DeviceView, Fact};
use crate::console::exact::Exact;
use crate::console::routes::{server, Access, Served};
use crate::console::{follow, Console, Devices};
use actix_web::dev::ServerHandle;
use ledger::validator::ValidatorHandle;
use market::units::{Millijoule, Milliwatt};
use sim_devices::world::{lock, SharedWorld, Site};
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use wire::party::{Id, Role};
use wire::topic::Network;

/// A console that is served.
pub struct Shown {
    /// What it shows.
    pub console: Console,
    /// Where.
    pub address: SocketAddr,
    /// Stops it.
    pub server: ServerHandle,
}

/// Serves what a validator's ledger says, and these devices.
///
/// # Errors
/// Where the address can't be had.
pub fn serve(address: SocketAddr, validator: &ValidatorHandle, devices: Devices) -> io::Result<Shown> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let console = follow::start(validator.views(), Arc::new(validator.history()));
    let served = Served { console: console.clone(), access: Access::Player, devices: Some(devices) };
    let server = server(listener, served)?;
    let handle = server.handle();
    actix::spawn(server);
    Ok(Shown { console, address, server: handle })
}

/// What a demo's console hears besides the ledger. On a broker that gives rights by role, only the parties themselves may.
pub fn filters(network: &Network) -> Vec<String> {
    let one = |role, kind: &str| network.filter_broadcast(role, kind) + "/+";
    vec![
        one(Role::Dso, "price-question"),
        one(Role::Aggregator, "demand"),
        network.filter_broadcast(Role::Aggregator, "demand"),
        one(Role::Aggregator, "day-ahead-firm"),
        one(Role::Site, "meter-reading"),
    ]
}

/// Devices of a world's sites, which are customers with these numbers.
pub fn devices(world: SharedWorld, customers: impl Iterator<Item = usize>) -> Devices {
    let places: BTreeMap<String, usize> = customers.map(site_id).zip(0..).collect();
    Arc::new(move |site: &Id| {
        let place = *places.get(site.as_str())?;
        lock(&world).sites().get(place).map(of_site)
    })
}

fn of_site(site: &Site) -> Vec<DeviceView> {
    let mut found = vec![device("meter", "meter", MODBUS, Some(site.meter().power))
        .with("Imported", site.meter().imported)
        .with("Exported", site.meter().exported)];
    if let Some(pv) = &site.pv {
        found.push(
            device("pv", "pv", MODBUS, Some(-pv.power()))
                .with("Fed in", pv.fed_in())
                .with("Curtailed", pv.lost()),
        );
    }
    if let Some(battery) = &site.battery {
        let stored = device("battery", "battery", MODBUS, Some(battery.power()));
        found.push(stored.with("Stored", battery.stored()).with("Holds at most", battery.spec().capacity));
    }
    if let Some(charger) = site.charger() {
        let charger = lock(charger);
        let given = device("charger", "charger", "OCPP 1.6J", Some(charger.power()));
        found.push(given.with("Given in all", charger.register()).with("Still needed", charger.unmet()));
    }
    if let Some(heat_pump) = site.heat_pump() {
        let heat_pump = lock(heat_pump);
        let mut view = device("heat-pump", "heat-pump", "MQTT", Some(heat_pump.power()));
        for (name, celsius) in
            [("Room", heat_pump.room_millicelsius()), ("Outdoors", heat_pump.outdoor_millicelsius())]
        {
            view.facts.push(Fact { name, value: Exact(celsius), unit: "millicelsius" });
        }
        found.push(view);
    }
    found
}

const MODBUS: &str = "SunSpec over Modbus TCP";

fn device(name: &str, kind: &'static str, reached_by: &'static str, power: Option<Milliwatt>) -> DeviceView {
    let power_milliwatt = power.map(|power| Exact(power.0));
    DeviceView { device: name.to_owned(), kind, reached_by, power_milliwatt, facts: Vec::new() }
}

impl DeviceView {
    fn with(mut self, name: &'static str, energy: Millijoule) -> Self {
        self.facts.push(Fact { name, value: Exact(energy.0), unit: "millijoule" });
        self
    }
}
