//! What an aggregator's messages were about, as their tags say, so that a refusal is told of in words.

use super::core::Effects;
use crate::core::Effect;
use market::interval::Interval;
use wire::party::PartyId;

/// What a message was about; kept in its tag, and told from a refusal.
#[derive(Clone, Copy)]
pub(super) enum Said {
    BidsCommitted = 1,
    Demand = 2,
    FinalDemand = 3,
    Firm = 4,
    Delivery = 5,
    Session = 6,
    Positions = 7,
}

/// The tag of a message about an interval.
pub(super) fn tag(said: Said, interval: Interval) -> u64 {
    (interval.start().0 as u64) << 3 | said as u64
}

/// What is told of a refusal.
pub(super) fn refused(tag: u64, by: &PartyId, reason: &str) -> Effects {
    let (event, what) = match tag & 7 {
        1 => ("bids-refused", "the bids' root"),
        2 => ("demand-refused", "our demand"),
        3 => ("final-demand-refused", "our final demand"),
        4 => ("firm-refused", "its firm price"),
        6 => ("day-ahead-refused", "what we said of a session"),
        7 => ("positions-refused", "its day-ahead positions"),
        _ => ("delivery-refused", "our delivery"),
    };
    vec![Effect::Note { event, text: format!("{by} refused {what}: {reason}") }]
}
