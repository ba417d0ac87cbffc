//! A small feeder for the tests of this module's files: a chain of four places, with load along it and
//! a generator with an inverter at its end.

use super::problem::{
    Branch, GridProblem, Losses, Network, Objective, Offer, Piece, Reactive, Supply, VoltageBand,
};

/// Impedance of each line, in p.u. per kVA.
pub const RESISTANCE: f64 = 7.5e-6;
/// Reactance of each line, in p.u. per kVA.
pub const REACTANCE: f64 = 5.6e-6;

/// A load of 500 kW at the first place, 300 at 200 EUR/MWh; generators of 1,500 and 2,500 kW at the next
/// two, from 20 EUR/MWh down to 0; supply at 45 EUR/MWh. No limit.
pub fn chain() -> GridProblem {
    let branch = Branch {
        resistance_pu_per_kva: RESISTANCE,
        reactance_pu_per_kva: REACTANCE,
        ratio_square: 1.0,
        power_min_kw: f64::NEG_INFINITY,
        power_max_kw: f64::INFINITY,
        apparent_max_kva: f64::INFINITY,
    };
    let free = VoltageBand { min_square_pu: f64::NEG_INFINITY, max_square_pu: f64::INFINITY };
    GridProblem {
        network: Network {
            parent: vec![0, 0, 1, 2],
            branches: vec![branch; 4],
            bands: vec![free; 4],
            root_voltage_square_pu: 1.0,
            losses: Losses::Neglected,
        },
        offers: vec![
            offer(1, 300.0, 200.0, 200.0),
            offer(2, -1500.0, 1500.0, 20.0),
            offer(3, -2500.0, 2500.0, 20.0),
        ],
        supply: Supply {
            import_min_kw: -1e5,
            pieces: vec![Piece { width_kw: 2e5, price_high: 45.0, price_low: 45.0 }],
        },
        objective: Objective::default(),
    }
}

/// Takes `power_min_kw`, and up to `width_kw` more at prices from `price_high` down to 0.
pub fn offer(place: usize, power_min_kw: f64, width_kw: f64, price_high: f64) -> Offer {
    Offer {
        place,
        power_min_kw,
        pieces: vec![Piece { width_kw, price_high, price_low: 0.0 }],
        reactive: Reactive::Fixed { reactive_kvar: 0.0 },
        reserve_up: None,
        reserve_down: None,
    }
}

/// The chain with loads instead: 300 kW at each place, and up to 1,500 more.
pub fn loaded() -> GridProblem {
    let mut problem = chain();
    problem.offers = (1..4).map(|place| offer(place, 300.0, 1500.0, 150.0)).collect();
    for offer in &mut problem.offers {
        offer.reactive = Reactive::Proportional { tan_phi: 0.3 };
    }
    problem
}
