//! What the rest of a wholesale market sells at one bus: import there as a function of price.
//!
//! A feeder that bids its net curve into the auction and takes back its award gets what it would get by
//! clearing against this curve: both end where the feeder's curve and the rest of the market's meet.

use super::{clear, Network, NodalError, Outcome, Participant};
use crate::curve::{Breakpoint, CurveError, FlexCurve};
use crate::supply::SupplyCurve;
use crate::units::{Milliwatt, PicoEurPerWh, PRICE_BOUND};
use thiserror::Error;

/// Most auctions run to trace one curve.
const MAX_AUCTIONS: usize = 96;

/// Prices this near to each other are one.
const SAME_PRICE_EUR_PER_MWH: f64 = 2e-3;

/// Costs nearer to each other than this part of what is at stake are the same.
const SAME_COST: f64 = 1e-6;

/// Why there is no curve.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ResidualError {
    /// Import limits are reversed or out of bounds.
    #[error("import from {min} to {max}: {source}")]
    Limits {
        /// Least import.
        min: Milliwatt,
        /// Most import.
        max: Milliwatt,
        /// What is wrong.
        source: CurveError,
    },
    /// The auction without import at this bus fails.
    #[error("the wholesale auction at an import of {import}: {source}")]
    Auction {
        /// The import tried.
        import: Milliwatt,
        /// What came of it.
        source: NodalError,
    },
}

/// The others' least cost of bringing an import, and the price there, which is that cost's slope.
#[derive(Clone, Copy, Debug)]
struct Sample {
    import_kw: f64,
    price: f64,
    /// In kW times EUR/MWh.
    cost: f64,
}

/// Traces the curve at `bus` between two imports. Where the network can't bring that much, the curve ends
/// before. It is exact to the solver's accuracy where the others' curves are steps; where they slope it is
/// straight between samples at which a straight line gives the right cost.
///
/// The least cost is a convex function of the import, so tangents at two imports meet at the only place
/// between them where a single step of price could lie (as in Eisner and Severance's method for parametric
/// programs, J. ACM 23(4), 1976).
///
/// # Errors
/// See [`ResidualError`].
pub fn residual_supply(
    network: &Network,
    others: &[Participant],
    bus: usize,
    import_min: Milliwatt,
    import_max: Milliwatt,
) -> Result<SupplyCurve, ResidualError> {
    let limits = |source| ResidualError::Limits { min: import_min, max: import_max, source };
    SupplyCurve::flat(PicoEurPerWh::ZERO, import_min, import_max).map_err(limits)?;
    let market = Market { network, others, bus };
    let nothing = Milliwatt::ZERO.clamp(import_min, import_max);
    let first = market.furthest(nothing, import_min)?;
    let last = market.furthest(nothing, import_max)?;
    let mut corners = vec![(first.import_kw, first.price), (last.import_kw, last.price)];
    let mut open = vec![(first, last)];
    for _ in 0..MAX_AUCTIONS {
        let Some((left, right)) = open.pop() else { break };
        let Some(import_kw) = meeting(left, right) else { continue };
        let middle = market.at(import_kw)?;
        let stake = (right.price - left.price) * (right.import_kw - left.import_kw);
        let on_tangent = left.cost + left.price * (import_kw - left.import_kw);
        if (middle.cost - on_tangent).abs() <= SAME_COST * stake {
            corners.extend([(import_kw, left.price), (import_kw, right.price)]);
        } else {
            corners.push((import_kw, middle.price));
            if !(straight(left, middle, stake) && straight(middle, right, stake)) {
                open.extend([(left, middle), (middle, right)]);
            }
        }
    }
    curve(corners).map_err(limits)
}

/// Where the tangents at two samples meet; none where they are as good as one.
fn meeting(left: Sample, right: Sample) -> Option<f64> {
    let rise = right.price - left.price;
    if rise <= SAME_PRICE_EUR_PER_MWH {
        return None;
    }
    let meet = (left.cost - right.cost + right.price * right.import_kw - left.price * left.import_kw) / rise;
    (left.import_kw < meet && meet < right.import_kw).then_some(meet)
}

/// Whether a price that rises in a straight line between two samples explains their costs.
fn straight(left: Sample, right: Sample, stake: f64) -> bool {
    let trapezoid = (left.price + right.price) / 2.0 * (right.import_kw - left.import_kw);
    (right.cost - left.cost - trapezoid).abs() <= SAME_COST * stake
}

/// Breakpoints: price and import both rise.
fn curve(mut corners: Vec<(f64, f64)>) -> Result<SupplyCurve, CurveError> {
    corners.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut highest = -PRICE_BOUND;
    let mut points = Vec::with_capacity(corners.len());
    for (index, (import_kw, price)) in corners.into_iter().enumerate() {
        let bounds = CurveError::OutOfBounds { index };
        let power = Milliwatt::from_kw(import_kw).ok_or(bounds.clone())?;
        highest = highest.max(PicoEurPerWh::from_eur_per_mwh(price).ok_or(bounds)?);
        points.push(Breakpoint { price: highest, power });
    }
    points.dedup();
    SupplyCurve::new(points)
}

struct Market<'a> {
    network: &'a Network,
    others: &'a [Participant],
    bus: usize,
}

impl Market<'_> {
    fn outcome(&self, import: Milliwatt) -> Result<Outcome, NodalError> {
        let mut participants = self.others.to_vec();
        participants.push(Participant { bus: self.bus, curve: FlexCurve::inelastic(import) });
        clear(self.network, &participants)
    }

    fn sample(&self, import_kw: f64, outcome: &Outcome) -> Sample {
        let value = |(participant, power): (&Participant, &Milliwatt)| value(&participant.curve, power.kw());
        let cost = -self.others.iter().zip(&outcome.powers).map(value).sum::<f64>();
        Sample { import_kw, price: outcome.prices[self.bus].eur_per_mwh(), cost }
    }

    fn at(&self, import_kw: f64) -> Result<Sample, ResidualError> {
        let import = Milliwatt::from_kw(import_kw).unwrap_or_default();
        let outcome = self.outcome(import).map_err(|source| ResidualError::Auction { import, source })?;
        Ok(self.sample(import_kw, &outcome))
    }

    /// A sample at the import nearest to `goal` that the network can bring, `safe` being one it brings.
    fn furthest(&self, safe: Milliwatt, goal: Milliwatt) -> Result<Sample, ResidualError> {
        match self.outcome(goal) {
            Ok(outcome) => return Ok(self.sample(goal.kw(), &outcome)),
            Err(NodalError::Infeasible) => {}
            Err(source) => return Err(ResidualError::Auction { import: goal, source }),
        }
        let mut best = self.at(safe.kw())?;
        let (mut near, mut far) = (safe.0, goal.0);
        while (far - near).abs() > 1 {
            let middle = near + (far - near) / 2;
            match self.outcome(Milliwatt(middle)) {
                Ok(outcome) => {
                    best = self.sample(Milliwatt(middle).kw(), &outcome);
                    near = middle;
                }
                Err(_) => far = middle,
            }
        }
        Ok(best)
    }
}

/// Value of what a party takes: the integral of its inverse demand from its least power, in kW times
/// EUR/MWh.
fn value(curve: &FlexCurve, power_kw: f64) -> f64 {
    let mut value = 0.0;
    let mut left_kw = power_kw - curve.power_min().kw();
    for pair in curve.points().windows(2).rev() {
        let width_kw = (pair[0].power - pair[1].power).kw();
        let (high, low) = (pair[1].price.eur_per_mwh(), pair[0].price.eur_per_mwh());
        let taken_kw = left_kw.clamp(0.0, width_kw);
        if width_kw > 0.0 {
            value += taken_kw * (high - (high - low) * taken_kw / width_kw / 2.0);
        }
        left_kw -= taken_kw;
    }
    value
}
