//! A validator that is new, or was away long, catches up from others that have pruned what it lacks:
//! real cores and real stores, seeded loss and lies. A failure prints its seed.

use crate::flips::copy;
use crate::pruning::{filled, grow, open, SMALL};
use crate::world::{validator, World};
use ledger::consensus::core::Tendermint;
use ledger::consensus::message::{ConsensusMessage, SnapshotPart};
use ledger::store::{Chain, Store, StoreOptions};
use ledger::validator::core::{Effect, Event, Me, Now, ValidatorCore};
use ledger::validator::{serve, Timeouts};
use ledger::verify::verify_dir;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;
use std::path::Path;
use tempfile::TempDir;
use wire::party::Id;

/// Chunks are large beside the states of these tests, so everything else is small.
const PRUNED: StoreOptions = StoreOptions { pruning: Some(6), ..SMALL };

/// What may go wrong on the way.
#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    /// Part of the answers lost.
    loss: f64,
    /// Part of the answers with a byte changed.
    lies: f64,
}

/// Validator 4, behind, and what the other three have on their disks.
struct Scene {
    world: World,
    others: Vec<(TempDir, Store)>,
    core: ValidatorCore,
    store: Store,
    random: SmallRng,
    faults: Faults,
    now_ms: u64,
    /// Messages on their way to the one behind.
    inbox: VecDeque<(usize, Vec<u8>)>,
    /// Questions it asked, snapshots it put in.
    asked: usize,
    installed: Vec<u64>,
    notes: Vec<&'static str>,
}

impl Scene {
    fn new(seed: u64, faults: Faults, options: StoreOptions, height: u64, behind: &Path) -> (Scene, Chain) {
        let world = World::new(4);
        let one = tempfile::tempdir().unwrap();
        let decided = filled(&world, one.path(), options, height);
        let others = (0..3).map(|_| {
            let folder = tempfile::tempdir().unwrap();
            copy(one.path(), folder.path());
            let (store, _) = open(&world, folder.path(), options).unwrap();
            (folder, store)
        });
        let others = others.collect();
        let (store, chain) = open(&world, behind, SMALL).unwrap();
        let signer = world.signers[&validator(4)].clone();
        let me = Me { name: validator(4).id, signer: signer.clone() };
        let agreement = Box::new(Tendermint::new(signer));
        let core = ValidatorCore::new(me, agreement, Timeouts::default(), chain);
        let random = SmallRng::seed_from_u64(seed);
        let inbox = VecDeque::new();
        let (now_ms, asked, installed, notes) = (0, 0, Vec::new(), Vec::new());
        let scene =
            Scene { world, others, core, store, random, faults, now_ms, inbox, asked, installed, notes };
        (scene, decided)
    }

    fn step(&mut self, event: Event) {
        let now = Now { real_ms: self.now_ms, wall_ms: crate::world::NOW_MS + self.now_ms };
        for effect in self.core.step(now, event).unwrap() {
            match effect {
                Effect::Publish(bytes) => self.answer(&ConsensusMessage::decode(&bytes).unwrap()),
                Effect::Commit { decided, bytes } => self.store.log(decided.height(), &bytes).unwrap(),
                Effect::Index { decided, mut state, .. } => {
                    self.store.index(&decided, &mut state, None).unwrap()
                }
                Effect::Install(snapshot) => {
                    self.store.install(&snapshot).unwrap();
                    self.installed.push(snapshot.header.height);
                }
                Effect::Note { event, .. } => self.notes.push(event),
                _ => {}
            }
        }
    }

    /// What the one asked says, if it gets through as it was said.
    fn answer(&mut self, question: &ConsensusMessage) {
        let place = |of: &Id| (0..3).find(|place| validator(place + 1).id == *of).unwrap();
        let (of, answer) = match question {
            ConsensusMessage::Request { height, of } => {
                (place(of), serve::blocks(&self.others[place(of)].1, *height).unwrap())
            }
            ConsensusMessage::SnapshotRequest { part, of } => {
                (place(of), serve::snapshot(&self.others[place(of)].1, *part).unwrap())
            }
            _ => return,
        };
        self.asked += 1;
        let Some(mut answer) = answer else { return };
        if self.random.random_bool(self.faults.lies) {
            if let ConsensusMessage::Manifest(bytes) | ConsensusMessage::Chunk { bytes, .. } = &mut answer {
                let place = self.random.random_range(0..bytes.len());
                bytes[place] ^= 1 << self.random.random_range(0..8);
            }
        }
        if !self.random.random_bool(self.faults.loss) {
            self.inbox.push_back((of, answer.encode().unwrap()));
        }
    }

    /// Until it stands at a height.
    fn run(&mut self, height: u64) {
        let heard = self.others[0].1.block(height).unwrap().unwrap().encode().unwrap();
        self.step(Event::Started { records: Vec::new(), decided: Vec::new() });
        self.step(Event::Block { bytes: heard });
        while self.core.tip().height < height {
            assert!(self.now_ms < 600_000, "at {}, notes {:?}", self.core.tip().height, self.notes);
            match self.inbox.pop_front() {
                Some((from, bytes)) => {
                    self.step(Event::Consensus { sender: validator(from + 1).id, bytes });
                }
                None => {
                    self.now_ms = self.core.next_deadline().unwrap().max(self.now_ms);
                    self.step(Event::Poll);
                }
            }
        }
    }
}

struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("catching up failed: seed {}", self.0);
        }
    }
}

fn check(seed: u64, faults: Faults) {
    let _seed = Seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let (mut scene, chain) = Scene::new(seed, faults, PRUNED, 30, folder.path());
    assert!(scene.others[0].1.lowest() > 20, "pruned");
    scene.run(30);
    assert_eq!(scene.core.tip(), &chain.tip);
    assert_eq!(scene.core.state().hash(), chain.state.hash());
    assert_eq!(scene.installed, [28]);
    // It goes on as if it had been there all the time, also after a restart.
    let Scene { world, mut store, .. } = scene;
    let mut grown = chain;
    grow(&world, &mut store, &mut grown, 35);
    drop(store);
    let (_, opened) = open(&world, folder.path(), SMALL).unwrap();
    assert_eq!((opened.tip, opened.state.hash()), (grown.tip, grown.state.hash()));
    let report = verify_dir(folder.path(), &mut |_, _| {}).unwrap();
    assert_eq!((report.started_from, report.blocks), (28, 7));
}

#[test]
fn a_new_validator_goes_on_from_a_snapshot_where_blocks_are_pruned() {
    check(0, Faults::default());
}

#[test]
fn it_gets_there_over_a_bad_network_and_past_lies() {
    (1..8).for_each(|seed| check(seed, Faults { loss: 0.3, lies: 0.3 }));
}

#[test]
fn blocks_come_many_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let (mut scene, chain) = Scene::new(0, Faults::default(), SMALL, 30, folder.path());
    scene.run(30);
    assert_eq!((scene.core.tip(), scene.installed.len()), (&chain.tip, 0));
    assert!(scene.asked <= 4, "{} questions", scene.asked);
}

/// A manifest and chunks that nobody asked for, or of a block nobody voted for, change nothing.
#[test]
fn a_snapshot_without_votes_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (mut scene, chain) = Scene::new(0, Faults::default(), PRUNED, 30, folder.path());
    let forge = |manifest: &mut ledger::snapshot::Manifest| manifest.certificate.signatures.truncate(2);
    scene.step(Event::Started { records: Vec::new(), decided: Vec::new() });
    // The answer to the first question: pruned. Then whoever is asked for a manifest forges one.
    let (from, bytes) = scene.inbox.pop_front().unwrap();
    scene.step(Event::Consensus { sender: validator(from + 1).id, bytes });
    let (from, bytes) = scene.inbox.pop_front().unwrap();
    let ConsensusMessage::Manifest(bytes) = ConsensusMessage::decode(&bytes).unwrap() else { panic!() };
    let mut manifest = ledger::snapshot::Manifest::decode(&bytes).unwrap();
    forge(&mut manifest);
    let forged = ConsensusMessage::Manifest(manifest.encode().unwrap().into()).encode().unwrap();
    scene.step(Event::Consensus { sender: validator(from + 1).id, bytes: forged });
    assert_eq!(scene.notes, ["bad-snapshot"]);
    let part = SnapshotPart::Chunk { height: 28, index: 0 };
    let chunk = serve::snapshot(&scene.others[0].1, part).unwrap().unwrap().encode().unwrap();
    scene.step(Event::Consensus { sender: validator(1).id, bytes: chunk });
    assert_eq!((scene.core.tip().height, scene.installed.len()), (0, 0));
    // Others are honest.
    scene.run(30);
    assert_eq!(scene.core.tip(), &chain.tip);
}
