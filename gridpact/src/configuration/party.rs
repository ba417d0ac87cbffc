//! Keys every role shares: who it is, whom it trusts, and what its process shows of itself.

use super::listeners::CertificateKeys;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

/// Who a role is, whom it trusts, how it is connected. Paths are relative to the configuration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartyKeys {
    /// Identifier, as the genesis names it, or the ledger's registry: 1 to 40 characters of a-z, 0-9 and -.
    pub id: String,
    /// Ed25519 private key, PKCS#8 PEM. Its public half must stand in the genesis, or in the ledger's
    /// registry, of which the validators are then asked.
    pub key: PathBuf,
    /// How often the key was rotated. The genesis has the first key, and the ledger the present one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub key_epoch: u32,
    /// The key to sign with once the ledger has it: an entry that rotates to it is final. PKCS#8 PEM. A validator needs the
    /// key before for half an hour more: until then its file keeps both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<PathBuf>,
    /// The genesis: feeder, rules, participants. The same file for everyone in a market.
    pub genesis: PathBuf,
    /// The market's MQTT brokers as host:port, or mqtts://host:port for TLS, tried in order until one answers.
    #[serde(default)]
    pub brokers: Vec<String>,
    /// Validators' own brokers as host:port. What is for the ledger goes there as well, and its blocks are
    /// heard there, whatever the market's broker does. Not for validators, which have a mesh.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validator_brokers: Vec<String>,
    /// How many of these are connected to at the same time, the others being tried where one doesn't answer;
    /// with more than a third of them, one is honest. None for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validator_connections: Option<NonZeroUsize>,
    /// Its certificate, for brokers given as mqtts://host:port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<CertificateKeys>,
    /// Where market time comes from: the system's clock, or the timekeeper's ticks.
    #[serde(default)]
    pub clock: ClockKind,
    /// Directory the role keeps its files in. Made where it isn't there.
    pub data_dir: PathBuf,
}

fn is_zero(epoch: &u32) -> bool {
    *epoch == 0
}

/// Where market time comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClockKind {
    /// UTC by this machine's clock.
    #[default]
    System,
    /// What the timekeeper's signed messages say.
    Simulated,
}

/// What a process shows of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessKeys {
    /// Address for /metrics, /healthz and /readyz; none serves none of them. Port 0 takes a free one and logs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_listen: Option<SocketAddr>,
}

impl PartyKeys {
    /// Makes paths absolute against the configuration file's directory.
    pub fn resolve(&mut self, directory: &Path) {
        let paths = [&mut self.key, &mut self.genesis, &mut self.data_dir];
        for path in paths.into_iter().chain(&mut self.next_key) {
            *path = directory.join(&*path);
        }
        self.tls.iter_mut().for_each(|tls| tls.resolve(directory));
    }
}
