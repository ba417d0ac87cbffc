//! Where market time comes from. A decision only: the instants themselves are handed in.

use market::interval::UnixSeconds;
use wire::message::Tick;

/// Where a role takes its market time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSource {
    /// Market time is UTC by this machine's clock.
    System,
    /// Market time is what the timekeeper's signed `tick` messages say, and nothing else. Until the
    /// first of them a role stands still.
    Simulated,
}

/// Market time as one role has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MarketClock {
    source: ClockSource,
    now: Option<UnixSeconds>,
}

impl MarketClock {
    pub(crate) fn new(source: ClockSource) -> Self {
        Self { source, now: None }
    }

    /// Takes the machine's time; whether market time moved on by it.
    pub(crate) fn system_says(&mut self, utc: UnixSeconds) -> bool {
        self.source == ClockSource::System && self.advance(utc)
    }

    /// Takes the timekeeper's time; whether market time moved on by it.
    pub(crate) fn timekeeper_says(&mut self, tick: Tick) -> bool {
        self.source == ClockSource::Simulated && self.advance(tick.now)
    }

    /// Market time, once there is any.
    pub(crate) fn now(&self) -> Option<UnixSeconds> {
        self.now
    }

    /// Never backwards: a repeated tick, or a clock set back, must not reopen a closed gate.
    fn advance(&mut self, to: UnixSeconds) -> bool {
        let moves = self.now.is_none_or(|now| now < to);
        if moves {
            self.now = Some(to);
        }
        moves
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: ClockSource, system: &[i64], ticks: &[i64], expected: Option<i64>) {
        let mut clock = MarketClock::new(source);
        for utc in system {
            clock.system_says(UnixSeconds(*utc));
        }
        for now in ticks {
            clock.timekeeper_says(Tick { now: UnixSeconds(*now) });
        }
        assert_eq!(clock.now(), expected.map(UnixSeconds));
    }

    #[test]
    fn each_source_is_the_only_one_and_never_goes_back() {
        check(ClockSource::System, &[10, 12, 11], &[99], Some(12));
        check(ClockSource::Simulated, &[99], &[5, 7, 6], Some(7));
        check(ClockSource::Simulated, &[99], &[], None);
    }
}
