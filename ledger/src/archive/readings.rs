//! The batch of one aggregator's meter readings over one interval: what each site was committed to, what its meter
//! counted, and the signed message that says so.

use super::fault::{check_rows, opened, settled, BatchFault};
use super::table::{self, Column, Row, Table, TableError};
use market::interval::Interval;
use market::units::{Millijoule, Millivar, Milliwatt};
use wire::entry::{DeliveryEntry, SignedEnvelope};
use wire::message::{Body, MAX_SITES};
use wire::party::{Id, Registry};
use wire::topic::Network;

/// Units stand in the columns' names; import and absorption are positive.
const SCHEMA: &str = "
message gridpact_readings_1 {
  required int64 interval_start (TIMESTAMP(MICROS, true));
  required int64 interval_seconds;
  required binary account (STRING);
  required binary bus (STRING);
  required int64 commitment_milliwatt;
  required int64 reactive_commitment_millivar;
  required int64 energy_millijoule;
  required binary envelope_topic (STRING);
  required binary envelope;
}";

/// One site's reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingRow {
    /// The site's account.
    pub account: Id,
    /// Its bus.
    pub bus: String,
    /// What it was committed to.
    pub commitment: Milliwatt,
    /// Reactive power it was committed to.
    pub reactive: Millivar,
    /// What its meter counted.
    pub energy: Millijoule,
    /// The signed [`wire::message::MeterReading`].
    pub envelope: SignedEnvelope,
}

/// One aggregator's readings over one interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingsBatch {
    /// Which interval.
    pub interval: Interval,
    /// Its length in seconds.
    pub interval_s: i64,
    /// In order of account; sites without a reading have no row.
    pub rows: Vec<ReadingRow>,
}

impl ReadingsBatch {
    /// The batch's file. The same batch gives the same bytes.
    ///
    /// # Errors
    /// Where the Parquet library refuses.
    pub fn encode(&self) -> Result<Vec<u8>, TableError> {
        let rows = &self.rows;
        let start_us = table::micros(self.interval)?;
        let columns = [
            Column::Integers(vec![start_us; rows.len()]),
            Column::Integers(vec![self.interval_s; rows.len()]),
            Column::texts(rows.iter().map(|row| row.account.as_str())),
            Column::texts(rows.iter().map(|row| row.bus.as_str())),
            Column::Integers(rows.iter().map(|row| row.commitment.0).collect()),
            Column::Integers(rows.iter().map(|row| row.reactive.0).collect()),
            Column::Integers(rows.iter().map(|row| row.energy.0).collect()),
            Column::texts(rows.iter().map(|row| row.envelope.topic.as_str())),
            Column::bytes(rows.iter().map(|row| row.envelope.bytes.as_slice())),
        ];
        table::write(SCHEMA, rows.len(), &columns)
    }

    /// A batch from a file, of `interval` where it has no rows. Says nothing yet about what it holds.
    ///
    /// # Errors
    /// Names what is wrong with it.
    pub fn decode(bytes: Vec<u8>, interval: Interval, interval_s: i64) -> Result<Self, BatchFault> {
        let table = Table::read(bytes, SCHEMA, MAX_SITES)?;
        let rows: Result<Vec<_>, BatchFault> = table
            .rows()
            .enumerate()
            .map(|(place, row)| {
                let account = row.text(2)?.parse();
                let account: Id = account.map_err(|source| BatchFault::Name { row: place, source })?;
                let of_row = row.interval()?;
                if of_row != (interval, interval_s) {
                    return Err(BatchFault::Interval { batch: of_row.0, delivery: interval });
                }
                Ok(reading(row, account)?)
            })
            .collect();
        Ok(Self { interval, interval_s, rows: rows? })
    }

    /// Checks every signature, and every row against the delivery that the ledger has. How many were checked.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn check(&self, known: (&Registry, &Network), delivery: &DeliveryEntry) -> Result<usize, BatchFault> {
        check_rows(self.interval, delivery, self.rows.iter().map(|row| &row.account))?;
        for row in &self.rows {
            let differs = |what| BatchFault::Differs { account: row.account.clone(), what };
            let said = opened(known, &row.account, &row.envelope)?;
            match said.body {
                Body::MeterReading(reading) if reading.interval != self.interval => {
                    return Err(differs("its signed reading is of another interval"));
                }
                Body::MeterReading(reading) if reading.energy != row.energy => {
                    return Err(differs("its energy is not the one signed"));
                }
                Body::MeterReading(_) => {}
                _ => return Err(differs("its envelope holds no meter reading")),
            }
            let bus = known.0.get(&said.topic.sender).and_then(|site| site.bus.as_deref());
            if bus != Some(row.bus.as_str()) {
                return Err(differs("its bus is not the site's"));
            }
            let site = settled(delivery, &row.account)?;
            if (site.energy, site.commitment, site.reactive)
                != (Some(row.energy), row.commitment, row.reactive)
            {
                return Err(differs("the ledger settled other figures"));
            }
        }
        let read: Vec<&Id> = self.rows.iter().map(|row| &row.account).collect();
        let missing = |account: &Id| read.binary_search(&account).is_err();
        match delivery.sites.iter().find(|site| site.energy.is_some() && missing(&site.account)) {
            Some(site) => Err(BatchFault::Missing { account: site.account.clone() }),
            None => Ok(self.rows.len()),
        }
    }
}

fn reading(row: Row<'_>, account: Id) -> Result<ReadingRow, TableError> {
    Ok(ReadingRow {
        account,
        bus: row.text(3)?.to_owned(),
        commitment: Milliwatt(row.integer(4)?),
        reactive: Millivar(row.integer(5)?),
        energy: Millijoule(row.integer(6)?),
        envelope: row.envelope(7)?,
    })
}
