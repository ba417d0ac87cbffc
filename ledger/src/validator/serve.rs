//! Answers to validators that lag behind, and to those who missed a block, read from the store. Bounded: whoever wants
//! more asks again.

use crate::consensus::message::{ConsensusMessage, SnapshotPart};
use crate::rights::EntryKind;
use crate::store::{Store, StoreError};
use serde_bytes::ByteBuf;
use wire::message::{BlockQuestion, Decision};
use wire::party::PartyId;

/// Bytes of blocks in one answer; a single block may be larger.
const MAX_ANSWER_BYTES: usize = 512 << 10;

/// Blocks from a height on, or that they are pruned; nothing where there are none yet.
///
/// # Errors
/// Where the log can't be read.
pub fn blocks(store: &Store, height: u64) -> Result<Option<ConsensusMessage>, StoreError> {
    if height < store.lowest() {
        let (lowest, tip) = (store.lowest(), store.tip().height);
        return Ok(Some(ConsensusMessage::Pruned { lowest, tip }));
    }
    let blocks = store.blocks(height, MAX_ANSWER_BYTES)?;
    let blocks: Vec<ByteBuf> = blocks.into_iter().map(ByteBuf::from).collect();
    Ok((!blocks.is_empty()).then_some(ConsensusMessage::Decided(blocks)))
}

/// Part of the newest snapshot, or of the one before; nothing where there is none.
///
/// # Errors
/// Where it can't be read.
pub fn snapshot(store: &Store, part: SnapshotPart) -> Result<Option<ConsensusMessage>, StoreError> {
    match part {
        SnapshotPart::Manifest => {
            let manifest = store.manifest()?.map(|manifest| manifest.encode()).transpose()?;
            Ok(manifest.map(|bytes| ConsensusMessage::Manifest(bytes.into())))
        }
        SnapshotPart::Chunk { height, index } => {
            let chunk = store.chunk(height, index as usize)?;
            Ok(chunk.map(|bytes| ConsensusMessage::Chunk { height, index, bytes: bytes.into() }))
        }
    }
}

/// The block, encoded, in which something was decided that somebody asks about; nothing where it is not kept.
///
/// # Errors
/// Where it can't be read.
pub fn decided(
    store: &Store,
    asker: &PartyId,
    question: &BlockQuestion,
) -> Result<Option<Vec<u8>>, StoreError> {
    let kind = match question.decided {
        Decision::Clearing => EntryKind::Clearing,
        Decision::DayAhead => EntryKind::DayAhead,
        Decision::Delivery => EntryKind::Delivery,
    };
    for (height, place) in store.about(question.interval, Some(kind.word()))? {
        let by = || {
            Ok::<_, StoreError>(store.remembered(height)?.and_then(|entries| entries.into_iter().nth(place)))
        };
        if kind != EntryKind::Delivery || by()?.is_some_and(|entry| entry.submitter == *asker) {
            return store.block_encoded(height);
        }
    }
    Ok(None)
}
