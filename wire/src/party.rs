//! Who takes part: roles, identifiers, and the registry of keys that messages are checked against.

use crate::hash::Hash32;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

/// What a party does in the market. Rights follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A site controller: one customer's connection point.
    Site,
    /// An aggregator: sums sites' curves and answers the DSO's prices.
    Aggregator,
    /// The distribution system operator: clears within the feeder's limits.
    Dso,
    /// The interface to the transmission system operator: states the import's price curve.
    Tso,
    /// A ledger validator.
    Validator,
    /// Publishes simulated time; absent where the clock is the system's.
    Timekeeper,
    /// Publishes forecasts of price, load and sun; absent where nobody does.
    Forecaster,
    /// A meter, or whoever reads several: vouches for readings.
    Meter,
    /// Checks the books: reads everything and changes nothing.
    Auditor,
    /// The authority: reads everything, and proposes changes of the rules.
    Regulator,
    /// Trades tokens and contracts without a connection of its own.
    Trader,
    /// A third party that reads aggregates.
    DataService,
    /// A fiat gateway: holds money, mints tokens for what comes in and burns them for what it pays out.
    Gateway,
}

/// Why a text is not a role or an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PartyError {
    /// Not one of the roles.
    #[error("{text:?} is not a role")]
    UnknownRole {
        /// The text given.
        text: String,
    },
    /// Identifiers are 1 to 40 characters of `a-z`, `0-9` and `-`.
    #[error("{text:?} is not an identifier: 1 to 40 characters of a-z, 0-9 and -")]
    BadId {
        /// The text given.
        text: String,
    },
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 13] = [
        Role::Site,
        Role::Aggregator,
        Role::Dso,
        Role::Tso,
        Role::Validator,
        Role::Timekeeper,
        Role::Forecaster,
        Role::Meter,
        Role::Auditor,
        Role::Regulator,
        Role::Trader,
        Role::DataService,
        Role::Gateway,
    ];

    /// The role's word in topics, configuration and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Role::Site => "site",
            Role::Aggregator => "aggregator",
            Role::Dso => "dso",
            Role::Tso => "tso",
            Role::Validator => "validator",
            Role::Timekeeper => "timekeeper",
            Role::Forecaster => "forecaster",
            Role::Meter => "meter",
            Role::Auditor => "auditor",
            Role::Regulator => "regulator",
            Role::Trader => "trader",
            Role::DataService => "data-service",
            Role::Gateway => "gateway",
        }
    }
}

impl FromStr for Role {
    type Err = PartyError;
    fn from_str(text: &str) -> Result<Self, PartyError> {
        Role::ALL
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or_else(|| PartyError::UnknownRole { text: text.to_owned() })
    }
}

/// An identifier that may stand in a topic: 1 to 40 characters of `a-z`, `0-9`, `-`. Copies share its
/// text: states, messages and queues are full of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Arc<str>);

impl Id {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = PartyError;
    fn from_str(text: &str) -> Result<Self, PartyError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=40).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(PartyError::BadId { text: text.chars().take(60).collect() })
        }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(IdText)
    }
}

/// Reads an identifier's text.
struct IdText;

impl Visitor<'_> for IdText {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an identifier")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
        text.parse().map_err(E::custom)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One party: its role and its identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PartyId {
    /// What it does.
    pub role: Role,
    /// Which one it is.
    pub id: Id,
}

impl PartyId {
    /// A party from its parts.
    pub fn new(role: Role, id: Id) -> Self {
        Self { role, id }
    }
}

impl FromStr for PartyId {
    type Err = PartyError;
    fn from_str(text: &str) -> Result<Self, PartyError> {
        let bad = || PartyError::UnknownRole { text: text.chars().take(60).collect() };
        let (role, id) = text.split_once('/').ok_or_else(bad)?;
        Ok(Self::new(role.parse()?, id.parse()?))
    }
}

impl fmt::Display for PartyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.role.word(), self.id)
    }
}

/// What everyone knows of one party. No personal data: an account is a pseudonym.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// Role and identifier.
    pub party: PartyId,
    /// Ed25519 public key, 32 bytes.
    pub key: Hash32,
    /// Pseudonym of the account on the ledger.
    pub account: Id,
    /// For a site: the bus it is connected to. None for other roles.
    pub bus: Option<String>,
    /// For a site: the aggregator that bids for it. None for other roles.
    pub aggregator: Option<Id>,
    /// For a site: the most it may take or feed in, in milliwatts. None for other roles.
    pub connection_milliwatt: Option<i64>,
    /// Which of its keys this is.
    #[serde(default, skip_serializing_if = "KeyEpoch::is_first")]
    pub epoch: KeyEpoch,
}

/// Which of a participant's keys it signs with: every rotation begins another epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEpoch {
    /// Rotations before this key.
    pub number: u32,
    /// The key before it, as long as what it signed is still believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retiring: Option<Hash32>,
}

impl KeyEpoch {
    fn is_first(&self) -> bool {
        *self == Self::default()
    }
}

impl Participant {
    /// Keys by which what it signs is believed, each with its epoch: its own, then the one that is retiring.
    pub fn keys(&self) -> impl Iterator<Item = (u32, &Hash32)> {
        let before = self.epoch.number.checked_sub(1).zip(self.epoch.retiring.as_ref());
        [(self.epoch.number, &self.key)].into_iter().chain(before)
    }
}

/// Every participant of one network, by party.
pub type Registry = BTreeMap<PartyId, Participant>;
