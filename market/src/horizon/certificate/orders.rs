//! Storage and deferrable orders of a certificate: whether each keeps its limits, follows from its own
//! figures, and does what its prices would have it do.

use super::{product, CertificateError, Sums, Tolerance, Whose};
use crate::horizon::clearing::{BoundDuals, HorizonClearing};
use crate::horizon::problem::HorizonProblem;

/// From EUR/MWh times kWh to EUR.
const MILLI: f64 = 1e3;

/// A variable's figure, bounds and multipliers.
struct Bounded {
    what: &'static str,
    figure: f64,
    bounds: (f64, f64),
    duals: BoundDuals,
    /// What the multipliers must make: that of the least less that of the most.
    reduced_cost: f64,
}

impl Bounded {
    /// Checks it; what its multipliers amount to where its bounds do not bind.
    fn check(&self, whose: Whose, tolerance: f64, price: f64) -> Result<f64, CertificateError> {
        whose.within(self.what, self.figure, self.bounds, tolerance)?;
        whose.multiplier("multiplier of a least", self.duals.min)?;
        whose.multiplier("multiplier of a most", self.duals.max)?;
        whose.equal("reduced cost", self.duals.min - self.duals.max, self.reduced_cost, price)?;
        let (least, most) = self.bounds;
        Ok(product(self.figure - least, self.duals.min) + product(most - self.figure, self.duals.max))
    }
}

/// Checks a storage order and adds its wear and what it forgoes.
pub fn check_storage(
    problem: &HorizonProblem,
    clearing: &HorizonClearing,
    index: usize,
    tolerance: &Tolerance,
    sums: &mut Sums,
) -> Result<(), CertificateError> {
    let (order, schedule) = (&problem.storages[index], &clearing.storages[index]);
    let (hours, wear) = (problem.interval_hours, order.wear_eur_per_mwh);
    let last = problem.intervals() - 1;
    let mut before = order.energy_start_kwh;
    for interval in 0..=last {
        let whose = Whose { index, interval };
        let (charge, discharge) = (schedule.charge_kw[interval], schedule.discharge_kw[interval]);
        let energy = schedule.energy_kwh[interval];
        let stored = order.charge_efficiency * charge - discharge / order.discharge_efficiency;
        whose.equal("energy", energy, before + hours * stored, tolerance.energy_kwh)?;
        before = energy;
        let price = clearing.intervals[interval].prices[order.place];
        let value = schedule.stored_values[interval];
        let later = if interval < last { schedule.stored_values[interval + 1] } else { 0.0 };
        let charging = Bounded {
            what: "charging power",
            figure: charge,
            bounds: (0.0, order.charge_max_kw),
            duals: schedule.charge_duals[interval],
            reduced_cost: wear + price - order.charge_efficiency * value,
        };
        let discharging = Bounded {
            what: "discharging power",
            figure: discharge,
            bounds: (0.0, order.discharge_max_kw),
            duals: schedule.discharge_duals[interval],
            reduced_cost: wear + value / order.discharge_efficiency - price,
        };
        let ends_higher = interval == last && order.energy_end_min_kwh > order.energy_min_kwh;
        let least = if ends_higher { order.energy_end_min_kwh } else { order.energy_min_kwh };
        let stored = Bounded {
            what: "energy",
            figure: energy,
            bounds: (least, order.energy_max_kwh),
            duals: schedule.energy_duals[interval],
            reduced_cost: value - later,
        };
        let powers = charging.check(whose, tolerance.power_kw, tolerance.price)?
            + discharging.check(whose, tolerance.power_kw, tolerance.price)?;
        let energies = stored.check(whose, tolerance.energy_kwh, tolerance.price)?;
        sums.gap += (hours * powers + energies) / MILLI;
        let worn = hours * wear * (charge + discharge) / MILLI;
        sums.turnover += worn;
        sums.cost += worn;
    }
    Ok(())
}

/// Checks a deferrable order and adds what it forgoes.
pub fn check_deferrable(
    problem: &HorizonProblem,
    clearing: &HorizonClearing,
    index: usize,
    tolerance: &Tolerance,
    sums: &mut Sums,
) -> Result<(), CertificateError> {
    let (order, schedule) = (&problem.deferrables[index], &clearing.deferrables[index]);
    let hours = problem.interval_hours;
    let mut energy = 0.0;
    for interval in 0..problem.intervals() {
        let whose = Whose { index, interval };
        let inside = order.start <= interval && interval < order.end;
        let price = clearing.intervals[interval].prices[order.place];
        let deferred = Bounded {
            what: "deferred power",
            figure: schedule.power_kw[interval],
            bounds: (0.0, if inside { order.power_max_kw } else { 0.0 }),
            duals: schedule.power_duals[interval],
            reduced_cost: if inside { price - schedule.energy_value } else { 0.0 },
        };
        sums.gap += hours * deferred.check(whose, tolerance.power_kw, tolerance.price)? / MILLI;
        energy += hours * schedule.power_kw[interval];
    }
    let whole = Whose { index, interval: problem.intervals() };
    if order.start == order.end {
        whole.equal("value of deferred energy", schedule.energy_value, 0.0, tolerance.price)?;
    }
    whole.equal("deferred energy", energy, order.energy_kwh, tolerance.energy_kwh)
}
