//! Which brokers a validator speaks on and listens to. In a mesh each validator publishes on its own broker
//! alone, and everyone else connects there: no other broker can keep it from being heard, and its own can
//! keep only it.

use broker::link::{Carries, ConnectionConfig};
use std::collections::BTreeMap;
use wire::hash::Hash32;
use wire::message::Kind;
use wire::party::{Id, PartyId, Role};
use wire::topic::Network;

/// Kind of messages among validators.
const CONSENSUS: &str = "consensus";
/// Kind of messages that tell everyone of a decided block.
const BLOCK: &str = "block";
/// Kind of messages that ask for an entry.
const SUBMIT: &str = "submit";
/// Kind of messages that ask for a decided block.
const MISSED: &str = "block-question";
/// Kind of messages that ask what is governed, and of the answers.
const QUESTION: &str = "registry-question";
const SUMMARY: &str = "registry-summary";
/// Kind of messages that prove a DSO's double clearing.
const PROOF: &str = "double-clearing";

/// Brokers a validator uses. Addresses are `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brokers {
    /// One broker carries all validators and all parties; where there are several addresses, they are tried
    /// in turn.
    Shared(Vec<String>),
    /// Each validator has its own.
    Mesh(Mesh),
}

/// Brokers of a mesh, as one validator sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mesh {
    /// Its own broker.
    pub own: Vec<String>,
    /// Each other validator's broker, by the validator's identifier; of those who are still to come as well, for
    /// connections are made at the start.
    pub peers: BTreeMap<Id, Vec<String>>,
    /// The market's brokers, tried in turn, where parties submit that know no validator's broker. There may
    /// be none.
    pub market: Vec<String>,
}

impl Brokers {
    /// The first of these validators, but for `me`, whose broker isn't known.
    pub fn unknown<'a>(&self, me: &Id, mut validators: impl Iterator<Item = &'a Id>) -> Option<&'a Id> {
        match self {
            Brokers::Shared(_) => None,
            Brokers::Mesh(mesh) => validators.find(|id| *id != me && !mesh.peers.contains_key(id)),
        }
    }

    /// Validators whose broker is known and who are none of these: those to come, perhaps.
    pub fn strangers<'a>(&'a self, validators: &'a [(Id, Hash32)]) -> impl Iterator<Item = &'a Id> {
        let peers = match self {
            Brokers::Shared(_) => None,
            Brokers::Mesh(mesh) => Some(mesh.peers.keys()),
        };
        peers.into_iter().flatten().filter(|peer| !validators.iter().any(|(id, _)| id == *peer))
    }

    /// The connections of a validator's link.
    pub fn connections(&self, network: &Network, me: &Id) -> Vec<ConnectionConfig> {
        let submissions = submissions(network);
        match self {
            Brokers::Shared(addresses) => {
                let said = [CONSENSUS, BLOCK].map(|kind| network.filter_broadcast(Role::Validator, kind));
                let subscriptions = submissions.into_iter().chain(said).collect();
                vec![ConnectionConfig::market(addresses.clone(), subscriptions)]
            }
            Brokers::Mesh(mesh) => mesh.connections(network, me, &submissions),
        }
    }
}

impl Mesh {
    fn connections(&self, network: &Network, me: &Id, submissions: &[String]) -> Vec<ConnectionConfig> {
        let own = ConnectionConfig {
            name: "own".to_owned(),
            addresses: self.own.clone(),
            subscriptions: submissions.to_vec(),
            carries: Carries::Only(vec![CONSENSUS, BLOCK, SUMMARY, PROOF]),
        };
        let peer = |(id, addresses): (&Id, &Vec<String>)| {
            let party = PartyId::new(Role::Validator, id.clone());
            // Not blocks: votes tell of them, and who misses votes asks.
            let said = network.broadcast_by(&party, CONSENSUS);
            ConnectionConfig {
                name: party.to_string(),
                addresses: addresses.clone(),
                subscriptions: submissions.iter().cloned().chain([said]).collect(),
                carries: Carries::Only(Vec::new()),
            }
        };
        let market = ConnectionConfig {
            carries: Carries::Only(vec![BLOCK, SUMMARY, PROOF]),
            ..ConnectionConfig::market(self.market.clone(), submissions.to_vec())
        };
        let peers = self.peers.iter().filter(|(id, _)| *id != me).map(peer);
        let market = (!self.market.is_empty()).then_some(market);
        std::iter::once(own).chain(peers).chain(market).collect()
    }
}

/// Filters for entries of everyone who may submit any, for questions, and for proofs against DSOs.
fn submissions(network: &Network) -> Vec<String> {
    let kinds = [SUBMIT, QUESTION, MISSED, PROOF].into_iter().filter_map(Kind::of);
    let filters =
        |kind: &'static Kind| kind.from.iter().map(|role| network.filter_broadcast(*role, kind.word));
    kinds.flat_map(filters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        text.parse().unwrap()
    }

    fn network() -> Network {
        Network { network: id("n"), feeder: id("f") }
    }

    fn mesh(market: &[&str]) -> Brokers {
        Brokers::Mesh(Mesh {
            own: vec!["a:1".to_owned()],
            peers: ["v2", "v3"].map(|peer| (id(peer), vec![format!("{peer}:1")])).into(),
            market: market.iter().map(|address| (*address).to_owned()).collect(),
        })
    }

    fn heard(connection: &ConnectionConfig) -> Vec<&str> {
        let filters = connection.subscriptions.iter().map(String::as_str);
        filters
            .filter(|filter| {
                ![SUBMIT, QUESTION, MISSED, PROOF].iter().any(|kind| filter.ends_with(&format!("/+/{kind}")))
            })
            .collect()
    }

    #[test]
    fn each_validator_is_heard_on_its_own_broker_alone_and_entries_on_all() {
        let connections = mesh(&["m:1"]).connections(&network(), &id("v1"));
        let names: Vec<&str> = connections.iter().map(|connection| connection.name.as_str()).collect();
        assert_eq!(names, ["own", "validator/v2", "validator/v3", "market"]);
        let carried: Vec<&Carries> = connections.iter().map(|connection| &connection.carries).collect();
        let only = |kinds: &[&'static str]| Carries::Only(kinds.to_vec());
        let own = only(&[CONSENSUS, BLOCK, SUMMARY, PROOF]);
        assert_eq!(carried, [&own, &only(&[]), &only(&[]), &only(&[BLOCK, SUMMARY, PROOF])]);
        assert_eq!(heard(&connections[1]), ["gridpact/v1/n/f/validator/v2/consensus"]);
        for other in [0, 3] {
            assert_eq!(heard(&connections[other]), Vec::<&str>::new());
        }
        let submit = "gridpact/v1/n/f/site/+/submit".to_owned();
        assert!(connections.iter().all(|connection| connection.subscriptions.contains(&submit)));
    }

    #[test]
    fn without_a_market_there_is_no_connection_to_one_and_every_other_validator_must_be_known() {
        let brokers = mesh(&[]);
        assert_eq!(brokers.connections(&network(), &id("v1")).len(), 3);
        let unknown = |validators: &[&str]| {
            let ids: Vec<Id> = validators.iter().map(|validator| id(validator)).collect();
            brokers.unknown(&id("v1"), ids.iter()).cloned()
        };
        assert_eq!(unknown(&["v1", "v2", "v3"]), None);
        assert_eq!(unknown(&["v1", "v2", "v4"]), Some(id("v4")));
        let set = ["v1", "v2"].map(|known| (id(known), Hash32::default()));
        assert_eq!(brokers.strangers(&set).collect::<Vec<_>>(), [&id("v3")]);
    }
}
