//! Sums of pieces at many equally spaced ticks, within bounds, at a cost that does not depend on how
//! many ticks there are.

use super::book::Book;
use super::bound::Bound;
use super::packed::{either, Packed};
use super::piece::Piece;

/// Equal parts into which one evaluation divides a price window; it has one edge more.
pub(crate) const PARTS: usize = 64;

/// Ticks `first`, `first + 2^shift`, ... up to edge `last`, and the fraction's bits sums are kept with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edges {
    pub first: i64,
    pub shift: u32,
    last: usize,
    fraction: u32,
}

impl Edges {
    /// Edges from `from` to at least `to`; none where figures are so large that sums might overflow.
    pub fn over(book: &Book, from: i64, to: i64) -> Option<Self> {
        Self::few_over(book, (from, to), PARTS)
    }

    /// The same with so many parts at most, up to [`PARTS`].
    pub fn few_over(book: &Book, (from, to): (i64, i64), parts: usize) -> Option<Self> {
        let mut shift = 0;
        while ((to - from) >> shift) > parts as i64 {
            shift += 1;
        }
        let last = (((to - from) >> shift) as usize + 1).min(PARTS);
        let bits = |figure: i64| 64 - figure.max(1).leading_zeros();
        // No product of a fall and an edge's distance, and no sum of powers and roundings, beyond 62 bits.
        let product = 61u32.checked_sub(bits(book.fall_max()) + shift)?;
        let sum = 59u32.checked_sub(bits(book.magnitude()).max(bits(book.breakpoints() as i64 * 66)))?;
        Some(Self { first: from, shift, last, fraction: product.min(sum).min(12) })
    }
    pub fn tick(self, edge: usize) -> i64 {
        self.first + ((edge as i64) << self.shift)
    }
    /// The edges' ticks.
    pub fn ticks(self) -> impl Iterator<Item = i64> {
        (0..=self.last).map(move |edge| self.tick(edge))
    }
    /// The edges' ticks that lie at `to` or before.
    pub fn ticks_to(self, to: i64) -> impl Iterator<Item = i64> {
        self.ticks().take_while(move |tick| *tick <= to)
    }
}

/// Sums of linear functions at equally spaced edges, by second differences: each piece costs one or
/// two divisions, however many edges it spans. Sums err upwards only, and by no more than `slack`.
pub(crate) struct Slopes {
    edges: Edges,
    start: i64,
    /// Change of the sum at an edge against the one before it.
    change: [i64; PARTS + 2],
    /// Change of that change.
    bend: [i64; PARTS + 3],
    slack: i64,
}

impl Slopes {
    pub fn new(edges: Edges) -> Self {
        Self { edges, start: 0, change: [0; PARTS + 2], bend: [0; PARTS + 3], slack: 0 }
    }

    #[inline]
    pub fn add(&mut self, piece: Piece) {
        let Edges { first, shift, last, fraction } = self.edges;
        let last = last as i64;
        let left = piece.left() - first;
        // First edge right of the piece's beginning; last edge in it.
        let begin = ((left >> shift) + 1).max(0);
        let end = ((piece.right - first) >> shift).min(last);
        if end < 0 {
            return;
        }
        let fall = piece.fall << fraction;
        self.start += fall;
        if begin > end {
            // Between two edges, or beyond the last one.
            self.change[begin.min(last + 1) as usize] -= fall;
            return;
        }
        let slope = (fall << shift) / piece.run;
        let before = (begin << shift) - left;
        let at_begin = if begin > 0 {
            fall - ((slope * before) >> shift)
        } else {
            self.slack += 1 << fraction;
            fall.min((piece.at(first) + 1) << fraction)
        };
        let at_end = at_begin - slope * (end - begin);
        self.change[begin as usize] -= fall - at_begin;
        self.bend[begin as usize + 1] -= slope;
        self.bend[end as usize + 1] += slope;
        self.change[end as usize + 1] -= at_end;
        // Less than one for the slope at every edge and one for the beginning; the curve's own
        // rounding down of less than a milliwatt.
        self.slack += end - begin + 2 + (1 << fraction);
    }

    /// Adds a whole curve, and gives what it takes at any price.
    pub fn add_curve(&mut self, curve: Packed<'_>) -> i64 {
        either!(curve, curve => {
            (1..curve.len()).for_each(|end| self.add(curve.piece(end)));
            curve.power(curve.len() - 1)
        })
    }

    /// The sums by edge; nothing beyond the last.
    pub fn sums(self, base: i64) -> [Bound; PARTS + 1] {
        let Edges { last, fraction, .. } = self.edges;
        let (mut sum, mut slope) = (self.start, 0);
        let mut bounds = [Bound::default(); PARTS + 1];
        for (edge, bound) in bounds.iter_mut().enumerate().take(last + 1) {
            slope += self.bend[edge];
            sum += slope + self.change[edge];
            *bound = Bound { low: base + ((sum - self.slack) >> fraction), high: base + (sum >> fraction) };
        }
        bounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bounds_at_every_edge_hold_the_exact_sum(
            pieces in prop::collection::vec((-5_000i64..5_000, 0i64..4_000, 1i64..3_000), 0..20),
            first in -6_000i64..6_000, shift in 0u32..9, last in 1..=PARTS, fraction in 0u32..13,
        ) {
            let pieces = pieces.into_iter().map(|(left, run, fall)| Piece::between(left, left + run, fall));
            let pieces: Vec<Piece> = pieces.collect();
            let edges = Edges { first, shift, last, fraction };
            let mut slopes = Slopes::new(edges);
            pieces.iter().for_each(|piece| slopes.add(*piece));
            let loose = 1 + 4 * pieces.len() as i64 + ((66 * pieces.len() as i64) >> fraction);
            for (edge, bound) in slopes.sums(0).into_iter().enumerate().take(last + 1) {
                let exact: i64 = pieces.iter().map(|piece| piece.at(edges.tick(edge))).sum();
                prop_assert!(bound.low <= exact && exact <= bound.high);
                prop_assert!(bound.high - bound.low <= loose);
            }
        }
    }
}
