//! Which messages among validators are worth opening, by the height they are about and the one we are at.
//! What is long decided or far off costs a glance, not a signature check; and no statement is checked twice.

use crate::consensus::concern::Concern;
use broker::link::{Screen, Word};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;
use wire::party::PartyId;
use wire::topic::Topic;

/// Heights after the last decided one whose messages are opened.
const AHEAD: u64 = 4;
/// Milliseconds after which another message of one sender far ahead of us is opened: who is behind learns of
/// it by such.
const FAR_EVERY_MS: u64 = 1_000;

/// Height of the last block decided for which a message came too late.
pub const PASSED: &str = "height-passed";
/// The message is about a height that others have not come to either, or we have not by far.
pub const FAR: &str = "height-far";

/// Heights that are of use.
#[derive(Debug)]
pub struct HeightWindow {
    /// Height of the last block decided here.
    tip: watch::Receiver<u64>,
    /// When the last message far ahead was opened, in milliseconds, by sender.
    far: Mutex<BTreeMap<PartyId, u64>>,
}

impl HeightWindow {
    /// A window that moves with the last block decided.
    pub fn new(tip: watch::Receiver<u64>) -> Self {
        Self { tip, far: Mutex::default() }
    }

    fn check(&self, sender: &PartyId, concern: Concern, now_ms: u64) -> Result<(), &'static str> {
        let tip = *self.tip.borrow();
        let (first, height) = match concern {
            // Votes for the last block may still be of use to who proposes the next.
            Concern::Statement(height) => (tip, height),
            Concern::Decided(height) => (tip + 1, height),
            Concern::Request(height) if height <= tip => return Ok(()),
            Concern::Request(_) => return Err(FAR),
        };
        if height < first {
            return Err(PASSED);
        }
        let near = height <= tip.saturating_add(AHEAD);
        (near || self.may_be_far(sender, now_ms)).then_some(()).ok_or(FAR)
    }

    fn may_be_far(&self, sender: &PartyId, now_ms: u64) -> bool {
        let mut far = self.far.lock().unwrap_or_else(PoisonError::into_inner);
        let may = far.get(sender).is_none_or(|last| now_ms.saturating_sub(*last) >= FAR_EVERY_MS);
        if may {
            far.insert(sender.clone(), now_ms);
        }
        may
    }
}

impl Screen for HeightWindow {
    /// A statement is signed by itself, and checked by whoever goes by it.
    fn look(&self, topic: &Topic, envelope: &[u8], now_ms: u64) -> Result<Word, &'static str> {
        if !matches!(topic.kind.as_str(), "consensus" | "block") {
            return Ok(Word::Envelope);
        }
        match Concern::of_envelope(envelope) {
            Some(concern) => {
                self.check(&topic.sender, concern, now_ms)?;
                let within = matches!(concern, Concern::Statement(_));
                Ok(if within { Word::Within } else { Word::Envelope })
            }
            // Decoding will say what it is.
            None => Ok(Word::Envelope),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::party::Role;

    fn window(tip: u64) -> HeightWindow {
        HeightWindow::new(watch::channel(tip).1)
    }

    fn sender(id: &str) -> PartyId {
        PartyId::new(Role::Validator, id.parse().unwrap())
    }

    fn check(concern: Concern, expected: Result<(), &'static str>) {
        let window = window(10);
        // Only one far message is opened in a while.
        assert_eq!(window.check(&sender("v1"), Concern::Statement(1_000), 0), Ok(()));
        assert_eq!(window.check(&sender("v1"), concern, 0), expected, "{concern:?}");
    }

    #[test]
    fn what_is_near_is_opened() {
        check(Concern::Statement(9), Err(PASSED));
        check(Concern::Statement(10), Ok(()));
        check(Concern::Statement(14), Ok(()));
        check(Concern::Statement(15), Err(FAR));
        check(Concern::Decided(10), Err(PASSED));
        check(Concern::Decided(11), Ok(()));
        check(Concern::Decided(15), Err(FAR));
        check(Concern::Request(1), Ok(()));
        check(Concern::Request(10), Ok(()));
        check(Concern::Request(11), Err(FAR));
        check(Concern::Statement(u64::MAX), Err(FAR));
    }

    #[test]
    fn of_what_is_far_ahead_one_of_each_sender_is_opened_now_and_then() {
        let window = window(0);
        let far = |id: &str, now_ms| window.check(&sender(id), Concern::Decided(100), now_ms);
        assert_eq!([far("v1", 5_000), far("v1", 5_999), far("v2", 5_999)], [Ok(()), Err(FAR), Ok(())]);
        assert_eq!([far("v1", 6_000), far("v1", 6_001)], [Ok(()), Err(FAR)]);
    }
}
