//! The trees over what a block's entries did, by which one account's part of it is proven without
//! showing another's. A header's `receipts_root` is over its entries' receipts; a receipt holds the
//! root over its lines: one for each account that received or paid, and for each interval cleared one
//! for the prices and one for each aggregator.
//!
//! A line's leaf is salted. Every validator can work the salt out, from the entry as it was signed; who
//! sees a proof and not the entry can't, and so can't guess other accounts' figures from the hashes
//! beside the one proven. Prices are public, and their leaves bare.

use crate::block::entry_leaf;
use crate::state::receipt::{Allocated, Cleared, Receipt, SettledSite};
use market::interval::Interval;
use market::units::{NanoEur, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use wire::entry::{Entry, SignedEnvelope};
use wire::hash::Hash32;
use wire::merkle::{self, leaf_hash};
use wire::party::{Id, PartyId};

/// One entry's receipt, as it lies under a header's `receipts_root`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptHead {
    /// The entry's leaf under `entries_root`.
    pub entry: Hash32,
    /// Who submitted it.
    pub submitter: PartyId,
    /// Kind of entry, as [`crate::contracts::kind`].
    pub kind: String,
    /// Interval it is about, where it is about one.
    pub interval: Option<Interval>,
    /// How many lines it has.
    pub lines: u64,
    /// Merkle root over them.
    pub lines_root: Hash32,
}

/// One thing that one entry did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum ReceiptLine {
    /// An interval was cleared at these prices.
    Prices {
        /// The interval.
        interval: Interval,
        /// How many buses have a price.
        buses: u64,
        /// Merkle root over [`price_leaf`]s, in the order of the feeder's buses.
        root: Hash32,
    },
    /// An aggregator was allocated something for an interval.
    Award {
        /// The interval.
        interval: Interval,
        /// What it signed.
        allocated: Allocated,
    },
    /// An account received or paid something.
    Payment {
        /// The account.
        account: Id,
        /// What it received; negative where it paid.
        amount: NanoEur,
        /// What for, where the entry is a delivery and the account a site's in it.
        settled: Option<SettledSite>,
    },
}

/// Leaf of the price at one bus, given by its place in the feeder's buses.
pub fn price_leaf(bus: u32, price: PicoEurPerWh) -> Hash32 {
    leaf_hash(&[b"gridpact price\0".as_slice(), &bus.to_be_bytes(), &price.0.to_be_bytes()].concat())
}

/// Leaves of an interval's prices, in the order of the feeder's buses.
pub fn price_leaves(prices: &[PicoEurPerWh]) -> Vec<Hash32> {
    (0u32..).zip(prices).map(|(bus, price)| price_leaf(bus, *price)).collect()
}

impl ReceiptHead {
    /// Its leaf under `receipts_root`.
    pub fn leaf(&self) -> Hash32 {
        let Self { entry, submitter, kind, interval, lines, lines_root } = self;
        let interval = interval.map_or_else(Vec::new, |interval| interval.0 .0.to_be_bytes().to_vec());
        let (role, name) = (submitter.role.word().as_bytes(), submitter.id.as_str().as_bytes());
        let parts: [&[u8]; 7] =
            [&entry.0, role, name, kind.as_bytes(), &interval, &lines.to_be_bytes(), &lines_root.0];
        leaf_hash(&Hash32::of("gridpact receipt", &parts).0)
    }
}

impl ReceiptLine {
    /// Its leaf under a receipt's `lines_root`, with its salt.
    pub fn leaf(&self, salt: &Hash32) -> Hash32 {
        let hash = match self {
            ReceiptLine::Prices { interval, buses, root } => {
                let (at, buses) = (interval.0 .0.to_be_bytes(), buses.to_be_bytes());
                Hash32::of("gridpact receipt prices", &[&salt.0, &at, &buses, &root.0])
            }
            ReceiptLine::Award { interval, allocated } => {
                let Allocated { aggregator, bids_root, allocations_root, import, export } = allocated;
                let (at, sums) = (interval.0 .0.to_be_bytes(), [import.0, export.0].map(i64::to_be_bytes));
                let name = aggregator.as_str().as_bytes();
                let roots = [bids_root.0, allocations_root.0].concat();
                Hash32::of("gridpact receipt award", &[&salt.0, &at, name, &roots, &sums.concat()])
            }
            ReceiptLine::Payment { account, amount, settled } => {
                let settled = settled.as_ref().map_or_else(Vec::new, settled_bytes);
                let (name, amount) = (account.as_str().as_bytes(), amount.0.to_be_bytes());
                Hash32::of("gridpact receipt payment", &[&salt.0, name, &amount, &settled])
            }
        };
        leaf_hash(&hash.0)
    }

    /// What tells it from the receipt's other lines.
    fn key(&self) -> Vec<u8> {
        match self {
            ReceiptLine::Prices { interval, .. } => interval.0 .0.to_be_bytes().to_vec(),
            ReceiptLine::Award { interval, allocated } => {
                [interval.0 .0.to_be_bytes().as_slice(), allocated.aggregator.as_str().as_bytes()].concat()
            }
            ReceiptLine::Payment { account, .. } => account.as_str().as_bytes().to_vec(),
        }
    }
}

fn settled_bytes(settled: &SettledSite) -> Vec<u8> {
    let SettledSite { bus, position, commitment, reactive, energy } = settled;
    let mut bytes = bus.to_be_bytes().to_vec();
    bytes.extend([position.0, commitment.0, reactive.0].map(i64::to_be_bytes).concat());
    bytes.extend(energy.iter().flat_map(|energy| energy.0.to_be_bytes()));
    bytes
}

/// One entry's receipt, opened to its lines.
#[derive(Clone, Debug)]
pub struct OpenedReceipt {
    /// What lies under `receipts_root`.
    pub head: ReceiptHead,
    /// Its lines with their salts: of each interval cleared prices, then awards in order of aggregator;
    /// then payments in order of account.
    pub lines: Vec<(ReceiptLine, Hash32)>,
}

impl OpenedReceipt {
    /// What the entry in this envelope did.
    pub fn of(envelope: &SignedEnvelope, receipt: &Receipt) -> Self {
        Self::of_leaf(entry_leaf(envelope), envelope, receipt)
    }

    /// The same where the entry's leaf is known.
    fn of_leaf(entry: Hash32, envelope: &SignedEnvelope, receipt: &Receipt) -> Self {
        let seed = Hash32::of("gridpact receipt seed", &[envelope.topic.as_bytes(), &envelope.bytes]);
        let salted = |line: ReceiptLine| {
            let salt = Hash32::of("gridpact receipt salt", &[&seed.0, &line.key()]);
            (line, salt)
        };
        let lines: Vec<_> = lines(receipt).into_iter().map(salted).collect();
        let leaves: Vec<Hash32> = lines.iter().map(|(line, salt)| line.leaf(salt)).collect();
        let head = ReceiptHead {
            entry,
            submitter: receipt.submitter.clone(),
            kind: receipt.kind.to_owned(),
            interval: receipt.interval,
            lines: leaves.len() as u64,
            lines_root: merkle::root(&leaves),
        };
        Self { head, lines }
    }
}

fn lines(receipt: &Receipt) -> Vec<ReceiptLine> {
    let mut lines = Vec::new();
    for Cleared { interval, prices, awards } in &receipt.cleared {
        let (buses, root) = (prices.len() as u64, merkle::root(&price_leaves(prices)));
        lines.push(ReceiptLine::Prices { interval: *interval, buses, root });
        let award = |allocated: &Allocated| {
            let allocated = allocated.clone();
            ReceiptLine::Award { interval: *interval, allocated }
        };
        lines.extend(awards.iter().map(award));
    }
    lines.extend(receipt.payments.iter().map(|payment| ReceiptLine::Payment {
        account: payment.account.clone(),
        amount: payment.amount,
        settled: receipt.settled.get(&payment.account).copied(),
    }));
    lines
}

/// Root over the receipts of a block's entries, in order, with the entries' leaves.
pub fn receipts_root(entries: &[SignedEnvelope], leaves: &[Hash32], receipts: &[(Entry, Receipt)]) -> Hash32 {
    let entries = leaves.iter().zip(entries).zip(receipts);
    let heads =
        entries.map(|((leaf, envelope), (_, receipt))| OpenedReceipt::of_leaf(*leaf, envelope, receipt).head);
    merkle::root(&heads.map(|head| head.leaf()).collect::<Vec<_>>())
}
