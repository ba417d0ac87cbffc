//! The certificate: whether a clearing of several intervals is feasible and optimal, in one pass over its
//! primal and dual values, without a solver and without trusting whoever ran one.
//!
//! Feasible: everything lies in its bounds, energies follow from powers, flows and voltages from what is
//! taken. Dual feasible: prices follow from the limits' multipliers, and every order's multipliers from
//! its prices; none is negative. Optimal: what all parties forgo at these prices, and what multipliers of
//! limits that do not bind amount to, is the gap between the cost and the best any dispatch could reach
//! (weak duality of convex programs), and it is next to nothing.
//!
//! Only +, -, *, / and comparisons, in a fixed order: the verdict is the same bit for bit on every machine.

mod feeder;
mod orders;
mod shape;

use super::clearing::HorizonClearing;
use super::error::HorizonError;
use super::problem::HorizonProblem;
use super::validate::validate;
use thiserror::Error;

/// How far figures may be from what they should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Of power in kW and kvar.
    pub power_kw: f64,
    /// Of energy.
    pub energy_kwh: f64,
    /// Of squared voltage.
    pub square_pu: f64,
    /// Of prices in EUR/MWh.
    pub price: f64,
    /// Of costs and of the gap, as a part of what is turned over or of 1 EUR, whichever is more.
    pub cost: f64,
}

impl Default for Tolerance {
    /// 1 W and 1 Wh, a millionth of a p.u., a thousandth of a EUR/MWh, 1e-7 of what is turned over.
    fn default() -> Self {
        Self { power_kw: 1e-3, energy_kwh: 1e-3, square_pu: 1e-6, price: 1e-3, cost: 1e-7 }
    }
}

/// A certificate that holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// By how much the cost may lie above the least possible.
    pub gap_eur: f64,
    /// Sum of the magnitudes of what supply costs, offers are worth and storage wears.
    pub turnover_eur: f64,
}

/// What of a clearing does not hold.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CertificateError {
    /// The problem itself makes no sense.
    #[error(transparent)]
    Problem(#[from] HorizonError),
    /// A list has not the length the problem gives it.
    #[error("{what}: {count} figures, {expected} needed")]
    Shape {
        /// Which list.
        what: &'static str,
        /// Figures given.
        count: usize,
        /// Figures needed.
        expected: usize,
    },
    /// A figure is not what others make it, or out of its bounds.
    #[error("interval {interval}: {what} of {index} is {found}, not {expected}")]
    Figure {
        /// What it is.
        what: &'static str,
        /// Place, offer or order it belongs to.
        index: usize,
        /// When; the number of intervals for a figure of the whole horizon.
        interval: usize,
        /// What the clearing says.
        found: f64,
        /// What it should be, or the bound it passes.
        expected: f64,
    },
    /// The cost may lie too far above the least possible.
    #[error("the cost may lie {gap_eur} EUR above the least, and {allowed_eur} EUR is tolerated")]
    Gap {
        /// By how much.
        gap_eur: f64,
        /// The tolerance.
        allowed_eur: f64,
    },
}

/// Whose figure is checked: place, offer or order, and when.
#[derive(Clone, Copy)]
struct Whose {
    index: usize,
    interval: usize,
}

impl Whose {
    /// Whether a figure is what others make it.
    fn equal(
        self,
        what: &'static str,
        found: f64,
        expected: f64,
        tolerance: f64,
    ) -> Result<(), CertificateError> {
        let apart = found - expected;
        if apart <= tolerance && -apart <= tolerance {
            return Ok(());
        }
        self.wrong(what, found, expected)
    }

    /// Whether a figure lies in its bounds.
    fn within(
        self,
        what: &'static str,
        found: f64,
        (least, most): (f64, f64),
        tolerance: f64,
    ) -> Result<(), CertificateError> {
        if found >= least - tolerance && found <= most + tolerance {
            return Ok(());
        }
        self.wrong(what, found, if found < least { least } else { most })
    }

    /// Whether a multiplier is not negative.
    fn multiplier(self, what: &'static str, found: f64) -> Result<(), CertificateError> {
        if (0.0..f64::INFINITY).contains(&found) {
            return Ok(());
        }
        self.wrong(what, found, 0.0)
    }

    fn wrong(self, what: &'static str, found: f64, expected: f64) -> Result<(), CertificateError> {
        let Self { index, interval } = self;
        Err(CertificateError::Figure { what, index, interval, found, expected })
    }
}

/// A figure's distance from a bound times the bound's multiplier; nothing for a bound that is none.
fn product(distance: f64, multiplier: f64) -> f64 {
    if multiplier == 0.0 {
        return 0.0;
    }
    multiplier * if distance < 0.0 { -distance } else { distance }
}

/// Sums in EUR.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    gap: f64,
    turnover: f64,
    cost: f64,
}

/// Checks a clearing.
///
/// # Errors
/// [`CertificateError`]: the first thing that does not hold.
pub fn check(
    problem: &HorizonProblem,
    clearing: &HorizonClearing,
    tolerance: &Tolerance,
) -> Result<Verdict, CertificateError> {
    validate(problem)?;
    shape::check(problem, clearing)?;
    let mut sums = Sums::default();
    for interval in 0..problem.intervals() {
        feeder::check(problem, clearing, interval, tolerance, &mut sums)?;
    }
    for index in 0..problem.storages.len() {
        orders::check_storage(problem, clearing, index, tolerance, &mut sums)?;
    }
    for index in 0..problem.deferrables.len() {
        orders::check_deferrable(problem, clearing, index, tolerance, &mut sums)?;
    }
    let at_least_1_eur = if sums.turnover > 1.0 { sums.turnover } else { 1.0 };
    let allowed_eur = tolerance.cost * at_least_1_eur;
    let whole = Whose { index: 0, interval: problem.intervals() };
    whole.equal("cost", clearing.objective_eur, sums.cost, allowed_eur)?;
    if sums.gap <= allowed_eur {
        return Ok(Verdict { gap_eur: sums.gap, turnover_eur: sums.turnover });
    }
    Err(CertificateError::Gap { gap_eur: sums.gap, allowed_eur })
}
