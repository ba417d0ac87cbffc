//! Where market time comes from, and whether a machine's clock may be believed. Decisions only: the instants themselves, and
//! what speaks for and against them, are handed in.

use broker::skew::Clocks;
use market::interval::UnixSeconds;
use wire::message::Tick;

/// There once systemd's time service has set the clock since the machine started.
pub const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

/// Where a role takes its market time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSource {
    /// Market time is UTC by this machine's clock.
    System,
    /// Market time is what the timekeeper's signed `tick` messages say, and nothing else. Until the
    /// first of them a role stands still.
    Simulated,
}

/// What is known of a machine's clock besides what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// No time before this is: the program was built then, or the last file written.
    pub floor: UnixSeconds,
    /// Whether the system says that it has set the clock since it started.
    pub synchronised: bool,
    /// What other parties' signed messages make of it.
    pub others: Clocks,
}

/// Whether a clock may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sanity {
    /// Others bear it out, or the system has set it.
    Sane,
    /// Nothing speaks against it, and nobody for it yet.
    Unconfirmed,
    /// It says a time that has been.
    BeforeFloor,
    /// By others' messages it is behind.
    Behind,
}

impl Sanity {
    /// What is to be made of a clock that says `utc`. Others' word goes before the system's: a machine that wakes from a long
    /// sleep, or was set by a false server, is told so by the market it trades in.
    pub fn of(utc: UnixSeconds, evidence: &Evidence) -> Self {
        let Clocks { agree, ahead } = evidence.others;
        match () {
            () if agree > ahead => Self::Sane,
            () if ahead > 0 => Self::Behind,
            () if utc < evidence.floor => Self::BeforeFloor,
            () if evidence.synchronised => Self::Sane,
            () => Self::Unconfirmed,
        }
    }

    /// In words, for who looks why a site does not bid.
    pub fn words(self) -> &'static str {
        match self {
            Self::Sane => "the clock is borne out",
            Self::Unconfirmed => "the clock is not confirmed: no signed message bears it out yet, and the system has not set it",
            Self::BeforeFloor => "the clock says a time before this program was built, or its data written: it is not set yet",
            Self::Behind => "the clock is behind: others' signed messages come from its future",
        }
    }
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

    /// Takes the machine's time, and what is known of it; what is to be made of it. Market time moves on by a clock that
    /// nothing speaks against.
    pub(crate) fn system_says(&mut self, utc: UnixSeconds, evidence: &Evidence) -> Sanity {
        if self.source == ClockSource::Simulated {
            return Sanity::Sane;
        }
        let sanity = Sanity::of(utc, evidence);
        if matches!(sanity, Sanity::Sane | Sanity::Unconfirmed) {
            self.advance(utc);
        }
        sanity
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
            clock.system_says(UnixSeconds(*utc), &Evidence::default());
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

    fn judged(utc: i64, synchronised: bool, agree: usize, ahead: usize) -> Sanity {
        let evidence = Evidence { floor: UnixSeconds(1_000), synchronised, others: Clocks { agree, ahead } };
        Sanity::of(UnixSeconds(utc), &evidence)
    }

    #[test]
    fn a_clock_is_believed_when_others_or_the_system_bear_it_out() {
        assert_eq!(judged(2_000, false, 0, 0), Sanity::Unconfirmed);
        assert_eq!(judged(2_000, true, 0, 0), Sanity::Sane);
        assert_eq!(judged(2_000, false, 1, 0), Sanity::Sane);
        assert_eq!(judged(999, false, 0, 0), Sanity::BeforeFloor);
        assert_eq!(judged(999, true, 0, 0), Sanity::BeforeFloor);
        // One liar does not stop a site that two others bear out, and one that agrees with a liar is not enough.
        assert_eq!(judged(2_000, true, 2, 1), Sanity::Sane);
        assert_eq!(judged(2_000, true, 1, 1), Sanity::Behind);
        assert_eq!(judged(2_000, true, 0, 3), Sanity::Behind);
        // A file from the future, written while the clock was wrong, does not stop it for ever.
        assert_eq!(judged(999, false, 2, 0), Sanity::Sane);
    }

    #[test]
    fn market_time_does_not_begin_by_a_clock_that_cannot_be() {
        let mut clock = MarketClock::new(ClockSource::System);
        let evidence = Evidence { floor: UnixSeconds(1_000), ..Evidence::default() };
        assert_eq!(clock.system_says(UnixSeconds(10), &evidence), Sanity::BeforeFloor);
        assert_eq!(clock.now(), None);
        assert_eq!(clock.system_says(UnixSeconds(1_000), &evidence), Sanity::Unconfirmed);
        assert_eq!(clock.now(), Some(UnixSeconds(1_000)));
    }
}
