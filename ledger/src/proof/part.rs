//! The parts that proofs are put together from: a block under a head's history, an entry's receipt under a
//! block, a line under a receipt, a price and an allocation under what a line names.

use crate::block::{history_leaf, Header};
use crate::receipts::{price_leaf, ReceiptHead, ReceiptLine};
use crate::state::receipt::Allocated;
use market::interval::Interval;
use market::units::{Millivar, Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::hash::Hash32;
use wire::merkle_sum::{self, SumLeaf, SumRoot};
use wire::message::MerkleSumPath;
use wire::party::{Id, Role};
use wire::receipt::Inclusion;

/// A block of the chain that a head ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockPart {
    /// Its header.
    pub header: Header,
    /// Its place under the head's `history_root`; none where it is the head.
    pub history: Option<Inclusion>,
}

/// What one entry did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptPart {
    /// The entry's block.
    pub block: BlockPart,
    /// Its receipt.
    pub receipt: ReceiptHead,
    /// The receipt's place under the block's `receipts_root`.
    pub under_receipts: Inclusion,
    /// The entry's place under the block's `entries_root`.
    pub under_entries: Inclusion,
    /// Those of its lines that are shown.
    pub lines: Vec<LinePart>,
}

/// One line of a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinePart {
    /// The line.
    pub line: ReceiptLine,
    /// Its salt.
    pub salt: Hash32,
    /// Its place under the receipt's root.
    pub inclusion: Inclusion,
}

/// The price at one bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricePart {
    /// The bus, by its place in the feeder's buses.
    pub bus: u32,
    /// Its price.
    pub price: PicoEurPerWh,
    /// Its place under the root of prices.
    pub inclusion: Inclusion,
}

/// What an aggregator allocated to one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllocationPart {
    /// Salted hash of the site's bid.
    pub bid_hash: Hash32,
    /// What it was allocated; import positive.
    pub power: Milliwatt,
    /// Reactive power it was allocated; absorbed positive.
    pub reactive: Millivar,
    /// From its leaf to the aggregator's root; the salt is the site's own affair and zero.
    pub path: MerkleSumPath,
}

/// A clearing of one interval, as far as it concerns one site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearingPart {
    /// What the clearing did: prices and the aggregator's award.
    pub receipt: ReceiptPart,
    /// The price at the site's bus.
    pub price: PricePart,
    /// What the site was allocated; none where it had no bid in it.
    pub allocation: Option<AllocationPart>,
}

/// What of a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PartError {
    /// A block is not on the chain that the head ends.
    #[error("block {height} is not under the head's history root")]
    History {
        /// The block's height.
        height: u64,
    },
    /// A receipt is not of an entry of its block.
    #[error("block {height}: the {kind} receipt is not under its receipts root")]
    Receipt {
        /// The block's height.
        height: u64,
        /// Kind of entry it says it is of.
        kind: String,
    },
    /// A receipt of another kind of entry, or about another interval.
    #[error("block {height}: a {kind} receipt is not what a {wanted} of {interval} leaves")]
    OtherReceipt {
        /// The block's height.
        height: u64,
        /// Kind of entry it is of.
        kind: String,
        /// Kind wanted.
        wanted: &'static str,
        /// Interval wanted.
        interval: Interval,
    },
    /// Lines of a receipt that are not in it, or not those that belong into the proof.
    #[error("block {height}: the receipt's lines are not those proven")]
    Lines {
        /// The block's height.
        height: u64,
    },
    /// A price that is not under the root of prices.
    #[error("block {height}: the price at bus {bus} is not under the root of its prices")]
    Price {
        /// The block's height.
        height: u64,
        /// The bus's place.
        bus: u32,
    },
    /// An allocation that is not under the aggregator's root.
    #[error("block {height}: the allocation is not under the aggregator's root")]
    Allocation {
        /// The block's height.
        height: u64,
    },
}

impl BlockPart {
    /// Checks that the block is on the chain that the head ends.
    ///
    /// # Errors
    /// Where it is not.
    pub fn check(&self, head: &Header) -> Result<(), PartError> {
        let height = self.header.height;
        let lies = match &self.history {
            None => self.header == *head,
            // The place is the height's: a header can't stand in for another's.
            Some(proof) => {
                Some(proof.index) == height.checked_sub(1)
                    && Some(proof.size) == head.height.checked_sub(1)
                    && proof.holds(&history_leaf(&self.header.hash()), &head.history_root)
            }
        };
        lies.then_some(()).ok_or(PartError::History { height })
    }
}

impl ReceiptPart {
    /// Checks that the receipt, its entry and every line shown are where they are said to be, and that they are
    /// what an entry of the kind `wanted` about this interval leaves.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn check(&self, head: &Header, wanted: &'static str, interval: Interval) -> Result<(), PartError> {
        let Self { block, receipt, under_receipts, under_entries, lines } = self;
        let (header, height) = (&block.header, block.header.height);
        block.check(head)?;
        let same_place =
            (under_receipts.index, under_receipts.size) == (under_entries.index, under_entries.size);
        let lies = same_place
            && under_receipts.holds(&receipt.leaf(), &header.receipts_root)
            && under_entries.holds(&receipt.entry, &header.entries_root);
        if !lies {
            return Err(PartError::Receipt { height, kind: receipt.kind.clone() });
        }
        // A session is named by its first interval, and its lines by theirs.
        let about = wanted == DAY_AHEAD || receipt.interval == Some(interval);
        if receipt.kind != wanted || !about {
            return Err(PartError::OtherReceipt { height, kind: receipt.kind.clone(), wanted, interval });
        }
        let in_receipt = |part: &LinePart| {
            part.inclusion.size == receipt.lines
                && part.inclusion.holds(&part.line.leaf(&part.salt), &receipt.lines_root)
        };
        lines.iter().all(in_receipt).then_some(()).ok_or(PartError::Lines { height })
    }
}

/// Kind of a clearing in real time.
pub const CLEARING: &str = "clearing";
/// Kind of a day-ahead session's clearing.
pub const DAY_AHEAD: &str = "day-ahead";
/// Kind of a delivery.
pub const DELIVERY: &str = "delivery";

impl ClearingPart {
    /// Checks the clearing of an interval as far as it concerns the site with this account, at this bus, under
    /// this aggregator.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn check(
        &self,
        head: &Header,
        (wanted, interval): (&'static str, Interval),
        (account, bus, aggregator): (&Id, u32, &Id),
    ) -> Result<(), PartError> {
        let Self { receipt, price, allocation } = self;
        receipt.check(head, wanted, interval)?;
        let height = receipt.block.header.height;
        let lines: Vec<&ReceiptLine> = receipt.lines.iter().map(|part| &part.line).collect();
        let (root, buses, allocated) = match lines[..] {
            [ReceiptLine::Prices { interval: of_prices, buses, root }, ReceiptLine::Award { interval: of_award, allocated }]
                if [*of_prices, *of_award] == [interval; 2]
                    && allocated.aggregator == *aggregator
                    && receipt.receipt.submitter.role == Role::Dso =>
            {
                (root, *buses, allocated)
            }
            _ => return Err(PartError::Lines { height }),
        };
        let PricePart { bus: at, price, inclusion } = price;
        let placed = *at == bus && inclusion.index == u64::from(bus) && inclusion.size == buses;
        if !placed || !inclusion.holds(&price_leaf(bus, *price), root) {
            return Err(PartError::Price { height, bus });
        }
        let holds = allocation.as_ref().is_none_or(|allocation| allocation.holds(account, allocated));
        holds.then_some(()).ok_or(PartError::Allocation { height })
    }
}

impl AllocationPart {
    fn holds(&self, account: &Id, allocated: &Allocated) -> bool {
        let Self { bid_hash, power, reactive, path } = self;
        let leaf = SumLeaf {
            account: account.clone(),
            bid_hash: *bid_hash,
            allocation: *power,
            reactive: *reactive,
        };
        let Allocated { allocations_root, import, export, .. } = allocated;
        let root = SumRoot { hash: *allocations_root, import: *import, export: *export };
        path.salt == Hash32::default() && merkle_sum::verify(&leaf, path, &root)
    }
}
