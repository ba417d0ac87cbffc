//! What comes out of a clearing of several intervals: each interval's dispatch and prices, each order's
//! schedule, and every multiplier.
//!
//! Units as in [`super::problem`]. Multipliers are not negative and, of power and energy, prices in
//! EUR/MWh.

use crate::grid::solution::GridSolution;

/// A clearing of several intervals, primal and dual.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizonClearing {
    /// Each interval's: awards by offer, flows and prices by place. Its objective is what import beyond
    /// the least costs, less what offers gain beyond their least; wear is not in it.
    pub intervals: Vec<GridSolution>,
    /// What each storage order does.
    pub storages: Vec<StorageSchedule>,
    /// What each deferrable order takes.
    pub deferrables: Vec<DeferrableSchedule>,
    /// The minimised cost of all intervals, wear included.
    pub objective_eur: f64,
}

/// What a storage order does. Every list has one element for each interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StorageSchedule {
    /// Power taken from the grid.
    pub charge_kw: Vec<f64>,
    /// Power given to the grid.
    pub discharge_kw: Vec<f64>,
    /// Energy at the end of the interval.
    pub energy_kwh: Vec<f64>,
    /// What one more MWh in store at the interval's end is worth, in EUR.
    pub stored_values: Vec<f64>,
    /// Multipliers of the charging power's limits.
    pub charge_duals: Vec<BoundDuals>,
    /// Multipliers of the discharging power's limits.
    pub discharge_duals: Vec<BoundDuals>,
    /// Multipliers of the energy's limits; the last one's least is that at the end.
    pub energy_duals: Vec<BoundDuals>,
}

/// What a deferrable order takes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeferrableSchedule {
    /// Power in each interval of the horizon; nothing outside its window.
    pub power_kw: Vec<f64>,
    /// What one MWh less to be delivered would save, in EUR.
    pub energy_value: f64,
    /// Multipliers of the power's limits in each interval of the horizon; none outside its window.
    pub power_duals: Vec<BoundDuals>,
}

/// Multipliers of a least and a most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BoundDuals {
    /// Of the least.
    pub min: f64,
    /// Of the most.
    pub max: f64,
}
