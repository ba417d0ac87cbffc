//! Prices at every place from the root's and the limits' multipliers, in one pass up and one down.

use crate::grid::problem::Network;
use crate::grid::solution::PlaceDuals;

/// Prices of real and reactive power by place.
pub struct PlacePrices {
    pub real: Vec<f64>,
    pub reactive: Vec<f64>,
}

/// `beta` of a line, the worth of its child's squared voltage, is the multipliers of the voltages below
/// it; a place costs what its parent does, and the multipliers of the line between, and `2 r beta`. The
/// reactive price is that of voltage alone, by `2 x beta`; at the root it is nothing.
pub fn prices(network: &Network, root_price: f64, duals: &[PlaceDuals]) -> PlacePrices {
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
        prices.real[place] =
            prices.real[above] + congestion + 2.0 * branch.resistance_pu_per_kva * beta[place];
        prices.reactive[place] = prices.reactive[above] + 2.0 * branch.reactance_pu_per_kva * beta[place];
    }
    prices
}
