//! Orders on their way into the solver, and their schedules on the way back: from integers to kilowatts and
//! from there to milliwatts, with what energy is worth such that it proves the schedule at the published
//! prices.

use super::certificate::{energy_standing, power_tolerance};
use super::clearing::{DeferrableAward, StorageAward};
use super::orders::{DeferrableOffer, Placed, StorageOffer, MICRO};
use super::terms::DayAheadTerms;
use crate::horizon::clearing::{DeferrableSchedule, StorageSchedule};
use crate::horizon::problem::{DeferrableOrder, StorageOrder};
use crate::units::{Milliwatt, PicoEurPerWh};

/// A storage order as the solver has it.
pub(super) fn storage_order(placed: &Placed<StorageOffer>) -> StorageOrder {
    let order = &placed.order;
    StorageOrder {
        place: placed.place,
        charge_max_kw: order.charge_max.kw(),
        discharge_max_kw: order.discharge_max.kw(),
        energy_min_kwh: order.energy_min.kwh(),
        energy_max_kwh: order.energy_max.kwh(),
        energy_start_kwh: order.energy_start.kwh(),
        energy_end_min_kwh: order.energy_end_min.kwh(),
        charge_efficiency: f64::from(order.charge_efficiency_ppm) / 1e6,
        discharge_efficiency: f64::from(order.discharge_efficiency_ppm) / 1e6,
        wear_eur_per_mwh: order.wear.eur_per_mwh(),
    }
}

/// A deferrable order as the solver has it.
pub(super) fn deferrable_order(placed: &Placed<DeferrableOffer>) -> DeferrableOrder {
    DeferrableOrder {
        place: placed.place,
        energy_kwh: placed.order.energy.kwh(),
        power_max_kw: placed.order.power_max.kw(),
        start: placed.order.start as usize,
        end: placed.order.end as usize,
    }
}

/// Rounds powers so that their sum up to any interval is off by a milliwatt and not by one for each.
fn rounded(powers_kw: &[f64], most: Milliwatt) -> Vec<Milliwatt> {
    let mut carried = 0.0;
    let mut next = |power_kw: &f64| {
        let wanted = power_kw * 1e6 + carried;
        let power = Milliwatt(wanted.round() as i64).clamp(Milliwatt::ZERO, most);
        carried = wanted - power.0 as f64;
        power
    };
    powers_kw.iter().map(&mut next).collect()
}

/// A storage order's powers; what energy is worth is still the solver's.
pub(super) fn storage_powers(order: &StorageOffer, solved: &StorageSchedule) -> StorageAward {
    let tick = |price: &f64| PicoEurPerWh((price * 1e6).round() as i64);
    StorageAward {
        charge: rounded(&solved.charge_kw, order.charge_max),
        discharge: rounded(&solved.discharge_kw, order.discharge_max),
        stored_values: solved.stored_values.iter().map(tick).collect(),
    }
}

/// A deferrable order's powers in its window; what energy is worth is still the solver's.
pub(super) fn deferrable_powers(order: &DeferrableOffer, solved: &DeferrableSchedule) -> DeferrableAward {
    let window = solved.power_kw.get(order.start as usize..order.end as usize).unwrap_or_default();
    DeferrableAward {
        power: rounded(window, order.power_max),
        energy_value: PicoEurPerWh((solved.energy_value * 1e6).round() as i64),
    }
}

/// What energy may be worth for a schedule to be what prices ask for: from `low` to `high`, empty where
/// nothing does. In ticks.
#[derive(Clone, Copy, Debug)]
struct Worth {
    low: i128,
    high: i128,
}

impl Worth {
    const ANY: Self = Self { low: i64::MIN as i128, high: i64::MAX as i128 };

    fn and(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }

    /// The nearest to a value; the middle where nothing does.
    fn nearest(self, value: i128) -> i128 {
        if self.low > self.high {
            return (self.low + self.high) / 2;
        }
        value.clamp(self.low, self.high)
    }
}

/// What stored energy may be worth for what a store does in an interval at a price.
fn storage_worth(
    terms: &DayAheadTerms,
    order: &StorageOffer,
    (charge, discharge): (Milliwatt, Milliwatt),
    price: PicoEurPerWh,
) -> Worth {
    let tolerance = i128::from(terms.grid().tolerances.price.0);
    let (wear, price) = (i128::from(order.wear.0), i128::from(price.0));
    let charge_efficiency = i128::from(order.charge_efficiency_ppm);
    let discharge_efficiency = i128::from(order.discharge_efficiency_ppm);
    let mut worth = Worth::ANY;
    // Rounded inward, so that the certificate's exact comparison holds.
    let ceiling = |numerator: i128, divisor: i128| -(-numerator).div_euclid(divisor);
    let off = power_tolerance(terms, order.charge_max);
    if charge > off {
        worth.low = worth.low.max(ceiling((wear + price - tolerance) * MICRO, charge_efficiency));
    }
    if charge < order.charge_max - off {
        worth.high = worth.high.min(((wear + price + tolerance) * MICRO).div_euclid(charge_efficiency));
    }
    let off = power_tolerance(terms, order.discharge_max);
    if discharge > off {
        worth.high = worth.high.min(((price - wear + tolerance) * discharge_efficiency).div_euclid(MICRO));
    }
    if discharge < order.discharge_max - off {
        worth.low = worth.low.max(ceiling((price - wear - tolerance) * discharge_efficiency, MICRO));
    }
    worth
}

/// Intervals over which stored energy is worth the same.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// Its last interval.
    last: usize,
    worth: Worth,
    /// Sum of what the solver found in each interval, and of how many.
    found: (i128, i128),
    /// Whether the store is as empty, and as full, as may be at its end.
    empty: bool,
    full: bool,
}

impl Stretch {
    fn value(&self) -> i128 {
        self.worth.nearest(self.found.0 / self.found.1.max(1))
    }

    /// Whether what energy is worth may change from this to another's at this one's end.
    fn may_change(&self, later: i128) -> bool {
        let value = self.value();
        (value <= later || self.empty) && (value >= later || self.full)
    }

    fn join(&mut self, later: &Stretch) {
        *self = Stretch {
            worth: self.worth.and(later.worth),
            found: (self.found.0 + later.found.0, self.found.1 + later.found.1),
            ..*later
        };
    }
}

/// Chooses what stored energy is worth: near what the solver found, the same as long as the store is
/// neither empty nor full, and such that it explains what the store does wherever something can.
pub(super) fn settle_storage(
    terms: &DayAheadTerms,
    order: &StorageOffer,
    award: &mut StorageAward,
    prices: &[PicoEurPerWh],
) {
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut energy = i128::from(order.energy_start.0) * MICRO;
    for (interval, price) in prices.iter().enumerate() {
        let moved = (award.charge[interval], award.discharge[interval]);
        energy += order.stored_micro(moved.0, moved.1, terms.interval_s());
        let standing = energy_standing(order, energy, (interval, prices.len()));
        let (empty, full) = standing.unwrap_or((false, false));
        let found = i128::from(award.stored_values[interval].0);
        let mut worth = storage_worth(terms, order, moved, *price);
        if interval + 1 == prices.len() {
            // Beyond the session it is worth nothing.
            let end = Worth {
                low: if full { Worth::ANY.low } else { 0 },
                high: if empty { Worth::ANY.high } else { 0 },
            };
            worth = worth.and(end);
        }
        stretches.push(Stretch { last: interval, worth, found: (found, 1), empty, full });
        // A change that may not be made joins what it lies between, and that may undo an earlier one.
        while let [.., before, after] = &mut stretches[..] {
            if before.may_change(after.value()) {
                break;
            }
            before.join(after);
            stretches.pop();
        }
    }
    let mut next = 0;
    for stretch in stretches {
        let value = stretch.value().clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        award.stored_values[next..=stretch.last].fill(PicoEurPerWh(value));
        next = stretch.last + 1;
    }
}

/// Chooses what deferred energy is worth: near what the solver found, and such that it explains what is
/// taken wherever something can.
pub(super) fn settle_deferrable(
    terms: &DayAheadTerms,
    order: &DeferrableOffer,
    award: &mut DeferrableAward,
    prices: &[PicoEurPerWh],
) {
    let tolerance = i128::from(terms.grid().tolerances.price.0);
    let off = power_tolerance(terms, order.power_max);
    let mut worth = Worth::ANY;
    for (power, price) in award.power.iter().zip(prices.iter().skip(order.start as usize)) {
        let price = i128::from(price.0);
        if *power > off {
            worth.low = worth.low.max(price - tolerance);
        }
        if *power < order.power_max - off {
            worth.high = worth.high.min(price + tolerance);
        }
    }
    let value = worth.nearest(i128::from(award.energy_value.0));
    award.energy_value = PicoEurPerWh(value.clamp(i64::MIN.into(), i64::MAX.into()) as i64);
}
