//! The certificate of a clearing that knows the grid: whether it is feasible and optimal, in one
//! pass, without a solver and without anybody's curve.
//!
//! Given are the feeder, the objective's weights, the supply curve, what each party answers at its
//! price, and the clearing's own figures, all of them published. The problem is convex, so a point
//! that is feasible and for which multipliers make every party's answer, the supply's and every
//! line's stationary, with none where its limit does not bind (Karush, Kuhn and Tucker), is a global
//! optimum: nothing better exists. Going down the tree,
//!
//! `lambda_c = lambda_p + mu + sigma P/s + 2 r beta_c + 2 c r P + 2 gamma P/V_p` and
//! `lambda_q,c = lambda_q,p + sigma Q/s + 2 x beta_c + 2 c r Q + 2 gamma Q/V_p`,
//!
//! where `mu` is the worth of the line's real-power limit, `sigma` of its apparent-power limit `s`,
//! `c` the loss price, `gamma` the price of squared current where losses are carried, and `beta_c`
//! what a higher squared voltage at the child is worth to it and to everything below. The published
//! price must follow from the root's to within [`Tolerances::price`], however deep the bus lies.
//!
//! Arithmetic is integers, and floating point by `+ - * /` and comparisons in a fixed order, which
//! IEEE 754 determines to the last bit, so every machine reaches the same verdict. Nothing a hostile
//! proposer can write overflows or panics: what is not a number satisfies no comparison, and
//! conditions are asked for, never their opposites. No solver, clock or curve belongs here.

mod answer;
mod error;
mod losses;
mod party;
mod physics;
mod prices;
mod reserve;
mod terms;

pub use answer::{reactive_range, Answer};
pub use error::CertificateError;
pub(super) use losses::{current_square, state, Lost, State};
pub use party::{PartyDemand, ReactiveTerms, Standby};
pub(super) use physics::{apparent_may_stand, congestion_may_stand, kvar, kw, voltage_may_stand};
pub(super) use prices::{walk, Expected};
pub use terms::{Terms, Tolerances};

use crate::units::{Millivar, Milliwatt, NanoEurPerHourPu, PicoEurPerWh, POWER_BOUND, PRICE_BOUND};
use serde::{Deserialize, Serialize};

/// A clearing that knows the grid, as published. Lists have one element for each place of the
/// feeder ([`crate::feeder::Tree`]); those of lines stand at the place a line feeds, and the root's
/// are zero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridClearing {
    /// Real power from the transmission side.
    pub import: Milliwatt,
    /// Reactive power from the transmission side.
    pub import_reactive: Millivar,
    /// Price of real power at each place.
    pub prices: Vec<PicoEurPerWh>,
    /// Price of reactive power at each place, per var-hour; the root's is zero.
    pub reactive_prices: Vec<PicoEurPerWh>,
    /// What flows into each line at its parent's end.
    pub flows: Vec<LineFlow>,
    /// What each line's and bus's limits are worth.
    pub multipliers: Vec<Multipliers>,
    /// Price of reserve up, per watt kept ready for an hour.
    pub reserve_up_price: PicoEurPerWh,
    /// Price of reserve down, per watt kept ready for an hour.
    pub reserve_down_price: PicoEurPerWh,
}

/// What flows into a line at its parent's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineFlow {
    /// Real power.
    pub power: Milliwatt,
    /// Reactive power.
    pub reactive: Millivar,
}

/// What the limits of one line and of the bus it feeds are worth; zero where none binds. One figure
/// serves two opposite limits, since at most one of them is worth anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multipliers {
    /// Of real power: positive where the most binds, negative where the least does.
    pub congestion: PicoEurPerWh,
    /// Of apparent power, not negative.
    pub apparent: PicoEurPerWh,
    /// Of squared voltage: positive where the least binds, negative where the most does.
    pub voltage: NanoEurPerHourPu,
}

/// Checks a clearing against what the parties answer at its prices.
///
/// # Errors
/// The first condition that fails, with its figures.
pub fn check(
    terms: &Terms<'_>,
    clearing: &GridClearing,
    parties: &[PartyDemand],
) -> Result<(), CertificateError> {
    terms.check()?;
    check_shape(terms.network.parent.len(), clearing)?;
    check_bounds(clearing)?;
    check_root(clearing)?;
    let mut taken = party::check(&terms.tolerances, clearing, parties)?;
    physics::check_sums(terms, clearing, &mut taken)?;
    let state = physics::check(terms, clearing, &taken)?;
    prices::check(terms, clearing, &state)?;
    prices::check_supply(terms, clearing)?;
    reserve::check(terms, clearing, parties)
}

fn check_shape(places: usize, clearing: &GridClearing) -> Result<(), CertificateError> {
    let shapes = [
        ("prices", clearing.prices.len()),
        ("reactive prices", clearing.reactive_prices.len()),
        ("flows", clearing.flows.len()),
        ("multipliers", clearing.multipliers.len()),
    ];
    match shapes.into_iter().find(|(_, count)| *count != places) {
        Some((what, count)) => Err(CertificateError::Shape { what, count, expected: places }),
        None => Ok(()),
    }
}

/// Figures outside the market's bounds are refused before any is added to another.
fn check_bounds(clearing: &GridClearing) -> Result<(), CertificateError> {
    let power = |figure: i64| (-POWER_BOUND.0..=POWER_BOUND.0).contains(&figure);
    let price = |figure: &PicoEurPerWh| (-PRICE_BOUND..=PRICE_BOUND).contains(figure);
    let refused = |what: &'static str, index: usize| Err(CertificateError::OutOfBounds { what, index });
    if !power(clearing.import.0) || !power(clearing.import_reactive.0) {
        return refused("the import", 0);
    }
    if let Some(place) = clearing.prices.iter().position(|figure| !price(figure)) {
        return refused("the price at place", place);
    }
    if let Some(place) = clearing.reactive_prices.iter().position(|figure| !price(figure)) {
        return refused("the reactive price at place", place);
    }
    if let Some(place) = clearing.flows.iter().position(|f| !power(f.power.0) || !power(f.reactive.0)) {
        return refused("the flow into place", place);
    }
    if !price(&clearing.reserve_up_price) || !price(&clearing.reserve_down_price) {
        return refused("the price of reserve", 0);
    }
    Ok(())
}

/// No line feeds the root, and its reactive power is free.
fn check_root(clearing: &GridClearing) -> Result<(), CertificateError> {
    let idle = clearing.flows[0] == LineFlow::default() && clearing.multipliers[0] == Multipliers::default();
    if !idle || clearing.reactive_prices[0] != PicoEurPerWh::ZERO {
        return Err(CertificateError::Root);
    }
    Ok(())
}
