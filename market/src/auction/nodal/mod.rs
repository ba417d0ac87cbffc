//! The wholesale auction on a transmission network: participants' curves at buses of a meshed network,
//! one price for each bus, flows by Kirchhoff's laws in the usual lossless linear form (DC optimal
//! power flow; Schweppe et al., Spot Pricing of Electricity, 1988).
//!
//! `program` finds prices, powers and angles by an interior-point solver in floating point; they are
//! rounded here to ticks and milliwatts, and nothing leaves that [`check`] refuses.

pub mod check;
mod program;
pub mod residual;

use crate::curve::FlexCurve;
use crate::share::Demand;
use crate::units::{Milliwatt, PicoEurPerWh, POWER_BOUND, PRICE_BOUND};
use thiserror::Error;

/// Most buses, lines or participants of one auction.
pub const MAX_ELEMENTS: usize = 20_000;

/// How far a price may be from the exact one: 0.001 EUR/MWh.
pub const PRICE_TOLERANCE: PicoEurPerWh = PicoEurPerWh(1_000);

/// Relative accuracies asked of the solver, one after the other until its answer passes the check: where it
/// can't reach the first, it ends further from the optimum than when asked for less.
const TOLERANCES: [f64; 3] = [1e-11, 1e-9, 1e-7];

/// A transmission network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// Every bus's name.
    pub buses: Vec<String>,
    /// Lines between them; any number of them, in loops or not.
    pub links: Vec<Link>,
}

/// A line between two buses.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// Name, for messages.
    pub id: String,
    /// Index of one end; flow from here is positive.
    pub from: usize,
    /// Index of the other end.
    pub to: usize,
    /// Reactance in any unit common to all lines; none for a line whose flow can be chosen (a
    /// direct-current link, or a border with a net transfer capacity).
    pub reactance: Option<f64>,
    /// Most power, either way; none where unlimited.
    pub limit: Option<Milliwatt>,
}

/// One participant: what it takes (or, negative, delivers) at each price, at its bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Index of its bus.
    pub bus: usize,
    /// Its curve.
    pub curve: FlexCurve,
}

/// What came of an auction.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Price at each bus.
    pub prices: Vec<PicoEurPerWh>,
    /// What each participant takes. They sum to zero.
    pub powers: Vec<Milliwatt>,
    /// Flow on each line, from its first end to its second.
    pub flows: Vec<Milliwatt>,
    /// Value in EUR/MWh of one more megawatt of each line's limit; negative where the limit binds
    /// against the line's direction, zero where it does not bind.
    pub congestion: Vec<f64>,
}

/// Why an auction has no outcome.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NodalError {
    /// No bus, or more than [`MAX_ELEMENTS`] of something.
    #[error("{what}: {count} given, 1 to {MAX_ELEMENTS} allowed")]
    Size {
        /// buses, lines or participants.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// A line that joins nothing, or has a reactance or limit of no meaning.
    #[error("line {id:?}: {reason}")]
    Link {
        /// The line.
        id: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A participant at a bus that does not exist.
    #[error("participant {participant} is at bus index {bus}, which does not exist")]
    UnknownBus {
        /// Place of the participant.
        participant: usize,
        /// Its bus.
        bus: usize,
    },
    /// No powers balance within all limits.
    #[error("what must be taken at any price can't be brought there within the lines' limits")]
    Infeasible,
    /// The solver ended without an answer.
    #[error("the solver ended with {status}")]
    Unsolved {
        /// Its own word for it.
        status: String,
    },
    /// An answer was found that does not pass its check, and is withheld.
    #[error("the outcome found does not hold: {0}")]
    Unproven(#[from] check::CheckError),
}

/// Clears the auction.
///
/// # Errors
/// See [`NodalError`].
pub fn clear(network: &Network, participants: &[Participant]) -> Result<Outcome, NodalError> {
    validate(network, participants)?;
    let mut outcome = clear_to(network, participants, TOLERANCES[0]);
    for tolerance in &TOLERANCES[1..] {
        if matches!(outcome, Err(NodalError::Unproven(_) | NodalError::Unsolved { .. })) {
            outcome = clear_to(network, participants, *tolerance);
        }
    }
    outcome
}

fn clear_to(network: &Network, participants: &[Participant], tolerance: f64) -> Result<Outcome, NodalError> {
    let found = program::solve(network, participants, tolerance)?;
    let tick = |price: &f64| PicoEurPerWh::from_eur_per_mwh(price.clamp(-1e6, 1e6));
    let unsolved = || NodalError::Unsolved { status: "a price or power beyond bounds".to_owned() };
    let prices: Vec<PicoEurPerWh> =
        found.prices.iter().map(tick).collect::<Option<_>>().ok_or_else(unsolved)?;
    let flows = found.flows_kw.iter().map(|kw| Milliwatt::from_kw(*kw));
    let flows: Vec<Milliwatt> = flows.collect::<Option<_>>().ok_or_else(unsolved)?;
    let powers = round(participants, &found.powers_kw, &prices).ok_or_else(unsolved)?;
    let outcome = Outcome { prices, powers, flows, congestion: found.congestion };
    check::check(network, participants, &outcome)?;
    Ok(outcome)
}

/// What a participant may be given at a price, the price being known to [`PRICE_TOLERANCE`].
pub fn range(curve: &FlexCurve, price: PicoEurPerWh) -> Demand {
    let at = |shift: i64| PicoEurPerWh((price.0 + shift).clamp(-PRICE_BOUND.0, PRICE_BOUND.0));
    let tolerance = PRICE_TOLERANCE.0;
    Demand { low: curve.power_at(at(tolerance).next()), high: curve.power_at(at(-tolerance)) }
}

/// Powers in milliwatts, each within its range, that sum to zero: what rounding leaves is spread in
/// order over those whose range has room.
fn round(participants: &[Participant], powers_kw: &[f64], prices: &[PicoEurPerWh]) -> Option<Vec<Milliwatt>> {
    let ranges: Vec<Demand> = participants.iter().map(|p| range(&p.curve, prices[p.bus])).collect();
    let nearest = |(kw, range): (&f64, &Demand)| {
        Milliwatt::from_kw(*kw).map(|power| power.clamp(range.low, range.high))
    };
    let mut powers: Vec<Milliwatt> = powers_kw.iter().zip(&ranges).map(nearest).collect::<Option<_>>()?;
    let mut left: i128 = powers.iter().map(|power| power.0 as i128).sum();
    for (power, range) in powers.iter_mut().zip(&ranges) {
        let moved = left.clamp((power.0 - range.high.0) as i128, (power.0 - range.low.0) as i128);
        power.0 -= moved as i64;
        left -= moved;
    }
    (left == 0).then_some(powers)
}

fn validate(network: &Network, participants: &[Participant]) -> Result<(), NodalError> {
    let sizes = [
        ("buses", network.buses.len(), 1),
        ("lines", network.links.len(), 0),
        ("participants", participants.len(), 0),
    ];
    for (what, count, least) in sizes {
        if !(least..=MAX_ELEMENTS).contains(&count) {
            return Err(NodalError::Size { what, count });
        }
    }
    for link in &network.links {
        let bad = |reason| Err(NodalError::Link { id: link.id.clone(), reason });
        if link.from >= network.buses.len() || link.to >= network.buses.len() || link.from == link.to {
            return bad("its ends must be two different buses of the network");
        }
        if link.reactance.is_some_and(|x| !(1e-9..=1e9).contains(&x)) {
            return bad("its reactance must lie in 1e-9..=1e9");
        }
        if link.limit.is_some_and(|limit| !(Milliwatt::ZERO..=POWER_BOUND).contains(&limit)) {
            return bad("its limit must not be negative or beyond what the market accepts");
        }
    }
    match participants.iter().position(|p| p.bus >= network.buses.len()) {
        Some(participant) => Err(NodalError::UnknownBus { participant, bus: participants[participant].bus }),
        None => Ok(()),
    }
}
