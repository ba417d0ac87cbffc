//! Feasibility: flows are what is taken beyond them, losses what the current makes them, and limits
//! hold. A multiplier must be zero where its limit does not bind.

use super::losses::{self, state, Lost, State};
use super::party::Taken;
use super::{CertificateError, GridClearing, LineFlow, Terms, Tolerances};
use crate::grid::problem::{Branch, VoltageBand};
use crate::units::{Millivar, Milliwatt};

/// Real power in kW.
pub(crate) fn kw(power: Milliwatt) -> f64 {
    power.0 as f64 / 1e6
}

/// Reactive power in kvar.
pub(crate) fn kvar(reactive: Millivar) -> f64 {
    reactive.0 as f64 / 1e6
}

/// Adds up what is taken from the leaves to the root. Turns `taken` at each place into all that the
/// line to it must deliver at its far end.
pub(super) fn check_sums(
    terms: &Terms<'_>,
    clearing: &GridClearing,
    taken: &mut [Taken],
) -> Result<(), CertificateError> {
    let carries_losses = terms.carries_losses();
    for place in (1..taken.len()).rev() {
        let (below, flow) = (taken[place], clearing.flows[place]);
        let (power, reactive) = (i128::from(flow.power.0), i128::from(flow.reactive.0));
        if !carries_losses && power != below.power {
            return Err(CertificateError::Flow { place, below: below.power, flow: flow.power });
        }
        if !carries_losses && reactive != below.reactive {
            let (below, flow) = (below.reactive, flow.reactive);
            return Err(CertificateError::ReactiveFlow { place, below, flow });
        }
        let parent = &mut taken[terms.network.parent[place]];
        parent.power += power;
        parent.reactive += reactive;
    }
    let imports = [(taken[0].power, clearing.import.0), (taken[0].reactive, clearing.import_reactive.0)];
    match imports.into_iter().find(|(taken, import)| *taken != i128::from(*import)) {
        Some((taken, import)) => Err(CertificateError::Import { taken, import }),
        None => Ok(()),
    }
}

/// What of each line's flow does not arrive, once `taken` is all that each line must deliver.
pub(super) fn lost(terms: &Terms<'_>, clearing: &GridClearing, taken: &[Taken]) -> Vec<Lost> {
    let mut lost = vec![Lost::default(); taken.len()];
    if terms.carries_losses() {
        for (place, flow) in clearing.flows.iter().enumerate().skip(1) {
            let missing = |sent: i64, received: i128| (i128::from(sent) - received) as f64 / 1e6;
            lost[place] = Lost {
                kw: missing(flow.power.0, taken[place].power),
                kvar: missing(flow.reactive.0, taken[place].reactive),
            };
        }
    }
    lost
}

/// Checks losses, limits and that multipliers stand only where limits bind. Gives voltages and currents.
pub(super) fn check(
    terms: &Terms<'_>,
    clearing: &GridClearing,
    taken: &[Taken],
) -> Result<State, CertificateError> {
    let (network, tolerances) = (terms.network, &terms.tolerances);
    let lost = lost(terms, clearing, taken);
    let state = state(network, &clearing.flows, &lost, tolerances);
    for (place, square) in state.squares.iter().enumerate().skip(1) {
        let flow = clearing.flows[place];
        let branch = &network.branches[place];
        if terms.carries_losses() {
            losses::check(terms, place, flow, lost[place], state.squares[network.parent[place]])?;
        }
        let multipliers = &clearing.multipliers[place];
        check_power(place, branch, flow, multipliers.congestion.0, tolerances)?;
        check_apparent(place, branch, flow, multipliers.apparent.0, tolerances)?;
        check_voltage(place, &network.bands[place], *square, multipliers.voltage.0, tolerances)?;
    }
    Ok(state)
}

/// Whether a figure reaches up to its upper limit, as nearly as counts.
fn reaches_most(figure: f64, most: f64, tolerance: f64) -> bool {
    figure >= most - tolerance
}

/// Whether a figure reaches down to its lower limit, as nearly as counts.
fn reaches_least(figure: f64, least: f64, tolerance: f64) -> bool {
    figure <= least + tolerance
}

/// Whether a worth of the upper limit where positive, of the lower where negative, may stand.
fn may_stand(worth: i64, figure: f64, (least, most): (f64, f64), tolerance: (f64, f64)) -> bool {
    worth == 0
        || (worth > 0 && reaches_most(figure, most, tolerance.1))
        || (worth < 0 && reaches_least(figure, least, tolerance.0))
}

/// Whether `worth` may be the multiplier of a line's real-power limits at `flow`.
pub(crate) fn congestion_may_stand(
    branch: &Branch,
    flow: LineFlow,
    worth: i64,
    tolerances: &Tolerances,
) -> bool {
    let limits = (branch.power_min_kw, branch.power_max_kw);
    let tolerance = (tolerances.power_kw(limits.0), tolerances.power_kw(limits.1));
    may_stand(worth, kw(flow.power), limits, tolerance)
}

fn check_power(
    place: usize,
    branch: &Branch,
    flow: LineFlow,
    worth: i64,
    tolerances: &Tolerances,
) -> Result<(), CertificateError> {
    let (least, most, power) = (branch.power_min_kw, branch.power_max_kw, kw(flow.power));
    // A limit that does not exist is infinite, and so would its tolerance be.
    let above = least == f64::NEG_INFINITY || power >= least - tolerances.power_kw(least);
    let below = most == f64::INFINITY || power <= most + tolerances.power_kw(most);
    if !(above && below) {
        return Err(CertificateError::Limit { place, flow: flow.power });
    }
    if congestion_may_stand(branch, flow, worth, tolerances) {
        return Ok(());
    }
    Err(CertificateError::Multiplier { place, what: "congestion", figure: worth })
}

fn apparent_square(flow: LineFlow) -> f64 {
    let (p, q) = (kw(flow.power), kvar(flow.reactive));
    p * p + q * q
}

/// Whether `worth` may be the multiplier of a line's apparent-power limit at `flow`.
pub(crate) fn apparent_may_stand(
    branch: &Branch,
    flow: LineFlow,
    worth: i64,
    tolerances: &Tolerances,
) -> bool {
    let inner = branch.apparent_max_kva - tolerances.power_kw(branch.apparent_max_kva);
    worth == 0 || (worth > 0 && (inner <= 0.0 || apparent_square(flow) >= inner * inner))
}

fn check_apparent(
    place: usize,
    branch: &Branch,
    flow: LineFlow,
    worth: i64,
    tolerances: &Tolerances,
) -> Result<(), CertificateError> {
    let most = branch.apparent_max_kva;
    if most == f64::INFINITY && worth == 0 {
        return Ok(());
    }
    let outer = most + tolerances.power_kw(most);
    // Squares, since a root is not one of the four operations.
    if !(most >= 0.0 && apparent_square(flow) <= outer * outer) {
        let LineFlow { power, reactive } = flow;
        return Err(CertificateError::ApparentLimit { place, power, reactive });
    }
    if apparent_may_stand(branch, flow, worth, tolerances) {
        return Ok(());
    }
    Err(CertificateError::Multiplier { place, what: "apparent-power", figure: worth })
}

/// Whether `worth` may be the multiplier of a bus's voltage limits at a squared voltage: positive
/// for the least, negative for the most.
pub(crate) fn voltage_may_stand(
    band: &VoltageBand,
    square: f64,
    worth: i64,
    tolerances: &Tolerances,
) -> bool {
    let tolerance = tolerances.voltage_square_pu;
    worth == 0
        || (worth > 0 && reaches_least(square, band.min_square_pu, tolerance))
        || (worth < 0 && reaches_most(square, band.max_square_pu, tolerance))
}

fn check_voltage(
    place: usize,
    band: &VoltageBand,
    square: f64,
    worth: i64,
    tolerances: &Tolerances,
) -> Result<(), CertificateError> {
    let tolerance = tolerances.voltage_square_pu;
    let holds = square >= band.min_square_pu - tolerance && square <= band.max_square_pu + tolerance;
    if !holds {
        return Err(CertificateError::Voltage { place, square_nano_pu: (square * 1e9) as i64 });
    }
    if voltage_may_stand(band, square, worth, tolerances) {
        return Ok(());
    }
    Err(CertificateError::Multiplier { place, what: "voltage", figure: worth })
}
