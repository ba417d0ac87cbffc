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

/// The ladder of one storage order at the present mobilities, by interval.
pub struct Ladder {
    /// Conductance to ground of each node.
    ground: Vec<f64>,
    /// Conductance that each node sees to its left.
    left: Vec<f64>,
    /// One by the conductance that meets at each node, all but that from its right.
    pivot: Vec<f64>,
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
    pub fn ladder(&self, mobility: &[f64]) -> Ladder {
        let [charge, discharge, energy] = self.columns(mobility);
        let (e, f) = (self.charge_efficiency, self.discharge_factor);
        let ground: Vec<f64> = charge.iter().zip(discharge).map(|(c, d)| e * e * c + f * f * d).collect();
        let (mut left, mut pivot) = (vec![0.0; ground.len()], vec![0.0; ground.len()]);
        for i in 0..ground.len() {
            if i > 0 {
                left[i] = series(energy[i - 1], ground[i - 1] + left[i - 1]);
            }
            let all = ground[i] + energy[i] + left[i];
            pivot[i] = if all > 0.0 { 1.0 / all } else { 0.0 };
        }
        Ladder { ground, left, pivot }
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

impl Ladder {
    /// Adds to a row-major square of intervals, at and below its diagonal, by how much net power falls
    /// in one interval when the price rises in another.
    pub fn add_response(&self, block: &StorageBlock, mobility: &[f64], response: &mut [f64]) {
        let t = self.ground.len();
        let [charge, discharge, energy] = block.columns(mobility);
        let (e, f) = (block.charge_efficiency, block.discharge_factor);
        // How much power a unit of stored value calls for.
        let coupling: Vec<f64> = charge.iter().zip(discharge).map(|(c, d)| e * c + f * d).collect();
        let fall: Vec<f64> = energy.iter().zip(&self.pivot).map(|(energy, pivot)| energy * pivot).collect();
        let mut right = energy[t - 1];
        for j in (0..t).rev() {
            let (ground, ends) = (self.ground[j], self.left[j] + right);
            let all = ground + ends;
            if ground > 0.0 {
                let row = &mut response[j * t..(j + 1) * t];
                let both = charge[j] * discharge[j] / ground * (e - f) * (e - f);
                row[j] += both + coupling[j] * (coupling[j] / ground) * (ends / all);
                let mut worth = coupling[j] / all;
                for i in (0..j).rev() {
                    worth *= fall[i];
                    row[i] -= worth * coupling[i];
                }
            }
            if j > 0 {
                right = series(energy[j - 1], ground + right);
            }
        }
    }

    /// The step of a block's variables and of its stored values at a step of the prices, given what pulls
    /// its variables and what its energies lack. The variables' part goes into `step`, a column of all.
    pub fn step(&self, block: &StorageBlock, mobility: &[f64], given: &Given, step: &mut [f64]) -> Vec<f64> {
        let t = self.ground.len();
        let (e, f) = (block.charge_efficiency, block.discharge_factor);
        let [charge, discharge, energy] = block.columns(mobility);
        let [charge_pull, discharge_pull, energy_pull] = block.columns(given.pull);
        let mut values = vec![0.0; t];
        let (mut carried, mut before) = (0.0, 0.0);
        for i in 0..t {
            let price = given.prices[i];
            let own =
                f * discharge[i] * (discharge_pull[i] + price) - e * charge[i] * (charge_pull[i] - price);
            let after = energy[i] * energy_pull[i];
            values[i] = own + after - before - given.lacking[i] + carried;
            carried = values[i] * energy[i] * self.pivot[i];
            before = after;
        }
        let mut next = 0.0;
        for i in (0..t).rev() {
            values[i] = (values[i] + energy[i] * next) * self.pivot[i];
            next = values[i];
        }
        let own = &mut step[block.first..block.first + 3 * t];
        let (own_charge, own) = own.split_at_mut(t);
        let (own_discharge, own_energy) = own.split_at_mut(t);
        for i in 0..t {
            let price = given.prices[i];
            own_charge[i] = charge[i] * (charge_pull[i] - price + e * values[i]);
            own_discharge[i] = discharge[i] * (discharge_pull[i] + price - f * values[i]);
            let after = values.get(i + 1).copied().unwrap_or(0.0);
            own_energy[i] = energy[i] * (energy_pull[i] - values[i] + after);
        }
        values
    }
}

/// What a block's step follows from.
pub struct Given<'a> {
    /// Step of the prices at its place.
    pub prices: &'a [f64],
    /// What pulls all variables.
    pub pull: &'a [f64],
    /// What its energies lack.
    pub lacking: &'a [f64],
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the grid sees of a step.
    fn net(block: &StorageBlock, step: &[f64]) -> Vec<f64> {
        let [charge, discharge, _] = block.columns(step);
        charge.iter().zip(discharge).map(|(c, d)| c - d).collect()
    }

    #[test]
    fn the_response_is_what_a_step_does_however_unlike_mobilities_are() {
        let t = 6;
        let block = StorageBlock {
            place: 0,
            first: 1,
            charge_efficiency: 0.9,
            discharge_factor: 1.0 / 0.8,
            energy_start: 0.0,
            energy_min: vec![0.0; t],
            values: vec![0.0; t],
        };
        let mobility: Vec<f64> = (0..=3 * t).map(|i| 10f64.powi((i * 7 % 11) as i32 - 5)).collect();
        let ladder = block.ladder(&mobility);
        let mut response = vec![0.0; t * t];
        ladder.add_response(&block, &mobility, &mut response);
        for j in 0..t {
            let mut prices = vec![0.0; t];
            prices[j] = 1.0;
            let given = Given { prices: &prices, pull: &vec![0.0; 3 * t + 1], lacking: &vec![0.0; t] };
            let mut step = vec![0.0; 3 * t + 1];
            ladder.step(&block, &mobility, &given, &mut step);
            for (i, moved) in net(&block, &step).into_iter().enumerate() {
                let expected = -response[i.max(j) * t + i.min(j)];
                // The step itself takes differences of mobilities up to 1e5.
                assert!((moved - expected).abs() < 1e-9, "{i} by {j}: {moved}, not {expected}");
            }
        }
    }

    #[test]
    fn a_step_fills_what_energies_lack() {
        let (t, mobility) = (3, vec![0.7; 9]);
        let block = StorageBlock {
            place: 0,
            first: 0,
            charge_efficiency: 0.9,
            discharge_factor: 1.25,
            energy_start: 0.0,
            energy_min: vec![0.0; t],
            values: vec![0.0; t],
        };
        let lacking = [0.3, -0.2, 0.5];
        let given = Given { prices: &[1.0, -2.0, 0.5], pull: &[0.4; 9], lacking: &lacking };
        let mut step = vec![0.0; 9];
        block.ladder(&mobility).step(&block, &mobility, &given, &mut step);
        let [charge, discharge, energy] = block.columns(&step);
        for i in 0..t {
            let before = if i > 0 { energy[i - 1] } else { 0.0 };
            let filled = energy[i] - before - 0.9 * charge[i] + 1.25 * discharge[i];
            assert!((filled - lacking[i]).abs() < 1e-12, "{i}: {filled}");
        }
    }
}
