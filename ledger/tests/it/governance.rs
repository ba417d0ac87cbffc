//! Changes of the rules by vote: each kind, at its height, and what lapses or is refused.

use crate::registry::{key, registration};
use crate::world::{id, party, transfer, validator, World, NOW_MS};
use ledger::execute::OpenedEntry;
use ledger::governed::proposal::{OutcomeKind, MAX_AHEAD};
use ledger::store::{Chain, Store};
use ledger::verify::verify_dir;
use market::grid::rules::{GridRules, VoltageLimits};
use market::parameters::MarketParameters;
use market::units::{MicroEurPerTonne, PicoEurPerWh};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::entry::governance::{BallotEntry, GovernedChange, ProposalEntry};
use wire::entry::Entry;
use wire::envelope::Signer;
use wire::party::{PartyId, Role};

fn proposal(at_height: u64, change: GovernedChange) -> ProposalEntry {
    ProposalEntry { at_height, change }
}

fn proposed(world: &World, entry: &ProposalEntry) -> OpenedEntry {
    world.opened(&validator(1), Entry::Proposal(Box::new(entry.clone())))
}

fn ballot(world: &World, by: usize, of: &ProposalEntry, approve: bool) -> OpenedEntry {
    world.opened(&validator(by), Entry::Ballot(BallotEntry { proposal: of.id().unwrap(), approve }))
}

fn refusal(chain: &Chain, opened: &OpenedEntry) -> &'static str {
    let mut state = chain.state.clone();
    let at = chain.tip.next(NOW_MS);
    let outcome = ledger::contracts::apply(&chain.rules, &mut state, at, &opened.submitter, &opened.entry);
    let refusal = outcome.expect_err("it must be refused");
    assert_eq!(state, chain.state);
    assert_eq!(state.hash(), chain.state.hash());
    refusal.reason()
}

fn dearer(world: &World) -> MarketParameters {
    MarketParameters { aggregator_fee: PicoEurPerWh(7), ..world.genesis.parameters }
}

/// Blocks with one transfer each, up to this height.
fn idle(world: &World, mut chain: Chain, to_height: u64) -> Chain {
    while chain.tip.height < to_height {
        let nonce = chain.state.accounts()[&id("account-s1")].nonce;
        let transfer = world.opened(&party(Role::Site, "s1"), transfer(nonce, 5));
        chain = world.decide(&chain, &[transfer]).1;
    }
    chain
}

/// The chain at height 5, where a change proposed in block 1 for that height and voted for by so many holds or not.
fn voted(world: &World, change: GovernedChange, approvals: usize) -> Chain {
    let entry = proposal(5, change);
    let (_, mut chain) = world.decide(&world.chain(), &[proposed(world, &entry)]);
    for by in 1..=3 {
        let vote = ballot(world, by, &entry, by <= approvals);
        chain = world.decide(&chain, std::slice::from_ref(&vote)).1;
    }
    assert_eq!(chain.tip.height, 4);
    chain
}

fn outcome(chain: &Chain) -> &OutcomeKind {
    &chain.state.governed().outcomes.last().unwrap().result
}

#[test]
fn a_change_holds_from_its_height_on_and_not_before() {
    let world = World::new(4);
    let entry = proposal(4, GovernedChange::Parameters(dearer(&world)));
    let votes: Vec<OpenedEntry> = (1..=3).map(|by| ballot(&world, by, &entry, true)).collect();
    let block = [vec![proposed(&world, &entry)], votes].concat();
    let (_, mut chain) = world.decide(&world.chain(), &block);
    for height in 1..=4 {
        assert_eq!(chain.tip.height, height);
        // The rules after block 3 are those of block 4.
        let holds = chain.rules.parameters == dearer(&world);
        assert_eq!(holds, height >= 3);
        assert_eq!(chain.state.governed().proposals.is_empty(), height >= 3);
        chain = idle(&world, chain, height + 1);
    }
    let outcome = &chain.state.governed().outcomes[0];
    assert_eq!((outcome.approvals, outcome.validators, outcome.at_height), (3, 4, 4));
    assert_eq!(outcome.result, OutcomeKind::Applied);
}

#[test]
fn too_few_votes_let_it_lapse() {
    let world = World::new(4);
    for (approvals, expected) in [(0, false), (2, false), (3, true)] {
        let chain = voted(&world, GovernedChange::Parameters(dearer(&world)), approvals);
        assert_eq!(chain.rules.parameters == dearer(&world), expected, "{approvals} votes");
        assert_eq!(*outcome(&chain) == OutcomeKind::Applied, expected);
        assert_eq!(*outcome(&chain) == OutcomeKind::Lapsed, !expected);
    }
}

fn grid() -> GridRules {
    GridRules {
        root_voltage_micro_pu: 1_000_000,
        voltage: VoltageLimits::default(),
        voltage_at: BTreeMap::new(),
        loading_max_percent: None,
        loss_price: PicoEurPerWh(0),
        voltage_deviation_micro_eur_per_h: 0,
        reactive: BTreeMap::new(),
        reactive_full_price: None,
        carbon_price: Some(MicroEurPerTonne(100_000_000)),
    }
}

#[test]
fn every_kind_of_change_changes_what_it_says() {
    let world = World::with_every_role();
    let after = |change: GovernedChange| {
        let chain = voted(&world, change, 3);
        assert_eq!(*outcome(&chain), OutcomeKind::Applied);
        chain
    };
    assert_eq!(after(GovernedChange::Parameters(dearer(&world))).rules.parameters, dearer(&world));
    let chain = after(GovernedChange::Grid(Box::new(grid())));
    assert!(chain.rules.grid.is_some());
    assert_eq!(chain.rules.carbon_price(), MicroEurPerTonne(100_000_000));
    let chain = after(GovernedChange::Contract { contract: "transfer".to_owned(), version: 0 });
    let pays = world.opened(&party(Role::Site, "s1"), transfer(0, 5));
    assert_eq!(refusal(&chain, &pays), "version");
    let regulator = party(Role::Regulator, "second");
    let chain = after(GovernedChange::Admit(Box::new(registration(&world, &regulator, 77))));
    assert!(chain.rules.verifier.registry().contains_key(&regulator));
    assert!(chain.state.accounts().contains_key(&id("account-second")));
    let chain = after(GovernedChange::Revoke(party(Role::Gateway, "gateway-1")));
    assert!(!chain.rules.verifier.registry().contains_key(&party(Role::Gateway, "gateway-1")));
    let dismiss = vec![id("v2")];
    let admit = vec![registration(&world, &validator(5), 77)];
    let chain = after(GovernedChange::Validators { admit, dismiss });
    let names: Vec<&str> = chain.rules.verifier.validators().iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(names, ["v1", "v3", "v4", "v5"]);
}

#[test]
fn day_ahead_rules_change_by_vote() {
    let world = World::with_day_ahead();
    // One validator decides alone.
    let rules = world.genesis.day_ahead.unwrap();
    let other = market::day_ahead::rules::DayAheadRules { intervals: 4, ..rules };
    for change in [Some(other), None] {
        let entry = proposal(2, GovernedChange::DayAhead(change));
        let block = [proposed(&world, &entry), ballot(&world, 1, &entry, true)];
        let (_, chain) = world.decide(&world.chain(), &block);
        assert_eq!(chain.rules.day_ahead.as_ref().map(|held| held.rules), change);
    }
}

#[test]
fn a_proposal_is_checked_before_it_is_taken() {
    let world = World::with_every_role();
    let chain = world.chain();
    let check = |change: GovernedChange, expected| {
        let opened = proposed(&world, &proposal(5, change));
        assert_eq!(refusal(&chain, &opened), expected);
    };
    let wrong = "proposed-change";
    let parameters = world.genesis.parameters;
    check(GovernedChange::Parameters(MarketParameters { interval_s: 300, ..parameters }), wrong);
    check(GovernedChange::Parameters(MarketParameters { gate_closure_s: 0, ..parameters }), wrong);
    check(GovernedChange::Grid(Box::new(GridRules { root_voltage_micro_pu: 1, ..grid() })), wrong);
    let rules = World::with_day_ahead().genesis.day_ahead;
    check(GovernedChange::DayAhead(rules), wrong);
    check(GovernedChange::Contract { contract: "transfer".to_owned(), version: 9 }, wrong);
    check(GovernedChange::Contract { contract: "ballot".to_owned(), version: 0 }, wrong);
    check(GovernedChange::Revoke(validator(1)), wrong);
    check(GovernedChange::Revoke(party(Role::Dso, "dso")), wrong);
    check(GovernedChange::Revoke(party(Role::Site, "nobody")), wrong);
    let new = |party: &PartyId| registration(&world, party, 77);
    check(GovernedChange::Admit(Box::new(new(&party(Role::Site, "s9")))), wrong);
    check(GovernedChange::Admit(Box::new(new(&validator(9)))), wrong);
    check(GovernedChange::Admit(Box::new(new(&party(Role::Dso, "second")))), wrong);
    let set = |admit, dismiss| GovernedChange::Validators { admit, dismiss };
    check(set(vec![], vec![]), wrong);
    check(set(vec![], vec![id("v9")]), wrong);
    check(set(vec![], ["v1", "v2", "v3", "v4"].map(id).to_vec()), wrong);
    check(set(vec![new(&validator(1))], vec![]), wrong);
    check(set(vec![new(&party(Role::Site, "s9"))], vec![]), wrong);
    let mut timed = new(&validator(9));
    timed.valid_to_ms = Some(u64::MAX);
    check(set(vec![timed], vec![]), wrong);
    let mut stolen = new(&validator(9));
    stolen.participant.key = world.signers[&validator(2)].public_key();
    check(set(vec![stolen], vec![]), wrong);
}

#[test]
fn heights_and_votes_are_bounded_and_each_counts_once() {
    let world = World::new(4);
    let chain = idle(&world, world.chain(), 1);
    let change = GovernedChange::Parameters(dearer(&world));
    let at = |height| proposed(&world, &proposal(height, change.clone()));
    for (height, fits) in [(1, false), (2, false), (3, true), (2 + MAX_AHEAD, true), (3 + MAX_AHEAD, false)] {
        if fits {
            world.decide(&chain, &[at(height)]);
        } else {
            assert_eq!(refusal(&chain, &at(height)), "proposal-height");
        }
    }
    let entry = proposal(9, change.clone());
    let unknown = ballot(&world, 1, &entry, true);
    assert_eq!(refusal(&chain, &unknown), "no-proposal");
    let (_, chain) = world.decide(&chain, &[proposed(&world, &entry)]);
    assert_eq!(refusal(&chain, &proposed(&world, &entry)), "proposed-before");
    let (_, chain) = world.decide(&chain, &[unknown]);
    assert_eq!(refusal(&chain, &ballot(&world, 1, &entry, false)), "voted-before");
    let more: Vec<OpenedEntry> = (10..13).map(at).collect();
    let (_, chain) = world.decide(&chain, &more);
    assert_eq!(refusal(&chain, &at(20)), "too-many-proposals");
    let chain = idle(&world, chain, 12);
    assert_eq!(refusal(&chain, &ballot(&world, 2, &entry, true)), "no-proposal");
    assert!(chain.state.governed().outcomes.iter().all(|outcome| outcome.result == OutcomeKind::Lapsed));
}

#[test]
fn what_has_come_to_fit_no_more_is_not_applied() {
    let world = World::new(1);
    let regulator = party(Role::Regulator, "r1");
    let admit = |seed| GovernedChange::Admit(Box::new(registration(&world, &regulator, seed)));
    let (first, second) = (proposal(2, admit(77)), proposal(2, admit(78)));
    let mut block = vec![proposed(&world, &first), proposed(&world, &second)];
    block.extend([&first, &second].map(|entry| ballot(&world, 1, entry, true)));
    let (_, chain) = world.decide(&world.chain(), &block);
    let results: Vec<_> = chain.state.governed().outcomes.iter().map(|outcome| &outcome.result).collect();
    assert_eq!(*results[0], OutcomeKind::Applied);
    assert!(matches!(results[1], OutcomeKind::Unfit { .. }));
    assert_eq!(chain.rules.verifier.registry()[&regulator].key, crate::registry::public(&key(77)));
}

#[test]
fn the_validators_change_in_the_middle_of_a_chain_that_verifies_as_a_whole() {
    let mut world = World::new(4);
    let newcomer = Signer::new(world.genesis.network.clone(), validator(5), key(77), NOW_MS);
    world.signers.insert(validator(5), Arc::new(newcomer));
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut chain) = Store::open(folder.path(), &world.genesis, &world.rules).unwrap();
    let change = GovernedChange::Validators {
        admit: vec![registration(&world, &validator(5), 77)],
        dismiss: vec![id("v1"), id("v2")],
    };
    let entry = proposal(3, change);
    let votes = (1..=3).map(|by| ballot(&world, by, &entry, true)).collect();
    let pay = |nonce| world.opened(&party(Role::Site, "s1"), transfer(nonce, 5));
    let mut voters = Vec::new();
    for entries in [vec![proposed(&world, &entry)], votes, vec![pay(0)], vec![pay(1)]] {
        let proposer = chain.rules.verifier.validators()[0].0.clone();
        let (decided, mut next) = world.decide_by(&proposer, &chain, &entries);
        voters.push(decided.certificate.signatures.len());
        chain.rules.verifier.verify(&decided).unwrap();
        store.append(&decided, &mut next.state).unwrap();
        chain = next;
    }
    assert_eq!(voters, [4, 4, 3, 3]);
    drop(store);
    let report = verify_dir(folder.path(), &mut |_, _| {}).unwrap();
    assert_eq!((report.blocks, report.votes, report.governance), (4, 14, 4));
    // Who was dismissed has no say any more, not even with those who stay.
    let ballots = ballot(&world, 1, &entry, true);
    assert_eq!(refusal(&chain, &ballots), "revoked");
    let (decided, _) = world.decide_by(&id("v3"), &chain, &[pay(2)]);
    let old = world.votes_by(&world.rules, &decided.block.header);
    assert!(chain.rules.verifier.verify_votes(&decided.block.header, &old).is_err());
}
