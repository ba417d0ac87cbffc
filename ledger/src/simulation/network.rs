//! Who hears what and when: delay, loss, doubling, and who is cut off from whom.

use super::fault::Fault;
use crate::execute::OpenedEntry;
use rand::rngs::SmallRng;
use rand::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::hash::Hash32;

/// Who signed a message.
#[derive(Clone, Copy, Debug)]
pub struct By {
    /// Which validator.
    pub validator: usize,
    /// With which of its keys.
    pub key: Hash32,
}

/// What reaches a node.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A submitted entry.
    Submit(Arc<OpenedEntry>),
    /// A consensus message of a validator.
    Consensus(By, Arc<Vec<u8>>),
    /// A decided block as somebody broadcast it.
    Block(By, Arc<Vec<u8>>),
    /// The node's machine comes back.
    Restart,
    /// It goes, and does not come back by itself.
    Leave,
    /// The thread that writes its snapshots has time.
    WriteSnapshot,
    /// The operator looks at the ledger.
    Look,
    /// The node's disk begins to refuse.
    DiskFails,
    /// The forger's moment: it hands out a block that nobody decided.
    Forge,
}

/// Everything on its way.
#[derive(Debug)]
pub struct Network {
    fault: Fault,
    /// Until when faults last.
    until_ms: u64,
    agenda: BTreeMap<(u64, u64), (usize, Delivery)>,
    order: u64,
    /// Which nodes stand on the one side of a cut.
    side: Vec<bool>,
    /// From when until when it lasts.
    cut_ms: (u64, u64),
}

impl Network {
    /// A network between so many nodes, bad until a time.
    pub fn new((fault, until_ms): (Fault, u64), nodes: usize, random: &mut SmallRng) -> Self {
        let side = match fault {
            Fault::Partition => {
                // Halves, or one against three.
                let alone = random.random_range(0..nodes);
                let halves = random.random_bool(0.5);
                (0..nodes).map(|node| if halves { node % 2 == alone % 2 } else { node == alone }).collect()
            }
            _ => vec![false; nodes],
        };
        let from_ms = random.random_range(0..until_ms / 2);
        let to_ms = random.random_range(from_ms..until_ms);
        Self { fault, until_ms, agenda: BTreeMap::new(), order: 0, side, cut_ms: (from_ms, to_ms) }
    }

    /// Whether faults still happen.
    pub fn is_faulty(&self, now_ms: u64) -> bool {
        self.fault == Fault::Split || now_ms < self.until_ms
    }

    /// When the next thing arrives.
    pub fn next_ms(&self) -> Option<u64> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes what arrives next.
    pub fn pop(&mut self) -> Option<(u64, usize, Delivery)> {
        self.agenda.pop_first().map(|((at, _), (node, delivery))| (at, node, delivery))
    }

    /// Lets something reach a node at a time.
    pub fn put(&mut self, at_ms: u64, node: usize, delivery: Delivery) {
        self.order += 1;
        self.agenda.insert((at_ms, self.order), (node, delivery));
    }

    /// Sends from one node to another, as the faults let it.
    pub fn send(
        &mut self,
        now_ms: u64,
        (from, to): (usize, usize),
        delivery: &Delivery,
        random: &mut SmallRng,
    ) {
        let faulty = self.is_faulty(now_ms);
        let lost = random.random_ratio(self.fault.lost_permille(), 1_000);
        if faulty && (lost || self.is_cut_off(now_ms, from, to)) {
            return;
        }
        let copies = if faulty && random.random_bool(0.05) { 2 } else { 1 };
        for _ in 0..copies {
            let most_ms = if faulty { 300 } else { 20 };
            let at_ms = now_ms + random.random_range(1..most_ms);
            self.put(at_ms, to, delivery.clone());
        }
    }

    fn is_cut_off(&self, now_ms: u64, from: usize, to: usize) -> bool {
        match self.fault {
            Fault::Partition => {
                (self.cut_ms.0..self.cut_ms.1).contains(&now_ms) && self.side[from] != self.side[to]
            }
            // Nodes 4 and 5 are the twins of 2 and 3.
            Fault::Split => [0, 2, 3].contains(&from) != [0, 2, 3].contains(&to),
            _ => false,
        }
    }
}
