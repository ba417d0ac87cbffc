//! A falling stretch of one curve, and the sum of many that span the same window of prices as one
//! straight line. What is summed and when is not decided here.

use super::bound::Bound;

/// A stretch over which a curve falls by `fall`, from `right - run` to `right`, linear in between
/// and rounded down. A vertical step at `t` is a stretch from `t` to `t + 1`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    pub right: i64,
    pub run: i64,
    pub fall: i64,
}

impl Piece {
    pub fn between(left: i64, right: i64, fall: i64) -> Self {
        let step = i64::from(left == right);
        Self { right: right + step, run: right - left + step, fall }
    }

    pub fn left(self) -> i64 {
        self.right - self.run
    }

    /// How much of the fall lies at `tick` and above.
    pub fn at(self, tick: i64) -> i64 {
        self.divided(tick).0
    }

    /// The same, with what rounding down left of it in parts of `run`.
    #[inline]
    fn divided(self, tick: i64) -> (i64, i64) {
        let to_go = (self.right - tick).clamp(0, self.run);
        match self.fall.checked_mul(to_go) {
            // Neither is negative, and unsigned division is the quicker one.
            Some(product) => {
                let (product, run) = (product as u64, self.run as u64);
                ((product / run) as i64, (product % run) as i64)
            }
            None => {
                let (product, run) = (self.fall as i128 * to_go as i128, self.run as i128);
                ((product / run) as i64, (product % run) as i64)
            }
        }
    }

    /// How much lies at `tick`, and by how much less at the next tick, which must be in the stretch too.
    #[inline]
    pub fn step(self, tick: i64) -> (i64, i64) {
        let (at, left_over) = self.divided(tick);
        if left_over >= self.fall {
            return (at, 0);
        }
        let beyond = self.fall - left_over;
        (at, if beyond <= self.run { 1 } else { (beyond - 1) / self.run + 1 })
    }
}

/// Pieces that span a whole window, as one straight line: their sum at any tick of it, within bounds,
/// at no cost for each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lump {
    from: i64,
    /// Bits of fraction that slopes are kept with.
    fraction: u32,
    count: i64,
    /// Sum at `from`, each piece's slope rounded down.
    at: i128,
    /// Fall from tick to tick, likewise.
    slope: i128,
    /// Sum of the distances to the pieces' right ends, over which that rounding adds up.
    reach: i128,
}

impl Lump {
    /// An empty one for a window that begins at `from`, of pieces whose falls are no more than `fall_max`.
    pub fn new(from: i64, fall_max: i64) -> Self {
        let fraction = (fall_max.max(1).leading_zeros() - 2).min(40);
        Self { from, fraction, ..Self::default() }
    }

    /// Adds a piece that spans the window.
    #[inline]
    pub fn add(&mut self, piece: Piece) {
        let slope = ((piece.fall as u64) << self.fraction) / piece.run as u64;
        let reach = (piece.right - self.from) as u64;
        self.count += 1;
        // At most the fall itself, which leaves the shift's bits free.
        self.at += (slope * reach) as i128;
        self.slope += slope as i128;
        self.reach += reach as i128;
    }

    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.at += other.at;
        self.slope += other.slope;
        self.reach += other.reach;
    }

    pub fn count(&self) -> i64 {
        self.count
    }

    /// The sum at a tick of the window.
    pub fn within(&self, tick: i64) -> Bound {
        let (ahead, count) = ((tick - self.from) as i128, self.count as i128);
        let line = self.at - self.slope * ahead;
        let short = self.reach - count * ahead;
        // The curve's own rounding takes less than a milliwatt of each piece.
        let low = (line >> self.fraction) as i64 - self.count;
        Bound { low, high: ((line + short) >> self.fraction) as i64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_step_is_the_difference_to_the_next_tick(
            left in -9_000i64..9_000, run in 1i64..9_000, fall in 0i64..90_000, part in 0i64..9_000,
        ) {
            let piece = Piece::between(left, left + run, fall);
            let tick = left + part % run;
            prop_assert_eq!(piece.step(tick), (piece.at(tick), piece.at(tick) - piece.at(tick + 1)));
        }

        #[test]
        fn a_lump_bounds_the_sum_of_its_pieces(
            pieces in prop::collection::vec((1i64..1 << 34, 1i64..1 << 34, 1i64..1 << 40), 1..30),
            from in -1_000_000i64..1_000_000, width in 1i64..1_000_000_000, at in 0i64..=1_000,
        ) {
            let to = from + width;
            let pieces = pieces.into_iter().map(|(before, after, fall)| Piece::between(from - before, to + after, fall));
            let pieces: Vec<Piece> = pieces.collect();
            let mut lump = Lump::new(from, pieces.iter().map(|piece| piece.fall).max().unwrap());
            pieces.iter().for_each(|piece| lump.add(*piece));
            let tick = from + (width as i128 * at as i128 / 1_000) as i64;
            let (bound, exact) = (lump.within(tick), pieces.iter().map(|piece| piece.at(tick)).sum::<i64>());
            prop_assert!(bound.low <= exact && exact <= bound.high, "{bound:?} {exact}");
            // A milliwatt each, and what 21 bits of fraction lose over the distance.
            let loose = pieces.len() as i64 * (3 + (((2 << 34) + width) >> 21));
            prop_assert!(bound.high - bound.low <= loose, "{bound:?}");
        }
    }
}
