//! Clearing a feeder of few sites: demand is summed up the tree at every price at which any curve has
//! a corner, so that curves of steps leave nothing to narrow down.
//!
//! The cost is the product of buses and corners: right for a street of a hundred sites, wrong for a
//! city, which [`super::engine`] clears. Here also is what a feeder takes as a whole, by which it can
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
    let mut ticks = corners(sites, supply, range);
    loop {
        let own_by_bus = demand_by_bus(feeder.buses.len(), sites, &ticks);
        let levels = sum_up(&grounds, &own_by_bus)?;
        let located = locate(&grounds, &levels);
        let more = if located.windows.iter().all(|window| window.low == window.high) {
            match allocate(&grounds, &own_by_bus, &levels, &located.windows) {
                Ok(clearing) => return Ok(clearing),
                Err(Missing(more)) => more,
            }
        } else {
            divided(&located.gaps)
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
    let ticks = corners(sites, &supply, range);
    let levels = sum_up(&grounds, &demand_by_bus(feeder.buses.len(), sites, &ticks))?;
    let root: Vec<i64> = levels.row(0).iter().map(|bound| bound.high).collect();
    let turns = |i: usize| i == 0 || i + 1 == root.len() || root[i - 1] != root[i] || root[i] != root[i + 1];
    let corner = |i: usize| Breakpoint { price: PicoEurPerWh(ticks[i]), power: Milliwatt(root[i]) };
    Ok((0..root.len()).filter(|i| turns(*i)).map(corner).collect())
}

/// The range's ends, and every corner's tick with the one above it, where a step has come down.
fn corners(sites: &[SiteCurve<'_>], supply: &SupplyCurve, range: PriceRange) -> Vec<i64> {
    let (first, last) = (range.min().0, range.max().0 + 1);
    let curves = sites.iter().map(|site| site.curve).chain(std::iter::once(supply.mirrored()));
    let corners = curves.flat_map(FlexCurve::points).map(|point| point.price.0);
    let mut ticks = vec![first, last];
    ticks.extend(corners.flat_map(|price| [price, price + 1]).filter(|tick| (first..=last).contains(tick)));
    ticks.sort_unstable();
    ticks.dedup();
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

/// Every bus's demand at each tick, exactly: a row is the running sum of its curves' falls.
fn demand_by_bus(buses: usize, sites: &[SiteCurve<'_>], ticks: &[i64]) -> Grid {
    let mut grid = Grid::new(ticks.to_vec(), buses);
    for site in sites.iter().filter(|site| site.bus < buses) {
        add_falls(site.curve, ticks, grid.row_mut(site.bus));
    }
    for bus in 0..buses {
        let mut power = 0;
        for bound in grid.row_mut(bus) {
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
    for pair in curve.points().windows(2) {
        let (left, right) = (pair[0].price.0, pair[1].price.0);
        if pair[0].power == pair[1].power || right < first {
            continue;
        }
        let after = ticks.partition_point(|tick| *tick <= left);
        if left == right {
            // A step is whole at its own tick, and gone at the one above it, which is a tick here too.
            if after < end {
                row[after].high += (pair[0].power - pair[1].power).0;
            }
            continue;
        }
        // The foot of a step at `left`, where the slope begins, is the step's own fall.
        let from = after.max(1);
        let mut before = if ticks[from - 1] > left { power_at(ticks[from - 1]) } else { pair[0].power.0 };
        for i in from..end.min(ticks.partition_point(|tick| *tick <= right)) {
            let power = power_at(ticks[i]);
            row[i].high += before - power;
            before = power;
        }
    }
}
