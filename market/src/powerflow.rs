//! AC power flow on a radial feeder: what really flows, and at what voltage, once everyone takes
//! what was allocated. Balanced three phases, constant power at every bus.
//!
//! Backward-forward sweep: currents are added up from the leaves, then voltages taken down from the
//! root, until they no longer change (Shirmohammadi et al., IEEE Trans. Power Systems 3(2), 1988).
//! With line-to-line voltages and three-phase powers the factors of the square root of three cancel.
//!
//! The one place of the market that computes in floating point; nobody's payment depends on it.

use crate::feeder::{Feeder, Tree};
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
    let nominal_volt = feeder.voltage_millivolt as f64 / 1e3;
    if !(nominal_volt > 0.0 && source_pu > 0.0 && source_pu.is_finite()) {
        let voltage_millivolt = feeder.voltage_millivolt;
        return Err(PowerFlowError::Source { voltage_pu: source_pu, voltage_millivolt });
    }
    let source = Complex { re: nominal_volt * source_pu, im: 0.0 };
    let mut volts = vec![source; buses];
    let mut change_pu = f64::INFINITY;
    for _ in 0..MAX_SWEEPS {
        let currents = backward(tree, loads, &volts);
        change_pu = forward(feeder, tree, &currents, &mut volts) / nominal_volt;
        if change_pu <= TOLERANCE_PU {
            return Ok(report(feeder, tree, nominal_volt, &volts, &backward(tree, loads, &volts)));
        }
        if !change_pu.is_finite() {
            break;
        }
    }
    Err(PowerFlowError::Diverged { change_pu })
}

/// Currents into each place and what lies below it.
fn backward(tree: &Tree, loads: &[Load], volts: &[Complex]) -> Vec<Complex> {
    let drawn = |(bus, volt): (&usize, &Complex)| {
        let load = loads[*bus];
        let watt = Complex { re: load.power.0 as f64 / 1e3, im: load.reactive_millivar as f64 / 1e3 };
        watt.over(*volt).conjugate()
    };
    let mut currents: Vec<Complex> = tree.order.iter().zip(volts).map(drawn).collect();
    for place in (1..currents.len()).rev() {
        let parent = tree.parent[place];
        currents[parent] = currents[parent] + currents[place];
    }
    currents
}

/// Voltages from the root down. Gives the largest change in volts.
fn forward(feeder: &Feeder, tree: &Tree, currents: &[Complex], volts: &mut [Complex]) -> f64 {
    let mut change = 0f64;
    for place in 1..volts.len() {
        let volt = volts[tree.parent[place]] - impedance(feeder, tree, place) * currents[place];
        let moved = (volt - volts[place]).magnitude();
        // A NaN must not be lost in a maximum.
        change = if moved.is_nan() { f64::INFINITY } else { change.max(moved) };
        volts[place] = volt;
    }
    change
}

fn impedance(feeder: &Feeder, tree: &Tree, place: usize) -> Complex {
    let line = &feeder.lines[tree.line[place]];
    Complex { re: line.resistance_microohm as f64 / 1e6, im: line.reactance_microohm as f64 / 1e6 }
}

fn report(
    feeder: &Feeder,
    tree: &Tree,
    nominal_volt: f64,
    volts: &[Complex],
    currents: &[Complex],
) -> PowerFlow {
    let mut lines = vec![LineFlow::default(); feeder.lines.len()];
    for place in 1..volts.len() {
        let line = tree.line[place];
        let current = currents[place];
        let sent = volts[tree.parent[place]] * current.conjugate();
        let received = volts[place] * current.conjugate();
        let apparent_kva = sent.magnitude().max(received.magnitude()) / 1e3;
        let rating = feeder.lines[line].rating_millivoltampere.map(|rating| rating as f64 / 1e6);
        lines[line] = LineFlow {
            power_kw: sent.re / 1e3,
            reactive_kvar: sent.im / 1e3,
            apparent_kva,
            loading: rating.map(|rating| apparent_kva / rating),
            loss_kw: (sent.re - received.re) / 1e3,
        };
    }
    let import = volts[0] * currents[0].conjugate();
    PowerFlow {
        voltages_pu: tree.place.iter().map(|place| volts[*place].magnitude() / nominal_volt).collect(),
        loss_kw: lines.iter().map(|line| line.loss_kw).sum(),
        lines,
        import_kw: import.re / 1e3,
        import_kvar: import.im / 1e3,
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
}
