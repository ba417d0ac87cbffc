//! Clearing a street of few sites by every corner, against the naive reference.

use crate::feeders::{market, Market};
use crate::reference;
use crate::sampled::figures;
use market::clearing::corners::{self, SiteCurve};
use market::clearing::{Clearing, Infeasible, PriceRange};
use market::curve::{Breakpoint, FlexCurve};
use market::supply::SupplyCurve;
use market::units::{PicoEurPerWh, POWER_BOUND};
use proptest::prelude::*;

fn sites(market: &Market) -> Vec<SiteCurve<'_>> {
    market.parties.iter().map(|(bus, curve)| SiteCurve { bus: *bus, curve }).collect()
}

fn range((min, max): (i64, i64)) -> PriceRange {
    PriceRange::new(PicoEurPerWh(min), PicoEurPerWh(max)).unwrap()
}

fn clear(market: &Market, supply: &SupplyCurve, ends: (i64, i64)) -> Result<Clearing, Infeasible> {
    corners::clear(&market.feeder, &market.tree, supply, &sites(market), range(ends))
}

fn net_demand(market: &Market, ends: (i64, i64)) -> Result<Vec<Breakpoint>, Infeasible> {
    corners::net_demand(&market.feeder, &market.tree, &sites(market), range(ends))
}

/// The same curves, every slope turned into one step at its dearer end.
fn of_steps(mut market: Market) -> Market {
    for (_, curve) in &mut market.parties {
        let mut points: Vec<Breakpoint> = Vec::new();
        for point in curve.points() {
            if let Some(last) = points.last().copied() {
                points.push(Breakpoint { price: point.price, power: last.power });
            }
            points.push(*point);
        }
        *curve = FlexCurve::new(points).unwrap();
    }
    market
}

proptest! {
    #![proptest_config(crate::cases(2_000))]
    #[test]
    fn agrees_with_the_naive_reference(market in market()) {
        // The last two ranges cut curves off in the middle.
        for ends in [(-1_000_000, 1_000_000), (-100, 100), (-20, 33)] {
            let got = clear(&market, &market.supply, ends).ok().map(figures);
            prop_assert_eq!(got, reference::clear(&market, ends));
        }
    }

    /// A feeder that bids its net demand into a market above it takes, at the price it finds there,
    /// what it bid.
    #[test]
    fn net_demand_is_what_the_feeder_imports_at_each_price(market in market(), price in -70i64..200) {
        let (market, ends) = (of_steps(market), (-70, 200));
        let flat = SupplyCurve::flat(PicoEurPerWh(price), -POWER_BOUND, POWER_BOUND).unwrap();
        match (net_demand(&market, ends), clear(&market, &flat, ends)) {
            (Ok(points), Ok(clearing)) => {
                let net = FlexCurve::new(points).unwrap();
                prop_assert_eq!(net.power_at(PicoEurPerWh(price)), clearing.import);
            }
            (net, clearing) => prop_assert_eq!(net.err(), clearing.err()),
        }
    }
}
