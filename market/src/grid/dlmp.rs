//! What a price is made of: energy, losses, congestion and voltage (the DLMP of Papavasiliou, IEEE
//! Trans. Smart Grid 9(6), 2018), in one pass up the tree and one down, from flows, voltages and
//! multipliers. The parts of a price add up to it.
//!
//! Down a line, whose impedance is z = r + jx and into which P and Q flow, a price grows by
//! * congestion: the multipliers of the line's limits; that of apparent power along the flow;
//! * loss: what one more unit into the line loses, at the child's prices, and the price of losses;
//! * voltage: by how much one more unit lowers the child's squared voltage, times what raising that
//!   is worth.
//!
//! Raising a squared voltage is worth the multipliers of the limits and the deviation there and below;
//! where losses are in the balance also the losses it saves below, and these count as losses.

use super::problem::{GridProblem, Network};
use super::solution::GridSolution;

/// From EUR/h to EUR/MWh times kW.
const MILLI: f64 = 1e3;

/// A price's parts, in its own unit; they add up to it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PriceParts {
    /// The price at the root.
    pub energy: f64,
    /// Losses on the way.
    pub loss: f64,
    /// Limits of the lines on the way.
    pub congestion: f64,
    /// Limits and deviation of voltage.
    pub voltage: f64,
}

/// The parts of a place's two prices.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlaceParts {
    /// Of the price of real power.
    pub real: PriceParts,
    /// Of the price of reactive power.
    pub reactive: PriceParts,
}

impl PriceParts {
    /// The price they add up to.
    pub fn price(&self) -> f64 {
        self.energy + self.loss + self.congestion + self.voltage
    }

    fn plus(self, added: Self) -> Self {
        Self {
            energy: self.energy,
            loss: self.loss + added.loss,
            congestion: self.congestion + added.congestion,
            voltage: self.voltage + added.voltage,
        }
    }

    /// Puts what is missing to `price` into the largest part but energy: what the solver tolerates,
    /// and, below a line that may carry nothing, a multiplier without a flow to show its direction.
    fn closed(mut self, price: f64) -> Self {
        let missing = price - self.price();
        let mut largest = &mut self.congestion;
        for part in [&mut self.voltage, &mut self.loss] {
            if part.abs() > largest.abs() {
                largest = part;
            }
        }
        *largest += missing;
        self
    }
}

/// The parts of every place's prices.
pub fn parts(problem: &GridProblem, solution: &GridSolution) -> Vec<PlaceParts> {
    let worth = worth(problem, solution);
    let mut parts: Vec<PlaceParts> = Vec::with_capacity(worth.len());
    for (place, worth) in worth.iter().enumerate() {
        let (real, reactive) = (solution.prices[place], solution.reactive_prices[place]);
        let root = |energy| PriceParts { energy, ..PriceParts::default() };
        parts.push(match place {
            0 => PlaceParts { real: root(real), reactive: root(reactive) },
            _ => {
                let above = parts[problem.network.parent[place]];
                let added = added(problem, solution, place, *worth);
                PlaceParts {
                    real: above.real.plus(added.real).closed(real),
                    reactive: above.reactive.plus(added.reactive).closed(reactive),
                }
            }
        });
    }
    parts
}

/// What raising a place's squared voltage by one p.u. is worth.
#[derive(Clone, Copy, Default)]
struct Worth {
    /// By limits and deviation.
    voltage: f64,
    /// By losses saved.
    loss: f64,
}

/// What every place's voltage is worth, from the leaves up.
fn worth(problem: &GridProblem, solution: &GridSolution) -> Vec<Worth> {
    let deviation = 2.0 * MILLI * problem.objective.voltage_deviation_price;
    let places = solution.duals.iter().zip(&solution.voltage_square_pu);
    let own = |(duals, square): (&super::solution::PlaceDuals, &f64)| Worth {
        voltage: duals.voltage_min - duals.voltage_max - deviation * (square - 1.0),
        loss: 0.0,
    };
    let mut worth: Vec<Worth> = places.map(own).collect();
    for place in (1..worth.len()).rev() {
        let line = Line::of(&problem.network, solution, place);
        let saved = line.current_square * line.priced_impedance(solution, place) * line.inverse_square;
        let below = worth[place];
        let parent = &mut worth[problem.network.parent[place]];
        parent.voltage += line.voltage_by_voltage() * below.voltage;
        parent.loss += line.voltage_by_voltage() * below.loss + saved;
    }
    worth
}

/// By what a place's prices exceed its parent's.
fn added(problem: &GridProblem, solution: &GridSolution, place: usize, worth: Worth) -> PlaceParts {
    let line = Line::of(&problem.network, solution, place);
    let duals = &solution.duals[place];
    let apparent_kva = line.power_kw.hypot(line.reactive_kvar);
    let along = if apparent_kva > 0.0 { duals.apparent / apparent_kva } else { 0.0 };
    // One more unit of flow loses twice its share of the current.
    let loss_of_flow = 2.0 * line.inverse_square * line.priced_impedance(solution, place)
        + 2.0 * problem.objective.loss_price * line.resistance;
    let part = |flow: f64, impedance: f64, limits: f64| {
        let lowers = 2.0 * (impedance - line.inverse_square * line.impedance_square() * flow);
        PriceParts {
            energy: 0.0,
            loss: loss_of_flow * flow + lowers * worth.loss,
            congestion: limits + along * flow,
            voltage: lowers * worth.voltage,
        }
    };
    PlaceParts {
        real: part(line.power_kw, line.resistance, duals.power_max - duals.power_min),
        reactive: part(line.reactive_kvar, line.reactance, 0.0),
    }
}

/// Part of a line's apparent power by which its losses may miss those of its current and count as
/// them.
const EXACT: f64 = 1e-5;

/// What a line loses more than its current makes it, in kW or kvar, whichever is more; 0 where that is
/// next to nothing.
pub fn excess_loss_kva(network: &Network, solution: &GridSolution, place: usize) -> f64 {
    let (branch, flow) = (&network.branches[place], &solution.flows[place]);
    let apparent_square = flow.power_kw * flow.power_kw + flow.reactive_kvar * flow.reactive_kvar;
    let current = apparent_square / solution.voltage_square_pu[network.parent[place]];
    let over = (flow.loss_kw - branch.resistance_pu_per_kva * current).abs();
    let over = over.max((flow.loss_kvar - branch.reactance_pu_per_kva * current).abs());
    let counts = network.losses.carries() && over > EXACT * apparent_square.sqrt().max(100.0);
    if counts {
        over
    } else {
        0.0
    }
}

/// A line at the flow found. Where losses are neglected its current counts as none.
struct Line {
    resistance: f64,
    reactance: f64,
    ratio_square: f64,
    power_kw: f64,
    reactive_kvar: f64,
    /// One over the squared voltage at the sending end; 0 where losses are neglected, or more than the
    /// current makes, so that they don't follow from the flow.
    inverse_square: f64,
    current_square: f64,
}

impl Line {
    fn of(network: &Network, solution: &GridSolution, place: usize) -> Self {
        let branch = &network.branches[place];
        let flow = &solution.flows[place];
        let sending_square = solution.voltage_square_pu[network.parent[place]];
        let apparent_square = flow.power_kw * flow.power_kw + flow.reactive_kvar * flow.reactive_kvar;
        let follows = network.losses.carries() && excess_loss_kva(network, solution, place) == 0.0;
        let inverse_square = if follows { 1.0 / sending_square } else { 0.0 };
        Self {
            resistance: branch.resistance_pu_per_kva,
            reactance: branch.reactance_pu_per_kva,
            ratio_square: branch.ratio_square,
            power_kw: flow.power_kw,
            reactive_kvar: flow.reactive_kvar,
            inverse_square,
            current_square: apparent_square * inverse_square,
        }
    }

    fn impedance_square(&self) -> f64 {
        self.resistance * self.resistance + self.reactance * self.reactance
    }

    /// What one more unit of squared current costs in losses.
    fn priced_impedance(&self, solution: &GridSolution, place: usize) -> f64 {
        self.resistance * solution.prices[place] + self.reactance * solution.reactive_prices[place]
    }

    /// How the child's squared voltage answers to its parent's: by the ratio, less what the current
    /// that a higher voltage saves would have lifted.
    fn voltage_by_voltage(&self) -> f64 {
        self.ratio_square - self.impedance_square() * self.current_square * self.inverse_square
    }
}

#[cfg(test)]
mod tests {
    use super::super::clear;
    use super::super::problem::{Losses, Reactive};
    use super::super::sample::{chain, loaded};
    use super::*;

    fn check(problem: &GridProblem) -> Vec<PlaceParts> {
        let solution = clear(problem).unwrap();
        let parts = parts(problem, &solution);
        let worth = worth(problem, &solution);
        for (place, parts) in parts.iter().enumerate() {
            assert!((parts.real.price() - solution.prices[place]).abs() < 1e-9);
            assert!((parts.reactive.price() - solution.reactive_prices[place]).abs() < 1e-9);
            if place == 0 {
                continue;
            }
            // What multipliers and flows make it, before anything is put where it is missing.
            let parent = problem.network.parent[place];
            let added = added(problem, &solution, place, worth[place]);
            let (from, to) = (solution.prices[parent], solution.prices[place]);
            assert!((from + added.real.price() - to).abs() < 1e-5, "{place}: {from} {added:?} {to}");
            let (from, to) = (solution.reactive_prices[parent], solution.reactive_prices[place]);
            assert!((from + added.reactive.price() - to).abs() < 1e-5, "{place}: {from} {added:?} {to}");
        }
        parts
    }

    #[test]
    fn a_voltage_limit_lowers_prices_towards_the_generator_that_presses_on_it() {
        // Figures of the reference case v03_voltvar_relief, solved by Clarabel, PIQP and HiGHS.
        let mut problem = chain();
        for band in &mut problem.network.bands[1..] {
            (band.min_square_pu, band.max_square_pu) = (0.95 * 0.95, 1.05 * 1.05);
        }
        for branch in &mut problem.network.branches {
            branch.resistance_pu_per_kva = 0.007487103464282773 / 1e3;
            branch.reactance_pu_per_kva = 0.0056153275982120795 / 1e3;
        }
        problem.offers[2].reactive =
            Reactive::Range { min_kvar: -1500.0, max_kvar: 1500.0, cost_eur_per_mvar2_h: 2.0 };
        let parts = check(&problem);
        let expected = [(0.0, 0.0), (-2.526317, -1.894738), (-5.052634, -3.789475), (-7.578951, -5.684213)];
        for (parts, (real, reactive)) in parts.iter().zip(expected) {
            assert!((parts.real.voltage - real).abs() < 1e-5, "{parts:?}");
            assert!((parts.reactive.voltage - reactive).abs() < 1e-5, "{parts:?}");
            assert!((parts.real.energy - 45.0).abs() < 1e-6);
            assert_eq!((parts.real.loss, parts.real.congestion), (0.0, 0.0));
        }
    }

    #[test]
    fn each_cause_has_its_part() {
        let mut problem = loaded();
        problem.network.branches[1].power_max_kw = 950.0;
        problem.network.branches[2].apparent_max_kva = 640.0;
        problem.network.branches[3].ratio_square = 1.02;
        problem.network.bands[3].min_square_pu = 0.985;
        problem.objective.loss_price = 60.0;
        problem.objective.voltage_deviation_price = 10.0;
        let parts = check(&problem);
        let [_, first, second, third] = parts[..] else { panic!("{parts:?}") };
        assert!(first.real.congestion > 1.0 && first.reactive.congestion.abs() < 1e-6, "{first:?}");
        assert!(second.reactive.congestion > 0.1, "{second:?}");
        assert!(third.real.loss > 0.1 && third.real.voltage > 0.01, "{third:?}");
    }

    #[test]
    fn losses_in_the_balance_are_priced_where_they_arise() {
        let mut problem = loaded();
        problem.network.losses = Losses::Carried;
        problem.network.bands[3].min_square_pu = 0.97 * 0.97;
        let parts = check(&problem);
        assert!(parts[3].real.loss > parts[1].real.loss && parts[1].real.loss > 0.0);
        assert!(parts[3].real.voltage > 0.1);
        assert_eq!(parts[3].real.congestion, 0.0);
    }
}
