//! A first look at a book: every bus's demand at 65 prices that span it all, from every site or from
//! a few, and the window of prices that leaves each bus.

use super::book::Book;
use super::bound::{Bound, Grid};
use super::levels::{sum_up, Grounds};
use super::locate::{locate, Located, Window};
use super::pieces::{within, Edges, PARTS};
use super::{Infeasible, PriceRange};

/// Bounds (bus by tick) that one round may add, so that a feeder of very many buses is divided less
/// finely rather than kept at length.
pub(super) const ROUND_CELLS: usize = 4_000_000;

/// How much to look at before looking closely.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    pub guess_sites: usize,
    pub guess_sites_of_bus: usize,
    /// Evaluations of a piece at a tick that are cheaper done than avoided.
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

/// Demand at 65 prices that span every breakpoint: bounds, or with `stride` above one a guess from
/// every so many sites. None where figures or feeder are too large for it.
pub(super) fn survey(market: &Market<'_>, stride: usize) -> Option<(Grid, Edges)> {
    let Market { book, range, effort, .. } = market;
    let ends = ends(market);
    let (first, last) = (range.min().0, range.max().0 + 1);
    let (low, high) = book.price_span()?;
    let edges = Edges::over(book, low.clamp(first, last), (high + 1).clamp(first, last))?;
    if ends.rows() * PARTS > ROUND_CELLS {
        return None;
    }
    let mut grid = ends.widened((0..=PARTS).map(|edge| edges.tick(edge)).collect());
    for bus in 0..ends.rows() {
        let all = book.sites_at(bus).len();
        let stride = stride.min(all / effort.guess_sites_of_bus.max(1)).max(1);
        let (bounds, looked) = within(book, bus, edges, stride);
        let (most, least) = (ends.row(bus)[0].high, ends.row(bus)[1].low);
        for (edge, mut bound) in bounds.into_iter().enumerate() {
            if looked < all {
                let guess = bound.middle() as i128 * all as i128 / looked as i128;
                bound = Bound::exact(guess.clamp(least as i128, most as i128) as i64);
            }
            grid.learn(bus, edges.tick(edge), bound);
        }
    }
    grid.tighten();
    Some((grid, edges))
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
