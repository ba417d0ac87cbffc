//! Addresses that roles listen on, and whether they can.

use super::configuration::Loaded;
use super::owner;
use crate::check::facts::{ListenerFacts, Listening};
use crate::configuration::roles::SiteFile;
use crate::configuration::RoleFile;
use hw_adapters::config::DeviceConfig;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// An address that a file names.
pub struct Named {
    key: String,
    file: PathBuf,
    address: SocketAddr,
    shared: bool,
    unsafe_because: Option<String>,
}

/// All of them.
pub fn named(loaded: &[Loaded]) -> Vec<Named> {
    let mut all = Vec::new();
    for one in loaded {
        let Some(role) = one.role() else { continue };
        let mut add = |key: &str, address: SocketAddr, shared: bool, unsafe_because: Option<&str>| {
            let (key, file) = (key.to_owned(), one.file.clone());
            all.push(Named { key, file, address, shared, unsafe_because: unsafe_because.map(str::to_owned) });
        };
        if let Some(address) = role.process().metrics_listen {
            add("process.metrics_listen", address, true, None);
        }
        let open = |address: SocketAddr| {
            (!address.ip().is_loopback()).then_some("without certificates it is for loopback only")
        };
        match role {
            RoleFile::Broker(file) => {
                file.listen.iter().for_each(|address| add("listen", *address, false, open(*address)));
                file.parties.iter().for_each(|keys| add("parties.listen", keys.listen, false, None));
                if let Some(keys) = &file.devices {
                    let public =
                        (!is_private(keys.listen.ip())).then_some("devices send passwords in the clear");
                    add("devices.listen", keys.listen, false, public);
                }
            }
            RoleFile::Validator(file) => {
                for (mesh, listen) in file.mesh.iter().filter_map(|mesh| Some((mesh, mesh.listen?))) {
                    add("mesh.listen", listen, false, open(listen).filter(|_| mesh.tls.is_none()));
                }
                file.api.iter().for_each(|keys| add("api.listen", keys.listen, false, None));
            }
            RoleFile::Site(file) => {
                chargers(file)
                    .into_iter()
                    .for_each(|address| add("site.devices.listen", address, true, None));
            }
            _ => {}
        }
    }
    all
}

/// Where a site waits for its charge points.
fn chargers(file: &SiteFile) -> Vec<SocketAddr> {
    let Ok(catalogue) = file.site.catalogue() else { return Vec::new() };
    let listen = |config: &DeviceConfig| match config {
        DeviceConfig::OcppCharger(charger) => Some(charger.listen),
        DeviceConfig::Template(device) => match device.resolved(&catalogue) {
            Ok(Some(DeviceConfig::OcppCharger(charger))) => Some(charger.listen),
            _ => None,
        },
        _ => None,
    };
    file.site.devices.iter().filter_map(|device| listen(&device.config)).collect()
}

/// As the broker has it: loopback, private and link-local addresses.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

impl Named {
    /// With what became of it.
    pub fn facts(self, listening: Listening) -> ListenerFacts {
        let Self { key, file, address, shared, unsafe_because } = self;
        ListenerFacts { key, file, address, shared, listening, unsafe_because }
    }

    /// Tries to listen there, for a moment.
    pub fn tried(&self) -> ListenerFacts {
        let listening = match TcpListener::bind(self.address) {
            Ok(_) => Listening::Free,
            Err(error) => match error.kind() {
                ErrorKind::AddrInUse => Listening::Taken(owner::of(self.address)),
                ErrorKind::AddrNotAvailable => Listening::NotOurs,
                ErrorKind::PermissionDenied => Listening::Forbidden,
                _ => Listening::Other(error.to_string()),
            },
        };
        let Self { key, file, address, shared, unsafe_because } = self;
        let (key, file, unsafe_because) = (key.clone(), file.clone(), unsafe_because.clone());
        ListenerFacts { key, file, address: *address, shared: *shared, listening, unsafe_because }
    }
}
