//! What one bus takes at every tick near its price, exactly: sums of curves that are each rounded down,
//! which no shorter sum gives.

use crate::clearing::book::Book;
use crate::clearing::packed::{either, Curve, Figure, Packed};
use crate::clearing::piece::Piece;
use std::ops::Range;

/// A bus's demand at each tick from `from` on.
#[derive(Clone, Debug)]
pub(super) struct Near {
    from: i64,
    /// At least one.
    powers: Vec<i64>,
}

impl Near {
    /// What some sites take at the ticks from `from` to `to`, both included.
    pub fn of(book: &Book, sites: Range<usize>, (from, to): (i64, i64)) -> Self {
        let mut falls = vec![0; (to - from) as usize];
        let mut power = 0;
        for site in sites {
            power += book.power_at(site, from);
            add_falls(book.curve(site), from, 1, &mut falls);
        }
        let mut powers = Vec::with_capacity(falls.len() + 1);
        powers.push(power);
        powers.extend(falls.iter().map(|fall| {
            power -= fall;
            power
        }));
        Self { from, powers }
    }

    /// The first and the last tick.
    pub fn window(&self) -> (i64, i64) {
        (self.from, self.from + self.powers.len() as i64 - 1)
    }

    /// What the bus takes at a tick; none outside the window.
    pub fn at(&self, tick: i64) -> Option<i64> {
        self.powers.get(usize::try_from(tick.checked_sub(self.from)?).ok()?).copied()
    }

    /// Puts one curve in the place of another.
    pub fn change(&mut self, old: Packed<'_>, new: Packed<'_>) {
        let mut falls = vec![0; self.powers.len() - 1];
        add_falls(new, self.from, 1, &mut falls);
        add_falls(old, self.from, -1, &mut falls);
        let at_first = |curve| either!(curve, curve => curve.power_at(self.from));
        let mut more = at_first(new) - at_first(old);
        self.powers[0] += more;
        for (power, fall) in self.powers[1..].iter_mut().zip(falls) {
            more -= fall;
            *power += more;
        }
    }
}

/// Adds, for each tick from `from` on, `times` what a curve takes less at the next tick.
fn add_falls(curve: Packed<'_>, from: i64, times: i64, falls: &mut [i64]) {
    either!(curve, curve => add_falls_of(curve, from, times, falls));
}

fn add_falls_of<F: Figure>(curve: Curve<'_, F>, from: i64, times: i64, falls: &mut [i64]) {
    let to = from + falls.len() as i64;
    let first = curve.below(from).max(1);
    // A step at the last tick begins and ends beyond it.
    let last = curve.below(to).min(curve.len() - 1);
    for end in first..=last {
        add_falls_within(curve.piece(end), from, times, falls);
    }
}

/// The same for one piece: what it falls by in every tick, and a milliwatt wherever its exact value
/// passes one.
fn add_falls_within(piece: Piece, from: i64, times: i64, falls: &mut [i64]) {
    let to = from + falls.len() as i64;
    let (begin, end) = (piece.left().max(from), piece.right.min(to));
    if begin >= end {
        return;
    }
    let falls = &mut falls[(begin - from) as usize..(end - from) as usize];
    let (whole, part) = (piece.fall / piece.run, piece.fall % piece.run);
    if whole > 0 {
        falls.iter_mut().for_each(|fall| *fall += times * whole);
    }
    if part == 0 {
        return;
    }
    // With x ticks to go, the value is `part * x / run` rounded down; it falls within the next tick where
    // the remainder is less than `part`. From one such tick to the next the remainder moves by
    // `run % part`, as Bresenham's line does.
    let to_go = piece.right - begin;
    let remainder = (part as i128 * to_go as i128 % piece.run as i128) as i64;
    let (gap, drift) = ((piece.run / part) as usize, piece.run % part);
    let (mut tick, mut left_over) = ((remainder / part) as usize, remainder % part);
    while let Some(fall) = falls.get_mut(tick) {
        *fall += times;
        left_over += drift;
        let longer = left_over >= part;
        left_over -= if longer { part } else { 0 };
        tick += gap + usize::from(longer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::Breakpoint;
    use crate::units::{Milliwatt, PicoEurPerWh};
    use proptest::prelude::*;

    type Steps = Vec<(i64, i64)>;

    fn points((price, power, steps): &(i64, i64, Steps)) -> Vec<Breakpoint> {
        let mut corner = Breakpoint { price: PicoEurPerWh(*price), power: Milliwatt(*power) };
        let mut points = vec![corner];
        for (rise, fall) in steps {
            corner.price.0 += rise;
            corner.power.0 -= fall;
            points.push(corner);
        }
        points
    }

    /// Slopes from much less than a milliwatt a tick to many, steps and level stretches.
    fn site() -> impl Strategy<Value = (i64, i64, Steps)> {
        let figure = || prop_oneof![Just(0i64), 1..9i64, 1..900i64, 1..5_000_000_000i64];
        (-900i64..900, -500i64..500, prop::collection::vec((figure(), figure()), 0..9))
    }

    proptest! {
        #[test]
        fn every_tick_of_the_window_is_what_the_sites_take(
            sites in prop::collection::vec(site(), 1..9), other in site(), changed in any::<prop::sample::Index>(),
            from in -1_000i64..1_000, width in 0i64..400,
        ) {
            let mut book = Book::new(1);
            for site in &sites {
                book.push(0, &points(site)).unwrap();
            }
            let mut near = Near::of(&book, 0..sites.len(), (from, from + width));
            prop_assert_eq!(near.window(), (from, from + width));
            prop_assert_eq!((near.at(from - 1), near.at(from + width + 1)), (None, None));
            let changed = changed.index(sites.len());
            let mut after = book.clone();
            after.replace(changed, &points(&other)).unwrap();
            for book in [&book, &after] {
                for tick in from..=from + width {
                    let exact = (0..sites.len()).map(|site| book.power_at(site, tick)).sum();
                    prop_assert_eq!(near.at(tick), Some(exact), "at {}", tick);
                }
                near.change(book.curve(changed), after.curve(changed));
            }
        }
    }
}
