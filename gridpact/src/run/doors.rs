//! From a file's listeners to an embedded broker with them.

use super::party::read_genesis;
use super::process::ProcessMetrics;
use super::running::RoleError;
use crate::configuration::listeners::{BrokerCertificateKeys, DevicesKeys};
use crate::configuration::mesh::MeshKeys;
use crate::configuration::roles::BrokerFile;
use broker::embedded::{EmbeddedBroker, Listen, Options};
use broker::gate::{Device, Devices, Door, Mutual, TlsFiles};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use wire::hash::Hash32;
use wire::topic::Network;

/// Bytes of a segment of a validator's broker: four of them hold what a thousand sites submit at once. Few
/// filters are asked for there.
const MESH_SEGMENT_BYTES: usize = 1 << 20;

/// Starts the broker of a file.
///
/// # Errors
/// Where it listens nowhere, or a listener can't be had.
pub(super) fn broker(file: &BrokerFile, metrics: &ProcessMetrics) -> Result<EmbeddedBroker, RoleError> {
    let mut listens: Vec<Listen> = file.listen.into_iter().map(Listen::on_loopback).collect();
    if let Some(keys) = &file.parties {
        let genesis =
            read_genesis(&keys.genesis).map_err(|error| wrong("parties.genesis", error.to_string()))?;
        listens.push(parties(keys.listen, &keys.tls, genesis.network, "parties.tls")?);
    }
    listens.extend(file.devices.as_ref().map(devices).transpose()?);
    if listens.is_empty() {
        return Err(wrong("listen", "give at least one of listen, parties and devices".to_owned()));
    }
    start(listens, metrics, Options::default())
}

/// Starts a validator's own broker, and says where the validator itself reaches it.
///
/// # Errors
/// Where a listener can't be had.
pub(super) fn of_mesh(
    listen: SocketAddr,
    mesh: &MeshKeys,
    network: &Network,
    metrics: &ProcessMetrics,
) -> Result<SocketAddr, RoleError> {
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listens = match &mesh.tls {
        // The validator itself needs no certificate for a broker in its own process.
        Some(tls) => vec![Listen::on_loopback(own), parties(listen, tls, network.clone(), "mesh.tls")?],
        None => vec![Listen::on_loopback(listen)],
    };
    let options = Options { segment_bytes: MESH_SEGMENT_BYTES, ..Options::default() };
    Ok(start(listens, metrics, options)?.address())
}

fn start(
    listens: Vec<Listen>,
    metrics: &ProcessMetrics,
    options: Options,
) -> Result<EmbeddedBroker, RoleError> {
    let options = Options { metrics: Some(metrics.gates.clone()), ..options };
    Ok(EmbeddedBroker::start_on(listens, options)?)
}

fn wrong(key: &'static str, reason: String) -> RoleError {
    RoleError::Value { key, reason }
}

fn parties(
    address: SocketAddr,
    keys: &BrokerCertificateKeys,
    network: Network,
    key: &'static str,
) -> Result<Listen, RoleError> {
    let files = TlsFiles {
        certificate: keys.certificate.clone(),
        key: keys.key.clone(),
        authority: keys.authority.clone(),
        revoked: keys.revoked.clone(),
    };
    let mutual = Mutual::load(network, files).map_err(|error| wrong(key, error.to_string()))?;
    Ok(Listen { name: "parties".to_owned(), address, door: Door::Parties(Arc::new(mutual)) })
}

fn devices(keys: &DevicesKeys) -> Result<Listen, RoleError> {
    let of = |(user, keys): (&String, &crate::configuration::listeners::DeviceKeys)| {
        let mut password = Hash32::default();
        hex::decode_to_slice(&keys.password_sha256, &mut password.0)
            .map_err(|_| wrong("devices.users", format!("{user}: password_sha256 is no SHA-256")))?;
        if keys.topics.iter().any(|top| top.is_empty() || top.contains(['+', '#'])) {
            return Err(wrong("devices.users", format!("{user}: a topic is empty or has wildcards")));
        }
        Ok((user.clone(), Device { password, topics: keys.topics.clone() }))
    };
    let devices = keys.users.iter().map(of).collect::<Result<Devices, RoleError>>()?;
    Ok(Listen { name: "devices".to_owned(), address: keys.listen, door: Door::Devices(Arc::new(devices)) })
}
