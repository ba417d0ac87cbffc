//! The market as pure arithmetic: curves, bids, feeder, clearing, certificate, settlement.
//!
//! Nothing here reads a clock, draws a random number, opens a file or a socket, or knows who
//! sent what. Everything that is owed is integers, so every machine reaches the same figures bit for
//! bit. Floating point lives in [`powerflow`], [`grid`] and [`horizon`], whose results are rounded to
//! integers and checked before anyone owes anything by them.

pub mod auction;
pub mod balance;
pub mod baseline;
pub mod certificate;
pub mod charges;
pub mod clearing;
pub mod curve;
pub mod curve_ops;
pub mod day_ahead;
pub mod dlmp;
pub mod feeder;
pub mod grid;
pub mod horizon;
pub mod interval;
pub mod merit;
pub mod parameters;
pub mod powerflow;
pub mod settlement;
pub mod share;
pub mod supply;
pub mod transit;
pub mod units;
