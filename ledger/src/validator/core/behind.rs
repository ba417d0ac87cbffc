//! Catching up: asking others for blocks, or for a snapshot where blocks are too many or pruned, and
//! going on from there. What comes back is believed for its certificate alone.

use super::{Effect, Now, ValidatorCore};
use crate::consensus::message::{ConsensusMessage, SnapshotPart};
use crate::consensus::AgreementError;
use crate::snapshot::{Manifest, Snapshot, SnapshotError};
use crate::validator::download::Progress;
use serde_bytes::ByteBuf;
use wire::party::Id;

impl ValidatorCore {
    /// How many blocks others show to have decided beyond ours.
    pub fn lag(&self) -> u64 {
        self.catch_up.known().saturating_sub(self.tip.height)
    }

    /// Asks another validator for what is missing.
    pub(super) fn ask(&mut self, of: Id) {
        let heights = (self.tip.height, self.catch_up.known());
        let others = self.rules.verifier.validators().len();
        self.asked = Some(of.clone());
        let message = match self.download.question(heights, others) {
            Some(part) => ConsensusMessage::SnapshotRequest { part, of },
            None => ConsensusMessage::Request { height: self.tip.height + 1, of },
        };
        self.publish(&message);
    }

    /// Another validator asks for part of our newest snapshot.
    pub(super) fn snapshot_requested(&mut self, now: Now, part: SnapshotPart) {
        if self.catch_up.may_answer(now.real_ms) {
            self.effects.push(Effect::SendSnapshot(part));
        }
    }

    /// Decided blocks in a row. Who answered with them probably has those after them as well, and is
    /// asked on.
    pub(super) fn decided_blocks(
        &mut self,
        now: Now,
        blocks: &[ByteBuf],
        by: Option<&Id>,
    ) -> Result<(), AgreementError> {
        let before = self.tip.height;
        for bytes in blocks {
            self.decided_block(now, bytes)?;
        }
        if let Some(of) = by.filter(|_| self.tip.height > before) {
            self.ask(of.clone());
        }
        Ok(())
    }

    /// Whoever was asked for the block after ours keeps none older than `lowest`, and has one at `tip`.
    pub(super) fn pruned(&mut self, now: Now, (lowest, tip): (u64, u64), by: Option<&Id>) {
        let useless = lowest <= self.tip.height + 1 || tip < lowest;
        let Some(of) = by.filter(|_| !useless && !self.download.is_running()) else { return };
        self.catch_up.decided_elsewhere(tip, self.tip.height, now.real_ms);
        self.download.pruned(self.tip.height);
        self.ask(of.clone());
    }

    /// A snapshot's manifest, taken from whoever was asked alone: nobody can push a false one forward.
    pub(super) fn manifest_offered(&mut self, bytes: &[u8], by: Option<&Id>) {
        let Some(of) = by.filter(|by| self.asked.as_ref() == Some(*by) && self.download.wants_manifest())
        else {
            return;
        };
        let manifest = Manifest::decode(bytes).and_then(|manifest| {
            manifest.check_votes(&self.rules.verifier)?;
            Ok(manifest)
        });
        match manifest {
            Ok(manifest) => {
                if self.download.offered(manifest) {
                    self.ask(of.clone());
                }
            }
            Err(error) => self.note("bad-snapshot", format!("a snapshot of validator {of}: {error}")),
        }
    }

    /// A snapshot's chunk. With the last one, we go on from the snapshot.
    pub(super) fn snapshot_chunk(
        &mut self,
        now: Now,
        at: (u64, u32),
        chunk: &[u8],
        by: Option<&Id>,
    ) -> Result<(), AgreementError> {
        let progress = self.download.chunk(at, chunk);
        let whole = match progress {
            Ok(Progress::None) => return Ok(()),
            Ok(Progress::More) => None,
            Ok(Progress::Whole(manifest, encoded)) => Some(self.snapshot(*manifest, &encoded)),
            Err(error) => Some(Err(error)),
        };
        match whole {
            None => {}
            Some(Ok(snapshot)) => self.install(now, snapshot)?,
            Some(Err(error)) => {
                self.note("bad-snapshot", format!("a snapshot of block {}: {error}", at.0));
                return Ok(());
            }
        }
        if let Some(of) = by {
            self.ask(of.clone());
        }
        Ok(())
    }

    fn snapshot(&self, manifest: Manifest, encoded: &[u8]) -> Result<Snapshot, SnapshotError> {
        let snapshot = manifest.join(encoded)?;
        snapshot.check_votes(&self.rules.verifier)?;
        Ok(snapshot)
    }

    /// Goes on from a snapshot that holds, as if every block up to it had been decided here.
    fn install(&mut self, now: Now, snapshot: Snapshot) -> Result<(), AgreementError> {
        let height = snapshot.header.height;
        if height <= self.tip.height {
            return Ok(());
        }
        let chain = match snapshot.clone().chain(&self.rules) {
            Ok(chain) => chain,
            Err(error) => {
                self.note("bad-snapshot", format!("a snapshot of block {height}: {error}"));
                return Ok(());
            }
        };
        self.end_height(now)?;
        self.effects.push(Effect::Install(Box::new(snapshot)));
        self.note("snapshot", format!("went on from a snapshot of block {height}, from {}", self.tip.height));
        (self.tip, self.state, self.rules) = (chain.tip, chain.state, chain.rules);
        self.begin_anew(now);
        self.go_on(now)
    }
}
