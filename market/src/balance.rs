//! A feeder's balance: what flowed into a part of it, by the operator's own meters, against what its customers' meters
//! say and what its lines lost. A meter that lies, and a tap before any meter, show as energy that is missing.
//!
//! A radial feeder falls into sections: behind each measured point all that is not behind another one further down.
//! So the more lines are measured, the closer a fault is known; which of a section's meters lies, energy can't say.

use crate::feeder::{Feeder, Tree};
use crate::units::Millijoule;
use std::collections::BTreeMap;

/// Where the operator measures what flows away from the grid supply point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// At the grid supply point.
    Head,
    /// At the upper end of the line of this index in [`Feeder::lines`].
    Line(usize),
}

/// What customers' meters say at one bus, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// Sum of their net energies; import positive.
    pub net: Millijoule,
    /// Sum of these without their signs.
    pub gross: Millijoule,
    /// Meters of which no reading came.
    pub silent: u32,
}

impl Metered {
    /// Adds one meter's reading; none where none came.
    pub fn add(&mut self, energy: Option<Millijoule>) {
        match energy {
            Some(energy) => {
                self.net.0 = self.net.0.saturating_add(energy.0);
                self.gross.0 = self.gross.0.saturating_add(energy.0.saturating_abs());
            }
            None => self.silent += 1,
        }
    }
}

/// How exact meters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accuracy {
    /// Error of a meter in thousandths of its reading: 20 for class 2 (EN 62053-21), 10 for class B (EN 50470-3).
    pub permille: u32,
    /// What may be missing besides: meters' starting currents, and clocks a little apart.
    pub floor: Millijoule,
}

impl Default for Accuracy {
    fn default() -> Self {
        Self { permille: 20, floor: Millijoule(50 * 3_600_000) }
    }
}

/// The balance of one section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Where it begins.
    pub point: Point,
    /// Its buses, by their indices in [`Feeder::buses`].
    pub buses: Vec<usize>,
    /// What flowed in, less what flowed out to sections further down.
    pub measured: Millijoule,
    /// What its customers' meters say.
    pub metered: Millijoule,
    /// What its lines lost, if the flow was even and without reactive power: the least they can have lost.
    pub losses: Millijoule,
    /// What measured less metered less losses may come to, either way, with every meter as exact as it should be.
    pub bound: Millijoule,
    /// Meters in it that were silent. Then it says nothing.
    pub silent: u32,
}

impl Section {
    /// Energy that nobody accounts for: positive where more flowed in than was taken and lost.
    pub fn missing(&self) -> Millijoule {
        let missing = i128::from(self.measured.0) - i128::from(self.metered.0) - i128::from(self.losses.0);
        saturated(missing)
    }

    /// Whether a meter must be wrong; none where some were silent.
    pub fn is_out_of_balance(&self) -> Option<bool> {
        (self.silent == 0).then(|| self.missing().0.saturating_abs() > self.bound.0)
    }
}

/// The balance of every section over an interval of `interval_s` seconds, from what was `measured` at some points and
/// `metered` at each bus (by its index). Losses are those of a balanced three-phase line at the feeder's voltage:
/// `R P^2 / U^2`; once more of them is allowed for, for flow that comes and goes and for reactive power.
pub fn sections(
    feeder: &Feeder,
    tree: &Tree,
    measured: &BTreeMap<Point, Millijoule>,
    metered: &[Metered],
    (interval_s, accuracy): (i64, Accuracy),
) -> Vec<Section> {
    let places = tree.order.len();
    let at = |place: usize| metered.get(tree.order[place]).copied().unwrap_or_default();
    let mut below: Vec<i128> = (0..places).map(|place| i128::from(at(place).net.0)).collect();
    for place in (1..places).rev() {
        below[tree.parent[place]] += below[place];
    }
    let mut of_place: Vec<Option<Point>> = vec![None; places];
    let mut sections: BTreeMap<Point, Section> = BTreeMap::new();
    for place in 0..places {
        let own = if place == 0 { Point::Head } else { Point::Line(tree.line[place]) };
        let above = if place == 0 { None } else { of_place[tree.parent[place]] };
        let point = if measured.contains_key(&own) { Some(own) } else { above };
        of_place[place] = point;
        let energy = measured.get(&own).copied();
        // What flows on into a section is no longer this one's.
        if let (Some(energy), Some(section)) = (energy, above.and_then(|above| sections.get_mut(&above))) {
            section.measured = saturated(i128::from(section.measured.0) - i128::from(energy.0));
            section.bound = saturated(i128::from(section.bound.0) + part(energy, accuracy));
        }
        let Some(point) = point else { continue };
        let section = sections.entry(point).or_insert_with(|| Section {
            point,
            buses: Vec::new(),
            measured: energy.unwrap_or_default(),
            metered: Millijoule(0),
            losses: Millijoule(0),
            bound: saturated(i128::from(accuracy.floor.0) + part(energy.unwrap_or_default(), accuracy)),
            silent: 0,
        });
        let Metered { net, gross, silent } = at(place);
        let losses = if place == 0 { 0 } else { loss(feeder, tree.line[place], below[place], interval_s) };
        section.buses.push(tree.order[place]);
        section.metered = saturated(i128::from(section.metered.0) + i128::from(net.0));
        section.losses = saturated(i128::from(section.losses.0) + losses);
        section.bound = saturated(i128::from(section.bound.0) + part(gross, accuracy) + losses);
        section.silent += silent;
    }
    sections.into_values().collect()
}

fn part(energy: Millijoule, accuracy: Accuracy) -> i128 {
    i128::from(energy.0).abs() * i128::from(accuracy.permille) / 1_000
}

/// What a line loses while it carries this energy in so many seconds, in millijoules: micro-ohm times milliwatt
/// squared by millivolt squared is a thousandth of a milliwatt.
fn loss(feeder: &Feeder, line: usize, energy: i128, interval_s: i64) -> i128 {
    let seconds = i128::from(interval_s.max(1));
    // A gigawatt is more than any feeder carries; beyond it products would not fit.
    let power = (energy / seconds).clamp(-1_000_000_000_000, 1_000_000_000_000);
    let voltage = i128::from(feeder.voltage_millivolt.max(1));
    let resistance =
        feeder.lines.get(line).map_or(0, |line| i128::from(line.resistance_microohm.min(1 << 40)));
    resistance * power * power / (voltage * voltage) * seconds / 1_000
}

fn saturated(energy: i128) -> Millijoule {
    Millijoule(energy.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feeder::Line;

    const KWH: i64 = 3_600_000_000;

    fn line(id: &str, from: &str, to: &str) -> Line {
        Line {
            id: id.to_owned(),
            from: from.to_owned(),
            to: to.to_owned(),
            power_max: None,
            power_min: None,
            resistance_microohm: 100_000,
            reactance_microohm: 0,
            rating_millivoltampere: None,
        }
    }

    /// A root, a trunk to `t`, and from there branches to `a` and `b`.
    fn feeder() -> Feeder {
        Feeder {
            voltage_millivolt: 400_000,
            root: "r".to_owned(),
            buses: ["r", "t", "a", "b"].map(str::to_owned).to_vec(),
            lines: vec![line("trunk", "r", "t"), line("to-a", "t", "a"), line("to-b", "t", "b")],
        }
    }

    /// What is out of balance: the points, where `measured` is in kWh, and a and b metered in Wh.
    fn check(measured: &[(Point, f64)], metered: [Option<i64>; 2], expected: &[(Point, Option<bool>)]) {
        let feeder = feeder();
        let tree = feeder.tree().unwrap();
        let measured =
            measured.iter().map(|(at, kwh)| (*at, Millijoule((kwh * KWH as f64) as i64))).collect();
        let mut at = vec![Metered::default(); 4];
        for (bus, energy) in [2, 3].into_iter().zip(metered) {
            at[bus].add(energy.map(|wh| Millijoule(wh * 3_600_000)));
        }
        let found = sections(&feeder, &tree, &measured, &at, (900, Accuracy::default()));
        let found: Vec<_> =
            found.iter().map(|section| (section.point, section.is_out_of_balance())).collect();
        assert_eq!(found, expected, "{measured:?}");
    }

    // 2 kWh in a quarter of an hour, 8 kW: 40 W on the trunk and 10 W on each branch, 15 Wh together.
    #[test]
    fn honest_meters_and_losses_balance_and_a_lie_beyond_the_bound_shows() {
        let head = [(Point::Head, 2.015)];
        check(&head, [Some(1_000), Some(1_000)], &[(Point::Head, Some(false))]);
        check(&head, [Some(1_000), Some(950)], &[(Point::Head, Some(false))]);
        check(&head, [Some(1_000), Some(700)], &[(Point::Head, Some(true))]);
        // One that says it feeds in more than it does.
        check(&head, [Some(1_000), Some(1_300)], &[(Point::Head, Some(true))]);
        check(&[(Point::Head, 0.0)], [Some(1_000), Some(-1_000)], &[(Point::Head, Some(false))]);
        check(&[(Point::Head, 0.0)], [Some(1_000), Some(-1_300)], &[(Point::Head, Some(true))]);
    }

    #[test]
    fn the_measured_branch_says_where() {
        let points = [(Point::Head, 2.015), (Point::Line(2), 1.003)];
        let [head, branch] = [Point::Head, Point::Line(2)];
        check(&points, [Some(1_000), Some(700)], &[(head, Some(false)), (branch, Some(true))]);
        check(&points, [Some(700), Some(1_000)], &[(head, Some(true)), (branch, Some(false))]);
    }

    #[test]
    fn where_a_meter_is_silent_or_nothing_is_measured_nothing_is_said() {
        check(&[(Point::Head, 2.0)], [Some(1_000), None], &[(Point::Head, None)]);
        check(&[], [Some(1_000), Some(1_000)], &[]);
        check(&[(Point::Line(1), 1.0)], [Some(700), Some(1_000)], &[(Point::Line(1), Some(true))]);
    }

    #[test]
    fn losses_are_those_of_a_balanced_line() {
        // 8 kW over 0.1 ohm at 400 V: (8000 / 400)^2 * 0.1 = 40 W.
        let energy = i128::from(2 * KWH);
        assert_eq!(loss(&feeder(), 0, energy, 900), 40 * 900 * 1_000);
    }
}
