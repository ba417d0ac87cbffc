//! A thousand seeds of whole validators under faults, while some come and go and prune, and that the simulation
//! sees what it should: the control forks, and each part that is broken by intent is caught. A failure prints
//! its seed and how to run it again.

use ledger::simulation::{simulate, Bug, Course, Failure, Fault, Report, Scenario, Violation};
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds that everything must hold in.
const SEEDS: u64 = 1_000;
/// Transfers in each of them.
const TRANSFERS: u64 = 2;

fn run(seed: u64, (fault, course): (Fault, Course), bug: Option<Bug>) -> Result<Report, Failure> {
    simulate(Scenario { seed, fault, course, bug, transfers: TRANSFERS }).unwrap()
}

/// The first failure among seeds, run on two threads.
fn first_failure(seeds: u64, run: impl Fn(u64) -> Result<Report, Failure> + Sync) -> Option<Failure> {
    let next = AtomicU64::new(0);
    let work = || -> Option<Failure> {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return None;
            }
            if let Err(failure) = run(seed) {
                next.store(seeds, Ordering::Relaxed);
                return Some(failure);
            }
        }
    };
    std::thread::scope(|scope| {
        let both = [scope.spawn(work), scope.spawn(work)];
        both.map(|thread| thread.join().unwrap()).into_iter().flatten().min_by_key(|failure| failure.seed)
    })
}

#[test]
fn a_thousand_seeds_of_every_fault_in_turn() {
    let (changes, installed) = (AtomicU64::new(0), AtomicU64::new(0));
    let failure = first_failure(SEEDS, |seed| {
        let report = simulate(Scenario::of_seed(seed, TRANSFERS)).unwrap()?;
        changes.fetch_add(report.changes, Ordering::Relaxed);
        installed.fetch_add(report.installed, Ordering::Relaxed);
        Ok(report)
    });
    if let Some(failure) = failure {
        let Failure { seed, fault, course, .. } = &failure;
        panic!(
            "{failure}\nagain: gridpact ledger simulate --from {seed} --seeds 1 --fault {fault} --course {course} \
             --transfers {TRANSFERS}"
        );
    }
    let (changes, installed) = (changes.into_inner(), installed.into_inner());
    assert!(changes > 100 && installed > 50, "{changes} changes, {installed} snapshots gone on from");
}

fn check_holds(seed: u64, fault: Fault, course: Course) {
    if let Err(failure) = run(seed, (fault, course), None) {
        panic!("{failure}");
    }
}

/// A validator starts while it is cut off, so that the question with which it starts is lost, and the ledger is
/// quiet afterwards: one with its next key, after the block that changed that, and one that was voted in, with
/// nothing. Both stayed behind for ever.
#[test]
fn who_starts_cut_off_on_a_quiet_ledger_asks_again() {
    check_holds(166, Fault::Partition, Course::Members);
    check_holds(688, Fault::Partition, Course::Members);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for fault in [Fault::Crashes, Fault::Twins, Fault::Clocks] {
        for course in [Course::Plain, Course::Both] {
            assert_eq!(run(7, (fault, course), None), run(7, (fault, course), None));
        }
    }
}

/// Agreement is what the protocol brings about and not what the simulation can't help: where more
/// lie than it withstands, the same checks see two chains.
#[test]
fn the_control_forks_where_too_many_lie() {
    for seed in 0..10 {
        let failure = run(seed, (Fault::Split, Course::Plain), None).unwrap_err();
        let forks = failure.violations.iter().any(|found| matches!(found, Violation::Fork { .. }));
        assert!(forks, "{failure}");
    }
}

/// What twins say is on the ledger afterwards, and names them alone.
#[test]
fn twins_are_named_on_the_ledger() {
    let evidence = |seed| {
        let (fault, course) = (Fault::Twins, Course::Plain);
        simulate(Scenario { seed, fault, course, bug: None, transfers: 8 }).unwrap().unwrap().evidence
    };
    let named = (0..10).filter(|seed| evidence(*seed) > 0).count();
    assert!(named >= 5, "named in {named} of ten runs");
}

/// A part broken by intent is caught within so many seeds, by something that it must bring about.
fn check(bug: Bug, setting: (Fault, Course), within: u64, expected: fn(&Violation) -> bool) {
    let failure = first_failure(within, |seed| run(seed, setting, Some(bug)));
    let failure = failure.unwrap_or_else(|| panic!("{bug:?} is not caught within {within} seeds"));
    assert!(failure.violations.iter().any(expected), "{failure}");
}

#[test]
fn a_log_that_is_not_synced_is_caught() {
    check(Bug::LogNotSynced, (Fault::Crashes, Course::Plain), 100, |found| {
        matches!(found, Violation::Contradiction { .. } | Violation::Fork { .. } | Violation::Unlocked { .. })
    });
}

#[test]
fn a_lock_that_is_dropped_is_caught() {
    check(Bug::LockDropped, (Fault::Loss, Course::Plain), 100, |found| {
        matches!(found, Violation::Unlocked { .. } | Violation::Fork { .. })
    });
}

#[test]
fn a_quorum_that_is_off_by_one_is_caught() {
    check(Bug::QuorumOffByOne, (Fault::Partition, Course::Plain), 20, |found| {
        matches!(found, Violation::Fork { .. } | Violation::Invalid { .. })
    });
}

#[test]
fn a_certificate_that_is_not_checked_is_caught() {
    check(Bug::CertificateUnchecked, (Fault::Forger, Course::Plain), 10, |found| {
        matches!(found, Violation::Fork { .. } | Violation::Invalid { .. })
    });
}

#[test]
fn a_snapshot_whose_certificate_is_not_checked_is_caught() {
    check(Bug::SnapshotUnchecked, (Fault::Forger, Course::Pruning), 10, |found| {
        matches!(found, Violation::Fork { .. } | Violation::Invalid { .. })
    });
}

#[test]
fn a_snapshot_that_is_not_synced_is_caught() {
    check(Bug::SnapshotNotSynced, (Fault::Crashes, Course::Pruning), 20, |found| {
        matches!(found, Violation::Stopped { .. } | Violation::Lost { .. })
    });
}

#[test]
fn validators_that_take_effect_early_are_caught() {
    check(Bug::SetTooEarly, (Fault::Network, Course::Members), 50, |found| {
        matches!(found, Violation::Fork { .. } | Violation::Invalid { .. })
    });
}
