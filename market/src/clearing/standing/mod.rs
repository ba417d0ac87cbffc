//! A standing book: cleared once, and cleared again at a fraction of the cost whenever one bid changes.
//!
//! Two things make that quick. Every bus's demand is kept at each tick near its price, exactly
//! ([`near`]). And a line that carries its limit keeps a change on one side from the other ([`zone`]), so
//! that only the zone of the changed bid is priced again. Where that does not tell (a line reaches its
//! limit or leaves it, a price moves beyond what is kept), the whole book is cleared by
//! [`super::engine`]. The outcome is the same, figure for figure.

mod meet;
mod near;
mod zone;

use super::book::{Book, BookError};
use super::engine;
use super::levels::Grounds;
use super::packed::{pack, Curve, Packed};
use super::sweep::each;
use super::{Clearing, Infeasible, PriceRange};
use crate::curve::Breakpoint;
use crate::feeder::{Feeder, Tree};
use crate::share::{split, Demand};
use crate::supply::SupplyCurve;
use crate::units::Milliwatt;
use near::Near;
use thiserror::Error;
use zone::Zones;

/// What is kept and what is looked up anew.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Zones of no more sites than this are added up curve by curve; nothing is kept for them.
    few_sites: usize,
    /// Demand is kept as far from a zone's price as moves it by so many times the longest fall of any
    /// curve between two breakpoints, ...
    falls: i64,
    /// ... and so many ticks at most.
    ticks_max: i64,
}

const EFFORT: Effort = Effort { few_sites: 8_192, falls: 32, ticks_max: 1 << 15 };

/// Ticks over which a zone's slope is measured, either way.
const SLOPE_TICKS: i64 = 4_096;

/// Why a bid was not replaced. The standing book is as before then.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplaceError {
    /// The bid fits no book.
    #[error("replacing the bid of site {site}: {source}")]
    Book {
        /// The site.
        site: usize,
        /// Why.
        source: BookError,
    },
    /// With the bid no price meets every limit.
    #[error("with the new bid of site {site}: {source}")]
    Infeasible {
        /// The site.
        site: usize,
        /// The limit.
        source: Infeasible,
    },
}

/// How a changed bid was cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recleared {
    /// From what is kept: only the zone of the bid was priced again.
    Zone,
    /// From every curve.
    Whole,
}

/// Bids, what they clear to, and what it takes to clear them again.
#[derive(Clone, Debug)]
pub struct Standing {
    feeder: Feeder,
    tree: Tree,
    supply: SupplyCurve,
    book: Book,
    range: PriceRange,
    effort: Effort,
    clearing: Clearing,
    /// None where not every zone's prices are known, so that nothing can be said of one alone.
    zones: Option<Zones>,
    /// By bus.
    near: Vec<Option<Near>>,
}

impl Standing {
    /// Clears a book and looks ahead. `tree` is the feeder's.
    ///
    /// # Errors
    /// [`Infeasible`] names the limit that no price in the range meets.
    pub fn new(
        feeder: Feeder,
        tree: Tree,
        supply: SupplyCurve,
        book: Book,
        range: PriceRange,
    ) -> Result<Self, Infeasible> {
        let clearing = engine::clear(&feeder, &tree, &supply, &book, range)?;
        let near = vec![None; feeder.buses.len()];
        let effort = EFFORT;
        let mut standing = Self { feeder, tree, supply, book, range, effort, clearing, zones: None, near };
        standing.look_ahead();
        Ok(standing)
    }

    /// What the bids clear to.
    pub fn clearing(&self) -> &Clearing {
        &self.clearing
    }

    /// The bids.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// What a site takes of the clearing, as [`engine::dispatch`] would say; none where there is no such
    /// site. A step at exactly the price is shared with the other sites of the bus, so only where the
    /// site has one is any other looked at.
    pub fn site(&self, site: usize) -> Option<Milliwatt> {
        let bus = self.book.bus_of(site)?;
        let range = self.book.demand_at(site, self.clearing.prices[bus]);
        if range.step() == Milliwatt::ZERO {
            return Some(range.low);
        }
        self.dispatch_at(bus)?.get(site - self.book.sites_at(bus).start).copied()
    }

    /// What each site of a bus takes, in the book's order; none where there is no such bus.
    pub fn dispatch_at(&self, bus: usize) -> Option<Vec<Milliwatt>> {
        let (price, allocation) = (self.clearing.prices.get(bus)?, self.clearing.allocations.get(bus)?);
        let ranges: Vec<Demand> =
            self.book.sites_at(bus).map(|site| self.book.demand_at(site, *price)).collect();
        split(*allocation, &ranges)
    }

    /// Puts another bid in the place of a site's, and clears again.
    ///
    /// # Errors
    /// Where the bid fits no book, or no price meets every limit with it.
    pub fn replace(&mut self, site: usize, points: &[Breakpoint]) -> Result<Recleared, ReplaceError> {
        let book_error = |source| ReplaceError::Book { site, source };
        let bus = self.book.bus_of(site).ok_or(book_error(BookError::NoSite { site }))?;
        let before = self.book.points(site);
        self.put(bus, site, &before, points).map_err(book_error)?;
        if self.reprice(bus).is_some() {
            return Ok(Recleared::Zone);
        }
        match engine::clear(&self.feeder, &self.tree, &self.supply, &self.book, self.range) {
            Ok(clearing) => {
                self.clearing = clearing;
                self.zones = self.found_zones();
                Ok(Recleared::Whole)
            }
            Err(source) => {
                self.put(bus, site, points, &before).map_err(book_error)?;
                Err(ReplaceError::Infeasible { site, source })
            }
        }
    }

    /// Work to be done while nothing waits: adds up what buses take at every tick near their prices,
    /// where prices have moved away from what is kept. Gives the buses added up; none as a rule. Left
    /// undone it changes no figure, but sooner or later every change is cleared from every curve.
    pub fn look_ahead(&mut self) -> usize {
        let zones = Zones::of(&self.grounds(), &self.clearing);
        let mut windows = Vec::new();
        for zone in &zones.zones {
            let buses: Vec<usize> = zone.places.iter().map(|place| self.tree.order[*place]).collect();
            windows.extend(self.windows_to_keep(&buses));
            if self.sites(&buses) <= self.effort.few_sites {
                buses.iter().for_each(|bus| self.near[*bus] = None);
            }
        }
        let count = windows.len();
        let book = &self.book;
        let found = each(book, windows, |(bus, window)| (bus, Near::of(book, book.sites_at(bus), window)));
        found.into_iter().for_each(|(bus, near)| self.near[bus] = Some(near));
        if count > 0 || self.zones.is_none() {
            self.zones = self.found_zones();
        }
        count
    }

    fn grounds(&self) -> Grounds<'_> {
        Grounds { feeder: &self.feeder, tree: &self.tree, supply: &self.supply }
    }

    /// Replaces a bid in the book and in what is kept of its bus.
    fn put(
        &mut self,
        bus: usize,
        site: usize,
        before: &[Breakpoint],
        after: &[Breakpoint],
    ) -> Result<(), BookError> {
        self.book.replace(site, after)?;
        if let Some(near) = &mut self.near[bus] {
            let packed: Vec<i64> = pack(before, |figure| figure).collect();
            near.change(Packed::Wide(Curve::of(&packed, before.len())), self.book.curve(site));
        }
        Ok(())
    }

    /// Prices the zone of a bus again. None where that can't be told from the zone alone.
    fn reprice(&mut self, bus: usize) -> Option<()> {
        let zones = self.zones.as_ref()?;
        let zone = zones.of_place[self.tree.place[bus]];
        let prices = self.zone_prices(zones, zone)?;
        let demand = |bus, tick| self.demand(bus, tick);
        let repriced = zones.repriced(&self.grounds(), zone, &demand, prices)?;
        let grounds = Grounds { feeder: &self.feeder, tree: &self.tree, supply: &self.supply };
        self.zones.as_mut()?.enter(&grounds, zone, &repriced, &mut self.clearing);
        Some(())
    }

    /// The clearing's zones with their prices; none where one can't be told from itself and its
    /// neighbours.
    fn found_zones(&self) -> Option<Zones> {
        let grounds = self.grounds();
        let mut zones = Zones::of(&grounds, &self.clearing);
        for zone in 0..zones.zones.len() {
            zones.zones[zone].prices = self.zone_prices(&zones, zone)?;
        }
        for (zone, here) in zones.zones.iter().enumerate() {
            let demand = |bus, tick| self.demand(bus, tick);
            let repriced = zones.repriced(&grounds, zone, &demand, here.prices)?;
            if repriced.price != self.price_at(here.places[0]) {
                return None;
            }
        }
        Some(zones)
    }

    fn zone_prices(&self, zones: &Zones, zone: usize) -> Option<(i64, i64)> {
        let places = &zones.zones[zone].places;
        let mut reach = (self.range.min().0, self.range.max().0 + 1);
        let mut added_up = 0;
        for bus in places.iter().map(|place| self.tree.order[*place]) {
            match &self.near[bus] {
                Some(near) => reach = (reach.0.max(near.window().0), reach.1.min(near.window().1)),
                None => added_up += self.book.sites_at(bus).len(),
            }
        }
        if added_up > self.effort.few_sites || reach.0 >= reach.1 {
            return None;
        }
        let start = self.price_at(places[0]);
        zones.prices(&self.grounds(), zone, &|bus, tick| self.demand(bus, tick), start, reach)
    }

    fn sites(&self, buses: &[usize]) -> usize {
        buses.iter().map(|bus| self.book.sites_at(*bus).len()).sum()
    }

    fn price_at(&self, place: usize) -> i64 {
        self.clearing.prices[self.tree.order[place]].0
    }

    /// What a bus takes at a tick: as kept, or added up where nothing is kept of it.
    fn demand(&self, bus: usize, tick: i64) -> Option<i64> {
        match &self.near[bus] {
            Some(near) => near.at(tick),
            None => Some(self.book.power_at_bus(bus, tick)),
        }
    }

    /// The windows to add up for a zone's buses: none where what is kept still reaches far enough.
    fn windows_to_keep(&self, buses: &[usize]) -> Vec<(usize, (i64, i64))> {
        let price = self.clearing.prices[buses[0]].0;
        let inhabited = buses.iter().filter(|bus| !self.book.sites_at(**bus).is_empty());
        if self.sites(buses) <= self.effort.few_sites {
            return Vec::new();
        }
        let (first, last) = (self.range.min().0, self.range.max().0 + 1);
        let far_enough = |near: &Near| {
            let (from, to) = near.window();
            let quarter = (to - from) / 4;
            (from == first || price - from >= quarter) && (to == last || to - price >= quarter)
        };
        if inhabited.clone().all(|bus| self.near[*bus].as_ref().is_some_and(far_enough)) {
            return Vec::new();
        }
        let sum = |tick: i64| -> i64 { buses.iter().map(|bus| self.book.power_at_bus(*bus, tick)).sum() };
        let fall = (sum(price - SLOPE_TICKS) - sum(price + SLOPE_TICKS)).max(1) as i128;
        let reach =
            i128::from(self.effort.falls) * i128::from(self.book.fall_max()) * 2 * i128::from(SLOPE_TICKS);
        let ticks = (reach / fall).clamp(2, self.effort.ticks_max.into()) as i64;
        let window = ((price - ticks).max(first), (price + ticks).min(last));
        inhabited.map(|bus| (*bus, window)).collect()
    }
}

#[cfg(test)]
mod tests;
