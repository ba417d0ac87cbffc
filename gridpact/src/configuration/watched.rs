//! What of a role's files is watched while it runs: certificates, which end, and the directory it fills.

use super::RoleFile;
use hw_adapters::config::DeviceConfig;
use std::path::Path;

impl RoleFile {
    /// Every certificate file it names: its own, and the authorities'.
    pub fn certificates(&self) -> Vec<&Path> {
        let mut files: Vec<&Path> = Vec::new();
        let tls = match self {
            RoleFile::Site(file) => &file.party.tls,
            RoleFile::Aggregator(file) => &file.party.tls,
            RoleFile::Dso(file) => &file.party.tls,
            RoleFile::Tso(file) => &file.party.tls,
            RoleFile::Validator(file) => &file.party.tls,
            RoleFile::Timekeeper(file) => &file.party.tls,
            RoleFile::Forecaster(file) => &file.party.tls,
            RoleFile::Broker(_) => &None,
        };
        if let Some(tls) = tls {
            files.extend([tls.certificate.as_path(), &tls.authority]);
        }
        let broker = match self {
            RoleFile::Broker(file) => file.parties.as_ref().map(|parties| &parties.tls),
            RoleFile::Validator(file) => file.mesh.as_ref().and_then(|mesh| mesh.tls.as_ref()),
            _ => None,
        };
        if let Some(tls) = broker {
            files.extend([tls.certificate.as_path(), &tls.authority]);
        }
        if let RoleFile::Site(file) = self {
            for device in &file.site.devices {
                if let DeviceConfig::OcppCharger(charger) = &device.config {
                    files.extend(charger.tls.iter().map(|tls| tls.certificate.as_path()));
                }
            }
        }
        files
    }

    /// The party with its data directory; none for a broker, which keeps nothing.
    pub fn data_dir(&self) -> Option<(String, &Path)> {
        let (role, party) = match self {
            RoleFile::Site(file) => ("site", &file.party),
            RoleFile::Aggregator(file) => ("aggregator", &file.party),
            RoleFile::Dso(file) => ("dso", &file.party),
            RoleFile::Tso(file) => ("tso", &file.party),
            RoleFile::Validator(file) => ("validator", &file.party),
            RoleFile::Timekeeper(file) => ("timekeeper", &file.party),
            RoleFile::Forecaster(file) => ("forecaster", &file.party),
            RoleFile::Broker(_) => return None,
        };
        Some((format!("{role}/{}", party.id), &party.data_dir))
    }
}
