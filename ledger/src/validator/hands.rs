//! Performing what a core asks, in its order: what must be durable is durable before anybody hears of
//! what depends on it, and where that fails nothing more is done. The actor's disk and link, and a
//! simulation's, are hands.

use super::core::{Effect, Event};
use crate::block::DecidedBlock;
use crate::consensus::message::{ConsensusMessage, SnapshotPart};
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::store::remembered::Remembered;
use wire::entry::Entry;

/// A disk and a network. An error means that what was promised to be durable may not be: whoever
/// meets one must stop.
pub trait Hands {
    /// Appends to the write-ahead log.
    ///
    /// # Errors
    /// Where it can't.
    fn record(&mut self, height: u64, record: &[u8]) -> Result<(), String>;
    /// Makes the write-ahead log durable.
    ///
    /// # Errors
    /// Where it can't.
    fn sync_records(&mut self) -> Result<(), String>;
    /// Makes a decided block durable, given with its encoding.
    ///
    /// # Errors
    /// Where it can't.
    fn commit(&mut self, decided: &DecidedBlock, encoded: &[u8]) -> Result<(), String>;
    /// Indexes the block made durable last with the state after it, and what its entries did.
    ///
    /// # Errors
    /// Where it can't.
    fn index(
        &mut self,
        decided: &DecidedBlock,
        state: &mut State,
        remembered: &Remembered,
    ) -> Result<(), String>;
    /// Empties the write-ahead log.
    ///
    /// # Errors
    /// Where it can't.
    fn clear_records(&mut self) -> Result<(), String>;
    /// Puts a snapshot in the place of everything before it.
    ///
    /// # Errors
    /// Where it can't.
    fn install(&mut self, snapshot: &Snapshot) -> Result<(), String>;
    /// Decided blocks from a height on, as an answer to who lags behind.
    ///
    /// # Errors
    /// Where they can't be read.
    fn blocks(&mut self, height: u64) -> Result<Option<ConsensusMessage>, String>;
    /// Part of a snapshot, likewise; where it can't be read, others have theirs.
    fn snapshot(&mut self, part: SnapshotPart) -> Option<ConsensusMessage>;
    /// Tells every validator.
    fn publish(&mut self, message: Vec<u8>);
    /// Tells everyone of a decided block.
    fn announce(&mut self, decided: Vec<u8>);
    /// Signs and submits an entry of the validator's own, which the core is told of in turn.
    fn submit(&mut self, entry: Entry) -> Option<Event>;
    /// Answers, counts and logs: what nothing depends on.
    fn report(&mut self, effect: Effect);
}

/// Performs one effect. What the core must be told in turn comes back.
///
/// # Errors
/// Where something that must be durable may not be.
pub fn perform(hands: &mut impl Hands, effect: Effect) -> Result<Option<Event>, String> {
    match effect {
        Effect::Record { height, bytes } => hands.record(height, &bytes)?,
        Effect::Publish(bytes) => {
            hands.sync_records()?;
            hands.publish(bytes);
        }
        Effect::Commit { decided, bytes } => {
            hands.commit(&decided, &bytes)?;
            hands.clear_records()?;
        }
        Effect::Index { decided, mut state, remembered } => hands.index(&decided, &mut state, &remembered)?,
        Effect::Announce(bytes) => hands.announce(bytes),
        Effect::SendDecided { height } => {
            let answer = hands.blocks(height)?;
            publish_answer(hands, answer)?;
        }
        Effect::SendSnapshot(part) => {
            let answer = hands.snapshot(part);
            publish_answer(hands, answer)?;
        }
        Effect::Install(snapshot) => {
            hands.install(&snapshot)?;
            hands.clear_records()?;
        }
        Effect::Submit(entry) => return Ok(hands.submit(*entry)),
        other => hands.report(other),
    }
    Ok(None)
}

fn publish_answer(hands: &mut impl Hands, answer: Option<ConsensusMessage>) -> Result<(), String> {
    let Some(answer) = answer else { return Ok(()) };
    hands.publish(answer.encode().map_err(|e| e.to_string())?);
    Ok(())
}
