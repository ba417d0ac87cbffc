//! After a session's gate has closed: the bids it is cleared on, fixed under a Merkle root, and the orders in
//! them, told without their owners' names.

use super::book::StandingBid;
use crate::roster::SiteEntry;
use market::curve::FlexCurve;
use market::interval::Interval;
use std::collections::{BTreeMap, HashMap};
use wire::hash::Hash32;
use wire::merkle;
use wire::merkle_sum::salted_bid_hash;
use wire::message::day_ahead::{DayAheadCommitted, PlacedOrders};
use wire::message::BidPath;
use wire::party::{Id, PartyId};

/// One bid that can no longer change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FixedBid {
    /// Whose.
    pub site: PartyId,
    /// The site's account.
    pub account: Id,
    /// One curve for each interval.
    pub curves: Vec<FlexCurve>,
    /// What keeps the bid from being guessed from its hash.
    pub salt: Hash32,
    /// Salted hash of the signed bid.
    pub bid_hash: Hash32,
    /// Places of its storage orders among all, in the order in which it bid them.
    pub storages: Vec<u32>,
    /// The same for its deferrable orders.
    pub deferrables: Vec<u32>,
}

/// The bids one session is cleared on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FixedSession {
    /// The session.
    pub session: Interval,
    /// How many intervals it has.
    pub intervals: usize,
    /// In order of account.
    pub bids: Vec<FixedBid>,
    /// Merkle tree over the salted hashes, in that order.
    tree: merkle::Tree,
    /// By bus, the places of its sites in `bids`. A bus whose sites are all silent has none.
    pub places: BTreeMap<u32, Vec<usize>>,
    /// Every order, by bus and, at one, by the hash of the bid it stands in.
    pub orders: PlacedOrders,
}

impl FixedSession {
    /// Fixes `standing` for a session of so many intervals. Every bus of `sites` gets an answer later, silent
    /// or not. Salts follow from `seed`, which nobody else may know.
    pub fn fix(
        (session, intervals): (Interval, usize),
        mut standing: BTreeMap<Id, StandingBid>,
        sites: &BTreeMap<Id, SiteEntry>,
        bus_index: &HashMap<String, u32>,
        seed: &[u8; 32],
    ) -> Self {
        let mut places: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        let mut bids = Vec::with_capacity(standing.len());
        let (mut storages, mut deferrables) = (Vec::new(), Vec::new());
        for (account, site) in sites {
            // Every site's bus is on the feeder; the genesis is checked for it.
            let Some(bus) = bus_index.get(&site.bus).copied() else { continue };
            let of_bus = places.entry(bus).or_default();
            let Some(StandingBid { bid, raw, .. }) = standing.remove(account) else { continue };
            of_bus.push(bids.len());
            let start = session.start().0.to_be_bytes();
            let salt = Hash32::of("gridpact day-ahead salt", &[seed, &start, account.as_str().as_bytes()]);
            let bid_hash = salted_bid_hash(&salt, &raw);
            storages.extend(listed((bus, bid_hash), bids.len(), bid.storages));
            deferrables.extend(listed((bus, bid_hash), bids.len(), bid.deferrables));
            bids.push(FixedBid {
                site: site.party.clone(),
                account: account.clone(),
                curves: bid.curves,
                salt,
                bid_hash,
                storages: Vec::new(),
                deferrables: Vec::new(),
            });
        }
        let leaves = bids.iter().map(|bid| merkle::leaf_hash(&bid.bid_hash.0)).collect();
        let orders = PlacedOrders {
            storages: place(storages, |owner, place| bids[owner].storages.push(place)),
            deferrables: place(deferrables, |owner, place| bids[owner].deferrables.push(place)),
        };
        Self { session, intervals, tree: merkle::Tree::build(leaves), bids, places, orders }
    }

    /// What is said to the DSO at gate closure.
    pub fn commitment(&self) -> DayAheadCommitted {
        let bid_count = u32::try_from(self.bids.len()).unwrap_or(u32::MAX);
        let orders = self.orders.clone();
        DayAheadCommitted { session: self.session, bids_root: self.root(), bid_count, orders }
    }

    /// The bids' root.
    pub fn root(&self) -> Hash32 {
        self.tree.root()
    }

    /// From the bid at `place` to the root.
    pub fn path(&self, place: usize) -> Option<BidPath> {
        let siblings = self.tree.proof(place)?;
        Some(BidPath { place: place as u64, count: self.tree.size() as u64, siblings })
    }

    /// Curves of the sites at one bus in one interval; none where there is no such interval, or the bus is
    /// not ours.
    pub fn curves(&self, interval: usize, bus: u32) -> Option<Vec<&FlexCurve>> {
        let places = self.places.get(&bus).filter(|_| interval < self.intervals)?;
        places.iter().map(|place| self.bids.get(*place)?.curves.get(interval)).collect()
    }
}

/// An order with what it is sorted by, and its owner's place.
type Listed<O> = ((u32, Hash32, usize), usize, O);

fn listed<O>(at: (u32, Hash32), owner: usize, orders: Vec<O>) -> impl Iterator<Item = Listed<O>> {
    orders.into_iter().enumerate().map(move |(number, order)| ((at.0, at.1, number), owner, order))
}

/// Sorts orders and tells each owner, in the order of its bid, where its own have come to stand.
fn place<O>(mut orders: Vec<Listed<O>>, mut tell: impl FnMut(usize, u32)) -> Vec<(u32, O)> {
    orders.sort_by_key(|order| order.0);
    let placed = (0..).zip(orders).map(|(place, ((bus, ..), owner, order))| {
        tell(owner, place);
        (bus, order)
    });
    placed.collect()
}
