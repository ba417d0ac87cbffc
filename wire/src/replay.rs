//! Which of a sender's messages were seen already.
//!
//! After RFC 4303 section 3.4.3, with one difference. There one receiver sees every number of one
//! sender, and a window of the last N numbers does. Here a sender counts through all it says to
//! anyone, and a receiver sees a few of these numbers, in any order when some are sent again. So
//! what was seen is kept as ranges (as QUIC does for its acknowledgements, RFC 9000 section 13.2.3)
//! and the window is the last [`MAX_RANGES`] of them, however far apart.
//!
//! A party may speak twice at once: by the process that stays, and by a command that its operator runs meanwhile.
//! Each counts for itself, or the command, which starts later, would make the process's messages replays.

use std::collections::BTreeMap;

/// Most separate ranges of numbers remembered of one sender.
pub const MAX_RANGES: usize = 1_024;

/// This bit is set in the boots of commands run for a party, and in no other's.
pub const COMMAND: u64 = 1 << 63;

/// What a message's number says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Not seen before.
    New,
    /// Seen before in the sender's current boot: sent again, or delivered twice.
    Duplicate,
    /// By an earlier boot, or older than anything remembered: it cannot be told apart from a replay.
    Replayed,
}

/// What was seen of one sender.
///
/// A receiver that starts anew remembers nothing; until then unexpired messages could be replayed
/// to it once, and what they ask is idempotent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayWindow {
    process: Window,
    commands: Window,
}

/// The same of its process, or of its commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Window {
    boot: Option<u64>,
    /// Numbers below this are too old to be told apart.
    floor: u64,
    /// First and last number of each range seen; ranges neither touch nor overlap.
    ranges: BTreeMap<u64, u64>,
}

impl ReplayWindow {
    /// A window that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the message with this boot and sequence number is, and remembers it if it is new.
    pub fn observe(&mut self, boot: u64, sequence: u64) -> Seen {
        let window = if boot & COMMAND == 0 { &mut self.process } else { &mut self.commands };
        window.observe(boot, sequence)
    }
}

impl Window {
    fn observe(&mut self, boot: u64, sequence: u64) -> Seen {
        match self.boot {
            Some(current) if boot < current => return Seen::Replayed,
            Some(current) if boot == current => {}
            _ => *self = Self { boot: Some(boot), ..Self::default() },
        }
        let below = self.ranges.range(..=sequence).next_back().map(|(first, last)| (*first, *last));
        if below.is_some_and(|(_, last)| sequence <= last) {
            return Seen::Duplicate;
        }
        if sequence < self.floor {
            return Seen::Replayed;
        }
        self.insert(below, sequence);
        self.forget_oldest();
        Seen::New
    }

    fn insert(&mut self, below: Option<(u64, u64)>, sequence: u64) {
        let first = match below {
            Some((first, last)) if last.checked_add(1) == Some(sequence) => first,
            _ => sequence,
        };
        let above = sequence.checked_add(1).and_then(|next| self.ranges.remove(&next));
        self.ranges.insert(first, above.unwrap_or(sequence));
    }

    fn forget_oldest(&mut self) {
        if self.ranges.len() > MAX_RANGES {
            if let Some((_, last)) = self.ranges.pop_first() {
                self.floor = last.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use Seen::{Duplicate, New, Replayed};

    fn check(messages: &[(u64, u64, Seen)]) {
        let mut window = ReplayWindow::new();
        for (boot, sequence, expected) in messages {
            assert_eq!(window.observe(*boot, *sequence), *expected, "boot {boot}, sequence {sequence}");
        }
    }

    #[test]
    fn each_number_is_new_once_in_any_order() {
        check(&[(7, 1, New), (7, 3, New), (7, 2, New), (7, 2, Duplicate), (7, 3, Duplicate)]);
        check(&[(7, 900_000, New), (7, 5, New), (7, u64::MAX, New), (7, u64::MAX, Duplicate), (7, 0, New)]);
    }

    #[test]
    fn a_new_boot_starts_over_and_an_old_one_is_replayed() {
        check(&[(7, 9, New), (8, 9, New), (7, 10, Replayed), (8, 9, Duplicate), (8, 1, New)]);
    }

    #[test]
    fn a_command_leaves_the_process_its_voice() {
        check(&[(7, 1, New), (8 | COMMAND, 1, New), (7, 2, New), (7, 1, Duplicate), (6, 3, Replayed)]);
        check(&[(9 | COMMAND, 1, New), (8 | COMMAND, 2, Replayed), (7, 1, New)]);
    }

    #[test]
    fn what_lies_below_all_that_is_remembered_is_replayed() {
        let mut window = ReplayWindow::new();
        for n in 0..=MAX_RANGES as u64 {
            assert_eq!(window.observe(1, 10 + 2 * n), New);
        }
        assert_eq!(window.observe(1, 10), Replayed);
        assert_eq!(window.observe(1, 9), Replayed);
        assert_eq!(window.observe(1, 11), New);
        assert_eq!(window.observe(1, 12), Duplicate);
    }

    proptest! {
        #[test]
        fn nothing_is_new_twice_and_within_the_window_all_agrees_with_a_set(
            sequences in prop::collection::vec(0u64..2_000, 1..800),
        ) {
            let mut window = ReplayWindow::new();
            let mut seen = BTreeSet::new();
            for sequence in sequences {
                let expected = if seen.insert(sequence) { New } else { Duplicate };
                prop_assert_eq!(window.observe(3, sequence), expected);
            }
        }
    }
}
