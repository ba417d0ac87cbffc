//! Makes a settlement's proof out of a chain's blocks, given one after another as they were executed.

use super::chain::{CertifiedHead, ChainProof, RosterChange};
use super::part::{
    AllocationPart, BlockPart, ClearingPart, LinePart, PricePart, ReceiptPart, CLEARING, DAY_AHEAD,
};
use super::settlement::SettlementProof;
use crate::block::{entry_leaf, history_leaf, DecidedBlock, Header};
use crate::governed::roster::Roster;
use crate::receipts::{price_leaves, OpenedReceipt, ReceiptLine};
use crate::state::receipt::{Cleared, Receipt};
use market::interval::Interval;
use market::units::{Millivar, PicoEurPerWh};
use thiserror::Error;
use wire::entry::{DeliveryEntry, Entry};
use wire::hash::Hash32;
use wire::merkle::{Frontier, Grown};
use wire::merkle_sum::{SumLeaf, SumTree};
use wire::party::Id;
use wire::receipt::{Consistency, Inclusion};

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProveError {
    /// There is no block.
    #[error("there is no block")]
    NoBlock,
    /// The interval is not cleared, or the ledger's older blocks are gone.
    #[error("no block here clears {interval}")]
    NotCleared {
        /// The interval.
        interval: Interval,
    },
    /// No delivery settles the account.
    #[error("no block here settles account {account} in {interval}: its delivery is not decided yet, or it took no part")]
    NotSettled {
        /// The account.
        account: Id,
        /// The interval.
        interval: Interval,
    },
    /// What was recorded does not fit together.
    #[error("block {height}: {what} can't be proven")]
    Unprovable {
        /// The block's height.
        height: u64,
        /// What.
        what: &'static str,
    },
}

/// Collects what a proof about one interval needs.
pub struct Prover {
    ledger: Hash32,
    interval: Interval,
    history: Grown,
    roster: Roster,
    changes: Vec<RosterChange>,
    clearing: Option<Found>,
    ahead: Option<Found>,
    deliveries: Vec<(Found, DeliveryEntry)>,
    last: Option<CertifiedHead>,
    since: Option<u64>,
}

/// An entry that matters, with its block's trees.
struct Found {
    header: Header,
    opened: OpenedReceipt,
    under_receipts: Inclusion,
    under_entries: Inclusion,
    prices: Vec<PicoEurPerWh>,
}

impl Prover {
    /// For an interval of the ledger with this identity, from the blocks that follow on `before`, on the first of
    /// which `roster` decides.
    pub fn new(ledger: Hash32, interval: Interval, before: Frontier, roster: Roster) -> Self {
        Self {
            ledger,
            interval,
            history: Grown::from(before),
            roster,
            changes: Vec::new(),
            clearing: None,
            ahead: None,
            deliveries: Vec::new(),
            last: None,
            since: None,
        }
    }

    /// Asks for proof, too, that the history under the head of this height is the beginning of the proof's own.
    #[must_use]
    pub fn since(self, height: u64) -> Self {
        Self { since: Some(height), ..self }
    }

    /// Takes the next block, with what its entries did and who decides on the block after it.
    ///
    /// # Errors
    /// Where its votes make no receipts.
    pub fn take(
        &mut self,
        decided: &DecidedBlock,
        receipts: &[(Entry, Receipt)],
        next: Roster,
    ) -> Result<(), ProveError> {
        let header = &decided.block.header;
        let unprovable = |what| ProveError::Unprovable { height: header.height, what };
        let head = CertifiedHead::of(&self.ledger, &self.roster, header, &decided.certificate)
            .ok_or_else(|| unprovable("its head"))?;
        self.history.push(history_leaf(&header.hash()));
        if next != self.roster {
            self.changes.push(RosterChange { head: head.clone(), next: next.clone() });
            self.roster = next;
        }
        self.last = Some(head);
        for (index, (entry, receipt)) in receipts.iter().enumerate() {
            let cleared = receipt.cleared.iter().find(|cleared| cleared.interval == self.interval);
            let found = || found(decided, receipts, index, cleared).ok_or_else(|| unprovable("an entry"));
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

    /// The proof for one account, under the last block taken.
    ///
    /// # Errors
    /// Where what should be proven is not there.
    pub fn prove(mut self, account: &Id) -> Result<SettlementProof, ProveError> {
        let interval = self.interval;
        let head = self.last.take().ok_or(ProveError::NoBlock)?;
        // The head's own change, if it makes one, is for blocks after it.
        self.changes.retain(|change| change.head.header.height < head.header.height);
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
        let part = |found: &Found, leaves: Vec<SumLeaf>, kind| {
            let height = found.header.height;
            let made = self.clearing_part(found, &head.header, (account, bus, aggregator), &leaves);
            made.ok_or(ProveError::Unprovable { height, what: kind })
        };
        let real_time = part(clearing, commitments(entry), CLEARING)?;
        // A session holds the interval only for aggregators that took part in it.
        let ahead = self.ahead.as_ref().filter(|found| found.award_of(interval, aggregator).is_some());
        let ahead = ahead.map(|found| part(found, positions(entry), DAY_AHEAD)).transpose()?;
        let unprovable = || ProveError::Unprovable { height: delivery.header.height, what: "the delivery" };
        let settled = self.receipt_part(delivery, &head.header, &[line]).ok_or_else(unprovable)?;
        let earlier = self.since.map(|height| self.earlier(height, &head.header)).transpose()?;
        let chain = ChainProof { ledger: self.ledger, changes: self.changes, head, earlier };
        Ok(SettlementProof::new(chain, (interval, account.clone()), (real_time, ahead), settled))
    }

    fn earlier(&self, since: u64, head: &Header) -> Result<Consistency, ProveError> {
        let sizes = since.checked_sub(1).zip(head.height.checked_sub(1));
        let proof = sizes.and_then(|(old_size, new_size)| {
            let path = self.history.consistency_proof(old_size, new_size)?;
            Some(Consistency { old_size, new_size, path })
        });
        let what = "that it goes on an earlier history, or not so far back,";
        proof.ok_or(ProveError::Unprovable { height: since, what })
    }

    fn clearing_part(
        &self,
        found: &Found,
        head: &Header,
        (account, bus, aggregator): (&Id, u32, &Id),
        leaves: &[SumLeaf],
    ) -> Option<ClearingPart> {
        let (prices, award) = found.award_of(self.interval, aggregator)?;
        let place = leaves.iter().position(|leaf| leaf.account == *account);
        let allocation = |place: usize| {
            let SumLeaf { bid_hash, allocation, reactive, .. } = leaves[place].clone();
            let path = SumTree::build(leaves).path(place)?;
            Some(AllocationPart { bid_hash, power: allocation, reactive, path })
        };
        Some(ClearingPart {
            receipt: self.receipt_part(found, head, &[prices, award])?,
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

    fn receipt_part(&self, found: &Found, head: &Header, lines: &[usize]) -> Option<ReceiptPart> {
        let Found { header, opened, under_receipts, under_entries, .. } = found;
        let (index, size) = (header.height.checked_sub(1)?, head.height.checked_sub(1)?);
        let history = match header.height == head.height {
            true => None,
            false => Some(Inclusion { size, index, path: self.history.inclusion_proof(index, size)? }),
        };
        let leaves: Vec<Hash32> = opened.lines.iter().map(|(line, salt)| line.leaf(salt)).collect();
        let shown = lines.iter().map(|at| {
            let (line, salt) = opened.lines.get(*at)?.clone();
            Some(LinePart { line, salt, inclusion: Inclusion::of(&leaves, *at)? })
        });
        Some(ReceiptPart {
            block: BlockPart { header: header.clone(), history },
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
    let leaves: Vec<Hash32> = entries.iter().map(entry_leaf).collect();
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
