//! Where the files of a deployment lie.

use super::plan::BrokerPlan;
use std::path::{Path, PathBuf};
use wire::party::{Id, PartyId};

/// The genesis.
pub const GENESIS: &str = "genesis.json";
/// The authority's certificate.
pub const AUTHORITY: &str = "authority/authority.pem";
/// Its private key: for provisioning alone.
pub const AUTHORITY_KEY: &str = "authority/authority.key";
/// The revocation list.
pub const REVOKED: &str = "authority/revoked.pem";

/// A machine's folder.
pub fn machine(name: &Id) -> PathBuf {
    Path::new("machines").join(name.as_str())
}

/// A party's name in files.
pub fn party_name(party: &PartyId) -> String {
    format!("{}-{}", party.role.word(), party.id)
}

/// A broker's name in files.
pub fn broker_name(broker: &BrokerPlan) -> String {
    format!("broker-{}", broker.name.get_ref())
}

/// The name in files of a validator's own broker.
pub fn mesh_name(validator: &Id) -> String {
    format!("validator-{validator}-broker")
}

/// Within a machine's folder.
pub mod in_machine {
    use super::party_name;
    use std::path::{Path, PathBuf};
    use wire::party::PartyId;

    /// The file that names the machine's roles.
    pub const MACHINE: &str = "machine.toml";
    /// The genesis.
    pub const GENESIS: &str = "genesis.json";
    /// The authority's certificate.
    pub const AUTHORITY: &str = "tls/authority.pem";
    /// The revocation list, where a broker is.
    pub const REVOKED: &str = "tls/revoked.pem";
    /// The TSO interface's prices.
    pub const PRICES: &str = "prices.csv";
    /// Its wholesale market.
    pub const WHOLESALE: &str = "wholesale.toml";

    /// A role's configuration.
    pub fn role(name: &str) -> PathBuf {
        format!("{name}.toml").into()
    }
    /// A party's signing key of an epoch.
    pub fn key(party: &PartyId, epoch: usize) -> PathBuf {
        let name = party_name(party);
        Path::new("keys").join(if epoch == 0 { format!("{name}.pem") } else { format!("{name}.{epoch}.pem") })
    }
    /// A party's or broker's certificate.
    pub fn certificate(name: &str) -> PathBuf {
        Path::new("tls").join(format!("{name}.crt"))
    }
    /// Its key.
    pub fn certificate_key(name: &str) -> PathBuf {
        Path::new("tls").join(format!("{name}.key"))
    }
    /// What a party's process keeps.
    pub fn data(name: &str) -> PathBuf {
        Path::new("data").join(name)
    }
    /// An entry for the ledger.
    pub fn entry(name: &str) -> PathBuf {
        Path::new("entries").join(format!("{name}.toml"))
    }
}
