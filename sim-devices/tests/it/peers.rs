//! Simulated devices under other people's tools. Runs where `PEERS_PYTHON` names a Python
//! interpreter with `pysunspec2` (`pip install pysunspec2`), and says plainly where it doesn't.

use crate::sunspec::{advance, serve, world};
use sim_devices::sunspec::Role;
use sim_devices::world::lock;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

#[tokio::test(flavor = "multi_thread")]
async fn pysunspec2_reads_and_steers_a_site() {
    let Ok(python) = std::env::var("PEERS_PYTHON") else {
        println!("skipped: PEERS_PYTHON is not set");
        return;
    };
    let world = world();
    let (meter, pv) = (serve(&world, Role::Meter).await, serve(&world, Role::Pv).await);
    let battery = serve(&world, Role::Battery).await;
    let mut peer = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/pysunspec2.py"))
        .arg(format!("meter={}", meter.address()))
        .arg(format!("pv={}", pv.address()))
        .arg(format!("battery={}", battery.address()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut tell, hear) = (peer.stdin.take().unwrap(), BufReader::new(peer.stdout.take().unwrap()));
    let mut last = String::new();
    for line in hear.lines() {
        last = line.unwrap();
        if let Ok(seconds) = last.parse() {
            let now = lock(&world).now().plus(seconds);
            advance(&world, now.0);
            writeln!(tell, "{}", now.0).unwrap();
        }
    }
    assert!(peer.wait().unwrap().success(), "the peer found something wrong");
    assert_eq!(last, "done");
}
