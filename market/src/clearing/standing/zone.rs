//! Zones: buses that share one price. Between two zones lies a line that carries its limit, so what
//! changes in one zone changes nothing in another while that line stays full.

use super::meet::meet;
use crate::clearing::levels::Grounds;
use crate::clearing::Clearing;
use crate::share::{split, Demand};
use crate::units::{Milliwatt, PicoEurPerWh};

/// Why a zone has a price of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    /// It is the root's, where supply meets demand.
    Supply,
    /// The line into it carries all it may: dearer than above.
    Most,
    /// The line into it carries as little as it may: cheaper than above.
    Least,
}

/// Places that share a price.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    /// In the tree's order; the first is the zone's own root.
    pub places: Vec<usize>,
    /// Of each place, where its parent stands among them; 0 for the first.
    parents: Vec<usize>,
    /// Of each place, what zones right below it take.
    outflows: Vec<i64>,
    entry: Entry,
    /// What flows in from above; 0 for the root's.
    inflow: i64,
    above: Option<usize>,
    /// Zones right below.
    below: Vec<usize>,
    /// Lowest and highest price at which demand meets the inflow.
    pub prices: (i64, i64),
}

/// Every place's zone, parents' zones first.
#[derive(Clone, Debug)]
pub(super) struct Zones {
    pub of_place: Vec<usize>,
    pub zones: Vec<Zone>,
}

/// What a zone clears to once its demand has changed.
pub(super) struct Repriced {
    prices: (i64, i64),
    /// The one of them that counts.
    pub price: i64,
    /// What flows into each of the zone's places from above ...
    flows: Vec<Milliwatt>,
    /// ... and what its own bus is given of that.
    allocations: Vec<Milliwatt>,
}

/// Demand of one bus at a tick, where it can be told quickly.
pub(super) type DemandOf<'a> = dyn Fn(usize, i64) -> Option<i64> + 'a;

impl Zones {
    /// The zones of a clearing; their prices are not known yet.
    pub fn of(grounds: &Grounds<'_>, clearing: &Clearing) -> Self {
        let tree = grounds.tree;
        let price = |place: usize| clearing.prices[tree.order[place]];
        let mut zones = Self { of_place: Vec::new(), zones: Vec::new() };
        let mut index = Vec::with_capacity(tree.order.len());
        for place in 0..tree.order.len() {
            let parent = tree.parent[place];
            let above = (place > 0).then(|| zones.of_place[parent]);
            let zone = match above {
                Some(above) if price(place) == price(parent) => above,
                Some(above) => {
                    let entry = if price(place) > price(parent) { Entry::Most } else { Entry::Least };
                    let inflow = clearing.flows[tree.line[place]].0;
                    let new = zones.zones.len();
                    zones.zones[above].below.push(new);
                    zones.zones[above].outflows[index[parent]] += inflow;
                    zones.zones.push(Zone::new(entry, inflow, Some(above)));
                    new
                }
                None => {
                    zones.zones.push(Zone::new(Entry::Supply, 0, None));
                    0
                }
            };
            let own_root = zones.zones[zone].places.is_empty();
            let parent = if own_root { 0 } else { index[parent] };
            index.push(zones.zones[zone].places.len());
            zones.of_place.push(zone);
            zones.zones[zone].add(place, parent);
        }
        zones
    }

    /// Finds a zone's prices from what its buses take, looking from `start` and no further than `reach`.
    pub fn prices(
        &self,
        grounds: &Grounds<'_>,
        zone: usize,
        demand: &DemandOf<'_>,
        start: i64,
        reach: (i64, i64),
    ) -> Option<(i64, i64)> {
        let Zone { places, outflows, entry, inflow, .. } = &self.zones[zone];
        let outflow = outflows.iter().sum::<i64>();
        let whole = |tick: i64| {
            let supply = if *entry == Entry::Supply { grounds.supply_at(tick) } else { 0 };
            let mut sum = outflow + supply;
            for place in places {
                sum += demand(grounds.tree.order[*place], tick)?;
            }
            Some(sum)
        };
        meet(whole, *inflow, start, reach)
    }

    /// What a zone clears to between the given prices. None where a line within it reaches its limit
    /// there, or a line to another zone might no longer carry its own: then the zones are others.
    pub fn repriced(
        &self,
        grounds: &Grounds<'_>,
        zone: usize,
        demand: &DemandOf<'_>,
        prices: (i64, i64),
    ) -> Option<Repriced> {
        let here = &self.zones[zone];
        let apart_from_above =
            here.above.is_none_or(|above| apart(self.zones[above].prices, here.entry, prices));
        let apart_from = |below: &usize| apart(prices, self.zones[*below].entry, self.zones[*below].prices);
        if !apart_from_above || !here.below.iter().all(apart_from) {
            return None;
        }
        let (first, last) = prices;
        // Where demand meets the inflow at many prices, the one in the middle counts.
        let price = first + (last - first).div_euclid(2);
        let at = |tick: i64| here.sums(grounds, demand, tick);
        let (own_high, high) = at(price)?;
        let (own_low, low) = at(price + 1)?;
        let fits = match first == last {
            true => here.within_limits(grounds, &high, &low),
            false => here.within_limits(grounds, &at(first)?.1, &at(last + 1)?.1),
        };
        if !fits {
            return None;
        }
        let pair = |(low, high): (&i64, &i64)| Demand { low: Milliwatt(*low), high: Milliwatt(*high) };
        let own: Vec<Demand> = own_low.iter().zip(&own_high).map(pair).collect();
        let subtrees: Vec<Demand> = low.iter().zip(&high).map(pair).collect();
        let inflow = match here.entry {
            // Demand and supply that tie are served.
            Entry::Supply => high[0].min(-grounds.supply_at(price + 1)),
            _ => here.inflow,
        };
        let (flows, allocations) = here.shares(inflow, &own, &subtrees)?;
        Some(Repriced { prices, price, flows, allocations })
    }

    /// Enters what a zone clears to.
    pub fn enter(
        &mut self,
        grounds: &Grounds<'_>,
        zone: usize,
        repriced: &Repriced,
        clearing: &mut Clearing,
    ) {
        let tree = grounds.tree;
        let here = &mut self.zones[zone];
        here.prices = repriced.prices;
        for (i, place) in here.places.iter().enumerate() {
            let bus = tree.order[*place];
            clearing.prices[bus] = PicoEurPerWh(repriced.price);
            clearing.allocations[bus] = repriced.allocations[i];
            match *place {
                0 => clearing.import = repriced.flows[i],
                place => clearing.flows[tree.line[place]] = repriced.flows[i],
            }
        }
    }
}

impl Zone {
    fn new(entry: Entry, inflow: i64, above: Option<usize>) -> Self {
        let (places, parents, outflows) = (Vec::new(), Vec::new(), Vec::new());
        Self { places, parents, outflows, entry, inflow, above, below: Vec::new(), prices: (0, 0) }
    }

    fn add(&mut self, place: usize, parent: usize) {
        self.places.push(place);
        self.parents.push(parent);
        self.outflows.push(0);
    }

    /// What each place takes by itself at a tick, and with all below it.
    fn sums(&self, grounds: &Grounds<'_>, demand: &DemandOf<'_>, tick: i64) -> Option<(Vec<i64>, Vec<i64>)> {
        let of_place = |place: &usize| demand(grounds.tree.order[*place], tick);
        let own: Vec<i64> = self.places.iter().map(of_place).collect::<Option<_>>()?;
        let mut sums: Vec<i64> = own.iter().zip(&self.outflows).map(|(own, outflow)| own + outflow).collect();
        for i in (1..sums.len()).rev() {
            sums[self.parents[i]] += sums[i];
        }
        Some((own, sums))
    }

    /// Whether every line within the zone carries `most` at most and `least` at least.
    fn within_limits(&self, grounds: &Grounds<'_>, most: &[i64], least: &[i64]) -> bool {
        let carries = |((place, most), least): ((&usize, &i64), &i64)| {
            let (power_min, power_max) = grounds.limits(*place);
            *most <= power_max && *least >= power_min
        };
        self.places.iter().zip(most).zip(least).skip(1).all(carries)
    }

    /// Shares what flows in from the zone's root down, as [`crate::clearing::allocate`] does; zones below
    /// have nothing to share. None where it lies beyond what the zone may take.
    fn shares(
        &self,
        inflow: i64,
        own: &[Demand],
        subtrees: &[Demand],
    ) -> Option<(Vec<Milliwatt>, Vec<Milliwatt>)> {
        let mut children = vec![Vec::new(); self.places.len()];
        (1..self.places.len()).for_each(|i| children[self.parents[i]].push(i));
        let mut flows = vec![Milliwatt(inflow); self.places.len()];
        let mut allocations = Vec::with_capacity(self.places.len());
        for (i, children) in children.iter().enumerate() {
            let mut parts = vec![own[i]];
            parts.extend(children.iter().map(|child| subtrees[*child]));
            let shares = split(flows[i] - Milliwatt(self.outflows[i]), &parts)?;
            allocations.push(shares[0]);
            children.iter().zip(&shares[1..]).for_each(|(child, share)| flows[*child] = *share);
        }
        Some((flows, allocations))
    }
}

/// Whether a zone of these prices surely stays apart from the one above it: at none of the prices above
/// would the line carry anything but its limit.
fn apart(above: (i64, i64), entry: Entry, below: (i64, i64)) -> bool {
    match entry {
        Entry::Most => above.1 < below.0,
        Entry::Least => above.0 > below.1,
        Entry::Supply => true,
    }
}
