//! Curves added, limited and coarsened: what a connection point does with its devices' curves.
//!
//! Step curves (every run horizontal or vertical) are added and limited exactly. Where a slope is
//! cut between its ends the new corner is rounded down to the milliwatt, so that `H` of a sum of
//! `k` sloped curves lies within `k` mW of the sum of their `H`, and `H` of a limited slope within
//! 1 mW of the limited `H`.

use crate::curve::{interpolate, Breakpoint, CurveError, FlexCurve, MAX_BREAKPOINTS};
use crate::units::{Milliwatt, PicoEurPerWh};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The sum of `curves`; no curve at all makes zero at any price.
///
/// More corners than [`MAX_BREAKPOINTS`] are thinned as [`coarsen`] does.
///
/// # Errors
/// [`CurveError::OutOfBounds`] where the sum's power leaves what the market accepts.
pub fn sum<'a>(curves: impl IntoIterator<Item = &'a FlexCurve>) -> Result<FlexCurve, CurveError> {
    let mut walks: Vec<Walk<'a>> =
        curves.into_iter().map(|curve| Walk { points: curve.points(), next: 0 }).collect();
    let mut points = Vec::with_capacity(2 * walks.iter().map(|walk| walk.points.len()).sum::<usize>());
    while let Some(price) = walks.iter().filter_map(Walk::price).min() {
        let (mut top, mut bottom) = (0i64, 0i64);
        for walk in &mut walks {
            let (above, below) = walk.step_to(price);
            (top, bottom) = (top.saturating_add(above.0), bottom.saturating_add(below.0));
        }
        points.push(Breakpoint { price, power: Milliwatt(top) });
        if bottom < top {
            points.push(Breakpoint { price, power: Milliwatt(bottom) });
        }
    }
    if points.is_empty() {
        return Ok(FlexCurve::inelastic(Milliwatt::ZERO));
    }
    FlexCurve::new(coarsen(points, MAX_BREAKPOINTS))
}

/// One curve of a sum, walked through in order of price.
struct Walk<'a> {
    points: &'a [Breakpoint],
    /// The first corner not yet passed.
    next: usize,
}

impl Walk<'_> {
    /// Price of the next corner.
    fn price(&self) -> Option<PicoEurPerWh> {
        self.points.get(self.next).map(|point| point.price)
    }

    /// Power at `price`, a step there counted whole, and just above it. No corner before it is left to pass;
    /// those at it are.
    fn step_to(&mut self, price: PicoEurPerWh) -> (Milliwatt, Milliwatt) {
        let before = self.next.checked_sub(1).map(|last| self.points[last]);
        match (before, self.points.get(self.next)) {
            (_, Some(point)) if point.price == price => {
                let at = self.points[self.next..].iter().take_while(|point| point.price == price).count();
                self.next += at;
                (point.power, self.points[self.next - 1].power)
            }
            (Some(before), Some(after)) => {
                let power = interpolate(before, *after, price);
                (power, power)
            }
            (Some(end), None) => (end.power, end.power),
            (None, next) => next.map_or_else(Default::default, |first| (first.power, first.power)),
        }
    }
}

/// `curve` with its power kept from `low` to `high`, as a connection limit does. `low` above `high`
/// makes `high` at any price.
///
/// # Errors
/// [`CurveError::OutOfBounds`] where a limit leaves what the market accepts.
pub fn clamp(curve: FlexCurve, low: Milliwatt, high: Milliwatt) -> Result<FlexCurve, CurveError> {
    if low <= curve.power_min() && curve.power_max() <= high {
        return Ok(curve);
    }
    let points = limit_from_above(&curve, high);
    let points = limit_from_below(&FlexCurve::new(points)?, low.min(high));
    FlexCurve::new(coarsen(points, MAX_BREAKPOINTS))
}

/// At most `count` (at least 2) of the corners in `points`, which stand in order of price.
///
/// Corners that change nothing go first; then always the one whose loss moves the least
/// price times power (the triangle with its neighbours; Visvalingam and Whyatt, 1993). The ends
/// stay, so neither the most nor the least power changes, and the curve stays non-increasing.
pub fn coarsen(points: Vec<Breakpoint>, count: usize) -> Vec<Breakpoint> {
    let points = turns(points);
    if points.len() <= count.max(2) {
        return points;
    }
    let mut before: Vec<usize> = (0..points.len()).map(|i| i.saturating_sub(1)).collect();
    let mut after: Vec<usize> = (1..=points.len()).collect();
    let mut areas: Vec<Option<u128>> = vec![None; points.len()];
    let mut least = BinaryHeap::new();
    let inner = 1..points.len().saturating_sub(1);
    for i in inner {
        let area = triangle(points[i - 1], points[i], points[i + 1]);
        areas[i] = Some(area);
        least.push(Reverse((area, i)));
    }
    let mut kept = points.len();
    while let Some(Reverse((area, i))) = least.pop() {
        if areas[i] != Some(area) {
            continue;
        }
        if area > 0 && kept <= count.max(2) {
            break;
        }
        areas[i] = None;
        kept -= 1;
        let (left, right) = (before[i], after[i]);
        (after[left], before[right]) = (right, left);
        for j in [left, right] {
            if areas[j].is_some() {
                // Never below what was already removed, or a shape would be eaten from one side.
                let area = triangle(points[before[j]], points[j], points[after[j]]).max(area);
                areas[j] = Some(area);
                least.push(Reverse((area, j)));
            }
        }
    }
    let last = points.len().saturating_sub(1);
    let stays =
        |(i, point): (usize, &Breakpoint)| (i == 0 || i == last || areas[i].is_some()).then_some(*point);
    points.iter().enumerate().filter_map(stays).collect()
}

/// `points` without those that lie straight between their neighbours.
fn turns(mut points: Vec<Breakpoint>) -> Vec<Breakpoint> {
    let mut kept = 0;
    for i in 0..points.len() {
        let point = points[i];
        while kept >= 2 && triangle(points[kept - 2], points[kept - 1], point) == 0 {
            kept -= 1;
        }
        points[kept] = point;
        kept += 1;
    }
    points.truncate(kept);
    points
}

fn limit_from_above(curve: &FlexCurve, high: Milliwatt) -> Vec<Breakpoint> {
    let points = curve.points();
    let within = points.partition_point(|point| point.power > high);
    if within == 0 {
        return points.to_vec();
    }
    let Some(&next) = points.get(within) else {
        return vec![Breakpoint { price: points[0].price, power: high }];
    };
    let over = points[within - 1];
    let tick = first_tick(over.price, next.price, |tick| curve.power_at(tick) <= high);
    let mut limited = vec![Breakpoint { price: PicoEurPerWh(tick.0 - 1).max(over.price), power: high }];
    if tick < next.price {
        limited.push(Breakpoint { price: tick, power: curve.power_at(tick) });
    }
    limited.extend_from_slice(&points[within..]);
    limited
}

fn limit_from_below(curve: &FlexCurve, low: Milliwatt) -> Vec<Breakpoint> {
    let points = curve.points();
    let under = points.partition_point(|point| point.power >= low);
    if under == points.len() {
        return points.to_vec();
    }
    if under == 0 {
        return vec![Breakpoint { price: points[0].price, power: low }];
    }
    let (over, next) = (points[under - 1], points[under]);
    let mut limited = points[..under].to_vec();
    if over.price == next.price {
        limited.push(Breakpoint { price: over.price, power: low });
        return limited;
    }
    let tick = first_tick(over.price, next.price, |tick| curve.power_at(tick) < low);
    let before = PicoEurPerWh(tick.0 - 1);
    if before > over.price {
        limited.push(Breakpoint { price: before, power: curve.power_at(before) });
    }
    limited.push(Breakpoint { price: tick, power: low });
    limited
}

/// The first tick after `from`, at most `to`, where `holds`, which from some tick on is true.
fn first_tick(from: PicoEurPerWh, to: PicoEurPerWh, holds: impl Fn(PicoEurPerWh) -> bool) -> PicoEurPerWh {
    let (mut out, mut within) = (from.0, to.0);
    while within - out > 1 {
        let middle = out + (within - out) / 2;
        if holds(PicoEurPerWh(middle)) {
            within = middle;
        } else {
            out = middle;
        }
    }
    PicoEurPerWh(within)
}

/// Twice the area of a triangle, in price ticks times milliwatts.
fn triangle(a: Breakpoint, b: Breakpoint, c: Breakpoint) -> u128 {
    if (a.price == b.price && b.price == c.price) || (a.power == b.power && b.power == c.power) {
        return 0;
    }
    let (ab_price, ab_power) = ((b.price - a.price).0 as i128, (b.power - a.power).0 as i128);
    let (ac_price, ac_power) = ((c.price - a.price).0 as i128, (c.power - a.power).0 as i128);
    (ab_price * ac_power - ac_price * ab_power).unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn curve(points: &[(i64, i64)]) -> FlexCurve {
        FlexCurve::new(breakpoints(points)).unwrap()
    }

    fn breakpoints(points: &[(i64, i64)]) -> Vec<Breakpoint> {
        let point = |(price, power): &(i64, i64)| Breakpoint {
            price: PicoEurPerWh(*price),
            power: Milliwatt(*power),
        };
        points.iter().map(point).collect()
    }

    /// Any valid curve: prices and powers from steps to both sides, vertical and horizontal among them.
    fn any_curve() -> impl Strategy<Value = FlexCurve> {
        let rise = prop_oneof![Just(0i64), 1i64..40];
        (-60i64..60, -500i64..500, prop::collection::vec((rise.clone(), rise), 0..9)).prop_map(
            |(price, power, moves)| {
                let mut points = vec![(price, power)];
                for (dearer, less) in moves {
                    let (price, power) = points[points.len() - 1];
                    points.push((price + dearer, power - 7 * less));
                }
                curve(&points)
            },
        )
    }

    fn any_steps() -> impl Strategy<Value = FlexCurve> {
        any_curve().prop_map(|sloped| {
            let mut points = Vec::new();
            for point in sloped.points() {
                if let Some(last) = points.last().copied() {
                    let (_, power): (i64, i64) = last;
                    points.push((point.price.0, power));
                }
                points.push((point.price.0, point.power.0));
            }
            curve(&points)
        })
    }

    fn ticks() -> impl Iterator<Item = PicoEurPerWh> {
        (-80..460).map(PicoEurPerWh)
    }

    proptest! {
        #[test]
        fn a_sum_of_steps_is_exact_at_every_tick(curves in prop::collection::vec(any_steps(), 0..6)) {
            let sum = sum(&curves).unwrap();
            for tick in ticks() {
                let expected: Milliwatt = curves.iter().map(|c| c.power_at(tick)).sum();
                prop_assert_eq!(sum.power_at(tick), expected, "at {}", tick);
            }
        }

        #[test]
        fn a_sum_of_slopes_is_within_a_milliwatt_a_curve(curves in prop::collection::vec(any_curve(), 1..6)) {
            let sum = sum(&curves).unwrap();
            for tick in ticks() {
                let expected: Milliwatt = curves.iter().map(|c| c.power_at(tick)).sum();
                let off = (sum.power_at(tick) - expected).0.abs();
                prop_assert!(off <= curves.len() as i64, "{} mW off at {}", off, tick);
            }
        }

        #[test]
        fn a_limit_holds_and_changes_nothing_within(curve in any_curve(), a in -600i64..600, b in -600i64..600) {
            let (low, high) = (Milliwatt(a.min(b)), Milliwatt(a.max(b)));
            let limited = clamp(curve.clone(), low, high).unwrap();
            // Each limit cuts a slope at a tick, where its power is rounded; what lies beside the cut is rounded again.
            let cuts = i64::from(curve.power_max() > high) + i64::from(curve.power_min() < low);
            for tick in ticks() {
                let expected = curve.power_at(tick).clamp(low, high);
                let power = limited.power_at(tick);
                prop_assert!((power - expected).0.abs() <= cuts, "{} for {} at {}", power, expected, tick);
                prop_assert!(low <= power && power <= high);
            }
        }

        #[test]
        fn a_limit_on_steps_is_exact(curve in any_steps(), a in -600i64..600, b in -600i64..600) {
            let (low, high) = (Milliwatt(a.min(b)), Milliwatt(a.max(b)));
            let limited = clamp(curve.clone(), low, high).unwrap();
            for tick in ticks() {
                prop_assert_eq!(limited.power_at(tick), curve.power_at(tick).clamp(low, high));
            }
        }

        #[test]
        fn thinning_keeps_the_ends_and_the_order(curve in any_curve(), count in 2usize..6) {
            let thin = coarsen(curve.points().to_vec(), count);
            prop_assert!(thin.len() <= count.max(2));
            let thin = FlexCurve::new(thin).unwrap();
            prop_assert_eq!((thin.power_max(), thin.power_min()), (curve.power_max(), curve.power_min()));
        }
    }

    #[test]
    fn a_sum_says_each_corner_once() {
        let sum = sum(&[curve(&[(0, 5)]), curve(&[(60, 6), (60, 0)]), curve(&[(60, 1), (60, -3)])]).unwrap();
        assert_eq!(sum.points(), breakpoints(&[(0, 12), (60, 12), (60, 2)]));
    }

    #[test]
    fn no_curves_make_nothing_at_any_price() {
        assert_eq!(sum(&[]).unwrap(), FlexCurve::inelastic(Milliwatt::ZERO));
    }

    #[test]
    fn corners_that_change_nothing_go_and_others_stay_while_there_is_room() {
        let stairs = breakpoints(&[(0, 9), (1, 9), (2, 9), (2, 6), (2, 5), (4, 5), (4, 0)]);
        assert_eq!(coarsen(stairs, 512), breakpoints(&[(0, 9), (2, 9), (2, 5), (4, 5), (4, 0)]));
    }

    #[test]
    fn more_corners_than_a_curve_may_have_are_thinned_to_fit() {
        let many = |offset: i64| {
            let corner = |i: i64| [(10 * i + offset, 2_000 - 2 * i), (10 * i + offset, 1_998 - 2 * i)];
            curve(&(0..250).flat_map(corner).collect::<Vec<_>>())
        };
        let sum = sum(&[many(0), many(3), many(7)]).unwrap();
        assert_eq!(sum.points().len(), MAX_BREAKPOINTS);
        assert_eq!((sum.power_max().0, sum.power_min().0), (6_000, 4_500));
    }
}
