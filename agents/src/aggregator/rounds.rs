//! After the gate has closed: the bids an interval is cleared on, fixed under a Merkle root.

use super::bids::StandingBid;
use super::kept::KeptBid;
use crate::roster::SiteEntry;
use market::curve::FlexCurve;
use market::interval::Interval;
use market::units::Millivar;
use std::collections::BTreeMap;
use wire::entry::SignedEnvelope;
use wire::hash::Hash32;
use wire::merkle;
use wire::merkle_sum::salted_bid_hash;
use wire::message::{BidPath, BidsCommitted, ReactiveRange};
use wire::party::{Id, PartyId};

/// One bid that can no longer change.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedBid {
    /// Whose.
    pub site: PartyId,
    /// The site's account.
    pub account: Id,
    /// The curve.
    pub curve: FlexCurve,
    /// Reactive power on offer.
    pub reactive_range: Millivar,
    /// What keeps the bid from being guessed from its hash.
    pub salt: Hash32,
    /// Salted hash of the signed bid.
    pub bid_hash: Hash32,
    /// The signed bid.
    pub raw: SignedEnvelope,
}

/// The bids one interval is cleared on.
#[derive(Clone, Debug, PartialEq)]
pub struct FixedBids {
    /// Which interval.
    pub interval: Interval,
    /// In order of account.
    pub bids: Vec<FixedBid>,
    /// Merkle tree over the salted hashes, in that order.
    tree: merkle::Tree,
    /// By bus, the places of its sites in `bids`. A bus whose sites are all silent has none.
    pub places: BTreeMap<String, Vec<usize>>,
}

impl FixedBids {
    /// Fixes `standing` for `interval`. Every bus of `sites` gets an answer later, silent or not. Salts
    /// follow from `seed`, which nobody else may know.
    pub fn fix(
        interval: Interval,
        mut standing: BTreeMap<Id, StandingBid>,
        sites: &BTreeMap<Id, SiteEntry>,
        seed: &[u8; 32],
    ) -> Self {
        let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut bids = Vec::with_capacity(standing.len());
        for (account, site) in sites {
            let of_bus = places.entry(site.bus.clone()).or_default();
            let Some(bid) = standing.remove(account) else { continue };
            of_bus.push(bids.len());
            let start = interval.start().0.to_be_bytes();
            let salt = Hash32::of("gridpact bid salt", &[seed, &start, account.as_str().as_bytes()]);
            bids.push(FixedBid {
                site: site.party.clone(),
                account: account.clone(),
                curve: bid.curve,
                reactive_range: bid.reactive_range,
                salt,
                bid_hash: salted_bid_hash(&salt, &bid.raw),
                raw: bid.raw,
            });
        }
        let leaves = bids.iter().map(|bid| merkle::leaf_hash(&bid.bid_hash.0)).collect();
        Self { interval, bids, tree: merkle::Tree::build(leaves), places }
    }

    /// As they were kept; none where their places are of none of them.
    pub(super) fn restored(
        interval: Interval,
        kept: Vec<KeptBid>,
        at: BTreeMap<String, Vec<u32>>,
    ) -> Option<Self> {
        let count = kept.len();
        let places: BTreeMap<String, Vec<usize>> = at
            .into_iter()
            .map(|(bus, at)| (bus, at.into_iter().map(|place| place as usize).collect()))
            .collect();
        if places.values().flatten().any(|place| *place >= count) {
            return None;
        }
        let bid = |KeptBid { site, account, curve, reactive_range, salt, raw }| {
            let bid_hash = salted_bid_hash(&salt, &raw);
            FixedBid { site, account, curve, reactive_range, salt, bid_hash, raw }
        };
        let bids: Vec<FixedBid> = kept.into_iter().map(bid).collect();
        let leaves = bids.iter().map(|bid| merkle::leaf_hash(&bid.bid_hash.0)).collect();
        Some(Self { interval, bids, tree: merkle::Tree::build(leaves), places })
    }

    /// What is said to the DSO at gate closure.
    pub fn commitment(&self) -> BidsCommitted {
        let bid_count = u32::try_from(self.bids.len()).unwrap_or(u32::MAX);
        let reactive = self.reactive();
        BidsCommitted { interval: self.interval, bids_root: self.root(), bid_count, reactive }
    }

    /// Reactive power on offer, by bus, in order of bus name.
    pub fn reactive(&self) -> Vec<ReactiveRange> {
        let of_bus = |(bus, places): (&String, &Vec<usize>)| {
            // Each is within its connection, so only a street of power stations could overflow.
            let ranges = places.iter().map(|place| self.bids[*place].reactive_range);
            let range = Millivar(ranges.fold(0, |sum, range| range.0.saturating_add(sum)));
            (range > Millivar::ZERO).then(|| ReactiveRange { bus: bus.clone(), range })
        };
        self.places.iter().filter_map(of_bus).collect()
    }

    /// The bids' root.
    pub fn root(&self) -> Hash32 {
        self.tree.root()
    }

    /// Each bid's bus, in the bids' order.
    pub fn buses(&self) -> Vec<&str> {
        let mut buses = vec![""; self.bids.len()];
        for (bus, places) in &self.places {
            for place in places {
                buses[*place] = bus;
            }
        }
        buses
    }

    /// From the bid at `place` to the root.
    pub fn path(&self, place: usize) -> Option<BidPath> {
        let siblings = self.tree.proof(place)?;
        Some(BidPath { place: place as u64, count: self.tree.size() as u64, siblings })
    }
}
