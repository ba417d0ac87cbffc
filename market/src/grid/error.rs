//! Why a problem was not cleared.

use std::fmt;
use thiserror::Error;

/// A limit that something can fail to meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Most real power of the line that feeds the place, in kW.
    PowerMax,
    /// Least real power of the line that feeds the place, in kW.
    PowerMin,
    /// Most apparent power of the line that feeds the place, in kVA.
    Apparent,
    /// Least squared voltage of the place, in p.u.
    VoltageMin,
    /// Most squared voltage of the place, in p.u.
    VoltageMax,
    /// Most import, at the root, in kW.
    ImportMax,
    /// Least import, at the root, in kW.
    ImportMin,
    /// Reserve up, at the root, in kW: here `needed` is what must stand ready, `allowed` what can.
    ReserveUp,
    /// Reserve down, at the root, in kW: as for reserve up.
    ReserveDown,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PowerMax => "most real power of its line, in kW",
            Self::PowerMin => "least real power of its line, in kW",
            Self::Apparent => "most apparent power of its line, in kVA",
            Self::VoltageMin => "least squared voltage, in p.u.",
            Self::VoltageMax => "most squared voltage, in p.u.",
            Self::ImportMax => "most import, in kW",
            Self::ImportMin => "least import, in kW",
            Self::ReserveUp => "reserve up, in kW",
            Self::ReserveDown => "reserve down, in kW",
        })
    }
}

/// Why there is no clearing.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum GridError {
    /// A list has not one element for each place, or there is no place at all.
    #[error("{list}: {found} elements, {expected} needed")]
    Shape {
        /// Which list.
        list: &'static str,
        /// Elements given.
        found: usize,
        /// Elements needed.
        expected: usize,
    },
    /// A place's parent does not come before it.
    #[error("the parent of place {place} is place {parent}, which does not come before it")]
    Parent {
        /// The place.
        place: usize,
        /// Its parent.
        parent: usize,
    },
    /// An offer at a place that does not exist.
    #[error("offer {offer} is at place {place}, which does not exist")]
    UnknownPlace {
        /// Index of the offer.
        offer: usize,
        /// The place it names.
        place: usize,
    },
    /// A figure that is not a number, or beyond what is sensible.
    #[error("{figure} number {index} is {value}, outside {least} to {most}")]
    Figure {
        /// What it is.
        figure: &'static str,
        /// Place, offer or piece.
        index: usize,
        /// Its value.
        value: f64,
        /// Least allowed.
        least: f64,
        /// Most allowed.
        most: f64,
    },
    /// A least above its most.
    #[error("{figure} number {index}: the least, {least}, is above the most, {most}")]
    Reversed {
        /// What it limits.
        figure: &'static str,
        /// Place or offer.
        index: usize,
        /// The least.
        least: f64,
        /// The most.
        most: f64,
    },
    /// Pieces whose prices do not fall (offers) or rise (supply) throughout.
    #[error("{figure} number {index}: the price turns at its piece {piece}")]
    Order {
        /// Offer or supply.
        figure: &'static str,
        /// Index of the offer.
        index: usize,
        /// Index of the first piece out of order.
        piece: usize,
    },
    /// No dispatch meets every limit; of the limits that must give way, the one that must most.
    #[error("place {place}: {limit}: {needed} needed, {allowed} allowed")]
    Infeasible {
        /// Which limit.
        limit: Limit,
        /// Where.
        place: usize,
        /// What the dispatch that breaks limits least comes to.
        needed: f64,
        /// What the limit allows.
        allowed: f64,
    },
    /// The iterations ended without a result of the tolerated accuracy.
    #[error("no result after {iterations} iterations: the worst relative residual is {residual}")]
    NotConverged {
        /// Iterations made.
        iterations: usize,
        /// The largest of the relative primal, dual and complementarity residuals.
        residual: f64,
    },
}
