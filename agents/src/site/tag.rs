//! Tags by which answers are told apart: what was sent, and for which interval.

use market::interval::{Interval, UnixSeconds};

/// What a site says and is answered for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Bid,
    Reading,
    Setpoints,
    DayAheadBid,
}

const ALL: [About; 4] = [About::Bid, About::Reading, About::Setpoints, About::DayAheadBid];

impl About {
    /// The tag of what is said about `interval`. What is said again about it has the same.
    pub fn tag(self, interval: Interval) -> u64 {
        // Intervals start far within 62 bits of seconds; the two highest are the sign's.
        ((interval.start().0 as u64) << 2) | self as u64
    }

    /// What a tag was for.
    pub fn of(tag: u64) -> Option<(About, Interval)> {
        let about = ALL.into_iter().find(|about| *about as u64 == tag & 3)?;
        Some((about, Interval(UnixSeconds(tag as i64 >> 2))))
    }

    /// Name of the event that it was refused.
    pub fn refused(self) -> &'static str {
        match self {
            About::Bid => "bid-refused",
            About::Reading => "reading-refused",
            About::Setpoints => "setpoint-report-refused",
            About::DayAheadBid => "day-ahead-bid-refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_what_it_was_for() {
        for about in ALL {
            for start in [0, 900, 1_700_000_100, -900] {
                let interval = Interval(UnixSeconds(start));
                assert_eq!(About::of(about.tag(interval)), Some((about, interval)));
            }
        }
    }
}
