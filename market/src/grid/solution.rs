//! What comes out of a clearing that knows the grid: dispatch, flows, voltages and every multiplier.
//!
//! Units as in [`super::problem`]. Multipliers are not negative; those of power are prices in EUR/MWh,
//! those of squared voltage EUR/MWh times kW per p.u.

/// A clearing, primal and dual.
#[derive(Clone, Debug, PartialEq)]
pub struct GridSolution {
    /// Real power from the transmission side.
    pub import_kw: f64,
    /// Reactive power from the transmission side.
    pub import_kvar: f64,
    /// What each offer was given, in the order of the problem's.
    pub awards: Vec<OfferAward>,
    /// What flows on the line that feeds each place, at its sending end; the root's is zero.
    pub flows: Vec<BranchFlow>,
    /// Squared voltage by place.
    pub voltage_square_pu: Vec<f64>,
    /// Price of real power by place.
    pub prices: Vec<f64>,
    /// Price of reactive power by place, in EUR/Mvarh; the root's is zero.
    pub reactive_prices: Vec<f64>,
    /// Multipliers by place.
    pub duals: Vec<PlaceDuals>,
    /// Price of reserve up in EUR/MW,h.
    pub reserve_up_price: f64,
    /// Price of reserve down in EUR/MW,h.
    pub reserve_down_price: f64,
    /// The minimised cost: supply, losses, deviation and reserve, less the parties' value.
    pub objective_eur_per_h: f64,
}

/// What one offer was given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OfferAward {
    /// Real power.
    pub power_kw: f64,
    /// Reactive power.
    pub reactive_kvar: f64,
    /// Reserve up.
    pub reserve_up_kw: f64,
    /// Reserve down.
    pub reserve_down_kw: f64,
}

/// What flows on a line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BranchFlow {
    /// Real power into the line.
    pub power_kw: f64,
    /// Reactive power into the line.
    pub reactive_kvar: f64,
    /// Real power lost on it, where losses are in the balance.
    pub loss_kw: f64,
    /// Reactive power lost on it, where losses are in the balance.
    pub loss_kvar: f64,
}

/// Multipliers of one place's limits and of the line that feeds it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlaceDuals {
    /// Of the line's most real power.
    pub power_max: f64,
    /// Of the line's least real power.
    pub power_min: f64,
    /// Of the line's apparent power, per kVA of its limit.
    pub apparent: f64,
    /// Of the least voltage.
    pub voltage_min: f64,
    /// Of the most voltage.
    pub voltage_max: f64,
}
