//! Whole validators under a virtual clock with seeded faults: nobody disagrees, everybody honest
//! gets there once the faults end. The same cores and the same bytes as on a network; disks and
//! messages are lists. A failure prints its seed: run `check(seed)` to see it again.

use crate::world::{party, transfer, validator, World};
use ledger::block::vote::VoteKind;
use ledger::block::DecidedBlock;
use ledger::consensus::core::Tendermint;
use ledger::consensus::message::{ConsensusMessage, Record, Statement};
use ledger::execute::{execute_block, Executed, OpenedEntry};
use ledger::store::Chain;
use ledger::validator::core::{Effect, Event, Now, ValidatorCore};
use ledger::validator::Timeouts;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::hash::Hash32;
use wire::message::MessageRef;
use wire::party::Role;

const VALIDATORS: usize = 4;
const TRANSFERS: u64 = 4;
/// Until when faults last, and until when everybody must be done, in milliseconds.
const FAULTS_UNTIL_MS: u64 = 8_000;
const DONE_BY_MS: u64 = 300_000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Late, lost and doubled messages alone.
    Network,
    /// One validator never says anything.
    Silent,
    /// Validators crash at any point of what they do and come back.
    Crashes,
    /// Two validators are cut off from the other two.
    Partition,
    /// Two validators with one key: they contradict each other to everyone.
    Twins,
    /// The control: two of four validators have twins, and tell each half of the others what the
    /// other half does not hear. More than a third lies, so the halves must part.
    Split,
}

/// One process: a core and its disk. Twins are two nodes of one validator.
struct Node {
    validator: usize,
    core: Option<ValidatorCore>,
    log: Vec<DecidedBlock>,
    wal: Vec<(u64, Vec<u8>)>,
    /// How much of the write-ahead log is synced.
    synced: usize,
    clock_skew_ms: u64,
}

struct Simulation {
    world: World,
    fault: Fault,
    random: SmallRng,
    now_ms: u64,
    nodes: Vec<Node>,
    /// What is to happen, by time and order.
    agenda: BTreeMap<(u64, u64), (usize, Delivery)>,
    order: u64,
    /// Every vote published: no honest validator may contradict itself, whatever it has forgotten.
    votes: BTreeMap<(usize, u64, u32, VoteKind), Option<Hash32>>,
    contradictions: Vec<String>,
    /// The second control: nodes that crash come back without their write-ahead logs.
    forgets: bool,
}

#[derive(Clone)]
enum Delivery {
    Submit(Box<OpenedEntry>),
    Consensus(usize, Vec<u8>),
    Block(Vec<u8>),
    Restart,
}

impl Simulation {
    fn new(seed: u64, fault: Fault) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let world = World::new(VALIDATORS);
        let twins: &[usize] = match fault {
            Fault::Twins => &[3],
            Fault::Split => &[2, 3],
            _ => &[],
        };
        let nodes = (0..VALIDATORS).chain(twins.iter().copied()).map(|validator| Node {
            validator,
            core: None,
            log: Vec::new(),
            wal: Vec::new(),
            synced: 0,
            clock_skew_ms: random.random_range(0..2_000),
        });
        let nodes = nodes.collect();
        Self {
            world,
            fault,
            random,
            now_ms: 0,
            nodes,
            agenda: BTreeMap::new(),
            order: 0,
            votes: BTreeMap::new(),
            contradictions: Vec::new(),
            forgets: false,
        }
    }

    fn faulty(&self) -> bool {
        self.fault == Fault::Split || self.now_ms < FAULTS_UNTIL_MS
    }

    fn is_honest(&self, node: usize) -> bool {
        match self.fault {
            Fault::Twins => node < VALIDATORS - 1,
            Fault::Split => node < 2,
            Fault::Silent => node != 0,
            _ => true,
        }
    }

    fn at(&mut self, after_ms: u64, node: usize, delivery: Delivery) {
        self.order += 1;
        self.agenda.insert((self.now_ms + after_ms, self.order), (node, delivery));
    }

    /// Sends to every other node, as the faults let it.
    fn broadcast(&mut self, from: usize, delivery: &Delivery) {
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            let cut_off = match self.fault {
                Fault::Partition => (from < 2) != (to < 2),
                Fault::Split => [0, 2, 3].contains(&from) != [0, 2, 3].contains(&to),
                _ => false,
            };
            let silent = self.fault == Fault::Silent && from == 0;
            let loss = if self.fault == Fault::Split { 0.0 } else { 0.1 };
            if silent || (self.faulty() && (cut_off || self.random.random_bool(loss))) {
                continue;
            }
            let copies = if self.faulty() && self.random.random_bool(0.05) { 2 } else { 1 };
            for _ in 0..copies {
                let most = if self.faulty() { 300 } else { 20 };
                let delay = self.random.random_range(1..most);
                self.at(delay, to, delivery.clone());
            }
        }
    }

    fn now(&self, node: usize) -> Now {
        let skew = self.nodes[node].clock_skew_ms;
        Now { real_ms: self.now_ms, wall_ms: crate::world::NOW_MS + self.now_ms + skew }
    }

    /// Starts a node from its disk.
    fn start(&mut self, place: usize) {
        let rules = self.world.rules.clone();
        let node = &mut self.nodes[place];
        let mut chain = self.world.chain();
        for decided in &node.log {
            let open = |envelope: &_| chain.rules.verifier.open_entry(envelope);
            let executed =
                execute_block(&chain.rules, &chain.tip, &chain.state, &decided.block, &open).unwrap();
            let Executed { state, rules, .. } = executed;
            chain = Chain { tip: chain.tip.after(&decided.block.header), state, rules };
        }
        let height = chain.tip.height + 1;
        let records = node.wal.iter().filter(|(at, _)| *at == height);
        let records = records.map(|(_, bytes)| Record::decode(bytes).unwrap()).collect();
        let decided = node.log.iter().flat_map(|decided| decided.block.entries.clone()).collect();
        let index = node.validator as u16;
        let name = validator(node.validator + 1);
        let signer = self.world.signers[&name].clone();
        let agreement = Tendermint::new(Arc::new(rules.verifier.clone()), signer, index);
        let me = (name.id, index);
        node.core = Some(ValidatorCore::new(me, Box::new(agreement), Timeouts::default(), chain));
        self.step(place, Event::Started { records, decided });
    }

    fn step(&mut self, place: usize, event: Event) {
        let now = self.now(place);
        let Some(core) = self.nodes[place].core.as_mut() else { return };
        let effects = core.step(now, event).unwrap_or_else(|error| panic!("node {place}: {error}"));
        let crash = self.fault == Fault::Crashes && self.faulty() && self.random.random_bool(0.01);
        let cut = if crash { self.random.random_range(0..=effects.len()) } else { effects.len() };
        for effect in effects.into_iter().take(cut) {
            self.perform(place, effect);
        }
        if crash {
            let node = &mut self.nodes[place];
            node.core = None;
            // What was not synced may or may not have reached the disk.
            let kept = self.random.random_range(node.synced..=node.wal.len());
            node.wal.truncate(if self.forgets { 0 } else { kept });
            node.synced = node.wal.len();
            let after_ms = self.random.random_range(1..2_000);
            self.at(after_ms, place, Delivery::Restart);
        }
    }

    fn perform(&mut self, place: usize, effect: Effect) {
        match effect {
            Effect::Record { height, bytes } => self.nodes[place].wal.push((height, bytes)),
            Effect::Publish(bytes) => {
                self.hear(place, &bytes);
                self.nodes[place].synced = self.nodes[place].wal.len();
                let validator = self.nodes[place].validator;
                self.broadcast(place, &Delivery::Consensus(validator, bytes));
            }
            Effect::Commit { decided, .. } => {
                self.nodes[place].log.push(*decided);
                self.nodes[place].wal.clear();
                self.nodes[place].synced = 0;
            }
            Effect::Announce(bytes) => self.broadcast(place, &Delivery::Block(bytes)),
            Effect::SendDecided { height } => {
                let decided = &self.nodes[place].log[height as usize - 1];
                let answer = ConsensusMessage::Decided(vec![decided.encode().unwrap().into()]);
                let bytes = answer.encode().unwrap();
                let validator = self.nodes[place].validator;
                self.broadcast(place, &Delivery::Consensus(validator, bytes));
            }
            Effect::Note { event: "bad-block" | "malformed" | "unencodable" | "refused", text } => {
                panic!("node {place}: {text}")
            }
            _ => {}
        }
    }

    /// Notes what a node says in public.
    fn hear(&mut self, place: usize, bytes: &[u8]) {
        let message = ConsensusMessage::decode(bytes).unwrap();
        let ConsensusMessage::Statement { statement: Statement::Vote(signed), .. } = message else { return };
        let vote = signed.vote;
        let key = (place, vote.height, vote.round, vote.kind);
        if *self.votes.entry(key).or_insert(vote.block) != vote.block {
            self.contradictions.push(format!("node {place} contradicts itself: {vote:?}"));
        }
    }

    fn deliver(&mut self, place: usize, delivery: Delivery) {
        let event = match delivery {
            Delivery::Restart => return self.start(place),
            Delivery::Consensus(sender, bytes) => {
                Event::Consensus { sender: validator(sender + 1).id, bytes }
            }
            Delivery::Block(bytes) => Event::Block { bytes },
            Delivery::Submit(opened) => {
                let sender = opened.submitter.clone();
                if self.nodes[place].core.is_none() {
                    // Not acknowledged: its sender says it again.
                    return self.at(500, place, Delivery::Submit(opened));
                }
                Event::Submit { id: MessageRef { sender, boot: 1, sequence: self.order }, opened }
            }
        };
        self.step(place, event);
    }

    /// Runs until every honest node has every transfer. Panics where that takes too long.
    fn run(&mut self) {
        for place in 0..self.nodes.len() {
            self.start(place);
        }
        let payer = party(Role::Site, "s1");
        for nonce in 0..TRANSFERS {
            let opened = self.world.opened(&payer, transfer(nonce, 5));
            let from_ms = self.random.random_range(0..FAULTS_UNTIL_MS);
            for place in 0..self.nodes.len() {
                let delay = self.random.random_range(0..500);
                self.at(from_ms + delay, place, Delivery::Submit(Box::new(opened.clone())));
            }
        }
        while !self.done() {
            if self.fault == Fault::Split && self.now_ms > DONE_BY_MS / 2 {
                return;
            }
            assert!(self.now_ms < DONE_BY_MS, "not done: {:?}", self.heights());
            let deadlines = self.nodes.iter().enumerate().filter_map(|(place, node)| {
                Some((node.core.as_ref()?.next_deadline()?.max(self.now_ms), place))
            });
            let timer = deadlines.min();
            let due = self.agenda.first_key_value().map(|((at, _), _)| *at);
            match (timer, due) {
                (Some((at, place)), due) if due.is_none_or(|due| at < due) => {
                    self.now_ms = at;
                    self.step(place, Event::Poll);
                }
                (_, Some(due)) => {
                    self.now_ms = due;
                    let (_, (place, delivery)) = self.agenda.pop_first().unwrap();
                    self.deliver(place, delivery);
                }
                _ => panic!("nothing is to happen any more: {:?}", self.heights()),
            }
        }
    }

    fn done(&self) -> bool {
        let has_all = |node: &Node| {
            let account = crate::world::id("account-s1");
            node.core.as_ref().is_some_and(|core| core.state().accounts()[&account].nonce == TRANSFERS)
        };
        (0..self.nodes.len()).filter(|place| self.is_honest(*place)).all(|place| has_all(&self.nodes[place]))
    }

    fn heights(&self) -> Vec<usize> {
        self.nodes.iter().map(|node| node.log.len()).collect()
    }

    fn assert_agreement(&self) {
        assert_eq!(self.contradictions, Vec::<String>::new());
        let mut decided = BTreeMap::new();
        for node in
            (0..self.nodes.len()).filter(|place| self.is_honest(*place)).map(|place| &self.nodes[place])
        {
            for (height, block) in (1u64..).zip(&node.log) {
                assert_eq!(block.height(), height);
                self.world.rules.verifier.verify(block).unwrap();
                let hash = block.block.header.hash();
                assert_eq!(*decided.entry(height).or_insert(hash), hash, "two blocks at height {height}");
            }
            let total = node.core.as_ref().unwrap().state().total_nano_eur();
            assert_eq!(total, self.world.chain().state.total_nano_eur());
        }
    }
}

/// Prints the seed where a test panics.
struct Seed(u64, Fault);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("simulation failed: seed {}, fault {:?}", self.0, self.1);
        }
    }
}

fn check(seed: u64, fault: Fault) {
    let _seed = Seed(seed, fault);
    let mut simulation = Simulation::new(seed, fault);
    simulation.run();
    simulation.assert_agreement();
}

/// Agreement is what the protocol brings about and not what the simulation can't help: where more
/// lie than it withstands, the same check sees two chains.
#[test]
fn the_simulation_sees_disagreement_where_too_many_lie() {
    let forked = |seed: &u64| {
        let mut simulation = Simulation::new(*seed, Fault::Split);
        simulation.run();
        let [one, other] = [0, 1].map(|place| simulation.nodes[place].log.first().cloned());
        one.zip(other).is_some_and(|(one, other)| one.block.header.hash() != other.block.header.hash())
    };
    assert_eq!((0..10u64).filter(forked).count(), 10);
}

/// What keeps a validator that crashes from contradicting itself is its write-ahead log.
#[test]
fn the_simulation_sees_contradictions_where_the_log_is_lost() {
    let contradicts = |seed: &u64| {
        let mut simulation = Simulation::new(*seed, Fault::Crashes);
        simulation.forgets = true;
        simulation.run();
        !simulation.contradictions.is_empty()
    };
    assert!((0..40).any(|seed| contradicts(&seed)));
}

#[test]
fn agreement_holds_over_a_bad_network() {
    (0..20).for_each(|seed| check(seed, Fault::Network));
}

#[test]
fn agreement_holds_with_one_silent_validator() {
    (0..20).for_each(|seed| check(seed, Fault::Silent));
}

#[test]
fn agreement_holds_through_crashes() {
    (0..20).for_each(|seed| check(seed, Fault::Crashes));
}

#[test]
fn agreement_holds_through_a_partition() {
    (0..20).for_each(|seed| check(seed, Fault::Partition));
}

#[test]
fn agreement_holds_with_one_validator_that_contradicts_itself() {
    (0..20).for_each(|seed| check(seed, Fault::Twins));
}
