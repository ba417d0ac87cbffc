//! Performing what a core asks, in its order: what must be durable is durable before anybody hears of
//! what depends on it, and where that fails nothing more is done. The actor's disk and link, and a
//! simulation's, are hands.

use super::core::{Effect, Event};
use crate::block::DecidedBlock;
use crate::consensus::message::ConsensusMessage;
use crate::state::State;
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
    /// Makes a decided block durable, with the state after it.
    ///
    /// # Errors
    /// Where it can't.
    fn commit(&mut self, decided: &DecidedBlock, state: &mut State) -> Result<(), String>;
    /// Empties the write-ahead log.
    ///
    /// # Errors
    /// Where it can't.
    fn clear_records(&mut self) -> Result<(), String>;
    /// The decided block at a height, where there is one.
    ///
    /// # Errors
    /// Where it can't be read.
    fn decided(&mut self, height: u64) -> Result<Option<DecidedBlock>, String>;
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
        Effect::Commit { decided, mut state } => {
            hands.commit(&decided, &mut state)?;
            hands.clear_records()?;
        }
        Effect::Announce(bytes) => hands.announce(bytes),
        Effect::SendDecided { height } => {
            if let Some(decided) = hands.decided(height)? {
                let bytes = decided.encode().map_err(|e| e.to_string())?;
                let answer = ConsensusMessage::Decided(bytes.into());
                hands.publish(answer.encode().map_err(|e| e.to_string())?);
            }
        }
        Effect::Submit(entry) => return Ok(hands.submit(*entry)),
        other => hands.report(other),
    }
    Ok(None)
}
