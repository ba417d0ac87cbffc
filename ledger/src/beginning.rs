//! Where an auditor begins: at the genesis, or in a pruned data folder at its oldest snapshot, which
//! is believed for the votes for its block alone. And what an auditor checks of a folder besides its
//! blocks: snapshots and write-ahead log.

use crate::block::verifier::Verifier;
use crate::block::{entries_root, DecidedBlock};
use crate::contracts::rules::Rules;
use crate::execute::{ExecuteError, Tip};
use crate::genesis::Genesis;
use crate::governed::succession::Lineage;
use crate::state::State;
use crate::store::log::{segments, LogReader};
use crate::store::snapshots::{read_snapshot, snapshot_path, snapshots};
use crate::store::wal::check_wal;
use crate::store::{Chain, StoreError};
use crate::verify::{next_block, VerifyError};
use std::path::Path;
use std::sync::Arc;

/// The chain that verification begins with, and the log from the block after it on.
pub(crate) struct Beginning {
    pub chain: Chain,
    /// Who decided on the blocks before, as far as it is known.
    pub lineage: Lineage,
    /// None where there is no log.
    pub log: Option<LogReader>,
}

impl Beginning {
    /// Finds it in a data folder. Blocks older than its state can't be executed; they are checked to
    /// lead up to it.
    pub fn of(folder: &Path, genesis: &Genesis) -> Result<Self, VerifyError> {
        let rules = Arc::new(Rules::new(genesis)?);
        let kept = segments(folder)?;
        let oldest = snapshots(folder)?.first().copied();
        let mut lineage = Lineage::default();
        let chain = match (kept.first().copied(), oldest) {
            (None | Some(1), None) | (Some(1), _) => {
                let tip = Tip::genesis(*rules.verifier.ledger());
                Chain { tip, state: State::genesis(genesis)?, rules }
            }
            (Some(first), None) => {
                return Err(StoreError::NoStart { path: folder.to_owned(), first }.into());
            }
            (_, Some(height)) => {
                let snapshot = read_snapshot(folder, height, &rules.verifier)?;
                let path = snapshot_path(folder, height);
                lineage = snapshot.sound_lineage(rules.verifier.ledger(), rules.verifier.network());
                snapshot.chain(&rules).map_err(|source| StoreError::snapshot(path, source))?
            }
        };
        let mut log = LogReader::from_start(folder)?;
        if let Some(log) = &mut log {
            lead_up(folder, log, &chain.tip)?;
        }
        Ok(Self { chain, lineage, log })
    }
}

/// Reads the log up to a block, checking that each block holds its entries and follows on the one
/// before, and that the last is that block.
fn lead_up(folder: &Path, log: &mut LogReader, to: &Tip) -> Result<(), VerifyError> {
    let mut last = None;
    while log.next_height() <= to.height {
        // A snapshot was put in place of what would have followed.
        let Some((height, payload)) = next_block(folder, log)? else { return Ok(()) };
        let decided =
            DecidedBlock::decode(&payload).map_err(|source| VerifyError::Codec { height, source })?;
        let header = &decided.block.header;
        let wrong = |source| VerifyError::Execute { height, source: Box::new(source) };
        if entries_root(&decided.block.entries) != header.entries_root {
            return Err(wrong(ExecuteError::EntriesRoot { height }));
        }
        if last.is_some_and(|last| last != header.previous) {
            return Err(wrong(ExecuteError::Previous { height }));
        }
        last = Some(header.hash());
    }
    match last.is_none_or(|last| last == to.hash) {
        true => Ok(()),
        false => {
            let height = to.height;
            Err(VerifyError::Execute { height, source: Box::new(ExecuteError::Previous { height }) })
        }
    }
}

/// Checks a folder's snapshots, each against its block where that was `passed`, and the write-ahead log's
/// checksums. Returns how many snapshots there are.
pub(crate) fn check_files(folder: &Path, known: &Verifier, passed: &[Tip]) -> Result<u64, VerifyError> {
    let heights = snapshots(folder)?;
    for height in &heights {
        let snapshot = read_snapshot(folder, *height, known)?;
        let tip = passed.iter().find(|tip| tip.height == *height);
        if tip.is_some_and(|tip| tip.hash != snapshot.header.hash()) {
            return Err(VerifyError::OtherSnapshot { height: *height });
        }
    }
    check_wal(folder).map_err(StoreError::from)?;
    Ok(heights.len() as u64)
}
