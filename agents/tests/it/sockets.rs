//! The roles in their actix shells, over a real broker on real sockets: two intervals from bid to settlement.

use crate::household::{Firms, Household};
use crate::inspect;
use crate::market_day::terms;
use crate::party::Play;
use crate::validators::{Assembly, Validator};
use crate::world::{self, party, Plan, FIRST};
use agents::aggregator::delivery::StoredBatch;
use agents::aggregator::{self, AggregatorOptions};
use agents::chain::Chain;
use agents::clock::ClockSource;
use agents::core::{Effect, Incoming, Input, Now};
use agents::dso::{self, DsoOptions};
use agents::metrics::AgentMetrics;
use agents::shell::{Common, RoleHandle};
use agents::timekeeper::{self, Pace, Progress, TimekeeperOptions};
use agents::tso::{self, TsoOptions};
use broker::embedded::EmbeddedBroker;
use broker::link::{Link, LinkConfig, LinkEvent, Outgoing};
use broker::metrics::LinkMetrics;
use ledger::genesis::Genesis;
use market::interval::UnixSeconds;
use market::units::{MicrogramPerWh, Milliwatt};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use wire::entry::BatchReference;
use wire::message::Body;
use wire::party::{PartyId, Role};

/// Against hanging only; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(300);
const INTERVALS: u32 = 2;

/// A scripted party on a real link.
async fn play(link: Link, mut events: mpsc::Receiver<LinkEvent>, mut play: Box<dyn Play>) {
    let started = Instant::now();
    let mut market = None;
    loop {
        let event = tokio::time::timeout(Duration::from_millis(50), events.recv()).await;
        let input = match event {
            Err(_) => Input::Poll,
            Ok(None) => return,
            Ok(Some(LinkEvent::Message(opened))) => match opened.body {
                Body::Tick(tick) => {
                    market = market.max(Some(tick.now));
                    Input::Poll
                }
                body => Input::Message(Incoming {
                    id: opened.id,
                    interval: opened.interval,
                    body,
                    raw: opened.raw,
                }),
            },
            Ok(Some(LinkEvent::Answered { tag, by, verdict })) => Input::Answered { tag, by, verdict },
            Ok(Some(_)) => continue,
        };
        let now = Now { market: market.unwrap_or_default(), real_ms: started.elapsed().as_millis() as u64 };
        if market.is_none() && input == Input::Poll {
            continue;
        }
        for effect in play.step(now, input) {
            match effect {
                Effect::Send { body, interval, recipient, acknowledged_by, tag } => {
                    let valid_for_ms = 120_000;
                    let said = Outgoing { body, interval, recipient, acknowledged_by, tag, valid_for_ms };
                    link.send(said).unwrap();
                }
                Effect::Acknowledge { of, verdict } => link.acknowledge(of, verdict).unwrap(),
                Effect::Note { event, text } => println!("{event}: {text}"),
                Effect::Own(never) => match never {},
            }
        }
    }
}

struct Market {
    genesis: Arc<Genesis>,
    address: String,
    registry: prometheus::Registry,
    link_metrics: LinkMetrics,
    metrics: AgentMetrics,
    directory: tempfile::TempDir,
}

impl Market {
    fn common(&self, party: &PartyId) -> Common {
        Common {
            genesis: self.genesis.clone(),
            chain: Chain::new(&self.genesis).unwrap(),
            signer: Arc::new(world::signer(party)),
            broker_addresses: vec![self.address.clone()],
            validator_brokers: Vec::new(),
            identity: None,
            clock: ClockSource::Simulated,
            built: UnixSeconds(0),
            data_dir: self.directory.path().join(party.id.as_str()),
            registry: self.registry.clone(),
            link_metrics: self.link_metrics.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// A party played by script.
    fn script(&self, party: &PartyId, listens: &[(Role, &str)], script: Box<dyn Play>) {
        let filter = |(role, kind): &(Role, &str)| self.genesis.network.filter_broadcast(*role, kind);
        let ticks = [(Role::Timekeeper, "tick")];
        let config = LinkConfig::with_one_connection(
            vec![self.address.clone()],
            listens.iter().chain(&ticks).map(filter).collect(),
            Arc::new(world::signer(party)),
            Arc::new(self.genesis.registry()),
            256,
        );
        let (link, events) = Link::connect(config, self.link_metrics.clone()).unwrap();
        actix::spawn(play(link, events, script));
    }

    fn roles(&self) -> Vec<RoleHandle> {
        let (dso, tso) = (party(Role::Dso, "d"), party(Role::Tso, "t"));
        let mut roles = vec![
            dso::start(&self.common(&dso), DsoOptions::default()).unwrap(),
            tso::start(&self.common(&tso), TsoOptions::Terms(terms(INTERVALS)), MicrogramPerWh::ZERO)
                .unwrap(),
        ];
        for id in ["a1", "a2"] {
            let common = self.common(&party(Role::Aggregator, id));
            roles.push(aggregator::start(&common, AggregatorOptions::default()).unwrap());
        }
        roles
    }
}

fn set_up() -> Market {
    let genesis =
        Arc::new(world::genesis(Plan { sites_each: 3, line_limit: Some(Milliwatt(4_000_000)), grid: false }));
    let registry = prometheus::Registry::new();
    let broker = EmbeddedBroker::start(([127, 0, 0, 1], 0).into()).unwrap();
    Market {
        genesis,
        address: broker.address().to_string(),
        link_metrics: LinkMetrics::register(&registry).unwrap(),
        metrics: AgentMetrics::register(&registry).unwrap(),
        registry,
        directory: tempfile::tempdir().unwrap(),
    }
}

#[test]
fn two_intervals_are_traded_and_settled_over_a_real_broker() {
    let market = set_up();
    let (assembly, firms) = (Assembly::new(&market.genesis), Firms::default());
    let world = Arc::new(Mutex::new(Vec::new()));
    let lived = world.clone();
    actix::System::new().block_on(async {
        for id in ["v1", "v2", "v3", "v4"] {
            let me = party(Role::Validator, id);
            let validator = Validator { party: me.clone(), assembly: assembly.clone(), told: 0 };
            let kinds = ["submit", "block-question"];
            let listens = [Role::Dso, Role::Aggregator].map(|role| kinds.map(|kind| (role, kind))).concat();
            market.script(&me, &listens, Box::new(validator));
        }
        for (place, site) in
            market.genesis.participants.iter().filter(|p| p.party.role == Role::Site).enumerate()
        {
            let aggregator = site.aggregator.as_ref().unwrap().as_str();
            let household = Household::new(site.party.clone(), aggregator, firms.clone(), 0, place as u64);
            market.script(&site.party, &[], Box::new(household));
        }
        let mut roles = market.roles();
        let (progress, mut shown) = watch::channel(Progress::default());
        let pace = Pace { first: FIRST, count: Some(INTERVALS), speed: 100_000, phase_limit_ms: 60_000 };
        let advance = Arc::new(move |to: UnixSeconds| lived.lock().unwrap().push(to));
        let options = TimekeeperOptions { pace, advance, progress };
        let timekeeper = market.common(&party(Role::Timekeeper, "k"));
        roles.push(timekeeper::start(&timekeeper, options).unwrap());
        let finished = shown.wait_for(|progress| progress.finished);
        tokio::time::timeout(PATIENCE, finished).await.expect("the day ends").unwrap();
        for role in roles {
            role.stop().unwrap();
            role.ended().await;
        }
    });
    let recorded = inspect::recorded(&assembly.borrow().decided);
    assert_eq!(recorded.len(), INTERVALS as usize);
    for (interval, of) in recorded {
        inspect::check_firms(&market.genesis, of.clearing.as_ref().unwrap(), &firms);
        for (aggregator, delivery) in of.deliveries {
            assert!(delivery.sites.iter().all(|site| site.energy.is_some()));
            assert_eq!(delivery.interval, interval);
            let archive = market.directory.path().join(aggregator.id.as_str()).join("archive");
            let stored = |batch: &BatchReference| StoredBatch {
                path: batch.location.clone(),
                sha256: batch.sha256,
                bytes: std::fs::read(archive.join(&batch.location)).unwrap(),
            };
            let batches = [&*delivery.readings, &*delivery.bids].map(stored);
            inspect::check_batches(&market.genesis, &delivery, &batches);
        }
    }
    let world = world.lock().unwrap();
    assert!(world.windows(2).all(|pair| pair[0] <= pair[1]), "{world:?}");
    assert_eq!(world.last(), Some(&FIRST.later(i64::from(INTERVALS), 900).start()));
}
