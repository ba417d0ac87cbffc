//! The batch of the bids that one aggregator's interval was cleared on: each signed curve, and the salt that makes its
//! hash the one on the ledger. With it goes what could tell whose curve a hash on the ledger is.

use super::fault::{check_rows, opened, settled, BatchFault};
use super::table::{self, Column, Row, Table, TableError};
use market::curve::FlexCurve;
use market::interval::Interval;
use market::units::Millivar;
use wire::entry::{DeliveryEntry, SignedEnvelope};
use wire::hash::Hash32;
use wire::merkle_sum::salted_bid_hash;
use wire::message::{Body, MAX_SITES};
use wire::party::{Id, Registry};
use wire::topic::Network;

/// Units stand in the columns' names. The two lists are the curve's corners: at this price, this power.
const SCHEMA: &str = "
message gridpact_bids_1 {
  required int64 interval_start (TIMESTAMP(MICROS, true));
  required int64 interval_seconds;
  required binary account (STRING);
  required binary bus (STRING);
  required group price_pico_eur_per_wh (LIST) { repeated group list { required int64 element; } }
  required group power_milliwatt (LIST) { repeated group list { required int64 element; } }
  required int64 reactive_range_millivar;
  required binary bid_salt;
  required binary bid_hash;
  required binary envelope_topic (STRING);
  required binary envelope;
}";

/// One site's bid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BidRow {
    /// The site's account.
    pub account: Id,
    /// Its bus.
    pub bus: String,
    /// The curve.
    pub curve: FlexCurve,
    /// Reactive power on offer.
    pub reactive_range: Millivar,
    /// What keeps the bid from being guessed from its hash.
    pub salt: Hash32,
    /// Salted hash of the signed bid, as the ledger has it.
    pub bid_hash: Hash32,
    /// The signed [`wire::message::Bid`]: of this interval, or an earlier one that stands for a silent site's.
    pub envelope: SignedEnvelope,
}

/// The bids one aggregator's interval was cleared on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BidsBatch {
    /// Which interval.
    pub interval: Interval,
    /// Its length in seconds.
    pub interval_s: i64,
    /// In order of account.
    pub rows: Vec<BidRow>,
}

impl BidsBatch {
    /// The batch's file. The same batch gives the same bytes.
    ///
    /// # Errors
    /// Where the Parquet library refuses.
    pub fn encode(&self) -> Result<Vec<u8>, TableError> {
        let rows = &self.rows;
        let corners = |of: fn(&market::curve::Breakpoint) -> i64| {
            Column::Lists(rows.iter().map(|row| row.curve.points().iter().map(of).collect()).collect())
        };
        let columns = [
            Column::Integers(vec![table::micros(self.interval)?; rows.len()]),
            Column::Integers(vec![self.interval_s; rows.len()]),
            Column::texts(rows.iter().map(|row| row.account.as_str())),
            Column::texts(rows.iter().map(|row| row.bus.as_str())),
            corners(|corner| corner.price.0),
            corners(|corner| corner.power.0),
            Column::Integers(rows.iter().map(|row| row.reactive_range.0).collect()),
            Column::bytes(rows.iter().map(|row| row.salt.0.as_slice())),
            Column::bytes(rows.iter().map(|row| row.bid_hash.0.as_slice())),
            Column::texts(rows.iter().map(|row| row.envelope.topic.as_str())),
            Column::bytes(rows.iter().map(|row| row.envelope.bytes.as_slice())),
        ];
        table::write(SCHEMA, rows.len(), &columns)
    }

    /// Checks a file: every signature, every column against what is signed, and every bid against its hash in the
    /// delivery that the ledger has. How many bids were checked.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn check(
        bytes: Vec<u8>,
        known: (&Registry, &Network),
        delivery: &DeliveryEntry,
    ) -> Result<usize, BatchFault> {
        let table = Table::read(bytes, SCHEMA, MAX_SITES)?;
        let mut accounts = Vec::new();
        for (place, row) in table.rows().enumerate() {
            let account = row.text(2)?.parse();
            let account: Id = account.map_err(|source| BatchFault::Name { row: place, source })?;
            check_row(row, &account, known, delivery)?;
            accounts.push(account);
        }
        check_rows(delivery.interval, delivery, accounts.iter())?;
        match delivery.sites.iter().find(|site| accounts.binary_search(&site.account).is_err()) {
            Some(site) => Err(BatchFault::Missing { account: site.account.clone() }),
            None => Ok(accounts.len()),
        }
    }
}

fn check_row(
    row: Row<'_>,
    account: &Id,
    known: (&Registry, &Network),
    delivery: &DeliveryEntry,
) -> Result<(), BatchFault> {
    let differs = |what| Err(BatchFault::Differs { account: account.clone(), what });
    let (interval, _) = row.interval()?;
    if interval != delivery.interval {
        return Err(BatchFault::Interval { batch: interval, delivery: delivery.interval });
    }
    let envelope = row.envelope(9)?;
    let said = opened(known, account, &envelope)?;
    let Body::Bid(bid) = said.body else { return differs("its envelope holds no bid") };
    let points = bid.curve.points();
    let prices: Vec<i64> = points.iter().map(|corner| corner.price.0).collect();
    let powers: Vec<i64> = points.iter().map(|corner| corner.power.0).collect();
    if (row.list(4)?, row.list(5)?, row.integer(6)?) != (&prices[..], &powers[..], bid.reactive_range.0) {
        return differs("its curve is not the one signed");
    }
    let bus = known.0.get(&said.topic.sender).and_then(|site| site.bus.as_deref());
    if bus != Some(row.text(3)?) {
        return differs("its bus is not the site's");
    }
    let hash_of = |bytes: &[u8]| bytes.try_into().ok().map(Hash32);
    let (salt, stated) = (hash_of(row.bytes(7)?), hash_of(row.bytes(8)?));
    let hash = salt.map(|salt| salted_bid_hash(&salt, &envelope));
    if hash != Some(settled(delivery, account)?.bid_hash) || stated != hash {
        return differs("its salted hash is not the one on the ledger");
    }
    Ok(())
}
