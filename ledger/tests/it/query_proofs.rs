//! Proofs as they are asked for: byte for byte those that a walk through the chain makes, for those who may have them.

use crate::day::{clearing, delivery};
use crate::governance::{ballot, proposal, proposed};
use crate::pruning::SMALL;
use crate::query::{look, scene, FROM, TO};
use crate::registry::{key, registration};
use crate::store::{drop_index, open};
use crate::world::{id, party, transfer, validator, World, INTERVAL, NOW_MS};
use ledger::execute::{execute_block, Executed, OpenedEntry};
use ledger::governed::roster::Roster;
use ledger::governed::succession::{Lineage, Succession};
use ledger::proof::head::{HeadProof, HeadProofError};
use ledger::proof::prove::{ProveError, Prover};
use ledger::proof::settlement::SettlementProof;
use ledger::proof::FinalityProof;
use ledger::query::{Booked, PeriodOf, ProofRequest, ReadError, Reader, View};
use ledger::snapshot::{Snapshot, SnapshotError};
use ledger::store::remembered::Remembered;
use ledger::store::snapshots::read_snapshot;
use ledger::store::{reindex, Chain, Store, StoreOptions};
use ledger::verify::{replay, Replay};
use std::path::Path;
use std::sync::Arc;
use wire::entry::governance::GovernedChange;
use wire::envelope::Signer;
use wire::party::{PartyId, Role};

/// What `gridpact ledger prove` writes: a walk through the folder, checking everything.
fn walked(folder: &Path, account: &str, since: Option<u64>) -> Vec<u8> {
    let mut chain = replay(folder).unwrap();
    let roster = |chain: &Replay| Roster(chain.rules().verifier.validators().to_vec());
    let (ledger, before) = (*chain.rules().verifier.ledger(), chain.tip().history());
    let prover = Prover::new(ledger, INTERVAL, before, roster(&chain));
    let mut prover = prover.after(chain.lineage()).unwrap();
    while let Some(block) = chain.next() {
        let block = block.unwrap();
        prover.take(&block.decided, &block.receipts, roster(&chain)).unwrap();
    }
    let prover = match since {
        Some(height) => prover.since(height),
        None => prover,
    };
    prover.prove(&id(account)).unwrap().encode().unwrap()
}

fn asked(account: Option<&str>, since: Option<u64>) -> ProofRequest {
    ProofRequest { interval: INTERVAL.start(), account: account.map(id), since }
}

fn auditor() -> Option<PartyId> {
    Some(party(Role::Auditor, "any"))
}

#[test]
fn a_settlements_proof_is_the_file_that_a_walk_through_the_chain_makes() {
    let (folder, view, history) = scene();
    let genesis = World::new(4).genesis;
    let prove = |caller, account, since| {
        let proof = Reader::new(&view, &history, caller).settlement_proof(&genesis, asked(account, since));
        proof.unwrap()
    };
    let own = prove(Some(party(Role::Site, "s1")), None, None);
    assert_eq!(own, walked(folder.path(), "account-s1", None));
    assert_eq!(SettlementProof::decode(&own).unwrap().check(&genesis).unwrap().site, Some(id("s1")));
    for account in ["account-s2", "account-s3", "account-s4"] {
        for since in [None, Some(2)] {
            assert_eq!(prove(auditor(), Some(account), since), walked(folder.path(), account, since));
        }
    }
    assert_eq!(prove(Some(party(Role::Aggregator, "agg-1")), Some("account-s1"), None), own);
}

#[test]
fn who_has_no_right_to_a_proof_gets_none_and_what_is_not_there_is_not_proven() {
    let (_folder, view, history) = scene();
    let genesis = World::new(4).genesis;
    let check = |caller: Option<PartyId>, account: Option<&str>, expected: &str| {
        let reader = Reader::new(&view, &history, caller.clone());
        let words = match reader.settlement_proof(&genesis, asked(account, None)) {
            Ok(_) => "proven",
            Err(ReadError::NotAllowed { .. }) => "refused",
            Err(ReadError::NoSuch { .. }) => "nobody",
            Err(ReadError::Unprovable(ProveError::NotSettled { .. })) => "not settled",
            Err(other) => panic!("{other}"),
        };
        assert_eq!(words, expected, "{caller:?} {account:?}");
    };
    let site = || Some(party(Role::Site, "s1"));
    check(None, None, "refused");
    check(None, Some("account-s1"), "refused");
    check(site(), Some("account-s2"), "refused");
    check(Some(party(Role::Aggregator, "agg-2")), Some("account-s1"), "refused");
    check(Some(party(Role::Dso, "dso")), Some("account-s1"), "refused");
    check(Some(party(Role::Dso, "dso")), None, "not settled");
    check(auditor(), None, "nobody");
    check(auditor(), Some("account-s1"), "proven");
    let reader = Reader::new(&view, &history, site());
    let later = ProofRequest { interval: INTERVAL.later(1, 900).start(), ..asked(None, None) };
    let error = reader.settlement_proof(&genesis, later).unwrap_err();
    assert!(matches!(error, ReadError::Unprovable(_)), "{error}");
    for since in [0, 4, u64::MAX] {
        let error = reader.settlement_proof(&genesis, asked(None, Some(since))).unwrap_err();
        assert!(matches!(error, ReadError::Unprovable(ProveError::Unprovable { .. })), "{since}: {error}");
    }
}

#[test]
fn an_entrys_proof_is_for_who_submitted_it() {
    let (_folder, view, history) = scene();
    let prove = |caller, height, entry| Reader::new(&view, &history, caller).entry_proof(height, entry);
    let site = || Some(party(Role::Site, "s1"));
    for caller in [site(), auditor()] {
        let proof = FinalityProof::decode(&prove(caller, 3, 0).unwrap()).unwrap();
        let proven = proof.verify(&view.rules.verifier).unwrap();
        assert_eq!((proven.height, proven.entry), (3, transfer(0, 5)));
    }
    assert!(matches!(prove(None, 3, 0), Err(ReadError::NotAllowed { .. })));
    assert!(matches!(prove(site(), 1, 0), Err(ReadError::NotAllowed { .. })));
    assert!(matches!(prove(auditor(), 3, 1), Err(ReadError::NoSuch { .. })));
    assert!(matches!(prove(auditor(), 4, 0), Err(ReadError::NoSuch { .. })));
}

#[test]
fn a_head_is_proven_to_everybody_with_a_block_under_it_and_the_history_before() {
    let (_folder, view, history) = scene();
    let genesis = World::new(4).genesis;
    let reader = Reader::new(&view, &history, None);
    let prove = |height, since| {
        let bytes = reader.head_proof(&genesis, height, since)?;
        Ok::<HeadProof, ReadError>(HeadProof::decode(&bytes).unwrap())
    };
    let header = |height: u64| history.block(height).unwrap().unwrap().block.header;
    let alone = prove(None, None).unwrap().check(&genesis, None).unwrap();
    assert_eq!((alone.head.height, alone.block, alone.votes), (3, None, 4));
    for height in 1..=3 {
        let proven = prove(Some(height), None).unwrap().check(&genesis, None).unwrap();
        assert_eq!(proven.block.unwrap().hash, header(height).hash());
    }
    let since = prove(None, Some(2)).unwrap();
    assert_eq!(since.check(&genesis, Some(&header(2))).unwrap().head.height, 3);
    let inconsistent = HeadProofError::Inconsistent { height: 3, seen: 3 };
    assert_eq!(since.check(&genesis, Some(&header(3))), Err(inconsistent));
    assert!(since.check(&World::new(3).genesis, None).is_err());
    assert!(matches!(prove(Some(4), None), Err(ReadError::NoSuch { .. })));
    assert!(matches!(prove(Some(0), None), Err(ReadError::NoSuch { .. })));
    assert!(matches!(prove(None, Some(0)), Err(ReadError::Unprovable(_))));
    assert!(matches!(prove(None, Some(9)), Err(ReadError::Unprovable(_))));
    let settlement = Reader::new(&view, &history, auditor());
    let settlement = settlement.settlement_proof(&genesis, asked(Some("account-s1"), None)).unwrap();
    assert!(HeadProof::decode(&settlement).is_err());
}

/// A chain on which, by vote, two of four validators go and one comes before the interval is cleared; then so many
/// transfers.
pub fn changed(world: &mut World, folder: &Path, options: StoreOptions, transfers: u64) {
    let newcomer = Signer::new(world.genesis.network.clone(), validator(5), key(77), NOW_MS);
    world.signers.insert(validator(5), Arc::new(newcomer));
    let (mut store, mut chain) = Store::open_with(folder, &world.genesis, &world.rules, options).unwrap();
    let admit = vec![registration(world, &validator(5), 77)];
    let entry = proposal(3, GovernedChange::Validators { admit, dismiss: vec![id("v1"), id("v2")] });
    let votes = (1..=3).map(|by| ballot(world, by, &entry, true)).collect();
    let deliveries = vec![delivery(world, "agg-1", |_| {}), delivery(world, "agg-2", |_| {})];
    let mut blocks = vec![vec![proposed(world, &entry)], votes, vec![clearing(world, |_| {})], deliveries];
    let pay = |nonce| vec![world.opened(&party(Role::Site, "s1"), transfer(nonce, 5))];
    blocks.extend((0..transfers).map(pay));
    for entries in blocks {
        let proposer = chain.rules.verifier.validators()[0].0.clone();
        let (decided, mut next) = world.decide_by(&proposer, &chain, &entries);
        store.append(&decided, &mut next.state).unwrap();
        store.settle().unwrap();
        chain = next;
    }
}

#[test]
fn proofs_lead_over_changes_of_validators() {
    let mut world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    changed(&mut world, folder.path(), StoreOptions::default(), 2);
    drop_index(folder.path());
    let (view, history): (View, Store) = look(&world, folder.path());
    let reader = Reader::new(&view, &history, auditor());
    let proof = reader.settlement_proof(&world.genesis, asked(Some("account-s1"), None)).unwrap();
    assert_eq!(proof, walked(folder.path(), "account-s1", None));
    let head = HeadProof::decode(&reader.head_proof(&world.genesis, Some(1), Some(2)).unwrap()).unwrap();
    let proven = head.check(&world.genesis, None).unwrap();
    assert_eq!((proven.changes, proven.validators), (1, 3));
    let heads = reader.heads(1, u64::MAX).unwrap();
    assert_eq!(heads[1].voters, ["v1", "v2", "v3", "v4"]);
    assert_eq!(heads[2].voters, ["v3", "v4", "v5"]);
}

/// Makes a block of these entries durable, as a validator does.
fn keep(world: &World, store: &mut Store, chain: &Chain, entries: &[OpenedEntry]) -> Chain {
    let proposer = chain.rules.verifier.validators()[0].0.clone();
    let (decided, _) = world.decide_by(&proposer, chain, entries);
    let open = |envelope: &_| chain.rules.verifier.open_entry(envelope);
    let executed = execute_block(&chain.rules, &chain.tip, &chain.state, &decided.block, &open).unwrap();
    let Executed { mut state, rules, receipts } = executed;
    let remembered = Remembered::of(&chain.rules, &receipts, (&state, &rules));
    store.log(decided.height(), &decided.encode().unwrap()).unwrap();
    store.index(&decided, &mut state, Some(&remembered)).unwrap();
    store.settle().unwrap();
    Chain { tip: chain.tip.after(&decided), state, rules }
}

/// The block after which other validators decide is gone; its head and votes are kept, in the index and in every
/// snapshot, for whoever starts from one.
#[test]
fn a_pruned_ledger_proves_over_a_change_of_validators_in_a_block_that_is_gone() {
    let mut world = World::new(4);
    for (number, seed) in [(5, 77), (6, 78)] {
        let newcomer = Signer::new(world.genesis.network.clone(), validator(number), key(seed), NOW_MS);
        world.signers.insert(validator(number), Arc::new(newcomer));
    }
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { pruning: Some(5), ..SMALL };
    let opened = || Store::open_with(folder.path(), &world.genesis, &world.rules, options).unwrap();
    let (mut store, mut chain) = opened();
    let admit = vec![registration(&world, &validator(5), 77), registration(&world, &validator(6), 78)];
    let dismiss = vec![id("v1"), id("v2"), id("v3")];
    let entry = proposal(3, GovernedChange::Validators { admit, dismiss });
    let mut blocks = vec![vec![proposed(&world, &entry)]];
    blocks.push((1..=3).map(|by| ballot(&world, by, &entry, true)).collect());
    let pay = |nonce| vec![world.opened(&party(Role::Site, "s1"), transfer(nonce, 5))];
    blocks.extend((0..10).map(pay));
    blocks.push(vec![clearing(&world, |_| {})]);
    blocks.push(vec![delivery(&world, "agg-1", |_| {}), delivery(&world, "agg-2", |_| {})]);
    for entries in &blocks {
        chain = keep(&world, &mut store, &chain, entries);
    }
    let genesis = &world.genesis;
    let check = |store: &Store, chain: &Chain| {
        assert!(store.lowest() > 3, "block {} is kept", store.lowest());
        let (tip, state, rules) = (chain.tip.clone(), Arc::new(chain.state.clone()), chain.rules.clone());
        let view = View { tip, state, rules };
        let reader = Reader::new(&view, store, auditor());
        let proof = reader.settlement_proof(genesis, asked(Some("account-s1"), None)).unwrap();
        assert_eq!(proof, walked(folder.path(), "account-s1", None));
        let proven = SettlementProof::decode(&proof).unwrap().check(genesis).unwrap();
        assert_eq!((proven.changes, proven.validators), (1, 3));
        assert!(matches!(reader.head_proof(genesis, Some(2), None), Err(ReadError::NoSuch { .. })));
        assert!(reader.head_proof(genesis, Some(13), Some(13)).is_ok());
    };
    check(&store, &chain);
    drop(store);
    drop_index(folder.path());
    let (store, chain) = opened();
    check(&store, &chain);
    drop(store);

    let snapshot = read_snapshot(folder.path(), 12, &chain.rules.verifier).unwrap();
    let (ledger, network) = (*chain.rules.verifier.ledger(), world.genesis.network.clone());
    assert_eq!(snapshot.sound_lineage(&ledger, &network).0.len(), 1);
    let spoilt = |spoil: &dyn Fn(&mut Succession)| {
        let mut spoilt = snapshot.clone();
        spoil(&mut spoilt.lineage.0[0]);
        let (manifest, encoded) = spoilt.split().unwrap();
        let joined = manifest.join(&encoded).unwrap();
        assert_eq!(joined, spoilt);
        joined.sound_lineage(&ledger, &network).0.len()
    };
    assert_eq!(spoilt(&|_| {}), 1);
    assert_eq!(spoilt(&|step| drop(step.certificate.signatures.drain(1..))), 0);
    assert_eq!(spoilt(&|step| drop(step.next.0.pop())), 0);
    assert_eq!(spoilt(&|step| step.header.height = 12), 0);

    // Who knows the genesis alone knows one of the three voters, and believes the step that leads to them.
    let genesis = &world.rules.verifier;
    assert_eq!(snapshot.check_votes(genesis), Ok(()));
    let strangers = Snapshot { lineage: Lineage::default(), ..snapshot.clone() };
    let refused = SnapshotError::Strangers { height: 12, known: 1, validators: 4 };
    assert_eq!(strangers.check_votes(genesis), Err(refused));
    let mut elsewhere = snapshot.clone();
    elsewhere.lineage.0[0].decided.0.pop();
    assert!(elsewhere.check_votes(genesis).is_err());
    let other = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open_with(other.path(), &world.genesis, &world.rules, options).unwrap();
    store.install(&snapshot).unwrap();
    assert_eq!(store.lineage().unwrap(), snapshot.lineage);
}

/// The clearing lies before the snapshot that an index is rebuilt from: what is asked about it is refused, and not
/// answered as if there had been none.
#[test]
fn what_is_not_known_any_more_is_not_taken_for_nothing() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut chain) =
        Store::open_with(folder.path(), &world.genesis, &world.rules, SMALL).unwrap();
    let pay = |nonce| vec![world.opened(&party(Role::Site, "s1"), transfer(nonce, 5))];
    let deliveries = vec![delivery(&world, "agg-1", |_| {}), delivery(&world, "agg-2", |_| {})];
    let mut blocks = vec![vec![clearing(&world, |_| {})], deliveries];
    blocks.extend((0..3).map(pay));
    for entries in &blocks {
        chain = keep(&world, &mut store, &chain, entries);
    }
    let check = |store: &Store, known: bool| {
        let (tip, state, rules) = (chain.tip.clone(), Arc::new(chain.state.clone()), chain.rules.clone());
        let view = View { tip, state, rules };
        let reader = Reader::new(&view, store, auditor());
        let told = |answer: Result<usize, ReadError>| match answer {
            Ok(count) => count > 0,
            Err(ReadError::NoSuch { .. }) => false,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(told(reader.commitments(FROM, TO, None).map(|found| found.len())), known);
        assert_eq!(told(reader.clearings(FROM, TO).map(|found| found.len())), known);
        let booked = Booked { from: FROM, to: TO, of: PeriodOf::Interval, party: None };
        assert_eq!(told(reader.statement(&booked).map(|found| found.lines.len())), known);
        // The state still has the prices.
        assert!(told(reader.prices(FROM, TO).map(|found| found.len())));
    };
    check(&store, true);
    drop(store);
    drop_index(folder.path());
    let open = || Store::open_with(folder.path(), &world.genesis, &world.rules, SMALL).unwrap().0;
    check(&open(), false);
    reindex(folder.path(), true, &mut |_, _| {}).unwrap();
    check(&open(), true);
}

/// A ledger whose index is rebuilt remembers what happened after the snapshot it is rebuilt from, and says so of the
/// rest.
#[test]
fn what_an_index_has_not_seen_executed_is_not_proven() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    crate::pruning::filled(&world, folder.path(), SMALL, 6);
    drop_index(folder.path());
    let (store, chain) = open(&world, folder.path()).unwrap();
    let view = View { tip: chain.tip, state: Arc::new(chain.state), rules: chain.rules };
    let reader = Reader::new(&view, &store, auditor());
    assert_eq!(store.known_from().unwrap(), 5);
    let prove = |height| reader.head_proof(&world.genesis, Some(height), None);
    assert!(prove(4).is_ok() && prove(5).is_ok() && prove(6).is_ok());
    assert!(matches!(prove(2), Err(ReadError::Unprovable(_))));
    let booked = Booked {
        from: market::interval::UnixSeconds((NOW_MS / 1_000) as i64),
        to: market::interval::UnixSeconds((NOW_MS / 1_000) as i64 + 10),
        of: PeriodOf::Booking,
        party: None,
    };
    assert!(matches!(reader.statement(&booked), Err(ReadError::NoSuch { .. })));
}
