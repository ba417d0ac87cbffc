//! From what a session's rounds still have to know to what each aggregator is asked.

use super::Buses;
use market::clearing::sampled::{Question, Window};
use market::interval::Interval;
use market::units::PicoEurPerWh;
use std::collections::BTreeMap;
use wire::message::day_ahead::{AskedAt, DayAheadQuestion};
use wire::message::series::{RisingPrices, SeriesError};
use wire::party::PartyId;

/// What each aggregator is asked in `round`: one question for each interval's, of its own buses those that
/// matter, in the windows they matter in. An aggregator whose buses don't matter anywhere is not asked.
///
/// # Errors
/// Where a window's ticks don't rise.
pub(super) fn questions(
    aggregators: &BTreeMap<PartyId, Buses>,
    session: Interval,
    round: u32,
    intervals: &[Question],
) -> Result<BTreeMap<PartyId, DayAheadQuestion>, SeriesError> {
    let mut asked = BTreeMap::new();
    for (aggregator, buses) in aggregators {
        let question = of_aggregator(buses, session, round, intervals)?;
        if !question.asked.is_empty() {
            asked.insert(aggregator.clone(), question);
        }
    }
    Ok(asked)
}

fn of_aggregator(
    buses: &Buses,
    session: Interval,
    round: u32,
    intervals: &[Question],
) -> Result<DayAheadQuestion, SeriesError> {
    // Intervals often ask in the same windows, which are told once.
    let mut known: BTreeMap<Vec<PicoEurPerWh>, u32> = BTreeMap::new();
    let mut windows = Vec::new();
    let mut asked = Vec::new();
    for (interval, question) in (0..).zip(intervals) {
        for bus in buses.keys() {
            let here = question.of_bus.get(*bus as usize).map_or(&[][..], Vec::as_slice);
            let mut places = Vec::with_capacity(here.len());
            for window in here.iter().filter_map(|place| question.windows.get(*place)) {
                let ticks = whole(window);
                if let Some(place) = known.get(&ticks) {
                    places.push(*place);
                    continue;
                }
                let place = known.len() as u32;
                windows.push(RisingPrices::new(ticks.clone())?);
                known.insert(ticks, place);
                places.push(place);
            }
            if !places.is_empty() {
                asked.push(AskedAt { interval, bus: *bus, windows: places });
            }
        }
    }
    Ok(DayAheadQuestion { session, round, windows, asked })
}

/// A window's ticks, its ends among them: to those who are asked it is no more than its ticks.
fn whole(window: &Window) -> Vec<PicoEurPerWh> {
    let Window { from, to, ticks } = window;
    let first = ticks.first().is_none_or(|first| from < first).then_some(*from);
    let last = ticks.last().or(first.as_ref()).is_none_or(|last| last < to).then_some(*to);
    first.into_iter().chain(ticks.iter().copied()).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene;
    use market::units::Milliwatt;

    fn window(ticks: &[i64]) -> Window {
        let ticks: Vec<PicoEurPerWh> = ticks.iter().copied().map(PicoEurPerWh).collect();
        Window { from: ticks[0], to: ticks[ticks.len() - 1], ticks }
    }

    #[test]
    fn an_aggregator_is_asked_once_about_a_window_and_only_where_its_buses_matter() {
        let intervals = [
            Question { windows: vec![window(&[1, 5]), window(&[5, 9])], of_bus: vec![vec![], vec![0, 1]] },
            Question { windows: vec![], of_bus: vec![vec![], vec![]] },
            Question { windows: vec![window(&[5, 9])], of_bus: vec![vec![0], vec![0], vec![0]] },
        ];
        let buses = |at: &[u32]| at.iter().map(|bus| (*bus, Milliwatt(1))).collect::<Buses>();
        let (a1, a2, a3) = (scene::aggregator("a1"), scene::aggregator("a2"), scene::aggregator("a3"));
        let aggregators = [(a1.clone(), buses(&[1, 2])), (a2.clone(), buses(&[0])), (a3, buses(&[7]))].into();
        let asked = questions(&aggregators, Interval::default(), 2, &intervals).unwrap();
        let at = |interval, bus, windows: &[u32]| AskedAt { interval, bus, windows: windows.to_vec() };
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[&a1].asked, [at(0, 1, &[0, 1]), at(2, 1, &[1]), at(2, 2, &[1])]);
        assert_eq!(asked[&a1].windows.len(), 2);
        assert_eq!(asked[&a2].asked, [at(2, 0, &[0])]);
        assert_eq!(asked[&a2].windows[0].prices(), [5, 9].map(PicoEurPerWh));
    }

    #[test]
    fn a_window_s_ends_are_asked_as_well() {
        let check = |from: i64, to: i64, ticks: &[i64], expected: &[i64]| {
            let ticks = ticks.iter().copied().map(PicoEurPerWh).collect();
            let asked = whole(&Window { from: PicoEurPerWh(from), to: PicoEurPerWh(to), ticks });
            assert_eq!(asked.iter().map(|tick| tick.0).collect::<Vec<_>>(), expected);
        };
        check(1, 9, &[1, 4, 9], &[1, 4, 9]);
        check(1, 9, &[4], &[1, 4, 9]);
        check(4, 4, &[4], &[4]);
        check(4, 4, &[], &[4]);
        check(4, 6, &[], &[4, 6]);
    }
}
