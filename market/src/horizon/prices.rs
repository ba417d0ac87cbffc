//! Prices at every place from the root's and the limits' multipliers, in one pass up and one down.

use super::limits::apparent_max_kva;
use crate::grid::problem::Network;
use crate::grid::solution::{BranchFlow, PlaceDuals};

/// Prices of real and reactive power by place.
pub struct PlacePrices {
    pub real: Vec<f64>,
    pub reactive: Vec<f64>,
}

/// `beta` of a line, the worth of its child's squared voltage, is the multipliers of the voltages below
/// it; a place costs what its parent does, and the multipliers of the line between, and `2 r beta`; and
/// likewise its reactive power, by `2 x beta` from nothing at the root. The multiplier of apparent power
/// is a price along the flow, by its part of the limit; so is what more flow adds to priced losses, `2 r P`.
pub fn prices(
    (network, loss_price): (&Network, f64),
    root_price: f64,
    duals: &[PlaceDuals],
    flows: &[BranchFlow],
) -> PlacePrices {
    let places = network.parent.len();
    let mut beta: Vec<f64> = duals.iter().map(|dual| dual.voltage_min - dual.voltage_max).collect();
    for place in (1..places).rev() {
        let carried = network.branches[place].ratio_square * beta[place];
        beta[network.parent[place]] += carried;
    }
    let mut prices = PlacePrices { real: vec![root_price; places], reactive: vec![0.0; places] };
    for place in 1..places {
        let (branch, above) = (&network.branches[place], network.parent[place]);
        let congestion = duals[place].power_max - duals[place].power_min;
        let along = duals[place].apparent / apparent_max_kva(branch);
        let (power, reactive) = (along * flows[place].power_kw, along * flows[place].reactive_kvar);
        let lost = 2.0 * loss_price * branch.resistance_pu_per_kva;
        prices.real[place] = prices.real[above]
            + congestion
            + power
            + 2.0 * branch.resistance_pu_per_kva * beta[place]
            + lost * flows[place].power_kw;
        prices.reactive[place] = prices.reactive[above]
            + reactive
            + 2.0 * branch.reactance_pu_per_kva * beta[place]
            + lost * flows[place].reactive_kvar;
    }
    prices
}
