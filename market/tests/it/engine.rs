//! The engine for many sites against the naive reference and against clearing in rounds.

use crate::feeders::{falling, feeder, market, Market};
use crate::{reference, sampled};
use market::certificate::{check, PartyDemand};
use market::clearing::book::{Book, BookError};
use market::clearing::engine::Dispatch;
use market::clearing::{engine, Clearing, Infeasible, PriceRange};
use market::curve::Breakpoint;
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh};
use proptest::prelude::*;

/// The market's parties in a book, in order of bus.
fn book(market: &Market) -> Book {
    let mut book = Book::new(market.feeder.buses.len());
    for bus in 0..market.feeder.buses.len() {
        for (_, curve) in market.parties.iter().filter(|(at, _)| *at == bus) {
            book.push(bus, curve.points()).unwrap();
        }
    }
    book
}

pub fn clear(market: &Market, range: (i64, i64)) -> Result<Clearing, Infeasible> {
    let range = PriceRange::new(PicoEurPerWh(range.0), PicoEurPerWh(range.1)).unwrap();
    engine::clear(&market.feeder, &market.tree, &market.supply, &book(market), range)
}

proptest! {
    #![proptest_config(crate::cases(2_000))]
    #[test]
    fn agrees_with_the_rounds_and_the_naive_reference(market in market()) {
        // The second range cuts curves off in the middle.
        for range in [(-1_000_000, 1_000_000), (-100, 100), (-20, 33)] {
            let got = clear(&market, range);
            prop_assert_eq!(&got, &sampled::clear(&market, range).map(|(clearing, _)| clearing));
            prop_assert_eq!(got.ok().map(sampled::figures), reference::clear(&market, range));
        }
    }

    #[test]
    fn sites_share_what_their_bus_was_given(market in market()) {
        let book = book(&market);
        let Market { feeder, tree, supply, .. } = &market;
        if let Ok(Dispatch { clearing, sites }) = engine::dispatch(feeder, tree, supply, &book, PriceRange::WIDEST) {
            prop_assert_eq!(sites.iter().copied().sum::<Milliwatt>(), clearing.import);
            prop_assert_eq!(Some(sites), book.split(&clearing));
        }
    }
}

#[test]
fn what_fits_no_book_is_refused() {
    let point = |price, power| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
    let mut book = Book::new(2);
    assert_eq!(book.push(1, &[point(0, 1)]), Ok(()));
    assert_eq!(book.push(0, &[point(0, 1)]), Err(BookError::Order { bus: 0, after: 1 }));
    assert_eq!(book.push(2, &[point(0, 1)]), Err(BookError::Order { bus: 2, after: 1 }));
    assert_eq!(book.push(1, &[]), Err(BookError::NoCurve));
    assert_eq!(book.push(1, &[point(0, 1), point(1, 2)]), Err(BookError::NoCurve));
    assert_eq!(book.push(1, &[point(0, i64::MIN)]), Err(BookError::TooLarge));
    assert_eq!((book.sites(), book.breakpoints()), (1, 1));
}

/// Enough sites for a guess, more than one worker and windows that leave most curves straight.
#[test]
fn a_town_clears_to_what_its_certificate_bears_out() {
    const SITES: usize = 100_000;
    let mut state = 20_260_101u64;
    let mut below = |bound: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i64 % bound
    };
    let limit = Some(-40_000_000_000);
    let feeder = feeder(&[(0, None, limit), (1, None, limit), (2, None, None), (0, None, None)]);
    let tree = feeder.tree().unwrap();
    let mut book = Book::new(feeder.buses.len());
    for site in 0..SITES {
        let price = below(100_000_000) - 20_000_000;
        // One rise in four is a vertical step.
        let mut step = || ((below(40_000_000) - 10_000_000).max(0), below(3_000_000));
        let steps = [step(), step(), step(), step()];
        book.push(site * feeder.buses.len() / SITES, &falling(price, below(8_000_000), &steps)).unwrap();
    }
    let point = |price, power| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
    let most = 1_000_000_000_000;
    let supplies = [
        vec![point(61_234_567, -most), point(61_234_567, most)],
        vec![point(0, -most), point(150_000_000, most)],
    ];
    for supply in supplies.map(|points| SupplyCurve::new(points).unwrap()) {
        let dispatch = engine::dispatch(&feeder, &tree, &supply, &book, PriceRange::WIDEST).unwrap();
        let Dispatch { clearing, sites } = &dispatch;
        assert!(clearing.prices[3] > clearing.prices[0], "no limit binds: {:?}", clearing.prices);
        let party = |(site, allocation): (usize, &Milliwatt)| {
            let bus = site * feeder.buses.len() / SITES;
            PartyDemand { bus, range: book.demand_at(site, clearing.prices[bus]), allocation: *allocation }
        };
        let parties: Vec<_> = sites.iter().enumerate().map(party).collect();
        assert_eq!(check(&feeder, &tree, &supply, clearing, &parties), Ok(()));
        assert_eq!(Some(sites), book.split(clearing).as_ref());
    }
}
