//! What a site checks before it believes its day-ahead positions: that the validators decided the session, that
//! its own bid lies under its aggregator's roots, of bids and of every interval with this position, that its
//! orders are among those cleared, and that what its curve was given is its own demand at the price, with everybody's share.

use crate::site::firm::is_share;
use crate::site::standing::Standing;
use ledger::block::verifier::Verifier;
use ledger::proof::FinalityProof;
use market::day_ahead::certificate::{check_deferrable, check_storage, OrderRefused};
use market::day_ahead::clearing::IntervalPrices;
use market::day_ahead::orders::DeferrableOffer;
use market::day_ahead::terms::DayAheadTerms;
use market::interval::Interval;
use market::units::{Millivar, Milliwatt, PicoEurPerWh};
use thiserror::Error;
use wire::entry::{DayAheadEntry, Entry, SignedEnvelope};
use wire::envelope::open;
use wire::hash::Hash32;
use wire::merkle;
use wire::merkle_sum::{salted_bid_hash, verify, SumLeaf, SumRoot};
use wire::message::day_ahead::{DayAheadBid, DayAheadFinalDemand, DayAheadFirm, DemandIn, DemandOf};
use wire::message::{BidPath, Body, MerkleSumPath, PathStep};
use wire::party::{PartyId, Role};
use wire::topic::Topic;

/// What a site holds of one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Price at its bus.
    pub price: PicoEurPerWh,
    /// Net power bought (negative: sold): its curve's part and its orders'.
    pub power: Milliwatt,
}

/// A site's bid for a session.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnSession {
    /// What it says.
    pub bid: DayAheadBid,
    /// The signed envelope it went out in, once it did.
    pub envelope: Option<SignedEnvelope>,
}

/// Why positions are not believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DayAheadFirmError {
    /// The proof is none, or the validators' votes don't stand behind it.
    #[error("its finality proof: {reason}")]
    Finality {
        /// What the ledger's check says.
        reason: String,
    },
    /// What was decided is no session by the DSO from this interval on.
    #[error("what was decided is no session by the DSO from {session} on")]
    OtherEntry {
        /// The session's first interval.
        session: Interval,
    },
    /// The entry holds no demand of the site's aggregator.
    #[error("the session holds no final demand of {aggregator}")]
    NoDemand {
        /// The aggregator.
        aggregator: PartyId,
    },
    /// The site's bid never went out.
    #[error("our bid for it never went out")]
    Unsent,
    /// The site's bid does not lie under the root of those its aggregator had fixed before the first question.
    #[error("our bid does not lie under the bids' root that the aggregator had committed to")]
    NotCommitted,
    /// Positions of another number of intervals than were bid for.
    #[error("{count} positions for {expected} intervals")]
    Count {
        /// How many were told.
        count: usize,
        /// How many were bid for.
        expected: usize,
    },
    /// An order of the site's that is not where it was told to be among those cleared.
    #[error("{kind} order {place} of our bid is not among those cleared")]
    OrderMissing {
        /// storage or deferrable.
        kind: &'static str,
        /// Its place in the bid.
        place: usize,
    },
    /// What an order is scheduled for is not within it, or not its best at the prices.
    #[error("our {kind} order {place}: {source}")]
    Schedule {
        /// storage or deferrable.
        kind: &'static str,
        /// Its place in the bid.
        place: usize,
        /// What does not hold.
        source: OrderRefused,
    },
    /// The aggregator's signed demand has no such bus, or another price or allocation there than was decided.
    #[error("interval {place}: the aggregator's demand at our bus is not the one decided")]
    OtherAward {
        /// The interval's place in the session.
        place: usize,
    },
    /// No bid of the site lies under the root with this position.
    #[error("interval {place}: our bid does not lie under the aggregator's root with {position}")]
    NotUnderRoot {
        /// The interval's place in the session.
        place: usize,
        /// The position told.
        position: Milliwatt,
    },
    /// What the position leaves for the curve is not the site's share of its demand at the price.
    #[error("interval {place}: {part} is not our share of what we bid for at {price}")]
    NotShare {
        /// The interval's place in the session.
        place: usize,
        /// What is left for the curve.
        part: Milliwatt,
        /// The price.
        price: PicoEurPerWh,
    },
}

/// Checks `firm` against the site's own bid and gives what it holds, by interval of the session.
///
/// # Errors
/// The first check that fails.
pub fn check_day_ahead(
    standing: &Standing,
    verifier: &Verifier,
    terms: &DayAheadTerms,
    (firm, own): (&DayAheadFirm, &OwnSession),
) -> Result<Vec<Held>, DayAheadFirmError> {
    let (count, expected) = (firm.positions.len(), own.bid.curves.len());
    if count != expected {
        return Err(DayAheadFirmError::Count { count, expected });
    }
    let entry = decided(verifier, firm)?;
    let told = Told { standing, firm, own, entry: &entry, demand: told_demand(standing, verifier, &entry)? };
    let orders = told.orders(verifier)?;
    told.check_schedules(terms, &orders)?;
    let envelope = own.envelope.as_ref().ok_or(DayAheadFirmError::Unsent)?;
    let bid_hash = salted_bid_hash(&firm.salt, envelope);
    told.check_committed(bid_hash)?;
    (0..expected).map(|place| told.held(place, bid_hash, &orders)).collect()
}

fn decided(verifier: &Verifier, firm: &DayAheadFirm) -> Result<DayAheadEntry, DayAheadFirmError> {
    let finality = |reason: String| DayAheadFirmError::Finality { reason };
    let proof = FinalityProof::decode(&firm.finality).map_err(|e| finality(e.to_string()))?;
    let proven = proof.verify(verifier).map_err(|e| finality(e.to_string()))?;
    match proven.entry {
        Entry::DayAhead(entry) if entry.session == firm.session && proven.submitter.role == Role::Dso => {
            Ok(entry)
        }
        _ => Err(DayAheadFirmError::OtherEntry { session: firm.session }),
    }
}

fn told_demand(
    standing: &Standing,
    verifier: &Verifier,
    entry: &DayAheadEntry,
) -> Result<DayAheadFinalDemand, DayAheadFirmError> {
    let none = || DayAheadFirmError::NoDemand { aggregator: standing.aggregator.clone() };
    let envelope =
        entry.demands.iter().find(|signed| is_by(&standing.aggregator, signed)).ok_or_else(none)?;
    final_demand(verifier, envelope).filter(|demand| demand.session == entry.session).ok_or_else(none)
}

fn is_by(party: &PartyId, signed: &SignedEnvelope) -> bool {
    signed.topic.parse::<Topic>().is_ok_and(|topic| topic.sender == *party)
}

fn final_demand(verifier: &Verifier, envelope: &SignedEnvelope) -> Option<DayAheadFinalDemand> {
    let opened = open(verifier.registry(), verifier.network(), &envelope.topic, &envelope.bytes).ok()?;
    match opened.body {
        Body::DayAheadFinalDemand(demand) => Some(demand),
        _ => None,
    }
}

/// What a site is told, and what it knows itself.
struct Told<'a> {
    standing: &'a Standing,
    firm: &'a DayAheadFirm,
    own: &'a OwnSession,
    entry: &'a DayAheadEntry,
    demand: DayAheadFinalDemand,
}

/// Where the site's own orders stand among all that were cleared.
struct Places {
    storages: Vec<usize>,
    deferrables: Vec<usize>,
}

impl Told<'_> {
    /// An aggregator that keeps a bid from the session, or changes it, has no path from it to its root.
    fn check_committed(&self, bid_hash: Hash32) -> Result<(), DayAheadFirmError> {
        let BidPath { place, count, siblings } = &self.firm.bid_path;
        let leaf = merkle::leaf_hash(&bid_hash.0);
        let under = merkle::verify_inclusion(&leaf, *place, *count, siblings, &self.demand.bids_root);
        under.then_some(()).ok_or(DayAheadFirmError::NotCommitted)
    }

    /// The site's orders, each found where it was told to be, at the site's bus and as it was bid.
    fn orders(&self, verifier: &Verifier) -> Result<Places, DayAheadFirmError> {
        let (mut storages_before, mut deferrables_before) = (0, 0);
        for envelope in self.entry.demands.iter().take_while(|by| !is_by(&self.standing.aggregator, by)) {
            // Validators opened every one of them before they voted.
            let before = final_demand(verifier, envelope);
            storages_before += before.as_ref().map_or(0, |demand| demand.orders.storages.len());
            deferrables_before += before.as_ref().map_or(0, |demand| demand.orders.deferrables.len());
        }
        let bus = self.standing.bus_place;
        let bid = &self.own.bid;
        let storages =
            places("storage", bus, &bid.storages, &self.firm.storages, &self.demand.orders.storages);
        let deferrables = places(
            "deferrable",
            bus,
            &bid.deferrables,
            &self.firm.deferrables,
            &self.demand.orders.deferrables,
        );
        Ok(Places {
            storages: storages?.into_iter().map(|place| storages_before + place).collect(),
            deferrables: deferrables?.into_iter().map(|place| deferrables_before + place).collect(),
        })
    }

    /// Each order's schedule is possible, and at the prices here nothing else would gain. Validators have checked
    /// that of all orders; this is the site's own.
    fn check_schedules(&self, terms: &DayAheadTerms, orders: &Places) -> Result<(), DayAheadFirmError> {
        let cleared = &self.entry.clearing;
        let at = |interval: &IntervalPrices| interval.prices.get(self.standing.tree_place).copied();
        let prices: Vec<PicoEurPerWh> =
            cleared.intervals.iter().map(|interval| at(interval).unwrap_or_default()).collect();
        let refused = |kind, place| move |source| DayAheadFirmError::Schedule { kind, place, source };
        for (place, (order, at)) in self.own.bid.storages.iter().zip(&orders.storages).enumerate() {
            let missing = DayAheadFirmError::OrderMissing { kind: "storage", place };
            let award = cleared.storages.get(*at).ok_or(missing)?;
            check_storage(terms, order, award, &prices).map_err(refused("storage", place))?;
        }
        for (place, (order, at)) in self.own.bid.deferrables.iter().zip(&orders.deferrables).enumerate() {
            let missing = DayAheadFirmError::OrderMissing { kind: "deferrable", place };
            let award = cleared.deferrables.get(*at).ok_or(missing)?;
            check_deferrable(terms, order, award, &prices).map_err(refused("deferrable", place))?;
        }
        Ok(())
    }

    fn held(&self, place: usize, bid_hash: Hash32, orders: &Places) -> Result<Held, DayAheadFirmError> {
        let (position, steps) = &self.firm.positions[place];
        let position = *position;
        let (demand, at) = self.award(place).ok_or(DayAheadFirmError::OtherAward { place })?;
        let root = SumRoot { hash: demand.allocations_root, import: demand.import, export: demand.export };
        let account = self.standing.account.clone();
        let leaf = SumLeaf { account, bid_hash, allocation: position, reactive: Millivar::ZERO };
        if !verify(&leaf, &path(self.firm.salt, steps), &root) {
            return Err(DayAheadFirmError::NotUnderRoot { place, position });
        }
        let part = Milliwatt(position.0.saturating_sub(self.taken_by_orders(place, orders).0));
        let own = self.own.bid.curves[place].demand_within(at.price, self.standing.price_tolerance);
        if !own.contains(part) || !is_share(own, part, at.range, at.allocation) {
            return Err(DayAheadFirmError::NotShare { place, part, price: at.price });
        }
        Ok(Held { price: at.price, power: position })
    }

    /// The aggregator's demand of an interval, and of it what stands at the site's bus, at the price decided.
    fn award(&self, place: usize) -> Option<(&DemandIn, &DemandOf)> {
        let bus = u32::try_from(self.standing.bus_place).ok()?;
        let of_bus = self.demand.buses.iter().position(|at| *at == bus)?;
        let demand = self.demand.intervals.get(place)?;
        let at = demand.buses.get(of_bus)?;
        let decided = self.entry.clearing.intervals.get(place)?.prices.get(self.standing.tree_place)?;
        (at.price == *decided && at.range.contains(at.allocation)).then_some((demand, at))
    }

    fn taken_by_orders(&self, place: usize, orders: &Places) -> Milliwatt {
        let cleared = &self.entry.clearing;
        let storage = |at: &usize| cleared.storages.get(*at).map(|award| award.power(place));
        let stored = orders.storages.iter().filter_map(storage);
        let deferrable = |(at, order): (&usize, &DeferrableOffer)| {
            cleared.deferrables.get(*at).map(|award| award.power(order.start, place))
        };
        let deferred = orders.deferrables.iter().zip(&self.own.bid.deferrables).filter_map(deferrable);
        stored.chain(deferred).fold(Milliwatt::ZERO, |sum, power| Milliwatt(sum.0.saturating_add(power.0)))
    }
}

/// Places of the site's own orders among its aggregator's. No two may be the same one.
fn places<O: PartialEq>(
    kind: &'static str,
    bus: usize,
    own: &[O],
    told: &[u32],
    all: &[(u32, O)],
) -> Result<Vec<usize>, DayAheadFirmError> {
    let mut found = Vec::with_capacity(own.len());
    for (place, order) in own.iter().enumerate() {
        let at = told.get(place).map(|at| *at as usize).filter(|at| !found.contains(at));
        let same = |at: &usize| all.get(*at).is_some_and(|(at_bus, o)| *at_bus as usize == bus && o == order);
        found.push(at.filter(same).ok_or(DayAheadFirmError::OrderMissing { kind, place })?);
    }
    Ok(found)
}

fn path(salt: Hash32, steps: &[PathStep]) -> MerkleSumPath {
    MerkleSumPath { salt, steps: steps.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_counts_where_it_was_told_to_be_at_its_bus_and_once() {
        let all = [(3, 'x'), (4, 'y'), (4, 'x'), (4, 'x')];
        let check = |own: &[char], told: &[u32], expected: Option<&[usize]>| {
            assert_eq!(places("storage", 4, own, told, &all).ok().as_deref(), expected);
        };
        check(&['x', 'y'], &[2, 1], Some(&[2, 1]));
        check(&['x', 'x'], &[2, 3], Some(&[2, 3]));
        check(&['x', 'x'], &[2, 2], None);
        check(&['x'], &[0], None);
        check(&['x'], &[1], None);
        check(&['x'], &[9], None);
        check(&['x', 'y'], &[2], None);
        check(&[], &[7], Some(&[]));
    }
}
