//! Batches off the ledger: what is in them is signed and was settled, what is changed in them is named, and the ledger
//! holds without them.

use crate::day::{clearing, delivery};
use crate::store::holding;
use crate::world::{id, party, World, INTERVAL};
use ledger::archive::bids::{BidRow, BidsBatch};
use ledger::archive::location::{path_of, BatchKind, Place};
use ledger::archive::readings::{ReadingRow, ReadingsBatch};
use ledger::archive::store::{Archive, ArchiveError, S3Settings};
use ledger::archive::BatchFault;
use ledger::verify::verify_dir;
use market::curve::{Breakpoint, FlexCurve};
use market::units::{Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::path::Path;
use wire::entry::{BatchReference, DeliveryEntry, Entry, SignedEnvelope};
use wire::hash::Hash32;
use wire::merkle_sum::salted_bid_hash;
use wire::message::{Bid, Body, MeterReading};
use wire::party::Role;

const INTERVAL_S: i64 = 900;
const SITES: [(&str, &str); 2] = [("s1", "a"), ("s2", "b")];

/// What agg-1's sites were settled for, with the batches of it.
pub struct Filed {
    pub world: World,
    pub entry: DeliveryEntry,
    pub readings: ReadingsBatch,
    pub bids: BidsBatch,
}

fn said(world: &World, site: &str, body: Body) -> SignedEnvelope {
    world.sign(&party(Role::Site, site), Some(party(Role::Aggregator, "agg-1")), &body).raw
}

fn curve() -> FlexCurve {
    let at = |price, power| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
    FlexCurve::new(vec![at(40_000_000, 5_000_000), at(80_000_000, 2_000_000), at(80_000_000, -1)]).unwrap()
}

fn bid(world: &World, place: usize) -> BidRow {
    let (site, bus) = SITES[place];
    let (curve, reactive_range) = (curve(), Millivar(0));
    let body = Bid { interval: INTERVAL, curve: curve.clone(), forward: true, reading: None, reactive_range };
    let envelope = said(world, site, Body::Bid(body));
    let salt = Hash32([place as u8 + 7; 32]);
    let bid_hash = salted_bid_hash(&salt, &envelope);
    let account = id(&format!("account-{site}"));
    BidRow { account, bus: bus.to_owned(), curve, reactive_range, salt, bid_hash, envelope }
}

fn reading(world: &World, place: usize, entry: &DeliveryEntry) -> ReadingRow {
    let (site, bus) = SITES[place];
    let settled = &entry.sites[place];
    let energy = settled.energy.unwrap();
    ReadingRow {
        account: settled.account.clone(),
        bus: bus.to_owned(),
        commitment: settled.commitment,
        reactive: settled.reactive,
        energy,
        envelope: said(world, site, Body::MeterReading(MeterReading { interval: INTERVAL, energy })),
    }
}

pub fn filed() -> Filed {
    let world = World::new(1);
    let rows: Vec<BidRow> = (0..SITES.len()).map(|place| bid(&world, place)).collect();
    let opened = delivery(&world, "agg-1", |entry| {
        for (site, bid) in entry.sites.iter_mut().zip(&rows) {
            site.bid_hash = bid.bid_hash;
        }
    });
    let Entry::Delivery(entry) = opened.entry else { panic!("a delivery") };
    let readings = (0..SITES.len()).map(|place| reading(&world, place, &entry)).collect();
    let readings = ReadingsBatch { interval: INTERVAL, interval_s: INTERVAL_S, rows: readings };
    let bids = BidsBatch { interval: INTERVAL, interval_s: INTERVAL_S, rows };
    Filed { world, entry, readings, bids }
}

fn check_readings(spoil: impl FnOnce(&mut ReadingsBatch, &mut DeliveryEntry), expected: Result<usize, &str>) {
    let Filed { world, mut entry, mut readings, .. } = filed();
    spoil(&mut readings, &mut entry);
    let registry = world.genesis.registry();
    let decoded = ReadingsBatch::decode(readings.encode().unwrap(), INTERVAL, INTERVAL_S).unwrap();
    assert_eq!(decoded, readings);
    let found = decoded.check((&registry, &world.genesis.network), &entry);
    check_found(found, expected);
}

fn check_bids(spoil: impl FnOnce(&mut BidsBatch, &mut DeliveryEntry), expected: Result<usize, &str>) {
    let Filed { world, mut entry, mut bids, .. } = filed();
    spoil(&mut bids, &mut entry);
    let registry = world.genesis.registry();
    let found = BidsBatch::check(bids.encode().unwrap(), (&registry, &world.genesis.network), &entry);
    check_found(found, expected);
}

fn check_found(found: Result<usize, BatchFault>, expected: Result<usize, &str>) {
    match (found, expected) {
        (Ok(count), Ok(expected)) => assert_eq!(count, expected),
        (Err(fault), Err(words)) => assert!(fault.to_string().contains(words), "{fault} for {words}"),
        (found, expected) => panic!("{found:?} for {expected:?}"),
    }
}

#[test]
fn readings_come_back_signed_and_settled_or_what_is_wrong_is_named() {
    check_readings(|_, _| {}, Ok(2));
    check_readings(
        |batch, _| batch.rows[0].energy.0 += 1,
        Err("account-s1: its energy is not the one signed"),
    );
    check_readings(|batch, _| batch.rows[1].commitment.0 += 1, Err("the ledger settled other figures"));
    check_readings(|_, entry| entry.sites[1].energy = None, Err("account-s2: the ledger settled other"));
    check_readings(|batch, _| batch.rows[1].bus = "a".to_owned(), Err("its bus is not the site's"));
    check_readings(|batch, _| batch.rows.swap(0, 1), Err("account-s1 is not behind"));
    check_readings(|batch, _| drop(batch.rows.remove(0)), Err("the batch has nothing of account-s1"));
    check_readings(|_, entry| drop(entry.sites.remove(0)), Err("the ledger's delivery has no such site"));
    check_readings(
        |batch, entry| {
            batch.rows.clear();
            entry.sites.iter_mut().for_each(|site| site.energy = None);
        },
        Ok(0),
    );
    check_readings(|_, entry| entry.interval = INTERVAL.later(1, INTERVAL_S), Err("the batch is of"));
    check_readings(|batch, _| *batch.rows[1].envelope.bytes.last_mut().unwrap() ^= 1, Err("account-s2: "));
    check_readings(
        |batch, _| batch.rows[1].envelope = batch.rows[0].envelope.clone(),
        Err("account-s2: its envelope is another site's"),
    );
}

#[test]
fn a_signed_message_of_another_kind_or_interval_is_no_reading() {
    let later = MeterReading { interval: INTERVAL.later(1, INTERVAL_S), energy: Millijoule(1) };
    let with = |body: Body, words: &str| {
        let envelope = said(&World::new(1), "s1", body);
        check_readings(|batch, _| batch.rows[0].envelope = envelope, Err(words));
    };
    with(Body::MeterReading(later), "of another interval");
    let (interval, reactive_range) = (INTERVAL, Millivar(0));
    let bid = Bid { interval, curve: curve(), forward: false, reading: None, reactive_range };
    with(Body::Bid(bid), "holds no meter reading");
}

#[test]
fn bids_come_back_signed_and_committed_to_or_what_is_wrong_is_named() {
    check_bids(|_, _| {}, Ok(2));
    check_bids(|batch, _| batch.rows[0].salt.0[0] ^= 1, Err("account-s1: its salted hash is not"));
    check_bids(|batch, _| batch.rows[1].bid_hash.0[0] ^= 1, Err("account-s2: its salted hash is not"));
    check_bids(|_, entry| entry.sites[1].bid_hash.0[0] ^= 1, Err("account-s2: its salted hash is not"));
    check_bids(
        |batch, _| batch.rows[0].curve = FlexCurve::inelastic(Milliwatt(5)),
        Err("account-s1: its curve is not the one signed"),
    );
    check_bids(|batch, _| batch.rows[0].reactive_range.0 = 9, Err("its curve is not the one signed"));
    check_bids(|batch, _| batch.rows[0].bus = "b".to_owned(), Err("its bus is not the site's"));
    check_bids(|batch, _| batch.rows.swap(0, 1), Err("account-s1 is not behind"));
    check_bids(|batch, _| drop(batch.rows.pop()), Err("the batch has nothing of account-s2"));
    check_bids(|batch, _| batch.interval = INTERVAL.later(1, INTERVAL_S), Err("the batch is of"));
}

#[test]
fn the_same_batch_has_the_same_bytes_and_another_tables_are_refused() {
    let Filed { readings, bids, world, entry } = filed();
    assert_eq!(readings.encode().unwrap(), readings.encode().unwrap());
    let other = ReadingsBatch::decode(bids.encode().unwrap(), INTERVAL, INTERVAL_S);
    assert!(other.unwrap_err().to_string().contains("not those of gridpact_readings_1"));
    let registry = world.genesis.registry();
    let known = (&registry, &world.genesis.network);
    assert!(BidsBatch::check(readings.encode().unwrap(), known, &entry).is_err());
    assert!(BidsBatch::check(b"PAR1".to_vec(), known, &entry).is_err());
}

/// Whoever made a batch chose its bytes, and their hash is on the ledger all the same: twenty thousand times a few bytes
/// are changed or the end is cut off.
#[test]
fn no_bytes_make_a_reader_panic() {
    let Filed { world, entry, readings, bids } = filed();
    let registry = world.genesis.registry();
    let files = [readings.encode().unwrap(), bids.encode().unwrap()];
    let mut panicked = Vec::new();
    for seed in 0..20_000 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut bytes = files[seed as usize % 2].clone();
        for _ in 0..random.random_range(1..5) {
            let place = random.random_range(0..bytes.len());
            bytes[place] = random.random();
        }
        if random.random_ratio(1, 10) {
            bytes.truncate(random.random_range(0..bytes.len()));
        }
        let read = std::panic::catch_unwind(|| {
            let _ = ReadingsBatch::decode(bytes.clone(), INTERVAL, INTERVAL_S);
            let _ = BidsBatch::check(bytes, (&registry, &world.genesis.network), &entry);
        });
        if read.is_err() {
            panicked.push(seed);
        }
    }
    assert_eq!(panicked, [0; 0], "seeds");
}

/// Stores both batches of `filed` and has the ledger in `folder` name them.
async fn stored(filed: &Filed, archive: &Archive, folder: &Path) -> [BatchReference; 2] {
    let Filed { world, readings, bids, .. } = filed;
    let mut references = Vec::new();
    let files = [(BatchKind::Readings, readings.encode()), (BatchKind::Bids, bids.encode())];
    for (kind, bytes) in files {
        let bytes = bytes.unwrap();
        let sha256 = Hash32::plain(&bytes);
        let path = path_of(kind, &id("agg-1"), INTERVAL, &sha256);
        references.push(BatchReference { sha256, location: archive.place().location(&path) });
        archive.put(&path, bytes).await.unwrap();
    }
    let references: [BatchReference; 2] = references.try_into().unwrap();
    let named = delivery(world, "agg-1", |entry| [*entry.readings, *entry.bids] = references.clone());
    holding(world, folder, [vec![clearing(world, |_| {})], vec![named]]);
    references
}

#[tokio::test]
async fn an_erased_batch_leaves_the_ledger_verifiable() {
    let (filed, folder) = (filed(), tempfile::tempdir().unwrap());
    let place = Place::Folder(folder.path().join("archive"));
    let archive = Archive::open(&place, &S3Settings::default()).unwrap();
    let data = folder.path().join("v1");
    let [readings, bids] = stored(&filed, &archive, &data).await;
    assert_eq!(archive.fetch(&readings).await.unwrap(), filed.readings.encode().unwrap());
    assert_eq!(archive.fetch(&bids).await.unwrap(), filed.bids.encode().unwrap());
    assert_eq!(archive.paths().await.unwrap(), [bids.location.as_str(), readings.location.as_str()]);
    let before = verify_dir(&data, &mut |_, _| {}).unwrap();

    archive.delete(&readings.location).await.unwrap();
    archive.delete(&bids.location).await.unwrap();
    assert_eq!(verify_dir(&data, &mut |_, _| {}).unwrap(), before);
    assert!(matches!(archive.fetch(&readings).await, Err(ArchiveError::Store(_))));
}

#[tokio::test]
async fn a_changed_batch_is_not_the_one_on_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let archive = Archive::open(&Place::Folder(folder.path().to_owned()), &S3Settings::default()).unwrap();
    let batch = BatchReference { sha256: Hash32::plain(b"a batch"), location: "bids/a/1.parquet".to_owned() };
    archive.put(&batch.location, b"A batch".to_vec()).await.unwrap();
    let changed = archive.fetch(&batch).await.unwrap_err();
    assert!(changed.to_string().contains("is not the batch on the ledger"), "{changed}");
    archive.put(&batch.location, b"a batch".to_vec()).await.unwrap();
    assert_eq!(archive.fetch(&batch).await.unwrap(), b"a batch");
    for location in ["../1.parquet", "/etc/passwd/..", "s3://bucket/1.parquet", "https://example.org/1"] {
        let outside = BatchReference { location: location.to_owned(), ..batch.clone() };
        assert!(archive.fetch(&outside).await.is_err(), "{location}");
    }
}
