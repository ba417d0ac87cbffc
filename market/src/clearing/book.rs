//! Many sites' curves in a few flat arrays, bus by bus: what [`super::engine`] reads.

use super::packed::{either, figures, narrow, pack, Curve, Packed};
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
    /// There is no such site.
    #[error("there is no site {site}")]
    NoSite {
        /// The site.
        site: usize,
    },
    /// No breakpoint, or breakpoints that are no curve.
    #[error("the breakpoints are no curve")]
    NoCurve,
    /// All sites' powers together are too large to be added, or a curve has more than 65,535 breakpoints.
    #[error("the sites' powers or breakpoints are too large to be added")]
    TooLarge,
}

/// Where a site's figures lie: all its prices, then all its powers.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    breakpoints: u16,
    wide: bool,
}

/// What is counted of a curve.
struct Shape {
    first: Breakpoint,
    last: Breakpoint,
    magnitude: i64,
    fall_max: i64,
}

impl Shape {
    /// None where the breakpoints are no curve.
    fn of(points: &[Breakpoint]) -> Option<Self> {
        let (first, last) = (*points.first()?, *points.last()?);
        let falls = |pair: &[Breakpoint]| pair[0].price <= pair[1].price && pair[0].power >= pair[1].power;
        if !points.windows(2).all(falls) {
            return None;
        }
        let magnitude = first.power.0.saturating_abs().max(last.power.0.saturating_abs());
        // Of powers too large to be added the sum of magnitudes says so.
        let fall = |pair: &[Breakpoint]| pair[0].power.0.saturating_sub(pair[1].power.0);
        let fall_max = points.windows(2).map(fall).max().unwrap_or(0);
        Some(Self { first, last, magnitude, fall_max })
    }
}

/// Curves by site, in order of bus, without an allocation for each.
#[derive(Clone, Debug)]
pub struct Book {
    /// Figures of the sites whose figures all fit four bytes.
    narrow: Vec<i32>,
    /// Figures of the other sites.
    wide: Vec<i64>,
    spans: Vec<Span>,
    breakpoints: usize,
    /// Figures of curves since replaced.
    unused: usize,
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
            narrow: Vec::new(),
            wide: Vec::new(),
            spans: Vec::new(),
            breakpoints: 0,
            unused: 0,
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
        let shape = Shape::of(points).ok_or(BookError::NoCurve)?;
        let span = self.span_for(points)?;
        self.magnitude = self.with(self.magnitude, &shape)?;
        self.widen(bus, &shape);
        self.sites_to.resize(bus + 1, self.spans.len());
        self.sites_to[bus] += 1;
        self.breakpoints += points.len();
        self.append(span.wide, points);
        self.spans.push(span);
        Ok(())
    }

    /// Puts another curve in the place of a site's.
    ///
    /// # Errors
    /// Where there is no such site, the breakpoints are no curve, or powers grow beyond what can be
    /// added. The book is as before then.
    pub fn replace(&mut self, site: usize, points: &[Breakpoint]) -> Result<(), BookError> {
        let bus = self.bus_of(site).ok_or(BookError::NoSite { site })?;
        let shape = Shape::of(points).ok_or(BookError::NoCurve)?;
        let span = self.span_for(points)?;
        let old = Shape::of(&self.points(site)).ok_or(BookError::NoCurve)?;
        self.magnitude = self.with(self.magnitude - old.magnitude, &shape)?;
        let ends = &mut self.ends_of_bus[bus];
        *ends = (ends.0 - old.first.power.0, ends.1 - old.last.power.0);
        self.widen(bus, &shape);
        let before = self.spans[site];
        self.breakpoints = self.breakpoints + points.len() - usize::from(before.breakpoints);
        if (span.wide, span.breakpoints) == (before.wide, before.breakpoints) {
            self.overwrite(before, points);
            return Ok(());
        }
        self.append(span.wide, points);
        self.spans[site] = span;
        self.unused += figures(usize::from(before.breakpoints));
        if self.unused > (self.narrow.len() + self.wide.len()) / 2 {
            self.repack();
        }
        Ok(())
    }

    /// A site's breakpoints. The site must be in the book.
    pub(crate) fn points(&self, site: usize) -> Vec<Breakpoint> {
        let point = |price, power| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
        either!(self.curve(site), curve =>
            (0..curve.len()).map(|i| point(curve.price(i), curve.power(i))).collect())
    }

    /// The bus of a site.
    pub fn bus_of(&self, site: usize) -> Option<usize> {
        (site < self.spans.len()).then(|| self.sites_to.partition_point(|to| *to <= site))
    }

    /// The sum of magnitudes with one more curve.
    fn with(&self, magnitude: i64, shape: &Shape) -> Result<i64, BookError> {
        let sum = magnitude.checked_add(shape.magnitude);
        sum.filter(|sum| *sum <= SUM_BOUND).ok_or(BookError::TooLarge)
    }

    /// Counts a curve in what is known of its bus and of the whole book.
    fn widen(&mut self, bus: usize, shape: &Shape) {
        let Shape { first, last, fall_max, .. } = shape;
        self.fall_max = self.fall_max.max(*fall_max);
        let ends = &mut self.ends_of_bus[bus];
        *ends = (ends.0 + first.power.0, ends.1 + last.power.0);
        let (low, high) = self.price_span.unwrap_or((first.price.0, last.price.0));
        self.price_span = Some((low.min(first.price.0), high.max(last.price.0)));
    }

    /// Where a curve's figures would be added.
    fn span_for(&self, points: &[Breakpoint]) -> Result<Span, BookError> {
        let fits = |point: &Breakpoint| narrow(point.price.0).is_some() && narrow(point.power.0).is_some();
        let wide = !points.iter().all(fits);
        let start = if wide { self.wide.len() } else { self.narrow.len() };
        match (start.try_into(), points.len().try_into()) {
            (Ok(start), Ok(breakpoints)) => Ok(Span { start, breakpoints, wide }),
            _ => Err(BookError::TooLarge),
        }
    }

    fn append(&mut self, wide: bool, points: &[Breakpoint]) {
        if wide {
            self.wide.extend(pack(points, |figure| figure));
        } else {
            self.narrow.extend(pack(points, |figure| figure as i32));
        }
    }

    fn overwrite(&mut self, span: Span, points: &[Breakpoint]) {
        let start = span.start as usize;
        if span.wide {
            self.wide[start..]
                .iter_mut()
                .zip(pack(points, |figure| figure))
                .for_each(|(old, new)| *old = new);
        } else {
            let packed = pack(points, |figure| figure as i32);
            self.narrow[start..].iter_mut().zip(packed).for_each(|(old, new)| *old = new);
        }
    }

    /// Leaves out the figures that replaced curves left behind.
    fn repack(&mut self) {
        let (narrow, wide) = (std::mem::take(&mut self.narrow), std::mem::take(&mut self.wide));
        for span in &mut self.spans {
            let start = span.start as usize;
            let figures = start..start + figures(usize::from(span.breakpoints));
            // No longer than before, when the start fitted.
            if span.wide {
                span.start = self.wide.len() as u32;
                self.wide.extend_from_slice(&wide[figures]);
            } else {
                span.start = self.narrow.len() as u32;
                self.narrow.extend_from_slice(&narrow[figures]);
            }
        }
        self.unused = 0;
    }

    /// Sites in the book.
    pub fn sites(&self) -> usize {
        self.spans.len()
    }

    /// Breakpoints in the book.
    pub fn breakpoints(&self) -> usize {
        self.breakpoints
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

    /// A site's curve.
    #[inline]
    pub(crate) fn curve(&self, site: usize) -> Packed<'_> {
        let Span { start, breakpoints, wide } = self.spans[site];
        let breakpoints = usize::from(breakpoints);
        let span = start as usize..start as usize + figures(breakpoints);
        if wide {
            Packed::Wide(Curve::of(&self.wide[span], breakpoints))
        } else {
            Packed::Narrow(Curve::of(&self.narrow[span], breakpoints))
        }
    }

    /// The longest fall from one breakpoint to the next.
    pub(crate) fn fall_max(&self) -> i64 {
        self.fall_max
    }

    /// Lowest and highest price of any breakpoint.
    pub(crate) fn price_span(&self) -> Option<(i64, i64)> {
        self.price_span
    }

    /// The most and the least a site takes at any price.
    #[inline]
    pub(crate) fn ends(&self, site: usize) -> (i64, i64) {
        either!(self.curve(site), curve => (curve.power(0), curve.power(curve.len() - 1)))
    }

    /// The most and the least the sites at a bus take together at any price.
    pub(crate) fn ends_of(&self, bus: usize) -> (i64, i64) {
        self.ends_of_bus.get(bus).copied().unwrap_or((0, 0))
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
    #[inline]
    pub(crate) fn power_at(&self, site: usize, tick: i64) -> i64 {
        either!(self.curve(site), curve => curve.power_at(tick))
    }

    /// A site's power just above a price, and by how much more it takes at the price.
    #[inline]
    pub(crate) fn step_at(&self, site: usize, price: i64) -> (i64, i64) {
        either!(self.curve(site), curve => curve.step_at(price))
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
