//! Allocations and flows once every price is known, shared from the root down.

use super::bound::Grid;
use super::levels::Grounds;
use super::locate::Window;
use super::Clearing;
use crate::share::{split, Demand};
use crate::units::{Milliwatt, PicoEurPerWh};

/// Why demand at the prices is not known well enough yet: the ticks to ask.
pub(crate) struct Missing(pub Vec<i64>);

/// Shares flows and allocations at prices that every window has settled to.
pub(crate) fn allocate(
    grounds: &Grounds<'_>,
    own_by_bus: &Grid,
    levels: &Grid,
    windows: &[Window],
) -> Result<Clearing, Missing> {
    let tree = grounds.tree;
    let price = |place: usize| windows[place].low;
    let mut children = vec![Vec::new(); windows.len()];
    for place in 1..windows.len() {
        children[tree.parent[place]].push(place);
    }
    let mut clearing = Clearing {
        import: Milliwatt::ZERO,
        prices: vec![PicoEurPerWh::ZERO; windows.len()],
        allocations: vec![Milliwatt::ZERO; windows.len()],
        flows: vec![Milliwatt::ZERO; grounds.feeder.lines.len()],
    };
    let root = range(levels, 0, price(0), (i64::MIN, i64::MAX))?;
    let offered = Milliwatt(-grounds.supply_at(price(0) + 1));
    clearing.import = root.high.min(offered);
    let mut taken = vec![Milliwatt::ZERO; windows.len()];
    taken[0] = clearing.import;
    for place in 0..windows.len() {
        let bus = tree.order[place];
        let mut parts = vec![range(own_by_bus, bus, price(place), (i64::MIN, i64::MAX))?];
        for child in &children[place] {
            parts.push(range(levels, *child, price(place), grounds.limits(*child))?);
        }
        let missing = || Missing(vec![price(place), price(place) + 1]);
        let shares = split(taken[place], &parts).ok_or_else(missing)?;
        clearing.prices[bus] = PicoEurPerWh(price(place));
        clearing.allocations[bus] = shares[0];
        for (child, share) in children[place].iter().zip(&shares[1..]) {
            taken[*child] = *share;
            clearing.flows[tree.line[*child]] = *share;
        }
    }
    Ok(clearing)
}

/// A row's step at a price, within limits.
fn range(grid: &Grid, row: usize, price: i64, limits: (i64, i64)) -> Result<Demand, Missing> {
    let at = |tick: i64| {
        let known = grid.at(row, tick).clamp(limits).known();
        known.map(Milliwatt).ok_or_else(|| Missing(vec![price, price + 1]))
    };
    Ok(Demand { low: at(price + 1)?, high: at(price)? })
}
