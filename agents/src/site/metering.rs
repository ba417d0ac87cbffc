//! From a meter's counters at interval boundaries to signed readings, kept until they are acknowledged.

use super::journal::Journal;
use hw_adapters::device::MeterState;
use market::interval::Interval;
use market::units::{Millijoule, POWER_BOUND};
use std::collections::VecDeque;
use thiserror::Error;
use wire::message::MeterReading;

/// Most readings kept unacknowledged: a week of quarter hours.
pub const MAX_UNCONFIRMED: usize = 672;
/// Most readings on their way at once, where the one before them was acknowledged; else one, so that they go in order.
pub const MOST_SENT: usize = 8;
/// Real time after which a reading nobody acknowledged is sent anew: until then the link repeats it, and then no more.
pub const RESEND_AFTER_MS: u64 = 15 * 60 * 1_000 + 5_000;

/// Why an interval has no reading.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadingError {
    /// The counters at the interval's start were not read.
    #[error("the counters at the start of {interval} were not read")]
    NoStart {
        /// The interval.
        interval: Interval,
    },
    /// A counter ran backwards: the meter was reset or replaced.
    #[error("a counter ran backwards over {interval}")]
    Backwards {
        /// The interval.
        interval: Interval,
    },
    /// More energy than the market believes anyone can move.
    #[error("the counters moved beyond belief over {interval}")]
    Unbelievable {
        /// The interval.
        interval: Interval,
    },
}

/// Counters at the last boundary, and the readings nobody has acknowledged yet, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metering {
    counters: Option<(Interval, MeterState)>,
    unconfirmed: VecDeque<Unconfirmed>,
    /// Whether the last that was sent was acknowledged.
    flowing: bool,
    last: Option<MeterReading>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unconfirmed {
    reading: MeterReading,
    /// When it was last sent; never, where it was not.
    sent_ms: Option<u64>,
    /// Whether the clock it was made by is still to be borne out: until then it is not sent.
    open: bool,
    /// Whether it is on the disk: before that it is not sent.
    saved: bool,
}

impl Metering {
    /// What was kept before a restart: readings nobody acknowledged, and the last counters.
    pub fn restored(journal: &Journal) -> Self {
        let waiting = journal.waiting().iter().map(|reading| Unconfirmed {
            reading: *reading,
            sent_ms: None,
            open: false,
            saved: true,
        });
        Self { counters: journal.counters(), unconfirmed: waiting.collect(), flowing: false, last: None }
    }

    /// Takes the counters at the start of `boundary`, and gives the reading of the interval that ended there. It waits until
    /// it is due; where its clock is `open` to doubt, until that is settled. Of too many unacknowledged readings the oldest is
    /// dropped, and given back.
    ///
    /// # Errors
    /// Why that interval has no reading; the next one will have, as `boundary`'s counters are kept.
    pub fn counted(
        &mut self,
        boundary: Interval,
        counters: MeterState,
        interval_s: i64,
        open: bool,
    ) -> Result<(MeterReading, Option<MeterReading>), ReadingError> {
        let interval = boundary.later(-1, interval_s);
        let before = self.counters.replace((boundary, counters));
        let Some((_, start)) = before.filter(|(at, _)| *at == interval) else {
            return Err(ReadingError::NoStart { interval });
        };
        let energy = net_energy(start, counters).ok_or(ReadingError::Backwards { interval })?;
        if i128::from(energy.0).abs() > i128::from(POWER_BOUND.0) * i128::from(interval_s) {
            return Err(ReadingError::Unbelievable { interval });
        }
        let reading = MeterReading { interval, energy };
        self.last = Some(reading);
        self.unconfirmed.push_back(Unconfirmed { reading, sent_ms: None, open, saved: false });
        let full = self.unconfirmed.len() > MAX_UNCONFIRMED;
        let dropped = if full { self.unconfirmed.pop_front() } else { None };
        Ok((reading, dropped.map(|dropped| dropped.reading)))
    }

    /// What was given to be kept is kept.
    pub fn saved(&mut self) {
        self.unconfirmed.iter_mut().filter(|waiting| !waiting.open).for_each(|waiting| waiting.saved = true);
    }

    /// The boundary's counters are unknown; neither interval beside it has a reading.
    pub fn missed(&mut self) {
        self.counters = None;
    }

    /// It is too late to read `boundary`'s counters: they are unknown, unless they were kept before a restart.
    pub fn came_late(&mut self, boundary: Interval) {
        self.counters = self.counters.filter(|(at, _)| *at == boundary);
    }

    /// The clock was borne out after all: readings made by it are as good as others, and are given back.
    pub fn borne_out(&mut self) -> Vec<MeterReading> {
        let open = self.unconfirmed.iter_mut().filter(|waiting| waiting.open);
        open.map(|waiting| {
            waiting.open = false;
            waiting.reading
        })
        .collect()
    }

    /// The clock was set: readings made before by a doubtful one are of other times than they say, and given back. So are the
    /// last counters.
    pub fn disowned(&mut self) -> Vec<MeterReading> {
        self.missed();
        let (gone, kept) = self.unconfirmed.drain(..).partition(|waiting: &Unconfirmed| waiting.open);
        self.unconfirmed = kept;
        let gone: VecDeque<Unconfirmed> = gone;
        gone.into_iter().map(|waiting| waiting.reading).collect()
    }

    /// The aggregator has answered for this interval's reading, one way or the other; whether it was waited for.
    pub fn confirmed(&mut self, interval: Interval) -> bool {
        let before = self.unconfirmed.len();
        self.unconfirmed.retain(|waiting| waiting.reading.interval != interval);
        self.flowing |= self.unconfirmed.len() < before;
        self.unconfirmed.len() < before
    }

    /// What is to be sent now, the oldest first: one, and once it is acknowledged several at a time.
    pub fn due(&mut self, now_ms: u64) -> Vec<MeterReading> {
        let lapsed = |waiting: &Unconfirmed| {
            waiting.sent_ms.is_some_and(|at| now_ms.saturating_sub(at) >= RESEND_AFTER_MS)
        };
        if self.unconfirmed.iter().any(lapsed) {
            self.flowing = false;
        }
        for waiting in self.unconfirmed.iter_mut().filter(|waiting| lapsed(waiting)) {
            waiting.sent_ms = None;
        }
        let sent = self.unconfirmed.iter().filter(|waiting| waiting.sent_ms.is_some()).count();
        let most = if self.flowing { MOST_SENT } else { 1 };
        let waiting = self
            .unconfirmed
            .iter_mut()
            .filter(|waiting| waiting.saved && !waiting.open && waiting.sent_ms.is_none());
        let send = |waiting: &mut Unconfirmed| {
            waiting.sent_ms = Some(now_ms);
            waiting.reading
        };
        waiting.take(most.saturating_sub(sent)).map(send).collect()
    }

    /// The newest reading there is.
    pub fn last(&self) -> Option<MeterReading> {
        self.last
    }
}

fn net_energy(start: MeterState, end: MeterState) -> Option<Millijoule> {
    let imported = end.imported.checked_sub(start.imported)?;
    let exported = end.exported.checked_sub(start.exported)?;
    let forwards = imported >= Millijoule::ZERO && exported >= Millijoule::ZERO;
    forwards.then(|| imported - exported)
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::interval::UnixSeconds;
    use market::units::Milliwatt;

    fn boundary(number: i64) -> Interval {
        Interval(UnixSeconds(900 * number))
    }

    fn counters(imported: i64, exported: i64) -> MeterState {
        MeterState { power: Milliwatt::ZERO, imported: Millijoule(imported), exported: Millijoule(exported) }
    }

    fn check(reads: &[(i64, i64, i64)], expected: Result<i64, ReadingError>) {
        let mut metering = Metering::default();
        let mut last = None;
        for (at, imported, exported) in reads {
            last = Some(metering.counted(boundary(*at), counters(*imported, *exported), 900, false));
        }
        assert_eq!(last.unwrap().map(|(reading, _)| reading.energy.0), expected);
    }

    #[test]
    fn energy_is_the_counters_difference_between_neighbouring_boundaries() {
        check(&[(1, 100, 50), (2, 130, 90)], Ok(-10));
        check(&[(1, 100, 50), (2, 130, 90), (3, 131, 90)], Ok(1));
        check(&[(2, 130, 90)], Err(ReadingError::NoStart { interval: boundary(1) }));
        check(&[(1, 100, 50), (3, 130, 90)], Err(ReadingError::NoStart { interval: boundary(2) }));
        check(&[(1, 100, 50), (2, 99, 90)], Err(ReadingError::Backwards { interval: boundary(1) }));
        check(&[(1, 0, 0), (2, i64::MAX, 0)], Err(ReadingError::Unbelievable { interval: boundary(1) }));
    }

    fn starts(readings: &[MeterReading]) -> Vec<i64> {
        readings.iter().map(|reading| reading.interval.start().0 / 900).collect()
    }

    /// With readings of the intervals from 0 to `last`.
    fn waiting(last: i64) -> Metering {
        let mut metering = Metering::default();
        for at in 0..=last + 1 {
            let _ = metering.counted(boundary(at), counters(at, 0), 900, false);
        }
        assert_eq!(metering.due(0), [], "not before they are kept");
        metering.saved();
        metering
    }

    #[test]
    fn readings_go_in_order_one_until_it_is_acknowledged_then_several() {
        let mut metering = waiting(20);
        assert_eq!(starts(&metering.due(0)), [0]);
        assert_eq!(starts(&metering.due(1_000)), Vec::<i64>::new());
        assert!(metering.confirmed(boundary(0)));
        assert_eq!(starts(&metering.due(2_000)), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(metering.confirmed(boundary(3)));
        assert!(!metering.confirmed(boundary(3)), "the same answer again");
        assert_eq!(starts(&metering.due(3_000)), [9]);
    }

    #[test]
    fn while_nobody_answers_the_oldest_is_sent_anew_and_nothing_overtakes_it() {
        let mut metering = waiting(3);
        assert_eq!(starts(&metering.due(0)), [0]);
        assert_eq!(starts(&metering.due(RESEND_AFTER_MS - 1)), Vec::<i64>::new());
        assert_eq!(starts(&metering.due(RESEND_AFTER_MS)), [0]);
        metering.confirmed(boundary(0));
        assert_eq!(starts(&metering.due(RESEND_AFTER_MS)), [1, 2, 3]);
        // The way breaks again: what was on it goes anew from the oldest on.
        assert_eq!(starts(&metering.due(2 * RESEND_AFTER_MS)), [1]);
    }

    #[test]
    fn a_reading_by_a_doubtful_clock_waits_until_that_is_settled() {
        let doubtful = || {
            let mut metering = waiting(0);
            metering.counted(boundary(2), counters(2, 0), 900, true).unwrap();
            assert_eq!(starts(&metering.due(0)), [0]);
            metering.confirmed(boundary(0));
            assert_eq!(starts(&metering.due(0)), Vec::<i64>::new());
            metering
        };
        let mut right = doubtful();
        assert_eq!(starts(&right.borne_out()), [1]);
        right.saved();
        assert_eq!(starts(&right.due(0)), [1]);
        let mut wrong = doubtful();
        assert_eq!(starts(&wrong.disowned()), [1]);
        assert_eq!(starts(&wrong.due(0)), Vec::<i64>::new());
        // Its last counters are of another time, too.
        let next = wrong.counted(boundary(3), counters(3, 0), 900, false);
        assert_eq!(next, Err(ReadingError::NoStart { interval: boundary(2) }));
    }

    #[test]
    fn of_too_many_the_oldest_is_dropped_and_named() {
        let mut metering = Metering::default();
        let mut dropped = Vec::new();
        for at in 0..=(MAX_UNCONFIRMED as i64 + 2) {
            if let Ok((_, Some(gone))) = metering.counted(boundary(at), counters(at, 0), 900, false) {
                dropped.push(gone.interval);
            }
        }
        assert_eq!(dropped, [boundary(0), boundary(1)]);
    }
}
