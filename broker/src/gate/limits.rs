//! What a client may cost, and all of them together; how long and deep a topic may be stands in
//! [`super::topic`]. Pure data.

use crate::rate::Rate;
use std::time::Duration;

/// Bounds of a gate. Whatever is beyond one is refused, and delays nobody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Clients at a time.
    pub clients: usize,
    /// Connections at a time that have not said who they are. One more pushes out the oldest.
    pub newcomers: usize,
    /// Time for a connection to say who it is.
    pub introduction: Duration,
    /// Bytes of a CONNECT.
    pub connect_bytes: usize,
    /// Bytes of any other packet.
    pub packet_bytes: usize,
    /// Filters a client may have at a time.
    pub subscriptions: usize,
    /// Messages on their way to a client that it has not acknowledged.
    pub unacknowledged: usize,
    /// Bytes that wait to be written to a client, one packet more at most.
    pub waiting_bytes: usize,
    /// A client's messages that the router has not taken yet.
    pub untaken: usize,
    /// Messages that one who has proven who it is may publish; more wait in its own socket.
    pub messages: Rate,
    /// Connections of one who has proven who it is; more are closed.
    pub connects: Rate,
    /// Longest time for a client to take nothing of what waits for it.
    pub stall: Duration,
    /// Different filters, of all clients and since the start: the router keeps a log for each.
    pub filters: usize,
    /// Different topics, of all clients and since the start: the router keeps each.
    pub topics: usize,
    /// Messages kept for later subscribers.
    pub retained: usize,
    /// Bytes of them.
    pub retained_bytes: usize,
    /// Sessions kept for clients that are away.
    pub kept_sessions: usize,
    /// How long one is kept.
    pub kept_for: Duration,
    /// Bytes of messages set aside for one; with more it is not kept, so that its client learns of the loss.
    pub kept_bytes: usize,
}

impl Limits {
    /// The usual ones, for packets of so many bytes.
    pub fn for_packets_of(packet_bytes: usize) -> Self {
        Self {
            clients: 10_000,
            newcomers: 10_000,
            introduction: Duration::from_secs(5),
            connect_bytes: 16 * 1_024,
            packet_bytes,
            subscriptions: 256,
            unacknowledged: 256,
            waiting_bytes: 64 * 1_024,
            untaken: 1_024,
            messages: Rate { per_second: 20_000, burst: 40_000 },
            connects: Rate { per_second: 10, burst: 100 },
            stall: Duration::from_secs(30),
            filters: 32_768,
            topics: 131_072,
            retained: 16_384,
            retained_bytes: 32 << 20,
            kept_sessions: 500,
            kept_for: Duration::from_secs(3_600),
            kept_bytes: 1 << 20,
        }
    }
}
