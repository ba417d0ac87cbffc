//! What an aggregator does: adds its curves at one bus, keeps the sum to itself, and answers a window
//! of prices with a few of its points.

use super::Window;
use crate::curve::Breakpoint;
use crate::units::{Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};

/// Most points in one answer.
pub const MOST_POINTS: usize = 33;

/// Bits of fraction a milliwatt is summed with.
const FRACTION: u32 = 40;

/// The sum of many curves: as many breakpoints as all of them together, in order of price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedCurve {
    points: Vec<Breakpoint>,
}

/// Some points of a curve within a window, the window's ends among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampled {
    /// In order of price; at most [`MOST_POINTS`].
    pub points: Vec<Breakpoint>,
    /// Whether the curve has no other breakpoint in the window.
    pub complete: bool,
}

/// How the sum's course changes at a price.
#[derive(Clone, Copy)]
struct Turn {
    price: i64,
    /// Change of the fall from tick to tick, in parts of a milliwatt.
    slope: i128,
    /// What falls at once, in parts of a milliwatt.
    fall: i128,
}

impl MergedCurve {
    /// The sum of curves, each given by its breakpoints in order of price; zero at any price where
    /// there are none. Between breakpoints it is right to the milliwatt.
    pub fn of<'a>(curves: impl IntoIterator<Item = &'a [Breakpoint]>) -> Self {
        let (mut turns, mut level) = (Vec::new(), 0i128);
        for points in curves {
            level += points.first().map_or(0, |first| first.power.0) as i128;
            for pair in points.windows(2) {
                let (left, right) = (pair[0].price.0, pair[1].price.0);
                let fall = ((pair[0].power.0 - pair[1].power.0) as i128) << FRACTION;
                let run = (right - left) as i128;
                let slope = if run == 0 { 0 } else { fall / run };
                if run > 0 {
                    turns.push(Turn { price: left, slope, fall: 0 });
                }
                // What rounding the slope left falls at the end.
                turns.push(Turn { price: right, slope: -slope, fall: fall - slope * run });
            }
        }
        turns.sort_unstable_by_key(|turn| turn.price);
        let mut points = Vec::with_capacity(turns.len());
        let (mut level, mut slope, mut at) = (level << FRACTION, 0, turns.first().map_or(0, |t| t.price));
        let point = |price: i64, level: i128| Breakpoint {
            price: PicoEurPerWh(price),
            power: Milliwatt((level >> FRACTION) as i64),
        };
        for turns in turns.chunk_by(|a, b| a.price == b.price) {
            level -= slope * (turns[0].price - at) as i128;
            at = turns[0].price;
            points.push(point(at, level));
            level -= turns.iter().map(|turn| turn.fall).sum::<i128>();
            slope += turns.iter().map(|turn| turn.slope).sum::<i128>();
            let after = point(at, level);
            if points.last() != Some(&after) {
                points.push(after);
            }
        }
        if points.is_empty() {
            points.push(point(0, level));
        }
        Self { points }
    }

    /// Every breakpoint, in order of price.
    pub fn points(&self) -> &[Breakpoint] {
        &self.points
    }

    /// The curve's points within a window: all of them, or as many evenly chosen ones as an answer holds.
    pub fn sampled(&self, window: Window) -> Sampled {
        let Window { from, to } = window;
        let first = self.points.partition_point(|point| point.price < from);
        let last = self.points.partition_point(|point| point.price <= to).max(first);
        let within = &self.points[first..last];
        let mut points = Vec::with_capacity(MOST_POINTS);
        let open_left = within.first().is_none_or(|point| point.price != from);
        let open_right = within.last().is_none_or(|point| point.price != to) && from != to;
        if open_left {
            points.push(Breakpoint { price: from, power: self.power_between(first, from) });
        }
        let room = MOST_POINTS - usize::from(open_left) - usize::from(open_right);
        let complete = within.len() <= room;
        if complete {
            points.extend_from_slice(within);
        } else {
            points.extend((0..room).map(|k| within[k * (within.len() - 1) / (room - 1)]));
        }
        if open_right {
            points.push(Breakpoint { price: to, power: self.power_between(last, to) });
        }
        Sampled { points, complete }
    }

    /// Power at a price at which there is no breakpoint, `next` being the one after it.
    fn power_between(&self, next: usize, price: PicoEurPerWh) -> Milliwatt {
        let Some(before) = next.checked_sub(1).map(|before| self.points[before]) else {
            return self.points[0].power;
        };
        let Some(after) = self.points.get(next) else { return before.power };
        let fall = (before.power.0 - after.power.0) as i128;
        let (to_go, run) = ((after.price.0 - price.0) as i128, (after.price.0 - before.price.0) as i128);
        Milliwatt(after.power.0 + (fall * to_go / run) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::FlexCurve;
    use proptest::prelude::*;

    fn curve() -> impl Strategy<Value = Vec<Breakpoint>> {
        let step = (prop_oneof![Just(0i64), 1..40_000i64], 0..5_000i64);
        (-60_000..60_000i64, -9_000..9_000i64, prop::collection::vec(step, 0..8)).prop_map(
            |(price, power, steps)| {
                let mut corner = Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
                let mut points = vec![corner];
                for (rise, fall) in steps {
                    corner.price.0 += rise;
                    corner.power.0 -= fall;
                    points.push(corner);
                }
                points
            },
        )
    }

    fn window(from: i64, to: i64) -> Window {
        Window { from: PicoEurPerWh(from), to: PicoEurPerWh(to) }
    }

    proptest! {
        #[test]
        fn points_of_a_sum_lie_on_the_sum(
            curves in prop::collection::vec(curve(), 0..12), from in -200_000i64..200_000, width in 0i64..200_000,
        ) {
            let merged = MergedCurve::of(curves.iter().map(Vec::as_slice));
            let sampled = merged.sampled(window(from, from + width));
            prop_assert!(sampled.points.len() <= MOST_POINTS);
            prop_assert_eq!(sampled.points[0].price.0, from);
            prop_assert_eq!(sampled.points[sampled.points.len() - 1].price.0, from + width);
            let curves: Vec<_> = curves.into_iter().map(|points| FlexCurve::new(points).unwrap()).collect();
            for point in &sampled.points {
                // A vertical step holds every power from its foot to its top.
                let sum = |price| curves.iter().map(|curve| curve.power_at(price).0).sum::<i64>();
                let (top, foot) = (sum(point.price), sum(point.price.next()));
                let round = 1 + curves.len() as i64;
                prop_assert!(foot - round <= point.power.0 && point.power.0 <= top + round);
            }
            let inside = |curve: &FlexCurve| {
                curve.points().iter().filter(|p| from < p.price.0 && p.price.0 < from + width).count()
            };
            let prices_inside: usize = curves.iter().map(inside).sum();
            prop_assert!(sampled.complete || prices_inside * 2 + 4 > MOST_POINTS);
        }
    }

    #[test]
    fn a_long_curve_is_answered_in_part_first_and_then_whole() {
        let points: Vec<_> =
            (0..1_000).map(|i| Breakpoint { price: PicoEurPerWh(i * i), power: Milliwatt(-i) }).collect();
        let merged = MergedCurve::of([points.as_slice()]);
        let part = merged.sampled(window(-5, 2_000_000));
        assert!(!part.complete);
        assert_eq!(part.points.len(), MOST_POINTS);
        let whole = merged.sampled(window(10_000, 14_400));
        assert!(whole.complete);
        assert_eq!(whole.points, points[100..=120]);
    }
}
