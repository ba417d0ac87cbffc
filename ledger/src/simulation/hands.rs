//! A simulated process's disk and network, as [`Hands`] of the real validator's shell.

use super::bug::Bug;
use super::node::Node;
use crate::block::DecidedBlock;
use crate::consensus::message::{ConsensusMessage, SnapshotPart};
use crate::execute::OpenedEntry;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::store::remembered::Remembered;
use crate::validator::core::{Effect, Event};
use crate::validator::hands::Hands;
use std::sync::Arc;
use wire::entry::Entry;

/// What a process put on the network by one effect.
#[derive(Debug)]
pub enum Sent {
    /// To every validator.
    Consensus(Vec<u8>),
    /// To everyone.
    Block(Vec<u8>),
    /// An entry of its own.
    Submit(Arc<OpenedEntry>),
}

/// One process's disk and network.
pub struct NodeHands<'a> {
    /// The process.
    pub node: &'a mut Node,
    /// The part of it that is broken by intent.
    pub bug: Option<Bug>,
    /// Signs what it submits.
    pub sign: &'a dyn Fn(Entry) -> Option<OpenedEntry>,
    /// What it sent.
    pub sent: Vec<Sent>,
    /// What it made final.
    pub decided: Option<DecidedBlock>,
    /// What it noted as wrong that none but a broken part brings about.
    pub alarming: Option<String>,
}

impl Hands for NodeHands<'_> {
    fn record(&mut self, height: u64, record: &[u8]) -> Result<(), String> {
        self.node.wal.append(height, record)
    }

    fn sync_records(&mut self) -> Result<(), String> {
        match self.bug {
            Some(Bug::LogNotSynced) => Ok(()),
            _ => self.node.wal.sync(),
        }
    }

    fn commit(&mut self, decided: &DecidedBlock, _: &[u8]) -> Result<(), String> {
        let mut decided = decided.clone();
        if let Some(certificate) = self.node.unchecked.get(&decided.block.header.hash()) {
            decided.certificate = certificate.clone();
        }
        let bytes = decided.encode().map_err(|e| e.to_string())?;
        self.node.log.append(decided.height(), &bytes)?;
        self.node.log.sync()?;
        self.node.blocks.push(decided.clone());
        self.decided = Some(decided);
        Ok(())
    }

    /// A run keeps its blocks in memory as well.
    fn index(&mut self, _: &DecidedBlock, _: &mut State, _: &Remembered) -> Result<(), String> {
        Ok(())
    }

    fn clear_records(&mut self) -> Result<(), String> {
        self.node.wal.cut(0)
    }

    /// Nobody in a run prunes, so that nobody is ever offered a snapshot.
    fn install(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        Err(format!("a snapshot of block {}, which nobody made", snapshot.header.height))
    }

    fn blocks(&mut self, height: u64) -> Result<Option<ConsensusMessage>, String> {
        let Some(place) = height.checked_sub(1) else { return Ok(None) };
        let Some(decided) = self.node.blocks.get(place as usize) else { return Ok(None) };
        let bytes = decided.encode().map_err(|e| e.to_string())?;
        Ok(Some(ConsensusMessage::Decided(vec![bytes.into()])))
    }

    fn snapshot(&mut self, _: SnapshotPart) -> Option<ConsensusMessage> {
        None
    }

    fn publish(&mut self, message: Vec<u8>) {
        self.sent.push(Sent::Consensus(message));
    }

    fn announce(&mut self, decided: Vec<u8>) {
        self.node.told = self.node.blocks.len();
        self.sent.push(Sent::Block(decided));
    }

    fn submit(&mut self, entry: Entry) -> Option<Event> {
        let opened = (self.sign)(entry)?;
        self.sent.push(Sent::Submit(Arc::new(opened.clone())));
        Some(Event::Submit { id: None, opened: Box::new(opened) })
    }

    fn report(&mut self, effect: Effect) {
        if let Effect::Note { event: "unencodable" | "decided-unknown", text } = effect {
            self.alarming = Some(text);
        }
    }
}
