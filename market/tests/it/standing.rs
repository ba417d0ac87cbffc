//! A standing book, one bid changed after another, against a clearing of the same bids from scratch.

use crate::feeders::{curve, market, wide_market, Market};
use market::clearing::book::{Book, BookError};
use market::clearing::standing::{Recleared, ReplaceError, Standing};
use market::clearing::{engine, PriceRange};
use market::curve::{Breakpoint, FlexCurve};
use market::feeder::Feeder;
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh};
use proptest::prelude::*;
use proptest::sample::Index;

/// The market's parties in order of bus, none of them twice.
fn book(market: &Market) -> Book {
    let mut book = Book::new(market.feeder.buses.len());
    for bus in 0..market.feeder.buses.len() {
        for (_, curve) in market.parties.iter().filter(|(at, _)| *at == bus) {
            book.push(bus, curve.points()).unwrap();
        }
    }
    book
}

/// Changes one bid after another; how many of them were cleared from their zone alone.
fn play(market: Market, changes: &[(Index, FlexCurve)]) -> Result<usize, TestCaseError> {
    let book = book(&market);
    let Market { feeder, tree, supply, parties } = market;
    let sites = parties.len();
    let (whole, range) = (book.clone(), PriceRange::WIDEST);
    let Ok(mut standing) = Standing::new(feeder.clone(), tree.clone(), supply.clone(), whole, range) else {
        return Ok(0);
    };
    let (mut book, mut zonal) = (book, 0);
    for (site, curve) in changes.iter().filter(|_| sites > 0) {
        let site = site.index(sites);
        let mut changed = book.clone();
        changed.replace(site, curve.points()).unwrap();
        match (
            standing.replace(site, curve.points()),
            engine::dispatch(&feeder, &tree, &supply, &changed, range),
        ) {
            (Ok(how), Ok(fresh)) => {
                prop_assert_eq!(standing.clearing(), &fresh.clearing, "{:?}", how);
                let each: Option<Vec<_>> = (0..sites).map(|site| standing.site(site)).collect();
                prop_assert_eq!(each, Some(fresh.sites));
                zonal += usize::from(how == Recleared::Zone);
                book = changed;
            }
            (Err(ReplaceError::Infeasible { source, .. }), Err(fresh)) => prop_assert_eq!(source, fresh),
            (got, fresh) => prop_assert!(false, "{:?}, but from scratch {:?}", got, fresh),
        }
    }
    Ok(zonal)
}

proptest! {
    #![proptest_config(crate::cases(1_000))]
    #[test]
    fn every_change_clears_as_from_scratch(
        market in market(), changes in prop::collection::vec((any::<Index>(), curve(1)), 1..12),
    ) {
        play(market, &changes)?;
    }

    /// Figures that fit four bytes and figures that don't, in turn.
    #[test]
    fn figures_of_any_size_clear_as_from_scratch(
        market in wide_market(),
        changes in prop::collection::vec((any::<Index>(), prop_oneof![curve(1), curve(1_000_000_000)]), 1..12),
    ) {
        play(market, &changes)?;
    }
}

fn point(price: i64, power: i64) -> Breakpoint {
    Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) }
}

/// One bus, one site that takes 100 mW at most, and an import that rises with the price.
fn alone() -> Standing {
    let feeder =
        Feeder { voltage_millivolt: 400_000, root: "n0".into(), buses: vec!["n0".into()], lines: Vec::new() };
    let tree = feeder.tree().unwrap();
    let mut book = Book::new(1);
    book.push(0, &[point(0, 100), point(100, 0)]).unwrap();
    let supply = SupplyCurve::new(vec![point(0, 0), point(100, 100)]).unwrap();
    Standing::new(feeder, tree, supply, book, PriceRange::WIDEST).unwrap()
}

#[test]
fn a_changed_bid_moves_price_and_dispatch() {
    // Demand meets supply exactly at 50, so at 49 as well, and the midpoint is rounded down.
    let mut standing = alone();
    assert_eq!(standing.clearing().prices, [PicoEurPerWh(49)]);
    assert_eq!(standing.replace(0, &[point(0, 60), point(100, 40)]), Ok(Recleared::Zone));
    assert_eq!((standing.clearing().prices[0], standing.site(0)), (PicoEurPerWh(49), Some(Milliwatt(50))));
    assert_eq!(standing.replace(0, &[point(0, 20), point(1_000, 20)]), Ok(Recleared::Zone));
    assert_eq!((standing.clearing().prices[0], standing.site(0)), (PicoEurPerWh(19), Some(Milliwatt(20))));
    assert_eq!((standing.site(1), standing.dispatch_at(1)), (None, None));
}

#[test]
fn a_bid_that_cannot_be_is_refused_and_the_old_one_stays() {
    let mut standing = alone();
    let before = standing.clearing().clone();
    let rising = standing.replace(0, &[point(0, 1), point(1, 2)]);
    assert_eq!(rising, Err(ReplaceError::Book { site: 0, source: BookError::NoCurve }));
    let nobody = standing.replace(1, &[point(0, 1)]);
    assert_eq!(nobody, Err(ReplaceError::Book { site: 1, source: BookError::NoSite { site: 1 } }));
    let too_much = standing.replace(0, &[point(0, 101)]);
    assert!(matches!(too_much, Err(ReplaceError::Infeasible { site: 0, .. })), "{too_much:?}");
    assert_eq!((standing.clearing(), standing.site(0)), (&before, Some(Milliwatt(50))));
}
