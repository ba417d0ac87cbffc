//! A thousand seeds of whole validators under faults, and that the simulation sees what it should: the
//! control forks, and each part that is broken by intent is caught. A failure prints its seed and how
//! to run it again.

use ledger::simulation::{simulate, Bug, Failure, Fault, Report, Violation};
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds that everything must hold in.
const SEEDS: u64 = 1_000;
/// Transfers in each of them.
const TRANSFERS: u64 = 2;

fn run(seed: u64, fault: Fault, bug: Option<Bug>) -> Result<Report, Failure> {
    simulate(seed, fault, bug, TRANSFERS).unwrap()
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
    let failure = first_failure(SEEDS, |seed| run(seed, Fault::of_seed(seed), None));
    if let Some(failure) = failure {
        let (seed, fault) = (failure.seed, failure.fault);
        panic!(
            "{failure}\nagain: gridpact ledger simulate --from {seed} --seeds 1 --fault {fault} --transfers {TRANSFERS}"
        );
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for fault in [Fault::Crashes, Fault::Twins, Fault::Clocks] {
        assert_eq!(run(7, fault, None), run(7, fault, None));
    }
}

/// Agreement is what the protocol brings about and not what the simulation can't help: where more
/// lie than it withstands, the same checks see two chains.
#[test]
fn the_control_forks_where_too_many_lie() {
    for seed in 0..10 {
        let failure = run(seed, Fault::Split, None).unwrap_err();
        let forks = failure.violations.iter().any(|found| matches!(found, Violation::Fork { .. }));
        assert!(forks, "{failure}");
    }
}

/// What twins say is on the ledger afterwards, and names them alone.
#[test]
fn twins_are_named_on_the_ledger() {
    let evidence = |seed| simulate(seed, Fault::Twins, None, 8).unwrap().unwrap().evidence;
    let named = (0..10).filter(|seed| evidence(*seed) > 0).count();
    assert!(named >= 5, "named in {named} of ten runs");
}

/// A part broken by intent is caught within so many seeds, by something that it must bring about.
fn check(bug: Bug, fault: Fault, within: u64, expected: fn(&Violation) -> bool) {
    let failure = first_failure(within, |seed| run(seed, fault, Some(bug)));
    let failure = failure.unwrap_or_else(|| panic!("{bug:?} is not caught within {within} seeds"));
    assert!(failure.violations.iter().any(expected), "{failure}");
}

#[test]
fn a_log_that_is_not_synced_is_caught() {
    check(Bug::LogNotSynced, Fault::Crashes, 100, |found| {
        matches!(found, Violation::Contradiction { .. } | Violation::Fork { .. } | Violation::Unlocked { .. })
    });
}

#[test]
fn a_lock_that_is_dropped_is_caught() {
    check(Bug::LockDropped, Fault::Loss, 100, |found| {
        matches!(found, Violation::Unlocked { .. } | Violation::Fork { .. })
    });
}

#[test]
fn a_quorum_that_is_off_by_one_is_caught() {
    check(Bug::QuorumOffByOne, Fault::Partition, 20, |found| {
        matches!(found, Violation::Fork { .. } | Violation::Invalid { .. })
    });
}

#[test]
fn a_certificate_that_is_not_checked_is_caught() {
    check(Bug::CertificateUnchecked, Fault::Forger, 10, |found| {
        matches!(found, Violation::Fork { .. } | Violation::Invalid { .. })
    });
}
