//! Messages that were taken in already, by the signature at their end: the same bytes come by several
//! connections, and again while they are not answered. Pure.
//!
//! Bytes that end in a known signature and differ elsewhere are taken for the message that had it first,
//! so that they are at most answered as that was. Nothing is ever delivered for being known.

use std::collections::{HashMap, VecDeque};
use wire::message::MessageRef;

/// Bytes of an Ed25519 signature, with which every envelope ends.
const SIGNATURE_BYTES: usize = 64;

type Signature = [u8; SIGNATURE_BYTES];

/// The last messages taken in.
#[derive(Debug)]
pub(super) struct Known {
    names: HashMap<Signature, MessageRef>,
    /// Oldest first.
    order: VecDeque<Signature>,
    capacity: usize,
}

impl Known {
    /// Remembers the last `capacity` messages.
    pub fn new(capacity: usize) -> Self {
        Self { names: HashMap::new(), order: VecDeque::new(), capacity }
    }

    /// The name of the message with this envelope, where it was taken in lately.
    pub fn name(&self, envelope: &[u8]) -> Option<&MessageRef> {
        self.names.get(envelope.last_chunk::<SIGNATURE_BYTES>()?)
    }

    /// Remembers a message whose signature holds.
    pub fn remember(&mut self, envelope: &[u8], name: MessageRef) {
        let Some(signature) = envelope.last_chunk::<SIGNATURE_BYTES>() else { return };
        if self.names.insert(*signature, name).is_some() {
            return;
        }
        self.order.push_back(*signature);
        if self.order.len() > self.capacity {
            if let Some(oldest) = self.order.pop_front() {
                self.names.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::party::{PartyId, Role};

    fn name(sequence: u64) -> MessageRef {
        let sender = PartyId::new(Role::Site, "s1".parse().unwrap());
        MessageRef { sender, boot: 1, sequence }
    }

    #[test]
    fn the_last_messages_are_known_by_their_last_bytes() {
        let envelope = |byte: u8| [&[1, 2, 3][..], &[byte; SIGNATURE_BYTES]].concat();
        let mut known = Known::new(2);
        for byte in 1..=3 {
            known.remember(&envelope(byte), name(byte.into()));
        }
        assert_eq!(known.name(&envelope(1)), None);
        assert_eq!(known.name(&envelope(3)), Some(&name(3)));
        assert_eq!(known.name(&[3; SIGNATURE_BYTES]), Some(&name(3)));
        assert_eq!(known.name(&[3; SIGNATURE_BYTES - 1]), None);
    }
}
