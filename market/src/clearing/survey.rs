//! A look at a whole book: every bus's demand at 65 prices that span it all, and the window of prices
//! that leaves each bus.

use super::book::Book;
use super::bound::{Bound, Grid};
use super::levels::{sum_up, Grounds};
use super::locate::{locate, Located, Window};
use super::slopes::{Edges, Slopes, PARTS};
use super::sweep::{batches, each};
use super::{Infeasible, PriceRange};

/// Bounds (bus by tick) that one round may add, so that a feeder of very many buses is divided less
/// finely rather than kept at length.
pub(super) const ROUND_CELLS: usize = 4_000_000;

/// How much to look at before looking closely.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    /// Sites in one sample for a guess; none for no guess.
    pub guess_sites: usize,
    /// Sites of a single bus in one sample, where it has as many.
    pub guess_sites_of_bus: usize,
    /// Looks at a site that are cheaper taken than avoided.
    pub cheap: usize,
}

/// What is to be cleared.
pub(super) struct Market<'a> {
    pub grounds: &'a Grounds<'a>,
    pub book: &'a Book,
    pub range: PriceRange,
    pub effort: Effort,
}

/// Every bus's demand at the two ends of the price range, exactly.
pub(super) fn ends(market: &Market<'_>) -> Grid {
    let Market { grounds, book, range, .. } = market;
    let ticks = vec![range.min().0, range.max().0 + 1];
    let mut grid = Grid::new(ticks.clone(), grounds.feeder.buses.len());
    for bus in 0..grid.rows() {
        let powers = ticks.iter().map(|tick| Bound::exact(book.power_at_bus(bus, *tick)));
        grid.row_mut(bus).iter_mut().zip(powers).for_each(|(bound, power)| *bound = power);
    }
    grid
}

/// Demand within bounds at 65 prices that span every breakpoint. None where figures or feeder are
/// too large for it.
pub(super) fn survey(market: &Market<'_>) -> Option<Grid> {
    let Market { book, range, .. } = market;
    let ends = ends(market);
    let (first, last) = (range.min().0, range.max().0 + 1);
    let (low, high) = book.price_span()?;
    let edges = Edges::over(book, low.clamp(first, last), (high + 1).clamp(first, last))?;
    if ends.rows() * PARTS > ROUND_CELLS {
        return None;
    }
    let mut grid = ends.widened(edges.ticks().collect());
    let batches = batches(book, ends.rows());
    let surveyed = each(book, batches, |(bus, sites)| (bus, bounds(book, sites, edges)));
    let mut by_bus = vec![[Bound::default(); PARTS + 1]; ends.rows()];
    for (bus, bounds) in surveyed {
        by_bus[bus].iter_mut().zip(bounds).for_each(|(sum, bound)| *sum = sum.plus(bound));
    }
    for (bus, bounds) in by_bus.into_iter().enumerate() {
        grid.learn_all(bus, edges.ticks().zip(bounds));
    }
    grid.tighten();
    Some(grid)
}

fn bounds(book: &Book, sites: std::ops::Range<usize>, edges: Edges) -> [Bound; PARTS + 1] {
    let mut slopes = Slopes::new(edges);
    let base = sites.map(|site| slopes.add_curve(book.curve(site))).sum();
    slopes.sums(base)
}

/// Where each bus's demand matters, by bus, and `margin` ticks more.
pub(super) fn windows(
    grounds: &Grounds<'_>,
    demand: &Grid,
    margin: i64,
) -> Result<Vec<(i64, i64)>, Infeasible> {
    let located = locate(grounds, &sum_up(grounds, demand)?);
    let (first, last) = (demand.ticks[0], demand.ticks[demand.ticks.len() - 1]);
    let widened = grounds.tree.place.iter().map(|place| {
        let (from, to) = window_of(&located, *place);
        ((from - margin).max(first), (to + margin).min(last))
    });
    Ok(widened.collect())
}

pub(super) fn window_of(located: &Located, place: usize) -> (i64, i64) {
    let Window { ask_from, ask_to, .. } = located.windows[place];
    (ask_from, ask_to)
}
