//! Whether an auction's outcome is feasible and optimal, from the curves and the outcome alone: one pass,
//! no solver.
//!
//! Optimal means that everyone takes what it asks for at its price, that a flow which can be chosen earns
//! nothing but its congestion, and that no shift of angles would (the conditions of Karush, Kuhn and
//! Tucker of the DC optimal power flow).

use super::{range, Network, Outcome, Participant, PRICE_TOLERANCE};
use crate::share::Demand;
use crate::units::{Milliwatt, PicoEurPerWh, PRICE_BOUND};
use thiserror::Error;

/// How far powers at a bus may be from balance, and a flow beyond its limit or off Kirchhoff's law, as a
/// part of the largest power.
const POWER_TOLERANCE: f64 = 1e-7;

/// What of an outcome does not hold.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CheckError {
    /// Not one figure for each bus, participant and line.
    #[error("{what}: {count} figures, {expected} needed")]
    Shape {
        /// prices, powers, flows or congestion.
        what: &'static str,
        /// Figures given.
        count: usize,
        /// Figures needed.
        expected: usize,
    },
    /// A price beyond what the market accepts, or a figure that is no number.
    #[error("{what} {index}: out of bounds")]
    Bounds {
        /// bus or line.
        what: &'static str,
        /// Its place.
        index: usize,
    },
    /// A participant was given what it did not ask for at its price.
    #[error("participant {participant} was given {power}, and asks for {} to {}", range.low, range.high)]
    Power {
        /// The participant.
        participant: usize,
        /// What it was given.
        power: Milliwatt,
        /// What it asks for.
        range: Demand,
    },
    /// What is taken in all is not nothing.
    #[error("all participants together take {sum} mW")]
    Sum {
        /// The sum.
        sum: i128,
    },
    /// What is taken at a bus is not what flows there.
    #[error("bus {bus:?}: {surplus_kw} kW more are taken there than flow in")]
    Balance {
        /// The bus.
        bus: String,
        /// By how much.
        surplus_kw: f64,
    },
    /// A flow beyond its limit.
    #[error("line {line:?}: its flow {flow} is beyond its limit")]
    Limit {
        /// The line.
        line: String,
        /// Its flow.
        flow: Milliwatt,
    },
    /// Congestion on a line that is not full, or the wrong way.
    #[error("line {line:?}: congestion of {congestion} EUR/MWh at a flow of {flow}")]
    Slack {
        /// The line.
        line: String,
        /// Its congestion.
        congestion: f64,
        /// Its flow.
        flow: Milliwatt,
    },
    /// Flows around a loop that no angles give.
    #[error("line {line:?}: its flow is {excess_kw} kW off what the angles at its ends give")]
    Kirchhoff {
        /// The line that closes the loop.
        line: String,
        /// By how much.
        excess_kw: f64,
    },
    /// A change of angle or flow would gain.
    #[error("{what} {name:?}: a change would gain {gain} EUR/MWh")]
    Gain {
        /// bus or line.
        what: &'static str,
        /// Its name.
        name: String,
        /// What it would gain.
        gain: f64,
    },
}

/// Checks an outcome.
///
/// # Errors
/// The first condition that fails, with its figures.
pub fn check(network: &Network, participants: &[Participant], outcome: &Outcome) -> Result<(), CheckError> {
    check_shape(network, participants, outcome)?;
    let largest =
        participants.iter().map(|p| p.curve.power_max().kw().abs().max(p.curve.power_min().kw().abs()));
    let slack_kw =
        POWER_TOLERANCE * largest.sum::<f64>() + 1e-6 * (participants.len() + network.links.len()) as f64;
    check_powers(participants, outcome)?;
    check_balance(network, participants, outcome, slack_kw)?;
    check_limits(network, outcome, slack_kw)?;
    check_angles(network, outcome, slack_kw)?;
    check_gains(network, outcome)
}

fn check_shape(network: &Network, participants: &[Participant], outcome: &Outcome) -> Result<(), CheckError> {
    let shapes = [
        ("prices", outcome.prices.len(), network.buses.len()),
        ("powers", outcome.powers.len(), participants.len()),
        ("flows", outcome.flows.len(), network.links.len()),
        ("congestion", outcome.congestion.len(), network.links.len()),
    ];
    if let Some((what, count, expected)) = shapes.into_iter().find(|(_, count, expected)| count != expected) {
        return Err(CheckError::Shape { what, count, expected });
    }
    let sound = |price: &PicoEurPerWh| (-PRICE_BOUND..=PRICE_BOUND).contains(price);
    if let Some(index) = outcome.prices.iter().position(|price| !sound(price)) {
        return Err(CheckError::Bounds { what: "bus", index });
    }
    match outcome.congestion.iter().position(|congestion| !congestion.is_finite()) {
        Some(index) => Err(CheckError::Bounds { what: "line", index }),
        None => Ok(()),
    }
}

fn check_powers(participants: &[Participant], outcome: &Outcome) -> Result<(), CheckError> {
    for (participant, (of, power)) in participants.iter().zip(&outcome.powers).enumerate() {
        let range = range(&of.curve, outcome.prices[of.bus]);
        if !range.contains(*power) {
            return Err(CheckError::Power { participant, power: *power, range });
        }
    }
    match outcome.powers.iter().map(|power| power.0 as i128).sum() {
        0 => Ok(()),
        sum => Err(CheckError::Sum { sum }),
    }
}

fn check_balance(
    network: &Network,
    participants: &[Participant],
    outcome: &Outcome,
    slack_kw: f64,
) -> Result<(), CheckError> {
    let mut surplus = vec![0i128; network.buses.len()];
    for (participant, power) in participants.iter().zip(&outcome.powers) {
        surplus[participant.bus] += power.0 as i128;
    }
    for (link, flow) in network.links.iter().zip(&outcome.flows) {
        surplus[link.from] += flow.0 as i128;
        surplus[link.to] -= flow.0 as i128;
    }
    let kw = |surplus: &i128| *surplus as f64 / 1e6;
    match surplus.iter().position(|surplus| kw(surplus).abs() > slack_kw) {
        Some(bus) => {
            Err(CheckError::Balance { bus: network.buses[bus].clone(), surplus_kw: kw(&surplus[bus]) })
        }
        None => Ok(()),
    }
}

fn check_limits(network: &Network, outcome: &Outcome, slack_kw: f64) -> Result<(), CheckError> {
    let tolerance = PRICE_TOLERANCE.eur_per_mwh();
    for ((link, flow), congestion) in network.links.iter().zip(&outcome.flows).zip(&outcome.congestion) {
        let limit_kw = link.limit.map_or(f64::INFINITY, Milliwatt::kw);
        if flow.kw().abs() > limit_kw + slack_kw {
            return Err(CheckError::Limit { line: link.id.clone(), flow: *flow });
        }
        let (full, empty) = (flow.kw() >= limit_kw - slack_kw, flow.kw() <= slack_kw - limit_kw);
        if (*congestion > tolerance && !full) || (*congestion < -tolerance && !empty) {
            let (line, congestion, flow) = (link.id.clone(), *congestion, *flow);
            return Err(CheckError::Slack { line, congestion, flow });
        }
    }
    Ok(())
}

/// Angles follow from flows along any spanning tree; every other line must agree.
fn check_angles(network: &Network, outcome: &Outcome, slack_kw: f64) -> Result<(), CheckError> {
    let mut ends = vec![Vec::new(); network.buses.len()];
    for (index, link) in network.links.iter().enumerate() {
        if let Some(reactance) = link.reactance {
            let drop = reactance * outcome.flows[index].kw();
            ends[link.from].push((link.to, -drop));
            ends[link.to].push((link.from, drop));
        }
    }
    let mut angles: Vec<Option<f64>> = vec![None; ends.len()];
    for start in 0..ends.len() {
        if angles[start].is_some() {
            continue;
        }
        angles[start] = Some(0.0);
        let mut open = vec![(start, 0.0)];
        while let Some((bus, angle)) = open.pop() {
            for (next, rise) in &ends[bus] {
                if angles[*next].is_none() {
                    angles[*next] = Some(angle + rise);
                    open.push((*next, angle + rise));
                }
            }
        }
    }
    let largest = network.links.iter().filter_map(|link| link.reactance).fold(0.0, f64::max);
    for (link, flow) in network.links.iter().zip(&outcome.flows) {
        let (Some(reactance), Some(from), Some(to)) = (link.reactance, angles[link.from], angles[link.to])
        else {
            continue;
        };
        let excess_kw = flow.kw() - (from - to) / reactance;
        // What rounding put into every flow comes around the loop multiplied by the reactances' ratio.
        if excess_kw.abs() > slack_kw * (1.0 + largest / reactance) {
            return Err(CheckError::Kirchhoff { line: link.id.clone(), excess_kw });
        }
    }
    Ok(())
}

fn check_gains(network: &Network, outcome: &Outcome) -> Result<(), CheckError> {
    let tolerance = 4.0 * PRICE_TOLERANCE.eur_per_mwh();
    let mut by_angle = vec![0.0; network.buses.len()];
    let mut weight = vec![0.0; network.buses.len()];
    for (index, link) in network.links.iter().enumerate() {
        let rise = outcome.prices[link.from].eur_per_mwh() - outcome.prices[link.to].eur_per_mwh();
        let gain = rise + outcome.congestion[index];
        match link.reactance {
            None if gain.abs() > tolerance => {
                return Err(CheckError::Gain { what: "line", name: link.id.clone(), gain });
            }
            None => {}
            Some(reactance) => {
                by_angle[link.from] += gain / reactance;
                by_angle[link.to] -= gain / reactance;
                weight[link.from] += 1.0 / reactance;
                weight[link.to] += 1.0 / reactance;
            }
        }
    }
    for (bus, (gain, weight)) in by_angle.iter().zip(&weight).enumerate() {
        if gain.abs() > tolerance * weight {
            let name = network.buses[bus].clone();
            return Err(CheckError::Gain { what: "bus", name, gain: gain / weight });
        }
    }
    Ok(())
}
