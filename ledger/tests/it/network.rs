//! Four validators over a real broker, on real disks.

use crate::governance::proposal;
use crate::registry::{key, public, registration, rotate, rotation};
use crate::world::{id, party, transfer, validator, World, NOW_MS};
use broker::embedded::EmbeddedBroker;
use broker::link::{Link, LinkConfig, LinkEvent, Outgoing};
use broker::metrics::LinkMetrics;
use ledger::block::DecidedBlock;
use ledger::follower::Follower;
use ledger::store::StoreOptions;
use ledger::validator::mesh::Brokers;
use ledger::validator::{start, Timeouts, ValidatorConfig, ValidatorHandle};
use ledger::verify::verify_dir;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use wire::entry::governance::{BallotEntry, GovernedChange};
use wire::entry::Entry;
use wire::envelope::{KeyChange, Signer};
use wire::message::{Body, RegistryQuestion, Verdict};
use wire::party::{PartyId, Role};

/// Only against hanging for ever.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct Net {
    pub world: World,
    address: String,
    metrics: LinkMetrics,
    registry: prometheus::Registry,
}

impl Net {
    pub fn new() -> Net {
        let broker = EmbeddedBroker::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let registry = prometheus::Registry::new();
        let metrics = LinkMetrics::register(&registry).unwrap();
        Net { world: World::new(4), address: broker.address().to_string(), metrics, registry }
    }

    pub fn validator(&self, index: usize, folder: &Path) -> ValidatorHandle {
        self.validator_with(index, folder, StoreOptions::default())
    }

    fn validator_with(&self, index: usize, folder: &Path, store: StoreOptions) -> ValidatorHandle {
        start(ValidatorConfig { store, ..self.config(index, folder) }).unwrap()
    }

    /// Validator `index` as a process started anew, with these keys and counters of its own.
    pub fn anew(&self, signer: Signer, folder: &Path) -> ValidatorConfig {
        let name = signer.party().id.to_string();
        let signer = Arc::new(signer);
        let brokers = Brokers::Shared(vec![self.address.clone()]);
        let (data_dir, registry) = (folder.join(name), prometheus::Registry::new());
        ValidatorConfig { signer, brokers, data_dir, registry, ..self.config(1, folder) }
    }

    fn config(&self, index: usize, folder: &Path) -> ValidatorConfig {
        ValidatorConfig {
            genesis: Arc::new(self.world.genesis.clone()),
            signer: self.world.signers[&validator(index)].clone(),
            brokers: Brokers::Shared(vec![self.address.clone()]),
            identity: None,
            data_dir: folder.join(format!("v{index}")),
            registry: self.registry.clone(),
            link_metrics: self.metrics.clone(),
            timeouts: Timeouts::default(),
            store: StoreOptions::default(),
        }
    }

    /// A party that submits and follows blocks.
    pub async fn client(&self, who: &PartyId) -> (Link, Receiver<LinkEvent>) {
        self.client_with(self.world.signers[who].clone()).await
    }

    /// The same with these keys.
    pub async fn client_with(&self, signer: Arc<Signer>) -> (Link, Receiver<LinkEvent>) {
        let config = LinkConfig::with_one_connection(
            vec![self.address.clone()],
            vec![self.world.genesis.network.filter_broadcast(Role::Validator, "block")],
            signer,
            Arc::new(self.world.genesis.registry()),
            64,
        );
        let (link, mut events) = Link::connect(config, self.metrics.clone()).unwrap();
        while next(&mut events).await != LinkEvent::Connected {}
        (link, events)
    }
}

pub async fn next(events: &mut Receiver<LinkEvent>) -> LinkEvent {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("an event in time").unwrap()
}

pub fn submission(entry: Entry) -> Outgoing {
    Outgoing {
        body: Body::Submit(entry),
        interval: crate::world::INTERVAL,
        recipient: None,
        acknowledged_by: (1..=4).map(validator).collect(),
        tag: 1,
        valid_for_ms: PATIENCE.as_millis() as u64,
    }
}

pub async fn height_reached(handle: &ValidatorHandle, height: u64) {
    let mut heights = handle.height();
    let reached = heights.wait_for(|at| *at >= height);
    tokio::time::timeout(PATIENCE, reached).await.expect("the height in time").unwrap();
}

#[actix::test]
async fn four_validators_decide_a_transfer_and_tell_everyone() {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let validators: Vec<_> = (1..=4).map(|index| net.validator(index, folder.path())).collect();
    let payer = party(Role::Site, "s1");
    let (link, mut events) = net.client(&payer).await;
    link.send(submission(transfer(0, 5))).unwrap();
    link.send(submission(transfer(0, 999_999_999_999_999))).unwrap();
    let (mut accepted, mut refused, mut decided) = (0, 0, None);
    while accepted < 4 || refused < 4 || decided.is_none() {
        match next(&mut events).await {
            LinkEvent::Answered { verdict: Verdict::Accepted, .. } => accepted += 1,
            LinkEvent::Answered { verdict: Verdict::Refused(_), .. } => refused += 1,
            LinkEvent::Message(message) => {
                let Body::Block(bytes) = message.body else { continue };
                let block = DecidedBlock::decode(&bytes).unwrap();
                net.world.rules.verifier.verify(&block).unwrap();
                decided = Some(block);
            }
            _ => {}
        }
    }
    let entries: Vec<_> = decided.unwrap().entries().collect();
    assert_eq!(entries, [(payer, transfer(0, 5))]);
    for handle in validators {
        height_reached(&handle, 1).await;
        handle.stop();
        assert_eq!(handle.ended().await, None);
    }
    for index in 1..=4 {
        let report = verify_dir(&folder.path().join(format!("v{index}")), &mut |_, _| {}).unwrap();
        assert_eq!((report.blocks, report.transfers), (1, 1));
    }
}

#[actix::test]
async fn a_validator_that_was_away_catches_up() {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let validators: Vec<_> = (1..=3).map(|index| net.validator(index, folder.path())).collect();
    let (link, _events) = net.client(&party(Role::Site, "s1")).await;
    for nonce in 0..3 {
        link.send(submission(transfer(nonce, 5))).unwrap();
        for handle in &validators {
            height_reached(handle, nonce + 1).await;
        }
    }
    let late = net.validator(4, folder.path());
    height_reached(&late, 3).await;
    late.stop();
    assert_eq!(late.ended().await, None);
    let data = folder.path().join("v4");
    assert_eq!(verify_dir(&data, &mut |_, _| {}).unwrap().transfers, 3);
    let last = ledger::verify::replay(&data).unwrap().last().unwrap().unwrap();
    assert_eq!(last.receipts[0].1.payments[0].account, id("account-s1"));
}

/// The next block that this follower has not seen, followed.
async fn follow(events: &mut Receiver<LinkEvent>, follower: &mut Follower) {
    loop {
        let LinkEvent::Message(message) = next(events).await else { continue };
        let Body::Block(bytes) = message.body else { continue };
        let block = DecidedBlock::decode(&bytes).unwrap();
        let before = follower.rules().clone();
        follower.check(&block).unwrap();
        follower.advance(&block.block.header, &block.entries().collect::<Vec<_>>()).unwrap();
        if !Arc::ptr_eq(&before, follower.rules()) {
            return;
        }
    }
}

#[actix::test]
async fn a_participant_that_rotates_its_key_goes_on_and_who_was_away_is_told() {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let validators: Vec<_> = (1..=4).map(|index| net.validator(index, folder.path())).collect();
    let payer = party(Role::Site, "s1");
    let signer = net.world.signers[&payer].clone();
    let (link, mut events) = net.client(&payer).await;
    signer.set_next(key(77));
    link.send(submission(rotate(rotation(&net.world, &payer, 77, 1)))).unwrap();
    let mut follower = Follower::new(&net.world.genesis).unwrap();
    follow(&mut events, &mut follower).await;
    assert_eq!(signer.follow(&follower.registry()[&payer]), KeyChange::Rotated);
    for handle in &validators {
        height_reached(handle, 1).await;
    }
    link.send(submission(transfer(0, 5))).unwrap();
    for handle in &validators {
        height_reached(handle, 2).await;
    }
    let (late, mut told) = net.client(&party(Role::Site, "s2")).await;
    let mut behind = Follower::new(&net.world.genesis).unwrap();
    let question = RegistryQuestion { known: *behind.rules().verifier.governed() };
    let ask = Outgoing {
        body: Body::RegistryQuestion(question),
        acknowledged_by: Vec::new(),
        ..submission(transfer(0, 1))
    };
    late.send(ask).unwrap();
    let summary = loop {
        let LinkEvent::Message(message) = next(&mut told).await else { continue };
        if let Body::RegistrySummary(bytes) = message.body {
            break bytes;
        }
    };
    assert!(behind.take_summary(&summary).unwrap());
    assert_eq!(behind.registry()[&payer].key, public(&key(77)));
    for handle in validators {
        handle.stop();
        assert_eq!(handle.ended().await, None);
    }
    let report = verify_dir(&folder.path().join("v1"), &mut |_, _| {}).unwrap();
    assert_eq!((report.blocks, report.transfers, report.governance), (2, 1, 1));
}

#[actix::test]
async fn a_new_validator_goes_on_from_a_snapshot_where_the_others_have_pruned() {
    let net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let pruned = StoreOptions { segment_bytes: 1, snapshot_every: 3, pruning: Some(3) };
    let validators: Vec<_> = (1..=3).map(|index| net.validator_with(index, folder.path(), pruned)).collect();
    let (link, _events) = net.client(&party(Role::Site, "s1")).await;
    for nonce in 0..12 {
        link.send(submission(transfer(nonce, 5))).unwrap();
        for handle in &validators {
            height_reached(handle, nonce + 1).await;
        }
    }
    let late = net.validator(4, folder.path());
    height_reached(&late, 12).await;
    // It votes from here on: two of four would not do.
    validators[0].stop();
    link.send(submission(transfer(12, 5))).unwrap();
    height_reached(&late, 13).await;
    late.stop();
    assert_eq!(late.ended().await, None);
    let report = verify_dir(&folder.path().join("v4"), &mut |_, _| {}).unwrap();
    assert!(report.started_from >= 6 && report.blocks > 0, "{report:?}");
}

#[actix::test]
async fn a_validator_that_was_voted_in_starts_with_nothing_and_votes() {
    let mut net = Net::new();
    let folder = tempfile::tempdir().unwrap();
    let validators: Vec<_> = (1..=4).map(|index| net.validator(index, folder.path())).collect();
    let fifth = validator(5);
    let admit = vec![registration(&net.world, &fifth, 77)];
    let entry = proposal(6, GovernedChange::Validators { admit, dismiss: Vec::new() });
    let ballot = Entry::Ballot(BallotEntry { proposal: entry.id().unwrap(), approve: true });
    let payer = party(Role::Site, "s1");
    let entries = [
        (validator(1), Entry::Proposal(Box::new(entry))),
        (validator(1), ballot.clone()),
        (validator(2), ballot.clone()),
        (validator(3), ballot),
        (payer.clone(), transfer(0, 5)),
    ];
    for (height, (by, entry)) in (1..).zip(entries) {
        let (link, _events) = net.client(&by).await;
        link.send(submission(entry)).unwrap();
        for handle in &validators {
            height_reached(handle, height).await;
        }
    }
    let signer = Signer::new(net.world.genesis.network.clone(), fifth.clone(), key(77), NOW_MS);
    net.world.signers.insert(fifth, Arc::new(signer));
    let new = net.validator(5, folder.path());
    height_reached(&new, 5).await;
    // Without the first, all four others must vote.
    validators[0].stop();
    let (link, _events) = net.client(&payer).await;
    link.send(submission(transfer(1, 5))).unwrap();
    height_reached(&new, 6).await;
    new.stop();
    assert_eq!(new.ended().await, None);
    let report = verify_dir(&folder.path().join("v5"), &mut |_, _| {}).unwrap();
    assert_eq!((report.blocks, report.transfers), (6, 2));
}
