//! Roles turn to what the ledger has decided while they run: other rules by vote, and sites registered later, from the
//! next boundary of an interval on.

use crate::household::Household;
use crate::inspect::{self, Recorded};
use crate::market_day::{interval, set_up_with, Day, Scene, GOOD, KNOWN, WIDE};
use crate::validators::Assembly;
use crate::world::{self, party};
use ledger::genesis::Genesis;
use market::day_ahead::rules::DayAheadRules;
use market::interval::Interval;
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::governance::{BallotEntry, GovernedChange, ProposalEntry};
use wire::entry::registry::ParticipantEntry;
use wire::entry::Entry;
use wire::party::Role;

const DAY: Day = Day { plan: WIDE, faults: GOOD, intervals: 6, silent_every: 0, wholesale: false };
/// With a TSO interface that follows the ledger itself.
const TRADED: Day = Day { wholesale: true, ..DAY };

/// Proposed by one validator and voted for by three; holds three blocks on.
fn vote(assembly: &mut Assembly, change: GovernedChange) {
    let validator = |id: &str| party(Role::Validator, id);
    let proposal = ProposalEntry { at_height: assembly.height() + 5, change };
    let ballot = BallotEntry { proposal: proposal.id().unwrap(), approve: true };
    assembly.enact(&validator("v1"), Entry::Proposal(Box::new(proposal)));
    for id in ["v1", "v2", "v3"] {
        assembly.enact(&validator(id), Entry::Ballot(ballot.clone()));
    }
}

/// A day, on which `happens` once the second interval is cleared; the third is traded by what came of it.
fn played(day: Day, happens: impl FnOnce(&mut Scene)) -> (Scene, BTreeMap<Interval, Recorded>) {
    played_by(day, world::genesis(day.plan), happens)
}

/// The same by this genesis.
fn played_by(
    day: Day,
    genesis: Genesis,
    happens: impl FnOnce(&mut Scene),
) -> (Scene, BTreeMap<Interval, Recorded>) {
    let mut scene = set_up_with(day, 7, genesis, &mut |household, _| Box::new(household));
    let decided = scene.assembly.clone();
    let two = move || inspect::recorded(&decided.borrow().decided).len() == 2;
    scene.network.run_until(3_600_000, |_| two());
    happens(&mut scene);
    scene.network.run_until(3_600_000, |network| network.progress.get().finished);
    let notes = &scene.network.notes;
    assert!(scene.network.progress.get().finished, "time stood still; notes: {notes:#?}");
    let recorded = inspect::recorded(&scene.assembly.borrow().decided);
    for count in 0..day.intervals {
        let of = recorded.get(&interval(count.into()));
        let of = of.unwrap_or_else(|| panic!("interval {count} is not recorded: {notes:#?}"));
        assert_eq!((of.clearing.is_some(), of.deliveries.len()), (true, 2), "interval {count}: {notes:#?}");
    }
    let started: i64 = scene.genesis.balances.iter().map(|(_, balance)| balance.0).sum();
    assert_eq!(scene.assembly.borrow().state.total_nano_eur(), i128::from(started));
    (scene, recorded)
}

#[test]
fn the_market_comes_to_know_its_grid_by_vote_between_two_intervals() {
    for day in [DAY, TRADED] {
        let (_, recorded) = played(day, |scene| {
            vote(&mut scene.assembly.borrow_mut(), GovernedChange::Grid(Box::new(world::grid_rules())));
        });
        let known: Vec<bool> =
            recorded.values().map(|of| of.clearing.as_ref().unwrap().grid.is_some()).collect();
        assert_eq!(known, [false, false, true, true, true, true]);
    }
}

/// Whether sites were missed in the session from the fifth interval on, and in how many sessions: nobody here bids.
fn sessions(before: Option<DayAheadRules>, voted: Option<DayAheadRules>) -> (bool, usize) {
    let genesis = Genesis { day_ahead: before, ..world::genesis(KNOWN) };
    let (scene, _) = played_by(TRADED, genesis, |scene| {
        vote(&mut scene.assembly.borrow_mut(), GovernedChange::DayAhead(voted));
    });
    let notes = scene.network.notes.iter();
    let opened = notes.filter(|(_, event, _)| *event == "day-ahead-silent-sites");
    let opened: BTreeSet<&str> = opened.map(|(_, _, text)| text.as_str()).collect();
    let fifth = format!("of {}", interval(4));
    (opened.iter().any(|text| text.ends_with(&fifth)), opened.len())
}

#[test]
fn day_ahead_sessions_begin_and_end_by_vote() {
    let rules = DayAheadRules { intervals: 2, offset_s: 0, bids_open_s: 1_800, gate_closure_s: 900 };
    assert!(sessions(None, Some(rules)).0);
    let (fifth, count) = sessions(Some(rules), None);
    assert!(!fifth && count > 0, "{count}");
}

#[test]
fn a_site_registered_while_the_market_runs_bids_and_is_settled() {
    let site = party(Role::Site, "s77");
    let (scene, recorded) = played(DAY, |scene| {
        let registration = world::registration(&site);
        scene.network.believe(registration.participant.clone());
        let register = ParticipantEntry::Register(registration);
        let register = Entry::Participant(Box::new(register));
        scene.assembly.borrow_mut().enact(&party(Role::Dso, "d"), register);
        let household = Household::new(site.clone(), "a1", scene.firms.clone(), 0, 77);
        scene.network.add(site.clone(), Vec::new(), Box::new(household));
    });
    let account = world::registration(&site).participant.account;
    let aggregator = party(Role::Aggregator, "a1");
    let settled = |of: &Recorded| of.deliveries[&aggregator].sites.iter().any(|site| site.account == account);
    assert_eq!(recorded.values().map(settled).collect::<Vec<_>>(), [false, false, true, true, true, true]);
    assert_eq!(scene.firms.borrow().keys().filter(|(_, of)| *of == site).count(), 4);
}
