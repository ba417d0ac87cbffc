//! One street: its sites below one transformer, with a clearing of their own within the limits of its
//! lines. To the market above, it is one party that bids its net demand.

use super::equipment::Surroundings;
use super::error::SimulateError;
use super::figures::{beyond_rating, IntervalFigures};
use super::household::Counted;
use super::population::{Shape, StreetPlan};
use super::service::Service;
use super::site::{Site, Terms};
use agents::device::Outlook;
use market::clearing::corners::{self, SiteCurve};
use market::clearing::{Clearing, PriceRange};
use market::curve::Breakpoint;
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use market::share::{split, Demand};
use market::supply::SupplyCurve;
use market::units::{Millijoule, Milliwatt, PicoEurPerWh, POWER_BOUND};
use std::sync::Arc;

/// A street.
pub struct Street {
    shape: Arc<Shape>,
    sites: Vec<Site>,
    /// By bus, the places of its sites.
    places: Vec<Vec<usize>>,
    trade: Option<Trade>,
    under_way: Option<Trade>,
}

/// What a street was given by the market above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Award {
    /// Price at the supply point.
    pub price: PicoEurPerWh,
    /// Its share of the import.
    pub power: Milliwatt,
}

/// One interval's clearing, until it is settled.
struct Trade {
    interval: Interval,
    price_root: PicoEurPerWh,
    clearing: Clearing,
    /// By site.
    commitments: Vec<Milliwatt>,
}

impl Street {
    /// As it is at `start`.
    ///
    /// # Errors
    /// A device that can't be.
    pub fn new(street: StreetPlan, start: UnixSeconds) -> Result<Self, SimulateError> {
        let sites = street.sites.into_iter().map(|site| Site::new(site, start));
        let sites = sites.collect::<Result<Vec<_>, _>>()?;
        let mut places = vec![Vec::new(); street.shape.feeder.buses.len()];
        for (place, site) in sites.iter().enumerate() {
            places[site.bus].push(place);
        }
        Ok(Self { shape: street.shape, sites, places, trade: None, under_way: None })
    }

    /// Lets every site bid, and gives the street's net demand, every line's limits kept.
    ///
    /// # Errors
    /// Where a site can't bid, or its feeder can't be kept within its limits.
    pub fn bid(&mut self, outlook: &Outlook, range: PriceRange) -> Result<Vec<Breakpoint>, SimulateError> {
        self.sites.iter_mut().try_for_each(|site| site.bid(outlook))?;
        let Shape { feeder, tree } = &*self.shape;
        corners::net_demand(feeder, tree, &self.curves(), range)
            .map_err(|source| SimulateError::Infeasible { interval: outlook.interval, source })
    }

    fn curves(&self) -> Vec<SiteCurve<'_>> {
        let bids = self.sites.iter().filter_map(|site| Some((site.bus, site.curve()?)));
        bids.map(|(bus, curve)| SiteCurve { bus, curve }).collect()
    }

    /// Clears the street within its award, and tells every site its price and share.
    ///
    /// # Errors
    /// Where no price keeps every limit.
    pub fn clear(
        &mut self,
        parameters: &MarketParameters,
        interval: Interval,
        award: Award,
        range: PriceRange,
    ) -> Result<(), SimulateError> {
        let Shape { feeder, tree } = &*self.shape;
        let supply = supply_of(award).map_err(|source| SimulateError::Supply { interval, reason: source })?;
        let clearing = corners::clear(feeder, tree, &supply, &self.curves(), range)
            .map_err(|source| SimulateError::Infeasible { interval, source })?;
        let mut commitments = vec![Milliwatt::ZERO; self.sites.len()];
        for ((places, price), allocation) in
            self.places.iter().zip(&clearing.prices).zip(&clearing.allocations)
        {
            let demand = |place: &usize| {
                self.sites[*place].curve().map_or(Demand::default(), |curve| curve.demand_at(*price))
            };
            let demands: Vec<Demand> = places.iter().map(demand).collect();
            let parts = split(*allocation, &demands).ok_or(SimulateError::Allocation { interval })?;
            for (place, part) in places.iter().zip(parts) {
                commitments[*place] = part;
            }
        }
        let terms = Terms { parameters, interval, price_root: award.price };
        for (site, commitment) in self.sites.iter_mut().zip(&commitments) {
            site.take(&terms, clearing.prices[site.bus], *commitment);
        }
        self.trade = Some(Trade { interval, price_root: award.price, clearing, commitments });
        Ok(())
    }

    /// Every site lives on for a while.
    pub fn live(&mut self, around: Surroundings) {
        self.sites.iter_mut().for_each(|site| site.household.live(around));
    }

    /// At an interval's boundary: settles the one that ends, and begins what was cleared for the next.
    ///
    /// # Errors
    /// A payment beyond 64 bits.
    pub fn turn(
        &mut self,
        parameters: &MarketParameters,
        now: UnixSeconds,
    ) -> Result<Option<IntervalFigures>, SimulateError> {
        let counted: Vec<Counted> = self.sites.iter_mut().map(|site| site.household.count()).collect();
        // What flowed before the first interval belongs to none.
        let ended =
            self.under_way.take().map(|trade| self.settle(parameters, &trade, &counted)).transpose()?;
        if let Some(trade) = self.trade.take() {
            let hold_s = u16::try_from(2 * parameters.interval_s).unwrap_or(u16::MAX);
            self.sites.iter_mut().for_each(|site| site.act(now, hold_s));
            self.under_way = Some(trade);
        }
        Ok(ended)
    }

    fn settle(
        &self,
        parameters: &MarketParameters,
        trade: &Trade,
        counted: &[Counted],
    ) -> Result<IntervalFigures, SimulateError> {
        let Shape { feeder, tree } = &*self.shape;
        let Trade { interval, price_root, clearing, commitments } = trade;
        let terms = Terms { parameters, interval: *interval, price_root: *price_root };
        let mut figures = IntervalFigures { committed: clearing.import, ..IntervalFigures::default() };
        let mut energy_by_bus = vec![Millijoule::ZERO; feeder.buses.len()];
        for ((site, commitment), counted) in self.sites.iter().zip(commitments).zip(counted) {
            let price = clearing.prices[site.bus];
            energy_by_bus[site.bus] += counted.energy;
            figures.count(*counted, commitment.over_seconds(parameters.interval_s));
            figures.payments.add(&site.settle(&terms, price, *commitment, *counted)?);
            let (low, high) = figures.prices.unwrap_or((price, price));
            figures.prices = Some((low.min(price), high.max(price)));
        }
        for (line, flow) in feeder.lines.iter().zip(&clearing.flows) {
            let (least, most) = (line.power_min, line.power_max);
            figures.binding += u64::from(Some(*flow) == most || Some(*flow) == least);
            let beyond = most.is_some_and(|most| *flow > most) || least.is_some_and(|least| *flow < least);
            figures.beyond_limit += u64::from(beyond);
        }
        figures.beyond_rating = beyond_rating(feeder, tree, &energy_by_bus, parameters.interval_s);
        Ok(figures)
    }

    /// What the street's customers have got so far.
    pub fn service(&self) -> Service {
        let mut service = Service::default();
        self.sites.iter().for_each(|site| site.household.add_service(&mut service));
        service
    }
}

/// The award as a supply: its price, up to its power; a tick above, any power more. So the price at the
/// street's root is the award's wherever the street's demand there goes as far as the award, and a
/// street that bid its true net demand imports what it was awarded.
fn supply_of(award: Award) -> Result<SupplyCurve, String> {
    let point = |price, power| Breakpoint { price, power };
    let Award { price, power } = award;
    let points = vec![
        point(price, -POWER_BOUND),
        point(price, power),
        point(price.next(), power),
        point(price.next(), POWER_BOUND),
    ];
    SupplyCurve::new(points).map_err(|error| error.to_string())
}
