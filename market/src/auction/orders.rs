//! The double auction: orders to buy or sell up to a quantity at a price or better, cleared at one
//! uniform price and the largest volume.
//!
//! An order is a curve with one vertical step, so this is the clearing of a feeder with one bus and
//! no import: the price is the midpoint of the interval that supports the largest volume, or its
//! finite end where nobody's price bounds the other ([`crate::clearing`]).

use crate::clearing::book::{Book, BookError};
use crate::clearing::{engine, Infeasible, PriceRange};
use crate::curve::Breakpoint;
use crate::feeder::{Feeder, Tree};
use crate::share::{split, Demand};
use crate::supply::SupplyCurve;
use crate::units::{Milliwatt, PicoEurPerWh, PRICE_BOUND};
use thiserror::Error;

/// Which way an order trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Takes power, at its price or less.
    Buy,
    /// Delivers power, at its price or more.
    Sell,
}

/// One order, divisible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Buy or sell; the other of the two where the quantity is negative.
    pub side: Side,
    /// Highest price paid, or lowest taken.
    pub price: PicoEurPerWh,
    /// Most power traded.
    pub quantity: Milliwatt,
}

/// What came of the orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auction {
    /// The one price.
    pub price: PicoEurPerWh,
    /// Power bought, which is the power sold.
    pub quantity: Milliwatt,
    /// What each order traded, never negative; orders at exactly the price share what is left.
    pub fills: Vec<Milliwatt>,
}

/// Why orders can't be cleared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuctionError {
    /// A price beyond [`PRICE_BOUND`], or a quantity that has no opposite.
    #[error("order {index}: its price or quantity is out of bounds")]
    Order {
        /// Place of the order, from 0.
        index: usize,
    },
    /// The price cap is not more than 0 and at most [`PRICE_BOUND`].
    #[error("the price cap {cap} is not more than 0 and at most {PRICE_BOUND}")]
    Cap {
        /// The cap.
        cap: PicoEurPerWh,
    },
    /// Quantities too large to be added.
    #[error(transparent)]
    Book(#[from] BookError),
}

/// Clears orders. Prices lie within `cap` either way ([`PRICE_BOUND`] where none is given). Orders
/// to buy at the cap or to sell at minus the cap are unresponsive: they trade at any price and set
/// none, unless they alone are too many to be served, which is what the cap is for.
///
/// # Errors
/// See [`AuctionError`].
pub fn clear(orders: &[Order], cap: Option<PicoEurPerWh>) -> Result<Auction, AuctionError> {
    let cap = cap.unwrap_or(PRICE_BOUND);
    if cap <= PicoEurPerWh::ZERO || cap > PRICE_BOUND {
        return Err(AuctionError::Cap { cap });
    }
    let normal = |(index, order)| normalise(index, order, cap);
    let orders: Vec<Order> = orders.iter().enumerate().map(normal).collect::<Result<_, _>>()?;
    let price = price(&orders, cap)?;
    let ranges = |side: Side| -> Vec<Demand> {
        let of = |order: &Order| if order.side == side { traded(order, price) } else { Demand::default() };
        orders.iter().map(of).collect()
    };
    let (bought, sold) = (ranges(Side::Buy), ranges(Side::Sell));
    let most = |ranges: &[Demand]| ranges.iter().map(|range| range.high).sum::<Milliwatt>();
    let quantity = most(&bought).min(most(&sold));
    let share = |ranges: &[Demand]| split(quantity, ranges).unwrap_or_default();
    let fills = share(&bought).into_iter().zip(share(&sold)).map(|(buy, sell)| buy + sell).collect();
    Ok(Auction { price, quantity, fills })
}

fn normalise(index: usize, order: &Order, cap: PicoEurPerWh) -> Result<Order, AuctionError> {
    let sound = (-PRICE_BOUND..=PRICE_BOUND).contains(&order.price);
    let quantity = order.quantity.0.checked_abs().filter(|_| sound).map(Milliwatt);
    let quantity = quantity.ok_or(AuctionError::Order { index })?;
    let side = match (order.side, order.quantity < Milliwatt::ZERO) {
        (Side::Buy, false) | (Side::Sell, true) => Side::Buy,
        (Side::Sell, false) | (Side::Buy, true) => Side::Sell,
    };
    Ok(Order { side, price: order.price.clamp(-cap, cap), quantity })
}

/// What an order may trade at a price: all, none, or at its own price anything between.
fn traded(order: &Order, price: PicoEurPerWh) -> Demand {
    let (all, better) = (
        order.quantity,
        match order.side {
            Side::Buy => order.price.cmp(&price),
            Side::Sell => price.cmp(&order.price),
        },
    );
    match better {
        std::cmp::Ordering::Greater => Demand { low: all, high: all },
        std::cmp::Ordering::Equal => Demand { low: Milliwatt::ZERO, high: all },
        std::cmp::Ordering::Less => Demand::default(),
    }
}

fn price(orders: &[Order], cap: PicoEurPerWh) -> Result<PicoEurPerWh, AuctionError> {
    let mut book = Book::new(1);
    for order in orders {
        let (high, low) = match order.side {
            Side::Buy => (order.quantity, Milliwatt::ZERO),
            Side::Sell => (Milliwatt::ZERO, -order.quantity),
        };
        let point = |power| Breakpoint { price: order.price, power };
        match order.side {
            Side::Buy if order.price == cap => book.push(0, &[point(high)])?,
            Side::Sell if order.price == -cap => book.push(0, &[point(low)])?,
            _ => book.push(0, &[point(high), point(low)])?,
        }
    }
    let bus = "market".to_owned();
    let feeder = Feeder { voltage_millivolt: 0, root: bus.clone(), buses: vec![bus], lines: Vec::new() };
    let tree = Tree { order: vec![0], parent: vec![0], line: vec![0], place: vec![0] };
    let range = PriceRange::new(-cap, cap).ok_or(AuctionError::Cap { cap })?;
    Ok(match engine::clear(&feeder, &tree, &SupplyCurve::none(), &book, range) {
        Ok(clearing) => clearing.prices[0],
        // More is bought, or sold, at any price than there is to trade with: the cap is the price.
        Err(Infeasible::SupplyMax { .. } | Infeasible::LineMax { .. }) => cap,
        Err(Infeasible::SupplyMin { .. } | Infeasible::LineMin { .. }) => -cap,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: PicoEurPerWh = PicoEurPerWh(9_999);

    /// Orders as side, price, quantity; expected are price and fills.
    fn check(orders: &[(Side, i64, i64)], expected: (i64, &[i64])) {
        let order = |(side, price, quantity): &(Side, i64, i64)| Order {
            side: *side,
            price: PicoEurPerWh(*price),
            quantity: Milliwatt(*quantity),
        };
        let orders: Vec<Order> = orders.iter().map(order).collect();
        let got = clear(&orders, Some(CAP)).unwrap();
        let fills: Vec<i64> = got.fills.iter().map(|fill| fill.0).collect();
        assert_eq!((got.price.0, fills.as_slice()), expected);
    }

    use Side::{Buy, Sell};

    #[test]
    fn orders_at_exactly_the_price_share_what_is_left() {
        check(&[(Buy, 40, 4), (Buy, 40, 2), (Sell, 30, 3)], (40, &[2, 1, 3]));
    }

    #[test]
    fn equal_prices_trade() {
        check(&[(Buy, 40, 4), (Sell, 40, 6)], (40, &[4, 4]));
    }

    #[test]
    fn between_the_marginal_buyer_and_seller_lies_the_midpoint() {
        check(&[(Buy, 30, 5), (Sell, 20, 5), (Sell, 45, 5)], (25, &[5, 5, 0]));
        check(&[(Buy, 54, 5), (Sell, 70, 5)], (62, &[0, 0]));
    }

    #[test]
    fn unresponsive_orders_set_no_price_unless_they_are_too_many() {
        check(&[(Buy, 9_999, 5), (Sell, 20, 5)], (20, &[5, 5]));
        check(&[(Buy, 9_999, 6), (Sell, 20, 5)], (9_999, &[5, 5]));
        check(&[(Sell, -9_999, 6), (Buy, 20, 5)], (-9_999, &[5, 5]));
    }

    #[test]
    fn a_negative_quantity_flips_the_side() {
        check(&[(Sell, 30, -5), (Buy, 20, -5)], (25, &[5, 5]));
    }

    #[test]
    fn nothing_trades_where_nobody_stands_on_the_other_side() {
        check(&[(Buy, 63, 5), (Buy, 47, 5)], (63, &[0, 0]));
        check(&[(Sell, 63, 5), (Sell, 47, 5)], (47, &[0, 0]));
        check(&[], (0, &[]));
    }

    #[test]
    fn what_is_no_order_is_refused() {
        let order =
            |price, quantity| Order { side: Buy, price: PicoEurPerWh(price), quantity: Milliwatt(quantity) };
        assert_eq!(clear(&[order(i64::MIN, 1)], None), Err(AuctionError::Order { index: 0 }));
        assert_eq!(clear(&[order(0, i64::MIN)], None), Err(AuctionError::Order { index: 0 }));
        assert_eq!(clear(&[order(0, i64::MAX)], None), Err(AuctionError::Book(BookError::TooLarge)));
        let cap = PicoEurPerWh::ZERO;
        assert_eq!(clear(&[], Some(cap)), Err(AuctionError::Cap { cap }));
    }
}
