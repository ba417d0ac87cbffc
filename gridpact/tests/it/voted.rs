//! The market of the demo on real sockets, which other rules and other validators are voted for while its roles run: they
//! clear, settle and watch by those, and not by the genesis.

use crate::demo::arguments;
use gridpact::configuration::{self, RoleFile};
use gridpact::demo::observer::shell::Observer;
use gridpact::demo::play::Demo;
use gridpact::members::submission;
use gridpact::run::party::read_genesis;
use gridpact::run::running::Running;
use gridpact::run::start::Hooks;
use ledger::governed::proposal::OutcomeKind;
use ledger::verify::{replay, verify_dir};
use market::units::PicoEurPerWh;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::entry::governance::GovernedChange;

const INTERVALS: usize = 3;
/// Only against hanging for ever.
const GUARD: Duration = Duration::from_secs(600);

/// Every role's file, the broker's first and the timekeeper's last.
fn role_files(data: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(data.join("roles")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let late = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().starts_with("timekeeper");
    files.sort_by_key(late);
    files
}

async fn submit(data: &Path, entry: serde_json::Value, validator: &str) -> String {
    let (file, mut out) = (data.join("entry.json"), Vec::new());
    std::fs::write(&file, entry.to_string()).unwrap();
    let by = data.join(format!("roles/validator-{validator}.toml"));
    submission::run(&file, &by, &mut out).await.unwrap();
    String::from_utf8(out).unwrap()
}

/// Each change proposed by one validator and voted for by three, all for one height. Each entry makes a block.
async fn vote(data: &Path, changes: &[GovernedChange]) {
    let at_height = 4 * changes.len() + 1;
    let mut ids = Vec::new();
    for change in changes {
        let said =
            submit(data, json!({"entry": "proposal", "at_height": at_height, "change": change}), "v1").await;
        let id = said.lines().find_map(|line| line.strip_prefix("proposal ")).unwrap().to_owned();
        ids.push(id);
    }
    for id in ids {
        for validator in ["v1", "v2", "v3"] {
            submit(data, json!({"entry": "ballot", "proposal": id, "approve": true}), validator).await;
        }
    }
}

async fn played(data: &Path) {
    let line = format!("gridpact demo --intervals {INTERVALS} --speed 100000 --json");
    let _devices = Demo::prepare(arguments(&line), data.to_owned()).await.unwrap();
    let genesis = read_genesis(&data.join("genesis.json")).unwrap();
    let files = role_files(data);
    let broker = files.iter().find_map(|file| match configuration::load(file).unwrap() {
        RoleFile::Broker(file) => file.listen,
        _ => None,
    });
    let (timekeeper, others) = files.split_last().unwrap();
    let (hooks, mut running) = (Hooks::default(), Running::new().unwrap());
    running.start(others, &hooks).await.unwrap();
    let observer = Observer::start(&genesis, &broker.unwrap().to_string()).unwrap();
    observer.listening().await;
    let mut grid = genesis.grid.clone().unwrap();
    grid.loss_price = PicoEurPerWh(grid.loss_price.0 + 30_000_000);
    let dismiss = GovernedChange::Validators { admit: Vec::new(), dismiss: vec!["v4".parse().unwrap()] };
    vote(data, &[GovernedChange::Grid(Box::new(grid)), dismiss]).await;
    let mut progress = hooks.progress.subscribe();
    running.start(std::slice::from_ref(timekeeper), &hooks).await.unwrap();
    progress.wait_for(|progress| progress.finished).await.unwrap();
    let height = running.height();
    while observer.look(|core| core.blocks()) < height {
        observer.heard().await;
    }
    let accounts = observer.look(|core| core.accounts().clone());
    let traded: Vec<_> = accounts.values().filter(|account| account.prices.is_some()).collect();
    assert_eq!(traded.len(), INTERVALS, "{accounts:?}");
    assert!(traded.iter().all(|account| account.settled == 2 && account.readings == 15), "{traded:?}");
    running.stop().await;
}

#[test]
fn a_market_whose_roles_run_goes_by_what_was_voted_for() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("demo");
    std::fs::create_dir(&data).unwrap();
    actix::System::new().block_on(async {
        tokio::time::timeout(GUARD, played(&data)).await.expect("the market opens and closes");
    });
    // Whoever was dismissed followed to the end.
    for validator in ["v1", "v4"] {
        let folder = data.join(format!("validator-{validator}"));
        let report = verify_dir(&folder, &mut |_, _| {}).unwrap();
        assert_eq!(report.governance, 8, "{report:?}");
        let mut blocks = replay(&folder).unwrap();
        let voters: Vec<usize> =
            (&mut blocks).map(|block| block.unwrap().decided.certificate.signatures.len()).collect();
        assert!(voters[8..].iter().all(|voters| *voters == 3), "{voters:?}");
        let state = blocks.state();
        assert!(state.governed().outcomes.iter().all(|outcome| outcome.result == OutcomeKind::Applied));
    }
}
