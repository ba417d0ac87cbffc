//! Demand by price, put together from the rounds between DSO and aggregators: what was asked, and what was answered. Nobody's
//! curve is here: aggregators answer for whole buses. Known only where the rounds can be overheard. Pure.

use market::interval::Interval;
use market::units::{Milliwatt, PicoEurPerWh};
use std::collections::BTreeMap;
use wire::message::{Demand, PriceQuestion};
use wire::party::Id;

/// Intervals whose rounds are kept.
const KEPT_INTERVALS: usize = 16;
/// Questions that wait for an answer.
const MOST_ASKED: usize = 64;

/// Demand by price.
pub type Samples = BTreeMap<PicoEurPerWh, Milliwatt>;

/// What was asked and answered.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    asked: BTreeMap<(Interval, u32, Id), PriceQuestion>,
    /// Answers by aggregator and bus.
    answered: BTreeMap<Interval, BTreeMap<(Id, String), Samples>>,
}

impl Curves {
    /// An aggregator is asked.
    pub fn ask(&mut self, aggregator: &Id, question: &PriceQuestion) {
        self.asked.insert((question.interval, question.round, aggregator.clone()), question.clone());
        while self.asked.len() > MOST_ASKED {
            self.asked.pop_first();
        }
    }

    /// It answers. What does not fit its question is left out.
    pub fn answer(&mut self, aggregator: &Id, demand: &Demand) {
        let key = (demand.interval, demand.round, aggregator.clone());
        let Some(question) = self.asked.remove(&key) else { return };
        let here = self.answered.entry(demand.interval).or_default();
        for at in &demand.buses {
            let Some(asked) = question.buses.iter().find(|asked| asked.bus == at.bus) else { continue };
            let windows = asked.windows.iter().filter_map(|place| question.windows.get(*place as usize));
            let ticks = windows.flat_map(|window| &window.ticks).copied();
            let samples = here.entry((aggregator.clone(), at.bus.clone())).or_default();
            samples.extend(ticks.zip(at.powers.iter().copied()));
        }
        while self.answered.len() > KEPT_INTERVALS {
            self.answered.pop_first();
        }
    }

    /// Demand at one bus, or of the whole feeder where none is named, at the prices that all answers it is a sum of are
    /// known at.
    pub fn demand(&self, interval: Interval, bus: Option<&str>) -> Option<Samples> {
        let here = self.answered.get(&interval)?;
        let answers = || here.iter().filter(|((_, at), _)| bus.is_none_or(|bus| bus == at));
        let (count, first) = (answers().count(), answers().next()?.1);
        let sum = |price: &PicoEurPerWh| {
            let powers = answers().filter_map(|(_, samples)| samples.get(price));
            let powers: Vec<Milliwatt> = powers.copied().collect();
            (powers.len() == count).then(|| (*price, powers.into_iter().sum()))
        };
        Some(first.keys().filter_map(sum).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::message::{BusQuestion, DemandAt, PriceWindow};

    const TICK: fn(i64) -> PicoEurPerWh = PicoEurPerWh;

    fn question(round: u32, windows: &[&[i64]], buses: &[(&str, &[u32])]) -> PriceQuestion {
        let window = |ticks: &&[i64]| PriceWindow {
            from: TICK(ticks[0]),
            to: TICK(ticks[ticks.len() - 1]),
            ticks: ticks.iter().copied().map(TICK).collect(),
        };
        let bus = |(bus, windows): &(&str, &[u32])| BusQuestion {
            bus: (*bus).to_owned(),
            windows: windows.to_vec(),
        };
        PriceQuestion {
            interval: Interval::default(),
            round,
            windows: windows.iter().map(window).collect(),
            buses: buses.iter().map(bus).collect(),
        }
    }

    fn demand(round: u32, buses: &[(&str, &[i64])]) -> Demand {
        let at = |(bus, powers): &(&str, &[i64])| DemandAt {
            bus: (*bus).to_owned(),
            powers: powers.iter().copied().map(Milliwatt).collect(),
            corners: Vec::new(),
        };
        Demand { interval: Interval::default(), round, buses: buses.iter().map(at).collect() }
    }

    fn check(curves: &Curves, bus: Option<&str>, expected: &[(i64, i64)]) {
        let found = curves.demand(Interval::default(), bus).unwrap();
        let found: Vec<(i64, i64)> = found.into_iter().map(|(price, power)| (price.0, power.0)).collect();
        assert_eq!(found, expected, "{bus:?}");
    }

    #[test]
    fn answers_add_up_where_all_of_them_are_known() {
        let (one, two): (Id, Id) = ("a1".parse().unwrap(), "a2".parse().unwrap());
        let mut curves = Curves::default();
        assert!(curves.demand(Interval::default(), None).is_none());
        let first = question(1, &[&[0, 10, 20]], &[("b", &[0]), ("c", &[0])]);
        curves.ask(&one, &first);
        curves.ask(&two, &first);
        curves.answer(&one, &demand(1, &[("b", &[9, 5, 1]), ("c", &[3, 2, 1])]));
        curves.answer(&two, &demand(1, &[("b", &[7, 7, 0]), ("c", &[0, 0, -4])]));
        check(&curves, None, &[(0, 19), (10, 14), (20, -2)]);
        check(&curves, Some("b"), &[(0, 16), (10, 12), (20, 1)]);
        curves.ask(&one, &question(2, &[&[1, 2], &[11, 12]], &[("b", &[1])]));
        curves.answer(&one, &demand(2, &[("b", &[4, 4]), ("nowhere", &[1])]));
        curves.answer(&one, &demand(3, &[("b", &[100])]));
        check(&curves, Some("b"), &[(0, 16), (10, 12), (20, 1)]);
        curves.ask(&two, &question(2, &[&[11, 12]], &[("b", &[0])]));
        curves.answer(&two, &demand(2, &[("b", &[6, 6])]));
        check(&curves, Some("b"), &[(0, 16), (10, 12), (11, 10), (12, 10), (20, 1)]);
    }
}
