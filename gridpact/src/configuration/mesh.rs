//! A validator's place in the mesh of validators' brokers.

use super::listeners::BrokerCertificateKeys;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

/// The mesh of validators: a broker of its own, on which alone this one speaks, and the other validators'. In
/// a mesh, `party.brokers` are the market's, where it takes entries and tells of blocks as well; they may be
/// left out. Without this section `party.brokers` carries all validators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeshKeys {
    /// Address on which a broker of its own listens inside this process; loopback only without mesh.tls. Either this
    /// or broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// A broker of its own outside this process, as host:port; several are tried in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broker: Vec<String>,
    /// Certificates of the broker on listen, which parties then reach by mqtts, from other machines too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<BrokerCertificateKeys>,
    /// For each other validator, by its identifier, the addresses of its broker as host:port, tried in order. One that
    /// is still to be admitted is named before, and connected to at the start like the others.
    pub peers: BTreeMap<String, Vec<String>>,
}

impl MeshKeys {
    /// Addresses of its own broker and of the others'.
    pub fn addresses(&self) -> impl Iterator<Item = String> + '_ {
        let own = self.listen.map(|listen| listen.to_string());
        own.into_iter().chain(self.broker.iter().chain(self.peers.values().flatten()).cloned())
    }

    /// Makes paths absolute against the configuration file's directory.
    pub fn resolve(&mut self, directory: &Path) {
        self.tls.iter_mut().for_each(|tls| tls.resolve(directory));
    }
}
