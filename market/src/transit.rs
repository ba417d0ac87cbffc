//! What lines carry of energy that some buses feed in for others to take.

use crate::feeder::{Feeder, Tree};
use std::collections::BTreeMap;

/// The first line that could not carry it if the feeder carried nothing else: its place in
/// [`Feeder::lines`]. `net_milliwatt` is what each bus takes, by its place in [`Feeder::buses`]; negative: feeds in.
/// A bus that does not exist counts for nothing.
pub fn overloaded(feeder: &Feeder, tree: &Tree, net_milliwatt: &BTreeMap<usize, i128>) -> Option<usize> {
    let mut flows = vec![0i128; tree.order.len()];
    for (bus, power) in net_milliwatt {
        if let Some(place) = tree.place.get(*bus) {
            flows[*place] = flows[*place].saturating_add(*power);
        }
    }
    // Children come behind their parents, so that a place's flow is complete when its turn comes.
    for place in (1..flows.len()).rev() {
        let line = feeder.lines.get(tree.line[place])?;
        let above = line.power_max.is_some_and(|most| flows[place] > i128::from(most.0));
        let below = line.power_min.is_some_and(|least| flows[place] < i128::from(least.0));
        if above || below {
            return Some(tree.line[place]);
        }
        let parent = tree.parent[place];
        flows[parent] = flows[parent].saturating_add(flows[place]);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feeder::Line;
    use crate::units::Milliwatt;

    /// root - a - b and root - c; every line carries 100 down, and 40 up.
    fn feeder() -> Feeder {
        let line = |from: &str, to: &str| Line {
            id: format!("{from}-{to}"),
            from: from.to_owned(),
            to: to.to_owned(),
            power_max: Some(Milliwatt(100)),
            power_min: Some(Milliwatt(-40)),
            resistance_microohm: 1,
            reactance_microohm: 1,
            rating_millivoltampere: None,
        };
        Feeder {
            voltage_millivolt: 400_000,
            root: "root".to_owned(),
            buses: ["root", "a", "b", "c"].map(str::to_owned).to_vec(),
            lines: vec![line("root", "a"), line("a", "b"), line("root", "c")],
        }
    }

    fn check(net: &[(usize, i128)], expected: Option<&str>) {
        let feeder = feeder();
        let found = overloaded(&feeder, &feeder.tree().unwrap(), &net.iter().copied().collect());
        assert_eq!(found.map(|line| feeder.lines[line].id.as_str()), expected);
    }

    #[test]
    fn only_lines_on_the_way_carry_it() {
        check(&[], None);
        check(&[(3, 40), (2, -40)], None);
        check(&[(3, 41), (2, -41)], Some("a-b"));
        // What a takes of b's does not go on.
        check(&[(1, 10), (3, 30), (2, -40)], None);
        check(&[(1, 10), (3, 40), (2, -50)], Some("a-b"));
        check(&[(1, -30), (2, -30), (3, 60)], Some("root-a"));
        // The root's own line is the transmission network's.
        check(&[(0, 1_000), (2, -40)], None);
        check(&[(9, 1_000)], None);
        check(&[(2, i128::MAX), (1, i128::MAX)], Some("a-b"));
    }
}
