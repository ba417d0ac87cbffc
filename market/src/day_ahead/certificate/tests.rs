//! Certificates that are not true: figures of true ones moved by more than is tolerated, dispatches that
//! are feasible and cost more, and figures nobody sound would write.

use super::*;
use crate::day_ahead::clearing::StorageAward;
use crate::day_ahead::orders::{DeferrableOffer, Placed, StorageOffer};
use crate::day_ahead::rounds::SessionCleared;
use crate::day_ahead::sample::{any_case, case, curve, load, storage, Case, EUR, INTERVAL_S, KWH};
use crate::units::{Millijoule, NanoEurPerHourPu};
use proptest::prelude::*;

/// Two buses behind lines of which the second binds at noon, with two storage orders and a car.
fn noon() -> (Case, SessionCleared) {
    let flexible = |kw: i64| curve(&[(0, kw * 1_000), (30 * EUR, kw * 900), (150 * EUR, 0)]);
    let near = [10, 12, 20, 14, 12, 10].map(flexible).to_vec();
    let far = [4_000, 4_000, 28_000, 24_000, 6_000, 4_000].map(load).to_vec();
    let mut case = case(&[40, 60, 90, 85, 55, 45], &[80, 24], 40, vec![(1, near), (2, far)]);
    let lossy = StorageOffer { charge_efficiency_ppm: 870_000, ..storage(1).order };
    case.orders.storages = vec![storage(2), Placed { place: 1, order: lossy }];
    let car =
        DeferrableOffer { energy: Millijoule(4 * KWH), power_max: Milliwatt(7 * EUR), start: 1, end: 6 };
    case.orders.deferrables.push(Placed { place: 2, order: car });
    let (cleared, _) = case.play().unwrap();
    (case, cleared)
}

fn check_all(case: &Case, cleared: &SessionCleared) -> Result<(), Error> {
    check(&case.terms, &case.supplies, &case.orders, &cleared.clearing, &case.said(cleared))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Figure {
    /// Watts, of an order or a party.
    Power,
    Price,
    /// What a bound voltage is worth.
    Voltage,
    /// What energy is worth.
    Worth,
}

/// Calls `visit` with every figure of a session.
fn visit(cleared: &mut SessionCleared, visit: &mut dyn FnMut(Figure, &mut i64)) {
    for published in &mut cleared.clearing.intervals {
        let prices = published.prices.iter_mut().chain(&mut published.reactive_prices);
        prices.for_each(|price| visit(Figure::Price, &mut price.0));
        for (_, worth) in &mut published.binding {
            visit(Figure::Price, &mut worth.congestion.0);
            visit(Figure::Price, &mut worth.apparent.0);
            visit(Figure::Voltage, &mut worth.voltage.0);
        }
    }
    for award in &mut cleared.clearing.storages {
        let powers = award.charge.iter_mut().chain(&mut award.discharge);
        powers.for_each(|power| visit(Figure::Power, &mut power.0));
        award.stored_values.iter_mut().for_each(|value| visit(Figure::Worth, &mut value.0));
    }
    for award in &mut cleared.clearing.deferrables {
        award.power.iter_mut().for_each(|power| visit(Figure::Power, &mut power.0));
        visit(Figure::Worth, &mut award.energy_value.0);
    }
    let demands = cleared.demands.iter_mut().flatten();
    demands.for_each(|demand| visit(Figure::Power, &mut demand.allocation.0));
}

/// What an order's schedule forgoes at a session's prices, in EUR: its own cost, less the least that any
/// schedule could cost by the dual function at these values. Written apart from what is tested, in
/// floating point.
fn forgone_eur(order: &StorageOffer, award: &StorageAward, prices: &[f64]) -> f64 {
    let hours = INTERVAL_S as f64 / 3_600.0;
    let value = |t: usize| award.stored_values.get(t).map_or(0.0, |value| value.eur_per_mwh());
    let efficiency = |ppm: u32| f64::from(ppm) / 1e6;
    let (gain, loss) = (efficiency(order.charge_efficiency_ppm), efficiency(order.discharge_efficiency_ppm));
    let (mut energy, mut milli) = (order.energy_start.kwh(), 0.0);
    let best = |cost: f64, least: f64, most: f64| (cost * least).min(cost * most);
    for (t, price) in prices.iter().enumerate() {
        let (charge, discharge) = (award.charge[t].kw(), award.discharge[t].kw());
        energy += hours * (gain * charge - discharge / loss);
        let ends = if t + 1 == prices.len() { order.energy_end_min } else { order.energy_min };
        let (least, most) = (order.energy_min.max(ends).kwh(), order.energy_max.kwh());
        let wear = order.wear.eur_per_mwh();
        let charging = wear + price - gain * value(t);
        let discharging = wear + value(t) / loss - price;
        let kept = value(t) - value(t + 1);
        milli += hours * (charging * charge - best(charging, 0.0, order.charge_max.kw()));
        milli += hours * (discharging * discharge - best(discharging, 0.0, order.discharge_max.kw()));
        milli += kept * energy - best(kept, least, most);
    }
    milli / 1e3
}

/// What all orders forgo.
fn all_forgone_eur(case: &Case, cleared: &SessionCleared) -> f64 {
    let at = |place: usize| -> Vec<f64> {
        prices_at(&cleared.clearing, place).iter().map(|price| price.eur_per_mwh()).collect()
    };
    let storages = case.orders.storages.iter().zip(&cleared.clearing.storages);
    storages.map(|(order, award)| forgone_eur(&order.order, award, &at(order.place))).sum()
}

#[test]
fn every_figure_of_a_true_certificate_matters() {
    let (case, cleared) = noon();
    assert_eq!(check_all(&case, &cleared), Ok(()));
    assert!(all_forgone_eur(&case, &cleared) < 1e-7);
    let mut figures = 0;
    visit(&mut cleared.clone(), &mut |_, _| figures += 1);
    let (mut refused, mut unique) = (0, 0);
    for nth in 0..figures {
        // From twice what is tolerated on to the largest there is, either way.
        let sizes = std::iter::successors(Some(2_100i64), |size| size.checked_add(size / 2 + 7));
        for by in sizes.flat_map(|size| [size, -size]) {
            let (mut changed, mut at, mut what) = (cleared.clone(), 0, None);
            visit(&mut changed, &mut |figure, value| {
                if at == nth {
                    // Watts for power; a voltage is worth some 1e4 times a price.
                    let factor = match figure {
                        Figure::Power => 100,
                        Figure::Voltage => 20_000,
                        Figure::Price | Figure::Worth => 1,
                    };
                    what = Some(figure);
                    *value = value.saturating_add(by.saturating_mul(factor));
                }
                at += 1;
            });
            match (check_all(&case, &changed), what) {
                (Err(_), _) => refused += 1,
                // What energy is worth may lie in an interval, and then any of it proves the same.
                (Ok(()), Some(Figure::Worth)) => {
                    unique += 1;
                    let forgone = all_forgone_eur(&case, &changed);
                    assert!(forgone < 1e-6, "figure {nth} by {by}: {forgone} EUR forgone");
                }
                (Ok(()), what) => panic!("figure {nth}, {what:?}, moved by {by}"),
            }
        }
    }
    assert!(refused > 10_000 && unique < refused / 20, "{refused} refused, {unique} as true");
}

#[test]
fn a_dispatch_that_is_feasible_and_costs_more_is_refused() {
    let (case, cleared) = noon();
    let award = &cleared.clearing.storages[1];
    let (mut dearer, mut tried) = (0, 0);
    for (from, to) in (0..6).flat_map(|from| (0..6).map(move |to| (from, to))) {
        // A kilowatt less charged in one interval and more in another, all else following.
        let mut moved = cleared.clone();
        let charge = &mut moved.clearing.storages[1].charge;
        let kilowatt = Milliwatt(EUR);
        if from == to || award.charge[from] < kilowatt || award.charge[to].0 > 7 * EUR {
            continue;
        }
        charge[from] -= kilowatt;
        charge[to] += kilowatt;
        let said = check_all(&case, &moved).unwrap_err();
        match said {
            Error::Storage { index: 1, source: OrderRefused { reason, .. } }
                if reason.contains("energy is") =>
            {
                dearer += usize::from(!reason.contains("in store"));
            }
            // The feeder or the supply would not have it.
            other => assert!(matches!(other, Error::Interval { .. }), "{other}"),
        }
        tried += 1;
    }
    assert!(dearer >= 4 && tried >= 5, "{dearer} of {tried} are feasible and dearer");
}

#[test]
fn what_has_not_a_figure_for_everything_is_refused_by_name() {
    let (case, cleared) = noon();
    let check = |spoil: &dyn Fn(&mut DayAheadClearing), expected: &str| {
        let mut changed = cleared.clone();
        spoil(&mut changed.clearing);
        let demands = case.said(&cleared);
        let said = check(&case.terms, &case.supplies, &case.orders, &changed.clearing, &demands);
        let said = said.unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    };
    check(&|c| assert!(c.intervals.pop().is_some()), "intervals: 5 given, 6 needed");
    check(&|c| assert!(c.intervals[2].prices.pop().is_some()), "prices: 2 given, 3 needed");
    check(&|c| assert!(c.intervals[2].reactive_prices.pop().is_some()), "reactive prices: 2");
    check(&|c| c.intervals[0].binding.push((9, Multipliers::default())), "limits that bind");
    check(&|c| c.intervals[0].binding = vec![(1, Multipliers::default()); 2], "limits that bind");
    check(&|c| assert!(c.storages.pop().is_some()), "storage awards: 1 given, 2 needed");
    check(&|c| assert!(c.storages[0].charge.pop().is_some()), "a figure for each interval");
    check(&|c| assert!(c.storages[0].discharge.pop().is_some()), "a figure for each interval");
    check(&|c| assert!(c.storages[0].stored_values.pop().is_some()), "a figure for each interval");
    check(&|c| assert!(c.deferrables.pop().is_some()), "deferrable awards");
    check(&|c| assert!(c.deferrables[0].power.pop().is_some()), "each interval of its window");
    let elsewhere = Orders { storages: vec![storage(3), storage(1)], ..case.orders.clone() };
    let said = super::check(&case.terms, &case.supplies, &elsewhere, &cleared.clearing, &case.said(&cleared));
    assert_eq!(said, Err(Error::UnknownPlace { place: 3 }));
}

fn extreme() -> impl Strategy<Value = i64> {
    prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), Just(-1), any::<i64>(), -10_000_000..10_000_000i64]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]
    /// Whatever a hostile proposer writes, the check ends with a verdict.
    #[test]
    fn nothing_that_can_be_written_overflows(
        figures in prop::collection::vec((any::<prop::sample::Index>(), extreme()), 1..6),
        order in prop::collection::vec(extreme(), 8),
        spoil_order in any::<bool>(),
    ) {
        let (mut case, mut cleared) = idle();
        let mut count = 0;
        visit(&mut cleared.clone(), &mut |_, _| count += 1);
        for (index, value) in figures {
            let (nth, mut at) = (index.index(count), 0);
            visit(&mut cleared, &mut |_, figure| {
                if at == nth {
                    *figure = value;
                }
                at += 1;
            });
        }
        if spoil_order {
            case.orders.storages[0].order = StorageOffer {
                charge_max: Milliwatt(order[0]),
                discharge_max: Milliwatt(order[1]),
                energy_min: Millijoule(order[2]),
                energy_max: Millijoule(order[3]),
                energy_start: Millijoule(order[4]),
                energy_end_min: Millijoule(order[5]),
                charge_efficiency_ppm: order[6] as u32,
                discharge_efficiency_ppm: order[7] as u32,
                wear: PicoEurPerWh(order[0]),
            };
            let window = (order[1] as u32, order[2] as u32);
            let car = &mut case.orders.deferrables[0].order;
            *car = DeferrableOffer { start: window.0, end: window.1, energy: Millijoule(order[3]), ..*car };
        }
        let binding = (1, Multipliers { voltage: NanoEurPerHourPu(order[0]), ..Multipliers::default() });
        cleared.clearing.intervals[1].binding = vec![binding];
        let demands = &cleared.demands;
        let _ = super::check(&case.terms, &case.supplies, &case.orders, &cleared.clearing, demands);
    }

    /// What rounds clear proves itself, and orders forgo nothing by a reckoning of another kind.
    #[test]
    fn orders_forgo_nothing(case in any_case(3, 1..3, 3)) {
        if let Ok((cleared, _)) = case.play() {
            prop_assert!(all_forgone_eur(&case, &cleared) < 1e-6);
        }
    }
}

/// A session in which nobody does anything.
fn idle() -> (Case, SessionCleared) {
    let mut case = case(&[50, 50], &[80], 40, vec![(1, vec![load(0); 2])]);
    case.orders.storages = vec![storage(1)];
    let car = DeferrableOffer { energy: Millijoule(0), power_max: Milliwatt(EUR), start: 0, end: 2 };
    case.orders.deferrables = vec![Placed { place: 1, order: car }];
    let (cleared, _) = case.play().unwrap();
    (case, cleared)
}
