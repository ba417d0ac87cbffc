//! How many bytes one connection holds that its broker has not confirmed: a broker that takes nothing
//! must not fill our memory, whatever the number of messages.

use super::session::MAX_PACKET_BYTES;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most bytes unconfirmed on one connection.
const MOST_BYTES: usize = 8 * MAX_PACKET_BYTES;

/// What one connection holds. Shared by who hands messages to the client and who polls it.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    /// Sizes of messages handed to the client, which sends them in order.
    handed: VecDeque<usize>,
    /// Sizes of those on their way, by MQTT's packet identifier.
    sent: HashMap<u16, usize>,
}

impl Ahead {
    /// Hands over a message of `bytes` by `give`, where there is room for it; whether it was taken.
    pub fn hand(&self, bytes: usize, give: impl FnOnce() -> bool) -> bool {
        // Held until the size is noted: the client may send at once.
        let mut held = self.lock();
        let taken = held.bytes + bytes <= MOST_BYTES && give();
        if taken {
            held.bytes += bytes;
            held.handed.push_back(bytes);
        }
        taken
    }

    /// The client sends the next message under this identifier.
    pub fn sends(&self, packet: u16) {
        let mut held = self.lock();
        if let Some(bytes) = held.handed.pop_front() {
            // An identifier in use still means that its message was never confirmed.
            let unconfirmed = held.sent.insert(packet, bytes).unwrap_or(0);
            held.bytes -= unconfirmed;
        }
    }

    /// The broker has the message with this identifier.
    pub fn confirmed(&self, packet: u16) {
        let mut held = self.lock();
        let bytes = held.sent.remove(&packet).unwrap_or(0);
        held.bytes -= bytes;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back_when_the_broker_confirms() {
        let ahead = Ahead::default();
        let half = MOST_BYTES / 2;
        assert!(ahead.hand(half, || true) && ahead.hand(half, || true));
        assert!(!ahead.hand(1, || true));
        ahead.sends(1);
        ahead.confirmed(7);
        assert!(!ahead.hand(1, || true));
        ahead.confirmed(1);
        assert!(!ahead.hand(half, || false));
        assert!(ahead.hand(half, || true));
        assert!(!ahead.hand(1, || true));
    }
}
