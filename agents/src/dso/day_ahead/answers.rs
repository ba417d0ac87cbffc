//! What aggregators answer about a session, checked against what they were asked and may answer, and kept
//! by aggregator, bus and interval.

use super::Buses;
use market::clearing::samples::{Sample, Samples, SamplesError};
use market::units::{Milliwatt, PicoEurPerWh};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::message::day_ahead::{AnswerAt, AskedAt, DayAheadQuestion};
use wire::message::series::RisingPrices;
use wire::party::PartyId;

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum AnswerError {
    /// Not one answer for each place asked.
    #[error("{count} answers, and {expected} places were asked about")]
    Places {
        /// Answers.
        count: usize,
        /// Places asked.
        expected: usize,
    },
    /// Not one power for each tick asked.
    #[error(
        "the demand at bus {bus} in interval {interval} has {count} powers, and {expected} ticks were asked"
    )]
    Incomplete {
        /// Place of the interval.
        interval: u16,
        /// Place of the bus.
        bus: u32,
        /// Powers answered.
        count: usize,
        /// Ticks asked.
        expected: usize,
    },
    /// A corner outside the windows asked about.
    #[error("the demand at bus {bus} in interval {interval} tells of a corner at {price}, which was not asked about")]
    NotAsked {
        /// Place of the interval.
        interval: u16,
        /// Place of the bus.
        bus: u32,
        /// The corner's price.
        price: PicoEurPerWh,
    },
    /// More than the connections there carry.
    #[error(
        "the demand at bus {bus} in interval {interval} reaches {power}, and its connections carry {limit}"
    )]
    BeyondConnections {
        /// Place of the interval.
        interval: u16,
        /// Place of the bus.
        bus: u32,
        /// The demand.
        power: Milliwatt,
        /// What the connections carry together.
        limit: Milliwatt,
    },
    /// Increasing, or against an earlier answer.
    #[error("the demand at bus {bus} in interval {interval}: {source}")]
    Samples {
        /// Place of the interval.
        interval: u16,
        /// Place of the bus.
        bus: u32,
        /// What is wrong there.
        source: SamplesError,
    },
}

/// Every aggregator's answers over the rounds of one session.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// By aggregator and bus, one for each interval.
    by_aggregator: BTreeMap<PartyId, BTreeMap<u32, Vec<Samples>>>,
}

impl Answers {
    /// Takes one aggregator's answers to `question` about a session of so many intervals.
    ///
    /// # Errors
    /// Names what is wrong with them; then nothing is kept of them.
    pub fn take(
        &mut self,
        aggregator: &PartyId,
        (buses, intervals): (&Buses, usize),
        question: &DayAheadQuestion,
        answers: &[AnswerAt],
    ) -> Result<(), AnswerError> {
        let (count, expected) = (answers.len(), question.asked.len());
        if count != expected {
            return Err(AnswerError::Places { count, expected });
        }
        let mut learned = self.by_aggregator.get(aggregator).cloned().unwrap_or_default();
        for (answer, asked) in answers.iter().zip(&question.asked) {
            let AskedAt { interval, bus, .. } = *asked;
            let told = samples(answer, asked, &question.windows)?;
            let limit = buses.get(&bus).copied().unwrap_or_default();
            if let Some(beyond) = told.iter().find(|told| told.power > limit || told.power < -limit) {
                return Err(AnswerError::BeyondConnections { interval, bus, power: beyond.power, limit });
            }
            let of_bus = learned.entry(bus).or_insert_with(|| vec![Samples::default(); intervals]);
            if let Some(samples) = of_bus.get_mut(usize::from(interval)) {
                samples.learn(told).map_err(|source| AnswerError::Samples { interval, bus, source })?;
            }
        }
        self.by_aggregator.insert(aggregator.clone(), learned);
        Ok(())
    }

    /// What is known of each aggregator at each of its buses, in this order, one for each interval.
    pub fn parties(&self) -> impl Iterator<Item = (&PartyId, u32, &Vec<Samples>)> {
        let of_aggregator = |(aggregator, at): (_, _)| {
            BTreeMap::iter(at).map(move |(bus, samples)| (aggregator, *bus, samples))
        };
        self.by_aggregator.iter().flat_map(of_aggregator)
    }
}

/// Everything one answer says of demand at its place.
fn samples(answer: &AnswerAt, asked: &AskedAt, windows: &[RisingPrices]) -> Result<Vec<Sample>, AnswerError> {
    let AskedAt { interval, bus, .. } = *asked;
    let windows: Vec<&[PicoEurPerWh]> =
        asked.windows.iter().filter_map(|place| Some(windows.get(*place as usize)?.prices())).collect();
    let ticks = windows.iter().flat_map(|window| window.iter().copied());
    let (powers, expected) = (answer.powers.powers(), windows.iter().map(|window| window.len()).sum());
    if powers.len() != expected {
        return Err(AnswerError::Incomplete { interval, bus, count: powers.len(), expected });
    }
    let mut samples: Vec<Sample> =
        ticks.zip(powers).map(|(tick, power)| Sample { tick, power: *power }).collect();
    for corner in &answer.corners {
        let price = corner.price;
        let holds = |window: &&[PicoEurPerWh]| window.first() <= Some(&price) && Some(&price) < window.last();
        if !windows.iter().any(holds) {
            return Err(AnswerError::NotAsked { interval, bus, price });
        }
        samples.push(Sample { tick: price, power: corner.at });
        samples.push(Sample { tick: price.next(), power: corner.above });
    }
    Ok(samples)
}
