//! From what the rounds still have to know to what each aggregator is asked.

use super::answers::Buses;
use market::clearing::sampled::Question;
use market::interval::Interval;
use std::collections::BTreeMap;
use wire::message::{BusQuestion, PriceQuestion, PriceWindow};
use wire::party::PartyId;

/// What each aggregator is asked in `round`: of its buses, those that matter, and the windows they matter
/// in. An aggregator whose buses don't matter is not asked.
pub fn questions(
    aggregators: &BTreeMap<PartyId, Buses>,
    interval: Interval,
    round: u32,
    question: &Question,
) -> BTreeMap<PartyId, PriceQuestion> {
    let asked = aggregators
        .iter()
        .map(|(aggregator, buses)| (aggregator.clone(), of_aggregator(buses, interval, round, question)));
    asked.filter(|(_, question)| !question.buses.is_empty()).collect()
}

fn of_aggregator(buses: &Buses, interval: Interval, round: u32, question: &Question) -> PriceQuestion {
    let asked = || {
        let of = |place: &usize| question.of_bus.get(*place).map_or(&[][..], Vec::as_slice);
        buses.iter().map(move |(bus, (place, _))| (bus, of(place))).filter(|(_, windows)| !windows.is_empty())
    };
    let mut number = BTreeMap::new();
    for window in asked().flat_map(|(_, windows)| windows) {
        number.insert(*window, 0u32);
    }
    number.values_mut().zip(0..).for_each(|(number, place)| *number = place);
    let windows = number.keys().filter_map(|place| question.windows.get(*place));
    let windows = windows.map(|w| PriceWindow { from: w.from, to: w.to, ticks: w.ticks.clone() });
    let renumbered = |windows: &[usize]| windows.iter().filter_map(|w| number.get(w).copied()).collect();
    let buses = asked().map(|(bus, windows)| BusQuestion { bus: bus.clone(), windows: renumbered(windows) });
    PriceQuestion { interval, round, windows: windows.collect(), buses: buses.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene;
    use market::clearing::sampled::Window;
    use market::units::{Milliwatt, PicoEurPerWh};

    #[test]
    fn an_aggregator_is_asked_only_what_its_buses_matter_in() {
        let window = |tick| {
            let tick = PicoEurPerWh(tick);
            Window { from: tick, to: tick.next(), ticks: vec![tick] }
        };
        let question = Question {
            windows: vec![window(3), window(5), window(7)],
            of_bus: vec![vec![], vec![0, 2], vec![2], vec![1]],
        };
        let buses = |at: &[(&str, usize)]| {
            at.iter().map(|(bus, place)| (bus.to_string(), (*place, Milliwatt(1)))).collect()
        };
        let aggregators: BTreeMap<PartyId, Buses> = BTreeMap::from([
            (scene::aggregator("a1"), buses(&[("x", 2), ("y", 1), ("z", 0)])),
            (scene::aggregator("a2"), buses(&[("z", 0)])),
        ]);
        let asked = questions(&aggregators, Interval::default(), 2, &question);
        assert_eq!(asked.keys().collect::<Vec<_>>(), [&scene::aggregator("a1")]);
        let asked = &asked[&scene::aggregator("a1")];
        let ticks: Vec<i64> = asked.windows.iter().map(|window| window.ticks[0].0).collect();
        assert_eq!((asked.round, ticks), (2, vec![3, 7]));
        let at = |bus: &str, windows: &[u32]| BusQuestion { bus: bus.to_owned(), windows: windows.to_vec() };
        assert_eq!(asked.buses, [at("x", &[1]), at("y", &[0, 1])]);
    }
}
