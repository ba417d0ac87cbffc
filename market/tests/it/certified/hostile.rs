//! Whatever a proposer or a feeder's file says, the check gives a verdict.

use super::made::{made, Made};
use market::grid::certificate::{GridClearing, Multipliers, PartyDemand, ReactiveTerms, Standby};
use market::share::Demand;
use market::units::{Millivar, Milliwatt, NanoEurPerHourPu, PicoEurPerWh};
use proptest::prelude::*;

fn figure() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(i64::MIN),
        Just(i64::MAX),
        Just(0),
        Just(1),
        Just(-1),
        any::<i64>(),
        -1_000_000..1_000_000i64
    ]
}

fn float() -> impl Strategy<Value = f64> {
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, 1e-300, 0.0, -0.0, -1.0, 1.0];
    prop_oneof![prop::sample::select(odd.to_vec()), any::<f64>()]
}

fn standby() -> impl Strategy<Value = Option<Standby>> {
    let standby = (figure(), figure(), figure(), figure(), figure());
    prop::option::of(standby.prop_map(|(max, price, end, answered, award)| Standby {
        max: Milliwatt(max),
        price: PicoEurPerWh(price),
        end: Milliwatt(end),
        answered: PicoEurPerWh(answered),
        award: Milliwatt(award),
    }))
}

fn reactive() -> impl Strategy<Value = ReactiveTerms> {
    prop_oneof![
        figure().prop_map(|reactive| ReactiveTerms::Fixed { reactive: Millivar(reactive) }),
        figure().prop_map(|tan_phi_nano| ReactiveTerms::Proportional { tan_phi_nano }),
        (figure(), figure(), figure()).prop_map(|(min, max, cost_micro_eur_per_mvar2_h)| {
            ReactiveTerms::Range { min: Millivar(min), max: Millivar(max), cost_micro_eur_per_mvar2_h }
        }),
    ]
}

fn party() -> impl Strategy<Value = PartyDemand> {
    let figures =
        (prop_oneof![0..4usize, Just(usize::MAX)], figure(), figure(), figure(), figure(), figure());
    (figures, reactive(), standby(), standby()).prop_map(|(figures, reactive, reserve_up, reserve_down)| {
        let (place, answered, low, high, allocation, reactive_allocation) = figures;
        PartyDemand {
            place,
            answered: PicoEurPerWh(answered),
            range: Demand { low: Milliwatt(low), high: Milliwatt(high) },
            allocation: Milliwatt(allocation),
            reactive,
            reactive_allocation: Millivar(reactive_allocation),
            reserve_up,
            reserve_down,
        }
    })
}

/// Puts hostile figures into a clearing at random, so that every later condition is reached as well.
fn spoil(clearing: &mut GridClearing, at: &[(usize, usize, i64)]) {
    for (field, place, figure) in at {
        let place = place % clearing.prices.len();
        let multipliers: &mut Multipliers = &mut clearing.multipliers[place];
        match field % 9 {
            0 => clearing.import = Milliwatt(*figure),
            1 => clearing.prices[place] = PicoEurPerWh(*figure),
            2 => clearing.reactive_prices[place] = PicoEurPerWh(*figure),
            3 => clearing.flows[place].power = Milliwatt(*figure),
            4 => clearing.flows[place].reactive = Millivar(*figure),
            5 => multipliers.congestion = PicoEurPerWh(*figure),
            6 => multipliers.apparent = PicoEurPerWh(*figure),
            7 => multipliers.voltage = NanoEurPerHourPu(*figure),
            _ => clearing.reserve_up_price = PicoEurPerWh(*figure),
        }
    }
}

/// Puts hostile figures into the feeder and the objective.
fn spoil_terms(made: &mut Made, at: &[(usize, usize, f64)]) {
    for (field, place, figure) in at {
        let place = place % made.network.parent.len();
        let (branch, band) = (&mut made.network.branches[place], &mut made.network.bands[place]);
        let field = match field % 13 {
            0 => &mut branch.resistance_pu_per_kva,
            1 => &mut branch.reactance_pu_per_kva,
            2 => &mut branch.ratio_square,
            3 => &mut branch.power_min_kw,
            4 => &mut branch.power_max_kw,
            5 => &mut branch.apparent_max_kva,
            6 => &mut band.min_square_pu,
            7 => &mut band.max_square_pu,
            8 => &mut made.network.root_voltage_square_pu,
            9 => &mut made.objective.loss_price,
            10 => &mut made.objective.voltage_deviation_price,
            11 => &mut made.objective.reserve_up_kw,
            _ => &mut made.objective.reserve_down_kw,
        };
        *field = *figure;
    }
}

proptest! {
    #![proptest_config(crate::cases(4_000))]
    #[test]
    fn hostile_figures_get_a_verdict(
        seed in 0..1_000u64,
        figures in prop::collection::vec((any::<usize>(), any::<usize>(), figure()), 0..6),
        parties in prop::collection::vec(party(), 0..3),
        repeated in 1..4usize,
    ) {
        let mut made = made(seed);
        spoil(&mut made.clearing, &figures);
        for _ in 0..repeated {
            made.parties.extend(parties.iter().copied());
        }
        let _ = made.verdict();
    }

    #[test]
    fn hostile_feeders_get_a_verdict(
        seed in 0..1_000u64,
        figures in prop::collection::vec((any::<usize>(), any::<usize>(), float()), 1..4),
        parent in prop::option::of((any::<prop::sample::Index>(), any::<usize>())),
    ) {
        let mut made = made(seed);
        spoil_terms(&mut made, &figures);
        if let Some((place, parent)) = parent {
            let place = place.index(made.network.parent.len());
            made.network.parent[place] = parent;
        }
        let _ = made.verdict();
    }

    /// What is not a number satisfies nothing: no limit, weight or impedance can be waived by it.
    #[test]
    fn a_figure_that_is_no_number_is_refused(seed in 0..1_000u64, field in 0..13usize, place in any::<usize>()) {
        let mut made = made(seed);
        let place = 1 + place % (made.network.parent.len() - 1);
        spoil_terms(&mut made, &[(field, place, f64::NAN)]);
        prop_assert!(made.verdict().is_err());
    }
}
