//! Clearing many sites whose curves are at hand, in a [`Book`].
//!
//! Curves are never merged. One pass over the book bounds every bus's demand at 65 prices, which
//! are summed up the tree and leave each bus a narrow window of prices; a second pass keeps the few
//! pieces of curves that fall within the window; and further rounds on those alone narrow it to a
//! tick, the last of them exactly. The outcome is the same, figure for figure, as that of
//! [`super::sampled`] or of a bisection over the whole tree.

use super::allocate::{allocate, Missing};
use super::book::Book;
use super::bound::{Bound, Grid};
use super::levels::{sum_up, Grounds};
use super::locate::{locate, Gap, Located, Window};
use super::pieces::{within, Edges, Pieces, PARTS};
use super::{Clearing, Infeasible, PriceRange};
use crate::feeder::{Feeder, Tree};
use crate::supply::SupplyCurve;

/// Evaluations of a piece at a tick that are cheaper done than avoided.
const CHEAP: usize = 4_000_000;

/// Bounds (bus by tick) that one round may add, so that a feeder of very many buses is divided less
/// finely rather than kept at length.
const ROUND_CELLS: usize = 4_000_000;

/// Supply breakpoints asked exactly in one round.
const SUPPLY_TICKS: usize = 8;

/// Clears the sites of a book.
///
/// # Errors
/// [`Infeasible`] names the limit that no price in the range meets.
pub fn clear(
    feeder: &Feeder,
    tree: &Tree,
    supply: &SupplyCurve,
    book: &Book,
    range: PriceRange,
) -> Result<Clearing, Infeasible> {
    clear_within(&Grounds { feeder, tree, supply }, book, range, CHEAP)
}

/// As [`clear`]; up to `cheap` evaluations are done exactly rather than bounded.
fn clear_within(
    grounds: &Grounds<'_>,
    book: &Book,
    range: PriceRange,
    cheap: usize,
) -> Result<Clearing, Infeasible> {
    let mut demand = first_pass(book, grounds.feeder.buses.len(), range);
    let mut rounds: Option<Rounds> = None;
    loop {
        let levels = sum_up(grounds, &demand)?;
        let located = locate(grounds, &levels);
        let mut asked = Vec::new();
        if located.windows.iter().all(|w| w.low == w.high) {
            match allocate(grounds, &demand, &levels, &located.windows) {
                Ok(clearing) => return Ok(clearing),
                Err(Missing(ticks)) => asked = ticks,
            }
        }
        let rounds = rounds.get_or_insert_with(|| Rounds::second_pass(book, grounds.tree, &located, cheap));
        demand = rounds.next(grounds, book, &demand, &located, asked);
    }
}

/// Bounds at 65 prices that span every breakpoint, exact at the ends of the range.
fn first_pass(book: &Book, buses: usize, range: PriceRange) -> Grid {
    let (first, last) = (range.min.0, range.max.0 + 1);
    let (low, high) = book.price_span().unwrap_or((first, first));
    let edges = Edges::over(book, low.clamp(first, last), (high + 1).clamp(first, last));
    let mut ticks = vec![first, last];
    let inner = |tick: &i64| first < *tick && *tick < last;
    if let Some(edges) = edges.filter(|_| buses * PARTS <= 2 * ROUND_CELLS) {
        ticks.extend((0..=PARTS).map(|edge| edges.tick(edge)).filter(inner));
    }
    ticks.sort_unstable();
    let mut grid = Grid::new(ticks.clone(), buses);
    for bus in 0..buses {
        let known = edges.filter(|_| ticks.len() > 2).map(|edges| (edges, within(book, bus, edges)));
        let row = grid.row_mut(bus);
        row[0] = Bound::exact(book.power_at_bus(bus, first));
        row[ticks.len() - 1] = Bound::exact(book.power_at_bus(bus, last));
        if let Some((edges, bounds)) = known {
            let inner = (0..=PARTS).filter(|edge| inner(&edges.tick(*edge)));
            for (place, edge) in inner.enumerate() {
                row[place + 1] = bounds[edge];
            }
        }
    }
    tighten(&mut grid, buses);
    grid
}

/// Demand falls along a row, so no bound may rise.
fn tighten(grid: &mut Grid, buses: usize) {
    for bus in 0..buses {
        let row = grid.row_mut(bus);
        for i in 1..row.len() {
            row[i].high = row[i].high.min(row[i - 1].high);
        }
        for i in (1..row.len()).rev() {
            row[i - 1].low = row[i - 1].low.max(row[i].low);
        }
    }
}

/// The rounds after the first pass.
struct Rounds {
    /// By bus.
    pieces: Vec<Pieces>,
    /// By bus: the window its pieces were last narrowed to.
    windows: Vec<(i64, i64)>,
    /// Sum of the gaps' widths when they were last divided by bounds, to notice when that no longer helps.
    width: i128,
    /// Rounds asked near the interpolated price since one divided gaps evenly.
    guesses: usize,
    /// Evaluations of a piece at a tick that are cheaper done than avoided.
    cheap: usize,
}

fn window_of(located: &Located, place: usize) -> (i64, i64) {
    let Window { ask_from, ask_to, .. } = located.windows[place];
    (ask_from, ask_to)
}

impl Rounds {
    fn second_pass(book: &Book, tree: &Tree, located: &Located, cheap: usize) -> Self {
        let windows: Vec<_> = tree.place.iter().map(|place| window_of(located, *place)).collect();
        let pieces = windows.iter().enumerate().map(|(bus, window)| Pieces::of(book, bus, *window));
        Self { pieces: pieces.collect(), windows, width: i128::MAX, guesses: 0, cheap }
    }

    /// One round: asks what narrows the gaps most for its cost. `asked` are ticks needed anyway.
    fn next(
        &mut self,
        grounds: &Grounds<'_>,
        book: &Book,
        demand: &Grid,
        located: &Located,
        asked: Vec<i64>,
    ) -> Grid {
        for (bus, place) in grounds.tree.place.iter().enumerate() {
            let (from, to) = window_of(located, *place);
            let (kept_from, kept_to) = self.windows[bus];
            // Windows only narrow; reading the pieces again pays once it drops many of them.
            if (to - from) < (kept_to - kept_from) / 8 {
                self.windows[bus] = (from, to);
                self.pieces[bus].narrow((from, to));
            }
        }
        let pieces: usize = self.pieces.iter().map(Pieces::len).sum();
        let cheap = pieces.saturating_mul(PARTS) <= self.cheap;
        let mut ticks = asked;
        supply_ticks(grounds, &located.gaps, &mut ticks);
        let width = located.gaps.iter().map(|gap| (gap.right - gap.left) as i128).sum();
        if !cheap && width < self.width / 4 && !(1..=4).contains(&ticks.len()) {
            self.width = width;
            if let Some(grid) = self.bounded_round(grounds, book, demand, located) {
                return grid;
            }
        }
        let cells = ROUND_CELLS / self.pieces.len().max(1) / located.gaps.len().max(1);
        let parts = if cheap { PARTS.min(cells).max(2) } else { 8 };
        let even = cheap || self.guesses % 2 == 1;
        self.guesses += 1;
        for gap in &located.gaps {
            if even {
                divide(gap, parts, &mut ticks);
            } else {
                guess(gap, &mut ticks);
            }
        }
        self.exact_round(grounds, demand, located, ticks)
    }

    /// Bounds at 65 edges of each bus's window.
    fn bounded_round(
        &self,
        grounds: &Grounds<'_>,
        book: &Book,
        demand: &Grid,
        located: &Located,
    ) -> Option<Grid> {
        let mut windows: Vec<_> = grounds.tree.place.iter().map(|place| window_of(located, *place)).collect();
        let by_bus = windows.clone();
        windows.sort_unstable();
        windows.dedup();
        if windows.len() * PARTS * by_bus.len() > ROUND_CELLS {
            return None;
        }
        let edges_of = |(from, to): (i64, i64)| Edges::over(book, from, to);
        let edges: Option<Vec<_>> = windows.iter().map(|window| edges_of(*window)).collect();
        let inside = |edges: Edges, (_, to): (i64, i64)| {
            (0..=PARTS).map(move |edge| edges.tick(edge)).take_while(move |tick| *tick <= to)
        };
        let all = windows.iter().zip(edges?).flat_map(|(window, edges)| inside(edges, *window));
        let mut grid = widen(demand, all.collect());
        for (bus, window) in by_bus.into_iter().enumerate() {
            let edges = edges_of(window)?;
            let bounds = self.pieces[bus].within(edges);
            for (tick, bound) in inside(edges, window).zip(bounds) {
                learn(&mut grid, bus, tick, bound);
            }
        }
        tighten(&mut grid, self.pieces.len());
        Some(grid)
    }

    fn exact_round(
        &self,
        grounds: &Grounds<'_>,
        demand: &Grid,
        located: &Located,
        mut ticks: Vec<i64>,
    ) -> Grid {
        ticks.sort_unstable();
        ticks.dedup();
        let mut grid = widen(demand, ticks.clone());
        for (bus, place) in grounds.tree.place.iter().enumerate() {
            let (from, to) = window_of(located, *place);
            let first = ticks.partition_point(|tick| *tick < from);
            let last = ticks.partition_point(|tick| *tick <= to);
            let here = &ticks[first..last.max(first)];
            for (tick, power) in here.iter().zip(self.pieces[bus].exact(here)) {
                learn(&mut grid, bus, *tick, Bound::exact(power));
            }
        }
        tighten(&mut grid, self.pieces.len());
        grid
    }
}

/// The same bounds at more ticks.
fn widen(demand: &Grid, more: Vec<i64>) -> Grid {
    let (first, last) = (demand.ticks[0], demand.ticks[demand.ticks.len() - 1]);
    let mut ticks = demand.ticks.clone();
    ticks.extend(more.into_iter().filter(|tick| (first..=last).contains(tick)));
    ticks.sort_unstable();
    ticks.dedup();
    let rows = demand.rows();
    let mut grid = Grid::new(ticks, rows);
    for row in 0..rows {
        for i in 0..grid.ticks.len() {
            let bound = demand.at(row, grid.ticks[i]);
            grid.row_mut(row)[i] = bound;
        }
    }
    grid
}

fn learn(grid: &mut Grid, row: usize, tick: i64, bound: Bound) {
    if let Ok(place) = grid.ticks.binary_search(&tick) {
        let known = &mut grid.row_mut(row)[place];
        *known = Bound { low: known.low.max(bound.low), high: known.high.min(bound.high) };
    }
}

fn divide(gap: &Gap, parts: usize, ticks: &mut Vec<i64>) {
    let width = (gap.right - gap.left) as i128;
    let parts = (parts as i128).min(width);
    ticks.extend((1..parts).map(|k| gap.left + (width * k / parts) as i64));
}

/// The four ticks around where a straight line through the gap's ends puts the price.
fn guess(gap: &Gap, ticks: &mut Vec<i64>) {
    let (width, above) = ((gap.right - gap.left) as i128, gap.above.max(0) as i128);
    let fall = (above + gap.below.max(0) as i128).max(1);
    let middle = gap.left + (width * above / fall) as i64;
    ticks.extend((middle - 1..=middle + 2).filter(|tick| gap.left < *tick && *tick < gap.right));
}

/// Where the supply has a step, demand and supply together fall in one tick: that tick and the next.
fn supply_ticks(grounds: &Grounds<'_>, gaps: &[Gap], ticks: &mut Vec<i64>) {
    let points = grounds.supply.mirrored().points();
    for gap in gaps {
        let first = points.partition_point(|p| p.price.0 < gap.left);
        let last = points.partition_point(|p| p.price.0 < gap.right);
        let within = &points[first..last.max(first)];
        let every = within.len().div_ceil(SUPPLY_TICKS).max(1);
        for point in within.iter().skip(every / 2).step_by(every) {
            let pair = [point.price.0, point.price.0 + 1];
            ticks.extend(pair.iter().filter(|tick| gap.left < **tick && **tick < gap.right));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::Breakpoint;
    use crate::feeder::Line;
    use crate::units::{Milliwatt, PicoEurPerWh};
    use proptest::prelude::*;

    fn points(price: i64, power: i64, steps: &[(i64, i64)]) -> Vec<Breakpoint> {
        let mut corner = Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
        let mut points = vec![corner];
        for (rise, fall) in steps {
            corner.price.0 += rise;
            corner.power.0 -= fall;
            points.push(corner);
        }
        points
    }

    fn chain(limits: &[i64]) -> Feeder {
        let line = |i: usize| Line {
            id: format!("l{i}"),
            from: format!("n{i}"),
            to: format!("n{}", i + 1),
            power_max: Some(Milliwatt(limits[i])),
            power_min: Some(Milliwatt(-limits[i])),
            resistance_microohm: 0,
            reactance_microohm: 0,
            rating_millivoltampere: None,
        };
        Feeder {
            voltage_millivolt: 400_000,
            root: "n0".into(),
            buses: (0..=limits.len()).map(|i| format!("n{i}")).collect(),
            lines: (0..limits.len()).map(line).collect(),
        }
    }

    fn sites() -> impl Strategy<Value = Vec<Vec<Breakpoint>>> {
        let step = (prop_oneof![Just(0i64), 1..90_000_000i64], prop_oneof![Just(0i64), 1..4_000_000i64]);
        let site = (-50_000_000..200_000_000i64, 0..12_000_000i64, prop::collection::vec(step, 0..8));
        prop::collection::vec(site.prop_map(|(price, power, steps)| points(price, power, &steps)), 1..60)
    }

    proptest! {
        /// What the engine does with very many sites, on few: bounds first, exact sums last.
        #[test]
        fn bounding_first_changes_no_figure(
            sites in sites(),
            limits in prop::collection::vec(1_000_000i64..150_000_000, 0..5),
            slope in prop_oneof![Just(0i64), 1..400_000_000i64],
        ) {
            let feeder = chain(&limits);
            let tree = feeder.tree().unwrap();
            let mut book = Book::new(feeder.buses.len());
            for (i, site) in sites.iter().enumerate() {
                book.push(i * feeder.buses.len() / sites.len(), site).unwrap();
            }
            let supply = points(100_000_000 - slope / 2, 500_000_000, &[(slope, 1_000_000_000)]);
            let mirrored = supply.into_iter().map(|p| Breakpoint { price: p.price, power: -p.power });
            let supply = SupplyCurve::new(mirrored.collect()).unwrap();
            let grounds = Grounds { feeder: &feeder, tree: &tree, supply: &supply };
            let end = PicoEurPerWh(3_000_000_000);
            let range = PriceRange { min: -end, max: end };
            let exact = clear_within(&grounds, &book, range, usize::MAX);
            prop_assert_eq!(clear_within(&grounds, &book, range, 0), exact);
        }
    }
}
