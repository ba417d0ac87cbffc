//! The feeder's limits as functions of what is taken at each place, and which of them a dispatch passes.
//! All are linear but that of apparent power, which is a circle of real and reactive flow. LinDistFlow (Baran and Wu, 1989): flows are sums of what is taken below, and
//! `V_child = ratio V_parent - 2 (r P + x Q)`.
//!
//! One interval at a time; which interval, and what it costs to keep a limit, is not known here.

use crate::grid::problem::{Branch, Network};
use crate::grid::solution::BranchFlow;

/// A limit of a place or of the line that feeds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Limit {
    pub place: usize,
    pub kind: LimitKind,
}

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitKind {
    PowerMax,
    PowerMin,
    VoltageMin,
    VoltageMax,
    Apparent,
}

impl LimitKind {
    pub const ALL: [Self; 5] =
        [Self::PowerMax, Self::PowerMin, Self::VoltageMin, Self::VoltageMax, Self::Apparent];
}

/// Most apparent power of a line that may carry none: far below every tolerance, and a circle still.
const APPARENT_LEAST_KVA: f64 = 1e-4;

/// A line's most apparent power as it is cleared and checked.
pub fn apparent_max_kva(branch: &Branch) -> f64 {
    if branch.apparent_max_kva > APPARENT_LEAST_KVA {
        branch.apparent_max_kva
    } else {
        APPARENT_LEAST_KVA
    }
}

/// A limit written out: the sum over places of `real` times kW and `reactive` times kvar taken there is
/// at most `bound`. Divided by `unit` so that the largest coefficient is 1 and `bound` a power. For
/// apparent power the two sums are the flow's parts, and `bound` their circle's radius.
#[derive(Clone, Debug)]
pub struct LimitRow {
    pub real: Vec<f64>,
    pub reactive: Vec<f64>,
    pub bound: f64,
    pub unit: f64,
}

/// Flows and voltages of one interval.
pub struct State {
    pub flows: Vec<BranchFlow>,
    pub voltage_square_pu: Vec<f64>,
}

/// What flows, and at what voltage, when so much is taken at each place. The root's flow is all of it.
pub fn state(network: &Network, power_kw: &[f64], reactive_kvar: &[f64]) -> State {
    let flow = |(p, q): (&f64, &f64)| BranchFlow { power_kw: *p, reactive_kvar: *q, ..Default::default() };
    let mut flows: Vec<BranchFlow> = power_kw.iter().zip(reactive_kvar).map(flow).collect();
    for place in (1..flows.len()).rev() {
        let BranchFlow { power_kw, reactive_kvar, .. } = flows[place];
        let above = &mut flows[network.parent[place]];
        above.power_kw += power_kw;
        above.reactive_kvar += reactive_kvar;
    }
    let mut voltage_square_pu = vec![network.root_voltage_square_pu; flows.len()];
    for place in 1..flows.len() {
        let branch = &network.branches[place];
        let drop = 2.0
            * (branch.resistance_pu_per_kva * flows[place].power_kw
                + branch.reactance_pu_per_kva * flows[place].reactive_kvar);
        voltage_square_pu[place] = branch.ratio_square * voltage_square_pu[network.parent[place]] - drop;
    }
    State { flows, voltage_square_pu }
}

/// The figure a limit is set at; infinite where there is none.
fn bound(network: &Network, Limit { place, kind }: Limit) -> f64 {
    match kind {
        LimitKind::PowerMax => network.branches[place].power_max_kw,
        LimitKind::PowerMin => network.branches[place].power_min_kw,
        LimitKind::VoltageMin => network.bands[place].min_square_pu,
        LimitKind::VoltageMax => network.bands[place].max_square_pu,
        LimitKind::Apparent => apparent_max_kva(&network.branches[place]),
    }
}

impl State {
    /// By how much a limit is passed, in its own unit; negative where it is kept.
    pub fn excess(&self, network: &Network, limit: Limit) -> f64 {
        let bound = bound(network, limit);
        match limit.kind {
            LimitKind::PowerMax => self.flows[limit.place].power_kw - bound,
            LimitKind::PowerMin => bound - self.flows[limit.place].power_kw,
            LimitKind::VoltageMin => bound - self.voltage_square_pu[limit.place],
            LimitKind::VoltageMax => self.voltage_square_pu[limit.place] - bound,
            LimitKind::Apparent => {
                let BranchFlow { power_kw, reactive_kvar, .. } = self.flows[limit.place];
                power_kw.hypot(reactive_kvar) - bound
            }
        }
    }
}

/// Every limit there is, places in order.
pub fn limits(network: &Network) -> Vec<Limit> {
    let at = |place| LimitKind::ALL.into_iter().map(move |kind| Limit { place, kind });
    (1..network.parent.len()).flat_map(at).filter(|limit| bound(network, *limit).is_finite()).collect()
}

/// Writes a limit out.
pub fn row(network: &Network, limit: Limit) -> LimitRow {
    let places = network.parent.len();
    // What a kW and a kvar on the line that feeds each place add to the left side.
    let (mut real, mut reactive) = (vec![0.0; places], vec![0.0; places]);
    let mut bound = bound(network, limit);
    match limit.kind {
        LimitKind::PowerMax => real[limit.place] = 1.0,
        LimitKind::Apparent => (real[limit.place], reactive[limit.place]) = (1.0, 1.0),
        LimitKind::PowerMin => {
            real[limit.place] = -1.0;
            bound = -bound;
        }
        LimitKind::VoltageMin | LimitKind::VoltageMax => {
            let sign = if limit.kind == LimitKind::VoltageMin { 1.0 } else { -1.0 };
            let (mut place, mut ratio) = (limit.place, 1.0);
            while place != 0 {
                let branch = &network.branches[place];
                real[place] = sign * 2.0 * ratio * branch.resistance_pu_per_kva;
                reactive[place] = sign * 2.0 * ratio * branch.reactance_pu_per_kva;
                ratio *= branch.ratio_square;
                place = network.parent[place];
            }
            bound = sign * (ratio * network.root_voltage_square_pu - bound);
        }
    }
    for place in 1..places {
        real[place] += real[network.parent[place]];
        reactive[place] += reactive[network.parent[place]];
    }
    let largest = real.iter().chain(&reactive).fold(0.0f64, |most, c| most.max(c.abs()));
    let unit = if largest > 0.0 { largest } else { 1.0 };
    real.iter_mut().chain(&mut reactive).for_each(|c| *c /= unit);
    LimitRow { real, reactive, bound: bound / unit, unit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::problem::{Losses, VoltageBand};

    fn network() -> Network {
        let branch = |r: f64, ratio_square| Branch {
            resistance_pu_per_kva: r,
            reactance_pu_per_kva: 3.0 * r,
            ratio_square,
            power_min_kw: -50.0,
            power_max_kw: 40.0,
            apparent_max_kva: f64::INFINITY,
        };
        Network {
            parent: vec![0, 0, 1, 1, 2],
            branches: vec![
                branch(0.0, 1.0),
                branch(1e-3, 0.97),
                branch(2e-3, 1.0),
                branch(5e-4, 1.0),
                branch(1e-3, 1.1),
            ],
            bands: vec![VoltageBand { min_square_pu: 0.9, max_square_pu: 1.1 }; 5],
            root_voltage_square_pu: 1.02,
            losses: Losses::Neglected,
        }
    }

    #[test]
    fn a_row_says_what_the_flow_says() {
        let network = network();
        let (p, q) = ([3.0, -7.0, 21.0, 9.0, 30.0], [1.0, 2.0, -3.0, 8.0, 5.0]);
        let state = state(&network, &p, &q);
        let limits = limits(&network);
        assert_eq!(limits.len(), 16);
        for limit in limits {
            let row = row(&network, limit);
            let left: f64 = (0..5).map(|i| row.real[i] * p[i] + row.reactive[i] * q[i]).sum();
            let excess = (left - row.bound) * row.unit;
            assert!((excess - state.excess(&network, limit)).abs() < 1e-12, "{limit:?}: {excess}");
        }
        assert_eq!((state.flows[0].power_kw, state.flows[1].reactive_kvar), (56.0, 12.0));
    }
}
