//! An aggregator that is dead at the wrong moment: when its gate closes over bids it acknowledged, and when the clearing
//! of its interval is decided. Processes, mutual TLS, SIGKILL.

use super::scene::{Houses, Scene, PATIENCE};
use agents::aggregator::kept::{TakenBid, MAX_BID_BYTES};
use gridpact::cluster::process::Node;
use gridpact::demo::observer::core::IntervalAccount;
use ledger::store::frames::{Found, FrameReader};
use ledger::verify::verify_dir;
use market::interval::{Interval, UnixSeconds};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A machine each, of those who are killed.
const MACHINES: [&str; 7] = ["hub", "grid", "agg", "v1", "v2", "v3", "v4"];
const LOOK: Duration = Duration::from_millis(20);

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// Waits until so many seconds have gone by in an interval, which may be the next; gives the one after it.
async fn seconds_into_an_interval(seconds: u64, interval_s: i64) -> Interval {
    let (now, length) = (since_1970(), interval_s as u64);
    let begun = Duration::from_secs(now.as_secs() - now.as_secs() % length);
    let mut at = begun + Duration::from_secs(seconds);
    if at < now {
        at += Duration::from_secs(length);
    }
    tokio::time::sleep(at - now).await;
    let here = at.as_secs() - at.as_secs() % length;
    Interval(UnixSeconds((here + length) as i64))
}

async fn until(scene: &Scene, what: &str, mut done: impl FnMut() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(PATIENCE, wait).await.is_err() {
        let logs = ["agg", "grid", "home"].map(|name| scene.log(name));
        panic!("not {what}\n{}", logs.join("\n---\n"));
    }
}

/// Bids for an interval in the aggregator's file.
fn bids_kept(file: &Path, interval: Interval) -> usize {
    let Ok(mut reader) = FrameReader::open(file, 0, MAX_BID_BYTES) else { return 0 };
    let mut count = 0;
    while let Ok(Found::Frame(frame)) = reader.next_frame() {
        let taken = TakenBid::decode(&frame.payload).unwrap();
        count += usize::from(taken.bid.interval == interval);
    }
    count
}

/// Sites that were told their firm price of an interval, and believed it.
fn told(scene: &Scene, interval: Interval) -> usize {
    let log = scene.log("home");
    let word = format!("kW in the {interval} ");
    ["site/s1", "site/s2"]
        .iter()
        .filter(|site| log.lines().any(|line| line.contains(*site) && line.contains(&word)))
        .count()
}

#[actix::test]
async fn an_aggregator_killed_over_its_gate_or_over_its_decision_owes_its_sites_nothing() {
    let houses = Houses::start().await;
    let (scene, interval_s) = Scene::apart(&houses.meters(), &MACHINES, 60);
    scene.provision("").unwrap();
    let start = |name| scene.start(name);
    let [_hub, grid, mut agg, v1, v2, mut v3, mut v4, home] =
        ["hub", "grid", "agg", "v1", "v2", "v3", "v4", "home"].map(start);
    let observer = scene.auditor().await;
    let account = |of: Interval| observer.look(|core| core.accounts().get(&of).cloned()).unwrap_or_default();
    let cleared = |account: &IntervalAccount| account.prices.is_some();
    let settled = |account: &IntervalAccount| account.settled == 1 && account.readings == 2;
    until(&scene, "cleared at all", || observer.look(|core| core.accounts().values().any(cleared))).await;

    let is_over = |of: Interval| since_1970().as_secs() as i64 >= of.end(interval_s).0;
    // Where the machine is so slow that an interval is over before its price can be told, another is taken.
    let told_in_time = async |of: Interval| {
        until(&scene, "told", || told(&scene, of) == 2 || is_over(of)).await;
        told(&scene, of) == 2
    };

    // Dead from the last acknowledged bid until the gate has closed.
    let folder = scene.at("machines/agg/data/aggregator-a1");
    let over_gate = loop {
        let interval = seconds_into_an_interval(1, interval_s).await;
        until(&scene, "bid for", || bids_kept(&folder.join("bids.log"), interval) == 2).await;
        agg.kill().unwrap();
        seconds_into_an_interval(14, interval_s).await;
        agg = start("agg");
        until(&scene, "cleared on the bids it had taken", || cleared(&account(interval))).await;
        if told_in_time(interval).await {
            break interval;
        }
    };

    // Dead when the validators decide, who can't before two of them are back.
    let over_decision = loop {
        let interval = seconds_into_an_interval(1, interval_s).await;
        for validator in [v3, v4] {
            validator.kill().unwrap();
        }
        let awarded = folder.join(format!("trading/{}.cbor", interval.start().0));
        until(&scene, "awarded", || awarded.exists()).await;
        // Its final demand goes out at once; the DSO waits for nothing else.
        let submitted = |node: &Node| node.last_words().contains(&format!("{interval}: "));
        until(&scene, "submitted", || submitted(&grid)).await;
        agg.kill().unwrap();
        [v3, v4] = ["v3", "v4"].map(start);
        until(&scene, "decided", || cleared(&account(interval))).await;
        assert_eq!(told(&scene, interval), 0);
        agg = start("agg");
        if told_in_time(interval).await {
            break interval;
        }
    };
    for interval in [over_gate, over_decision] {
        until(&scene, "settled", || settled(&account(interval))).await;
    }
    for node in [agg, home, v1, v2, v3, v4] {
        node.kill().unwrap();
    }
    verify_dir(&scene.at("machines/v1/data/validator-v1"), &mut |_, _| {}).unwrap();
}
