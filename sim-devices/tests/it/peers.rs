//! Simulated devices under other people's tools. Runs where `PEERS_PYTHON` names a Python
//! interpreter with `pysunspec2` (`pip install pysunspec2`), and says plainly where it doesn't.

use crate::sunspec::{advance, serve_as, world};
use sim_devices::physics::grid::{Excursion, Grid, GridCourse};
use sim_devices::sunspec::{Dialect, Role};
use sim_devices::world::{lock, SharedWorld};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

#[tokio::test(flavor = "multi_thread")]
async fn pysunspec2_reads_and_steers_a_site() {
    check("pysunspec2.py", Dialect::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pysunspec2_reads_and_steers_a_site_by_the_models_of_ieee_1547() {
    check("pysunspec2_der.py", Dialect { meter: 213, inverter: 701 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pysunspec2_writes_curves_and_sees_the_grid_go_elsewhere() {
    let world = world();
    let start = lock(&world).now();
    let excursion = |after_s, for_s, voltage, frequency| Excursion {
        from: start.plus(after_s),
        until: start.plus(after_s + for_s),
        grid: Grid { voltage, frequency },
    };
    lock(&world).site_mut(0).unwrap().pv.as_mut().unwrap().grid = GridCourse(vec![
        excursion(7_200, 60, 10_500, 50_000),
        excursion(7_300, 30, 6_000, 50_000),
        excursion(7_600, 30, 10_000, 51_200),
    ]);
    check_in(world, "pysunspec2_functions.py", Dialect { meter: 213, inverter: 701 }).await;
}

async fn check(script: &str, dialect: Dialect) {
    check_in(world(), script, dialect).await;
}

async fn check_in(world: SharedWorld, script: &str, dialect: Dialect) {
    let Ok(python) = std::env::var("PEERS_PYTHON") else {
        println!("skipped: PEERS_PYTHON is not set");
        return;
    };
    let of = |role| serve_as(&world, role, dialect);
    let (meter, pv, battery) = (of(Role::Meter).await, of(Role::Pv).await, of(Role::Battery).await);
    let mut peer = Command::new(python)
        .arg(format!("{}/tests/peers/{script}", env!("CARGO_MANIFEST_DIR")))
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
