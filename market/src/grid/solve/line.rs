//! What a line does to a Newton step: real and reactive power pass, squared voltage falls, and, where
//! losses are in the balance, the squared current takes its part.
//!
//! With losses, the line chooses its squared current `l >= f = (P^2 + Q^2) / V` (`V` at its sending
//! end), which is convex. Its step is written as what follows from `f` and what it gains on it,
//! `dl = f' (dP, dQ, dV) + dw`, so that the barrier, however steep, acts on `dw` alone.

use super::matrix::{Mat3, Vec3};
use super::tree::{Load, Transfer};

/// A line's part of the system. Second derivatives are by (P, Q, V at the sending end).
#[derive(Clone, Copy, Debug)]
pub(super) struct Element {
    /// Resistance and reactance.
    pub impedance: [f64; 2],
    /// Squared ratio.
    pub ratio: f64,
    /// Second derivative of everything that costs by flow and voltage.
    pub curve: Mat3,
    /// The current's part, where losses are in the balance.
    pub current: Option<Current>,
}

/// The squared current of a line with losses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current {
    /// Gradient of `f`.
    pub along: Vec3,
    /// Second derivative by the current's gain on `f`.
    pub weight: f64,
}

/// What is moved on a line: the right-hand side of its conditions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Push {
    /// Of the flows' conditions and the voltage's equation.
    pub effort: Vec3,
    /// Of the current's condition.
    pub gain: f64,
    /// Of the condition of the voltage at the sending end.
    pub response: f64,
}

/// What a line passes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    /// Efforts at the receiving end.
    pub effort: Vec3,
    /// Responses at the sending end.
    pub sent: Vec3,
    /// Step of the squared current.
    pub current: f64,
}

impl Element {
    /// Takes efforts at the sending end and responses at the receiving end across the line.
    pub(super) fn pass(&self, effort: Vec3, received: Vec3, push: &Push) -> Passed {
        let ([r, x], ratio, curve) = (self.impedance, self.ratio, &self.curve);
        // Change of the flows' conditions when (P, Q) move by `flow`.
        let bend = |flow: [f64; 2]| {
            let at = |k: usize| curve[k][0] * flow[0] + curve[k][1] * flow[1] + curve[k][2] * effort[2];
            [at(0), at(1)]
        };
        let mut flow = [received[0], received[1]];
        let (mut current, mut toll, mut along) = (0.0, 0.0, [0.0; 3]);
        if let Some(squared) = &self.current {
            along = squared.along;
            let keep = 1.0 - along[0] * r - along[1] * x;
            let follows = along[0] * flow[0] + along[1] * flow[1] + along[2] * effort[2];
            let bent = bend(flow);
            let asked = r * (effort[0] + push.effort[0] + bent[0])
                + x * (effort[1] + push.effort[1] + bent[1])
                - (r * r + x * x) * received[2];
            let stiff = r * (curve[0][0] * r + curve[0][1] * x) + x * (curve[1][0] * r + curve[1][1] * x);
            let gain =
                -(push.gain * keep + asked + stiff * follows / keep) / (squared.weight * keep + stiff / keep);
            current = (follows + gain) / keep;
            toll = (asked + stiff * current) / keep;
            flow = [flow[0] + r * current, flow[1] + x * current];
        }
        let bent = bend(flow);
        let price =
            |k: usize, z: f64| effort[k] + push.effort[k] + bent[k] - 2.0 * z * received[2] + along[k] * toll;
        let fall = 2.0 * (r * flow[0] + x * flow[1]) - (r * r + x * x) * current;
        let square = ratio * effort[2] - fall + push.effort[2];
        let worth = ratio * received[2]
            + curve[2][0] * flow[0]
            + curve[2][1] * flow[1]
            + curve[2][2] * effort[2]
            + along[2] * toll
            + push.response;
        Passed { effort: [price(0, r), price(1, x), square], sent: [flow[0], flow[1], worth], current }
    }

    /// The line as matrices.
    pub(super) fn transfer(&self) -> Transfer {
        let [r, x] = self.impedance;
        if self.current.is_none() {
            let mut series = self.curve;
            series[0][2] = -2.0 * r;
            series[1][2] = -2.0 * x;
            series[2] = [-2.0 * r, -2.0 * x, 0.0];
            let through = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, self.ratio]];
            return Transfer { through, series, shunt: [[0.0; 3]; 3] };
        }
        let still = Push::default();
        let mut transfer = Transfer { through: [[0.0; 3]; 3], series: [[0.0; 3]; 3], shunt: [[0.0; 3]; 3] };
        for column in 0..3 {
            let mut unit = [0.0; 3];
            unit[column] = 1.0;
            let from_effort = self.pass(unit, [0.0; 3], &still);
            let from_response = self.pass([0.0; 3], unit, &still);
            for row in 0..3 {
                transfer.through[row][column] = from_effort.effort[row];
                transfer.shunt[row][column] = from_effort.sent[row];
                transfer.series[row][column] = from_response.effort[row];
            }
        }
        transfer
    }

    /// The line's right-hand side.
    pub(super) fn load(&self, push: &Push) -> Load {
        if self.current.is_none() {
            return Load { effort: push.effort, ..Load::default() };
        }
        let passed = self.pass([0.0; 3], [0.0; 3], push);
        Load { own: [0.0; 3], effort: passed.effort, response: passed.sent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::solve::matrix::{add, times, transpose};

    #[test]
    fn a_line_with_losses_is_reciprocal() {
        let curve = [[3.0, 0.5, -0.2], [0.5, 2.0, -0.1], [-0.2, -0.1, 0.7]];
        let current = Some(Current { along: [0.6, 0.2, -0.1], weight: 5.0 });
        let element = Element { impedance: [0.1, 0.2], ratio: 1.1, curve, current };
        let transfer = element.transfer();
        let (effort, received) = ([0.3, -0.2, 0.9], [1.0, 0.4, -0.5]);
        let passed = element.pass(effort, received, &Push::default());
        // The response is passed by the transpose of what passes the effort.
        let sent = add(times(&transpose(&transfer.through), received), times(&transfer.shunt, effort));
        for (found, expected) in passed.sent.iter().zip(sent) {
            assert!((found - expected).abs() < 1e-12, "{passed:?} {sent:?}");
        }
        for row in 0..3 {
            for column in 0..3 {
                assert!((transfer.series[row][column] - transfer.series[column][row]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn a_current_held_to_its_flow_follows_it() {
        let current = Some(Current { along: [0.6, 0.2, -0.1], weight: 1e12 });
        let element = Element { impedance: [0.1, 0.2], ratio: 1.0, curve: [[0.0; 3]; 3], current };
        let passed = element.pass([0.0, 0.0, 0.3], [1.0, 0.5, 0.0], &Push::default());
        let [p, q, _] = passed.sent;
        assert!((passed.current - (0.6 * p + 0.2 * q - 0.1 * 0.3)).abs() < 1e-9);
        assert!((p - 1.0 - 0.1 * passed.current).abs() < 1e-12);
    }
}
