//! Many sites' curves in a few flat arrays, bus by bus: what [`super::engine`] reads.

use super::piece::Piece;
use crate::clearing::Clearing;
use crate::curve::Breakpoint;
use crate::share::{split, Demand};
use crate::units::{Milliwatt, PicoEurPerWh};
use std::ops::Range;
use thiserror::Error;

/// Largest sum of magnitudes over all sites, so that no sum up the tree overflows.
const SUM_BOUND: i64 = i64::MAX / 8;

/// Why a site can't be added.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BookError {
    /// Sites come in order of their bus.
    #[error("a site at bus {bus} after one at bus {after}, or a bus that does not exist")]
    Order {
        /// The site's bus.
        bus: usize,
        /// The last site's.
        after: usize,
    },
    /// No breakpoint, or breakpoints that are no curve.
    #[error("the breakpoints are no curve")]
    NoCurve,
    /// All sites' powers together are too large to be added.
    #[error("the sites' powers are too large to be added")]
    TooLarge,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    count: u32,
}

/// Curves by site, in order of bus, without an allocation for each.
#[derive(Clone, Debug)]
pub struct Book {
    prices: Vec<i64>,
    powers: Vec<i64>,
    /// For each site, where its breakpoints begin and how many they are.
    spans: Vec<Span>,
    /// For each bus, how many sites stand at it and before it.
    sites_to: Vec<usize>,
    /// For each bus, the most and the least its sites take together at any price.
    ends_of_bus: Vec<(i64, i64)>,
    /// Lowest and highest price of any breakpoint.
    price_span: Option<(i64, i64)>,
    magnitude: i64,
    /// The longest fall from one breakpoint to the next.
    fall_max: i64,
}

impl Book {
    /// An empty book for a feeder of `buses` buses.
    pub fn new(buses: usize) -> Self {
        Self {
            prices: Vec::new(),
            powers: Vec::new(),
            spans: Vec::new(),
            sites_to: Vec::new(),
            ends_of_bus: vec![(0, 0); buses],
            price_span: None,
            magnitude: 0,
            fall_max: 0,
        }
    }

    /// Adds a site at the bus of index `bus`: its curve's breakpoints, in order of price.
    ///
    /// # Errors
    /// Where `bus` lies before that of an earlier site, the breakpoints are no curve, or powers grow
    /// beyond what can be added. The book is as before then.
    pub fn push(&mut self, bus: usize, points: &[Breakpoint]) -> Result<(), BookError> {
        let after = self.sites_to.len().saturating_sub(1);
        if bus < after || bus >= self.ends_of_bus.len() {
            return Err(BookError::Order { bus, after });
        }
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return Err(BookError::NoCurve);
        };
        let falls = |pair: &[Breakpoint]| pair[0].price <= pair[1].price && pair[0].power >= pair[1].power;
        if !points.windows(2).all(falls) {
            return Err(BookError::NoCurve);
        }
        let (start, count) = (u32::try_from(self.prices.len()), u32::try_from(points.len()));
        let (Ok(start), Ok(count)) = (start, count) else { return Err(BookError::TooLarge) };
        let span = Span { start, count };
        let magnitude = first.power.0.unsigned_abs().max(last.power.0.unsigned_abs());
        let magnitude = i64::try_from(magnitude).ok().and_then(|m| self.magnitude.checked_add(m));
        self.magnitude = magnitude.filter(|m| *m <= SUM_BOUND).ok_or(BookError::TooLarge)?;
        for pair in points.windows(2) {
            self.fall_max = self.fall_max.max(pair[0].power.0 - pair[1].power.0);
        }
        let ends = &mut self.ends_of_bus[bus];
        *ends = (ends.0 + first.power.0, ends.1 + last.power.0);
        let (low, high) = self.price_span.unwrap_or((first.price.0, last.price.0));
        self.price_span = Some((low.min(first.price.0), high.max(last.price.0)));
        self.sites_to.resize(bus + 1, self.spans.len());
        self.sites_to[bus] += 1;
        self.prices.extend(points.iter().map(|p| p.price.0));
        self.powers.extend(points.iter().map(|p| p.power.0));
        self.spans.push(span);
        Ok(())
    }

    /// Sites in the book.
    pub fn sites(&self) -> usize {
        self.spans.len()
    }

    /// Breakpoints in the book.
    pub fn breakpoints(&self) -> usize {
        self.prices.len()
    }

    /// Sum of magnitudes over all sites.
    pub(crate) fn magnitude(&self) -> i64 {
        self.magnitude
    }

    /// The sites at a bus.
    pub(crate) fn sites_at(&self, bus: usize) -> Range<usize> {
        let to = |bus: usize| self.sites_to.get(bus).copied().unwrap_or(self.spans.len());
        (if bus == 0 { 0 } else { to(bus - 1) })..to(bus)
    }

    /// A site's breakpoints: their prices and their powers, at least one of each.
    #[inline]
    pub(crate) fn curve(&self, site: usize) -> (&[i64], &[i64]) {
        let Span { start, count } = self.spans[site];
        let span = start as usize..start as usize + count as usize;
        (&self.prices[span.clone()], &self.powers[span])
    }

    /// The longest fall from one breakpoint to the next.
    pub(crate) fn fall_max(&self) -> i64 {
        self.fall_max
    }

    /// Lowest and highest price of any breakpoint.
    pub(crate) fn price_span(&self) -> Option<(i64, i64)> {
        self.price_span
    }

    /// What the sites at a bus take together at a tick.
    pub(crate) fn power_at_bus(&self, bus: usize, tick: i64) -> i64 {
        match self.price_span {
            Some((low, high)) if low < tick && tick <= high => {
                self.sites_at(bus).map(|site| self.power_at(site, tick)).sum()
            }
            Some((_, high)) if high < tick => self.ends_of_bus.get(bus).map_or(0, |ends| ends.1),
            _ => self.ends_of_bus.get(bus).map_or(0, |ends| ends.0),
        }
    }

    /// What a site may take at a price.
    pub fn demand_at(&self, site: usize, price: PicoEurPerWh) -> Demand {
        let at = |tick: i64| Milliwatt(self.power_at(site, tick));
        Demand { low: at(price.0 + 1), high: at(price.0) }
    }

    /// A site's power at a tick; as [`crate::curve::FlexCurve::power_at`].
    pub(crate) fn power_at(&self, site: usize, tick: i64) -> i64 {
        let (prices, powers) = self.curve(site);
        let next = below(prices, tick);
        if next == 0 {
            return powers[0];
        }
        if next == prices.len() {
            return powers[next - 1];
        }
        powers[next] + between(prices, powers, next).at(tick)
    }

    /// A site's power just above a price, and by how much more it takes at the price.
    #[inline]
    pub(crate) fn step_at(&self, site: usize, price: i64) -> (i64, i64) {
        let (prices, powers) = self.curve(site);
        let next = below(prices, price);
        if next == prices.len() {
            return (powers[next - 1], 0);
        }
        if prices[next] == price {
            let (low, high) = (self.power_at(site, price + 1), self.power_at(site, price));
            return (low, high - low);
        }
        if next == 0 {
            return (powers[0], 0);
        }
        let (at, step) = between(prices, powers, next).step(price);
        (powers[next] + at - step, step)
    }

    /// Splits a clearing's allocations over the sites, in the order they were added. None where the
    /// clearing does not fit this book.
    pub fn split(&self, clearing: &Clearing) -> Option<Vec<Milliwatt>> {
        let mut allocations = Vec::with_capacity(self.sites());
        for (bus, (price, allocation)) in clearing.prices.iter().zip(&clearing.allocations).enumerate() {
            let ranges: Vec<Demand> = self.sites_at(bus).map(|site| self.demand_at(site, *price)).collect();
            allocations.extend(split(*allocation, &ranges)?);
        }
        (allocations.len() == self.sites()).then_some(allocations)
    }
}

/// The stretch that ends at a breakpoint other than the first.
fn between(prices: &[i64], powers: &[i64], next: usize) -> Piece {
    Piece::between(prices[next - 1], prices[next], powers[next - 1] - powers[next])
}

/// How many of the prices, which rise, lie below a tick.
#[inline]
pub(crate) fn below(prices: &[i64], tick: i64) -> usize {
    prices.partition_point(|price| *price < tick)
}
