//! Clearing a feeder of few sites: demand is summed up the tree at prices at which curves have a corner,
//! so that curves of steps leave nothing to narrow down.
//!
//! The cost is at worst the product of buses and corners: right for a street of a hundred sites, wrong for
//! a city, which [`super::engine`] clears. Here also is what a feeder takes as a whole, by which it can
//! bid into a market above it.

use super::allocate::{allocate, Missing};
use super::bound::{Bound, Grid};
use super::levels::{sum_up, Grounds};
use super::locate::{locate, Gap};
use super::{Clearing, Infeasible, PriceRange};
use crate::curve::{Breakpoint, FlexCurve};
use crate::feeder::{Feeder, Tree};
use crate::supply::SupplyCurve;
use crate::units::{Milliwatt, PicoEurPerWh, POWER_BOUND};

/// Parts into which a gap along a slope is divided at once.
const PARTS: i64 = 64;

/// One site's curve at a bus.
#[derive(Clone, Copy, Debug)]
pub struct SiteCurve<'a> {
    /// Index of its bus in [`Feeder::buses`].
    pub bus: usize,
    /// What it takes at each price.
    pub curve: &'a FlexCurve,
}

/// Clears the sites of a feeder, given in any order; the outcome is that of [`super::engine::clear`].
/// A site whose bus the feeder does not have takes no part.
///
/// Demand is asked at the supply's corners first: below a supply at one price, with no line at its limit,
/// that is all there is to ask. Elsewhere prices are then sought among the curves' corners.
///
/// # Errors
/// [`Infeasible`] names the limit that no price in the range meets.
pub fn clear(
    feeder: &Feeder,
    tree: &Tree,
    supply: &SupplyCurve,
    sites: &[SiteCurve<'_>],
    range: PriceRange,
) -> Result<Clearing, Infeasible> {
    let grounds = Grounds { feeder, tree, supply };
    let mut ticks = corners(std::iter::once(supply.mirrored()), range);
    loop {
        let own_by_bus = demand(feeder.buses.len(), by_bus(sites), &ticks);
        let levels = sum_up(&grounds, &own_by_bus)?;
        let located = locate(&grounds, &levels);
        let more = if located.windows.iter().all(|window| window.low == window.high) {
            match allocate(&grounds, &own_by_bus, &levels, &located.windows) {
                Ok(clearing) => return Ok(clearing),
                Err(Missing(more)) => more,
            }
        } else {
            let within = corners_in(sites, &located.gaps, range);
            if within.iter().all(|tick| ticks.binary_search(tick).is_ok()) {
                divided(&located.gaps)
            } else {
                within
            }
        };
        ticks.extend(more);
        ticks.sort_unstable();
        ticks.dedup();
    }
}

/// What the feeder as a whole takes at its root, every line's limits kept: its power at each tick
/// where that changes, in order of price, from `range`'s lowest to one above its highest. Where all
/// curves are of steps, a straight line between these is exact at every tick.
///
/// # Errors
/// [`Infeasible`] names the limit that no price in the range meets.
pub fn net_demand(
    feeder: &Feeder,
    tree: &Tree,
    sites: &[SiteCurve<'_>],
    range: PriceRange,
) -> Result<Vec<Breakpoint>, Infeasible> {
    // Both bounds are the market's own, so such a supply there always is.
    let supply =
        SupplyCurve::flat(range.min(), -POWER_BOUND, POWER_BOUND).unwrap_or_else(|_| SupplyCurve::none());
    let grounds = Grounds { feeder, tree, supply: &supply };
    let ends = vec![range.min().0, range.max().0 + 1];
    let levels = sum_up(&grounds, &demand(feeder.buses.len(), by_bus(sites), &ends))?;
    let parts = Parts::of(&grounds, &levels);
    let ticks = corners(sites.iter().map(|site| site.curve), range);
    let root = parts.demand_at_root(&grounds, sites, &ticks);
    let turns = |i: usize| i == 0 || i + 1 == root.len() || root[i - 1] != root[i] || root[i] != root[i + 1];
    let corner = |i: usize| Breakpoint { price: PicoEurPerWh(ticks[i]), power: Milliwatt(root[i]) };
    Ok((0..root.len()).filter(|i| turns(*i)).map(corner).collect())
}

/// A feeder in parts, between which stand the lines whose limits some price would pass. Within a part
/// demand is a plain sum.
struct Parts {
    /// The place at which each part begins, the root first, parents before children.
    begins: Vec<usize>,
    /// The part above each; the root's is its own.
    above: Vec<usize>,
    /// The part in which each place lies.
    of_place: Vec<usize>,
}

impl Parts {
    /// From demand below every place at the price range's ends.
    fn of(grounds: &Grounds<'_>, ends: &Grid) -> Self {
        let mut parts = Self { begins: vec![0], above: vec![0], of_place: vec![0] };
        for place in 1..grounds.tree.order.len() {
            let (row, (least, most)) = (ends.row(place), grounds.limits(place));
            let above = parts.of_place[grounds.tree.parent[place]];
            if row[row.len() - 1].low >= least && row[0].high <= most {
                parts.of_place.push(above);
            } else {
                parts.of_place.push(parts.begins.len());
                parts.begins.push(place);
                parts.above.push(above);
            }
        }
        parts
    }

    fn demand_at_root(&self, grounds: &Grounds<'_>, sites: &[SiteCurve<'_>], ticks: &[i64]) -> Vec<i64> {
        let place = |site: &SiteCurve<'_>| grounds.tree.place.get(site.bus).copied();
        let by_part = sites.iter().filter_map(|site| Some((self.of_place[place(site)?], site.curve)));
        let mut levels = demand(self.begins.len(), by_part, ticks);
        for part in (1..self.begins.len()).rev() {
            levels.add_clamped(part, self.above[part], grounds.limits(self.begins[part]));
        }
        levels.row(0).iter().map(|bound| bound.high).collect()
    }
}

fn by_bus<'a>(sites: &'a [SiteCurve<'a>]) -> impl Iterator<Item = (usize, &'a FlexCurve)> {
    sites.iter().map(|site| (site.bus, site.curve))
}

/// The range's ends, and every corner's tick with the one above it, where a step has come down.
fn corners<'a>(curves: impl Iterator<Item = &'a FlexCurve>, range: PriceRange) -> Vec<i64> {
    let (first, last) = (range.min().0, range.max().0 + 1);
    let mut prices: Vec<i64> = Vec::new();
    for point in curves.flat_map(FlexCurve::points) {
        // Most corners are a step's two ends.
        if prices.last() != Some(&point.price.0) {
            prices.push(point.price.0);
        }
    }
    prices.sort_unstable();
    let mut ticks = vec![first];
    for tick in prices.into_iter().flat_map(|price| [price, price + 1]) {
        if ticks[ticks.len() - 1] < tick && tick < last {
            ticks.push(tick);
        }
    }
    ticks.push(last);
    ticks
}

/// Those ticks of [`corners`] at which a price is still to be found.
fn corners_in(sites: &[SiteCurve<'_>], gaps: &[Gap], range: PriceRange) -> Vec<i64> {
    let mut ticks = corners(sites.iter().map(|site| site.curve), range);
    ticks.retain(|tick| gaps.iter().any(|gap| gap.left < *tick && *tick < gap.right));
    ticks
}

fn divided(gaps: &[Gap]) -> Vec<i64> {
    let inside = |gap: &Gap| {
        let (left, width) = (gap.left, (gap.right - gap.left) as i128);
        let parts = width.min(PARTS as i128);
        (1..parts).map(move |part| left + (width * part / parts) as i64)
    };
    gaps.iter().flat_map(inside).collect()
}

/// Every row's demand at each tick, exactly: the running sum of its curves' falls. Curves of rows that
/// don't exist are left out.
fn demand<'a>(rows: usize, curves: impl Iterator<Item = (usize, &'a FlexCurve)>, ticks: &[i64]) -> Grid {
    let mut grid = Grid::new(ticks.to_vec(), rows);
    for (row, curve) in curves.filter(|(row, _)| *row < rows) {
        add_falls(curve, ticks, grid.row_mut(row));
    }
    for row in 0..rows {
        let mut power = 0;
        for bound in grid.row_mut(row) {
            power -= bound.high;
            *bound = Bound::exact(power);
        }
    }
    grid
}

/// Adds how much a curve falls from each tick to the next, at the later one; at the first tick, its
/// power there as a rise.
fn add_falls(curve: &FlexCurve, ticks: &[i64], row: &mut [Bound]) {
    let power_at = |tick: i64| curve.power_at(PicoEurPerWh(tick)).0;
    let (first, end) = (ticks[0], ticks.len());
    row[0].high -= power_at(first);
    if end < curve.points().len() {
        // Few ticks are looked up sooner than every corner.
        let mut before = power_at(first);
        for (tick, bound) in ticks.iter().zip(row).skip(1) {
            let power = power_at(*tick);
            bound.high += before - power;
            before = power;
        }
        return;
    }
    for pair in curve.points().windows(2) {
        let (left, right) = (pair[0].price.0, pair[1].price.0);
        if pair[0].power == pair[1].power || right < first {
            continue;
        }
        let after = ticks.partition_point(|tick| *tick <= left);
        if left == right {
            // A step is whole at its own tick, and gone at any above it.
            if after < end {
                row[after].high += (pair[0].power - pair[1].power).0;
            }
            continue;
        }
        // The foot of a step at `left`, where the slope begins, is the step's own fall.
        let from = after.max(1);
        let mut before = if ticks[from - 1] > left { power_at(ticks[from - 1]) } else { pair[0].power.0 };
        let beyond = ticks.partition_point(|tick| *tick <= right).max(from);
        for i in from..beyond {
            let power = power_at(ticks[i]);
            row[i].high += before - power;
            before = power;
        }
        // What is left of the slope where it ends between two ticks.
        if beyond < end {
            row[beyond].high += before - pair[1].power.0;
        }
    }
}
