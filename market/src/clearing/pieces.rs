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

/// Bits of fraction a lump's slope is kept with.
const SLOPE_BITS: u32 = 24;

/// Pieces that span a whole window, as one straight line: their sum at any tick of it, within bounds,
/// at no cost for each.
#[derive(Clone, Copy, Debug, Default)]
struct Lump {
    from: i64,
    count: i64,
    /// Exact sum at `from`.
    at: i64,
    /// Fall from tick to tick, each piece's rounded down.
    slope: i128,
}

impl Lump {
    fn within(&self, tick: i64) -> Bound {
        let ahead = (tick - self.from) as i128;
        let count = self.count as i128;
        // A milliwatt for each piece's rounding at `from`, so that the line errs upwards only; then
        // that again, the curve's own rounding, and what the slope's rounding comes to.
        let line = ((self.at as i128 + count) << SLOPE_BITS) - self.slope * ahead;
        let slack = count * ((2 << SLOPE_BITS) + ahead);
        Bound { low: ((line - slack) >> SLOPE_BITS) as i64, high: (line >> SLOPE_BITS) as i64 }
    }
}

/// The falling pieces of one bus within a window of ticks; what lies outside it is in `base`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pieces {
    window: (i64, i64),
    base: i64,
    /// Pieces that begin or end within the window.
    partial: Vec<Piece>,
    /// Pieces that span it.
    through: Vec<Piece>,
    /// The same, summed, as they were found by window after window.
    lumps: Vec<Lump>,
}

impl Pieces {
    /// A bus's demand, good for ticks from `from` to `to`.
    pub fn of(book: &Book, bus: usize, window: (i64, i64)) -> Self {
        let sites = book.sites_at(bus);
        let mut kept = Self { window, ..Self::default() };
        kept.through.reserve(sites.len());
        kept.partial.reserve(sites.len() / 2);
        let mut lump = Lump { from: window.0, ..Lump::default() };
        for site in sites {
            let points = book.points_of(site);
            let (prices, powers) = (&book.prices[points.clone()], &book.powers[points]);
            kept.base += powers[powers.len() - 1];
            for (price, power) in prices.windows(2).zip(powers.windows(2)) {
                let fall = power[0] - power[1];
                if price[0] >= window.1 {
                    kept.base += fall;
                } else if price[1] >= window.0 && fall > 0 {
                    kept.sort(Piece::between(price[0], price[1], fall), &mut lump);
                }
            }
        }
        kept.lumps.push(lump);
        kept
    }

    /// Puts a piece that reaches into the window where it belongs.
    #[inline]
    fn sort(&mut self, piece: Piece, lump: &mut Lump) {
        let (from, to) = self.window;
        let spans = piece.right - piece.run <= from && to <= piece.right;
        if spans && piece.fall < 1 << (62 - SLOPE_BITS) {
            lump.count += 1;
            lump.at += piece.at(from);
            lump.slope += ((piece.fall << SLOPE_BITS) / piece.run) as i128;
            self.through.push(piece);
        } else {
            self.partial.push(piece);
        }
    }

    pub fn window(&self) -> (i64, i64) {
        self.window
    }

    /// Drops what a narrower window does not need.
    pub fn narrow(&mut self, window: (i64, i64)) {
        self.window = window;
        let mut lump = Lump { from: window.0, ..Lump::default() };
        for piece in std::mem::take(&mut self.partial) {
            if piece.right - piece.run >= window.1 {
                self.base += piece.fall;
            } else if piece.right > window.0 {
                self.sort(piece, &mut lump);
            }
        }
        self.lumps.push(lump);
    }

    /// What an exact sum costs.
    pub fn len(&self) -> usize {
        self.partial.len() + self.through.len()
    }

    /// Exact demand at each of `ticks`.
    pub fn exact(&self, ticks: &[i64]) -> Vec<i64> {
        let mut sums = vec![self.base; ticks.len()];
        for piece in self.through.iter().chain(&self.partial) {
            for (sum, tick) in sums.iter_mut().zip(ticks) {
                *sum += piece.at(*tick);
            }
        }
        sums
    }

    /// Demand within bounds at every edge that lies in the window.
    pub fn within(&self, edges: Edges) -> [Bound; PARTS + 1] {
        let mut slopes = Slopes::new(edges);
        for piece in &self.partial {
            slopes.add(*piece);
        }
        let mut bounds = slopes.sums(self.base);
        for (edge, bound) in bounds.iter_mut().enumerate() {
            for lump in &self.lumps {
                *bound = bound.plus(lump.within(edges.tick(edge)));
            }
        }
        bounds
    }
}

/// A bus's demand at every edge, within bounds, straight from the book: from every `stride`-th site
/// alone, and how many those were.
pub(crate) fn within(book: &Book, bus: usize, edges: Edges, stride: usize) -> ([Bound; PARTS + 1], usize) {
    let mut slopes = Slopes::new(edges);
    let (mut base, mut sites) = (0, 0);
    for site in book.sites_at(bus).step_by(stride) {
        let points = book.points_of(site);
        let (prices, powers) = (&book.prices[points.clone()], &book.powers[points]);
        sites += 1;
        base += powers[powers.len() - 1];
        for (price, power) in prices.windows(2).zip(powers.windows(2)) {
            slopes.add(Piece::between(price[0], price[1], power[0] - power[1]));
        }
    }
    (slopes.sums(base), sites)
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

    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        let piece = (-5_000i64..5_000, 0i64..4_000, 1i64..3_000);
        let piece = piece.prop_map(|(left, run, fall)| Piece::between(left, left + run, fall));
        prop::collection::vec(piece, 0..20)
    }

    fn exact(pieces: &[Piece], tick: i64) -> i64 {
        pieces.iter().map(|piece| piece.at(tick)).sum()
    }

    proptest! {
        #[test]
        fn bounds_at_every_edge_hold_the_exact_sum(
            pieces in pieces(), first in -6_000i64..6_000, shift in 0u32..9, fraction in 0u32..13,
        ) {
            let edges = Edges { first, shift, fraction };
            let mut slopes = Slopes::new(edges);
            pieces.iter().for_each(|piece| slopes.add(*piece));
            let loose = 1 + 4 * pieces.len() as i64 + ((66 * pieces.len() as i64) >> fraction);
            for (edge, bound) in slopes.sums(0).into_iter().enumerate() {
                let exact = exact(&pieces, edges.tick(edge));
                prop_assert!(bound.low <= exact && exact <= bound.high);
                prop_assert!(bound.high - bound.low <= loose);
            }
        }

        #[test]
        fn a_narrower_window_changes_nothing_within(
            pieces in pieces(), from in -6_000i64..6_000, width in 1i64..3_000, inset in 0i64..1_000,
        ) {
            let wide = (from - inset, from + width + inset);
            let mut kept = Pieces { window: wide, ..Pieces::default() };
            let mut lump = Lump { from: wide.0, ..Lump::default() };
            for piece in &pieces {
                if piece.right - piece.run < wide.1 {
                    kept.sort(*piece, &mut lump);
                } else {
                    kept.base += piece.fall;
                }
            }
            kept.lumps.push(lump);
            for window in [wide, (from, from + width)] {
                kept.narrow(window);
                let shift = (64 - (window.1 - window.0).leading_zeros()).saturating_sub(6);
                let edges = Edges { first: window.0, shift, fraction: 8 };
                for (edge, bound) in kept.within(edges).into_iter().enumerate() {
                    let tick = edges.tick(edge);
                    if tick <= window.1 {
                        let exact = exact(&pieces, tick);
                        prop_assert_eq!(kept.exact(&[tick]), vec![exact]);
                        prop_assert!(bound.low <= exact && exact <= bound.high);
                    }
                }
            }
        }
    }
}
