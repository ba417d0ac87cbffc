//! What of a chain's entries a proof about one interval needs, and the proof put together from it.

use super::part::{AllocationPart, ClearingPart, LinePart, PricePart, ReceiptPart, CLEARING, DAY_AHEAD};
use super::prove::ProveError;
use super::settlement::SettlementProof;
use super::way::{HistoryTree, Way};
use crate::block::{entry_leaves, DecidedBlock, Header};
use crate::receipts::{price_leaves, OpenedReceipt, ReceiptLine};
use crate::state::receipt::{Cleared, Receipt};
use market::interval::Interval;
use market::units::{Millivar, PicoEurPerWh};
use wire::entry::{DeliveryEntry, Entry};
use wire::hash::Hash32;
use wire::merkle_sum::{SumLeaf, SumTree};
use wire::party::Id;
use wire::receipt::Inclusion;

/// Entries about one interval.
pub struct Gathered {
    interval: Interval,
    clearing: Option<Found>,
    ahead: Option<Found>,
    deliveries: Vec<(Found, DeliveryEntry)>,
}

/// An entry that matters, with its block's trees.
struct Found {
    header: Header,
    opened: OpenedReceipt,
    under_receipts: Inclusion,
    under_entries: Inclusion,
    prices: Vec<PicoEurPerWh>,
}

impl Gathered {
    /// Nothing yet, of this interval.
    pub fn about(interval: Interval) -> Self {
        Self { interval, clearing: None, ahead: None, deliveries: Vec::new() }
    }

    /// Takes what of a block is about the interval, given with what its entries did.
    ///
    /// # Errors
    /// Where they are not the block's.
    pub fn take(&mut self, decided: &DecidedBlock, receipts: &[(Entry, Receipt)]) -> Result<(), ProveError> {
        let height = decided.height();
        for (index, (entry, receipt)) in receipts.iter().enumerate() {
            let cleared = receipt.cleared.iter().find(|cleared| cleared.interval == self.interval);
            let found = || {
                let found = found(decided, receipts, index, cleared);
                found.ok_or(ProveError::Unprovable { height, what: "an entry" })
            };
            match entry {
                Entry::Clearing(_) if cleared.is_some() => self.clearing = Some(found()?),
                Entry::DayAhead(_) if cleared.is_some() => self.ahead = Some(found()?),
                Entry::Delivery(delivery) if delivery.interval == self.interval => {
                    self.deliveries.push((found()?, delivery.clone()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The proof for one account, hanging from the head that `way` leads to.
    ///
    /// # Errors
    /// Where what should be proven is not there.
    pub fn prove(
        &self,
        account: &Id,
        way: Way,
        since: Option<u64>,
        tree: &dyn HistoryTree,
    ) -> Result<SettlementProof, ProveError> {
        let interval = self.interval;
        let settles = |(found, _): &&(Found, DeliveryEntry)| found.line_of(account).is_some();
        let not_settled = || ProveError::NotSettled { account: account.clone(), interval };
        let (delivery, entry) = self.deliveries.iter().find(settles).ok_or_else(not_settled)?;
        let clearing = self.clearing.as_ref().ok_or(ProveError::NotCleared { interval })?;
        let line = delivery.line_of(account).ok_or_else(not_settled)?;
        let bus = match &delivery.opened.lines[line].0 {
            ReceiptLine::Payment { settled: Some(settled), .. } => settled.bus,
            _ => return Err(not_settled()),
        };
        let aggregator = &delivery.opened.head.submitter.id;
        let under = Under { way: &way, tree };
        let part = |found: &Found, leaves: Vec<SumLeaf>, kind| {
            let height = found.header.height;
            let made = under.clearing_part((interval, found), (account, bus, aggregator), &leaves);
            made.ok_or(ProveError::Unprovable { height, what: kind })
        };
        let real_time = part(clearing, commitments(entry), CLEARING)?;
        // A session holds the interval only for aggregators that took part in it.
        let ahead = self.ahead.as_ref().filter(|found| found.award_of(interval, aggregator).is_some());
        let ahead = ahead.map(|found| part(found, positions(entry), DAY_AHEAD)).transpose()?;
        let unprovable = || ProveError::Unprovable { height: delivery.header.height, what: "the delivery" };
        let settled = under.receipt_part(delivery, &[line]).ok_or_else(unprovable)?;
        let chain = way.prove(since, tree)?;
        Ok(SettlementProof::new(chain, (interval, account.clone()), (real_time, ahead), settled))
    }
}

/// Where parts hang from.
struct Under<'a> {
    way: &'a Way,
    tree: &'a dyn HistoryTree,
}

impl Under<'_> {
    fn clearing_part(
        &self,
        (interval, found): (Interval, &Found),
        (account, bus, aggregator): (&Id, u32, &Id),
        leaves: &[SumLeaf],
    ) -> Option<ClearingPart> {
        let (prices, award) = found.award_of(interval, aggregator)?;
        let place = leaves.iter().position(|leaf| leaf.account == *account);
        let allocation = |place: usize| {
            let SumLeaf { bid_hash, allocation, reactive, .. } = leaves[place].clone();
            let path = SumTree::build(leaves).path(place)?;
            Some(AllocationPart { bid_hash, power: allocation, reactive, path })
        };
        Some(ClearingPart {
            receipt: self.receipt_part(found, &[prices, award])?,
            price: PricePart {
                bus,
                price: *found.prices.get(bus as usize)?,
                inclusion: Inclusion::of(&price_leaves(&found.prices), bus as usize)?,
            },
            allocation: match place {
                Some(place) => Some(allocation(place)?),
                None => None,
            },
        })
    }

    fn receipt_part(&self, found: &Found, lines: &[usize]) -> Option<ReceiptPart> {
        let Found { header, opened, under_receipts, under_entries, .. } = found;
        let leaves: Vec<Hash32> = opened.lines.iter().map(|(line, salt)| line.leaf(salt)).collect();
        let shown = lines.iter().map(|at| {
            let (line, salt) = opened.lines.get(*at)?.clone();
            Some(LinePart { line, salt, inclusion: Inclusion::of(&leaves, *at)? })
        });
        Some(ReceiptPart {
            block: self.way.block(header, self.tree)?,
            receipt: opened.head.clone(),
            under_receipts: under_receipts.clone(),
            under_entries: under_entries.clone(),
            lines: shown.collect::<Option<_>>()?,
        })
    }
}

impl Found {
    /// Which line is the account's.
    fn line_of(&self, wanted: &Id) -> Option<usize> {
        self.opened.lines.iter().position(|(line, _)| {
            matches!(line, ReceiptLine::Payment { account, settled: Some(_), .. } if account == wanted)
        })
    }

    /// Which lines are an interval's prices and an aggregator's award.
    fn award_of(&self, wanted: Interval, aggregator: &Id) -> Option<(usize, usize)> {
        let mut lines = self.opened.lines.iter().map(|(line, _)| line);
        let prices = lines
            .clone()
            .position(|line| matches!(line, ReceiptLine::Prices { interval, .. } if *interval == wanted))?;
        let award = lines.position(|line| match line {
            ReceiptLine::Award { interval, allocated } => {
                *interval == wanted && allocated.aggregator == *aggregator
            }
            _ => false,
        })?;
        Some((prices, award))
    }
}

fn found(
    decided: &DecidedBlock,
    receipts: &[(Entry, Receipt)],
    index: usize,
    cleared: Option<&Cleared>,
) -> Option<Found> {
    let entries = &decided.block.entries;
    let pairs = entries.iter().zip(receipts);
    let opened: Vec<OpenedReceipt> =
        pairs.map(|(envelope, (_, receipt))| OpenedReceipt::of(envelope, receipt)).collect();
    let heads: Vec<Hash32> = opened.iter().map(|receipt| receipt.head.leaf()).collect();
    let leaves = entry_leaves(entries);
    Some(Found {
        header: decided.block.header.clone(),
        under_receipts: Inclusion::of(&heads, index)?,
        under_entries: Inclusion::of(&leaves, index)?,
        opened: opened.into_iter().nth(index)?,
        prices: cleared.map(|cleared| cleared.prices.clone()).unwrap_or_default(),
    })
}

/// The leaves of an aggregator's allocations, as its delivery lists them.
fn commitments(entry: &DeliveryEntry) -> Vec<SumLeaf> {
    let leaf = |site: &wire::entry::SiteDelivery| SumLeaf {
        account: site.account.clone(),
        bid_hash: site.bid_hash,
        allocation: site.commitment,
        reactive: site.reactive,
    };
    entry.sites.iter().map(leaf).collect()
}

/// The leaves of what an aggregator's sites hold a day ahead.
fn positions(entry: &DeliveryEntry) -> Vec<SumLeaf> {
    let leaf = |held: &wire::entry::SitePosition| SumLeaf {
        account: held.account.clone(),
        bid_hash: held.bid_hash,
        allocation: held.position,
        reactive: Millivar::ZERO,
    };
    entry.positions.iter().map(leaf).collect()
}
