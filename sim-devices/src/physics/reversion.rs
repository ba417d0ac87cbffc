//! A control that lapses by itself: registers as written, in force until their reversion timer ends.

use market::interval::UnixSeconds;

/// A control with a reversion timer, in simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held<T> {
    /// The control as last written.
    pub value: T,
    /// Seconds until it lapses after the last write; zero for never.
    pub revert_s: u16,
    /// Since when the timer runs.
    since: UnixSeconds,
    /// Whether the control is switched on.
    enabled: bool,
}

impl<T: Copy> Held<T> {
    /// A control that is off.
    pub fn off(value: T) -> Self {
        Self { value, revert_s: 0, since: UnixSeconds(0), enabled: false }
    }

    /// Takes what was written at `now`; the timer starts again.
    pub fn write(&mut self, now: UnixSeconds, value: T, revert_s: u16, enabled: bool) {
        *self = Self { value, revert_s, since: now, enabled };
    }

    /// What is in force at `now`; none where it is off or has lapsed.
    pub fn at(&self, now: UnixSeconds) -> Option<T> {
        let lapsed = self.lapses().is_some_and(|end| end <= now);
        (self.enabled && !lapsed).then_some(self.value)
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
        held.write(UnixSeconds(170), 20, 0, true);
        assert_eq!(held.at(UnixSeconds(1_000_000)), Some(20));
        held.write(UnixSeconds(170), 20, 0, false);
        assert_eq!(held.at(UnixSeconds(170)), None);
    }
}
