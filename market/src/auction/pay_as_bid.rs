//! Orders matched pair by pair, each trade at its buyer's price; nobody trades with itself.
//!
//! The highest bids meet the lowest offers first, orders of one price in the order given. Unlike at a
//! uniform price, who trades with whom matters, and a trade that two of one party's orders would make is
//! left to others.

use super::orders::{AuctionError, Order, Side};
use crate::units::{Milliwatt, PRICE_BOUND};
use std::cmp::Reverse;

/// An order and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedOrder {
    /// The party.
    pub party: String,
    /// Its order; here a negative quantity is refused.
    pub order: Order,
}

/// One match. Its price is the bid's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Place of the bid among the orders.
    pub bid: usize,
    /// Place of the offer.
    pub offer: usize,
    /// Power traded.
    pub quantity: Milliwatt,
}

/// Matches orders.
///
/// # Errors
/// [`AuctionError::Order`] for a price out of bounds or a negative quantity.
pub fn clear(orders: &[NamedOrder]) -> Result<Vec<Trade>, AuctionError> {
    let sound = |named: &NamedOrder| {
        (-PRICE_BOUND..=PRICE_BOUND).contains(&named.order.price) && named.order.quantity >= Milliwatt::ZERO
    };
    if let Some(index) = orders.iter().position(|named| !sound(named)) {
        return Err(AuctionError::Order { index });
    }
    let of = |side| (0..orders.len()).filter(move |index| orders[*index].order.side == side);
    let mut bids: Vec<usize> = of(Side::Buy).collect();
    let mut offers: Vec<usize> = of(Side::Sell).collect();
    bids.sort_by_key(|index| Reverse(orders[*index].order.price));
    offers.sort_by_key(|index| orders[*index].order.price);
    let mut left: Vec<Milliwatt> = orders.iter().map(|named| named.order.quantity).collect();
    let mut trades = Vec::new();
    for bid in bids {
        for &offer in &offers {
            if orders[offer].order.price > orders[bid].order.price || left[bid] == Milliwatt::ZERO {
                break;
            }
            let quantity = left[bid].min(left[offer]);
            if quantity > Milliwatt::ZERO && orders[bid].party != orders[offer].party {
                left[bid] -= quantity;
                left[offer] -= quantity;
                trades.push(Trade { bid, offer, quantity });
            }
        }
    }
    Ok(trades)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::PicoEurPerWh;

    /// Orders as party, side, price, quantity; expected trades as bid, offer, quantity.
    fn check(orders: &[(&str, Side, i64, i64)], expected: &[(usize, usize, i64)]) {
        let named = |(party, side, price, quantity): &(&str, Side, i64, i64)| NamedOrder {
            party: party.to_string(),
            order: Order { side: *side, price: PicoEurPerWh(*price), quantity: Milliwatt(*quantity) },
        };
        let trades = clear(&orders.iter().map(named).collect::<Vec<_>>()).unwrap();
        let got: Vec<_> = trades.iter().map(|trade| (trade.bid, trade.offer, trade.quantity.0)).collect();
        assert_eq!(got, expected);
    }

    use Side::{Buy, Sell};

    #[test]
    fn the_best_meet_first() {
        check(&[("b", Buy, 3, 20), ("a", Sell, 1, 30)], &[(0, 1, 20)]);
        check(
            &[("b", Buy, 2, 20), ("c", Buy, 4, 20), ("a", Sell, 3, 5), ("d", Sell, 1, 30)],
            &[(1, 3, 20), (0, 3, 10)],
        );
        check(&[("b", Buy, 1, 20), ("a", Sell, 2, 30)], &[]);
    }

    #[test]
    fn nobody_trades_with_itself() {
        let orders = [("b", Buy, 3, 20), ("c", Buy, 3, 20), ("a", Buy, 3, 20), ("a", Sell, 1, 70)];
        check(&orders, &[(0, 3, 20), (1, 3, 20)]);
    }

    #[test]
    fn a_negative_quantity_is_refused() {
        let order = Order { side: Buy, price: PicoEurPerWh(1), quantity: Milliwatt(-1) };
        let refused = clear(&[NamedOrder { party: "a".to_owned(), order }]);
        assert_eq!(refused, Err(AuctionError::Order { index: 0 }));
    }
}
