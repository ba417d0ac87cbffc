//! What was made, remembered beside it: keys and certificates are made once, whatever the plan says later.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::hash::Hash32;
use wire::party::Id;

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// SHA-256 of the genesis file.
    pub genesis: Hash32,
    /// The authority's certificate.
    pub authority: Issued,
    /// Number of the present revocation list.
    pub list: u64,
    /// Parties by name, as role/id.
    pub parties: BTreeMap<String, PartyRecord>,
    /// Brokers' certificates, by the brokers' names; validators' own as validator/id.
    pub brokers: BTreeMap<String, BrokerRecord>,
    /// Certificates revoked.
    pub revoked: Vec<Revoked>,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// Serial number, in hexadecimal.
    pub serial: String,
    /// Until when it holds, in seconds since 1970.
    pub until: i64,
}

/// A certificate that holds no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// Serial number, in hexadecimal.
    pub serial: String,
    /// Whose.
    pub of: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// Whether another took its place.
    pub superseded: bool,
}

/// A party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyRecord {
    /// Where its files are.
    pub machine: Id,
    /// Its account on the ledger.
    pub account: Id,
    /// Public keys, the first one's first.
    pub keys: Vec<Hash32>,
    /// Its certificate.
    pub certificate: Issued,
    /// Whether it stands in the genesis; who doesn't is registered by an entry.
    pub founder: bool,
    /// Whether it takes part no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoked: bool,
}

/// A broker's certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerRecord {
    /// Where its files are.
    pub machine: Id,
    /// The host it names.
    pub host: String,
    /// The certificate.
    pub certificate: Issued,
}

impl Record {
    /// Puts a certificate on the list.
    pub fn revoke(&mut self, of: &str, certificate: &Issued, at: i64, superseded: bool) {
        let serial = certificate.serial.clone();
        self.revoked.push(Revoked { serial, of: of.to_owned(), at, superseded });
        self.list += 1;
    }
}
