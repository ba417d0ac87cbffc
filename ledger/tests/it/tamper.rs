//! The auditor finds any changed byte and names the block, also where whoever changed it made the
//! checksums right again.

use crate::store::filled;
use crate::world::World;
use ledger::block::{DecidedBlock, MAX_BLOCK_BYTES};
use ledger::store::frames::{Found, Frame, FrameReader, FrameWriter};
use ledger::store::log::segment_path;
use ledger::verify::{replay, verify_dir, VerifyError, VerifyReport};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn verify(folder: &Path) -> Result<VerifyReport, VerifyError> {
    verify_dir(folder, &mut |_, _| {})
}

fn frames(folder: &Path) -> Vec<Frame> {
    let mut reader = FrameReader::open(&segment_path(folder, 1), 0, MAX_BLOCK_BYTES).unwrap();
    let mut frames = Vec::new();
    while let Found::Frame(frame) = reader.next_frame().unwrap() {
        frames.push(frame);
    }
    frames
}

fn check_names(folder: &Path, height: u64, what: &str) {
    match verify(folder) {
        Ok(_) => panic!("{what}: not found"),
        Err(error) => {
            assert_eq!(error.height(), Some(height), "{what}: {error}");
            assert!(error.to_string().contains(&format!("block {height}")), "{what}: {error}");
        }
    }
}

#[test]
fn a_sound_folder_verifies_and_everything_in_it_is_counted() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    let chain = filled(&world, folder.path());
    let mut heard = Vec::new();
    let report = verify_dir(folder.path(), &mut |height, of| heard.push((height, of))).unwrap();
    let expected = VerifyReport {
        started_from: 0,
        blocks: 3,
        snapshots: 0,
        votes: 12,
        envelopes: 7,
        clearings: 1,
        day_ahead: 0,
        deliveries: 2,
        settlements: 4,
        transfers: 1,
        evidence: 0,
        liars: BTreeMap::new(),
        double_clearings: 0,
        double_clearers: BTreeMap::new(),
        bilateral_steps: 0,
        reserve_steps: 0,
        response_steps: 0,
        governance: 0,
        minted_nano_eur: 0,
        burned_nano_eur: 0,
        payments: 14,
        accounts: 13,
        total_nano_eur: 12_000_000_000_000,
    };
    assert_eq!(report, expected);
    assert_eq!(heard, [(1, 3), (2, 3), (3, 3)]);
    let receipts: usize = replay(folder.path()).unwrap().map(|block| block.unwrap().receipts.len()).sum();
    assert_eq!(receipts, 4);
    assert_eq!(chain.state.total_nano_eur(), 12_000_000_000_000);
}

#[test]
fn any_flipped_byte_is_found_and_its_block_named() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    filled(&world, folder.path());
    let log = segment_path(folder.path(), 1);
    let whole = fs::read(&log).unwrap();
    let starts: Vec<u64> = frames(folder.path()).iter().map(|frame| frame.offset).collect();
    let mut random = SmallRng::seed_from_u64(1);
    // Every byte of every record's header and last hundred, and every fifth between.
    let ends = starts.iter().skip(1).copied().chain([whole.len() as u64]);
    let places = starts.iter().zip(ends).flat_map(|(start, end)| {
        (*start..end).filter(move |place| place - start < 20 || end - place < 100 || place % 5 == 0)
    });
    for place in places.collect::<Vec<_>>() {
        let mut bytes = whole.clone();
        bytes[place as usize] ^= 1 << random.random_range(0..8);
        fs::write(&log, bytes).unwrap();
        let height = starts.iter().filter(|start| **start <= place).count() as u64;
        check_names(folder.path(), height, &format!("byte {place}"));
    }
}

#[test]
fn a_flipped_byte_is_found_behind_right_checksums() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    filled(&world, folder.path());
    let frames = frames(folder.path());
    for seed in 0..300 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut spoilt = frames.clone();
        let victim = random.random_range(0..spoilt.len());
        let place = random.random_range(0..spoilt[victim].payload.len());
        spoilt[victim].payload[place] ^= 1 << random.random_range(0..8);
        rewrite(folder.path(), &spoilt);
        check_names(folder.path(), frames[victim].number, &format!("seed {seed}, byte {place}"));
    }
}

#[test]
fn a_rewritten_history_lacks_the_votes() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    filled(&world, folder.path());
    let frames = frames(folder.path());
    let check = |height: u64, spoil: &dyn Fn(&mut DecidedBlock)| {
        let mut spoilt = frames.clone();
        let victim = &mut spoilt[height as usize - 1];
        let mut decided = DecidedBlock::decode(&victim.payload).unwrap();
        spoil(&mut decided);
        victim.payload = decided.encode().unwrap();
        rewrite(folder.path(), &spoilt);
        check_names(folder.path(), height, &format!("block {height}"));
    };
    let resign = |decided: &mut DecidedBlock| {
        decided.certificate = world.votes(&decided.block.header);
    };
    check(1, &|decided| decided.certificate.signatures.truncate(2));
    check(2, &|decided| decided.certificate.signatures[1] = decided.certificate.signatures[0]);
    check(2, &|decided| decided.certificate.signatures.swap(0, 1));
    // Even all validators together can't vote a wrong state, link or entry right.
    check(2, &|decided| {
        decided.block.header.state_hash.0[0] ^= 1;
        resign(decided);
    });
    check(3, &|decided| {
        decided.block.header.previous.0[0] ^= 1;
        resign(decided);
    });
    check(2, &|decided| {
        decided.block.entries.swap(0, 1);
        decided.block.header.entries_root = ledger::block::entries_root(&decided.block.entries);
        decided.block.entries[0].bytes[300] ^= 1;
        decided.block.header.entries_root = ledger::block::entries_root(&decided.block.entries);
        resign(decided);
    });
    rewrite(folder.path(), &frames);
    assert!(verify(folder.path()).is_ok());
}

fn rewrite(folder: &Path, frames: &[Frame]) {
    let mut writer = FrameWriter::open(&segment_path(folder, 1), 0, MAX_BLOCK_BYTES).unwrap();
    for frame in frames {
        writer.append(frame.number, &frame.payload).unwrap();
    }
}
