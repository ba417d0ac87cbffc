//! Demand summed up the tree, every line clamping what lies below it.

use super::bound::Grid;
use super::Infeasible;
use crate::feeder::{Feeder, Tree};
use crate::supply::SupplyCurve;
use crate::units::{Milliwatt, PicoEurPerWh};

/// The market's fixed side: who feeds whom, within what limits, and what the import costs.
pub(crate) struct Grounds<'a> {
    pub feeder: &'a Feeder,
    pub tree: &'a Tree,
    pub supply: &'a SupplyCurve,
}

impl Grounds<'_> {
    /// The limits of the line that feeds a place other than the root.
    pub fn limits(&self, place: usize) -> (i64, i64) {
        let line = &self.feeder.lines[self.tree.line[place]];
        (line.power_min.map_or(i64::MIN, |p| p.0), line.power_max.map_or(i64::MAX, |p| p.0))
    }
    /// The supply as a party at the root: its demand (negative: it delivers) at a tick.
    pub fn supply_at(&self, tick: i64) -> i64 {
        self.supply.mirrored().power_at(PicoEurPerWh(tick)).0
    }
}

/// Demand below each place (a row each, in the tree's order) before its own line clamps it, the
/// supply not counted. Fails where a limit lies outside what its subtree takes at any price.
pub(crate) fn sum_up(grounds: &Grounds<'_>, own_by_bus: &Grid) -> Result<Grid, Infeasible> {
    let places = grounds.tree.order.len();
    let mut levels = Grid::new(own_by_bus.ticks.clone(), places);
    for (place, bus) in grounds.tree.order.iter().enumerate() {
        levels.row_mut(place).copy_from_slice(own_by_bus.row(*bus));
    }
    for place in (1..places).rev() {
        let limits = grounds.limits(place);
        check_line(grounds, place, ends(&levels, place), limits)?;
        // Once the limit lies within reach, clamping never leaves the subtree's own range, so sums
        // stay within the sum of the parties' magnitudes.
        levels.add_clamped(place, grounds.tree.parent[place], limits);
    }
    check_supply(grounds, &levels)?;
    Ok(levels)
}

/// Least and most demand over the price range.
fn ends(levels: &Grid, place: usize) -> (i64, i64) {
    let row = levels.row(place);
    (row[row.len() - 1].low, row[0].high)
}

fn check_line(
    grounds: &Grounds<'_>,
    place: usize,
    (least, most): (i64, i64),
    (power_min, power_max): (i64, i64),
) -> Result<(), Infeasible> {
    let line = || grounds.feeder.lines[grounds.tree.line[place]].id.clone();
    if least > power_max {
        let (needed, allowed) = (Milliwatt(least), Milliwatt(power_max));
        return Err(Infeasible::LineMax { line: line(), needed, allowed });
    }
    if most < power_min {
        let (needed, allowed) = (Milliwatt(most), Milliwatt(power_min));
        return Err(Infeasible::LineMin { line: line(), needed, allowed });
    }
    Ok(())
}

fn check_supply(grounds: &Grounds<'_>, levels: &Grid) -> Result<(), Infeasible> {
    let (least, most) = ends(levels, 0);
    let ticks = &levels.ticks;
    let import_min = -grounds.supply_at(ticks[0]);
    let import_max = -grounds.supply_at(ticks[ticks.len() - 1]);
    if least > import_max {
        return Err(Infeasible::SupplyMax { needed: Milliwatt(least), allowed: Milliwatt(import_max) });
    }
    if most < import_min {
        return Err(Infeasible::SupplyMin { needed: Milliwatt(most), allowed: Milliwatt(import_min) });
    }
    Ok(())
}
