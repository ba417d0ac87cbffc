//! Certificates of true clearings are accepted; the same with any figure moved are refused.

use crate::feeders::{market, Market};
use crate::sampled::clear;
use market::certificate::{check, CertificateError, PartyDemand};
use market::clearing::Clearing;
use market::share::{split, Demand};
use market::units::{Milliwatt, PicoEurPerWh};
use proptest::prelude::*;

/// Each party's demand at its bus's price and its share of the bus's allocation.
pub fn parties(market: &Market, clearing: &Clearing) -> Vec<PartyDemand> {
    let mut parties: Vec<PartyDemand> = market
        .parties
        .iter()
        .map(|(bus, curve)| {
            let range = curve.demand_at(clearing.prices[*bus]);
            PartyDemand { bus: *bus, range, allocation: range.low }
        })
        .collect();
    for (bus, allocation) in clearing.allocations.iter().enumerate() {
        let mut here: Vec<_> = parties.iter_mut().filter(|p| p.bus == bus).collect();
        let ranges: Vec<Demand> = here.iter().map(|p| p.range).collect();
        let shares = split(*allocation, &ranges).unwrap();
        here.iter_mut().zip(shares).for_each(|(party, share)| party.allocation = share);
    }
    parties
}

pub fn verdict(
    market: &Market,
    clearing: &Clearing,
    parties: &[PartyDemand],
) -> Result<(), CertificateError> {
    check(&market.feeder, &market.tree, &market.supply, clearing, parties)
}

proptest! {
    #![proptest_config(crate::cases(2_000))]
    #[test]
    fn a_true_clearing_passes_and_a_moved_figure_does_not(market in market(), by in -3i64..=3) {
        prop_assume!(by != 0);
        let Ok((clearing, _)) = clear(&market, (-1_000_000, 1_000_000)) else { return Ok(()) };
        let parties = parties(&market, &clearing);
        prop_assert_eq!(verdict(&market, &clearing, &parties), Ok(()));

        let import = Clearing { import: Milliwatt(clearing.import.0 + by), ..clearing.clone() };
        prop_assert!(verdict(&market, &import, &parties).is_err());
        for line in 0..clearing.flows.len() {
            let mut moved = clearing.clone();
            moved.flows[line].0 += by;
            prop_assert!(verdict(&market, &moved, &parties).is_err());
        }
        for bus in 0..clearing.allocations.len() {
            let mut moved = clearing.clone();
            moved.allocations[bus].0 += by;
            prop_assert!(verdict(&market, &moved, &parties).is_err());
        }
        for party in 0..parties.len() {
            let mut moved = parties.clone();
            moved[party].allocation.0 += by;
            prop_assert!(verdict(&market, &clearing, &moved).is_err());
        }
    }

    /// A moved price either still is a dual solution of the same allocations, which an outcome with
    /// ties or gaps may have several of, or is refused: parties answer the price they are told.
    #[test]
    fn a_moved_price_passes_only_if_it_supports_the_same_allocations(
        market in market(), bus in any::<prop::sample::Index>(), by in prop::sample::select(vec![-40i64, -1, 1, 40]),
    ) {
        let Ok((clearing, _)) = clear(&market, (-1_000_000, 1_000_000)) else { return Ok(()) };
        let mut parties = parties(&market, &clearing);
        let mut moved = clearing.clone();
        let bus = bus.index(moved.prices.len());
        moved.prices[bus].0 += by;
        for (party, (at, curve)) in parties.iter_mut().zip(&market.parties) {
            party.range = curve.demand_at(moved.prices[*at]);
        }
        let wanted = parties.iter().all(|p| p.range.contains(p.allocation));
        let offered = market.supply.import_at(moved.prices[0]).contains(moved.import);
        let full = market.feeder.lines.iter().zip(&moved.flows).all(|(line, flow)| {
            let at = |name: &str| market.feeder.buses.iter().position(|b| b == name).unwrap();
            let rise = moved.prices[at(&line.to)].0 - moved.prices[at(&line.from)].0;
            rise == 0 || Some(*flow) == if rise > 0 { line.power_max } else { line.power_min }
        });
        prop_assert_eq!(verdict(&market, &moved, &parties).is_ok(), wanted && offered && full);
    }

    #[test]
    fn hostile_sizes_are_refused_without_a_panic(
        market in market(),
        figures in prop::collection::vec(prop::sample::select(vec![i64::MIN, -1, 0, 1, i64::MAX]), 40),
        lengths in (0usize..10, 0usize..10, 0usize..10, 0usize..10),
        bus in prop::sample::select(vec![0, 1, usize::MAX]),
    ) {
        let figure = |i: usize| figures[i % figures.len()];
        let clearing = Clearing {
            import: Milliwatt(figure(0)),
            prices: (0..lengths.0).map(|i| PicoEurPerWh(figure(i + 1))).collect(),
            allocations: (0..lengths.1).map(|i| Milliwatt(figure(i + 11))).collect(),
            flows: (0..lengths.2).map(|i| Milliwatt(figure(i + 21))).collect(),
        };
        let range = Demand { low: Milliwatt(figure(31)), high: Milliwatt(figure(32)) };
        let party = PartyDemand { bus, range, allocation: Milliwatt(figure(33)) };
        let _ = verdict(&market, &clearing, &vec![party; lengths.3]);
    }
}
