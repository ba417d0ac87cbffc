//! How far other parties' clocks are from ours, as far as their messages show it. Pure: the caller reads the clock.
//!
//! A message says when it was issued. One that comes from the future shows a clock that is ahead, by that much at least.
//! One that comes late shows a clock that is behind, or a slow way: so of a party's last messages the earliest counts, and one
//! that was sent again proves nothing.

use std::collections::{BTreeMap, VecDeque};
use wire::party::PartyId;

/// Messages of a party that are looked at together.
const LAST: usize = 8;
/// Difference that is spoken of, in milliseconds: a slow way makes no more of it than this.
const NOTABLE_MS: i64 = 2_000;

/// By how much a message may have been issued before or after it came and still bear out our clock, in milliseconds.
pub const AGREES_MS: i64 = 5_000;

/// What other parties' last signed messages make of our clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// Parties by whose messages it is right to [`AGREES_MS`].
    pub agree: usize,
    /// Parties whose messages come from its future by more: by them it is behind. What comes late proves nothing, as it may
    /// have been sent again.
    pub ahead: usize,
}

/// A party's clock, when something is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skew {
    /// Whose.
    pub party: PartyId,
    /// How far it is ahead, in milliseconds; negative where it is behind.
    pub ahead_ms: i64,
}

/// What was seen of others' clocks. Its size is bounded by the registry: senders must be verified.
#[derive(Debug, Default)]
pub struct Skews {
    peers: BTreeMap<PartyId, Peer>,
    clocks: Clocks,
}

#[derive(Debug, Default)]
struct Peer {
    /// By how much each message was issued after it came; as a rule negative.
    last: VecDeque<i64>,
    /// What was said of it last, in milliseconds; 0 for nothing, or that all is well.
    said: i64,
}

impl Clocks {
    /// Where a party is counted whose last message was issued so long after it came.
    fn of(&mut self, ahead_ms: i64) -> Option<&mut usize> {
        match ahead_ms {
            late if late < -AGREES_MS => None,
            ahead if ahead > AGREES_MS => Some(&mut self.ahead),
            _ => Some(&mut self.agree),
        }
    }
}

impl Peer {
    /// How far its clock is ahead at least, or behind at most; nothing as long as that can't be told.
    fn ahead_ms(&self) -> Option<i64> {
        let earliest = self.last.iter().max().copied()?;
        (earliest > 0 || self.last.len() == LAST).then_some(earliest)
    }
}

impl Skews {
    /// A verified message that was not seen before, by when it was issued and when it came. Says so where the sender's clock is
    /// notably off, half as far again as was said before, or right again.
    pub fn observe(&mut self, sender: &PartyId, issued_ms: u64, now_ms: u64) -> Option<Skew> {
        if !self.peers.contains_key(sender) {
            self.peers.insert(sender.clone(), Peer::default());
        }
        let peer = self.peers.get_mut(sender)?;
        let before = peer.last.back().copied();
        if peer.last.len() == LAST {
            peer.last.pop_front();
        }
        let ahead_ms = issued_ms.cast_signed().saturating_sub(now_ms.cast_signed());
        peer.last.push_back(ahead_ms);
        if let Some(counted) = before.and_then(|before| self.clocks.of(before)) {
            *counted -= 1;
        }
        if let Some(counted) = self.clocks.of(ahead_ms) {
            *counted += 1;
        }
        let ahead_ms = peer.ahead_ms()?;
        let grown = ahead_ms.abs() >= NOTABLE_MS && ahead_ms.abs() >= peer.said.abs() + peer.said.abs() / 2;
        let well = peer.said != 0 && ahead_ms.abs() < NOTABLE_MS / 2;
        if !grown && !well {
            return None;
        }
        peer.said = if grown { ahead_ms } else { 0 };
        Some(Skew { party: sender.clone(), ahead_ms })
    }

    /// What they make of ours.
    pub fn clocks(&self) -> Clocks {
        self.clocks
    }

    /// The furthest that anybody's clock is off, in milliseconds.
    pub fn worst_ms(&self) -> i64 {
        self.peers.values().filter_map(Peer::ahead_ms).map(i64::abs).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(messages: &[(u64, u64)], expected: &[i64]) {
        let mut skews = Skews::default();
        let party: PartyId = "site/s1".parse().unwrap();
        let said = messages.iter().filter_map(|(issued, came)| skews.observe(&party, *issued, *came));
        assert_eq!(said.map(|skew| skew.ahead_ms).collect::<Vec<_>>(), expected, "{messages:?}");
    }

    #[test]
    fn a_clock_that_is_ahead_is_told_at_once_and_again_when_it_grows() {
        check(&[(1_000, 1_010), (2_000, 2_300)], &[]);
        check(&[(15_000, 10_000), (25_000, 20_000), (38_000, 30_000)], &[5_000, 8_000]);
    }

    #[test]
    fn a_clock_that_is_behind_is_told_when_no_message_of_several_came_in_time() {
        let behind: Vec<(u64, u64)> = (0..10).map(|n| (n * 1_000, n * 1_000 + 600_000)).collect();
        check(&behind, &[-600_000]);
        // One that came in time: the others were sent again.
        let again: Vec<(u64, u64)> = (1..10).map(|n| (n * 1_000, n * 1_000 + 9_000)).collect();
        check(&[&[(100, 110)][..], &again[..7]].concat(), &[]);
    }

    #[test]
    fn a_clock_that_is_right_again_is_told_once() {
        let right: Vec<(u64, u64)> = (0..12).map(|n| (100_000 + n, 100_050 + n)).collect();
        check(&[&[(5_000, 0)][..], &right].concat(), &[5_000, -50]);
    }

    #[test]
    fn each_partys_last_message_bears_our_clock_out_or_does_not() {
        let mut skews = Skews::default();
        let mut check = |site: &str, issued: u64, came: u64, expected: (usize, usize)| {
            skews.observe(&site.parse().unwrap(), issued, came);
            let Clocks { agree, ahead } = skews.clocks();
            assert_eq!((agree, ahead), expected, "{site} {issued} {came}");
        };
        check("site/s1", 100_000, 100_200, (1, 0));
        check("site/s2", 400_000, 100_300, (1, 1));
        check("site/s3", 100_000, 400_000, (1, 1));
        check("site/s1", 500_000, 101_000, (0, 2));
        check("site/s1", 500_000, 500_000, (1, 1));
        check("site/s2", 500_000, 501_000, (2, 0));
    }

    #[test]
    fn the_worst_is_of_all() {
        let mut skews = Skews::default();
        assert_eq!(skews.worst_ms(), 0);
        skews.observe(&"site/s1".parse().unwrap(), 4_000, 1_000);
        skews.observe(&"site/s2".parse().unwrap(), 9_000, 2_000);
        assert_eq!(skews.worst_ms(), 7_000);
    }
}
