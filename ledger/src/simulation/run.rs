//! One run, from a seed to a verdict.

use super::bug::{self, Bug};
use super::check::{Failure, Violation, Watch};
use super::course::Course;
use super::fault::{Fault, VALIDATORS};
use super::forger::{Forger, FORGER};
use super::hands::Sent;
use super::network::{By, Delivery, Network};
use super::node::Node;
use super::operator::{Operator, LOOKS_EVERY_MS};
use super::scenario::{Report, Scenario};
use super::world::{World, NEWCOMER};
use super::SetupError;
use crate::execute::OpenedEntry;
use crate::validator::core::Event;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;
use wire::entry::SignedEnvelope;
use wire::message::MessageRef;
use wire::party::PartyId;

/// Until when everyone must be done, in milliseconds of simulated time.
const DONE_BY_MS: u64 = 300_000;
/// When a submitter says again what is not decided yet.
const SUBMIT_AGAIN_MS: u64 = 1_500;
/// When whoever is away comes back at the latest, in milliseconds.
pub(super) const BACK_BY_MS: u64 = 12_000;

pub(super) struct Simulation {
    pub(super) world: World,
    pub(super) scenario: Scenario,
    pub(super) random: SmallRng,
    pub(super) now_ms: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) network: Network,
    pub(super) watch: Watch,
    /// What is submitted in a plain run, whatever the validators do.
    transfers: Vec<Arc<OpenedEntry>>,
    /// Who submits in the others.
    pub(super) operator: Operator,
    forger: Forger,
    submissions: u64,
    pub(super) installed: u64,
}

/// Runs transfers through validators under a fault, one part of them broken by intent or none. The same
/// scenario gives the same run.
///
/// # Errors
/// Where no run can be set up.
pub fn simulate(scenario: Scenario) -> Result<Result<Report, Failure>, SetupError> {
    let mut simulation = Simulation::new(scenario)?;
    simulation.run()?;
    simulation.judge()?;
    let violations = simulation.watch.violations().to_vec();
    if violations.is_empty() {
        return Ok(Ok(simulation.report()));
    }
    let Scenario { seed, fault, course, bug, .. } = scenario;
    Ok(Err(Failure { seed, fault, course, bug, violations }))
}

impl Simulation {
    fn new(scenario: Scenario) -> Result<Self, SetupError> {
        let Scenario { seed, fault, course, bug, transfers } = scenario;
        let mut random = SmallRng::seed_from_u64(seed);
        let world = World::new()?;
        let operator = Operator::new(course, transfers, &mut random);
        let newcomer = operator.admits().then_some(NEWCOMER);
        let places = (0..VALIDATORS).chain(fault.twins().iter().copied()).chain(newcomer);
        let mut nodes: Vec<Node> = Vec::new();
        for validator in places {
            let mut node = Node::new(validator, &world, course.store());
            node.is_twin = nodes.iter().any(|other| other.validator == validator);
            match fault {
                Fault::Clocks => {
                    node.ahead_ms = random.random_range(0..20_000);
                    node.rate_permille = random.random_range(600..1_500);
                }
                _ => node.ahead_ms = random.random_range(0..2_000),
            }
            if bug == Some(Bug::SnapshotNotSynced) {
                node.store.break_snapshot_sync();
            }
            nodes.push(node);
        }
        let network = Network::new((fault, course.faults_until_ms()), nodes.len(), &mut random);
        let transfers = if course == Course::Plain { transfers } else { 0 };
        let transfers = (0..transfers).map(|nonce| world.transfer(nonce, 5).map(Arc::new));
        let transfers = transfers.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            world,
            scenario,
            random,
            now_ms: 0,
            nodes,
            network,
            watch: Watch::default(),
            transfers,
            operator,
            forger: Forger::default(),
            submissions: 0,
            installed: 0,
        })
    }

    fn run(&mut self) -> Result<(), SetupError> {
        self.plan();
        for place in 0..self.nodes.len() {
            self.start(place)?;
        }
        let is_control = self.scenario.fault == Fault::Split;
        let stop_ms = if is_control { DONE_BY_MS / 4 } else { DONE_BY_MS };
        while !self.done() && self.watch.violations().is_empty() {
            let timer = self.nodes.iter().enumerate();
            let timer =
                timer.filter_map(|(place, node)| Some((node.next_ms()?.max(self.now_ms), place))).min();
            let due = self.network.next_ms();
            let next = timer.map(|(at, _)| at).into_iter().chain(due).min();
            let Some(next) = next.filter(|next| *next <= stop_ms) else {
                if !is_control {
                    let done_at = self.nodes.iter().map(|node| node.store.tip().height).collect();
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
        let Scenario { fault, course, .. } = self.scenario;
        let until_ms = course.faults_until_ms();
        for transfer in self.transfers.clone() {
            let from_ms = self.random.random_range(0..until_ms);
            for place in 0..self.nodes.len() {
                let delay_ms = self.random.random_range(0..500);
                self.network.put(from_ms + delay_ms, place, Delivery::Submit(transfer.clone()));
            }
        }
        let some_time = self.random.random_range(100..until_ms);
        match fault {
            Fault::Disk => self.network.put(some_time, 0, Delivery::DiskFails),
            Fault::Forger => (0..8).for_each(|_| {
                let at_ms = self.random.random_range(0..until_ms);
                self.network.put(at_ms, FORGER, Delivery::Forge);
            }),
            _ => {}
        }
        if course != Course::Plain {
            self.network.put(LOOKS_EVERY_MS, 0, Delivery::Look);
            self.send_away();
        }
    }

    pub(super) fn send(&mut self, from: usize, sent: Sent) {
        let Node { validator, signer, .. } = &self.nodes[from];
        let by = By { validator: *validator, key: signer.public_key() };
        let delivery = match sent {
            Sent::Consensus(bytes) => {
                let honest = self.scenario.fault.is_honest(by.validator);
                self.watch.hear((from, by.validator), honest, &bytes);
                self.lie(from, &bytes);
                Delivery::Consensus(by, Arc::new(bytes))
            }
            Sent::Block(bytes) => Delivery::Block(by, Arc::new(bytes)),
            Sent::Submit(opened) => Delivery::Submit(opened),
        };
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            self.network.send(self.now_ms, (from, to), &delivery, &mut self.random);
        }
    }

    fn deliver(&mut self, place: usize, delivery: Delivery) -> Result<(), SetupError> {
        let event = match delivery {
            Delivery::Restart => return self.start(place),
            Delivery::Leave => {
                self.nodes[place].is_away = true;
                self.turn_off(place);
                return Ok(());
            }
            Delivery::Look => return self.look(),
            Delivery::WriteSnapshot => {
                self.write_snapshot(place);
                return Ok(());
            }
            Delivery::DiskFails => {
                self.nodes[place].store.power.broken = true;
                return Ok(());
            }
            Delivery::Forge => {
                self.forge();
                return Ok(());
            }
            Delivery::Consensus(by, _) | Delivery::Block(by, _) if !self.believes(place, by) => return Ok(()),
            Delivery::Consensus(by, bytes) => {
                let sender = self.world.name(by.validator).clone();
                Event::Consensus { sender, bytes: self.vouched(place, &bytes) }
            }
            Delivery::Block(_, bytes) => Event::Block { bytes: self.vouched(place, &bytes) },
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

    /// Whether a node's link takes a message for one of this validator's: by a key that its chain names, or named
    /// lately.
    fn believes(&self, place: usize, by: By) -> bool {
        let Some(core) = &self.nodes[place].core else { return false };
        let party: &PartyId = self.world.validators[by.validator].party();
        let known = core.rules().verifier.registry().get(party);
        known.is_some_and(|known| known.keys().any(|(_, key)| *key == by.key))
    }

    /// What a validator that checks no certificate takes the bytes for.
    fn vouched(&mut self, place: usize, bytes: &[u8]) -> Vec<u8> {
        let (ledger, founders) = (self.world.ledger(), &self.world.validators[..VALIDATORS]);
        let vouched = match self.bug_of(place) {
            Some(Bug::CertificateUnchecked) => bug::vouch(bytes, ledger, founders),
            Some(Bug::SnapshotUnchecked) => bug::vouch_manifest(bytes, ledger, founders),
            _ => None,
        };
        vouched.map_or_else(|| bytes.to_vec(), |vouched| self.nodes[place].believe(vouched))
    }

    /// A submitter says again what it does not see decided.
    fn submit_again(&mut self, place: usize, opened: &Arc<OpenedEntry>) {
        let ours = self.transfers.iter().any(|transfer| Arc::ptr_eq(transfer, opened));
        let node = &self.nodes[place];
        let decided = ours && node.store.blocks().any(|b| b.block.entries.contains(&opened.envelope));
        if ours && !decided && node.stopped.is_none() {
            let at_ms = self.now_ms + SUBMIT_AGAIN_MS;
            self.network.put(at_ms, place, Delivery::Submit(opened.clone()));
        }
    }

    /// The forger tells everyone that a block of its own is decided.
    fn forge(&mut self) {
        let victim = self.random.random_range(0..FORGER);
        let wall_ms = self.nodes[victim].now(self.now_ms).wall_ms;
        let Some(core) = &self.nodes[victim].core else { return };
        if let Some(bytes) = Forger::block(&self.world, core, wall_ms) {
            self.send(FORGER, Sent::Block(bytes));
        }
    }

    /// The forger answers, where it is asked.
    fn lie(&mut self, place: usize, question: &[u8]) {
        if self.scenario.fault != Fault::Forger || place == FORGER {
            return;
        }
        let wall_ms = self.nodes[place].now(self.now_ms).wall_ms;
        let Some(core) = &self.nodes[place].core else { return };
        let lie = self.forger.answer(&self.world, question, (core, wall_ms), &mut self.random);
        if let Some(lie) = lie {
            self.send(FORGER, Sent::Consensus(lie));
        }
    }

    fn done(&self) -> bool {
        let goal = match self.scenario.course {
            Course::Plain => Some(self.transfers.len() as u64),
            _ => self.operator.goal(),
        };
        let Some(goal) = goal.filter(|_| !self.nodes.iter().any(|node| node.is_away)) else { return false };
        let has_all =
            |node: &Node| node.core.as_ref().is_some_and(|core| self.world.decided(core.state()) == goal);
        let fault = self.scenario.fault;
        let mut there = self.nodes.iter().filter(|node| {
            let is_there = fault.is_honest(node.validator) && fault.is_there(node.validator);
            is_there && !node.is_twin && self.is_member(node.validator)
        });
        there.all(has_all)
    }

    /// Checks everything that was made final; that all agree on it was watched.
    fn judge(&mut self) -> Result<(), SetupError> {
        let submitted = self.transfers.iter().chain(self.operator.submitted());
        let submitted: Vec<SignedEnvelope> = submitted.map(|opened| opened.envelope.clone()).collect();
        let validators: Vec<usize> = self.nodes.iter().map(|node| node.validator).collect();
        let fault = self.scenario.fault;
        self.watch.judge(&self.world, &submitted, &validators, |validator| fault.is_honest(validator))
    }

    fn report(&self) -> Report {
        let longest =
            self.nodes.iter().filter_map(|node| node.core.as_ref()).max_by_key(|core| core.tip().height);
        let evidence = longest
            .map_or(0, |core| core.state().voting().liars().values().map(|liar| liar.contradictions).sum());
        Report {
            height: longest.map_or(0, |core| core.tip().height),
            after_ms: self.now_ms,
            evidence,
            changes: self.operator.changes(),
            installed: self.installed,
        }
    }
}
