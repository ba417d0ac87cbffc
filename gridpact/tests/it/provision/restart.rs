//! A broker that is killed and started again, and one that takes over: nothing is lost or doubled. Links by mutual TLS, with the
//! files that were made.

use super::scene::{Kind, Scene, PATIENCE};
use broker::link::{Identity, Link, LinkConfig, LinkEvent, Outgoing};
use broker::metrics::LinkMetrics;
use gridpact::configuration::key_file;
use gridpact::demo::ports::FreePorts;
use gridpact::run::party::read_genesis;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use wire::envelope::Signer;
use wire::message::{Body, SetpointReport, Verdict};
use wire::party::PartyId;
use wire::Interval;

/// Messages sent while brokers come and go.
const MESSAGES: u64 = 60;

fn connect(scene: &Scene, party: &str, machine: &str, brokers: &[String]) -> (Link, Receiver<LinkEvent>) {
    let genesis = read_genesis(&scene.at("genesis.json")).unwrap();
    let party: PartyId = party.parse().unwrap();
    let name = format!("{}-{}", party.role.word(), party.id);
    let at = |path: String| scene.at(&format!("machines/{machine}/{path}"));
    let tls = |end: &str| at(format!("tls/{name}.{end}"));
    let identity = Identity::load(&tls("crt"), &tls("key"), &at("tls/authority.pem".to_owned())).unwrap();
    let key = key_file::read(&at(format!("keys/{name}.pem"))).unwrap();
    let signer = Arc::new(Signer::new(genesis.network.clone(), party, key, 1_000));
    let registry = Arc::new(genesis.registry());
    let config = LinkConfig::with_one_connection(brokers.to_vec(), Vec::new(), signer, registry, 256);
    let metrics = LinkMetrics::register(&prometheus::Registry::new()).unwrap();
    Link::connect(LinkConfig { identity: Some(identity), ..config }, metrics).unwrap()
}

/// Sends one message every so often, while `meanwhile` happens, and waits for every answer.
async fn told_once(scene: &Scene, brokers: &[String], meanwhile: impl Future<Output = ()>) {
    let (site, mut answers) = connect(scene, "site/s1", "home", brokers);
    let (aggregator, mut comes) = connect(scene, "aggregator/a1", "grid", brokers);
    let to: PartyId = "aggregator/a1".parse().unwrap();
    let taking = async {
        let mut taken = BTreeMap::new();
        while let Some(event) = comes.recv().await {
            if let LinkEvent::Message(opened) = event {
                let Body::SetpointReport(report) = &opened.body else { panic!("{opened:?}") };
                *taken.entry(u64::from(report.confirmed)).or_insert(0) += 1;
                aggregator.acknowledge(opened.id, Verdict::Accepted).unwrap();
            }
            if taken.len() as u64 == MESSAGES {
                return (taken, comes);
            }
        }
        panic!("the aggregator's link ended")
    };
    let saying = async {
        for tag in 0..MESSAGES {
            let body = Body::SetpointReport(SetpointReport {
                interval: Interval::default(),
                commitment: None,
                confirmed: u32::try_from(tag).unwrap(),
                faults: Vec::new(),
            });
            let (interval, acknowledged_by) = (Interval::default(), vec![to.clone()]);
            let recipient = Some(to.clone());
            site.send(Outgoing { body, interval, recipient, acknowledged_by, tag, valid_for_ms: 120_000 })
                .unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let answered = async {
        let mut answered = BTreeMap::new();
        while answered.len() as u64 != MESSAGES {
            match answers.recv().await.expect("the site's link") {
                LinkEvent::Answered { tag, verdict: Verdict::Accepted, .. } => {
                    *answered.entry(tag).or_insert(0) += 1
                }
                LinkEvent::Expired { tag, .. } => panic!("{tag} expired"),
                _ => {}
            }
        }
        answered
    };
    let all = async { tokio::join!(taking, saying, answered, meanwhile) };
    let ((taken, _comes), (), answered, ()) = tokio::time::timeout(PATIENCE, all).await.expect("in time");
    assert!(taken.values().chain(answered.values()).all(|count| *count == 1), "{taken:?} {answered:?}");
}

#[tokio::test]
async fn mosquitto_killed_and_started_again_loses_and_doubles_nothing() {
    let scene = Scene::new(Kind { mosquitto: true, simulated: false }, &[]);
    scene.provision("").unwrap();
    let mut mosquitto = Some(scene.start_mosquitto());
    let brokers = [format!("mqtts://{}", scene.broker)];
    let meanwhile = async {
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(900)).await;
            // Killed: it has no chance to say goodbye.
            mosquitto = None;
            tokio::time::sleep(Duration::from_millis(300)).await;
            mosquitto = Some(scene.start_mosquitto());
        }
    };
    told_once(&scene, &brokers, meanwhile).await;
}

#[tokio::test]
async fn when_one_broker_dies_the_next_takes_over() {
    let mut scene = Scene::new(Kind { mosquitto: true, simulated: false }, &[]);
    let second = FreePorts::new().unwrap().take().unwrap();
    let port = second.port();
    scene.plan +=
        &format!("[[broker]]\nname = \"b2\"\nkind = \"embedded\"\nmachine = \"ring\"\nport = {port}\n");
    scene.write_plan();
    scene.provision("").unwrap();
    let _gate = scene.start("ring");
    let mut mosquitto = Some(scene.start_mosquitto());
    while std::net::TcpStream::connect(second).is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let brokers = [format!("mqtts://{}", scene.broker), format!("mqtts://{second}")];
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        mosquitto = None;
    };
    told_once(&scene, &brokers, meanwhile).await;
    drop(mosquitto);
}
