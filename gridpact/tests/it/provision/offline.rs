//! Sites whose aggregator is gone for several intervals: their readings are kept, outlive their process, and come in order
//! when somebody answers again.

use super::scene::{Houses, Kind, Scene, PATIENCE};
use gridpact::cluster::process::Node;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where the aggregator keeps what came late.
const LATE: &str = "machines/grid/data/aggregator-a1/archive/late/a1";
/// Readings that are to wait before the site's process is killed: four intervals of two sites.
const WAITING: f64 = 8.0;

async fn until(what: &str, nodes: &mut [&mut Node], mut holds: impl FnMut(&[&mut Node]) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds(nodes) {
        for node in nodes.iter_mut() {
            node.check_alive().unwrap();
        }
        let words: Vec<String> = nodes.iter().map(|node| node.last_words()).collect();
        assert!(Instant::now() < deadline, "never {what}: {}", words.join("\n---\n"));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

fn waiting(node: &Node) -> Option<f64> {
    node.metric("gridpact_site_readings_waiting")
}

/// What two sites in one process write to disk in three intervals of 20 s: little enough for an SD card, whatever the file
/// system makes of it.
async fn wear(home: &mut Node) {
    const INTERVALS: f64 = 3.0;
    let written = |home: &Node| home.metric("gridpact_disk_written_bytes_total").unwrap();
    let before = written(home);
    tokio::time::sleep(Duration::from_secs(60)).await;
    home.check_alive().unwrap();
    let each = (written(home) - before) / INTERVALS / 2.0;
    println!("a site writes {each:.0} bytes an interval, {:.1} MB in a day of 96", each * 96.0 / 1e6);
    assert!(each < 200_000.0, "{each} bytes an interval");
}

/// Starts of the intervals whose readings an aggregator noted as late, for each site in the order in which they first came.
/// Files say nothing of that order: several are written at once, and one anew where its reading is said again.
fn late(log: &str) -> BTreeMap<String, Vec<i64>> {
    let mut sites: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for line in log.lines() {
        let Some((_, of)) = line.split_once("a reading of ") else { continue };
        let Some((of, _)) = of.split_once(" s, which is settled without it") else { continue };
        let (site, start) = of.split_once(" for interval starting at ").unwrap();
        let (starts, start) = (sites.entry(site.to_owned()).or_default(), start.parse().unwrap());
        if !starts.contains(&start) {
            starts.push(start);
        }
    }
    sites
}

/// For so many intervals a late reading is stored.
fn stored(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file()).count()
}

#[actix::test]
async fn readings_outlive_an_aggregator_s_absence_and_the_site_s_own_end() {
    let houses = Houses::start().await;
    let scene = Scene::new(Kind { mosquitto: false, simulated: false }, &houses.meters());
    scene.provision("").unwrap();
    let mut grid = scene.start("grid");
    let mut ring = scene.start("ring");
    let mut home = scene.start("home");
    until("acknowledged", &mut [&mut home, &mut grid, &mut ring], |nodes| {
        nodes[0].metric("gridpact_messages_acknowledged_total") > Some(1.0) && waiting(nodes[0]) == Some(0.0)
    })
    .await;
    wear(&mut home).await;

    grid.kill().unwrap();
    until("waiting", &mut [&mut home], |nodes| waiting(nodes[0]) >= Some(WAITING)).await;
    home.kill().unwrap();
    let mut home = scene.start("home");
    until("restored", &mut [&mut home], |nodes| waiting(nodes[0]) >= Some(WAITING)).await;

    let mut grid = scene.start("grid");
    until("drained", &mut [&mut home, &mut grid, &mut ring], |nodes| waiting(nodes[0]) == Some(0.0)).await;
    let late = late(&scene.log("grid"));
    let all: usize = late.values().map(Vec::len).sum();
    assert_eq!((late.len(), stored(&scene.at(LATE))), (2, all), "{late:?}");
    for (site, starts) in late {
        assert!(starts.len() >= 2, "{site}: {starts:?}");
        assert!(starts.is_sorted(), "{site}: {starts:?}");
    }
}
