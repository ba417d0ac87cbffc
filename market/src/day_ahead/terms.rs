//! What binds day-ahead: the grid's terms with its limits of apparent power as limits of real power, and
//! no weight but the parties' value.
//!
//! Reactive power is planned by bus, so what is left of a line's rating for real power is known beforehand,
//! and the narrower limit is exact.

use crate::grid::problem::{Branch, Objective};
use crate::grid::rules::GridTerms;
use crate::units::Millivar;
use thiserror::Error;

/// The terms of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct DayAheadTerms {
    /// The feeder with real-power limits alone, and voltages.
    grid: GridTerms,
    /// Length of an interval in seconds.
    interval_s: i64,
}

/// A line that planned reactive power alone would overload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the line to place {place} carries {reactive} as planned, more than its most apparent power")]
pub struct Overloaded {
    /// The place it feeds.
    pub place: usize,
    /// What it carries.
    pub reactive: Millivar,
}

impl DayAheadTerms {
    /// The terms of intervals of so many seconds on a grid.
    ///
    /// # Errors
    /// Where planned reactive power alone overloads a line.
    pub fn new(grid: &GridTerms, interval_s: i64) -> Result<Self, Overloaded> {
        let mut narrowed = GridTerms { objective: Objective::default(), ..grid.clone() };
        let reactive = reactive_flows(grid);
        for (place, branch) in narrowed.network.branches.iter_mut().enumerate().skip(1) {
            let overloaded = || {
                let bounded = reactive[place].clamp(i64::MIN.into(), i64::MAX.into());
                Overloaded { place, reactive: Millivar(bounded as i64) }
            };
            *branch = real_power_alone(branch, reactive[place]).ok_or_else(overloaded)?;
        }
        Ok(Self { grid: narrowed, interval_s })
    }

    /// The grid's terms in each interval.
    pub fn grid(&self) -> &GridTerms {
        &self.grid
    }

    /// Length of an interval in seconds.
    pub fn interval_s(&self) -> i64 {
        self.interval_s
    }
}

/// Planned reactive power on the line to each place, in millivars; the root's is all of it.
fn reactive_flows(grid: &GridTerms) -> Vec<i128> {
    let mut flows: Vec<i128> = grid.reactive.iter().map(|reactive| i128::from(reactive.0)).collect();
    for place in (1..flows.len()).rev() {
        let below = flows[place];
        flows[grid.network.parent[place]] += below;
    }
    flows
}

/// A line without its limit of apparent power, real power limited by what reactive power leaves of it;
/// none where it leaves nothing. An integer root, so that every machine has the same limit.
fn real_power_alone(branch: &Branch, reactive_millivar: i128) -> Option<Branch> {
    if branch.apparent_max_kva == f64::INFINITY {
        return Some(*branch);
    }
    let apparent = (branch.apparent_max_kva * 1e6) as i64;
    let apparent_square = u128::from(apparent.unsigned_abs()).pow(2);
    let reactive_square = reactive_millivar.unsigned_abs().checked_pow(2)?;
    let left_kw = apparent_square.checked_sub(reactive_square)?.isqrt() as f64 / 1e6;
    let Branch { power_min_kw, power_max_kw, .. } = *branch;
    Some(Branch {
        power_min_kw: if power_min_kw > -left_kw { power_min_kw } else { -left_kw },
        power_max_kw: if power_max_kw < left_kw { power_max_kw } else { left_kw },
        apparent_max_kva: f64::INFINITY,
        ..*branch
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::certificate::Tolerances;
    use crate::grid::problem::{Losses, Network, VoltageBand};

    /// A chain of two lines of 50 kVA, so many kvar planned at either place.
    fn terms(kvar: [i64; 2], power_max_kw: f64) -> Result<DayAheadTerms, Overloaded> {
        let branch = Branch {
            resistance_pu_per_kva: 1e-4,
            reactance_pu_per_kva: 1e-4,
            ratio_square: 1.0,
            power_min_kw: f64::NEG_INFINITY,
            power_max_kw,
            apparent_max_kva: 50.0,
        };
        let band = VoltageBand { min_square_pu: 0.81, max_square_pu: 1.21 };
        let grid = GridTerms {
            network: Network {
                parent: vec![0, 0, 1],
                branches: vec![branch; 3],
                bands: vec![band; 3],
                root_voltage_square_pu: 1.0,
                losses: Losses::Neglected,
            },
            objective: Objective { loss_price: 50.0, ..Objective::default() },
            reactive: [0, kvar[0], kvar[1]].map(|kvar| Millivar(kvar * 1_000_000)).to_vec(),
            tolerances: Tolerances::default(),
            reactive_full_price: None,
        };
        DayAheadTerms::new(&grid, 900)
    }

    #[test]
    fn real_power_has_what_planned_reactive_power_leaves() {
        let check = |kvar, power_max_kw, expected: [(f64, f64); 2]| {
            let terms = terms(kvar, power_max_kw).unwrap();
            let limits = terms.grid().network.branches[1..].iter();
            let limits: Vec<_> = limits.map(|branch| (branch.power_min_kw, branch.power_max_kw)).collect();
            assert_eq!(limits, expected);
            assert_eq!(terms.grid().network.branches[1].apparent_max_kva, f64::INFINITY);
            assert_eq!(terms.grid().objective, Objective::default());
        };
        check([0, 30], f64::INFINITY, [(-40.0, 40.0); 2]);
        check([-16, 30], f64::INFINITY, [(-48.0, 48.0), (-40.0, 40.0)]);
        check([0, 50], f64::INFINITY, [(0.0, 0.0); 2]);
        check([0, 30], 25.0, [(-40.0, 25.0); 2]);
    }

    #[test]
    fn a_line_that_reactive_power_alone_overloads_is_named() {
        let reactive = Millivar(51_000_000);
        assert_eq!(terms([21, 30], f64::INFINITY), Err(Overloaded { place: 1, reactive }));
    }
}
