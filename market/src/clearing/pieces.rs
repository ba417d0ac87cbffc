//! What one bus's demand is within a window of prices: the parts of its sites' curves that begin or
//! end there, one by one, and all the rest as a straight line.

use super::book::Book;
use super::bound::Bound;
use super::packed::{either, Curve, Figure};
use super::piece::{Lump, Piece};
use super::slopes::{Edges, Slopes, PARTS};
use std::ops::Range;

/// The falling pieces of one bus within a window of ticks; what lies outside it is in `base`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    window: (i64, i64),
    base: i64,
    /// No piece falls by more.
    fall_max: i64,
    /// Pieces that begin or end within the window.
    partial: Vec<Piece>,
    /// Pieces that span it, as they were found by window after window.
    lumps: Vec<Lump>,
}

impl Pieces {
    /// What some sites take, good for ticks from `from` to `to`.
    pub fn of(book: &Book, sites: Range<usize>, window: (i64, i64)) -> Self {
        // Room for most of what is found, or growing it would cost as much as finding it.
        let mut pieces = Self { partial: Vec::with_capacity(sites.len() / 4), ..Self::default() };
        pieces.refill(book, sites, window);
        pieces
    }

    /// Forgets everything and becomes [`Pieces::of`] other sites, in the same memory.
    pub fn refill(&mut self, book: &Book, sites: impl Iterator<Item = usize>, (from, to): (i64, i64)) {
        let mut lump = Lump::new(from, book.fall_max());
        let mut base = 0;
        self.partial.clear();
        let partial = &mut self.partial;
        for site in sites {
            base += either!(book.curve(site), curve => take(curve, (from, to), &mut lump, partial));
        }
        self.lumps.clear();
        self.lumps.push(lump);
        (self.window, self.base, self.fall_max) = ((from, to), base, book.fall_max());
    }

    /// Adds what other sites take within the same window.
    pub fn merge(&mut self, other: Self) {
        self.base += other.base;
        if self.partial.is_empty() {
            self.partial = other.partial;
        } else {
            self.partial.extend(other.partial);
        }
        self.lumps.iter_mut().zip(&other.lumps).for_each(|(lump, other)| lump.merge(other));
    }

    pub fn window(&self) -> (i64, i64) {
        self.window
    }

    /// Drops what a narrower window does not need.
    pub fn narrow(&mut self, window: (i64, i64)) {
        self.window = window;
        let mut lump = Lump::new(window.0, self.fall_max);
        let base = &mut self.base;
        self.partial.retain(|piece| {
            // Most lie on one side or the other, in no order that could be foreseen: no branch on which.
            let beyond = piece.left() >= window.1;
            *base += piece.fall * i64::from(beyond);
            if beyond | (piece.right <= window.0) {
                return false;
            }
            let spans = piece.left() <= window.0 && window.1 <= piece.right;
            if spans {
                lump.add(*piece);
            }
            !spans
        });
        if lump.count() > 0 {
            self.lumps.push(lump);
        }
    }

    /// Demand within bounds at every edge that lies in the window.
    pub fn within(&self, edges: Edges) -> [Bound; PARTS + 1] {
        let mut slopes = Slopes::new(edges);
        for piece in &self.partial {
            slopes.add(*piece);
        }
        let mut bounds = slopes.sums(self.base);
        for (tick, bound) in edges.ticks().zip(&mut bounds) {
            for lump in &self.lumps {
                *bound = bound.plus(lump.within(tick));
            }
        }
        bounds
    }
}

/// What a curve takes at the window's end at least. What falls before is added to `lump` where it spans
/// the window, and to `partial` where it doesn't.
#[inline(always)]
fn take<F: Figure>(
    curve: Curve<'_, F>,
    (from, to): (i64, i64),
    lump: &mut Lump,
    partial: &mut Vec<Piece>,
) -> i64 {
    let first = curve.below(from);
    if first == curve.len() {
        return curve.power(first - 1);
    }
    if curve.price(first) < to {
        return take_apart(curve, first.max(1), to, partial);
    }
    if first > 0 {
        let piece = curve.piece(first);
        if piece.fall > 0 {
            lump.add(piece);
        }
    }
    curve.power(first)
}

/// The same for a curve with breakpoints in the window, the pieces from one on. Most curves have none, so this
/// stays out of the way.
#[cold]
fn take_apart<F: Figure>(curve: Curve<'_, F>, first: usize, to: i64, partial: &mut Vec<Piece>) -> i64 {
    // Mostly one breakpoint, so looking at them in turn is quicker than counting them.
    for end in first..curve.len() {
        let piece = curve.piece(end);
        if piece.fall > 0 {
            partial.push(piece);
        }
        if curve.price(end) >= to {
            return curve.power(end);
        }
    }
    curve.power(curve.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::Breakpoint;
    use crate::units::{Milliwatt, PicoEurPerWh};
    use proptest::prelude::*;

    fn book(sites: &[(i64, Vec<(i64, i64)>)]) -> Book {
        let mut book = Book::new(1);
        for (price, steps) in sites {
            let mut corner = Breakpoint { price: PicoEurPerWh(*price), power: Milliwatt(0) };
            let mut points = vec![corner];
            for (rise, fall) in steps {
                corner.price.0 += rise;
                corner.power.0 -= fall;
                points.push(corner);
            }
            book.push(0, &points).unwrap();
        }
        book
    }

    proptest! {
        #[test]
        fn a_narrower_window_changes_nothing_within(
            sites in prop::collection::vec(
                (-5_000i64..5_000, prop::collection::vec((0i64..3_000, 0i64..3_000), 0..8)), 1..12),
            from in -6_000i64..6_000, width in 1i64..3_000, inset in 0i64..1_000,
        ) {
            let book = book(&sites);
            let wide = (from - inset, from + width + inset);
            let half = sites.len() / 2;
            let mut kept = Pieces::of(&book, 0..half, wide);
            kept.merge(Pieces::of(&book, half..sites.len(), wide));
            for window in [wide, (from, from + width)] {
                kept.narrow(window);
                let edges = Edges::over(&book, window.0, window.1).unwrap();
                for (tick, bound) in edges.ticks_to(window.1).zip(kept.within(edges)) {
                    let exact: i64 = (0..sites.len()).map(|site| book.power_at(site, tick)).sum();
                    prop_assert!(bound.low <= exact && exact <= bound.high, "{bound:?} {exact} at {tick}");
                    prop_assert!(bound.high - bound.low <= 4 * 8 * sites.len() as i64, "{bound:?}");
                }
            }
        }
    }
}
