//! A provisioned deployment at work: processes of `gridpact run` over mutual TLS, through the gate and through Mosquitto.

use super::scene::{Houses, Kind, Scene, PATIENCE};
use gridpact::cluster::process::Node;
use gridpact::demo::observer::core::IntervalAccount;
use gridpact::demo::observer::shell::Observer;
use ledger::verify::verify_dir;
use std::time::Duration;

/// Waits until so many intervals are cleared and settled, as the auditor hears it.
async fn traded(scene: &Scene, observer: &Observer, nodes: &mut [Node], intervals: usize) {
    let done =
        |account: &IntervalAccount| account.prices.is_some() && account.settled == 1 && account.readings == 2;
    let watch = async {
        loop {
            if observer.look(|core| core.accounts().values().filter(|account| done(account)).count())
                >= intervals
            {
                return;
            }
            let _ = tokio::time::timeout(Duration::from_millis(200), observer.heard()).await;
        }
    };
    if tokio::time::timeout(PATIENCE, watch).await.is_err() {
        let words: Vec<String> = nodes.iter().map(Node::last_words).collect();
        let log = std::fs::read_to_string(scene.folder.path().join("mosquitto.log")).unwrap_or_default();
        let accounts = observer.look(|core| core.accounts().clone());
        panic!("not traded: {accounts:?}\n{}\n{log}", words.join("\n---\n"));
    }
    nodes.iter_mut().for_each(|node| node.check_alive().unwrap());
}

async fn plays(kind: Kind, intervals: usize) {
    let houses = Houses::start().await;
    let scene = Scene::new(kind, &houses.meters());
    scene.provision("").unwrap();
    let _mosquitto = kind.mosquitto.then(|| scene.start_mosquitto());
    let mut nodes = vec![scene.start("grid"), scene.start("ring")];
    let observer = scene.auditor().await;
    nodes.push(scene.start("home"));
    traded(&scene, &observer, &mut nodes, intervals).await;
    for node in nodes {
        node.kill().unwrap();
    }
    for validator in ["grid/data/validator-v1", "ring/data/validator-v4"] {
        verify_dir(&scene.at(&format!("machines/{validator}")), &mut |_, _| {}).unwrap();
    }
}

#[actix::test]
async fn a_provisioned_market_clears_through_the_gate() {
    plays(Kind { mosquitto: false, simulated: true }, 2).await;
}

#[actix::test]
async fn a_provisioned_market_clears_over_mosquitto() {
    plays(Kind { mosquitto: true, simulated: false }, 2).await;
}
