//! Feasibility: flows are what is taken beyond them, losses what the current makes them, and limits
//! hold. A multiplier must be zero where its limit does not bind.

use super::party::Taken;
use super::{CertificateError, GridClearing, LineFlow, Terms, Tolerances};
use crate::grid::problem::{Branch, Losses, Network, VoltageBand};
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

/// Squared current of a line, in kVA squared at 1 p.u.; zero where losses are neglected.
pub(super) fn current_square(network: &Network, flow: LineFlow, sending_square_pu: f64) -> f64 {
    match network.losses {
        Losses::Neglected => 0.0,
        Losses::Carried => {
            let (p, q) = (kw(flow.power), kvar(flow.reactive));
            (p * p + q * q) / sending_square_pu
        }
    }
}

/// Squared voltage at a line's far end, from that at its near end.
fn received_square(branch: &Branch, flow: LineFlow, sent: f64, current_square: f64) -> f64 {
    let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
    let drop = 2.0 * (r * kw(flow.power) + x * kvar(flow.reactive));
    branch.ratio_square * sent - drop + (r * r + x * x) * current_square
}

/// Squared voltages by place, from the root down.
pub(crate) fn voltages(network: &Network, flows: &[LineFlow]) -> Vec<f64> {
    let mut squares = Vec::with_capacity(flows.len());
    squares.push(network.root_voltage_square_pu);
    for (place, flow) in flows.iter().enumerate().skip(1) {
        let sent = squares[network.parent[place]];
        let current = current_square(network, *flow, sent);
        squares.push(received_square(&network.branches[place], *flow, sent, current));
    }
    squares
}

/// Checks losses, limits and that multipliers stand only where limits bind. Gives squared voltages.
pub(super) fn check(
    terms: &Terms<'_>,
    clearing: &GridClearing,
    taken: &[Taken],
) -> Result<Vec<f64>, CertificateError> {
    let (network, tolerances) = (terms.network, &terms.tolerances);
    let squares = voltages(network, &clearing.flows);
    for (place, square) in squares.iter().enumerate().skip(1) {
        let flow = clearing.flows[place];
        let branch = &network.branches[place];
        if terms.carries_losses() {
            let sent = squares[network.parent[place]];
            // Below zero a line would give power instead of losing it.
            let carries = sent > 0.0;
            if !carries {
                let place = network.parent[place];
                return Err(CertificateError::Voltage { place, square_nano_pu: (sent * 1e9) as i64 });
            }
            let current = current_square(network, flow, sent);
            check_losses(place, branch, flow, (current, taken[place]), tolerances)?;
        }
        let multipliers = &clearing.multipliers[place];
        check_power(place, branch, flow, multipliers.congestion.0, tolerances)?;
        check_apparent(place, branch, flow, multipliers.apparent.0, tolerances)?;
        check_voltage(place, &network.bands[place], *square, multipliers.voltage.0, tolerances)?;
    }
    Ok(squares)
}

fn near(figure: f64, other: f64, tolerance: f64) -> bool {
    other - tolerance <= figure && figure <= other + tolerance
}

/// What goes missing on a line must be what its current loses.
fn check_losses(
    place: usize,
    branch: &Branch,
    flow: LineFlow,
    (current_square, received): (f64, Taken),
    tolerances: &Tolerances,
) -> Result<(), CertificateError> {
    let missing = [
        (branch.resistance_pu_per_kva, i128::from(flow.power.0) - received.power, kw(flow.power)),
        (branch.reactance_pu_per_kva, i128::from(flow.reactive.0) - received.reactive, kvar(flow.reactive)),
    ];
    for (impedance, taken, flow) in missing {
        let lost = impedance * current_square;
        if !near(taken as f64 / 1e6, lost, tolerances.power_kw(flow)) {
            return Err(CertificateError::Loss { place, lost: Milliwatt((lost * 1e6) as i64), taken });
        }
    }
    Ok(())
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
