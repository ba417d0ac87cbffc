//! Why a problem is not cleared.

use super::interior::Stalled;
use thiserror::Error;

/// Why there is no clearing.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum HorizonError {
    /// A list has not the length others give it.
    #[error("{what}: {count} given, {expected} needed")]
    Shape {
        /// Which list.
        what: String,
        /// How many it has.
        count: usize,
        /// How many it needs.
        expected: usize,
    },
    /// More than is accepted.
    #[error("{what}: {count}, more than the {most} accepted")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// Most that are accepted.
        most: usize,
    },
    /// A figure that is none, out of bounds or at odds with another.
    #[error("{what} is {value}, {reason}")]
    Figure {
        /// Which figure.
        what: String,
        /// Its value.
        value: f64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Losses in the balance, which this clearing does not know.
    #[error("losses in the balance are not cleared over several intervals")]
    LossesCarried,
    /// No dispatch keeps every limit.
    #[error("infeasible: {0}")]
    Infeasible(#[from] Unmet),
    /// The solver came to no end.
    #[error(transparent)]
    Stalled(#[from] Stalled),
    /// What the solver found does not hold to the usual tolerance: figures lie too far apart.
    #[error("a clearing was found that does not hold: {reason}")]
    Uncertified {
        /// What of it does not.
        reason: String,
    },
}

/// A limit that can't be met. Of several that can't be met together, the one passed by most when as
/// little as possible is passed in all.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum Unmet {
    /// More flows than a line's most.
    #[error("interval {interval}: the line to place {place} would carry {excess_kw} kW more than its most")]
    PowerMax {
        /// Place the line feeds.
        place: usize,
        /// When.
        interval: usize,
        /// By how much.
        excess_kw: f64,
    },
    /// Less flows than a line's least.
    #[error("interval {interval}: the line to place {place} would carry {excess_kw} kW less than its least")]
    PowerMin {
        /// Place the line feeds.
        place: usize,
        /// When.
        interval: usize,
        /// By how much.
        excess_kw: f64,
    },
    /// More apparent power flows than a line's most.
    #[error(
        "interval {interval}: the line to place {place} would carry {excess_kva} kVA more than its most"
    )]
    Apparent {
        /// Place the line feeds.
        place: usize,
        /// When.
        interval: usize,
        /// By how much.
        excess_kva: f64,
    },
    /// A voltage below its least.
    #[error("interval {interval}: the squared voltage of place {place} would be {excess_square_pu} p.u. below its least")]
    VoltageMin {
        /// The place.
        place: usize,
        /// When.
        interval: usize,
        /// By how much, in squares.
        excess_square_pu: f64,
    },
    /// A voltage above its most.
    #[error("interval {interval}: the squared voltage of place {place} would be {excess_square_pu} p.u. above its most")]
    VoltageMax {
        /// The place.
        place: usize,
        /// When.
        interval: usize,
        /// By how much, in squares.
        excess_square_pu: f64,
    },
    /// More would have to be imported than the supply's most.
    #[error("interval {interval}: {excess_kw} kW more than the most import would be needed")]
    SupplyMax {
        /// When.
        interval: usize,
        /// By how much.
        excess_kw: f64,
    },
    /// Less would have to be imported than the supply's least.
    #[error("interval {interval}: {excess_kw} kW less than the least import could be taken")]
    SupplyMin {
        /// When.
        interval: usize,
        /// By how much.
        excess_kw: f64,
    },
    /// A storage order cannot reach a state it must be in.
    #[error("storage order {storage}, interval {interval}: its energy can be {reachable_kwh} kWh at best, and {needed_kwh} kWh is its limit")]
    StorageEnergy {
        /// Its index.
        storage: usize,
        /// At whose end.
        interval: usize,
        /// The nearest it can come.
        reachable_kwh: f64,
        /// The limit.
        needed_kwh: f64,
    },
    /// A deferrable order's window is too short for its energy.
    #[error("deferrable order {order}: its window delivers {deliverable_kwh} kWh at most, and it needs {needed_kwh} kWh")]
    DeferrableEnergy {
        /// Its index.
        order: usize,
        /// What its window delivers at its most power.
        deliverable_kwh: f64,
        /// What it needs.
        needed_kwh: f64,
    },
}
