//! Orders to buy and sell: at one uniform price, or each trade at its bid's.

use super::super::refusal::Refusal;
use super::price;
use market::auction::orders::{self as uniform, Order, Side};
use market::auction::pay_as_bid::{self, NamedOrder, Trade};
use market::units::Milliwatt;
use serde::de::IgnoredAny;
use serde::Deserialize;
use serde_json::{json, Value};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    id: String,
    bids: Vec<Bid>,
    #[serde(default)]
    pricecap: Option<f64>,
    #[serde(default, rename = "tolerance")]
    _tolerance: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bid {
    #[serde(default)]
    id: Option<Value>,
    #[serde(default)]
    who: Option<String>,
    side: BidSide,
    price: f64,
    qty: f64,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BidSide {
    Buy,
    Sell,
}

impl BidSide {
    /// Whether this is an offer.
    pub fn sells(self) -> bool {
        matches!(self, Self::Sell)
    }
}

/// Clears a case, each trade at its bid's price where orders carry their party's name.
pub fn clear(place: &str, case: Case) -> Result<Value, Refusal> {
    let orders = orders(place, &case.bids)?;
    if case.bids.iter().any(|bid| bid.who.is_some()) {
        return pair_by_pair(place, &case, &orders);
    }
    let cap = case.pricecap.map(|cap| price(format!("{place}.pricecap"), cap)).transpose()?;
    let auction = uniform::clear(&orders, cap).map_err(|error| Refusal::invalid(place, error))?;
    let fills: Vec<f64> = auction.fills.iter().map(|fill| fill.kw()).collect();
    Ok(json!({
        "id": case.id,
        "price": auction.price.eur_per_mwh(),
        "quantity": auction.quantity.kw(),
        "fills": fills,
    }))
}

fn orders(place: &str, bids: &[Bid]) -> Result<Vec<Order>, Refusal> {
    let order = |(i, bid): (usize, &Bid)| {
        let place = format!("{place}.bids[{i}]");
        let side = match bid.side {
            BidSide::Buy => Side::Buy,
            BidSide::Sell => Side::Sell,
        };
        let quantity = Milliwatt::from_kw(bid.qty);
        let quantity = quantity.ok_or_else(|| Refusal::invalid(&place, "the quantity is out of bounds"))?;
        Ok(Order { side, price: price(place, bid.price)?, quantity })
    };
    bids.iter().enumerate().map(order).collect()
}

/// Pay as bid: who trades with whom, at what price.
fn pair_by_pair(place: &str, case: &Case, orders: &[Order]) -> Result<Value, Refusal> {
    let named = |(i, (bid, order)): (usize, (&Bid, &Order))| match &bid.who {
        Some(party) => Ok(NamedOrder { party: party.clone(), order: *order }),
        None => Err(Refusal::invalid(format!("{place}.bids[{i}].who"), "it is missing, and others have one")),
    };
    let named: Vec<NamedOrder> =
        case.bids.iter().zip(orders).enumerate().map(named).collect::<Result<_, _>>()?;
    let trades = pay_as_bid::clear(&named).map_err(|error| Refusal::invalid(place, error))?;
    let name = |i: usize| case.bids[i].id.clone().unwrap_or_else(|| json!(i));
    let trade = |trade: &Trade| {
        json!({
            "bid": name(trade.bid),
            "offer": name(trade.offer),
            "qty": trade.quantity.kw(),
            "price": orders[trade.bid].price.eur_per_mwh(),
        })
    };
    Ok(json!({ "id": case.id, "trades": trades.iter().map(trade).collect::<Vec<_>>() }))
}
