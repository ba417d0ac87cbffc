//! AC power flow on a radial feeder: what really flows, and at what voltage, once everyone takes
//! what was allocated. Balanced three phases, constant power at every bus.
//!
//! Backward-forward sweep: currents are added up from the leaves, then voltages taken down from the
//! root, until they no longer change (Shirmohammadi et al., IEEE Trans. Power Systems 3(2), 1988).
//! Voltages are in p.u. and powers in kVA, so that currents are kVA per p.u. and the three phases'
//! factors cancel.
//!
//! In floating point; nobody's payment depends on it.

use crate::feeder::{Feeder, Tree};
use crate::grid::problem::{Branch, Losses, Network, VoltageBand};
use crate::grid::solution::BranchFlow;
use crate::units::Milliwatt;
use std::ops::{Add, Mul, Sub};
use thiserror::Error;

/// Most sweeps before the flow counts as having none.
pub const MAX_SWEEPS: usize = 200;

/// Largest change of any voltage, in p.u., at which the flow counts as found.
const TOLERANCE_PU: f64 = 1e-12;

/// What a bus takes; negative where it delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Real power.
    pub power: Milliwatt,
    /// Reactive power in millivar; positive where it is absorbed.
    pub reactive_millivar: i64,
}

/// What a bus takes in kW and kvar; negative where it delivers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlaceLoad {
    /// Real power.
    pub power_kw: f64,
    /// Reactive power; positive where it is absorbed.
    pub reactive_kvar: f64,
}

/// A power flow of a network by place.
#[derive(Clone, Debug, PartialEq)]
pub struct RadialFlow {
    /// Magnitude of the voltage in p.u.
    pub voltage_pu: Vec<f64>,
    /// What flows on the line that feeds each place, at its sending end; the root's is zero.
    pub flows: Vec<BranchFlow>,
    /// Real power from the grid supply point, losses included, in kW.
    pub import_kw: f64,
    /// Reactive power from the grid supply point, in kvar.
    pub import_kvar: f64,
    /// Real power lost, in kW.
    pub loss_kw: f64,
}

/// What flows on one line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LineFlow {
    /// Real power into the line at its parent bus, in kW.
    pub power_kw: f64,
    /// Reactive power into the line at its parent bus, in kvar.
    pub reactive_kvar: f64,
    /// Apparent power at the end where it is larger, in kVA.
    pub apparent_kva: f64,
    /// That as a part of the line's rating; none where it has none.
    pub loading: Option<f64>,
    /// Real power lost on the line, in kW.
    pub loss_kw: f64,
}

/// A power flow.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerFlow {
    /// Magnitude of the voltage at each bus in p.u., in the feeder's order.
    pub voltages_pu: Vec<f64>,
    /// Flows by line, in the feeder's order.
    pub lines: Vec<LineFlow>,
    /// Real power from the grid supply point, losses included, in kW.
    pub import_kw: f64,
    /// Reactive power from the grid supply point, in kvar.
    pub import_kvar: f64,
    /// Real power lost, in kW.
    pub loss_kw: f64,
}

/// Why there is no power flow.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum PowerFlowError {
    /// Not one load for each bus.
    #[error("{loads} loads for {buses} buses")]
    Shape {
        /// Loads given.
        loads: usize,
        /// Buses there are.
        buses: usize,
    },
    /// The feeder's or the source's voltage is not more than zero.
    #[error("a voltage of {voltage_pu} p.u. of {voltage_millivolt} mV feeds nothing")]
    Source {
        /// The source's voltage.
        voltage_pu: f64,
        /// The feeder's.
        voltage_millivolt: u64,
    },
    /// The square of the root's voltage is not more than zero.
    #[error("a squared voltage of {voltage_square_pu} p.u. at the root feeds nothing")]
    Root {
        /// It.
        voltage_square_pu: f64,
    },
    /// Voltages still changed after the last sweep: the feeder can't carry the load.
    #[error("no power flow after {MAX_SWEEPS} sweeps: the last changed voltages by {change_pu} p.u.")]
    Diverged {
        /// The largest change.
        change_pu: f64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Complex {
    re: f64,
    im: f64,
}

impl Complex {
    fn scaled(self, by: f64) -> Self {
        Self { re: self.re * by, im: self.im * by }
    }
    fn conjugate(self) -> Self {
        Self { re: self.re, im: -self.im }
    }
    fn magnitude(self) -> f64 {
        self.re.hypot(self.im)
    }
    /// `self / other`
    fn over(self, other: Self) -> Self {
        let square = other.re * other.re + other.im * other.im;
        let product = self * other.conjugate();
        Self { re: product.re / square, im: product.im / square }
    }
}

impl Add for Complex {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Sub for Complex {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

impl Mul for Complex {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let re = self.re * other.re - self.im * other.im;
        Self { re, im: self.re * other.im + self.im * other.re }
    }
}

/// Solves the power flow of `loads`, by bus in the feeder's order, with `source_pu` times the feeder's
/// voltage at the root.
///
/// # Errors
/// See [`PowerFlowError`].
pub fn solve(
    feeder: &Feeder,
    tree: &Tree,
    source_pu: f64,
    loads: &[Load],
) -> Result<PowerFlow, PowerFlowError> {
    let buses = tree.order.len();
    if loads.len() != buses {
        return Err(PowerFlowError::Shape { loads: loads.len(), buses });
    }
    let voltage_millivolt = feeder.voltage_millivolt;
    if voltage_millivolt == 0 || !(source_pu > 0.0 && source_pu.is_finite()) {
        return Err(PowerFlowError::Source { voltage_pu: source_pu, voltage_millivolt });
    }
    let network = network(feeder, tree, source_pu);
    let load = |bus: &usize| PlaceLoad {
        power_kw: loads[*bus].power.kw(),
        reactive_kvar: loads[*bus].reactive_millivar as f64 / 1e6,
    };
    let found = solve_network(&network, &tree.order.iter().map(load).collect::<Vec<_>>())?;
    Ok(by_name(feeder, tree, found))
}

/// A feeder's impedances as a network without limits.
fn network(feeder: &Feeder, tree: &Tree, source_pu: f64) -> Network {
    let nominal_kv = feeder.voltage_millivolt as f64 / 1e6;
    let per_kva = |microohm: u64| microohm as f64 / 1e6 / (nominal_kv * nominal_kv * 1e3);
    let branch = |line: &usize| {
        let line = feeder.lines.get(*line);
        Branch {
            resistance_pu_per_kva: line.map_or(0.0, |line| per_kva(line.resistance_microohm)),
            reactance_pu_per_kva: line.map_or(0.0, |line| per_kva(line.reactance_microohm)),
            ratio_square: 1.0,
            power_min_kw: f64::NEG_INFINITY,
            power_max_kw: f64::INFINITY,
            apparent_max_kva: f64::INFINITY,
        }
    };
    let free = VoltageBand { min_square_pu: f64::NEG_INFINITY, max_square_pu: f64::INFINITY };
    Network {
        parent: tree.parent.clone(),
        branches: tree.line.iter().map(branch).collect(),
        bands: vec![free; tree.order.len()],
        root_voltage_square_pu: source_pu * source_pu,
        losses: Losses::Neglected,
    }
}

/// Solves the power flow of `loads`, by place; the network's limits are not read.
///
/// # Errors
/// See [`PowerFlowError`].
pub fn solve_network(network: &Network, loads: &[PlaceLoad]) -> Result<RadialFlow, PowerFlowError> {
    let places = network.parent.len();
    if loads.len() != places || network.branches.len() != places || places == 0 {
        return Err(PowerFlowError::Shape { loads: loads.len(), buses: places });
    }
    let voltage_square_pu = network.root_voltage_square_pu;
    if !(voltage_square_pu > 0.0 && voltage_square_pu.is_finite()) {
        return Err(PowerFlowError::Root { voltage_square_pu });
    }
    let mut volts = no_load(network);
    let mut change_pu = f64::INFINITY;
    for _ in 0..MAX_SWEEPS {
        let currents = backward(network, loads, &volts);
        change_pu = forward(network, &currents, &mut volts);
        if change_pu <= TOLERANCE_PU {
            return Ok(report(network, &volts, &backward(network, loads, &volts)));
        }
        if !change_pu.is_finite() {
            break;
        }
    }
    Err(PowerFlowError::Diverged { change_pu })
}

/// Voltages where nothing flows.
fn no_load(network: &Network) -> Vec<Complex> {
    let mut volts = vec![Complex { re: network.root_voltage_square_pu.sqrt(), im: 0.0 }];
    for place in 1..network.parent.len() {
        volts.push(volts[network.parent[place]].scaled(ratio(network, place)));
    }
    volts
}

fn ratio(network: &Network, place: usize) -> f64 {
    network.branches[place].ratio_square.sqrt()
}

/// Currents through each line, on its child's side; the root's is what the source delivers.
fn backward(network: &Network, loads: &[PlaceLoad], volts: &[Complex]) -> Vec<Complex> {
    let drawn = |(load, volt): (&PlaceLoad, &Complex)| {
        Complex { re: load.power_kw, im: load.reactive_kvar }.over(*volt).conjugate()
    };
    let mut currents: Vec<Complex> = loads.iter().zip(volts).map(drawn).collect();
    for place in (1..currents.len()).rev() {
        let parent = network.parent[place];
        currents[parent] = currents[parent] + currents[place].scaled(ratio(network, place));
    }
    currents
}

/// Voltages from the root down. Gives the largest change.
fn forward(network: &Network, currents: &[Complex], volts: &mut [Complex]) -> f64 {
    let mut change = 0f64;
    for place in 1..volts.len() {
        let branch = &network.branches[place];
        let impedance = Complex { re: branch.resistance_pu_per_kva, im: branch.reactance_pu_per_kva };
        let sent = volts[network.parent[place]].scaled(ratio(network, place));
        let volt = sent - impedance * currents[place];
        let moved = (volt - volts[place]).magnitude();
        // A NaN must not be lost in a maximum.
        change = if moved.is_nan() { f64::INFINITY } else { change.max(moved) };
        volts[place] = volt;
    }
    change
}

fn report(network: &Network, volts: &[Complex], currents: &[Complex]) -> RadialFlow {
    let mut flows = vec![BranchFlow::default(); volts.len()];
    for place in 1..volts.len() {
        let current = currents[place];
        let sent = volts[network.parent[place]].scaled(ratio(network, place)) * current.conjugate();
        let received = volts[place] * current.conjugate();
        flows[place] = BranchFlow {
            power_kw: sent.re,
            reactive_kvar: sent.im,
            loss_kw: sent.re - received.re,
            loss_kvar: sent.im - received.im,
        };
    }
    let import = volts[0] * currents[0].conjugate();
    RadialFlow {
        voltage_pu: volts.iter().map(|volt| volt.magnitude()).collect(),
        loss_kw: flows.iter().map(|flow| flow.loss_kw).sum(),
        flows,
        import_kw: import.re,
        import_kvar: import.im,
    }
}

fn by_name(feeder: &Feeder, tree: &Tree, found: RadialFlow) -> PowerFlow {
    let mut lines = vec![LineFlow::default(); feeder.lines.len()];
    for (place, flow) in found.flows.iter().enumerate().skip(1) {
        let line = tree.line[place];
        let sent = flow.power_kw.hypot(flow.reactive_kvar);
        let received = (flow.power_kw - flow.loss_kw).hypot(flow.reactive_kvar - flow.loss_kvar);
        let apparent_kva = sent.max(received);
        let rating = feeder.lines[line].rating_millivoltampere.map(|rating| rating as f64 / 1e6);
        lines[line] = LineFlow {
            power_kw: flow.power_kw,
            reactive_kvar: flow.reactive_kvar,
            apparent_kva,
            loading: rating.map(|rating| apparent_kva / rating),
            loss_kw: flow.loss_kw,
        };
    }
    PowerFlow {
        voltages_pu: tree.place.iter().map(|place| found.voltage_pu[*place]).collect(),
        lines,
        import_kw: found.import_kw,
        import_kvar: found.import_kvar,
        loss_kw: found.loss_kw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feeder::Line;

    /// One line of 1 + j2 ohm at 400 V, rated 10 kVA.
    fn feeder() -> Feeder {
        Feeder {
            voltage_millivolt: 400_000,
            root: "a".into(),
            buses: vec!["b".into(), "a".into()],
            lines: vec![Line {
                id: "l".into(),
                from: "a".into(),
                to: "b".into(),
                power_max: None,
                power_min: None,
                resistance_microohm: 1_000_000,
                reactance_microohm: 2_000_000,
                rating_millivoltampere: Some(10_000_000),
            }],
        }
    }

    fn flow(power_kw: f64, source_pu: f64) -> Result<PowerFlow, PowerFlowError> {
        let feeder = feeder();
        let load = Load { power: Milliwatt::from_kw(power_kw).unwrap(), reactive_millivar: 0 };
        solve(&feeder, &feeder.tree().unwrap(), source_pu, &[load, Load::default()])
    }

    #[test]
    fn one_line_is_as_worked_by_hand() {
        // V^2 is the larger root of x^2 - (U^2 - 2 P R) x + P^2 |Z|^2 = 0.
        let (u2, p, r, z2) = (400f64.powi(2), 5_000.0, 1.0, 5.0);
        let b = u2 - 2.0 * p * r;
        let v2 = (b + (b * b - 4.0 * p * p * z2).sqrt()) / 2.0;
        let got = flow(5.0, 1.0).unwrap();
        assert!((got.voltages_pu[0] - v2.sqrt() / 400.0).abs() < 1e-9);
        assert!((got.loss_kw - p * p / v2 / 1e3).abs() < 1e-9);
        assert!((got.import_kw - 5.0 - got.loss_kw).abs() < 1e-9);
        assert!((got.lines[0].loading.unwrap() - got.lines[0].apparent_kva / 10.0).abs() < 1e-12);
        assert!((got.voltages_pu[1] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_no_line_can_carry_has_no_flow() {
        assert!(matches!(flow(100.0, 1.0), Err(PowerFlowError::Diverged { .. })));
        assert!(matches!(flow(1e8, 1.0), Err(PowerFlowError::Diverged { .. })));
    }

    #[test]
    fn a_source_without_voltage_is_refused() {
        for source in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(flow(1.0, source), Err(PowerFlowError::Source { .. })));
        }
        let feeder = feeder();
        let shape = solve(&feeder, &feeder.tree().unwrap(), 1.0, &[]);
        assert_eq!(shape, Err(PowerFlowError::Shape { loads: 0, buses: 2 }));
    }

    #[test]
    fn a_transformer_off_its_middle_tap_lifts_the_voltage_and_loses_nothing_itself() {
        let feeder = feeder();
        let mut network = network(&feeder, &feeder.tree().unwrap(), 1.0);
        network.branches[1].ratio_square = 1.05 * 1.05;
        let loads = [PlaceLoad::default(), PlaceLoad { power_kw: 5.0, reactive_kvar: 0.0 }];
        let tapped = solve_network(&network, &loads).unwrap();
        // The same as a source of 1.05 p.u. without a transformer.
        let lifted = flow(5.0, 1.05).unwrap();
        assert!((tapped.voltage_pu[1] - lifted.voltages_pu[0]).abs() < 1e-9);
        assert!((tapped.import_kw - lifted.import_kw).abs() < 1e-9);
    }
}
