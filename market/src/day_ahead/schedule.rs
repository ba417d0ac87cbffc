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

/// Whether what stored energy is worth may fall, and may rise, at an interval's end.
#[derive(Clone, Copy, Debug)]
struct Change {
    fall: bool,
    rise: bool,
}

impl Change {
    /// What it may be worth afterwards, given what it may be before.
    fn after(self, before: Worth) -> Worth {
        let low = if self.fall { Worth::ANY.low } else { before.low };
        let high = if self.rise { Worth::ANY.high } else { before.high };
        Worth { low, high }
    }

    /// What it may be worth before, given what it is afterwards.
    fn before(self, after: i128) -> Worth {
        let low = if self.rise { Worth::ANY.low } else { after };
        let high = if self.fall { Worth::ANY.high } else { after };
        Worth { low, high }
    }
}

/// Chooses what stored energy is worth: such that it explains what the store does wherever something can,
/// falling only where the store is empty and rising only where it is full, and near what the solver found.
///
/// Forward, what each interval's worth may be after all that came before is an interval again; backward, one
/// of it is taken. So nothing that would explain the whole schedule is missed.
pub(super) fn settle_storage(
    terms: &DayAheadTerms,
    order: &StorageOffer,
    award: &mut StorageAward,
    prices: &[PicoEurPerWh],
) {
    let mut energy = i128::from(order.energy_start.0) * MICRO;
    let mut open = Worth::ANY;
    let mut choices = Vec::with_capacity(prices.len());
    for (interval, price) in prices.iter().enumerate() {
        let moved = (award.charge[interval], award.discharge[interval]);
        energy += order.stored_micro(moved.0, moved.1, terms.interval_s());
        let standing = energy_standing(order, energy, (interval, prices.len()));
        let (fall, rise) = standing.unwrap_or((false, false));
        let change = Change { fall, rise };
        let worth = storage_worth(terms, order, moved, *price).and(open);
        open = change.after(worth);
        choices.push((worth, change));
    }
    // Beyond the session it is worth nothing.
    let mut later = 0;
    for (value, (worth, change)) in award.stored_values.iter_mut().zip(choices).rev() {
        later = worth.and(change.before(later)).nearest(value.0.into());
        *value = PicoEurPerWh(later.clamp(i64::MIN.into(), i64::MAX.into()) as i64);
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

#[cfg(test)]
mod tests {
    use super::super::certificate::check_storage;
    use super::*;
    use crate::day_ahead::sample::{case, load, storage, EUR, INTERVAL_S};
    use proptest::prelude::*;

    /// Where a store stands at an interval's end, in quarters of its 8 kWh; by how much what energy is worth may
    /// change there; where between the wears the price lies while it idles; and what a solver found.
    type Moment = (i64, i64, i64, i64);

    /// A store without losses that goes from moment to moment, with prices that ask for just that.
    fn told(moments: &[Moment]) -> (StorageOffer, StorageAward, Vec<PicoEurPerWh>) {
        let most = storage(0).order.energy_max;
        let order = StorageOffer {
            charge_max: Milliwatt(100 * EUR),
            discharge_max: Milliwatt(100 * EUR),
            charge_efficiency_ppm: 1_000_000,
            discharge_efficiency_ppm: 1_000_000,
            energy_start: most,
            ..storage(0).order
        };
        let powers = |sign: i64| -> Vec<Milliwatt> {
            let stood = std::iter::once(4).chain(moments.iter().map(|moment| moment.0));
            let rise = stood.zip(moments).map(|(before, moment)| (moment.0 - before) * sign);
            rise.map(|quarters| Milliwatt((quarters * most.0 / 4 / INTERVAL_S).max(0))).collect()
        };
        let (charge, discharge) = (powers(1), powers(-1));
        let mut later = 0;
        let mut prices = vec![PicoEurPerWh(0); moments.len()];
        for (interval, (quarters, change, between, _)) in moments.iter().enumerate().rev() {
            later += match quarters {
                0 => *change,
                4 => -*change,
                _ => 0,
            };
            let wear = order.wear.0;
            let off = match (charge[interval].0, discharge[interval].0) {
                (0, 0) => wear * between / 10,
                (0, _) => wear,
                _ => -wear,
            };
            prices[interval] = PicoEurPerWh(later + off);
        }
        let stored_values = moments.iter().map(|moment| PicoEurPerWh(moment.3)).collect();
        (order, StorageAward { charge, discharge, stored_values }, prices)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]
        #[test]
        fn a_schedule_that_some_worth_explains_is_explained_whatever_the_solver_found(
            moments in prop::collection::vec((0..=4i64, 0..40 * EUR, -10..=10i64, -50 * EUR..50 * EUR), 1..9),
        ) {
            let terms = case(&[50], &[100], 60, vec![(1, vec![load(0)])]).terms;
            let (order, mut award, prices) = told(&moments);
            settle_storage(&terms, &order, &mut award, &prices);
            prop_assert_eq!(check_storage(&terms, &order, &award, &prices), Ok(()), "{:?}", award);
        }
    }
}
