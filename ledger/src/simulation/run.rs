//! One run, from a seed to a verdict.

use super::bug::{self, Bug};
use super::check::{check_chain, Failure, Violation, Watch};
use super::fault::{Fault, FAULTS_UNTIL_MS, VALIDATORS};
use super::hands::{NodeHands, Sent};
use super::network::{Delivery, Network};
use super::node::Node;
use super::world::World;
use super::SetupError;
use crate::block::vote::VoteCertificate;
use crate::block::DecidedBlock;
use crate::execute::{build_block, OpenedEntry};
use crate::validator::core::{Effect, Event};
use crate::validator::hands::perform;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::Arc;
use wire::entry::SignedEnvelope;
use wire::message::MessageRef;

/// Until when everyone must be done, in milliseconds of simulated time.
const DONE_BY_MS: u64 = 300_000;
/// When a submitter says again what is not decided yet.
const SUBMIT_AGAIN_MS: u64 = 1_500;
/// How many of a thousand steps end in a crash, where validators crash.
const CRASHES_PERMILLE: u32 = 20;

/// A run in which everything held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Height of the last block.
    pub height: u64,
    /// Simulated time it took, in milliseconds.
    pub after_ms: u64,
    /// Contradictions that stand on the ledger.
    pub evidence: u64,
}

struct Simulation {
    world: World,
    fault: Fault,
    bug: Option<Bug>,
    random: SmallRng,
    now_ms: u64,
    nodes: Vec<Node>,
    network: Network,
    watch: Watch,
    transfers: Vec<Arc<OpenedEntry>>,
    submissions: u64,
}

/// Runs `transfers` transfers through four validators under a fault, one part of them broken by intent
/// or none. The same arguments give the same run.
///
/// # Errors
/// Where no run can be set up.
pub fn simulate(
    seed: u64,
    fault: Fault,
    bug: Option<Bug>,
    transfers: u64,
) -> Result<Result<Report, Failure>, SetupError> {
    let mut simulation = Simulation::new(seed, fault, bug, transfers)?;
    simulation.run()?;
    simulation.judge()?;
    let violations = simulation.watch.violations().to_vec();
    if violations.is_empty() {
        return Ok(Ok(simulation.report()));
    }
    Ok(Err(Failure { seed, fault, bug, violations }))
}

impl Simulation {
    fn new(seed: u64, fault: Fault, bug: Option<Bug>, transfers: u64) -> Result<Self, SetupError> {
        let mut random = SmallRng::seed_from_u64(seed);
        let world = World::new()?;
        let places: Vec<usize> = (0..VALIDATORS).chain(fault.twins().iter().copied()).collect();
        let node = |validator: usize, random: &mut SmallRng| match fault {
            Fault::Clocks => {
                Node::new(validator, random.random_range(0..20_000), random.random_range(600..1_500))
            }
            _ => Node::new(validator, random.random_range(0..2_000), 1_000),
        };
        let nodes: Vec<Node> = places.into_iter().map(|validator| node(validator, &mut random)).collect();
        let network = Network::new(fault, nodes.len(), &mut random);
        let transfers = (0..transfers).map(|nonce| world.transfer(nonce, 5).map(Arc::new));
        let transfers = transfers.collect::<Result<Vec<_>, _>>()?;
        let watch = Watch::default();
        Ok(Self { world, fault, bug, random, now_ms: 0, nodes, network, watch, transfers, submissions: 0 })
    }

    fn run(&mut self) -> Result<(), SetupError> {
        self.plan();
        for place in 0..self.nodes.len() {
            self.start(place)?;
        }
        while !self.done() && self.watch.violations().is_empty() {
            let stop_ms = if self.fault == Fault::Split { DONE_BY_MS / 4 } else { DONE_BY_MS };
            let timer = self.nodes.iter().enumerate();
            let timer =
                timer.filter_map(|(place, node)| Some((node.next_ms()?.max(self.now_ms), place))).min();
            let due = self.network.next_ms();
            let next = timer.map(|(at, _)| at).into_iter().chain(due).min();
            let Some(next) = next.filter(|next| *next <= stop_ms) else {
                if self.fault != Fault::Split {
                    let done_at = self.nodes.iter().map(|node| node.blocks.len()).collect();
                    self.watch.found(Violation::Stalled { done_at, after_ms: self.now_ms });
                }
                break;
            };
            self.now_ms = next;
            match timer {
                Some((at, place)) if due.is_none_or(|due| at < due) => self.step(place, Event::Poll)?,
                _ => {
                    if let Some((_, place, delivery)) = self.network.pop() {
                        self.deliver(place, delivery)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What is to happen whatever the validators do.
    fn plan(&mut self) {
        for transfer in self.transfers.clone() {
            let from_ms = self.random.random_range(0..FAULTS_UNTIL_MS);
            for place in 0..self.nodes.len() {
                let delay_ms = self.random.random_range(0..500);
                self.network.put(from_ms + delay_ms, place, Delivery::Submit(transfer.clone()));
            }
        }
        let some_time = self.random.random_range(100..FAULTS_UNTIL_MS);
        match self.fault {
            Fault::Disk => self.network.put(some_time, 0, Delivery::DiskFails),
            Fault::Forger => (0..8).for_each(|_| {
                let at_ms = self.random.random_range(0..FAULTS_UNTIL_MS);
                self.network.put(at_ms, 3, Delivery::Forge);
            }),
            _ => {}
        }
    }

    fn start(&mut self, place: usize) -> Result<(), SetupError> {
        let node = &mut self.nodes[place];
        if !self.fault.is_there(node.validator) && self.fault != Fault::Disk {
            return Ok(());
        }
        match node.start(&self.world, self.bug)? {
            Ok(event) => {
                let (found, had) = (node.blocks.len(), node.told);
                if found < had {
                    self.watch.found(Violation::Lost { node: place, found, had });
                }
                self.step(place, event)
            }
            Err(reason) => {
                self.watch.found(Violation::Stopped { node: place, reason });
                Ok(())
            }
        }
    }

    /// Lets a node do one thing, with whatever that brings about in itself. It may crash over it.
    fn step(&mut self, place: usize, event: Event) -> Result<(), SetupError> {
        let crashes = self.fault == Fault::Crashes
            && self.network.is_faulty(self.now_ms)
            && self.random.random_ratio(CRASHES_PERMILLE, 1_000);
        let mut left = if crashes { self.random.random_range(0..6) } else { usize::MAX };
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let node = &mut self.nodes[place];
            let now = node.now(self.now_ms);
            let Some(core) = node.core.as_mut() else { return Ok(()) };
            let effects = match core.step(now, event) {
                Ok(effects) => effects,
                Err(error) => {
                    self.stop(place, error.to_string(), true);
                    return Ok(());
                }
            };
            for effect in effects {
                if left == 0 {
                    break;
                }
                left -= 1;
                match self.perform(place, effect) {
                    Ok(own) => events.extend(own),
                    Err(failure) => {
                        self.stop(place, failure, false);
                        return Ok(());
                    }
                }
            }
        }
        if crashes {
            self.crash(place);
        }
        Ok(())
    }

    fn crash(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        node.core = None;
        node.wal.crash(&mut self.random);
        node.log.crash(&mut self.random);
        let after_ms = self.random.random_range(1..2_000);
        self.network.put(self.now_ms + after_ms, place, Delivery::Restart);
    }

    /// A node stops for good, as the real one would. Where its disk did not fail, it should not have to.
    fn stop(&mut self, place: usize, reason: String, alarming: bool) {
        let node = &mut self.nodes[place];
        node.core = None;
        node.stopped = Some(reason.clone());
        if alarming || !node.wal.broken {
            self.watch.found(Violation::Stopped { node: place, reason });
        }
    }

    fn perform(&mut self, place: usize, effect: Effect) -> Result<Option<Event>, String> {
        let node = &mut self.nodes[place];
        let validator = node.validator;
        let (world, signer) = (&self.world, self.world.validators[validator].clone());
        let sign = move |entry| world.submit(&signer, entry).ok();
        let bug = self.bug;
        let mut hands = NodeHands { node, bug, sign: &sign, sent: Vec::new(), decided: None, alarming: None };
        let done = perform(&mut hands, effect);
        let NodeHands { sent, decided, alarming, .. } = hands;
        let honest = self.fault.is_honest(validator);
        if let Some(decided) = decided.filter(|_| honest) {
            self.watch.decide(place, &decided);
        }
        if let Some(reason) = alarming.filter(|_| honest) {
            self.watch.found(Violation::Stopped { node: place, reason });
        }
        for sent in sent {
            if self.nodes[place].wal.broken && matches!(sent, Sent::Consensus(_)) && done.is_err() {
                self.watch.found(Violation::SpokeWithoutDisk { node: place });
            }
            self.send(place, sent);
        }
        done
    }

    fn send(&mut self, from: usize, sent: Sent) {
        let validator = self.nodes[from].validator;
        let delivery = match sent {
            Sent::Consensus(bytes) => {
                self.watch.hear((from, validator), self.fault.is_honest(validator), &bytes);
                Delivery::Consensus(validator, Arc::new(bytes))
            }
            Sent::Block(bytes) => Delivery::Block(Arc::new(bytes)),
            Sent::Submit(opened) => Delivery::Submit(opened),
        };
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            self.network.send(self.now_ms, (from, to), &delivery, &mut self.random);
        }
    }

    fn deliver(&mut self, place: usize, delivery: Delivery) -> Result<(), SetupError> {
        let event = match delivery {
            Delivery::Restart => return self.start(place),
            Delivery::DiskFails => {
                self.nodes[place].wal.broken = true;
                self.nodes[place].log.broken = true;
                return Ok(());
            }
            Delivery::Forge => {
                self.forge(place);
                return Ok(());
            }
            Delivery::Consensus(sender, bytes) => {
                Event::Consensus { sender: self.world.name(sender).clone(), bytes: bytes.to_vec() }
            }
            Delivery::Block(bytes) => Event::Block { bytes: self.vouched(place, &bytes) },
            Delivery::Submit(opened) => {
                self.submit_again(place, &opened);
                self.submissions += 1;
                let (sender, sequence) = (opened.submitter.clone(), self.submissions);
                let id = Some(MessageRef { sender, boot: 1, sequence });
                Event::Submit { id, opened: Box::new(OpenedEntry::clone(&opened)) }
            }
        };
        self.step(place, event)
    }

    /// What a validator that checks no certificate takes the bytes for.
    fn vouched(&mut self, place: usize, bytes: &[u8]) -> Vec<u8> {
        let careless = place == 0 && self.bug == Some(Bug::CertificateUnchecked);
        let vouch = || bug::vouch(bytes, self.world.ledger(), &self.world.validators);
        match careless.then(vouch).flatten() {
            Some((vouched, (block, had))) => {
                self.nodes[place].unchecked.entry(block).or_insert(had);
                vouched
            }
            None => bytes.to_vec(),
        }
    }

    /// A submitter says again what it does not see decided.
    fn submit_again(&mut self, place: usize, opened: &Arc<OpenedEntry>) {
        let ours = self.transfers.iter().any(|transfer| Arc::ptr_eq(transfer, opened));
        let decided = self.nodes[place].blocks.iter().any(|b| b.block.entries.contains(&opened.envelope));
        if ours && !decided && self.nodes[place].stopped.is_none() {
            let at_ms = self.now_ms + SUBMIT_AGAIN_MS;
            self.network.put(at_ms, place, Delivery::Submit(opened.clone()));
        }
    }

    /// The forger takes some other node's chain, puts a block of its own on it with no vote but its own,
    /// and tells everyone that it is decided.
    fn forge(&mut self, forger: usize) {
        let victim = self.random.random_range(0..VALIDATORS - 1);
        let Some(core) = &self.nodes[victim].core else { return };
        let (tip, state, rules) = (core.tip().clone(), core.state().clone(), core.rules().clone());
        let nonce = self.world.decided(&state);
        let Ok(entry) = self.world.transfer(nonce, 1_000) else { return };
        let wall_ms = self.nodes[victim].now(self.now_ms).wall_ms;
        let by = (self.world.name(forger), wall_ms);
        let Some((block, _)) = build_block(&rules, &tip, &state, by, [&entry].into_iter()) else { return };
        let signer = &self.world.validators[forger];
        let signature = bug::precommit(&block.header, forger as u16).sign(self.world.ledger(), &signer.key());
        let signatures = (0..VALIDATORS as u16).map(|validator| (validator, signature)).collect();
        let certificate = VoteCertificate { round: 0, signatures };
        let Ok(bytes) = (DecidedBlock { block, certificate }).encode() else { return };
        self.send(forger, Sent::Block(bytes));
    }

    fn done(&self) -> bool {
        let has_all = |node: &Node| {
            node.core
                .as_ref()
                .is_some_and(|core| self.world.decided(core.state()) == self.transfers.len() as u64)
        };
        let mut there = self.nodes.iter().enumerate().filter(|(place, node)| {
            *place < VALIDATORS && self.fault.is_honest(node.validator) && self.fault.is_there(node.validator)
        });
        there.all(|(_, node)| has_all(node))
    }

    /// Checks the longest honest chain from its genesis; that the others agree was watched.
    fn judge(&mut self) -> Result<(), SetupError> {
        let honest = |node: &&Node| self.fault.is_honest(node.validator);
        let longest = self.nodes.iter().filter(honest).max_by_key(|node| node.blocks.len());
        let Some(longest) = longest else { return Ok(()) };
        let mut submitted: Vec<SignedEnvelope> =
            self.transfers.iter().map(|transfer| transfer.envelope.clone()).collect();
        submitted.dedup();
        let fault = self.fault;
        let found =
            check_chain(&self.world, &longest.blocks, &submitted, |validator| fault.is_honest(validator))?;
        found.into_iter().for_each(|violation| self.watch.found(violation));
        Ok(())
    }

    fn report(&self) -> Report {
        let longest =
            self.nodes.iter().filter_map(|node| node.core.as_ref()).max_by_key(|core| core.tip().height);
        let evidence = longest
            .map_or(0, |core| core.state().voting().liars().values().map(|liar| liar.contradictions).sum());
        Report { height: longest.map_or(0, |core| core.tip().height), after_ms: self.now_ms, evidence }
    }
}
