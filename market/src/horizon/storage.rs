//! A storage order inside a Newton step. Its energies and their dynamics are eliminated: what is left is
//! how its net power answers the prices of all intervals, and what it does at given ones.
//!
//! The stored values `s` (multipliers of the dynamics) obey a tridiagonal system, that of a ladder of
//! resistors: each interval's node is tied to ground by `W`, the mobility of its powers, and to the next
//! interval's by `E`, the mobility of the energy between. Conductances seen along the ladder only add and
//! divide positive figures, so the response keeps its relative accuracy however unlike they are; the
//! difference of large figures that block elimination would take never occurs.

use super::boxes::Boxes;

/// A storage order, scaled. Energies are divided by an interval's length, so they are powers.
#[derive(Clone, Debug)]
pub struct StorageBlock {
    pub place: usize,
    /// First of its variables: charging powers, discharging powers, energies above the least.
    pub first: usize,
    pub charge_efficiency: f64,
    /// Inverse of the discharging efficiency.
    pub discharge_factor: f64,
    pub energy_start: f64,
    /// Least energy at each interval's end.
    pub energy_min: Vec<f64>,
    /// Worth of energy in store at each interval's end.
    pub values: Vec<f64>,
}

/// The ladder of one storage order at the present mobilities.
pub struct Ladder<'a> {
    block: &'a StorageBlock,
    charge: &'a [f64],
    discharge: &'a [f64],
    energy: &'a [f64],
    /// Conductance to ground of each node.
    ground: Vec<f64>,
    /// Conductance that each node sees to its left.
    left: Vec<f64>,
}

impl StorageBlock {
    fn intervals(&self) -> usize {
        self.energy_min.len()
    }

    /// Charging powers, discharging powers and energies of a column of all variables.
    pub fn columns<'a>(&self, column: &'a [f64]) -> [&'a [f64]; 3] {
        let (t, at) = (self.intervals(), self.first);
        [&column[at..at + t], &column[at + t..at + 2 * t], &column[at + 2 * t..at + 3 * t]]
    }

    /// Adds the gradient by its variables: prices of power and stored values.
    pub fn add_gradient(&self, prices: &[f64], gradient: &mut [f64]) {
        let t = self.intervals();
        let own = &mut gradient[self.first..self.first + 3 * t];
        for i in 0..t {
            own[i] += prices[i] - self.charge_efficiency * self.values[i];
            own[t + i] += self.discharge_factor * self.values[i] - prices[i];
            own[2 * t + i] += self.values[i] - self.values.get(i + 1).copied().unwrap_or(0.0);
        }
    }

    /// By how much each interval's energy lacks what the powers say it should be.
    pub fn shortfall(&self, boxes: &Boxes) -> Vec<f64> {
        let [charge, discharge, energy] = self.columns(&boxes.value);
        let mut before = self.energy_start;
        let mut lacking = Vec::with_capacity(self.intervals());
        for i in 0..self.intervals() {
            let now = self.energy_min[i] + energy[i];
            let stored = self.charge_efficiency * charge[i] - self.discharge_factor * discharge[i];
            lacking.push(stored - (now - before));
            before = now;
        }
        lacking
    }

    /// The ladder at these mobilities of all variables.
    pub fn ladder<'a>(&'a self, mobility: &'a [f64]) -> Ladder<'a> {
        let [charge, discharge, energy] = self.columns(mobility);
        let (e, f) = (self.charge_efficiency, self.discharge_factor);
        let ground: Vec<f64> = charge.iter().zip(discharge).map(|(c, d)| e * e * c + f * f * d).collect();
        let mut left = vec![0.0; ground.len()];
        for i in 1..ground.len() {
            left[i] = series(energy[i - 1], ground[i - 1] + left[i - 1]);
        }
        Ladder { block: self, charge, discharge, energy, ground, left }
    }
}

/// Conductance of two in series.
fn series(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 {
        0.0
    } else {
        a / (1.0 + a / b)
    }
}

impl Ladder<'_> {
    /// Conductance that meets at a node, all but that from its right.
    fn pivot(&self, i: usize) -> f64 {
        self.ground[i] + self.energy[i] + self.left[i]
    }

    /// How much power a unit of stored value calls for.
    fn coupling(&self, i: usize) -> f64 {
        self.block.charge_efficiency * self.charge[i] + self.block.discharge_factor * self.discharge[i]
    }

    /// Adds to a row-major square of intervals, at and below its diagonal, by how much net power falls
    /// in one interval when the price rises in another.
    pub fn add_response(&self, response: &mut [f64]) {
        let t = self.ground.len();
        let coupling: Vec<f64> = (0..t).map(|i| self.coupling(i)).collect();
        let fall: Vec<f64> = (0..t).map(|i| self.energy[i] / self.pivot(i)).collect();
        let apart = self.block.charge_efficiency - self.block.discharge_factor;
        let mut right = self.energy[t - 1];
        for j in (0..t).rev() {
            let (ground, ends) = (self.ground[j], self.left[j] + right);
            let all = ground + ends;
            if all > 0.0 && ground > 0.0 {
                let row = &mut response[j * t..(j + 1) * t];
                let both = self.charge[j] * self.discharge[j] / ground * apart * apart;
                row[j] += both + coupling[j] * (coupling[j] / ground) * (ends / all);
                let mut worth = coupling[j] / all;
                for i in (0..j).rev() {
                    worth *= fall[i];
                    row[i] -= worth * coupling[i];
                }
            }
            if j > 0 {
                right = series(self.energy[j - 1], all - self.left[j]);
            }
        }
    }

    /// The step of its variables and of its stored values at a step of the prices, given what pulls its
    /// variables and what its energies lack. The variables' part goes into `step`, a column of all.
    pub fn step(&self, prices: &[f64], pull: &[f64], lacking: &[f64], step: &mut [f64]) -> Vec<f64> {
        let (block, t) = (self.block, self.ground.len());
        let (e, f) = (block.charge_efficiency, block.discharge_factor);
        let [charge, discharge, energy] = block.columns(pull);
        let mut values = vec![0.0; t];
        let mut carried = 0.0;
        for i in 0..t {
            let own = f * self.discharge[i] * (discharge[i] + prices[i])
                - e * self.charge[i] * (charge[i] - prices[i]);
            let before = if i > 0 { self.energy[i - 1] * energy[i - 1] } else { 0.0 };
            values[i] = own + self.energy[i] * energy[i] - before - lacking[i] + carried;
            carried = values[i] * self.energy[i] / self.pivot(i);
        }
        let mut next = 0.0;
        for i in (0..t).rev() {
            values[i] = (values[i] + self.energy[i] * next) / self.pivot(i);
            next = values[i];
        }
        let own = &mut step[block.first..block.first + 3 * t];
        for i in 0..t {
            own[i] = self.charge[i] * (charge[i] - prices[i] + e * values[i]);
            own[t + i] = self.discharge[i] * (discharge[i] + prices[i] - f * values[i]);
            let after = values.get(i + 1).copied().unwrap_or(0.0);
            own[2 * t + i] = self.energy[i] * (energy[i] - values[i] + after);
        }
        values
    }
}
