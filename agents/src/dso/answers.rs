//! What aggregators answer, checked against what they may answer, and kept apart and in sum.

use market::clearing::samples::{Samples, SamplesError};
use market::share::Demand as DemandRange;
use market::units::{Milliwatt, PicoEurPerWh};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::message::DemandAt;
use wire::party::PartyId;

/// One aggregator's buses, in order of name: each one's place in the feeder, and the limits of the
/// connections there together.
pub type Buses = BTreeMap<String, (usize, Milliwatt)>;

/// Why an answer is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AnswerError {
    /// It names other buses than the registry gives the aggregator, or in another order.
    #[error("the demand names {named} buses, and not the {expected} of this aggregator in order of name")]
    OtherBuses {
        /// Buses named.
        named: usize,
        /// Buses expected.
        expected: usize,
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
    /// Incomplete, increasing, or against an earlier answer.
    #[error("the demand: {0}")]
    Samples(#[from] SamplesError),
}

/// Every aggregator's answers over the rounds of one interval.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    by_aggregator: BTreeMap<PartyId, Samples>,
}

impl Answers {
    /// Takes one aggregator's answer at `ticks`.
    ///
    /// # Errors
    /// Names what is wrong with it; then nothing is kept of it.
    pub fn take(
        &mut self,
        aggregator: &PartyId,
        buses: &Buses,
        ticks: &[PicoEurPerWh],
        demand: &[DemandAt],
    ) -> Result<(), AnswerError> {
        if !demand.iter().map(|at| &at.bus).eq(buses.keys()) {
            return Err(AnswerError::OtherBuses { named: demand.len(), expected: buses.len() });
        }
        for (at, (_, limit)) in demand.iter().zip(buses.values()) {
            let beyond = |power: &&Milliwatt| **power > *limit || **power < -*limit;
            if let Some(power) = at.powers.iter().find(beyond) {
                return Err(AnswerError::BeyondConnections {
                    bus: at.bus.clone(),
                    power: *power,
                    limit: *limit,
                });
            }
        }
        let rows: Vec<Vec<Milliwatt>> = demand.iter().map(|at| at.powers.clone()).collect();
        let known = self.by_aggregator.entry(aggregator.clone());
        known.or_insert_with(|| Samples::new(buses.len())).merge(ticks, &rows)?;
        Ok(())
    }

    /// Demand by bus of the whole feeder, at every tick asked so far.
    ///
    /// # Errors
    /// [`SamplesError::TooLarge`] where sums leave the market's bounds.
    pub fn sum(
        &self,
        aggregators: &BTreeMap<PartyId, Buses>,
        bus_count: usize,
    ) -> Result<Samples, SamplesError> {
        let mut total = Samples::new(bus_count);
        let ticks = self.by_aggregator.values().next().map_or(&[][..], Samples::ticks);
        let mut rows = vec![vec![Milliwatt::ZERO; ticks.len()]; bus_count];
        for (aggregator, samples) in &self.by_aggregator {
            let places = aggregators.get(aggregator).into_iter().flat_map(BTreeMap::values);
            for ((place, _), powers) in places.zip(samples.demand_by_bus()) {
                for (i, (sum, power)) in rows[*place].iter_mut().zip(powers).enumerate() {
                    let tick = ticks[i];
                    *sum = sum.checked_add(*power).ok_or(SamplesError::TooLarge { tick })?;
                }
            }
        }
        total.merge(ticks, &rows)?;
        Ok(total)
    }

    /// What `aggregator` takes at `price` at the bus with this place among its own; none where its answers
    /// leave that open.
    pub fn range(&self, aggregator: &PartyId, bus: usize, price: PicoEurPerWh) -> Option<DemandRange> {
        let samples = self.by_aggregator.get(aggregator)?;
        let powers = samples.demand_by_bus().get(bus)?;
        let at = |tick| power_at(samples.ticks(), powers, tick);
        Some(DemandRange { low: at(price.next())?, high: at(price)? })
    }
}

/// Demand at `tick`, asked or not: between two equal answers a demand that never rises is what they are.
fn power_at(ticks: &[PicoEurPerWh], powers: &[Milliwatt], tick: PicoEurPerWh) -> Option<Milliwatt> {
    match ticks.binary_search(&tick) {
        Ok(place) => powers.get(place).copied(),
        Err(next) => {
            let before = powers.get(next.checked_sub(1)?)?;
            powers.get(next).filter(|after| *after == before).copied()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene;

    fn powers(values: &[i64]) -> Vec<Milliwatt> {
        values.iter().copied().map(Milliwatt).collect()
    }

    fn buses(named: &[(&str, usize)]) -> Buses {
        named.iter().map(|(bus, place)| (bus.to_string(), (*place, Milliwatt(100)))).collect()
    }

    fn check(answer: &[(&str, &[i64])], expected: Result<(), &str>) {
        let ticks: Vec<PicoEurPerWh> = [5, 6].map(PicoEurPerWh).to_vec();
        let demand: Vec<DemandAt> = answer
            .iter()
            .map(|(bus, values)| DemandAt { bus: bus.to_string(), powers: powers(values) })
            .collect();
        let a1 = scene::aggregator("a1");
        let taken = Answers::default().take(&a1, &buses(&[("b1", 1), ("b2", 2)]), &ticks, &demand);
        match (taken.map_err(|error| error.to_string()), expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) if error.contains(part) => {}
            (other, _) => panic!("{answer:?}: {other:?}"),
        }
    }

    #[test]
    fn an_answer_must_be_the_aggregators_own_buses_within_their_connections() {
        check(&[("b1", &[100, 1]), ("b2", &[0, -100])], Ok(()));
        check(&[("b2", &[2, 1]), ("b1", &[2, 1])], Err("in order of name"));
        check(&[("b1", &[2, 1])], Err("names 1 buses"));
        check(&[("b1", &[101, 1]), ("b2", &[2, 1])], Err("connections carry 100"));
        check(&[("b1", &[1, -101]), ("b2", &[2, 1])], Err("reaches -101"));
        check(&[("b1", &[1, 2]), ("b2", &[2, 1])], Err("increases with price"));
        check(&[("b1", &[2]), ("b2", &[2, 1])], Err("1 powers for 2 ticks"));
    }

    #[test]
    fn answers_add_up_by_bus_and_stay_apart_by_aggregator() {
        let ticks: Vec<PicoEurPerWh> = [5, 6].map(PicoEurPerWh).to_vec();
        let (a1, a2) = (scene::aggregator("a1"), scene::aggregator("a2"));
        let aggregators =
            BTreeMap::from([(a1.clone(), buses(&[("b1", 1)])), (a2.clone(), buses(&[("b1", 1), ("b2", 2)]))]);
        let mut answers = Answers::default();
        let at = |bus: &str, values: &[i64]| DemandAt { bus: bus.to_owned(), powers: powers(values) };
        answers.take(&a1, &aggregators[&a1], &ticks, &[at("b1", &[7, 3])]).unwrap();
        answers.take(&a2, &aggregators[&a2], &ticks, &[at("b1", &[1, -1]), at("b2", &[4, 4])]).unwrap();
        let sum = answers.sum(&aggregators, 3).unwrap();
        assert_eq!(sum.demand_by_bus(), [powers(&[0, 0]), powers(&[8, 2]), powers(&[4, 4])]);
        let range = answers.range(&a2, 0, PicoEurPerWh(5)).unwrap();
        assert_eq!((range.low.0, range.high.0), (-1, 1));
        assert_eq!(answers.range(&a2, 0, PicoEurPerWh(6)), None);
    }

    #[test]
    fn between_equal_answers_nothing_is_left_open() {
        let ticks: Vec<PicoEurPerWh> = [5, 9, 12].map(PicoEurPerWh).to_vec();
        let a1 = scene::aggregator("a1");
        let mut answers = Answers::default();
        let demand = [DemandAt { bus: "b1".to_owned(), powers: powers(&[7, 7, 3]) }];
        answers.take(&a1, &buses(&[("b1", 1)]), &ticks, &demand).unwrap();
        let range = |price| answers.range(&a1, 0, PicoEurPerWh(price)).map(|r| (r.low.0, r.high.0));
        assert_eq!(
            [range(4), range(6), range(8), range(9), range(10), range(12)],
            [None, Some((7, 7)), Some((7, 7)), None, None, None]
        );
    }
}
