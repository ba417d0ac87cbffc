//! Demand known only in part: exact at ticks that were asked, bounded between them.

/// Demand at one tick lies from `low` to `high`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    pub low: i64,
    pub high: i64,
}

impl Bound {
    pub fn exact(power: i64) -> Self {
        Self { low: power, high: power }
    }
    pub fn clamp(self, (least, most): (i64, i64)) -> Self {
        Self { low: self.low.clamp(least, most), high: self.high.clamp(least, most) }
    }
    pub fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }
    pub fn middle(self) -> i64 {
        self.low + (self.high - self.low) / 2
    }
    /// The one value left, if the bounds have met.
    pub fn known(self) -> Option<i64> {
        (self.low == self.high).then_some(self.low)
    }
}

/// Bounds on several non-increasing demands at the same ticks, one row each.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    /// Strictly increasing, at least two: the first is the price range's lowest, the last one tick
    /// above its highest. Every row is exact at both.
    pub ticks: Vec<i64>,
    /// Row by row, as wide as `ticks`; both bounds non-increasing along a row.
    bounds: Vec<Bound>,
}

impl Grid {
    pub fn new(ticks: Vec<i64>, rows: usize) -> Self {
        let bounds = vec![Bound::default(); rows * ticks.len()];
        Self { ticks, bounds }
    }
    pub fn rows(&self) -> usize {
        self.bounds.len() / self.ticks.len()
    }
    pub fn row(&self, row: usize) -> &[Bound] {
        &self.bounds[row * self.ticks.len()..(row + 1) * self.ticks.len()]
    }
    pub fn row_mut(&mut self, row: usize) -> &mut [Bound] {
        let width = self.ticks.len();
        &mut self.bounds[row * width..(row + 1) * width]
    }
    /// Adds `from`'s row, clamped, to the row `to` before it.
    pub fn add_clamped(&mut self, from: usize, to: usize, limits: (i64, i64)) {
        let width = self.ticks.len();
        let (before, rest) = self.bounds.split_at_mut(from * width);
        for (sum, part) in before[to * width..].iter_mut().zip(&rest[..width]) {
            *sum = sum.plus(part.clamp(limits));
        }
    }
    /// Bounds of a row at any tick of the range: what lies between two ticks lies between their values.
    pub fn at(&self, row: usize, tick: i64) -> Bound {
        let row = self.row(row);
        let next = self.ticks.partition_point(|t| *t < tick).min(row.len() - 1);
        if self.ticks[next] == tick || next == 0 {
            return row[next];
        }
        Bound { low: row[next].low, high: row[next - 1].high }
    }
}
