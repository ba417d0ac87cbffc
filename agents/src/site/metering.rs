//! From a meter's counters at interval boundaries to signed readings, kept until they are acknowledged.

use hw_adapters::device::MeterState;
use market::interval::Interval;
use market::units::{Millijoule, POWER_BOUND};
use std::collections::VecDeque;
use thiserror::Error;
use wire::message::MeterReading;

/// Most readings kept unacknowledged: a week of quarter hours.
pub const MAX_UNCONFIRMED: usize = 672;
/// Most readings sent again at one boundary.
pub const MAX_RESENT: usize = 8;
/// Real time after which a reading nobody acknowledged is sent anew: until then the link repeats it.
pub const RESEND_AFTER_MS: u64 = 15 * 60 * 1_000;

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

/// Counters at the last boundary, and the readings nobody has acknowledged yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metering {
    counters: Option<(Interval, MeterState)>,
    unconfirmed: VecDeque<Unconfirmed>,
    last: Option<MeterReading>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unconfirmed {
    reading: MeterReading,
    sent_ms: u64,
}

impl Metering {
    /// Takes the counters at the start of `boundary`, and gives the reading of the interval that
    /// ended there, to be sent at `now_ms`. Of too many unacknowledged readings the oldest is
    /// dropped, and given back.
    ///
    /// # Errors
    /// Why that interval has no reading; the next one will have, as `boundary`'s counters are kept.
    pub fn counted(
        &mut self,
        boundary: Interval,
        counters: MeterState,
        interval_s: i64,
        now_ms: u64,
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
        self.unconfirmed.push_back(Unconfirmed { reading, sent_ms: now_ms });
        let full = self.unconfirmed.len() > MAX_UNCONFIRMED;
        let dropped = if full { self.unconfirmed.pop_front() } else { None };
        Ok((reading, dropped.map(|dropped| dropped.reading)))
    }

    /// The boundary's counters are unknown; neither interval beside it has a reading.
    pub fn missed(&mut self) {
        self.counters = None;
    }

    /// The aggregator has answered for this interval's reading, one way or the other.
    pub fn confirmed(&mut self, interval: Interval) {
        self.unconfirmed.retain(|waiting| waiting.reading.interval != interval);
    }

    /// The oldest readings nobody has acknowledged for so long that they are sent anew, in order
    /// of time.
    pub fn resend(&mut self, now_ms: u64) -> Vec<MeterReading> {
        let overdue = |waiting: &&mut Unconfirmed| now_ms.saturating_sub(waiting.sent_ms) >= RESEND_AFTER_MS;
        let send = |waiting: &mut Unconfirmed| {
            waiting.sent_ms = now_ms;
            waiting.reading
        };
        self.unconfirmed.iter_mut().filter(overdue).take(MAX_RESENT).map(send).collect()
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
            last = Some(metering.counted(boundary(*at), counters(*imported, *exported), 900, 0));
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

    #[test]
    fn readings_wait_in_order_until_they_are_confirmed() {
        let mut metering = Metering::default();
        for at in 0..=5 {
            let _ = metering.counted(boundary(at), counters(at, 0), 900, 1_000);
        }
        metering.confirmed(boundary(1));
        let mut check = |now_ms, expected: &[i64]| {
            let sent: Vec<i64> =
                metering.resend(now_ms).iter().map(|reading| reading.interval.start().0 / 900).collect();
            assert_eq!(sent, expected);
        };
        check(RESEND_AFTER_MS, &[]);
        check(RESEND_AFTER_MS + 1_000, &[0, 2, 3, 4]);
        check(RESEND_AFTER_MS + 2_000, &[]);
    }

    #[test]
    fn of_too_many_the_oldest_is_dropped_and_named() {
        let mut metering = Metering::default();
        let mut dropped = Vec::new();
        for at in 0..=(MAX_UNCONFIRMED as i64 + 2) {
            if let Ok((_, Some(gone))) = metering.counted(boundary(at), counters(at, 0), 900, 0) {
                dropped.push(gone.interval);
            }
        }
        assert_eq!(dropped, [boundary(0), boundary(1)]);
    }
}
