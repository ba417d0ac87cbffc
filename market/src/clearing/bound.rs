//! Demand known only in part: exact at ticks that were asked, bounded between them.

use rayon::prelude::*;

/// Grids of fewer bounds are not worth a second worker.
const BOUNDS_ALONE: usize = 65_536;

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

    /// Adds what else is known of a row at one of the ticks.
    pub fn learn(&mut self, row: usize, tick: i64, bound: Bound) {
        if let Ok(place) = self.ticks.binary_search(&tick) {
            let known = &mut self.row_mut(row)[place];
            *known = Bound { low: known.low.max(bound.low), high: known.high.min(bound.high) };
        }
    }
    /// Adds what else is known of a row at some of the ticks, which come in order.
    pub fn learn_all(&mut self, row: usize, known: impl Iterator<Item = (i64, Bound)>) {
        let width = self.ticks.len();
        let bounds = &mut self.bounds[row * width..(row + 1) * width];
        let mut place = None;
        for (tick, bound) in known {
            let from = place.unwrap_or_else(|| self.ticks.partition_point(|t| *t < tick));
            let here = from + self.ticks[from..].iter().take_while(|t| **t < tick).count();
            if self.ticks.get(here) == Some(&tick) {
                let known = &mut bounds[here];
                *known = Bound { low: known.low.max(bound.low), high: known.high.min(bound.high) };
            }
            place = Some(here);
        }
    }
    /// Demand falls along a row, so no bound may rise.
    pub fn tighten(&mut self) {
        for_each_row(&mut self.bounds, self.ticks.len(), |_, row| {
            for i in 1..row.len() {
                row[i].high = row[i].high.min(row[i - 1].high);
            }
            for i in (1..row.len()).rev() {
                row[i - 1].low = row[i - 1].low.max(row[i].low);
            }
        });
    }
    /// The same bounds at more ticks; those outside the range are left out.
    pub fn widened(&self, more: Vec<i64>) -> Self {
        let (first, last) = (self.ticks[0], self.ticks[self.ticks.len() - 1]);
        let mut ticks = self.ticks.clone();
        ticks.extend(more.into_iter().filter(|tick| (first..=last).contains(tick)));
        ticks.sort_unstable();
        ticks.dedup();
        self.at_ticks(ticks)
    }
    /// The same bounds at the ticks within the windows alone, the nearest to them on either side, and
    /// the ends: all that matters once prices are known to lie in the windows.
    pub fn within(&self, windows: &[(i64, i64)]) -> Self {
        let mut windows = windows.to_vec();
        windows.sort_unstable();
        windows.dedup();
        let end = self.ticks.len() - 1;
        let mut kept = vec![false; self.ticks.len()];
        (kept[0], kept[end]) = (true, true);
        for (from, to) in windows {
            let first = self.ticks.partition_point(|tick| *tick <= from).saturating_sub(1);
            let last = self.ticks.partition_point(|tick| *tick < to).min(end);
            kept[first..=last].fill(true);
        }
        let kept = self.ticks.iter().zip(kept).filter_map(|(tick, kept)| kept.then_some(*tick));
        self.at_ticks(kept.collect())
    }
    fn at_ticks(&self, ticks: Vec<i64>) -> Self {
        // Where each tick stands among the known ones is the same for every row.
        let place = |tick: &i64| {
            let next = self.ticks.partition_point(|known| known < tick);
            (next - usize::from(self.ticks[next] != *tick), next)
        };
        let places: Vec<_> = ticks.iter().map(place).collect();
        let mut grid = Grid::new(ticks, self.rows());
        for_each_row(&mut grid.bounds, places.len(), |row, bounds| {
            let known = self.row(row);
            for (bound, (before, after)) in bounds.iter_mut().zip(&places) {
                *bound = Bound { low: known[*after].low, high: known[*before].high };
            }
        });
        grid
    }
}

/// Does the same with every row, by more than one worker where there are many bounds.
fn for_each_row(bounds: &mut [Bound], width: usize, act: impl Fn(usize, &mut [Bound]) + Send + Sync) {
    if bounds.len() < BOUNDS_ALONE {
        bounds.chunks_mut(width).enumerate().for_each(|(row, bounds)| act(row, bounds));
    } else {
        bounds.par_chunks_mut(width).enumerate().for_each(|(row, bounds)| act(row, bounds));
    }
}
