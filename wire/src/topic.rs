//! MQTT topics: `gridpact/v1/{network}/{feeder}/{role}/{id}/{message}` with, where a message is
//! for one party alone, `/{recipient role}-{recipient id}` behind it. Role and id are the sender's.

use crate::party::{Id, PartyId, Role};
use market::interval::Interval;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Longest topic accepted, in bytes.
pub const MAX_TOPIC_BYTES: usize = 256;

/// Which market a topic belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The network: one ledger, one set of participants.
    pub network: Id,
    /// The feeder within it.
    pub feeder: Id,
}

/// One topic, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topic {
    /// Market.
    pub network: Network,
    /// Who publishes.
    pub sender: PartyId,
    /// Kind of message, as [`crate::message::Body::kind`].
    pub kind: Id,
    /// For whom, where it is for one party alone.
    pub recipient: Option<PartyId>,
}

/// Why a text is not a topic of ours.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is not a gridpact topic")]
pub struct TopicError {
    /// The text, cut to 80 characters.
    pub text: String,
}

impl Network {
    /// Filter for one kind of message by any party of a role, addressed to nobody in particular.
    pub fn filter_broadcast(&self, role: Role, kind: &str) -> String {
        format!("gridpact/v1/{}/{}/{}/+/{kind}", self.network, self.feeder, role.word())
    }
    /// The one name by which an interval of this market, or a session that begins with it, is followed through the logs of
    /// every process: `NETWORK/FEEDER@START`, the start in seconds since 1970.
    pub fn trace(&self, interval: Interval) -> String {
        format!("{}/{}@{}", self.network, self.feeder, interval.start().0)
    }

    /// Filter for one kind of message by one party, addressed to nobody in particular.
    pub fn broadcast_by(&self, sender: &PartyId, kind: &str) -> String {
        format!("gridpact/v1/{}/{}/{}/{}/{kind}", self.network, self.feeder, sender.role.word(), sender.id)
    }
    /// Filter for messages of any kind, by any party, addressed to `recipient`.
    pub fn filter_addressed(&self, recipient: &PartyId) -> String {
        format!(
            "gridpact/v1/{}/{}/+/+/+/{}-{}",
            self.network,
            self.feeder,
            recipient.role.word(),
            recipient.id
        )
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Network { network, feeder } = &self.network;
        let PartyId { role, id } = &self.sender;
        write!(f, "gridpact/v1/{network}/{feeder}/{}/{id}/{}", role.word(), self.kind)?;
        match &self.recipient {
            Some(to) => write!(f, "/{}-{}", to.role.word(), to.id),
            None => Ok(()),
        }
    }
}

impl FromStr for Topic {
    type Err = TopicError;
    fn from_str(text: &str) -> Result<Self, TopicError> {
        parse(text).ok_or_else(|| TopicError { text: text.chars().take(80).collect() })
    }
}

fn parse(text: &str) -> Option<Topic> {
    if text.len() > MAX_TOPIC_BYTES {
        return None;
    }
    let levels: Vec<&str> = text.split('/').collect();
    let (levels, recipient) = match levels.len() {
        7 => (&levels[..], None),
        8 => (&levels[..7], Some(parse_recipient(levels[7])?)),
        _ => return None,
    };
    if levels[0] != "gridpact" || levels[1] != "v1" {
        return None;
    }
    Some(Topic {
        network: Network { network: levels[2].parse().ok()?, feeder: levels[3].parse().ok()? },
        sender: PartyId::new(levels[4].parse().ok()?, levels[5].parse().ok()?),
        kind: levels[6].parse().ok()?,
        recipient,
    })
}

fn parse_recipient(level: &str) -> Option<PartyId> {
    // Some roles' words hold a hyphen themselves, and none is the beginning of another's.
    let party = |role: Role| {
        let id = level.strip_prefix(role.word())?.strip_prefix('-')?;
        Some(PartyId::new(role, id.parse().ok()?))
    };
    Role::ALL.into_iter().find_map(party)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, valid: bool) {
        match text.parse::<Topic>() {
            Ok(topic) => {
                assert!(valid, "{text}");
                assert_eq!(topic.to_string(), text);
            }
            Err(_) => assert!(!valid, "{text}"),
        }
    }

    #[test]
    fn topics_round_trip_and_others_are_refused() {
        check("gridpact/v1/net/rural1/site/h07/bid", true);
        check("gridpact/v1/net/rural1/aggregator/a-1/ack/site-h07", true);
        check("gridpact/v1/net/rural1/aggregator/a-1/ack/site-", false);
        check("gridpact/v1/net/rural1/data-service/d-1/submit", true);
        check("gridpact/v1/net/rural1/validator/v1/ack/data-service-d-1", true);
        check("gridpact/v1/net/rural1/validator/v1/ack/data-d-1", false);
        check("gridpact/v1/net/rural1/king/h07/bid", false);
        check("gridpact/v2/net/rural1/site/h07/bid", false);
        check("gridpact/v1/net/rural1/site/H07/bid", false);
        check("gridpact/v1/net/rural1/site/h07/bid/site-a/b", false);
        check("gridpact/v1/net/rural1/site/+/bid", false);
    }
}
