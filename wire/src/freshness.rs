//! Whether a message's time of issue and expiry hold against a wall clock that the caller reads.

use crate::refusal::Refusal;
use thiserror::Error;

/// How far the sender's clock may be ahead of ours.
pub const MAX_SKEW_MS: u64 = 30_000;
/// Longest time from issue to expiry: a forward bid stands for a day at most.
pub const MAX_VALIDITY_MS: u64 = 86_400_000;

/// Why a message's times do not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FreshnessError {
    /// Past its expiry.
    #[error("the message expired {late_ms} ms ago")]
    Expired {
        /// Milliseconds since it expired.
        late_ms: u64,
    },
    /// It expires before it is issued, or is valid for longer than [`MAX_VALIDITY_MS`].
    #[error("a validity from {issued_ms} to {expires_ms} ms is none, or too long")]
    BadValidity {
        /// Time of issue, in milliseconds since 1970.
        issued_ms: u64,
        /// Expiry, in milliseconds since 1970.
        expires_ms: u64,
    },
    /// Issued more than [`MAX_SKEW_MS`] ahead of our clock.
    #[error("the message was issued {early_ms} ms in the future")]
    FromTheFuture {
        /// Milliseconds it is ahead.
        early_ms: u64,
    },
}

impl FreshnessError {
    /// The reason to count it under.
    pub fn refusal(&self) -> Refusal {
        match self {
            FreshnessError::Expired { .. } | FreshnessError::BadValidity { .. } => Refusal::Stale,
            FreshnessError::FromTheFuture { .. } => Refusal::FromTheFuture,
        }
    }
}

/// Checks a message's times, all in milliseconds since 1970 by wall clock, against `now_ms`.
///
/// # Errors
/// Names which time does not hold, and by how much.
pub fn check(now_ms: u64, issued_ms: u64, expires_ms: u64) -> Result<(), FreshnessError> {
    if expires_ms <= issued_ms || expires_ms - issued_ms > MAX_VALIDITY_MS {
        return Err(FreshnessError::BadValidity { issued_ms, expires_ms });
    }
    if now_ms >= expires_ms {
        return Err(FreshnessError::Expired { late_ms: now_ms - expires_ms });
    }
    if issued_ms > now_ms.saturating_add(MAX_SKEW_MS) {
        return Err(FreshnessError::FromTheFuture { early_ms: issued_ms - now_ms });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000_000;

    fn expect(issued_ms: u64, expires_ms: u64, expected: Option<Refusal>) {
        let refusal = super::check(NOW, issued_ms, expires_ms).err().map(|e| e.refusal());
        assert_eq!(refusal, expected, "issued {issued_ms}, expires {expires_ms}");
    }

    #[test]
    fn times_hold_within_validity_and_skew_and_not_beyond() {
        expect(NOW - 10, NOW + 1, None);
        expect(NOW - 10, NOW, Some(Refusal::Stale));
        expect(NOW + MAX_SKEW_MS, NOW + MAX_SKEW_MS + 1, None);
        expect(NOW + MAX_SKEW_MS + 1, NOW + MAX_SKEW_MS + 2, Some(Refusal::FromTheFuture));
        expect(NOW, NOW + MAX_VALIDITY_MS, None);
        expect(NOW, NOW + MAX_VALIDITY_MS + 1, Some(Refusal::Stale));
        expect(NOW + 5, NOW + 4, Some(Refusal::Stale));
        expect(u64::MAX - 1, u64::MAX, Some(Refusal::FromTheFuture));
    }
}
