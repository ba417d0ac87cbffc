//! `gridpact ledger fetch`: a batch from an aggregator's archive, checked against the ledger before it is given out.

use super::args::{FetchArgs, Which};
use super::format::{put, utc};
use super::walk::walk;
use super::GatewayError;
use ledger::archive::bids::BidsBatch;
use ledger::archive::location::Place;
use ledger::archive::readings::ReadingsBatch;
use ledger::archive::store::{Archive, S3Settings};
use ledger::contracts::rules::Rules;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wire::entry::{BatchReference, DeliveryEntry, Entry};
use wire::party::Id;

/// A delivery that names the batch.
struct Named {
    aggregator: Id,
    height: u64,
    kind: Which,
    delivery: DeliveryEntry,
    rules: Arc<Rules>,
}

impl Named {
    fn batch(&self) -> &BatchReference {
        match self.kind {
            Which::Readings => &self.delivery.readings,
            Which::Bids => &self.delivery.bids,
        }
    }
}

/// Fetches the batch that was asked for, checks it, says so, and writes it where it was told to.
///
/// # Errors
/// Where the ledger names no such batch, the archive has none, or something in it does not hold.
pub fn run(args: &FetchArgs, out: &mut dyn Write) -> Result<(), GatewayError> {
    let mut found = walk(
        &args.dir,
        |_| Vec::new(),
        |found, block, rules, _| {
            for (entry, receipt) in &block.receipts {
                let Entry::Delivery(delivery) = entry else { continue };
                let (aggregator, height) = (receipt.submitter.id.clone(), block.decided.height());
                found.extend(asked_for(args, &aggregator, delivery).map(|kind| Named {
                    aggregator,
                    height,
                    kind,
                    delivery: delivery.clone(),
                    rules: rules.clone(),
                }));
            }
            true
        },
    )?;
    if found.len() > 1 {
        return Err(GatewayError::ManyBatches { count: found.len() });
    }
    let named = found.pop().ok_or(GatewayError::NoBatch)?;
    let location = named.batch().location.clone();
    let bytes = fetched(args, &named)?;
    let checked = check(&named, bytes.clone())
        .map_err(|source| GatewayError::Fault { location: location.clone(), source })?;
    if let Some(output) = &args.output {
        put(Some(output), &bytes, out)?;
    }
    let kind = named.delivery.interval.start().0;
    writeln!(
        out,
        "{location}, of {} for the interval from {}, named in block {}:",
        named.aggregator,
        utc(kind),
        named.height
    )?;
    writeln!(out, "SHA-256 {} as on the ledger; {checked}.", named.batch().sha256)?;
    Ok(())
}

/// Which of a delivery's batches was asked for, if any.
fn asked_for(args: &FetchArgs, aggregator: &Id, delivery: &DeliveryEntry) -> Option<Which> {
    if args.aggregator.as_ref().is_some_and(|asked| asked != aggregator) {
        return None;
    }
    if args.interval.is_some_and(|start| start != delivery.interval.start().0) {
        return None;
    }
    let batches = [(Which::Readings, &delivery.readings), (Which::Bids, &delivery.bids)];
    match args.sha256 {
        Some(sha256) => batches.into_iter().find(|(_, batch)| batch.sha256 == sha256).map(|(kind, _)| kind),
        None => Some(args.kind),
    }
}

fn fetched(args: &FetchArgs, named: &Named) -> Result<Vec<u8>, GatewayError> {
    let missing = || GatewayError::NoArchive {
        location: named.batch().location.clone(),
        aggregator: named.aggregator.to_string(),
    };
    let place = match &args.archive {
        Some(place) => place.clone(),
        None => Place::Folder(demo_archive(&args.dir, &named.aggregator).ok_or_else(missing)?),
    };
    let s3 = S3Settings { endpoint: args.endpoint.clone(), region: args.region.clone() };
    let archive = Archive::open(&place, &s3)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(archive.fetch(named.batch()))?)
}

/// Where a demo's aggregator keeps its batches, beside the ledgers.
fn demo_archive(dir: &Path, aggregator: &Id) -> Option<PathBuf> {
    let beside = [Some(dir), dir.parent()].into_iter().flatten();
    beside.map(|dir| dir.join(format!("aggregator-{aggregator}")).join("archive")).find(|path| path.is_dir())
}

/// Checks everything in the batch; what was checked, in words.
fn check(named: &Named, bytes: Vec<u8>) -> Result<String, ledger::archive::BatchFault> {
    let (verifier, delivery) = (&named.rules.verifier, &named.delivery);
    let known = (verifier.registry().as_ref(), verifier.network());
    match named.kind {
        Which::Readings => {
            let interval_s = named.rules.parameters.interval_s;
            let batch = ReadingsBatch::decode(bytes, delivery.interval, interval_s)?;
            let count = batch.check(known, delivery)?;
            Ok(format!("{count} readings, each rightly signed and as it was settled"))
        }
        Which::Bids => {
            let count = BidsBatch::check(bytes, known, delivery)?;
            Ok(format!("{count} bids, each rightly signed and with the hash that was committed to"))
        }
    }
}
