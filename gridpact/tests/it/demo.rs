//! The whole path over real sockets, through the function behind `gridpact demo`: eight intervals of a
//! neighbourhood, then the ledger it left, whole and with one byte changed.

use clap::Parser;
use gridpact::cli::{Cli, Command, DemoArgs};
use gridpact::demo::play::Demo;
use gridpact::demo::report::Report;
use ledger::verify::replay;
use std::path::Path;
use std::process::{Command as Process, Output};
use std::time::Duration;
use wire::entry::Entry;

const INTERVALS: usize = 8;
/// Only against hanging for ever: time passes by what the market has done.
const GUARD: Duration = Duration::from_secs(900);

pub fn arguments(line: &str) -> DemoArgs {
    match Cli::try_parse_from(line.split(' ')).unwrap().command {
        Command::Demo(args) => args,
        other => panic!("{other:?} is no demo"),
    }
}

fn play(line: &str, directory: &Path) -> Report {
    let (args, directory) = (arguments(line), directory.to_owned());
    actix::System::new().block_on(async move {
        let mut report = None;
        let playing = async {
            let demo = Demo::prepare(args, directory).await.unwrap();
            demo.play(&mut |summed_up| report = Some(summed_up.clone())).await.unwrap();
        };
        tokio::time::timeout(GUARD, playing).await.unwrap();
        report.unwrap()
    })
}

fn verify(directory: &Path) -> Output {
    Process::new(env!("CARGO_BIN_EXE_gridpact")).args(["ledger", "verify"]).arg(directory).output().unwrap()
}

/// Offset of the byte that is changed, in thousandths of the log, and what verifying says then.
fn check_changed(directory: &Path, log: &Path, thousandth: usize) {
    let whole = std::fs::read(log).unwrap();
    let mut changed = whole.clone();
    let place = whole.len() * thousandth / 1_000;
    changed[place] ^= 1;
    std::fs::write(log, changed).unwrap();
    let output = verify(directory);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "byte {place} of {}: {said}", whole.len());
    let height = said.split("block ").nth(1).and_then(|rest| rest.split([':', ' ', ',']).next());
    let height: u64 = height.and_then(|height| height.parse().ok()).unwrap_or_else(|| panic!("{said}"));
    assert!(height >= 1, "{said}");
    std::fs::write(log, whole).unwrap();
}

/// Every interval was held a day ahead, and real time moved what it committed to beside that.
fn check_day_ahead(report: &Report) {
    let all = report.day_ahead.as_ref().unwrap();
    assert_eq!(all.intervals, INTERVALS);
    assert!((1..=5).contains(&all.rounds_most), "{all:?}");
    assert!(all.bought_kwh > 0.0 && all.cost_eur > 0.0, "{all:?}");
    for account in &report.accounts {
        let ahead = account.day_ahead.as_ref().unwrap();
        let held_kwh = ahead.bought_kwh - ahead.sold_kwh;
        assert!((ahead.import_kw / 4.0 - held_kwh).abs() < 1e-6, "{account:?}");
        assert!((account.committed_kwh - held_kwh).abs() <= ahead.moved_kwh + 1e-6, "{account:?}");
    }
}

/// One site's commitment, price and payment are shown by one file, and by no changed one.
fn check_proof(data: &Path) {
    let delivery = |(entry, _)| match entry {
        Entry::Delivery(delivery) => Some(delivery),
        _ => None,
    };
    let mut blocks = replay(&data.join("validator-v1")).unwrap();
    let delivered = blocks.find_map(|block| block.unwrap().receipts.into_iter().find_map(delivery)).unwrap();
    let (site, interval) = (&delivered.sites[0], delivered.interval.start().0.to_string());
    let [file, genesis] = ["site.proof", "genesis.json"].map(|name| data.join(name));
    let run = |arguments: &[&dyn AsRef<std::ffi::OsStr>]| {
        let mut process = Process::new(env!("CARGO_BIN_EXE_gridpact"));
        process.args(arguments.iter().map(|argument| (**argument).as_ref()));
        process.output().unwrap()
    };
    let party = site.account.to_string();
    let made = run(&[&"ledger", &"prove", &data, &"--party", &party, &"--interval", &interval, &"-o", &file]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let check = || run(&[&"ledger", &"check", &file, &"--genesis", &genesis, &"--json"]);
    let checked = check();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let proven: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(proven["account"], party);
    assert_eq!(proven["commitment"], site.commitment.0);
    assert!(proven["price_ahead"].is_i64(), "{proven}");
    let mut bytes = std::fs::read(&file).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let changed = check().status.code();
    assert!(matches!(changed, Some(2 | 3)), "{changed:?}");
}

#[test]
fn eight_intervals_are_played_settled_and_verified() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("demo");
    std::fs::create_dir(&data).unwrap();
    let line = format!("gridpact demo --intervals {INTERVALS} --speed 100000 --json");
    let report = play(&line, &data);

    assert_eq!(report.accounts.len(), INTERVALS);
    for account in &report.accounts {
        assert!(account.cleared, "{account:?}");
        assert_eq!(account.commitments, 15, "{account:?}");
        assert_eq!(account.readings, 15, "{account:?}");
        assert!((1..=5).contains(&account.rounds), "{account:?}");
        let furthest = account.furthest_price.as_ref().unwrap();
        let parts =
            [furthest.loss_eur_per_mwh, furthest.congestion_eur_per_mwh, furthest.voltage_eur_per_mwh];
        let price = furthest.energy_eur_per_mwh + parts.iter().sum::<f64>();
        let ends = [account.local_price_min_eur_per_mwh, account.local_price_max_eur_per_mwh];
        assert!(ends.iter().any(|end| (end - price).abs() < 1e-6), "{account:?}");
        assert!(account.finality_ms.is_some() && account.round_ms.is_some(), "{account:?}");
    }
    assert_eq!(report.paid_sum_nano_eur, 0);
    check_day_ahead(&report);
    assert!(report.paid_eur["site"] < 0.0 && report.paid_eur["tso"] > 0.0, "{:?}", report.paid_eur);
    assert!(report.setpoints > 0 && report.coordinated.import_kwh > 0.0, "{report:?}");
    assert!(report.uncoordinated.import_kwh > 0.0, "{report:?}");

    let output = verify(&data);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Everything holds in 4 of 4 ledgers"), "{said}");
    let checked = Process::new(env!("CARGO_BIN_EXE_gridpact"))
        .arg("check")
        .arg(data.join("roles"))
        .arg("--offline")
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    crate::gateway::check(&data, 15, INTERVALS);
    check_proof(&data);
    crate::served::check(&data, 15);
    crate::console::check(&data, 15);
    let log = data.join("validator-v3/blocks/00000000000000000001.log");
    for thousandth in [1, 250, 500, 999] {
        check_changed(&data, &log, thousandth);
    }
}
