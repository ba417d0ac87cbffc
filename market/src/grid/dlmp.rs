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

mod figures;

use super::certificate::GridClearing;
use super::problem::{GridProblem, Network, Objective};
use super::solution::GridSolution;
use crate::dlmp::{BusDlmp, Dlmp};
use crate::units::PicoEurPerWh;
use figures::Figures;

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

    /// In ticks, adding up to `price` exactly: what rounding leaves is the largest part's but energy.
    /// None where a part is no number or beyond the market's prices.
    fn ticks(&self, price: PicoEurPerWh) -> Option<Dlmp> {
        let tick = PicoEurPerWh::from_eur_per_mwh;
        let mut dlmp = Dlmp {
            energy: tick(self.energy)?,
            loss: tick(self.loss)?,
            congestion: tick(self.congestion)?,
            voltage: tick(self.voltage)?,
        };
        let missing = price.checked_sub(dlmp.price()?)?;
        let mut largest = &mut dlmp.congestion;
        for part in [&mut dlmp.voltage, &mut dlmp.loss] {
            if part.0.abs() > largest.0.abs() {
                largest = part;
            }
        }
        *largest = largest.checked_add(missing)?;
        Some(dlmp)
    }
}

/// The parts of every place's prices.
pub fn parts(problem: &GridProblem, solution: &GridSolution) -> Vec<PlaceParts> {
    of_figures(&Figures::solved(&problem.network, &problem.objective, solution))
}

/// The parts of every place's prices in ticks, from a clearing as published: the same bit for bit whoever
/// works them out. None where the clearing is not one of this network, or a part leaves the market's
/// prices; a certificate that holds does not keep parts that cancel from being as large as they like.
pub fn published(network: &Network, objective: &Objective, clearing: &GridClearing) -> Option<Vec<BusDlmp>> {
    let parts = of_figures(&Figures::published(network, objective, clearing)?);
    let prices = clearing.prices.iter().zip(&clearing.reactive_prices);
    let dlmp = |(parts, (real, reactive)): (&PlaceParts, (&PicoEurPerWh, &PicoEurPerWh))| {
        Some(BusDlmp { real: parts.real.ticks(*real)?, reactive: Some(parts.reactive.ticks(*reactive)?) })
    };
    parts.iter().zip(prices).map(dlmp).collect()
}

fn of_figures(figures: &Figures<'_>) -> Vec<PlaceParts> {
    let worth = worth(figures);
    let mut parts: Vec<PlaceParts> = Vec::with_capacity(worth.len());
    for (place, worth) in worth.iter().enumerate() {
        let (real, reactive) = (figures.prices[place], figures.reactive_prices[place]);
        let root = |energy| PriceParts { energy, ..PriceParts::default() };
        parts.push(match place {
            0 => PlaceParts { real: root(real), reactive: root(reactive) },
            _ => {
                let above = parts[figures.network.parent[place]];
                let added = added(figures, place, *worth);
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
fn worth(figures: &Figures<'_>) -> Vec<Worth> {
    let deviation = 2.0 * MILLI * figures.objective.voltage_deviation_price;
    let places = figures.worths.iter().zip(&figures.voltage_square_pu);
    let own = places
        .map(|(limits, square)| Worth { voltage: limits.voltage - deviation * (square - 1.0), loss: 0.0 });
    let mut worth: Vec<Worth> = own.collect();
    for place in (1..worth.len()).rev() {
        let line = Line::of(figures, place);
        let saved = line.current_square * line.priced_impedance(figures, place) * line.inverse_square;
        let below = worth[place];
        let parent = &mut worth[figures.network.parent[place]];
        parent.voltage += line.voltage_by_voltage() * below.voltage;
        parent.loss += line.voltage_by_voltage() * below.loss + saved;
    }
    worth
}

/// By what a place's prices exceed its parent's.
fn added(figures: &Figures<'_>, place: usize, worth: Worth) -> PlaceParts {
    let line = Line::of(figures, place);
    let limits = figures.worths[place];
    // Not `hypot`, whose last bit is its library's; a square root's is IEEE 754's.
    let apparent_kva = (line.power_kw * line.power_kw + line.reactive_kvar * line.reactive_kvar).sqrt();
    let along = if apparent_kva > 0.0 { limits.apparent / apparent_kva } else { 0.0 };
    // One more unit of flow loses twice its share of the current.
    let loss_of_flow = 2.0 * line.inverse_square * line.priced_impedance(figures, place)
        + 2.0 * figures.objective.loss_price * line.resistance;
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
        real: part(line.power_kw, line.resistance, limits.congestion),
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
    fn of(figures: &Figures<'_>, place: usize) -> Self {
        let network = figures.network;
        let branch = &network.branches[place];
        let (power_kw, reactive_kvar) = figures.flows[place];
        let sending_square = figures.voltage_square_pu[network.parent[place]];
        let apparent_square = power_kw * power_kw + reactive_kvar * reactive_kvar;
        let follows = network.losses.carries() && !figures.loose[place];
        let inverse_square = if follows { 1.0 / sending_square } else { 0.0 };
        Self {
            resistance: branch.resistance_pu_per_kva,
            reactance: branch.reactance_pu_per_kva,
            ratio_square: branch.ratio_square,
            power_kw,
            reactive_kvar,
            inverse_square,
            current_square: apparent_square * inverse_square,
        }
    }

    fn impedance_square(&self) -> f64 {
        self.resistance * self.resistance + self.reactance * self.reactance
    }

    /// What one more unit of squared current costs in losses.
    fn priced_impedance(&self, figures: &Figures<'_>, place: usize) -> f64 {
        self.resistance * figures.prices[place] + self.reactance * figures.reactive_prices[place]
    }

    /// How the child's squared voltage answers to its parent's: by the ratio, less what the current
    /// that a higher voltage saves would have lifted.
    fn voltage_by_voltage(&self) -> f64 {
        self.ratio_square - self.impedance_square() * self.current_square * self.inverse_square
    }
}

#[cfg(test)]
mod tests {
    use super::super::certificate::Tolerances;
    use super::super::clear;
    use super::super::problem::{Losses, Reactive};
    use super::super::rounding::publish;
    use super::super::sample::{chain, loaded};
    use super::*;

    fn check(problem: &GridProblem) -> Vec<PlaceParts> {
        let solution = clear(problem).unwrap();
        let parts = parts(problem, &solution);
        check_published(problem, &solution, &parts);
        let figures = Figures::solved(&problem.network, &problem.objective, &solution);
        let worth = worth(&figures);
        for (place, parts) in parts.iter().enumerate() {
            assert!((parts.real.price() - solution.prices[place]).abs() < 1e-9);
            assert!((parts.reactive.price() - solution.reactive_prices[place]).abs() < 1e-9);
            if place == 0 {
                continue;
            }
            // What multipliers and flows make it, before anything is put where it is missing.
            let parent = problem.network.parent[place];
            let added = added(&figures, place, worth[place]);
            let (from, to) = (solution.prices[parent], solution.prices[place]);
            assert!((from + added.real.price() - to).abs() < 1e-5, "{place}: {from} {added:?} {to}");
            let (from, to) = (solution.reactive_prices[parent], solution.reactive_prices[place]);
            assert!((from + added.reactive.price() - to).abs() < 1e-5, "{place}: {from} {added:?} {to}");
        }
        parts
    }

    /// As published the parts are the same to the certificate's tolerance, and add up to the tick.
    fn check_published(problem: &GridProblem, solution: &GridSolution, parts: &[PlaceParts]) {
        let tolerances = Tolerances::default();
        let clearing = publish(problem, solution, tolerances).unwrap().clearing;
        let dlmps = published(&problem.network, &problem.objective, &clearing).unwrap();
        let near = |dlmp: PicoEurPerWh, part: f64| (dlmp.eur_per_mwh() - part).abs() < 2e-3;
        for (place, (dlmp, parts)) in dlmps.iter().zip(parts).enumerate() {
            let reactive = dlmp.reactive.unwrap();
            assert_eq!(dlmp.real.price(), Some(clearing.prices[place]));
            assert_eq!(reactive.price(), Some(clearing.reactive_prices[place]));
            for (dlmp, parts) in [(dlmp.real, parts.real), (reactive, parts.reactive)] {
                let pairs = [
                    (dlmp.energy, parts.energy),
                    (dlmp.loss, parts.loss),
                    (dlmp.congestion, parts.congestion),
                    (dlmp.voltage, parts.voltage),
                ];
                assert!(pairs.into_iter().all(|(a, b)| near(a, b)), "{place}: {dlmp:?}, {parts:?}");
            }
        }
        let mut short = clearing;
        short.multipliers.pop();
        assert_eq!(published(&problem.network, &problem.objective, &short), None);
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
