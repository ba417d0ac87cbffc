//! Whether an order's schedule is feasible, and at its bus's prices nothing else would gain.
//!
//! With `v` what stored energy is worth at an interval's end, `w` the wear and `p` the price, charging has the
//! reduced cost `w + p - charge_efficiency v`, discharging `w + v / discharge_efficiency - p`, and the energy
//! left `v - v_next`. What costs is at its least, what gains at its most; only what neither costs nor
//! gains may lie between. A deferred watt-hour has the reduced cost `p - v`.
//!
//! In integers throughout: power to a watt or a millionth of its most, energy to a watt-hour or a millionth
//! of its largest limit, prices to the tolerance of the terms, and energy's worth stays exactly the same from
//! one interval to the next where the store is neither empty nor full.

use super::OrderRefused;
use crate::day_ahead::clearing::{DeferrableAward, StorageAward};
use crate::day_ahead::orders::{DeferrableOffer, StorageOffer, MICRO};
use crate::day_ahead::terms::DayAheadTerms;
use crate::units::{Millijoule, Milliwatt, PicoEurPerWh, MILLIJOULE_PER_WH};

/// What a power may be off by where its most is `most`.
pub(in crate::day_ahead) fn power_tolerance(terms: &DayAheadTerms, most: Milliwatt) -> Milliwatt {
    terms.grid().tolerances.power.max(Milliwatt(most.0 / 1_000_000))
}

/// What an energy may be off by, in millionths of a millijoule, where its limits are of this size.
pub(in crate::day_ahead) fn energy_tolerance_micro(size: Millijoule) -> i128 {
    i128::from(MILLIJOULE_PER_WH.max(size.0.saturating_abs() / 1_000_000)) * MICRO
}

/// Where a figure lies between its least and its most, as nearly as counts; it may be both.
#[derive(Clone, Copy)]
struct Standing {
    at_least: bool,
    at_most: bool,
}

impl Standing {
    fn of(power: Milliwatt, most: Milliwatt, tolerance: Milliwatt) -> Self {
        Self { at_least: power <= tolerance, at_most: power >= most - tolerance }
    }

    /// Whether it may stand there at a reduced cost known to a tolerance.
    fn suits(self, reduced_cost: i128, tolerance: i128) -> bool {
        (reduced_cost <= tolerance || self.at_least) && (reduced_cost >= -tolerance || self.at_most)
    }
}

fn wide(price: PicoEurPerWh) -> i128 {
    i128::from(price.0)
}

/// Checks a storage order's schedule against its bus's prices by interval.
///
/// # Errors
/// The first condition that fails.
pub fn check_storage(
    terms: &DayAheadTerms,
    order: &StorageOffer,
    award: &StorageAward,
    prices: &[PicoEurPerWh],
) -> Result<(), OrderRefused> {
    let intervals = prices.len();
    let lengths = [award.charge.len(), award.discharge.len(), award.stored_values.len()];
    if lengths.iter().any(|length| *length != intervals) {
        let reason = "its schedule has not a figure for each interval";
        return Err(OrderRefused { interval: intervals, reason });
    }
    let tolerance = wide(terms.grid().tolerances.price);
    let (charge_efficiency, discharge_efficiency) =
        (i128::from(order.charge_efficiency_ppm), i128::from(order.discharge_efficiency_ppm));
    let mut energy = i128::from(order.energy_start.0) * MICRO;
    for (interval, price) in prices.iter().enumerate() {
        let wrong = |reason| Err(OrderRefused { interval, reason });
        let (charge, discharge) = (award.charge[interval], award.discharge[interval]);
        if !(Milliwatt::ZERO..=order.charge_max).contains(&charge) {
            return wrong("it charges with less than nothing or more than its most");
        }
        if !(Milliwatt::ZERO..=order.discharge_max).contains(&discharge) {
            return wrong("it discharges with less than nothing or more than its most");
        }
        energy += order.stored_micro(charge, discharge, terms.interval_s());
        let (value, wear, price) = (wide(award.stored_values[interval]), wide(order.wear), wide(*price));
        // In millionths of a tick.
        let reduced = (wear + price) * MICRO - charge_efficiency * value;
        let standing = Standing::of(charge, order.charge_max, power_tolerance(terms, order.charge_max));
        if !standing.suits(reduced, tolerance * MICRO) {
            return wrong("it charges as its bus's price and what stored energy is worth don't ask for");
        }
        // The same, times the efficiency.
        let reduced = (wear - price) * discharge_efficiency + value * MICRO;
        let most = order.discharge_max;
        let standing = Standing::of(discharge, most, power_tolerance(terms, most));
        if !standing.suits(reduced, tolerance * discharge_efficiency) {
            return wrong("it discharges as its bus's price and what stored energy is worth don't ask for");
        }
        let (at_least, at_most) = energy_standing(order, energy, (interval, intervals))
            .map_err(|reason| OrderRefused { interval, reason })?;
        let later = award.stored_values.get(interval + 1).map_or(0, |value| wide(*value));
        if (value > later && !at_least) || (value < later && !at_most) {
            return wrong("what stored energy is worth changes, and the store is neither empty nor full");
        }
    }
    Ok(())
}

/// Whether a store is as empty, and as full, as it may be at the end of an interval of so many.
pub(in crate::day_ahead) fn energy_standing(
    order: &StorageOffer,
    energy_micro: i128,
    (interval, intervals): (usize, usize),
) -> Result<(bool, bool), &'static str> {
    let size = Millijoule(order.energy_min.0.saturating_abs().max(order.energy_max.0.saturating_abs()));
    let tolerance = energy_tolerance_micro(size);
    let floor = order.floor_micro(interval, intervals);
    let ceiling = i128::from(order.energy_max.0) * MICRO;
    if energy_micro < floor - tolerance {
        return Err("less energy is left in store than its least");
    }
    if energy_micro > ceiling + tolerance {
        return Err("more energy is in store than its most");
    }
    Ok((energy_micro <= floor + tolerance, energy_micro >= ceiling - tolerance))
}

/// Checks a deferrable order's schedule against its bus's prices by interval.
///
/// # Errors
/// The first condition that fails.
pub fn check_deferrable(
    terms: &DayAheadTerms,
    order: &DeferrableOffer,
    award: &DeferrableAward,
    prices: &[PicoEurPerWh],
) -> Result<(), OrderRefused> {
    let tolerance = wide(terms.grid().tolerances.price);
    let interval = order.end as usize;
    if order.start > order.end
        || interval > prices.len()
        || award.power.len() != (order.end - order.start) as usize
    {
        let reason = "its schedule has not a figure for each interval of its window";
        return Err(OrderRefused { interval, reason });
    }
    let mut energy = 0;
    for (power, interval) in award.power.iter().zip(order.start as usize..) {
        let wrong = |reason| Err(OrderRefused { interval, reason });
        let price = prices[interval];
        if !(Milliwatt::ZERO..=order.power_max).contains(power) {
            return wrong("it takes less than nothing or more than its most");
        }
        energy += i128::from(power.0) * i128::from(terms.interval_s()) * MICRO;
        let standing = Standing::of(*power, order.power_max, power_tolerance(terms, order.power_max));
        if !standing.suits(wide(price) - wide(award.energy_value), tolerance) {
            return wrong("it takes what its bus's price and what its energy is worth don't ask for");
        }
    }
    let off = energy - i128::from(order.energy.0) * MICRO;
    let allowed = energy_tolerance_micro(order.energy);
    if off < -allowed || off > allowed {
        return Err(OrderRefused { interval, reason: "by then it does not take its energy" });
    }
    Ok(())
}
