//! A byte changed in any file of a data folder is found: when the folder is opened, or by the auditor;
//! or it changes nothing that anybody reads.

use crate::pruning::{filled, open, SMALL};
use crate::world::World;
use ledger::store::wal::Wal;
use ledger::store::{Chain, StoreOptions, GENESIS_FILE, INDEX_FOLDER, WAL_FILE};
use ledger::verify::verify_dir;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes changed in each file.
const PLACES: usize = 12;

/// Every file below a folder, relative to it.
fn files(folder: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder.join(below)).unwrap() {
        let path = below.join(entry.unwrap().file_name());
        match folder.join(&path).is_dir() {
            true => files(folder, &path, found),
            false => found.push(path),
        }
    }
}

pub fn copy(from: &Path, to: &Path) {
    let mut all = Vec::new();
    files(from, Path::new(""), &mut all);
    for file in all {
        let target = to.join(&file);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(from.join(&file), target).unwrap();
    }
}

/// How a changed byte came out.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// The auditor or the opening found it.
    Found,
    /// Nobody found it, and everything is as it was.
    Harmless,
    /// Nobody found it, and something is otherwise.
    Missed(String),
}

/// Opens a spoilt folder as a validator does.
fn outcome(world: &World, folder: &Path, chain: &Chain) -> Outcome {
    if verify_dir(folder, &mut |_, _| {}).is_err() {
        return Outcome::Found;
    }
    if Wal::open(folder, chain.tip.height + 1).is_err() {
        return Outcome::Found;
    }
    let Ok((store, opened)) = open(world, folder, SMALL) else { return Outcome::Found };
    if (&opened.tip, &opened.state) != (&chain.tip, &chain.state) {
        return Outcome::Missed(format!("stands at {:?}", opened.tip));
    }
    for height in store.lowest()..=chain.tip.height {
        match store.block(height) {
            Ok(Some(block)) if block.height() == height => {}
            other => return Outcome::Missed(format!("block {height}: {other:?}")),
        }
    }
    Outcome::Harmless
}

fn check(options: StoreOptions) {
    let world = World::new(4);
    let sound = tempfile::tempdir().unwrap();
    let chain = filled(&world, sound.path(), options, 12);
    let (mut wal, _) = Wal::open(sound.path(), 13).unwrap();
    for record in [vec![1; 100], vec![2; 700], vec![3; 20]] {
        wal.append(13, &record).unwrap();
    }
    wal.sync().unwrap();
    drop(wal);
    assert_eq!(outcome(&world, sound.path(), &chain), Outcome::Harmless);
    let mut all = Vec::new();
    files(sound.path(), Path::new(""), &mut all);
    let kinds = [GENESIS_FILE, WAL_FILE, INDEX_FOLDER, "blocks", "snapshots"];
    assert!(kinds.iter().all(|kind| all.iter().any(|file| file.starts_with(kind))), "{all:?}");
    let mut random = SmallRng::seed_from_u64(7);
    for file in all {
        let bytes = fs::read(sound.path().join(&file)).unwrap();
        let places = if bytes.is_empty() { 0 } else { PLACES };
        for round in 0..places {
            // The ends of a file first, then anywhere.
            let place = match round {
                0 => 0,
                1 => bytes.len() - 1,
                _ => random.random_range(0..bytes.len()),
            };
            let flip = random.random_range(1..=255u8);
            let spoilt = tempfile::tempdir().unwrap();
            copy(sound.path(), spoilt.path());
            let mut changed = bytes.clone();
            changed[place] ^= flip;
            fs::write(spoilt.path().join(&file), changed).unwrap();
            let outcome = outcome(&world, spoilt.path(), &chain);
            let what = format!("byte {place} of {} changed by {flip}", file.display());
            let may_be_harmless = file.to_string_lossy().starts_with(INDEX_FOLDER);
            assert!(
                outcome == Outcome::Found || may_be_harmless && outcome == Outcome::Harmless,
                "{what}: {outcome:?}"
            );
        }
    }
}

#[test]
fn a_byte_changed_in_any_file_is_found() {
    check(SMALL);
}

#[test]
fn a_byte_changed_in_any_file_of_a_pruned_folder_is_found() {
    check(StoreOptions { pruning: Some(2), ..SMALL });
}
