//! A control that lapses by itself: registers as written, in force until their reversion timer ends.

use market::interval::UnixSeconds;

/// A control with a reversion timer, in simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held<T> {
    /// The control as last written.
    pub value: T,
    /// Seconds until it lapses after the last write; zero for never.
    pub revert_s: u16,
    /// What is in force once it has lapsed; none for nothing.
    pub then: Option<T>,
    /// Since when the timer runs.
    since: UnixSeconds,
    /// Whether the control is switched on.
    enabled: bool,
}

impl<T: Copy> Held<T> {
    /// A control that is off.
    pub fn off(value: T) -> Self {
        Self { value, revert_s: 0, then: None, since: UnixSeconds(0), enabled: false }
    }

    /// Takes what was written at `now`; the timer starts again.
    pub fn write(&mut self, now: UnixSeconds, value: T, revert_s: u16, enabled: bool) {
        *self = Self { value, revert_s, since: now, enabled, ..*self };
    }

    /// What is in force at `now`; none where it is off or has lapsed.
    pub fn at(&self, now: UnixSeconds) -> Option<T> {
        match self.lapses() {
            Some(end) if end <= now => self.then,
            _ => self.enabled.then_some(self.value),
        }
    }

    /// Seconds until it lapses; zero where nothing runs.
    pub fn remaining_s(&self, now: UnixSeconds) -> i64 {
        self.lapses().map_or(0, |end| (end.0 - now.0).max(0))
    }

    /// When it lapses by itself; none where nothing runs.
    pub fn lapses(&self) -> Option<UnixSeconds> {
        (self.enabled && self.revert_s > 0).then(|| self.since.plus(i64::from(self.revert_s)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_holds_until_its_timer_ends() {
        let mut held = Held::off(40);
        assert_eq!(held.at(UnixSeconds(0)), None);
        held.write(UnixSeconds(100), 30, 60, true);
        assert_eq!(held.at(UnixSeconds(159)), Some(30));
        assert_eq!(held.at(UnixSeconds(160)), None);
        held.write(UnixSeconds(170), 20, 60, true);
        assert_eq!(held.at(UnixSeconds(229)), Some(20));
        assert_eq!(held.remaining_s(UnixSeconds(200)), 30);
        held.then = Some(5);
        assert_eq!(held.at(UnixSeconds(230)), Some(5));
        held.then = None;
        held.write(UnixSeconds(170), 20, 0, true);
        assert_eq!(held.at(UnixSeconds(1_000_000)), Some(20));
        held.write(UnixSeconds(170), 20, 0, false);
        assert_eq!(held.at(UnixSeconds(170)), None);
    }
}
