//! What aggregators answer, checked against what they were asked and may answer, and kept by aggregator and
//! bus.

use market::clearing::samples::{Sample, Samples, SamplesError};
use market::share::Demand as DemandRange;
use market::units::{Milliwatt, PicoEurPerWh};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::message::{DemandAt, PriceQuestion, PriceWindow};
use wire::party::PartyId;

/// One aggregator's buses, in order of name: each one's place in the feeder, and the limits of the
/// connections there together.
pub type Buses = BTreeMap<String, (usize, Milliwatt)>;

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AnswerError {
    /// It names other buses than were asked, or in another order.
    #[error("the demand names {named} buses, and not the {expected} asked in order of name")]
    OtherBuses {
        /// Buses named.
        named: usize,
        /// Buses asked.
        expected: usize,
    },
    /// Not one power for each tick asked.
    #[error("the demand at {bus} has {count} powers, and {expected} ticks were asked")]
    Incomplete {
        /// The bus.
        bus: String,
        /// Powers answered.
        count: usize,
        /// Ticks asked.
        expected: usize,
    },
    /// A corner outside the windows asked about.
    #[error("the demand at {bus} tells of a corner at {price}, which was not asked about")]
    NotAsked {
        /// The bus.
        bus: String,
        /// The corner's price.
        price: PicoEurPerWh,
    },
    /// More than the connections there carry.
    #[error("the demand at {bus} reaches {power}, and its connections carry {limit}")]
    BeyondConnections {
        /// The bus.
        bus: String,
        /// The demand.
        power: Milliwatt,
        /// What the connections carry together.
        limit: Milliwatt,
    },
    /// Increasing, or against an earlier answer.
    #[error("the demand at {bus}: {source}")]
    Samples {
        /// The bus.
        bus: String,
        /// What is wrong there.
        source: SamplesError,
    },
}

/// Every aggregator's answers over the rounds of one interval.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    by_aggregator: BTreeMap<PartyId, BTreeMap<String, Samples>>,
}

impl Answers {
    /// Takes one aggregator's answer to `question`.
    ///
    /// # Errors
    /// Names what is wrong with it; then nothing is kept of it.
    pub fn take(
        &mut self,
        aggregator: &PartyId,
        buses: &Buses,
        question: &PriceQuestion,
        demand: &[DemandAt],
    ) -> Result<(), AnswerError> {
        if !demand.iter().map(|at| &at.bus).eq(question.buses.iter().map(|asked| &asked.bus)) {
            return Err(AnswerError::OtherBuses { named: demand.len(), expected: question.buses.len() });
        }
        let known = self.by_aggregator.entry(aggregator.clone()).or_default();
        let mut learned = known.clone();
        for (at, asked) in demand.iter().zip(&question.buses) {
            let windows = asked.windows.iter().filter_map(|place| question.windows.get(*place as usize));
            let answered = samples(at, &windows.collect::<Vec<_>>())?;
            let limit = buses.get(&at.bus).map_or(Milliwatt::ZERO, |(_, limit)| *limit);
            if let Some(beyond) = answered.iter().find(|s| s.power > limit || s.power < -limit) {
                let (bus, power) = (at.bus.clone(), beyond.power);
                return Err(AnswerError::BeyondConnections { bus, power, limit });
            }
            let samples = learned.entry(at.bus.clone()).or_default();
            samples.learn(answered).map_err(|source| AnswerError::Samples { bus: at.bus.clone(), source })?;
        }
        *known = learned;
        Ok(())
    }

    /// What is known of every aggregator at each of its buses, by the bus's place in the feeder.
    pub fn parties(&self, aggregators: &BTreeMap<PartyId, Buses>) -> Vec<(usize, Samples)> {
        let known = self.by_aggregator.iter().flat_map(|(aggregator, at)| {
            let buses = aggregators.get(aggregator);
            at.iter().filter_map(move |(bus, samples)| Some((buses?.get(bus)?.0, samples.clone())))
        });
        known.collect()
    }

    /// What `aggregator` takes at `price` at `bus`; none where its answers leave that open.
    pub fn range(&self, aggregator: &PartyId, bus: &str, price: PicoEurPerWh) -> Option<DemandRange> {
        let samples = self.by_aggregator.get(aggregator)?.get(bus)?;
        Some(DemandRange { low: samples.at(price.next())?, high: samples.at(price)? })
    }
}

/// Everything one bus's answer says of its demand.
fn samples(at: &DemandAt, windows: &[&PriceWindow]) -> Result<Vec<Sample>, AnswerError> {
    let ticks: Vec<PicoEurPerWh> = windows.iter().flat_map(|window| &window.ticks).copied().collect();
    if ticks.len() != at.powers.len() {
        let (bus, count, expected) = (at.bus.clone(), at.powers.len(), ticks.len());
        return Err(AnswerError::Incomplete { bus, count, expected });
    }
    let mut samples: Vec<Sample> =
        ticks.into_iter().zip(&at.powers).map(|(tick, power)| Sample { tick, power: *power }).collect();
    for corner in &at.corners {
        let price = corner.price;
        if !windows.iter().any(|window| window.from <= price && price < window.to) {
            return Err(AnswerError::NotAsked { bus: at.bus.clone(), price });
        }
        samples.push(Sample { tick: price, power: corner.at });
        samples.push(Sample { tick: price.next(), power: corner.above });
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene;
    use market::interval::Interval;
    use wire::message::{BusQuestion, Corner};

    fn buses(named: &[(&str, usize)]) -> Buses {
        named.iter().map(|(bus, place)| (bus.to_string(), (*place, Milliwatt(100)))).collect()
    }

    /// Asks these buses about the ticks 5 and 8.
    fn question(asked: &[&str]) -> PriceQuestion {
        let (from, to) = (PicoEurPerWh(5), PicoEurPerWh(8));
        let asked = asked.iter().map(|bus| BusQuestion { bus: bus.to_string(), windows: vec![0] });
        PriceQuestion {
            interval: Interval::default(),
            round: 1,
            windows: vec![PriceWindow { from, to, ticks: vec![from, to] }],
            buses: asked.collect(),
        }
    }

    fn at(bus: &str, powers: &[i64], corners: &[(i64, i64, i64)]) -> DemandAt {
        let corner = |(price, at, above): &(i64, i64, i64)| Corner {
            price: PicoEurPerWh(*price),
            at: Milliwatt(*at),
            above: Milliwatt(*above),
        };
        DemandAt {
            bus: bus.to_owned(),
            powers: powers.iter().copied().map(Milliwatt).collect(),
            corners: corners.iter().map(corner).collect(),
        }
    }

    fn check(answer: &[DemandAt], expected: Result<(), &str>) {
        let a1 = scene::aggregator("a1");
        let (mut answers, buses) = (Answers::default(), buses(&[("b1", 1), ("b2", 2)]));
        let taken = answers.take(&a1, &buses, &question(&["b1", "b2"]), answer);
        match (taken.map_err(|error| error.to_string()), expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) if error.contains(part) => {
                let aggregators = BTreeMap::from([(a1, buses)]);
                assert_eq!(answers.parties(&aggregators), [], "kept of what was refused");
            }
            (other, _) => panic!("{answer:?}: {other:?}"),
        }
    }

    #[test]
    fn an_answer_must_be_what_was_asked_within_the_connections() {
        let b2 = || at("b2", &[2, 1], &[]);
        check(&[at("b1", &[100, 1], &[]), at("b2", &[0, -100], &[])], Ok(()));
        check(&[at("b1", &[9, 1], &[(6, 9, 1)]), b2()], Ok(()));
        check(&[b2(), at("b1", &[2, 1], &[])], Err("in order of name"));
        check(&[at("b1", &[2, 1], &[])], Err("names 1 buses"));
        check(&[at("b1", &[101, 1], &[]), b2()], Err("connections carry 100"));
        check(&[at("b1", &[1, -101], &[]), b2()], Err("reaches -101"));
        check(&[at("b1", &[1, 1], &[(6, 101, 1)]), b2()], Err("reaches 101"));
        check(&[b2(), at("b1", &[1, 2], &[])], Err("in order of name"));
        check(&[at("b1", &[2, 1], &[]), at("b2", &[1, 2], &[])], Err("increases with price"));
        check(&[at("b1", &[2], &[]), b2()], Err("1 powers, and 2 ticks"));
        check(&[at("b1", &[2, 1], &[(8, 1, 1)]), b2()], Err("not asked about"));
        check(&[at("b1", &[9, 1], &[(5, 8, 1)]), b2()], Err("two answers"));
    }

    #[test]
    fn answers_stay_apart_by_aggregator_and_bus() {
        let (a1, a2) = (scene::aggregator("a1"), scene::aggregator("a2"));
        let aggregators =
            BTreeMap::from([(a1.clone(), buses(&[("b1", 1)])), (a2.clone(), buses(&[("b1", 1), ("b2", 2)]))]);
        let mut answers = Answers::default();
        answers.take(&a1, &aggregators[&a1], &question(&["b1"]), &[at("b1", &[7, 3], &[])]).unwrap();
        let told = [at("b1", &[1, -1], &[(6, 1, -1)]), at("b2", &[4, 4], &[])];
        answers.take(&a2, &aggregators[&a2], &question(&["b1", "b2"]), &told).unwrap();
        let parties = answers.parties(&aggregators);
        assert_eq!(parties.iter().map(|(bus, _)| *bus).collect::<Vec<_>>(), [1, 1, 2]);
        let range = |aggregator, bus, price| {
            answers.range(aggregator, bus, PicoEurPerWh(price)).map(|r| (r.low.0, r.high.0))
        };
        assert_eq!(range(&a2, "b1", 6), Some((-1, 1)));
        assert_eq!(range(&a2, "b1", 7), Some((-1, -1)));
        assert_eq!(range(&a2, "b2", 6), Some((4, 4)));
        assert_eq!((range(&a1, "b1", 6), range(&a1, "b2", 6), range(&a2, "b2", 8)), (None, None, None));
    }
}
