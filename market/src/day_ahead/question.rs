//! What a session's parties are asked: prices by interval and bus, few enough for an answer to be one message.

use crate::clearing::sampled::{Question, Window, FIRST_PARTS};
use crate::clearing::PriceRange;
use crate::supply::SupplyCurve;
use crate::units::PicoEurPerWh;
use std::collections::BTreeMap;

/// Most prices asked in one question, over all intervals and buses: at five bytes an answer some 750 kB.
/// On feeders with more than some 9,000 pairs of bus and interval the fewest that help are more.
pub const MAX_ASKED: usize = 150_000;

/// Fewest and most prices that one bus is asked in one interval.
const ROOM: (usize, usize) = (16, 320);

/// How many prices each of so many pairs of bus and interval may be asked.
pub(super) fn room(pairs: usize) -> usize {
    (MAX_ASKED / pairs.max(1)).clamp(ROOM.0, ROOM.1)
}

/// Windows by what they ask, so that buses which ask the same share one.
#[derive(Default)]
pub(super) struct Windows {
    windows: Vec<Window>,
    number: BTreeMap<Vec<PicoEurPerWh>, usize>,
}

impl Windows {
    /// The number of the window that asks these ticks, at least one.
    pub fn number(&mut self, ticks: Vec<PicoEurPerWh>) -> usize {
        let next = self.windows.len();
        let (from, to) = (ticks[0], ticks[ticks.len() - 1]);
        let number = *self.number.entry(ticks.clone()).or_insert(next);
        if number == next {
            self.windows.push(Window { from, to, ticks });
        }
        number
    }

    pub fn asked(self, of_bus: Vec<Vec<usize>>) -> Question {
        Question { windows: self.windows, of_bus }
    }
}

fn sorted(mut ticks: Vec<i64>, (from, to): (i64, i64)) -> Vec<PicoEurPerWh> {
    ticks.retain(|tick| (from..=to).contains(tick));
    ticks.extend([from, to]);
    ticks.sort_unstable();
    ticks.dedup();
    ticks.into_iter().map(PicoEurPerWh).collect()
}

/// Inner edges of so many equal parts.
fn divide((from, to): (i64, i64), parts: usize, ticks: &mut Vec<i64>) {
    let (width, parts) = (i128::from(to) - i128::from(from), parts as i128);
    ticks.extend((1..parts).map(|k| from + (width * k / parts) as i64));
}

/// Ticks ever further from a price on both sides, each step `ratio` times the one before.
fn around(price: i64, nearest: i64, ratio: i64, (from, to): (i64, i64), ticks: &mut Vec<i64>) {
    let mut step = nearest.max(1);
    while price - step > from || price + step < to {
        ticks.extend([price - step, price + step]);
        step = step.saturating_mul(ratio);
        if step > to - from {
            break;
        }
    }
}

/// The first question about one interval, to every bus: the supply's breakpoints, ticks ever nearer to its
/// middle, and parts of the price range; `room` ticks at most.
pub(super) fn first(supply: &SupplyCurve, range: PriceRange, buses: usize, room: usize) -> Question {
    let ends = (range.min().0, range.max().0 + 1);
    let corners: Vec<i64> = supply.mirrored().points().iter().map(|point| point.price.0).collect();
    let mut ticks = Vec::new();
    let every = corners.len().div_ceil((room / 6).max(1)).max(1);
    ticks.extend(corners.iter().step_by(every).flat_map(|corner| [*corner, corner + 1]));
    let middle = corners.get(corners.len() / 2).copied().unwrap_or_default().clamp(ends.0, ends.1);
    // From 1 EUR/MWh on.
    around(middle, 1_000_000, if room < 64 { 4 } else { 2 }, ends, &mut ticks);
    let left = room.saturating_sub(ticks.len() + ENDS / 2);
    divide(ends, left.min(FIRST_PARTS as usize), &mut ticks);
    ticks.truncate(room.saturating_sub(ENDS / 2));
    let mut windows = Windows::default();
    let number = windows.number(sorted(ticks, ends));
    windows.asked(vec![vec![number]; buses])
}

/// Ends of the three windows around a price.
const ENDS: usize = 6;

/// What to ask around a price that lies between the two answers in the middle of `edges`: the ends of what
/// is tolerated around it, ticks ever further from it, and parts of the stretches between these answers,
/// `room` ticks at most. A window for each stretch, so that the middle one is narrow, and the parties tell
/// their corners there.
pub(super) fn around_price(
    edges: [i64; 4],
    price: i64,
    tolerance: i64,
    room: usize,
) -> Vec<Vec<PicoEurPerWh>> {
    let (ends, inner) = ((edges[0], edges[3]), (edges[1], edges[2]));
    let mut ticks = vec![price - tolerance, price, price + 1, price + tolerance];
    // With little room most of it goes to equal parts: a price in a step's stretch may lie anywhere there.
    let (stretch, ratio) = if room < 64 { (inner, 16) } else { (ends, 2) };
    around(price, tolerance.saturating_mul(2), ratio, stretch, &mut ticks);
    let left = room.saturating_sub(ticks.len() + ENDS);
    divide(inner, left * 3 / 4, &mut ticks);
    divide((edges[0], edges[1]), left / 8, &mut ticks);
    divide((edges[2], edges[3]), left / 8, &mut ticks);
    ticks.truncate(room.saturating_sub(ENDS));
    let stretches = edges.windows(2).filter(|pair| pair[0] < pair[1]);
    stretches.map(|pair| sorted(ticks.clone(), (pair[0], pair[1]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Milliwatt;

    #[test]
    fn windows_that_ask_the_same_are_one() {
        let ticks = |all: &[i64]| all.iter().copied().map(PicoEurPerWh).collect::<Vec<_>>();
        let mut windows = Windows::default();
        let numbers: Vec<usize> =
            [&[1, 5][..], &[2, 5], &[1, 5]].iter().map(|all| windows.number(ticks(all))).collect();
        assert_eq!(numbers, [0, 1, 0]);
        let question = windows.asked(vec![vec![0], vec![1]]);
        assert_eq!(
            question.windows[1],
            Window { from: PicoEurPerWh(2), to: PicoEurPerWh(5), ticks: ticks(&[2, 5]) }
        );
    }

    #[test]
    fn a_question_keeps_within_its_ends_and_its_room() {
        let edges = [-1_000_000_000, 0, 40_000_000, 4_000_000_001];
        for room in [16, 26, 40, 100, 320] {
            let asked = around_price(edges, 31_234_567, 1_000, room);
            let ticks: Vec<i64> = asked.iter().flatten().map(|tick| tick.0).collect();
            for (window, pair) in asked.iter().zip(edges.windows(2)) {
                assert!(window.windows(2).all(|pair| pair[0] < pair[1]));
                assert_eq!((window[0].0, window[window.len() - 1].0), (pair[0], pair[1]));
            }
            for tick in [31_233_567, 31_234_567, 31_234_568, 31_235_567] {
                assert!(ticks.contains(&tick), "{tick} in {room}");
            }
            assert!(asked.len() == 3 && ticks.len() <= room, "{} for {room}", ticks.len());
        }
        let one = around_price([0, 0, 10, 10], 5, 1_000, 20);
        assert_eq!(one.len(), 1, "{one:?}");
    }

    #[test]
    fn the_first_question_spans_the_range_and_knows_the_supply() {
        let range = PriceRange::new(PicoEurPerWh(-500_000_000), PicoEurPerWh(4_000_000_000)).unwrap();
        let power = |kw: i64| Milliwatt(kw * 1_000_000);
        let supply = SupplyCurve::flat(PicoEurPerWh(81_000_000), power(-400), power(400)).unwrap();
        for room in [16, 100, 200] {
            let question = first(&supply, range, 3, room);
            let ticks = &question.windows[0].ticks;
            assert_eq!((ticks[0].0, ticks[ticks.len() - 1].0), (-500_000_000, 4_000_000_001));
            assert!(ticks.contains(&PicoEurPerWh(81_000_000)) && ticks.contains(&PicoEurPerWh(81_000_001)));
            assert!(ticks.len() <= room, "{} for {room}", ticks.len());
            assert_eq!(question.of_bus, vec![vec![0]; 3]);
        }
    }
}
