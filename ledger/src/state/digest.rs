//! The state's hash: fixed bytes under SHA-256, in order of account and interval.

use super::day_ahead::DayAheadRecord;
use super::{Account, IntervalRecord};
use market::interval::Interval;
use market::units::NanoEur;
use std::collections::BTreeMap;
use wire::hash::Hash32;
use wire::party::Id;

/// Hash of one interval's record.
pub(super) fn interval(record: &IntervalRecord) -> Hash32 {
    let prices: Vec<u8> = record.prices.iter().flat_map(|price| price.0.to_be_bytes()).collect();
    let mut awards = Vec::new();
    for (aggregator, award) in &record.awards {
        put_name(&mut awards, aggregator);
        awards.extend(award.bids_root.0);
        awards.extend(award.allocations_root.0);
        awards.extend(award.import.0.to_be_bytes());
        awards.extend(award.export.0.to_be_bytes());
        awards.extend((award.buses.len() as u64).to_be_bytes());
        for (bus, power) in &award.buses {
            awards.extend(bus.to_be_bytes());
            awards.extend(power.0.to_be_bytes());
        }
        // A market that clears no reactive power has the same hashes as before there was any.
        if !award.reactive.is_empty() {
            awards.extend((award.reactive.len() as u64).to_be_bytes());
            for (bus, reactive) in &award.reactive {
                awards.extend(bus.to_be_bytes());
                awards.extend(reactive.price.0.to_be_bytes());
                awards.extend(reactive.allocation.0.to_be_bytes());
            }
        }
        awards.push(award.settled.into());
    }
    let carbon_adder = record.carbon_adder.0.to_be_bytes();
    let parts: [&[u8]; 3] = [&prices, &awards, &carbon_adder];
    // Without a carbon price the hash is as before there was any.
    let count = if record.carbon_adder.0 == 0 { 2 } else { 3 };
    Hash32::of("gridpact interval", &parts[..count])
}

/// Hash of the day-ahead record of one interval.
pub(super) fn day_ahead(record: &DayAheadRecord) -> Hash32 {
    let prices: Vec<u8> = record.prices.iter().flat_map(|price| price.0.to_be_bytes()).collect();
    let mut positions = Vec::new();
    for (aggregator, position) in &record.positions {
        put_name(&mut positions, aggregator);
        positions.extend(position.bids_root.0);
        positions.extend(position.allocations_root.0);
        positions.extend(position.import.0.to_be_bytes());
        positions.extend(position.export.0.to_be_bytes());
        positions.extend((position.buses.len() as u64).to_be_bytes());
        for (bus, power) in &position.buses {
            positions.extend(bus.to_be_bytes());
            positions.extend(power.0.to_be_bytes());
        }
    }
    Hash32::of("gridpact day-ahead interval", &[&prices, &positions])
}

/// What the state's hash is of, besides accounts.
pub(super) struct Records<'a> {
    pub intervals: &'a BTreeMap<Interval, Hash32>,
    pub forgotten_to: Option<Interval>,
    pub day_ahead: &'a BTreeMap<Interval, Hash32>,
    pub voting: Hash32,
    pub governed: Hash32,
    pub contracts: Hash32,
    pub issued: NanoEur,
}

/// Hash of the whole state.
pub(super) fn state(accounts: &BTreeMap<Id, Account>, records: &Records<'_>) -> Hash32 {
    let mut account_bytes = Vec::with_capacity(accounts.len() * 48);
    for (name, account) in accounts {
        put_name(&mut account_bytes, name);
        account_bytes.extend(account.balance.0.to_be_bytes());
        account_bytes.extend(account.nonce.to_be_bytes());
    }
    let forgotten = records.forgotten_to.map_or_else(Vec::new, |at| at.0 .0.to_be_bytes().to_vec());
    let parts: [&[u8]; 8] = [
        &records.governed.0,
        &records.voting.0,
        &account_bytes,
        &put_digests(records.intervals),
        &forgotten,
        &put_digests(records.day_ahead),
        &records.contracts.0,
        &records.issued.0.to_be_bytes(),
    ];
    Hash32::of("gridpact state", &parts)
}

fn put_digests(digests: &BTreeMap<Interval, Hash32>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(digests.len() * 40);
    for (at, digest) in digests {
        bytes.extend(at.0 .0.to_be_bytes());
        bytes.extend(digest.0);
    }
    bytes
}

/// A name behind its length, which an identifier's 40 characters let stand in one byte.
fn put_name(bytes: &mut Vec<u8>, name: &Id) {
    let text = name.as_str().as_bytes();
    bytes.push(text.len() as u8);
    bytes.extend(text);
}
