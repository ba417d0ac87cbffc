//! What prices' parts follow from: a solution's figures in floating point, or a published clearing's.

use super::super::certificate::{kvar, kw, state, GridClearing, Lost, Tolerances};
use super::super::problem::{Network, Objective};
use super::super::solution::GridSolution;
use super::excess_loss_kva;

/// Figures of a clearing by place, in the units of [`GridSolution`], with what they are a clearing of.
pub(super) struct Figures<'a> {
    pub network: &'a Network,
    pub objective: &'a Objective,
    pub prices: Vec<f64>,
    pub reactive_prices: Vec<f64>,
    /// Real and reactive power into each line.
    pub flows: Vec<(f64, f64)>,
    pub voltage_square_pu: Vec<f64>,
    pub worths: Vec<LimitWorths>,
    /// Whether a line loses more than its current makes it.
    pub loose: Vec<bool>,
}

/// What the limits of a place and of the line that feeds it are worth, as
/// [`crate::grid::certificate::Multipliers`].
#[derive(Clone, Copy, Default)]
pub(super) struct LimitWorths {
    pub congestion: f64,
    pub apparent: f64,
    pub voltage: f64,
}

impl<'a> Figures<'a> {
    pub fn solved(network: &'a Network, objective: &'a Objective, solution: &GridSolution) -> Self {
        Self {
            network,
            objective,
            prices: solution.prices.clone(),
            reactive_prices: solution.reactive_prices.clone(),
            flows: solution.flows.iter().map(|flow| (flow.power_kw, flow.reactive_kvar)).collect(),
            voltage_square_pu: solution.voltage_square_pu.clone(),
            worths: solution
                .duals
                .iter()
                .map(|duals| LimitWorths {
                    congestion: duals.power_max - duals.power_min,
                    apparent: duals.apparent,
                    voltage: duals.voltage_min - duals.voltage_max,
                })
                .collect(),
            loose: (0..solution.flows.len())
                .map(|place| excess_loss_kva(network, solution, place) > 0.0)
                .collect(),
        }
    }

    /// None where the clearing is not one of this network. Arithmetic is `+ - * /` and the square root,
    /// which IEEE 754 determines to the last bit, so that everyone comes to the same.
    pub fn published(
        network: &'a Network,
        objective: &'a Objective,
        clearing: &GridClearing,
    ) -> Option<Self> {
        let places = network.parent.len();
        let prices = [clearing.prices.len(), clearing.reactive_prices.len()];
        let lines = [clearing.flows.len(), clearing.multipliers.len()];
        if places == 0 || prices.into_iter().chain(lines).any(|count| count != places) {
            return None;
        }
        // What is published between agents has no losses in its balance.
        let lost = vec![Lost::default(); places];
        let worths = clearing.multipliers.iter().map(|worths| LimitWorths {
            congestion: worths.congestion.eur_per_mwh(),
            apparent: worths.apparent.eur_per_mwh(),
            voltage: worths.voltage.0 as f64 / 1e6,
        });
        Some(Self {
            network,
            objective,
            prices: clearing.prices.iter().map(|price| price.eur_per_mwh()).collect(),
            reactive_prices: clearing.reactive_prices.iter().map(|price| price.eur_per_mwh()).collect(),
            flows: clearing.flows.iter().map(|flow| (kw(flow.power), kvar(flow.reactive))).collect(),
            voltage_square_pu: state(network, &clearing.flows, &lost, &Tolerances::default()).squares,
            worths: worths.collect(),
            loose: vec![false; places],
        })
    }
}
