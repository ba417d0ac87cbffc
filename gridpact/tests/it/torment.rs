//! Validators as real processes, killed at random under load; what the command does with 200 kills, with few.

use clap::Parser;
use gridpact::cli::{Cli, Command, LedgerCommand};
use gridpact::torment::{self, Report};
use std::path::Path;

fn check(line: &str) -> Report {
    let Command::Ledger(LedgerCommand::Torment(args)) = Cli::try_parse_from(line.split(' ')).unwrap().command
    else {
        panic!("{line} torments nobody")
    };
    let program = Path::new(env!("CARGO_BIN_EXE_gridpact"));
    torment::run(&args, program, &mut std::io::stderr()).unwrap()
}

#[test]
fn nothing_decided_is_lost_when_validators_are_killed() {
    let report = check("gridpact ledger torment --kills 10 --seed 1");
    assert_eq!(report.kills, 10);
    assert!(report.seen > 0 && report.verdict.entries >= report.seen, "{report:?}");
    if cfg!(unix) {
        assert!(report.full_disk.contains("ended (gridpact: "), "{report:?}");
    }
}

/// As many as the ledger is promised to survive; some minutes.
#[test]
#[ignore = "takes minutes; `gridpact ledger torment` is the same"]
fn nothing_decided_is_lost_in_two_hundred_kills() {
    assert_eq!(check("gridpact ledger torment --kills 200").kills, 200);
}
