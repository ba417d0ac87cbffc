//! A simulated process's disk and network, as [`Hands`] of the real validator's shell.

use super::bug::Bug;
use super::node::Node;
use super::store::SimStore;
use crate::block::vote::VoteCertificate;
use crate::block::{DecidedBlock, Header};
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
    /// The header of a snapshot it went on from, with the votes that came with it.
    pub installed: Option<(Header, VoteCertificate)>,
    /// What it noted as wrong that none but a broken part brings about.
    pub alarming: Option<String>,
}

impl Hands for NodeHands<'_> {
    fn record(&mut self, height: u64, record: &[u8]) -> Result<(), String> {
        let SimStore { wal, power, .. } = &mut self.node.store;
        wal.append(power, height, record)
    }

    fn sync_records(&mut self) -> Result<(), String> {
        let SimStore { wal, power, .. } = &mut self.node.store;
        match self.bug {
            Some(Bug::LogNotSynced) => Ok(()),
            _ => wal.sync(power),
        }
    }

    fn commit(&mut self, decided: &DecidedBlock, _: &[u8]) -> Result<(), String> {
        let mut decided = decided.clone();
        if let Some(certificate) = self.node.unchecked.get(&decided.block.header.hash()) {
            decided.certificate = certificate.clone();
        }
        self.node.store.log(&decided)?;
        self.decided = Some(decided);
        Ok(())
    }

    fn index(&mut self, decided: &DecidedBlock, state: &mut State, _: &Remembered) -> Result<(), String> {
        let decided = self.decided.as_ref().unwrap_or(decided);
        self.node.store.go_on(decided, state)
    }

    fn clear_records(&mut self) -> Result<(), String> {
        let SimStore { wal, power, .. } = &mut self.node.store;
        wal.cut(power, 0)
    }

    fn install(&mut self, snapshot: &Snapshot) -> Result<(), String> {
        self.node.store.install(snapshot)?;
        let Snapshot { header, certificate, .. } = snapshot;
        let came_with = self.node.unchecked.get(&header.hash()).unwrap_or(certificate);
        self.installed = Some((header.clone(), came_with.clone()));
        Ok(())
    }

    fn blocks(&mut self, height: u64) -> Result<Option<ConsensusMessage>, String> {
        let store = &self.node.store;
        if height < store.lowest() {
            let (lowest, tip) = (store.lowest(), store.tip().height);
            return Ok(Some(ConsensusMessage::Pruned { lowest, tip }));
        }
        let Some(decided) = store.block(height) else { return Ok(None) };
        let bytes = decided.encode().map_err(|e| e.to_string())?;
        Ok(Some(ConsensusMessage::Decided(vec![bytes.into()])))
    }

    fn snapshot(&mut self, part: SnapshotPart) -> Option<ConsensusMessage> {
        let store = &self.node.store;
        match part {
            SnapshotPart::Manifest => {
                let bytes = store.newest_snapshot()?.manifest().encode().ok()?;
                Some(ConsensusMessage::Manifest(bytes.into()))
            }
            SnapshotPart::Chunk { height, index } => {
                let chunk = store.snapshot(height)?.chunk(index as usize).ok()?;
                Some(ConsensusMessage::Chunk { height, index, bytes: chunk.into() })
            }
        }
    }

    fn publish(&mut self, message: Vec<u8>) {
        self.sent.push(Sent::Consensus(message));
    }

    fn announce(&mut self, decided: Vec<u8>) {
        self.node.told = self.node.store.tip().height;
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
