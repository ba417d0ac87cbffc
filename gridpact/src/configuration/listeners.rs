//! Certificates of parties and brokers, and the listeners of an embedded broker.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A party's certificate, for brokers that speak TLS: those given as mqtts://host:port. Files are PEM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateKeys {
    /// Its certificate, with those above it but the authority's. It names the party as role/id.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The authority that signs brokers' certificates.
    pub authority: PathBuf,
}

/// A broker's certificate, and whose it accepts. Files are PEM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BrokerCertificateKeys {
    /// Its certificate, with those above it but the authority's.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The authority that signs parties' certificates.
    pub authority: PathBuf,
    /// The authority's revocation list, read again when it changes: who is on it is disconnected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<PathBuf>,
}

/// A listener for parties of the market, by TLS with certificates. Each may use its own role's topics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartiesKeys {
    /// Address to listen on; any.
    pub listen: SocketAddr,
    /// The genesis, which names the market whose topics these are.
    pub genesis: PathBuf,
    /// Certificates.
    pub tls: BrokerCertificateKeys,
}

/// A listener for a site's own plain devices, by user name and password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DevicesKeys {
    /// Address to listen on: loopback or in a private network, as passwords come in the clear.
    pub listen: SocketAddr,
    /// Devices by user name.
    pub users: BTreeMap<String, DeviceKeys>,
}

/// One device's login.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceKeys {
    /// SHA-256 of its password, in hexadecimal. Choose a long random one.
    pub password_sha256: String,
    /// What the topics begin with that it may use, without the slash behind.
    pub topics: Vec<String>,
}

impl CertificateKeys {
    /// Makes paths absolute against the configuration file's directory.
    pub fn resolve(&mut self, directory: &Path) {
        for path in [&mut self.certificate, &mut self.key, &mut self.authority] {
            *path = directory.join(&*path);
        }
    }
}

impl BrokerCertificateKeys {
    /// Makes paths absolute against the configuration file's directory.
    pub fn resolve(&mut self, directory: &Path) {
        let paths = [&mut self.certificate, &mut self.key, &mut self.authority];
        for path in paths.into_iter().chain(&mut self.revoked) {
            *path = directory.join(&*path);
        }
    }
}

impl PartiesKeys {
    /// Makes paths absolute against the configuration file's directory.
    pub fn resolve(&mut self, directory: &Path) {
        self.genesis = directory.join(&self.genesis);
        self.tls.resolve(directory);
    }
}
