//! The certificate of a session: whether it is feasible and jointly optimal, in one pass and without
//! solver or curve.
//!
//! The session is one convex program whose parts touch in prices alone. So the conditions of Karush, Kuhn
//! and Tucker for the whole are those of its parts at the same prices: of every interval those of
//! [`crate::grid::certificate`], where what an order does is one more demand of which nothing is open; of
//! every order that its own schedule is feasible, and at these prices nothing else would gain
//! (`orders.rs`). Where all hold, nothing better exists.
//!
//! Orders are checked in integers alone; intervals by integers and `+ - * /` in a fixed order.

mod error;
mod orders;

pub use error::{DayAheadCertificateError, OrderRefused};
pub use orders::{check_deferrable, check_storage};
pub(super) use orders::{energy_standing, power_tolerance};

use super::clearing::{DayAheadClearing, IntervalPrices};
use super::orders::Orders;
use super::terms::DayAheadTerms;
use crate::grid::certificate::{GridClearing, LineFlow, Multipliers};
use crate::grid::rules::PlacedDemand;
use crate::share::Demand;
use crate::supply::SupplyCurve;
use crate::units::{Milliwatt, PicoEurPerWh};
use DayAheadCertificateError as Error;

/// Checks a session: `supplies` and `demands` have an element for each interval, a demand for each
/// party's curves at a place.
///
/// # Errors
/// The first condition that fails.
pub fn check(
    terms: &DayAheadTerms,
    supplies: &[SupplyCurve],
    orders: &Orders,
    clearing: &DayAheadClearing,
    demands: &[Vec<PlacedDemand>],
) -> Result<(), Error> {
    check_shape(terms, supplies.len(), orders, clearing, demands.len())?;
    let intervals = supplies.len();
    for (index, (order, award)) in orders.storages.iter().zip(&clearing.storages).enumerate() {
        let prices = prices_at(clearing, order.place);
        orders::check_storage(terms, &order.order, award, &prices)
            .map_err(|source| Error::Storage { index, source })?;
    }
    for (index, (order, award)) in orders.deferrables.iter().zip(&clearing.deferrables).enumerate() {
        let prices = prices_at(clearing, order.place);
        orders::check_deferrable(terms, &order.order, award, &prices)
            .map_err(|source| Error::Deferrable { index, source })?;
    }
    for interval in 0..intervals {
        let mut all = demands[interval].clone();
        all.extend(taken_by_orders(orders, clearing, interval));
        let whole = expand(terms, &clearing.intervals[interval], &all);
        let checked = terms.grid().check(&supplies[interval], &whole, &all);
        checked.map_err(|source| Error::Interval { interval, source })?;
    }
    Ok(())
}

/// An interval's clearing whole: with flows and import added up from all that is taken, orders among it. A
/// sum that leaves 64 bits saturates, and the certificate refuses it.
pub fn expand(terms: &DayAheadTerms, published: &IntervalPrices, demands: &[PlacedDemand]) -> GridClearing {
    let grid = terms.grid();
    let parent = &grid.network.parent;
    let planned =
        grid.reactive.iter().map(|reactive| LineFlow { power: Milliwatt::ZERO, reactive: *reactive });
    let mut flows: Vec<LineFlow> = planned.collect();
    for demand in demands {
        if let Some(flow) = flows.get_mut(demand.place) {
            flow.power.0 = flow.power.0.saturating_add(demand.allocation.0);
        }
    }
    for place in (1..flows.len()).rev() {
        let LineFlow { power, reactive } = flows[place];
        let above = &mut flows[parent[place]];
        above.power.0 = above.power.0.saturating_add(power.0);
        above.reactive.0 = above.reactive.0.saturating_add(reactive.0);
    }
    let import = flows.first_mut().map(std::mem::take).unwrap_or_default();
    let mut multipliers = vec![Multipliers::default(); flows.len()];
    for (place, worth) in &published.binding {
        if let Some(multiplier) = multipliers.get_mut(*place as usize) {
            *multiplier = *worth;
        }
    }
    GridClearing {
        import: import.power,
        import_reactive: import.reactive,
        prices: published.prices.clone(),
        reactive_prices: published.reactive_prices.clone(),
        flows,
        multipliers,
        reserve_up_price: PicoEurPerWh::ZERO,
        reserve_down_price: PicoEurPerWh::ZERO,
    }
}

/// What all orders take in an interval, by place: one demand for each that has any, of which nothing is
/// open.
pub fn taken_by_orders(orders: &Orders, clearing: &DayAheadClearing, interval: usize) -> Vec<PlacedDemand> {
    let storages = orders.storages.iter().zip(&clearing.storages);
    let storages = storages.map(|(order, award)| (order.place, award.power(interval)));
    let deferrables = orders.deferrables.iter().zip(&clearing.deferrables);
    let deferrables =
        deferrables.map(|(order, award)| (order.place, award.power(order.order.start, interval)));
    let mut taken: Vec<(usize, Milliwatt)> = storages.chain(deferrables).collect();
    taken.sort_by_key(|(place, _)| *place);
    let mut demands: Vec<PlacedDemand> = Vec::new();
    for (place, power) in taken {
        let fixed =
            |power| PlacedDemand { place, range: Demand { low: power, high: power }, allocation: power };
        match demands.last_mut().filter(|last| last.place == place) {
            Some(last) => *last = fixed(Milliwatt(last.allocation.0.saturating_add(power.0))),
            None => demands.push(fixed(power)),
        }
    }
    demands
}

fn prices_at(clearing: &DayAheadClearing, place: usize) -> Vec<PicoEurPerWh> {
    let at = |interval: &IntervalPrices| interval.prices.get(place).copied().unwrap_or_default();
    clearing.intervals.iter().map(at).collect()
}

fn check_shape(
    terms: &DayAheadTerms,
    intervals: usize,
    orders: &Orders,
    clearing: &DayAheadClearing,
    demands: usize,
) -> Result<(), Error> {
    let long = |what, count: usize, expected: usize| match count == expected {
        true => Ok(()),
        false => Err(Error::Shape { what, count, expected }),
    };
    let places = terms.grid().network.parent.len();
    long("supplies", intervals.min(1), 1)?;
    long("intervals", clearing.intervals.len(), intervals)?;
    long("demands", demands, intervals)?;
    long("storage awards", clearing.storages.len(), orders.storages.len())?;
    long("deferrable awards", clearing.deferrables.len(), orders.deferrables.len())?;
    for published in &clearing.intervals {
        long("prices", published.prices.len(), places)?;
        long("reactive prices", published.reactive_prices.len(), places)?;
        let rising = published.binding.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let known = published.binding.last().is_none_or(|(place, _)| (*place as usize) < places);
        if !rising || !known {
            return Err(Error::Binding);
        }
    }
    let storages = orders.storages.iter().map(|order| order.place);
    let deferrables = orders.deferrables.iter().map(|order| order.place);
    match storages.chain(deferrables).find(|place| *place >= places) {
        Some(place) => Err(Error::UnknownPlace { place }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
