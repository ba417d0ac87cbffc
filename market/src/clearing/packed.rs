//! One site's curve as it lies in a [`super::book::Book`]: four bytes a figure where all of them fit,
//! eight where they don't. What is read of it is the same either way.

use super::piece::Piece;
use crate::curve::Breakpoint;

/// A figure of a curve: a price in ticks or a power in milliwatts.
pub(crate) trait Figure: Copy + Into<i64> + Ord + 'static {
    /// No tick lies above it.
    const ABOVE_ALL: Self;
    /// The tick as a figure that lies above the same prices as the tick does.
    fn tick(tick: i64) -> Self;
}

impl Figure for i64 {
    const ABOVE_ALL: Self = i64::MAX;
    #[inline]
    fn tick(tick: i64) -> Self {
        tick
    }
}

/// Largest magnitude of four bytes. One less than there could be, so that a tick beyond them all still
/// lies above every price.
const NARROW_MAX: i64 = i32::MAX as i64 - 1;

impl Figure for i32 {
    const ABOVE_ALL: Self = i32::MAX;
    #[inline]
    fn tick(tick: i64) -> Self {
        tick.clamp(i32::MIN.into(), i32::MAX.into()) as i32
    }
}

/// The figure in four bytes, where it fits.
pub(crate) fn narrow(figure: i64) -> Option<i32> {
    (-NARROW_MAX..=NARROW_MAX).contains(&figure).then_some(figure as i32)
}

/// A curve's breakpoints, in order of price: at least one.
#[derive(Clone, Copy)]
pub(crate) struct Curve<'a, F> {
    /// As many prices as there are powers, and then what lies above every tick.
    prices: &'a [[F; AT_ONCE]],
    powers: &'a [F],
}

/// A curve of either width.
#[derive(Clone, Copy)]
pub(crate) enum Packed<'a> {
    Narrow(Curve<'a, i32>),
    Wide(Curve<'a, i64>),
}

/// Does the same with a curve of either width, compiled for each.
macro_rules! either {
    ($packed:expr, $curve:ident => $act:expr) => {
        match $packed {
            $crate::clearing::packed::Packed::Narrow($curve) => $act,
            $crate::clearing::packed::Packed::Wide($curve) => $act,
        }
    };
}
pub(crate) use either;

/// Prices compared at once, which costs less than deciding which of them to compare.
const AT_ONCE: usize = 8;

/// How many figures a curve of so many breakpoints takes up.
pub(crate) fn figures(breakpoints: usize) -> usize {
    breakpoints.next_multiple_of(AT_ONCE) + breakpoints
}

/// A curve's figures as [`Curve::of`] reads them, each as `figure` gives it.
pub(crate) fn pack<'a, F: Figure, G: Fn(i64) -> F + Copy + 'a>(
    points: &'a [Breakpoint],
    figure: G,
) -> impl Iterator<Item = F> + 'a {
    let filler = std::iter::repeat_n(F::ABOVE_ALL, points.len().next_multiple_of(AT_ONCE) - points.len());
    let prices = points.iter().map(move |point| figure(point.price.0));
    prices.chain(filler).chain(points.iter().map(move |point| figure(point.power.0)))
}

impl<'a, F: Figure> Curve<'a, F> {
    /// A curve of so many breakpoints from its packed figures.
    #[inline]
    pub fn of(figures: &'a [F], breakpoints: usize) -> Self {
        let (prices, powers) = figures.split_at(figures.len() - breakpoints);
        Self { prices: prices.as_chunks().0, powers }
    }

    #[inline]
    pub fn len(self) -> usize {
        self.powers.len()
    }

    #[inline]
    pub fn price(self, breakpoint: usize) -> i64 {
        self.prices.as_flattened()[breakpoint].into()
    }

    #[inline]
    pub fn power(self, breakpoint: usize) -> i64 {
        self.powers[breakpoint].into()
    }

    /// How many breakpoints lie below a tick.
    #[inline]
    pub fn below(self, tick: i64) -> usize {
        let tick = F::tick(tick);
        let count = |prices: &[F; AT_ONCE]| prices.iter().map(|price| u32::from(*price < tick)).sum::<u32>();
        let count = match self.prices {
            // Most curves are no longer, and a loop would be laid out for many.
            [prices] => count(prices),
            prices => prices.iter().map(count).sum(),
        };
        count as usize
    }

    /// The stretch that ends at a breakpoint other than the first.
    #[inline]
    pub fn piece(self, end: usize) -> Piece {
        Piece::between(self.price(end - 1), self.price(end), self.power(end - 1) - self.power(end))
    }

    /// Power at a tick; as [`crate::curve::FlexCurve::power_at`].
    #[inline]
    pub fn power_at(self, tick: i64) -> i64 {
        let next = self.below(tick);
        if next == 0 {
            return self.power(0);
        }
        if next == self.len() {
            return self.power(next - 1);
        }
        self.power(next) + self.piece(next).at(tick)
    }

    /// Power just above a price, and by how much more it is at the price.
    #[inline]
    pub fn step_at(self, price: i64) -> (i64, i64) {
        let next = self.below(price);
        if next == self.len() {
            return (self.power(next - 1), 0);
        }
        if self.price(next) == price {
            let (low, high) = (self.power_at(price + 1), self.power_at(price));
            return (low, high - low);
        }
        if next == 0 {
            return (self.power(0), 0);
        }
        let (at, step) = self.piece(next).step(price);
        (self.power(next) + at - step, step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::FlexCurve;
    use crate::units::{Milliwatt, PicoEurPerWh};
    use proptest::prelude::*;

    /// Prices around the largest that fit four bytes, so that both widths are read at ticks beyond.
    fn points() -> impl Strategy<Value = Vec<Breakpoint>> {
        let start = prop_oneof![-NARROW_MAX..=NARROW_MAX, Just(-NARROW_MAX), Just(NARROW_MAX - 90)];
        let steps = prop::collection::vec((prop_oneof![Just(0i64), 1..40i64], 0..30i64), 0..80);
        (start, steps).prop_map(|(start, steps)| {
            let mut corner = Breakpoint { price: PicoEurPerWh(start), power: Milliwatt(0) };
            let mut points = vec![corner];
            for (rise, fall) in steps {
                corner.price.0 = (corner.price.0 + rise).min(NARROW_MAX);
                corner.power.0 -= fall;
                points.push(corner);
            }
            points
        })
    }

    proptest! {
        #[test]
        fn four_bytes_say_the_same_as_eight(points in points(), ahead in -60i64..2_000) {
            let wide: Vec<i64> = pack(&points, |figure| figure).collect();
            let narrow: Vec<i32> = pack(&points, |figure| narrow(figure).unwrap()).collect();
            prop_assert_eq!((figures(points.len()), figures(points.len())), (wide.len(), narrow.len()));
            let (wide, narrow) = (Curve::of(&wide, points.len()), Curve::of(&narrow, points.len()));
            let (first, last) = (points[0].price.0, points[points.len() - 1].price.0);
            let curve = FlexCurve::new(points.clone()).unwrap();
            for tick in [first + ahead, first, last, NARROW_MAX + ahead] {
                let below = points.iter().filter(|point| point.price.0 < tick).count();
                prop_assert_eq!((wide.below(tick), narrow.below(tick)), (below, below));
                let demand = curve.demand_at(PicoEurPerWh(tick));
                let step = (demand.low.0, demand.step().0);
                prop_assert_eq!((wide.step_at(tick), narrow.step_at(tick)), (step, step));
            }
        }
    }

    #[test]
    fn what_four_bytes_do_not_hold_stays_wide() {
        for figure in [i64::MIN, i32::MIN.into(), i32::MAX.into(), i64::MAX] {
            assert_eq!(narrow(figure), None);
        }
        assert_eq!((narrow(NARROW_MAX), narrow(-NARROW_MAX)), (Some(i32::MAX - 1), Some(1 - i32::MAX)));
    }
}
