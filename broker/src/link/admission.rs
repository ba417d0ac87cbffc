//! What a message from outside must be before a role sees it: cheap checks first, the signature
//! after them. The caller gives the time.

use wire::envelope::{open, Opened};
use wire::freshness;
use wire::message::MAX_ENVELOPE_BYTES;
use wire::party::{PartyId, Registry};
use wire::refusal::Refusal;
use wire::topic::{Network, Topic};

/// For whom messages are admitted, and whose.
pub(super) struct Admission<'a> {
    pub registry: &'a Registry,
    pub network: &'a Network,
    pub me: &'a PartyId,
}

impl Admission<'_> {
    /// The message, or none where it is our own or addressed to somebody else: wildcards bring such.
    pub fn admit(&self, topic: &str, bytes: &[u8], now_ms: u64) -> Result<Option<Opened>, Refusal> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(Refusal::Oversized);
        }
        let parsed: Topic = topic.parse().map_err(|_| Refusal::Misplaced)?;
        if parsed.sender == *self.me || parsed.recipient.is_some_and(|recipient| recipient != *self.me) {
            return Ok(None);
        }
        let opened = open(self.registry, self.network, topic, bytes).map_err(|e| {
            tracing::debug!(topic, error = %e, "message dropped");
            e.refusal()
        })?;
        freshness::check(now_ms, opened.issued_ms, opened.expires_ms).map_err(|e| {
            tracing::debug!(topic, error = %e, "message dropped");
            e.refusal()
        })?;
        Ok(Some(opened))
    }
}
