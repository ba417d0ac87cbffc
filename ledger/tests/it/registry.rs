//! Who takes part: registering, rotating keys, leaving, equipment; and what of it is refused.

use crate::world::{id, party, transfer, World, NOW_MS};
use ed25519_dalek::SigningKey;
use ledger::block::verifier::EntryError;
use ledger::block::At;
use ledger::contracts::apply;
use ledger::execute::OpenedEntry;
use ledger::governed::registry::RETIRING_MS;
use ledger::state::State;
use ledger::store::Store;
use ledger::verify::verify_dir;
use proptest::prelude::*;
use std::sync::Arc;
use wire::entry::registry::{
    Equipment, EquipmentList, KeyRotation, Nameplate, ParticipantEntry, Registration,
};
use wire::entry::Entry;
use wire::envelope::{open, KeyChange, Signer};
use wire::hash::Hash32;
use wire::party::{Participant, PartyId, Role};
use wire::possession::Possession;
use wire::pseudonym::Pseudonym;

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub fn public(key: &SigningKey) -> Hash32 {
    Hash32(key.verifying_key().to_bytes())
}

/// Somebody new with the key of this seed, valid at once and for good; a site at bus b with agg-2.
pub fn registration(world: &World, party: &PartyId, seed: u8) -> Registration {
    let is_site = party.role == Role::Site;
    let (key, network) = (key(seed), &world.genesis.network);
    Registration {
        participant: Participant {
            party: party.clone(),
            key: public(&key),
            account: id(&format!("account-{}", party.id)),
            bus: is_site.then(|| "b".to_owned()),
            aggregator: is_site.then(|| id("agg-2")),
            connection_milliwatt: is_site.then_some(5_000_000),
            epoch: Default::default(),
        },
        pseudonym: Pseudonym::of(network, party),
        valid_from_ms: 0,
        valid_to_ms: None,
        possession: Possession::prove(&key, network, party, 0),
    }
}

fn register(registration: Registration) -> Entry {
    Entry::Participant(Box::new(ParticipantEntry::Register(registration)))
}

pub fn rotation(world: &World, party: &PartyId, seed: u8, epoch: u32) -> KeyRotation {
    let key = key(seed);
    let possession = Possession::prove(&key, &world.genesis.network, party, epoch);
    KeyRotation { key: public(&key), epoch, possession }
}

pub fn rotate(rotation: KeyRotation) -> Entry {
    Entry::Participant(Box::new(ParticipantEntry::Rotate(rotation)))
}

pub fn revoke(party: &PartyId) -> Entry {
    Entry::Participant(Box::new(ParticipantEntry::Revoke(party.clone())))
}

fn equipment(revision: u32, devices: &[&str]) -> Entry {
    let device = |name: &&str| Equipment {
        device: id(name),
        make: "Make".to_owned(),
        model: "Model 5".to_owned(),
        firmware: "1.2.3".to_owned(),
        nameplate: Nameplate { power_w: Some(5_000), apparent_va: Some(5_500), storage_wh: None },
    };
    let devices = devices.iter().map(device).collect();
    Entry::Participant(Box::new(ParticipantEntry::Equipment(EquipmentList { revision, devices })))
}

fn dso() -> PartyId {
    party(Role::Dso, "dso")
}

fn site(name: &str) -> PartyId {
    party(Role::Site, name)
}

/// A state, and what entries do to it at a time.
struct Town {
    world: World,
    state: State,
    at: At,
}

impl Town {
    fn new() -> Town {
        let world = World::with_every_role();
        let state = world.chain().state;
        Town { world, state, at: At { height: 1, time_ms: NOW_MS } }
    }

    /// Applies an entry under the rules that hold by now.
    fn apply(&mut self, by: &PartyId, entry: &Entry) -> Result<(), &'static str> {
        let rules = self.world.rules.after(self.state.governed(), self.at.time_ms).unwrap();
        let before = self.state.clone();
        match apply(&rules, &mut self.state, self.at, by, entry) {
            Ok(_) => {
                assert_ne!(self.state.hash(), before.hash());
                Ok(())
            }
            Err(refusal) => {
                assert_eq!(self.state, before, "{refusal} left a trace");
                assert_eq!(self.state.hash(), before.hash());
                Err(refusal.reason())
            }
        }
    }
}

fn check_registration(
    by: &PartyId,
    party: &PartyId,
    spoil: impl FnOnce(&World, &mut Registration),
    expected: Result<(), &'static str>,
) {
    let mut town = Town::new();
    let mut draft = registration(&town.world, party, 77);
    spoil(&town.world, &mut draft);
    assert_eq!(town.apply(by, &register(draft)), expected);
}

#[test]
fn somebody_new_is_registered_only_as_it_should_be() {
    let check = |spoil: fn(&World, &mut Registration), expected| {
        check_registration(&dso(), &site("s9"), spoil, expected);
    };
    check(|_, _| {}, Ok(()));
    check(|_, draft| draft.participant.account = id("account-s1"), Err("taken"));
    check(|_, draft| draft.participant.account = id("rounding"), Err("taken"));
    check(|_, draft| draft.participant.account = id("carbon"), Err("taken"));
    check(|_, draft| draft.participant.key = public(&key(1)), Err("taken"));
    check(|world, draft| draft.pseudonym = Pseudonym::of(&world.genesis.network, &site("s1")), Err("taken"));
    check(|_, draft| draft.participant.party = site("s1"), Err("taken"));
    check(|_, draft| draft.participant.party = site("s8"), Err("possession"));
    check(|_, draft| draft.participant.key = public(&key(78)), Err("possession"));
    check(|_, draft| draft.participant.epoch.number = 1, Err("epoch"));
    check(|_, draft| draft.participant.epoch.retiring = Some(Hash32::default()), Err("epoch"));
    check(|_, draft| draft.valid_to_ms = Some(0), Err("validity"));
    check(|_, draft| draft.valid_to_ms = Some(NOW_MS), Err("validity"));
    check(|_, draft| draft.valid_to_ms = Some(NOW_MS + 1), Ok(()));
    check(|_, draft| draft.participant.bus = Some("z".to_owned()), Err("market"));
    check(|_, draft| draft.participant.bus = None, Err("market"));
    check(|_, draft| draft.participant.aggregator = Some(id("agg-9")), Err("market"));
    check(|_, draft| draft.participant.connection_milliwatt = Some(0), Err("market"));
}

#[test]
fn each_role_is_registered_by_its_registrar_alone() {
    let regulator = party(Role::Regulator, "regulator-1");
    for role in Role::ALL {
        let newcomer = party(role, "new");
        let expected = |by: Role| {
            let registrar = match role {
                Role::Site | Role::Aggregator | Role::Meter => by == Role::Dso,
                Role::Forecaster | Role::Trader | Role::DataService => by == Role::Dso,
                Role::Auditor => by == Role::Regulator,
                _ => false,
            };
            if registrar {
                Ok(())
            } else {
                Err("registrar")
            }
        };
        check_registration(&dso(), &newcomer, |_, _| {}, expected(Role::Dso));
        check_registration(&regulator, &newcomer, |_, _| {}, expected(Role::Regulator));
        check_registration(&site("s1"), &newcomer, |_, _| {}, Err("registrar"));
        check_registration(&party(Role::Validator, "v1"), &newcomer, |_, _| {}, Err("registrar"));
    }
}

#[test]
fn a_registration_begins_and_ends_by_the_blocks_time() {
    let mut town = Town::new();
    let newcomer = site("s9");
    let times = (Some(NOW_MS + 1_000), NOW_MS + 2_000);
    let draft = Registration {
        valid_from_ms: times.0.unwrap(),
        valid_to_ms: Some(times.1),
        ..registration(&town.world, &newcomer, 77)
    };
    town.apply(&dso(), &register(draft)).unwrap();
    let says = |after_ms: u64, town: &mut Town| {
        town.at.time_ms = NOW_MS + after_ms;
        town.apply(&newcomer, &equipment(0, &["pv"]))
    };
    assert_eq!(says(0, &mut town), Err("not-yet-valid"));
    assert_eq!(says(999, &mut town), Err("not-yet-valid"));
    assert_eq!(says(2_000, &mut town), Err("expired"));
    assert_eq!(says(1_000, &mut town), Ok(()));
    // By then the market counts on it, and not before or after.
    let connection = |after_ms: u64| {
        let rules = town.world.rules.after(town.state.governed(), NOW_MS + after_ms).unwrap();
        assert!(rules.sites.contains_key(&id("account-s9")));
        rules.aggregators[&id("agg-2")][&2].0
    };
    assert_eq!([0, 1_000, 1_999, 2_000].map(connection), [20_000_000, 25_000_000, 25_000_000, 20_000_000]);
}

#[test]
fn who_leaves_is_heard_no_more_and_comes_back_under_no_name_it_had() {
    let mut town = Town::new();
    let (leaving, other) = (site("s1"), site("s2"));
    assert_eq!(town.apply(&other, &revoke(&leaving)), Err("registrar"));
    assert_eq!(town.apply(&dso(), &revoke(&site("nobody"))), Err("no-member"));
    assert_eq!(town.apply(&leaving, &revoke(&leaving)), Ok(()));
    assert_eq!(town.apply(&leaving, &transfer(0, 5)), Err("revoked"));
    assert_eq!(town.apply(&dso(), &revoke(&leaving)), Err("no-member"));
    let again = registration(&town.world, &leaving, 77);
    assert_eq!(town.apply(&dso(), &register(again)), Err("taken"));
    assert_eq!(town.apply(&dso(), &revoke(&other)), Ok(()));
    // Its sites are nobody's customers then, and the market goes on with the others.
    let aggregator = party(Role::Aggregator, "agg-1");
    assert_eq!(town.apply(&aggregator, &revoke(&aggregator)), Ok(()));
    let rules = town.world.rules.after(town.state.governed(), NOW_MS).unwrap();
    assert_eq!(rules.aggregators.keys().collect::<Vec<_>>(), [&id("agg-2")]);
    assert!(!rules.verifier.registry().contains_key(&leaving));
    // There is no market without these.
    let last = party(Role::Aggregator, "agg-2");
    assert_eq!(town.apply(&last, &revoke(&last)), Err("market"));
    assert_eq!(town.apply(&dso(), &revoke(&dso())), Err("market"));
    let validator = party(Role::Validator, "v1");
    assert_eq!(town.apply(&validator, &revoke(&validator)), Err("registrar"));
}

#[test]
fn a_key_is_rotated_by_its_holder_to_one_it_holds() {
    let mut town = Town::new();
    let by = site("s1");
    let check = |town: &mut Town, spoil: &dyn Fn(&mut KeyRotation), expected| {
        let mut draft = rotation(&town.world, &by, 77, 1);
        spoil(&mut draft);
        assert_eq!(town.apply(&by, &rotate(draft)), expected);
    };
    check(&mut town, &|draft| draft.epoch = 0, Err("epoch"));
    check(&mut town, &|draft| draft.epoch = 2, Err("epoch"));
    check(&mut town, &|draft| draft.key = public(&key(78)), Err("possession"));
    check(&mut town, &|draft| draft.key = public(&key(2)), Err("taken"));
    let of_another = rotation(&town.world, &site("s2"), 77, 1);
    check(&mut town, &|draft| draft.possession = of_another.possession, Err("possession"));
    check(&mut town, &|_| {}, Ok(()));
    // Said again, it is nothing new.
    check(&mut town, &|_| {}, Err("epoch"));
    // Neither the key nor the one before it is free for others.
    let mut newcomer = registration(&town.world, &site("s9"), 77);
    assert_eq!(town.apply(&dso(), &register(newcomer.clone())), Err("taken"));
    newcomer.participant.key = town.world.signers[&by].public_key();
    assert_eq!(town.apply(&dso(), &register(newcomer)), Err("taken"));
}

#[test]
fn equipment_is_stated_in_lists_that_are_not_replayed() {
    let mut town = Town::new();
    let by = site("s1");
    assert_eq!(town.apply(&by, &equipment(1, &["pv"])), Err("equipment"));
    assert_eq!(town.apply(&by, &equipment(0, &["pv", "pv"])), Err("equipment"));
    assert_eq!(town.apply(&by, &equipment(0, &["pv", "battery"])), Ok(()));
    assert_eq!(town.apply(&by, &equipment(0, &["pv", "battery"])), Err("equipment"));
    assert_eq!(town.apply(&by, &equipment(1, &[])), Ok(()));
    let stated = town.state.governed().members[&by].equipment.clone();
    assert_eq!(stated.unwrap().devices, []);
}

/// A transfer by the site in the middle of a chain, signed with this signer.
fn pay(signer: &Signer, nonce: u64) -> OpenedEntry {
    let entry = transfer(nonce, 5);
    let body = wire::message::Body::Submit(entry.clone());
    let sealed = signer.sign(None, crate::world::INTERVAL, NOW_MS, NOW_MS + 60_000, &body).unwrap();
    OpenedEntry { envelope: sealed.raw, submitter: signer.party().clone(), entry, epoch: signer.epoch() }
}

#[test]
fn a_chain_goes_on_through_a_rotation_and_verifies_as_a_whole() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    let (mut store, mut chain) = Store::open(folder.path(), &world.genesis, &world.rules).unwrap();
    let by = site("s1");
    let signer = Signer::new(world.genesis.network.clone(), by.clone(), key(5), NOW_MS);
    assert_eq!(signer.public_key(), world.signers[&by].public_key());
    signer.set_next(key(77));
    let rotated = world.opened(&by, rotate(rotation(&world, &by, 77, 1)));
    let mut take = |chain: &mut ledger::store::Chain, entries: &[OpenedEntry]| {
        let (decided, mut next) = world.decide(chain, entries);
        store.append(&decided, &mut next.state).unwrap();
        *chain = next;
    };
    take(&mut chain, &[pay(&signer, 0)]);
    // Both in one block: a block goes by the rules after the one before it.
    take(&mut chain, &[rotated, pay(&signer, 1)]);
    let late = pay(&signer, 2);
    let verifier = &chain.rules.verifier;
    let refused = verifier.open_entry(&late.envelope).unwrap_err();
    assert!(matches!(refused, EntryError::OldKey { epoch: 0, current: 1, .. }), "{refused}");
    // As evidence it is still believed, for a while.
    let network = &world.genesis.network;
    let believed = |registry| open(registry, network, &late.envelope.topic, &late.envelope.bytes).is_ok();
    assert!(believed(verifier.registry()));
    let later = chain.rules.after(chain.state.governed(), NOW_MS + 10 + RETIRING_MS).unwrap();
    assert!(!believed(later.verifier.registry()));
    assert_eq!(signer.follow(&verifier.registry()[&by]), KeyChange::Rotated);
    assert_eq!(signer.follow(&verifier.registry()[&by]), KeyChange::None);
    take(&mut chain, &[pay(&signer, 2)]);
    assert_eq!(chain.state.accounts()[&id("account-s1")].nonce, 3);
    drop(store);
    let report = verify_dir(folder.path(), &mut |_, _| {}).unwrap();
    assert_eq!((report.blocks, report.transfers, report.governance), (3, 3, 1));
    // The index has the registry as it is now.
    let (_, opened) = Store::open(folder.path(), &world.genesis, &world.rules).unwrap();
    assert_eq!(opened.state.hash(), chain.state.hash());
    assert_eq!(opened.rules.verifier.epoch_of(&by), Some(1));
    assert_eq!(signer.follow(&world.rules.verifier.registry()[&by]), KeyChange::Foreign);
}

#[test]
fn what_waits_signed_with_a_key_rotated_away_is_dropped() {
    let world = World::new(1);
    let chain = world.chain();
    let by = site("s1");
    let mut pool = ledger::mempool::Mempool::default();
    let waits = world.opened(&by, transfer(0, 5));
    let at = chain.tip.next(NOW_MS);
    pool.insert(&chain.rules, (&chain.state, at), waits, 0).unwrap();
    let rotated = world.opened(&by, rotate(rotation(&world, &by, 77, 1)));
    let (_, next) = world.decide(&chain, &[rotated]);
    let refused = pool.refresh(&next.rules, &next.state, next.tip.next(NOW_MS));
    assert_eq!(refused.iter().map(|(_, refusal)| refusal.reason()).collect::<Vec<_>>(), ["old-key"]);
    // A link that is ahead of the chain here may admit what is signed with the key to come.
    let early = OpenedEntry { epoch: 2, ..world.opened(&by, transfer(0, 6)) };
    pool.insert(&next.rules, (&next.state, next.tip.next(NOW_MS)), early, 0).unwrap();
    assert!(!pool.has_ready());
}

/// The operator's own table of who is behind which pseudonym is a file of its own: the ledger holds nothing of it.
#[test]
fn the_ledger_verifies_after_the_operators_table_is_erased() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    let (mut store, chain) = Store::open(folder.path(), &world.genesis, &world.rules).unwrap();
    let draft = registration(&world, &site("s9"), 77);
    let table = folder.path().join("people.csv");
    std::fs::write(&table, format!("{},Erika Mustermann,Heidestr. 17\n", draft.pseudonym)).unwrap();
    let (decided, mut next) = world.decide(&chain, &[world.opened(&dso(), register(draft))]);
    store.append(&decided, &mut next.state).unwrap();
    drop(store);
    let before = verify_dir(folder.path(), &mut |_, _| {}).unwrap();
    std::fs::remove_file(&table).unwrap();
    assert_eq!(verify_dir(folder.path(), &mut |_, _| {}).unwrap(), before);
    for file in std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()) {
        let bytes = if file.is_file() { std::fs::read(&file).unwrap() } else { Vec::new() };
        let name = "Erika Mustermann".as_bytes();
        assert!(!bytes.windows(name.len()).any(|part| part == name), "{}", file.display());
    }
}

/// Any change of the registry by anyone, right or wrong.
fn any_entry() -> impl Strategy<Value = (usize, u8, u8, u32, bool)> {
    (0..17usize, 0..4u8, 1..20u8, 0..3u32, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_refused_leaves_no_trace_and_what_fits_follows_from_what_is_governed_alone(
        drafts in prop::collection::vec(any_entry(), 1..12),
    ) {
        let mut town = Town::new();
        let parties: Vec<PartyId> = town.world.signers.keys().cloned().collect();
        let mut followed = town.state.governed().as_ref().clone();
        for (by, kind, seed, number, flag) in drafts {
            let by = &parties[by % parties.len()];
            let other = &parties[usize::from(seed) % parties.len()];
            let entry = match kind {
                0 => register(registration(&town.world, &party(other.role, &format!("n{number}")), 70 + seed)),
                1 => rotate(rotation(&town.world, by, 70 + seed, number)),
                2 => revoke(if flag { by } else { other }),
                _ => equipment(number, if flag { &["pv"] } else { &["pv", "pv"] }),
            };
            let rules = town.world.rules.after(town.state.governed(), town.at.time_ms).unwrap();
            let fits = town.apply(by, &entry).is_ok();
            if fits {
                let edit = ledger::contracts::edit(&rules, &followed, town.at, by, &entry).unwrap().unwrap();
                followed.make(edit);
            }
            prop_assert_eq!(followed.hash(), town.state.governed().hash());
            town.at.height += 1;
        }
    }
}

/// Whoever has no key of the registry is not heard at all.
#[test]
fn a_signer_of_another_key_is_foreign() {
    let world = World::new(1);
    let stranger = Arc::new(Signer::new(world.genesis.network.clone(), site("s1"), key(99), NOW_MS));
    assert_eq!(stranger.follow(&world.rules.verifier.registry()[&site("s1")]), KeyChange::Foreign);
    assert!(world.rules.verifier.open_entry(&pay(&stranger, 0).envelope).is_err());
}
