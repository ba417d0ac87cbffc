//! What is known of one party's demand from its answers: exact at the ticks it answered, and between
//! them no more than at the tick before and no less than at the tick after.

use super::bound::Bound;
use crate::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most samples kept of one party at one bus over an interval's rounds.
pub const MAX_SAMPLES: usize = 524_288;

/// Demand at one tick: [`crate::curve::FlexCurve::power_at`], summed over a party's sites at a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sample {
    /// The tick.
    pub tick: PicoEurPerWh,
    /// The demand.
    pub power: Milliwatt,
}

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SamplesError {
    /// More than [`MAX_SAMPLES`] in all.
    #[error("{count} samples, more than the {MAX_SAMPLES} allowed")]
    TooMany {
        /// Samples there would be.
        count: usize,
    },
    /// One tick was answered in two ways.
    #[error("two answers for {tick}")]
    Contradiction {
        /// The tick.
        tick: PicoEurPerWh,
    },
    /// Demand must not increase with price.
    #[error("demand increases with price at {tick}")]
    Increases {
        /// The higher of the two ticks.
        tick: PicoEurPerWh,
    },
}

/// One party's answers at one bus. Whatever it holds is non-increasing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    known: Vec<Sample>,
}

impl Samples {
    /// What is known, in order of tick.
    pub fn known(&self) -> &[Sample] {
        &self.known
    }

    /// Adds what was answered, in any order.
    ///
    /// # Errors
    /// Where the answers contradict each other or earlier ones, increase with price or are too many;
    /// nothing is kept of them then.
    pub fn learn(&mut self, answers: impl IntoIterator<Item = Sample>) -> Result<(), SamplesError> {
        let mut all = self.known.clone();
        all.extend(answers);
        all.sort_unstable();
        all.dedup();
        if all.len() > MAX_SAMPLES {
            return Err(SamplesError::TooMany { count: all.len() });
        }
        for pair in all.windows(2) {
            let tick = pair[1].tick;
            if pair[0].tick == tick {
                return Err(SamplesError::Contradiction { tick });
            }
            if pair[0].power < pair[1].power {
                return Err(SamplesError::Increases { tick });
            }
        }
        self.known = all;
        Ok(())
    }

    /// Demand at a tick, where the answers leave nothing open.
    pub fn at(&self, tick: PicoEurPerWh) -> Option<Milliwatt> {
        let next = self.known.partition_point(|known| known.tick < tick);
        let (before, after) = self.around(next, tick)?;
        (before.power == after.power).then_some(after.power)
    }

    /// Whether demand was answered at both ends of the ticks from `first` to `last`.
    pub(crate) fn span(&self, first: i64, last: i64) -> bool {
        self.known.first().is_some_and(|known| known.tick.0 <= first)
            && self.known.last().is_some_and(|known| known.tick.0 >= last)
    }

    /// Adds the bounds of this demand at each of the rising `ticks`, all within its [`Self::span`].
    pub(crate) fn add_bounds(&self, ticks: &[i64], sums: &mut [Bound]) {
        self.walk(ticks, |i, before, after| {
            sums[i] = sums[i].plus(Bound { low: after.power.0, high: before.power.0 });
        });
    }

    /// Adds, at each of the rising `ticks`, what this demand would be if it fell evenly from answer to
    /// answer.
    pub(crate) fn add_guess(&self, ticks: &[i64], sums: &mut [Bound]) {
        self.walk(ticks, |i, before, after| {
            let run = (after.tick.0 - before.tick.0).max(1) as i128;
            let fall = (before.power.0 - after.power.0) as i128;
            let guess = after.power.0 + (fall * (after.tick.0 - ticks[i]) as i128 / run) as i64;
            sums[i] = sums[i].plus(Bound::exact(guess));
        });
    }

    /// Gives for each tick the answers around it, twice the same where it was answered itself.
    fn walk(&self, ticks: &[i64], mut visit: impl FnMut(usize, Sample, Sample)) {
        let mut next = 0;
        for (i, tick) in ticks.iter().enumerate() {
            while self.known.get(next).is_some_and(|known| known.tick.0 < *tick) {
                next += 1;
            }
            if let Some((before, after)) = self.around(next, PicoEurPerWh(*tick)) {
                visit(i, before, after);
            }
        }
    }

    /// `next` is the place of the first answer at `tick` or above.
    fn around(&self, next: usize, tick: PicoEurPerWh) -> Option<(Sample, Sample)> {
        let after = *self.known.get(next)?;
        let before = if after.tick == tick { after } else { *self.known.get(next.checked_sub(1)?)? };
        Some((before, after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(answers: &[(i64, i64)]) -> Vec<Sample> {
        let sample =
            |(tick, power): &(i64, i64)| Sample { tick: PicoEurPerWh(*tick), power: Milliwatt(*power) };
        answers.iter().map(sample).collect()
    }

    fn check(rounds: &[&[(i64, i64)]], expected: Result<&[(i64, i64)], SamplesError>) {
        let mut known = Samples::default();
        let result = rounds.iter().try_for_each(|answers| known.learn(samples(answers)));
        assert_eq!(result.map(|()| known.known()), expected.map(samples).as_deref().map_err(Clone::clone));
    }

    #[test]
    fn rounds_merge_in_order_of_price() {
        check(&[&[(0, 9), (8, 1)], &[(7, 2), (3, 5), (0, 9)]], Ok(&[(0, 9), (3, 5), (7, 2), (8, 1)]));
        check(&[&[]], Ok(&[]));
    }

    #[test]
    fn what_is_no_answer_is_refused_by_name() {
        let tick = PicoEurPerWh(3);
        check(&[&[(3, 5)], &[(3, 6)]], Err(SamplesError::Contradiction { tick }));
        check(&[&[(0, 5), (3, 6)]], Err(SamplesError::Increases { tick }));
        check(&[&[(0, 5), (9, 4)], &[(3, 6)]], Err(SamplesError::Increases { tick }));
    }

    #[test]
    fn between_equal_answers_nothing_is_left_open() {
        let mut known = Samples::default();
        known.learn(samples(&[(5, 7), (9, 7), (12, 3)])).unwrap();
        let at = |tick| known.at(PicoEurPerWh(tick)).map(|power| power.0);
        assert_eq!([4, 5, 6, 9, 10, 12, 13].map(at), [None, Some(7), Some(7), Some(7), None, Some(3), None]);
    }

    #[test]
    fn bounds_and_guesses_lie_between_the_answers_around_them() {
        let mut known = Samples::default();
        known.learn(samples(&[(0, 10), (4, 2), (5, 2)])).unwrap();
        let ticks = [0, 1, 3, 4, 5];
        let (mut bounds, mut guesses) = ([Bound::exact(100); 5], [Bound::exact(0); 5]);
        known.add_bounds(&ticks, &mut bounds);
        known.add_guess(&ticks, &mut guesses);
        assert_eq!(
            bounds.map(|b| (b.low, b.high)),
            [(110, 110), (102, 110), (102, 110), (102, 102), (102, 102)]
        );
        assert_eq!(guesses.map(|b| b.low), [10, 8, 4, 2, 2]);
    }
}
