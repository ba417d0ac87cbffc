//! From the addresses in a file to the brokers a party connects to, and the one a validator embeds.

use super::doors;
use super::process::ProcessMetrics;
use super::running::RoleError;
use crate::configuration::mesh::MeshKeys;
use crate::configuration::party::PartyKeys;
use ledger::validator::mesh::{Brokers, Mesh};
use std::collections::BTreeMap;
use wire::party::Id;
use wire::topic::Network;

/// Validators' brokers, dealt out to as many connections as asked for: each tries its own in turn, and no
/// broker has two of them.
pub fn dealt(keys: &PartyKeys) -> Vec<Vec<String>> {
    let addresses = &keys.validator_brokers;
    let connections = keys.validator_connections.map_or(addresses.len(), |count| count.get());
    let connections = connections.min(addresses.len());
    (0..connections)
        .map(|first| addresses.iter().skip(first).step_by(connections).cloned().collect())
        .collect()
}

/// A validator's brokers. Starts its own, where it is to listen in this process.
///
/// # Errors
/// Where its own broker is not named, or named twice, or doesn't start; where a peer has no identifier.
pub(super) fn of_validator(
    mesh: Option<&MeshKeys>,
    market: Vec<String>,
    network: &Network,
    metrics: &ProcessMetrics,
) -> Result<Brokers, RoleError> {
    let Some(mesh) = mesh else { return Ok(Brokers::Shared(market)) };
    let wrong = |key, reason: String| RoleError::Value { key, reason };
    let own = match (mesh.listen, &mesh.broker[..]) {
        (Some(listen), []) => vec![doors::of_mesh(listen, mesh, network, metrics)?.to_string()],
        (None, [_, ..]) => mesh.broker.clone(),
        _ => return Err(wrong("mesh.listen", "give either listen or broker".to_owned())),
    };
    let peer = |(id, addresses): (&String, &Vec<String>)| {
        let id: Id = id.parse().map_err(|error| wrong("mesh.peers", format!("{error}")))?;
        Ok((id, addresses.clone()))
    };
    let peers = mesh.peers.iter().map(peer).collect::<Result<BTreeMap<_, _>, RoleError>>()?;
    Ok(Brokers::Mesh(Mesh { own, peers, market }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::party::ClockKind;
    use std::num::NonZeroUsize;

    fn check(brokers: &[&str], connections: Option<usize>, expected: &[&[&str]]) {
        let keys = PartyKeys {
            id: "d1".into(),
            key: "key".into(),
            genesis: "genesis".into(),
            brokers: Vec::new(),
            validator_brokers: brokers.iter().map(|broker| (*broker).to_owned()).collect(),
            validator_connections: connections.and_then(NonZeroUsize::new),
            key_epoch: 0,
            next_key: None,
            tls: None,
            clock: ClockKind::System,
            data_dir: "data".into(),
        };
        assert_eq!(dealt(&keys), expected);
    }

    #[test]
    fn every_broker_belongs_to_one_connection() {
        check(&["1", "2", "3", "4"], None, &[&["1"], &["2"], &["3"], &["4"]]);
        check(&["1", "2", "3", "4"], Some(2), &[&["1", "3"], &["2", "4"]]);
        check(&["1", "2", "3"], Some(2), &[&["1", "3"], &["2"]]);
        check(&["1"], Some(5), &[&["1"]]);
        check(&[], Some(1), &[]);
    }

    #[test]
    fn a_validator_names_its_own_broker_once() {
        let mesh = |listen, broker: &[&str]| MeshKeys {
            listen,
            broker: broker.iter().map(|broker| (*broker).to_owned()).collect(),
            tls: None,
            peers: BTreeMap::from([("v2".to_owned(), vec!["b:1".to_owned()])]),
        };
        let free = Some(([127, 0, 0, 1], 0).into());
        let network = Network { network: "n".parse().unwrap(), feeder: "f".parse().unwrap() };
        let metrics = ProcessMetrics::new().unwrap();
        let made = |mesh: &MeshKeys, market| of_validator(Some(mesh), market, &network, &metrics);
        assert!(made(&mesh(None, &[]), Vec::new()).is_err());
        assert!(made(&mesh(free, &["a:1"]), Vec::new()).is_err());
        let Ok(Brokers::Mesh(made)) = made(&mesh(None, &["a:1"]), vec!["m:1".into()]) else {
            panic!("a mesh")
        };
        assert_eq!((made.own, made.market), (vec!["a:1".to_owned()], vec!["m:1".to_owned()]));
        assert_eq!(made.peers.len(), 1);
    }
}
