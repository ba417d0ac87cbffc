//! A validator's place in the mesh of validators' brokers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The mesh of validators: a broker of its own, on which alone this one speaks, and the other validators'. In
/// a mesh, `party.brokers` are the market's, where it takes entries and tells of blocks as well; they may be
/// left out. Without this section `party.brokers` carries all validators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeshKeys {
    /// Address on which a broker of its own listens inside this process. Loopback only, as the embedded broker has no
    /// access rules yet: between machines, name an external one in broker. Either this or broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// A broker of its own outside this process, as host:port; several are tried in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broker: Vec<String>,
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
}
