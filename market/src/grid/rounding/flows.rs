//! Flows that add up to the milliwatt from what was given, and what lines lose on the way.

use super::RoundingError;
use crate::grid::certificate::{current_square, kvar, kw, state, LineFlow, Lost, Tolerances};
use crate::grid::problem::{Losses, Network};
use crate::grid::solution::GridSolution;
use crate::units::{Millivar, Milliwatt};

/// Part of the tolerance of power from which on a relaxed line's surplus of losses is kept: less is what
/// an interior point leaves of every cone, and all lines' together stay below the tolerance.
const KEPT: f64 = 1e-2;

/// How many times the tolerance of power a real line's losses may miss those of its current.
const MISSED: f64 = 10.0;

/// Most times losses are computed again from the flows that follow from them.
const LOSS_PASSES: usize = 60;

/// Sums up flows from what is taken at each place. Gives what flows into the root, and what is lost.
pub(super) fn flows(
    network: &Network,
    solution: &GridSolution,
    taken: &[LineFlow],
    tolerances: &Tolerances,
    flows: &mut [LineFlow],
) -> Result<(LineFlow, Vec<Lost>), RoundingError> {
    let mut lost = vec![Lost::default(); flows.len()];
    let mut import = sum_up(network, taken, &lost, flows)?;
    if network.losses == Losses::Neglected {
        return Ok((import, lost));
    }
    let beyond = beyond(network, solution, tolerances)?;
    lost = solution.flows.iter().map(|flow| Lost { kw: flow.loss_kw, kvar: flow.loss_kvar }).collect();
    import = sum_up(network, taken, &lost, flows)?;
    for _ in 0..LOSS_PASSES {
        let squares = state(network, flows, &lost, tolerances).squares;
        let mut moved = 0.0f64;
        for place in 1..flows.len() {
            let needed = current_square(flows[place], squares[network.parent[place]]);
            let current = beyond[place].map_or(needed, |current| current.max(needed));
            let branch = &network.branches[place];
            let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
            let now = Lost { kw: r * current, kvar: x * current };
            moved = moved.max((now.kw - lost[place].kw).abs()).max((now.kvar - lost[place].kvar).abs());
            lost[place] = now;
        }
        import = sum_up(network, taken, &lost, flows)?;
        // Half a milliwatt: no figure would be rounded otherwise.
        if moved < 5e-7 {
            break;
        }
    }
    Ok((import, missing(network, taken, flows)))
}

/// Squared currents of lines that lose more than their flow makes them, none elsewhere: a solver
/// relaxes what a line loses to at least that.
fn beyond(
    network: &Network,
    solution: &GridSolution,
    tolerances: &Tolerances,
) -> Result<Vec<Option<f64>>, RoundingError> {
    let mut beyond = vec![None; solution.flows.len()];
    for (place, flow) in solution.flows.iter().enumerate().skip(1) {
        let sent = solution.voltage_square_pu[network.parent[place]];
        let needed = (flow.power_kw * flow.power_kw + flow.reactive_kvar * flow.reactive_kvar) / sent;
        let branch = &network.branches[place];
        let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
        let size = flow.power_kw.abs().max(flow.reactive_kvar.abs());
        let over = (flow.loss_kw - r * needed).abs().max((flow.loss_kvar - x * needed).abs());
        let relaxed = network.losses == Losses::Relaxed;
        if over <= if relaxed { KEPT } else { MISSED } * tolerances.power_kw(size) {
            continue;
        }
        if relaxed {
            beyond[place] = Some(if r >= x.abs() { flow.loss_kw / r } else { flow.loss_kvar / x });
            continue;
        }
        let milliwatt = |kw: f64| {
            let out = RoundingError::OutOfBounds { what: "the loss of the line to place", index: place };
            Milliwatt::from_kw(kw).ok_or(out)
        };
        let (claimed, made) = (milliwatt(flow.loss_kw)?, milliwatt(r * needed)?);
        return Err(RoundingError::LossesWelcome { place, claimed, made });
    }
    Ok(beyond)
}

fn sum_up(
    network: &Network,
    taken: &[LineFlow],
    lost: &[Lost],
    flows: &mut [LineFlow],
) -> Result<LineFlow, RoundingError> {
    flows.copy_from_slice(taken);
    for place in (1..flows.len()).rev() {
        let out = || RoundingError::OutOfBounds { what: "the flow into place", index: place };
        let mut flow = flows[place];
        let power = Milliwatt::from_kw(lost[place].kw).ok_or_else(out)?;
        let reactive = Millivar::from_kvar(lost[place].kvar).ok_or_else(out)?;
        flow.power = flow.power.checked_add(power).ok_or_else(out)?;
        flow.reactive = flow.reactive.checked_add(reactive).ok_or_else(out)?;
        flows[place] = flow;
        let parent = &mut flows[network.parent[place]];
        parent.power = parent.power.checked_add(flow.power).ok_or_else(out)?;
        parent.reactive = parent.reactive.checked_add(flow.reactive).ok_or_else(out)?;
    }
    Ok(std::mem::take(&mut flows[0]))
}

/// What of each line's flow does not arrive.
fn missing(network: &Network, taken: &[LineFlow], flows: &[LineFlow]) -> Vec<Lost> {
    let mut arriving = taken.to_vec();
    for place in 1..flows.len() {
        let parent = &mut arriving[network.parent[place]];
        parent.power += flows[place].power;
        parent.reactive += flows[place].reactive;
    }
    let lost = |(flow, arriving): (&LineFlow, &LineFlow)| Lost {
        kw: kw(flow.power - arriving.power),
        kvar: kvar(flow.reactive - arriving.reactive),
    };
    let mut lost: Vec<Lost> = flows.iter().zip(&arriving).map(lost).collect();
    lost[0] = Lost::default();
    lost
}
