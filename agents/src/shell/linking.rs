//! A party's link to the market's brokers and the validators'.

use super::{proofs, Common};
use broker::link::{Carries, ConnectionConfig, Link, LinkConfig, LinkError, LinkEvent};
use std::sync::Arc;
use tokio::sync::mpsc;
use wire::party::{PartyId, Registry, Role};
use wire::topic::Network;

/// A party's link, which hears what it subscribes to and believes those of a registry; so many messages may wait
/// for it. Needs a tokio runtime.
///
/// # Errors
/// Where it can't be made.
pub fn connect(
    common: &Common,
    subscriptions: Vec<String>,
    registry: Arc<Registry>,
    queue: usize,
) -> Result<(Link, mpsc::Receiver<LinkEvent>), LinkError> {
    Link::connect(link_config(common, subscriptions, registry, queue), common.link_metrics.clone())
}

/// What such a link is made with.
pub(super) fn link_config(
    common: &Common,
    subscriptions: Vec<String>,
    registry: Arc<Registry>,
    queue: usize,
) -> LinkConfig {
    LinkConfig {
        connections: connections(common, subscriptions),
        signer: common.signer.clone(),
        registry,
        queue,
        rates: Vec::new(),
        screen: None,
        answers: None,
        identity: common.identity.clone(),
    }
}

/// Everything goes by the market's broker. What is for the ledger may go by validators' own brokers as well;
/// where any are known, its blocks are heard there alone, so that no one broker can keep an entry from being
/// made, or from being known.
fn connections(common: &Common, subscriptions: Vec<String>) -> Vec<ConnectionConfig> {
    let blocks = common.genesis.network.filter_broadcast(Role::Validator, "block");
    let apart = |filter: &String| !common.validator_brokers.is_empty() && *filter == blocks;
    let (mut heard, others): (Vec<String>, Vec<String>) = subscriptions.into_iter().partition(apart);
    // What is said against a DSO is heard on every broker, for any one of them may be the DSO's.
    heard.extend(proofs::heard(&common.genesis.network, common.signer.party().role));
    let validators = (1..).zip(&common.validator_brokers).map(|(place, addresses)| ConnectionConfig {
        name: format!("validators-{place}"),
        addresses: addresses.clone(),
        subscriptions: heard.clone(),
        carries: Carries::Only(vec!["submit", "registry-question", "block-question", proofs::KIND]),
    });
    let market = ConnectionConfig::market(common.broker_addresses.clone(), others);
    let market = (!common.broker_addresses.is_empty()).then_some(market);
    market.into_iter().chain(validators).collect()
}

/// Topics of these validators' blocks.
pub(super) fn blocks_of(network: &Network, validators: &[PartyId]) -> Vec<String> {
    validators.iter().map(|validator| network.broadcast_by(validator, "block")).collect()
}
