//! What happens to one process of a run: it starts, does one thing, crashes over it, stops for good.

use super::bug::Bug;
use super::check::Violation;
use super::fault::Fault;
use super::hands::{NodeHands, Sent};
use super::network::Delivery;
use super::run::Simulation;
use super::SetupError;
use crate::validator::core::{Effect, Event};
use crate::validator::hands::perform;
use rand::Rng;
use std::collections::VecDeque;

/// How many of a thousand steps end in a crash, where validators crash.
const CRASHES_PERMILLE: u32 = 20;
/// Writes to a disk at most until the power goes, where it goes between two of them.
const WRITES: u32 = 16;

impl Simulation {
    /// Part of a node that is broken by intent.
    pub(super) fn bug_of(&self, place: usize) -> Option<Bug> {
        self.scenario.bug.filter(|bug| place == 0 || !bug.is_of_one())
    }

    /// Starts a process from its disk, if its machine is on.
    pub(super) fn start(&mut self, place: usize) -> Result<(), SetupError> {
        let bug = self.bug_of(place);
        let (fault, node) = (self.scenario.fault, &mut self.nodes[place]);
        let is_there = fault.is_there(node.validator) || fault == Fault::Disk;
        if !is_there || node.is_away || node.stopped.is_some() {
            return Ok(());
        }
        node.is_awaited = false;
        match node.start(&self.world, bug, &self.operator.plans)? {
            Ok(event) => {
                let (found, had) = (node.store.tip().height, node.told);
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

    /// Whether what is done now ends in a crash. If it does, the power may go between two writes to a disk, which
    /// is then said to it.
    fn crashes(&mut self, place: usize) -> bool {
        let crashes = self.scenario.fault == Fault::Crashes
            && self.network.is_faulty(self.now_ms)
            && self.nodes[place].core.is_some()
            && self.random.random_ratio(CRASHES_PERMILLE, 1_000);
        if crashes && self.scenario.course.prunes() && self.random.random_bool(0.7) {
            self.nodes[place].store.power.left = Some(self.random.random_range(0..WRITES));
        }
        crashes
    }

    /// Whether the power goes while an effect is performed that is rare, and many writes.
    fn crashes_over(&mut self, place: usize, effect: &Effect) -> bool {
        let crashes = matches!(effect, Effect::Install(_))
            && self.scenario.fault == Fault::Crashes
            && self.random.random_bool(0.5);
        if crashes {
            self.nodes[place].store.power.left = Some(self.random.random_range(0..WRITES));
        }
        crashes
    }

    /// Lets a node do one thing, with whatever that brings about in itself. It may crash over it.
    pub(super) fn step(&mut self, place: usize, event: Event) -> Result<(), SetupError> {
        let mut crashes = self.crashes(place);
        let between_writes = self.nodes[place].store.power.left.is_some();
        let mut left = if crashes && !between_writes { self.random.random_range(0..6) } else { usize::MAX };
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
                crashes |= self.crashes_over(place, &effect);
                match self.perform(place, effect) {
                    Ok(own) => events.extend(own),
                    Err(_) if crashes && self.nodes[place].store.power.is_gone() => {
                        self.crash(place);
                        return Ok(());
                    }
                    Err(failure) => {
                        self.stop(place, failure, false);
                        return Ok(());
                    }
                }
            }
        }
        match crashes {
            true => self.crash(place),
            false => self.look_after(place),
        }
        Ok(())
    }

    /// Sees to what a node has others do for it: a thread that writes its snapshot, a start with another key.
    fn look_after(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        if node.core.is_none() || node.is_awaited {
            return;
        }
        let (delivery, most_ms) = match (node.store.is_writing(), node.has_new_key(&self.world)) {
            (true, _) => (Delivery::WriteSnapshot, 300),
            (_, true) => (Delivery::Restart, 1_500),
            _ => return,
        };
        node.is_awaited = true;
        let after_ms = self.random.random_range(1..most_ms);
        self.network.put(self.now_ms + after_ms, place, delivery);
    }

    fn crash(&mut self, place: usize) {
        self.turn_off(place);
        let after_ms = self.random.random_range(1..2_000);
        self.network.put(self.now_ms + after_ms, place, Delivery::Restart);
    }

    /// Turns its machine off, whatever it was doing.
    pub(super) fn turn_off(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        node.core = None;
        node.store.crash(&mut self.random);
    }

    /// Lets its thread write the snapshot that was begun.
    pub(super) fn write_snapshot(&mut self, place: usize) {
        self.nodes[place].is_awaited = false;
        // Somewhat more often than elsewhere: a snapshot is many writes.
        let crashes = (0..5).any(|_| self.crashes(place));
        let written = self.nodes[place].store.write_begun();
        match written {
            _ if crashes => self.crash(place),
            Ok(()) => {}
            Err(failure) => self.stop(place, failure, false),
        }
    }

    /// A node stops for good, as the real one would. Where its disk did not fail, it should not have to.
    fn stop(&mut self, place: usize, reason: String, alarming: bool) {
        let node = &mut self.nodes[place];
        node.core = None;
        node.stopped = Some(reason.clone());
        if alarming || !node.store.power.broken {
            self.watch.found(Violation::Stopped { node: place, reason });
        }
    }

    fn perform(&mut self, place: usize, effect: Effect) -> Result<Option<Event>, String> {
        let bug = self.bug_of(place);
        let node = &mut self.nodes[place];
        let validator = node.validator;
        let (world, signer) = (&self.world, node.signer.clone());
        let sign = move |entry| world.submit(&signer, entry).ok();
        let mut hands = NodeHands {
            node,
            bug,
            sign: &sign,
            sent: Vec::new(),
            decided: None,
            installed: None,
            alarming: None,
        };
        let done = perform(&mut hands, effect);
        let NodeHands { sent, decided, installed, alarming, .. } = hands;
        let honest = self.scenario.fault.is_honest(validator);
        if let Some(decided) = decided {
            self.watch.decide(place, honest, &decided);
        }
        if let Some((header, certificate)) = installed.filter(|_| honest) {
            self.installed += 1;
            self.watch.go_on(place, &header, &certificate);
        }
        if let Some(reason) = alarming.filter(|_| honest) {
            self.watch.found(Violation::Stopped { node: place, reason });
        }
        for sent in sent {
            let broken = self.nodes[place].store.power.broken;
            if broken && matches!(sent, Sent::Consensus(_)) && done.is_err() {
                self.watch.found(Violation::SpokeWithoutDisk { node: place });
            }
            self.send(place, sent);
        }
        done
    }
}
