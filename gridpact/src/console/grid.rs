//! The feeder as it is drawn, and what flows in it. A single-line diagram follows from the tree: on wide screens depth goes
//! to the right and a bus's deepest branch goes on in its row; on narrow ones every bus has a row of its own. Pure.

use market::feeder::{Feeder, Tree};
use market::powerflow::{solve, Load, PowerFlow};
use market::units::Milliwatt;
use serde::Serialize;
use wire::entry::ClearingEntry;

/// Millionths of the nominal voltage.
const MICRO: f64 = 1e6;

/// Where one bus is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spot {
    /// Index of the bus that feeds it; none for the root.
    pub parent: Option<usize>,
    /// Index of the line that feeds it; none for the root.
    pub line: Option<usize>,
    /// Lines between it and the root.
    pub depth: usize,
    /// Its row on a wide screen.
    pub row: usize,
    /// Its row on a narrow screen.
    pub order: usize,
    /// Its column on a narrow screen: branchings off the main way to it.
    pub column: usize,
}

/// Places for every bus, in the order of the feeder's buses.
pub fn layout(tree: &Tree) -> Vec<Spot> {
    let count = tree.order.len();
    let mut children = vec![Vec::new(); count];
    let mut below = vec![0usize; count];
    for place in (1..count).rev() {
        let parent = tree.parent[place];
        below[parent] = below[parent].max(below[place] + 1);
        children[parent].push(place);
    }
    for children in &mut children {
        // The deepest first, and the order of the feeder among equals.
        children.sort_by_key(|place| (std::cmp::Reverse(below[*place]), *place));
    }
    let mut spots = vec![Spot::default(); count];
    let (mut rows, mut waiting) = (0, vec![0]);
    while let Some(place) = waiting.pop() {
        if place != 0 {
            let parent = tree.parent[place];
            let main = children[parent].first() == Some(&place);
            if !main {
                rows += 1;
            }
            let (depth, row) = (spots[parent].depth + 1, if main { spots[parent].row } else { rows });
            let column = spots[parent].column + usize::from(!main);
            let (from, line) = (Some(tree.order[parent]), Some(tree.line[place]));
            spots[place] = Spot { parent: from, line, depth, row, column, order: 0 };
        }
        waiting.extend(children[place].iter().rev());
    }
    let (mut order, mut waiting) = (0, vec![0]);
    while let Some(place) = waiting.pop() {
        spots[place].order = order;
        order += 1;
        // The main way on goes last, so that branches lie between it and its bus.
        waiting.extend(&children[place]);
    }
    let mut by_bus = vec![Spot::default(); count];
    for (spot, bus) in spots.into_iter().zip(&tree.order) {
        by_bus[*bus] = spot;
    }
    by_bus
}

/// What flows where everybody takes what was cleared, by AC power flow; none where there is no such flow, or the clearing
/// does not fit the feeder.
pub fn flow(
    feeder: &Feeder,
    tree: &Tree,
    root_voltage_micro_pu: i64,
    entry: &ClearingEntry,
) -> Option<PowerFlow> {
    let count = tree.order.len();
    let mut into = vec![(0i64, 0i64); count];
    into[0].0 = entry.import.0;
    if let Some(grid) = &entry.grid {
        into[0].1 = grid.import_reactive.0;
    }
    for (place, into) in into.iter_mut().enumerate().skip(1) {
        *into = match &entry.grid {
            Some(grid) => grid.flows.get(place).map(|flow| (flow.power.0, flow.reactive.0))?,
            None => (entry.flows.get(tree.line[place])?.0, 0),
        };
    }
    let mut loads = into.clone();
    for (place, (power, reactive)) in into.iter().enumerate().skip(1) {
        let parent = &mut loads[tree.parent[place]];
        *parent = (parent.0.checked_sub(*power)?, parent.1.checked_sub(*reactive)?);
    }
    let mut by_bus = vec![Load::default(); count];
    for ((power, reactive_millivar), bus) in loads.into_iter().zip(&tree.order) {
        by_bus[*bus] = Load { power: Milliwatt(power), reactive_millivar };
    }
    solve(feeder, tree, root_voltage_micro_pu as f64 / MICRO, &by_bus).ok()
}

/// A voltage in millionths of the nominal one.
pub fn micro_pu(voltage_pu: f64) -> i64 {
    (voltage_pu * MICRO).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::feeder::Line;

    fn feeder(lines: &[(&str, &str)]) -> Feeder {
        let line = |(place, (from, to)): (usize, &(&str, &str))| Line {
            id: format!("l{place}"),
            from: (*from).to_owned(),
            to: (*to).to_owned(),
            power_max: None,
            power_min: None,
            resistance_microohm: 100_000,
            reactance_microohm: 50_000,
            rating_millivoltampere: Some(100_000_000),
        };
        let buses = std::iter::once("r").chain(lines.iter().map(|(_, to)| *to)).map(str::to_owned);
        Feeder {
            voltage_millivolt: 400_000,
            root: "r".to_owned(),
            buses: buses.collect(),
            lines: lines.iter().enumerate().map(line).collect(),
        }
    }

    /// `(depth, row, order, column)` of every bus after the root.
    fn check(lines: &[(&str, &str)], expected: &[(usize, usize, usize, usize)]) {
        let spots = layout(&feeder(lines).tree().unwrap());
        let found: Vec<_> = spots[1..].iter().map(|s| (s.depth, s.row, s.order, s.column)).collect();
        assert_eq!(found, expected, "{lines:?}");
    }

    #[test]
    fn the_deepest_branch_goes_straight_on_and_no_two_buses_meet() {
        check(&[], &[]);
        check(&[("r", "a")], &[(1, 0, 1, 0)]);
        check(&[("r", "a"), ("r", "b"), ("b", "c")], &[(1, 1, 1, 1), (1, 0, 2, 0), (2, 0, 3, 0)]);
        let star = [("r", "a"), ("a", "b"), ("a", "c"), ("a", "d"), ("d", "e")];
        check(&star, &[(1, 0, 1, 0), (2, 1, 3, 1), (2, 2, 2, 1), (2, 0, 4, 0), (3, 0, 5, 0)]);
    }

    #[test]
    fn what_was_cleared_flows_with_losses_and_falling_voltage() {
        let feeder = feeder(&[("r", "a"), ("a", "b")]);
        let tree = feeder.tree().unwrap();
        let nothing = wire::entry::SignedEnvelope { topic: String::new(), bytes: Vec::new().into() };
        let mut entry = ClearingEntry {
            interval: Default::default(),
            rounds: 1,
            import: Milliwatt(10_000_000),
            prices: Vec::new(),
            flows: vec![Milliwatt(10_000_000), Milliwatt(4_000_000)],
            grid: None,
            supply: nothing,
            demands: Vec::new(),
        };
        let found = flow(&feeder, &tree, 1_000_000, &entry).unwrap();
        assert!(found.voltages_pu[0] > found.voltages_pu[1] && found.voltages_pu[1] > found.voltages_pu[2]);
        assert!(found.import_kw > 10.0 && found.import_kw < 10.2, "{found:?}");
        assert_eq!(micro_pu(found.voltages_pu[0]), 1_000_000);
        entry.flows.pop();
        assert!(flow(&feeder, &tree, 1_000_000, &entry).is_none());
    }
}
