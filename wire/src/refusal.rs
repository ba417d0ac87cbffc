//! Why a message from outside is dropped: a small fixed set, so that it can label a metric.

/// One reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Not a COSE_Sign1 envelope in deterministic CBOR around a message within its bounds.
    Malformed,
    /// More bytes than an envelope may have.
    Oversized,
    /// No signature, or none by an algorithm accepted.
    Unsigned,
    /// A signature that does not hold for these bytes on this topic.
    BadSignature,
    /// No participant of the registry, or not with this key.
    UnknownSender,
    /// Rightly signed, and on a topic where it has no business.
    Misplaced,
    /// Past its expiry, or valid for longer than any message may be.
    Stale,
    /// Issued further in the future than clocks may differ.
    FromTheFuture,
    /// By an earlier boot of its sender, or too far behind what was seen of it.
    Replayed,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Refusal; 9] = [
        Refusal::Malformed,
        Refusal::Oversized,
        Refusal::Unsigned,
        Refusal::BadSignature,
        Refusal::UnknownSender,
        Refusal::Misplaced,
        Refusal::Stale,
        Refusal::FromTheFuture,
        Refusal::Replayed,
    ];

    /// The reason's word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Refusal::Malformed => "malformed",
            Refusal::Oversized => "oversized",
            Refusal::Unsigned => "unsigned",
            Refusal::BadSignature => "bad-signature",
            Refusal::UnknownSender => "unknown-sender",
            Refusal::Misplaced => "misplaced",
            Refusal::Stale => "stale",
            Refusal::FromTheFuture => "from-the-future",
            Refusal::Replayed => "replayed",
        }
    }
}
