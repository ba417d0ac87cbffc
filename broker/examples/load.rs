//! Load on an embedded broker: sites, their aggregator and four validators in one process, playing
//! the traffic of a day of intervals as fast as it goes, and the memory it takes.
//!
//! ```text
//! cargo run --release -p broker --example load -- [SITES] [INTERVALS]
//! ```
//!
//! Each interval every site sends its aggregator three messages and gets a firm price of 4 kB; every
//! validator broadcasts ten votes and a block of 30 kB. All of it is signed, verified and answered.

use broker::embedded::EmbeddedBroker;
use broker::link::{Link, LinkConfig, LinkEvent, Outgoing};
use broker::metrics::LinkMetrics;
use ed25519_dalek::SigningKey;
use serde_bytes::ByteBuf;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc::{self, Receiver};
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::message::{Body, SetpointReport, Verdict};
use wire::party::{Id, Participant, PartyId, Registry, Role};
use wire::topic::Network;
use wire::Interval;

const VALIDATORS: usize = 4;
const VOTES: usize = 10;
const VOTE_BYTES: usize = 300;
const BLOCK_BYTES: usize = 30_000;
const FIRM_BYTES: usize = 4_000;
const REPORTS: usize = 3;

fn party(role: Role, number: usize) -> Result<PartyId, Box<dyn Error>> {
    Ok(PartyId::new(role, format!("{}{number}", role.word()).parse::<Id>()?))
}

fn key_of(party: &PartyId) -> SigningKey {
    SigningKey::from_bytes(&Hash32::of("load key", &[party.to_string().as_bytes()]).0)
}

fn participant(party: PartyId) -> Participant {
    Participant {
        key: Hash32(key_of(&party).verifying_key().to_bytes()),
        account: party.id.clone(),
        bus: None,
        aggregator: None,
        connection_milliwatt: None,
        epoch: Default::default(),
        party,
    }
}

/// What every link shares.
struct Ground {
    address: String,
    network: Network,
    registry: Arc<Registry>,
    metrics: LinkMetrics,
}

impl Ground {
    /// A link that accepts whatever comes, and reports each message taken and each answer.
    fn connect(&self, party: &PartyId, done: mpsc::UnboundedSender<()>) -> Result<Link, Box<dyn Error>> {
        let everyone = [(Role::Tso, "forecast"), (Role::Timekeeper, "tick")];
        let blocks = (party.role != Role::Site).then_some((Role::Validator, "block"));
        let votes = (party.role == Role::Validator).then_some((Role::Validator, "consensus"));
        let filters = everyone.into_iter().chain(blocks).chain(votes);
        let config = LinkConfig::with_one_connection(
            vec![self.address.clone()],
            filters.map(|(role, kind)| self.network.filter_broadcast(role, kind)).collect(),
            Arc::new(Signer::new(self.network.clone(), party.clone(), key_of(party), 1)),
            self.registry.clone(),
            if party.role == Role::Aggregator { 1_024 } else { 64 },
        );
        let (link, events) = Link::connect(config, self.metrics.clone())?;
        tokio::spawn(accept_all(link.clone(), events, done));
        Ok(link)
    }
}

async fn accept_all(link: Link, mut events: Receiver<LinkEvent>, done: mpsc::UnboundedSender<()>) {
    while let Some(event) = events.recv().await {
        match event {
            LinkEvent::Message(opened) if !matches!(opened.body, Body::Consensus(_) | Body::Block(_)) => {
                if let Err(e) = link.acknowledge(opened.id, Verdict::Accepted) {
                    eprintln!("{e}");
                }
            }
            LinkEvent::Connected | LinkEvent::Answered { .. } => {
                let _ = done.send(());
            }
            LinkEvent::Expired { tag, .. } => eprintln!("message {tag} expired"),
            LinkEvent::Message(_) | LinkEvent::Claimed(_) | LinkEvent::Disconnected { .. } => {}
        }
    }
}

fn outgoing(body: Body, recipient: Option<PartyId>) -> Outgoing {
    let acknowledged_by = recipient.iter().cloned().collect();
    Outgoing { body, interval: Interval::default(), recipient, acknowledged_by, tag: 0, valid_for_ms: 60_000 }
}

fn report() -> Body {
    let (commitment, confirmed, faults) = (None, 3, Vec::new());
    Body::SetpointReport(SetpointReport { interval: Interval::default(), commitment, confirmed, faults })
}

fn firm() -> Body {
    Body::Firm(Box::new(wire::message::Firm {
        interval: Interval::default(),
        bus: wire::message::BusAward {
            bus: "bus".to_owned(),
            price: Default::default(),
            range: Default::default(),
            allocation: Default::default(),
        },
        parts: None,
        allocation: Default::default(),
        reactive: None,
        path: Default::default(),
        bid_path: Default::default(),
        finality: ByteBuf::from(vec![0x5a; FIRM_BYTES]),
    }))
}

/// Resident memory of this process in megabytes, where the system says it.
fn resident_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kb| kb / 1_024)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let sites: usize = arguments.next().map_or(Ok(145), |text| text.parse())?;
    let intervals: usize = arguments.next().map_or(Ok(96), |text| text.parse())?;
    println!("before: {:?} MB", resident_mb());

    let aggregator = party(Role::Aggregator, 0)?;
    let site_parties = (0..sites).map(|n| party(Role::Site, n)).collect::<Result<Vec<_>, _>>()?;
    let validators = (0..VALIDATORS).map(|n| party(Role::Validator, n)).collect::<Result<Vec<_>, _>>()?;
    let everyone = site_parties.iter().chain(&validators).chain([&aggregator]);
    let counters = prometheus::Registry::new();
    let ground = Ground {
        address: EmbeddedBroker::start(([127, 0, 0, 1], 0).into())?.address().to_string(),
        network: Network { network: "load".parse()?, feeder: "f1".parse()? },
        registry: Arc::new(everyone.map(|party| (party.clone(), participant(party.clone()))).collect()),
        metrics: LinkMetrics::register(&counters)?,
    };
    let (done_tx, mut done) = mpsc::unbounded_channel();
    let connect = |party: &PartyId| ground.connect(party, done_tx.clone());
    let site_links = site_parties.iter().map(connect).collect::<Result<Vec<_>, _>>()?;
    let validator_links = validators.iter().map(connect).collect::<Result<Vec<_>, _>>()?;
    let aggregator_link = connect(&aggregator)?;
    for _ in 0..sites + VALIDATORS + 1 {
        done.recv().await;
    }
    println!("{} links connected: {:?} MB", sites + VALIDATORS + 1, resident_mb());

    let mut round_trips_us = Vec::new();
    for _ in 0..201 {
        let sent = Instant::now();
        site_links[0].send(outgoing(report(), Some(aggregator.clone())))?;
        done.recv().await;
        round_trips_us.push(sent.elapsed().as_micros());
    }
    round_trips_us.sort_unstable();
    println!("one message and its answer, median: {} us", round_trips_us[100]);

    let started = Instant::now();
    for interval in 1..=intervals {
        for validator in &validator_links {
            for _ in 0..VOTES {
                let vote = ByteBuf::from(vec![1; VOTE_BYTES]);
                validator.send(outgoing(Body::Consensus(vote), None))?;
            }
            validator.send(outgoing(Body::Block(ByteBuf::from(vec![2; BLOCK_BYTES])), None))?;
        }
        for (link, party) in site_links.iter().zip(&site_parties) {
            for _ in 0..REPORTS {
                link.send(outgoing(report(), Some(aggregator.clone())))?;
            }
            aggregator_link.send(outgoing(firm(), Some(party.clone())))?;
        }
        for _ in 0..sites * (REPORTS + 1) {
            done.recv().await;
        }
        if interval % 16 == 0 {
            println!("interval {interval}: {:?} MB after {:.1?}", resident_mb(), started.elapsed());
        }
    }
    let messages = intervals * sites * (REPORTS + 1);
    let rate = messages as f64 / started.elapsed().as_secs_f64();
    println!("{messages} messages sent, verified and answered: {rate:.0} a second");
    for family in counters.gather() {
        for metric in family.get_metric() {
            let labels: Vec<&str> = metric.get_label().iter().map(|label| label.value()).collect();
            println!("{} {labels:?} {}", family.name(), metric.get_counter().get_value());
        }
    }
    Ok(())
}
