//! The parts of curves that fall: summed exactly at given ticks, or within bounds at many equally
//! spaced ticks at a cost that does not depend on how many there are.

use super::book::Book;
use super::bound::Bound;

/// Equal parts into which one evaluation divides a price window; it has one edge more.
pub(crate) const PARTS: usize = 64;

/// A stretch over which a curve falls by `fall`, from `right - run` to `right`, linear in between
/// and rounded down. A vertical step at `t` is a stretch from `t` to `t + 1`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    right: i64,
    run: i64,
    fall: i64,
}

impl Piece {
    fn between(left: i64, right: i64, fall: i64) -> Self {
        let step = i64::from(left == right);
        Self { right: right + step, run: right - left + step, fall }
    }

    /// How much of the fall lies at `tick` and above.
    fn at(self, tick: i64) -> i64 {
        let to_go = (self.right - tick).clamp(0, self.run);
        match self.fall.checked_mul(to_go) {
            Some(product) => product / self.run,
            None => (self.fall as i128 * to_go as i128 / self.run as i128) as i64,
        }
    }
}

/// The falling pieces of one bus within a window of ticks; what lies outside it is in `base`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    pieces: Vec<Piece>,
    base: i64,
}

impl Pieces {
    /// A bus's demand, good for ticks from `from` to `to`.
    pub fn of(book: &Book, bus: usize, (from, to): (i64, i64)) -> Self {
        let mut kept = Self::default();
        for site in book.sites_at(bus) {
            let points = book.points_of(site);
            let (prices, powers) = (&book.prices[points.clone()], &book.powers[points]);
            kept.base += powers[powers.len() - 1];
            for i in 1..prices.len() {
                kept.add(prices[i - 1], prices[i], powers[i - 1] - powers[i], (from, to));
            }
        }
        kept
    }

    fn add(&mut self, left: i64, right: i64, fall: i64, (from, to): (i64, i64)) {
        if left >= to {
            self.base += fall;
        } else if right >= from && fall > 0 {
            self.pieces.push(Piece::between(left, right, fall));
        }
    }

    /// Drops what a narrower window does not need.
    pub fn narrow(&mut self, (from, to): (i64, i64)) {
        let base = &mut self.base;
        self.pieces.retain(|piece| {
            let above = piece.right - piece.run >= to;
            *base += if above { piece.fall } else { 0 };
            !above && piece.right > from
        });
    }

    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Exact demand at each of `ticks`.
    pub fn exact(&self, ticks: &[i64]) -> Vec<i64> {
        let mut sums = vec![self.base; ticks.len()];
        for piece in &self.pieces {
            for (sum, tick) in sums.iter_mut().zip(ticks) {
                *sum += piece.at(*tick);
            }
        }
        sums
    }

    /// Demand at every edge, within bounds.
    pub fn within(&self, edges: Edges) -> [Bound; PARTS + 1] {
        let mut slopes = Slopes::new(edges);
        for piece in &self.pieces {
            slopes.add(*piece);
        }
        slopes.sums(self.base)
    }
}

/// As [`Pieces::within`], straight from the book.
pub(crate) fn within(book: &Book, bus: usize, edges: Edges) -> [Bound; PARTS + 1] {
    let mut slopes = Slopes::new(edges);
    let mut base = 0;
    for site in book.sites_at(bus) {
        let points = book.points_of(site);
        let (prices, powers) = (&book.prices[points.clone()], &book.powers[points]);
        base += powers[powers.len() - 1];
        for i in 1..prices.len() {
            slopes.add(Piece::between(prices[i - 1], prices[i], powers[i - 1] - powers[i]));
        }
    }
    slopes.sums(base)
}

/// Ticks `first`, `first + 2^shift`, ..., and the fraction's bits sums are kept with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edges {
    pub first: i64,
    pub shift: u32,
    fraction: u32,
}

impl Edges {
    /// Edges from `from` to at least `to`; none where figures are so large that sums might overflow.
    pub fn over(book: &Book, from: i64, to: i64) -> Option<Self> {
        let mut shift = 0;
        while ((to - from) >> shift) > PARTS as i64 {
            shift += 1;
        }
        let bits = |figure: i64| 64 - figure.max(1).leading_zeros();
        // No product of a fall and an edge's distance, and no sum of powers and roundings, beyond 62 bits.
        let product = 61u32.checked_sub(bits(book.fall_max) + shift)?;
        let sum = 59u32.checked_sub(bits(book.magnitude()).max(bits(book.breakpoints() as i64 * 66)))?;
        Some(Self { first: from, shift, fraction: product.min(sum).min(12) })
    }
    pub fn tick(self, edge: usize) -> i64 {
        self.first + ((edge as i64) << self.shift)
    }
}

/// Sums of linear functions at equally spaced edges, by second differences: each piece costs one or
/// two divisions, however many edges it spans. Sums err upwards only, and by no more than `slack`.
struct Slopes {
    edges: Edges,
    start: i64,
    /// Change of the sum at an edge against the one before it.
    change: [i64; PARTS + 2],
    /// Change of that change.
    bend: [i64; PARTS + 3],
    slack: i64,
}

impl Slopes {
    fn new(edges: Edges) -> Self {
        Self { edges, start: 0, change: [0; PARTS + 2], bend: [0; PARTS + 3], slack: 0 }
    }

    #[inline]
    fn add(&mut self, piece: Piece) {
        let Edges { first, shift, fraction } = self.edges;
        let last = PARTS as i64;
        let left = piece.right - piece.run - first;
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

    fn sums(self, base: i64) -> [Bound; PARTS + 1] {
        let fraction = self.edges.fraction;
        let (mut sum, mut slope) = (self.start, 0);
        std::array::from_fn(|edge| {
            slope += self.bend[edge];
            sum += slope + self.change[edge];
            Bound { low: base + ((sum - self.slack) >> fraction), high: base + (sum >> fraction) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces() -> impl Strategy<Value = Pieces> {
        let piece = (-5_000i64..5_000, 0i64..4_000, 1i64..3_000);
        prop::collection::vec(piece, 0..20).prop_map(|parts| {
            let piece = |(left, run, fall): (i64, i64, i64)| Piece::between(left, left + run, fall);
            Pieces { pieces: parts.into_iter().map(piece).collect(), base: -7 }
        })
    }

    proptest! {
        #[test]
        fn bounds_at_every_edge_hold_the_exact_sum(
            pieces in pieces(), first in -6_000i64..6_000, shift in 0u32..9, fraction in 0u32..13,
        ) {
            let edges = Edges { first, shift, fraction };
            let ticks: Vec<i64> = (0..=PARTS).map(|edge| edges.tick(edge)).collect();
            for (exact, bound) in pieces.exact(&ticks).into_iter().zip(pieces.within(edges)) {
                prop_assert!(bound.low <= exact && exact <= bound.high);
                prop_assert!(bound.high - bound.low <= 1 + 4 * pieces.len() as i64 + ((66 * pieces.len() as i64) >> fraction));
            }
        }

        #[test]
        fn a_narrower_window_changes_nothing_within(
            pieces in pieces(), from in -6_000i64..6_000, width in 1i64..3_000,
        ) {
            let ticks: Vec<i64> = (from..=from + width).step_by(1 + width as usize / 50).collect();
            let exact = pieces.exact(&ticks);
            let mut narrow = pieces;
            narrow.narrow((from, from + width));
            prop_assert_eq!(narrow.exact(&ticks), exact);
        }
    }
}
