//! Demand as aggregators answered it: at the ticks asked, bus by bus, merged over the rounds.

use crate::units::{Milliwatt, PicoEurPerWh};
use thiserror::Error;

/// Most ticks one interval's rounds may ask together.
pub const MAX_TICKS: usize = 16_384;

/// Largest sum of magnitudes over all buses at one tick, so that no sum up the tree overflows.
const SUM_BOUND: i64 = i64::MAX / 8;

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SamplesError {
    /// Ticks must rise strictly.
    #[error("the ticks asked do not rise at index {index}")]
    Order {
        /// Place of the tick that is not above the one before it.
        index: usize,
    },
    /// More than [`MAX_TICKS`] in all.
    #[error("{count} ticks, more than the {MAX_TICKS} allowed")]
    TooMany {
        /// Ticks there would be.
        count: usize,
    },
    /// As many buses must answer every time.
    #[error("{buses} buses answered, not {expected}")]
    Buses {
        /// Buses in this answer.
        buses: usize,
        /// Buses there are.
        expected: usize,
    },
    /// A bus answered more or fewer prices than were asked.
    #[error("bus {bus}: {count} powers for {expected} ticks")]
    Incomplete {
        /// Index of the bus.
        bus: usize,
        /// Powers answered.
        count: usize,
        /// Ticks asked.
        expected: usize,
    },
    /// A tick already known was answered differently.
    #[error("bus {bus}: answered differently than before at {tick}")]
    Contradiction {
        /// Index of the bus.
        bus: usize,
        /// The tick.
        tick: PicoEurPerWh,
    },
    /// Demand must not increase with price.
    #[error("bus {bus}: demand increases with price at {tick}")]
    Increases {
        /// Index of the bus.
        bus: usize,
        /// The higher of the two ticks.
        tick: PicoEurPerWh,
    },
    /// Powers too large to be added.
    #[error("the powers at {tick} are too large to be added")]
    TooLarge {
        /// The tick.
        tick: PicoEurPerWh,
    },
}

/// Demand by bus at sorted ticks. Whatever it holds is complete and non-increasing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    ticks: Vec<PicoEurPerWh>,
    by_bus: Vec<Vec<Milliwatt>>,
}

impl Samples {
    /// No ticks yet, for `buses` buses.
    pub fn new(buses: usize) -> Self {
        Self { ticks: Vec::new(), by_bus: vec![Vec::new(); buses] }
    }

    /// Every tick known, rising.
    pub fn ticks(&self) -> &[PicoEurPerWh] {
        &self.ticks
    }

    /// Demand by bus, one power for each of [`Self::ticks`].
    pub fn demand_by_bus(&self) -> &[Vec<Milliwatt>] {
        &self.by_bus
    }

    /// Adds one round's answers: for each bus, in the feeder's order, one power for each tick asked.
    ///
    /// # Errors
    /// Where the answers are incomplete, contradict earlier ones, increase with price or are too
    /// large; nothing is kept of them then.
    pub fn merge(&mut self, ticks: &[PicoEurPerWh], by_bus: &[Vec<Milliwatt>]) -> Result<(), SamplesError> {
        if let Some(index) = ticks.windows(2).position(|pair| pair[1] <= pair[0]) {
            return Err(SamplesError::Order { index: index + 1 });
        }
        if by_bus.len() != self.by_bus.len() {
            return Err(SamplesError::Buses { buses: by_bus.len(), expected: self.by_bus.len() });
        }
        for (bus, powers) in by_bus.iter().enumerate() {
            if powers.len() != ticks.len() {
                let (count, expected) = (powers.len(), ticks.len());
                return Err(SamplesError::Incomplete { bus, count, expected });
            }
        }
        check_sums(ticks, by_bus)?;
        let order = Order::of(&self.ticks, ticks)?;
        let mut merged = Vec::with_capacity(by_bus.len());
        for (bus, (known, new)) in self.by_bus.iter().zip(by_bus).enumerate() {
            merged.push(order.merge(bus, known, new)?);
        }
        self.ticks = order.ticks;
        self.by_bus = merged;
        Ok(())
    }
}

fn check_sums(ticks: &[PicoEurPerWh], by_bus: &[Vec<Milliwatt>]) -> Result<(), SamplesError> {
    for (i, tick) in ticks.iter().enumerate() {
        let sum: i128 = by_bus.iter().map(|powers| (powers[i].0 as i128).abs()).sum();
        if sum > SUM_BOUND as i128 {
            return Err(SamplesError::TooLarge { tick: *tick });
        }
    }
    Ok(())
}

/// The merged ticks, and where each comes from.
struct Order {
    ticks: Vec<PicoEurPerWh>,
    /// Index among the known ticks, index among the new ones.
    from: Vec<(Option<usize>, Option<usize>)>,
}

impl Order {
    fn of(known: &[PicoEurPerWh], new: &[PicoEurPerWh]) -> Result<Self, SamplesError> {
        let mut order = Order { ticks: Vec::new(), from: Vec::new() };
        let (mut i, mut j) = (0, 0);
        while i < known.len() || j < new.len() {
            let a = known.get(i).filter(|a| new.get(j).is_none_or(|b| *a <= b));
            let b = new.get(j).filter(|b| known.get(i).is_none_or(|a| *b <= a));
            order.from.push((a.map(|_| i), b.map(|_| j)));
            order.ticks.extend(a.or(b));
            i += usize::from(a.is_some());
            j += usize::from(b.is_some());
        }
        match order.ticks.len() {
            count if count > MAX_TICKS => Err(SamplesError::TooMany { count }),
            _ => Ok(order),
        }
    }

    fn merge(
        &self,
        bus: usize,
        known: &[Milliwatt],
        new: &[Milliwatt],
    ) -> Result<Vec<Milliwatt>, SamplesError> {
        let mut powers: Vec<Milliwatt> = Vec::with_capacity(self.ticks.len());
        for (tick, (i, j)) in self.ticks.iter().zip(&self.from) {
            let (a, b) = (i.map(|i| known[i]), j.map(|j| new[j]));
            if matches!((a, b), (Some(a), Some(b)) if a != b) {
                return Err(SamplesError::Contradiction { bus, tick: *tick });
            }
            let power = a.or(b).unwrap_or_default();
            if powers.last().is_some_and(|last| power > *last) {
                return Err(SamplesError::Increases { bus, tick: *tick });
            }
            powers.push(power);
        }
        Ok(powers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(ticks: &[i64]) -> Vec<PicoEurPerWh> {
        ticks.iter().copied().map(PicoEurPerWh).collect()
    }
    fn powers(powers: &[i64]) -> Vec<Milliwatt> {
        powers.iter().copied().map(Milliwatt).collect()
    }
    fn check(rounds: &[(&[i64], &[&[i64]])], expected: Result<&[i64], SamplesError>) {
        let mut samples = Samples::new(1);
        let mut outcome = Ok(());
        for (asked, answers) in rounds {
            let answers: Vec<_> = answers.iter().map(|a| powers(a)).collect();
            outcome = outcome.and(samples.merge(&ticks(asked), &answers));
        }
        let got = outcome.map(|()| samples.demand_by_bus()[0].clone());
        assert_eq!(got, expected.map(powers));
    }

    #[test]
    fn rounds_merge_in_order_of_price() {
        check(&[(&[0, 10], &[&[9, 1]]), (&[3, 10, 12], &[&[5, 1, 0]])], Ok(&[9, 5, 1, 0]));
    }

    #[test]
    fn an_answer_that_is_none_is_refused_by_name() {
        let tick = PicoEurPerWh(5);
        check(&[(&[5, 5], &[&[1, 1]])], Err(SamplesError::Order { index: 1 }));
        check(&[(&[5], &[])], Err(SamplesError::Buses { buses: 0, expected: 1 }));
        check(&[(&[5, 6], &[&[1]])], Err(SamplesError::Incomplete { bus: 0, count: 1, expected: 2 }));
        check(&[(&[0], &[&[1]]), (&[5], &[&[2]])], Err(SamplesError::Increases { bus: 0, tick }));
        check(&[(&[5], &[&[1]]), (&[5], &[&[2]])], Err(SamplesError::Contradiction { bus: 0, tick }));
        check(&[(&[5], &[&[i64::MIN]])], Err(SamplesError::TooLarge { tick }));
    }
}
