//! Keeps prices within a market's bounds where what is traded leaves them open: nobody bids, or everyone's demand
//! is level, and the supply stands at one of its ends.
//!
//! Such a price may lie anywhere beyond the supply's, and a solver ends wherever its way led. So, where one lies
//! out of bounds, the market is solved once more with a keeper at every place: a party that neither takes nor
//! gives anything within the bounds, and takes below them or gives above. Where a keeper has nothing to do the
//! clearing is one without it, too, and its prices are within the bounds.

use super::problem::{Offer, Piece, Reactive};
use crate::clearing::PriceRange;
use crate::units::PicoEurPerWh;

/// What a keeper would take below the bounds, and give above. How much does not matter.
const POWER_KW: f64 = 1.0;

/// A keeper at each of so many places.
pub(crate) fn keepers(range: PriceRange, places: usize) -> impl Iterator<Item = Offer> + Clone {
    let piece = |price: PicoEurPerWh| {
        let price = price.eur_per_mwh();
        Piece { width_kw: POWER_KW, price_high: price, price_low: price }
    };
    let pieces = [piece(range.max()), piece(range.min())];
    (0..places).map(move |place| Offer {
        place,
        power_min_kw: -POWER_KW,
        pieces: pieces.to_vec(),
        reactive: Reactive::Fixed { reactive_kvar: 0.0 },
        reserve_up: None,
        reserve_down: None,
    })
}

/// Whether every price, in EUR/MWh, lies within the bounds.
pub(crate) fn within(range: PriceRange, prices: &[f64]) -> bool {
    let (min, max) = (range.min().eur_per_mwh(), range.max().eur_per_mwh());
    prices.iter().all(|price| (min..=max).contains(price))
}

/// Brings prices that lie beyond a bound by no more than `tolerance` onto it.
pub(crate) fn settle(range: PriceRange, tolerance: PicoEurPerWh, prices: &mut [PicoEurPerWh]) {
    for price in prices {
        let bounded = (*price).clamp(range.min(), range.max());
        if (price.0 - bounded.0).abs() <= tolerance.0 {
            *price = bounded;
        }
    }
}

/// The first place whose price lies out of bounds, and the price.
pub(crate) fn beyond(range: PriceRange, prices: &[PicoEurPerWh]) -> Option<(usize, PicoEurPerWh)> {
    let mut placed = prices.iter().copied().enumerate();
    placed.find(|(_, price)| *price < range.min() || range.max() < *price)
}
