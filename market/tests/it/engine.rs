//! The engine for many sites against the naive reference and against clearing in rounds.

use crate::feeders::{market, Market};
use crate::{reference, sampled};
use market::clearing::book::{Book, BookError};
use market::clearing::{engine, Clearing, Infeasible, PriceRange};
use market::curve::Breakpoint;
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
        if let Ok(clearing) = clear(&market, (-1_000_000, 1_000_000)) {
            let sites = book.split(&clearing).unwrap();
            let total: Milliwatt = sites.into_iter().sum();
            prop_assert_eq!(total, clearing.import);
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
