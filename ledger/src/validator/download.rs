//! Fetching a snapshot from others, part by part, where blocks would take too long or nobody has them
//! any more. What comes back is checked against the manifest's hashes at once; the manifest itself, and
//! the state that comes of it, is believed for the votes for its block.

use crate::consensus::message::SnapshotPart;
use crate::snapshot::{Manifest, SnapshotError};

/// So many heights behind, a snapshot is quicker than blocks.
const FAR_BEHIND: u64 = 1_000;
/// Questions in a row that may remain without an answer that helps, for each other validator.
const PATIENCE: usize = 3;

/// What a chunk brought.
#[derive(Debug)]
pub enum Progress {
    /// Nothing: it was not asked for, or came before.
    None,
    /// One chunk; more are missing.
    More,
    /// The last one: the manifest, and the state's whole encoding.
    Whole(Box<Manifest>, Vec<u8>),
}

/// What is being fetched.
#[derive(Debug, Default)]
pub struct Download {
    stage: Stage,
    /// Questions asked since something came that helped.
    in_vain: usize,
    /// No snapshot is wanted for being far behind before this height: nobody had one.
    not_before: u64,
}

#[derive(Debug, Default)]
enum Stage {
    /// Nothing: blocks do.
    #[default]
    Idle,
    /// A manifest of a snapshot above this height.
    Manifest { above: u64 },
    /// The chunks of this snapshot.
    Chunks { manifest: Box<Manifest>, encoded: Vec<u8>, next: u32 },
}

impl Download {
    /// Whoever was asked for the block after `tip` keeps none so old.
    pub fn pruned(&mut self, tip: u64) {
        if matches!(self.stage, Stage::Idle) {
            self.begin(tip);
        }
    }

    /// What to ask the next of so many others for, while our last block is `tip` and that at `known` is
    /// decided; nothing where the block after ours is what to ask for.
    pub fn question(&mut self, (tip, known): (u64, u64), others: usize) -> Option<SnapshotPart> {
        let far = tip.saturating_add(FAR_BEHIND);
        if matches!(self.stage, Stage::Idle) && known > far && tip >= self.not_before {
            self.begin(tip.saturating_add(FAR_BEHIND / 2));
        }
        if self.in_vain > others.saturating_mul(PATIENCE) {
            // A snapshot that nobody has to its end, or none at all.
            *self = Self { not_before: far, ..Self::default() };
        }
        self.in_vain += 1;
        match &self.stage {
            Stage::Idle => {
                self.in_vain = 0;
                None
            }
            Stage::Manifest { .. } => Some(SnapshotPart::Manifest),
            Stage::Chunks { manifest, next, .. } => {
                Some(SnapshotPart::Chunk { height: manifest.height(), index: *next })
            }
        }
    }

    /// A manifest came whose votes hold as far as they can be checked. Whether it is one to go on with.
    pub fn offered(&mut self, manifest: Manifest) -> bool {
        match self.stage {
            Stage::Manifest { above } if manifest.height() > above => {
                let manifest = Box::new(manifest);
                self.stage = Stage::Chunks { manifest, encoded: Vec::new(), next: 0 };
                self.in_vain = 0;
                true
            }
            _ => false,
        }
    }

    /// A chunk came.
    ///
    /// # Errors
    /// Where it is not the chunk that the manifest names.
    pub fn chunk(&mut self, (height, index): (u64, u32), chunk: &[u8]) -> Result<Progress, SnapshotError> {
        let Stage::Chunks { manifest, encoded, next } = &mut self.stage else { return Ok(Progress::None) };
        if (manifest.height(), *next) != (height, index) {
            return Ok(Progress::None);
        }
        manifest.check_chunk(index as usize, chunk)?;
        encoded.extend(chunk);
        *next += 1;
        self.in_vain = 0;
        if (*next as usize) < manifest.chunks.len() {
            return Ok(Progress::More);
        }
        match std::mem::take(&mut self.stage) {
            Stage::Chunks { manifest, encoded, .. } => Ok(Progress::Whole(manifest, encoded)),
            Stage::Idle | Stage::Manifest { .. } => Ok(Progress::None),
        }
    }

    /// Whether a manifest is waited for.
    pub fn wants_manifest(&self) -> bool {
        matches!(self.stage, Stage::Manifest { .. })
    }

    /// Whether a snapshot is being fetched.
    pub fn is_running(&self) -> bool {
        !matches!(self.stage, Stage::Idle)
    }

    /// Our last block is `tip` now: a snapshot no newer is worth nothing any more.
    pub fn reached(&mut self, tip: u64) {
        let overtaken = match &self.stage {
            Stage::Idle => false,
            Stage::Manifest { above } => *above < tip,
            Stage::Chunks { manifest, .. } => manifest.height() <= tip,
        };
        if overtaken {
            self.stage = Stage::Idle;
            self.in_vain = 0;
        }
    }

    fn begin(&mut self, above: u64) {
        self.stage = Stage::Manifest { above };
        self.in_vain = 0;
    }
}
