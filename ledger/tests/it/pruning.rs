//! Segments, snapshots and pruning: what is removed really goes, what is kept is a start.

use crate::world::{party, transfer, World};
use ledger::store::log::{segment_path, segments, LogReader, Logged};
use ledger::store::snapshots::{snapshot_path, snapshots};
use ledger::store::{reindex, Chain, Store, StoreError, StoreOptions, INDEX_FOLDER};
use ledger::verify::{verify_dir, VerifyReport};
use std::fs;
use std::path::Path;
use wire::party::Role;

/// Every block a segment of its own, a snapshot every fourth.
pub const SMALL: StoreOptions = StoreOptions { segment_bytes: 1, snapshot_every: 4, pruning: None };
const PRUNED: StoreOptions = StoreOptions { pruning: Some(5), ..SMALL };

pub fn open(world: &World, folder: &Path, options: StoreOptions) -> Result<(Store, Chain), StoreError> {
    Store::open_with(folder, &world.genesis, &world.rules, options)
}

/// Lets a chain grow to a height, a transfer a block.
pub fn grow(world: &World, store: &mut Store, chain: &mut Chain, height: u64) {
    let payer = party(Role::Site, "s1");
    while chain.tip.height < height {
        let (decided, mut next) = world.decide(chain, &[world.opened(&payer, transfer(chain.tip.height, 5))]);
        store.append(&decided, &mut next.state).unwrap();
        store.settle().unwrap();
        *chain = next;
    }
}

pub fn filled(world: &World, folder: &Path, options: StoreOptions, height: u64) -> Chain {
    let (mut store, mut chain) = open(world, folder, options).unwrap();
    grow(world, &mut store, &mut chain, height);
    chain
}

fn size(path: &Path) -> u64 {
    if path.is_dir() {
        fs::read_dir(path).unwrap().map(|entry| size(&entry.unwrap().path())).sum()
    } else {
        path.metadata().unwrap().len()
    }
}

fn verify(folder: &Path) -> Result<VerifyReport, String> {
    verify_dir(folder, &mut |_, _| {}).map_err(|error| error.to_string())
}

fn drop_index(folder: &Path) {
    fs::remove_dir_all(folder.join(INDEX_FOLDER)).unwrap();
}

/// Opens a folder: does it stand where the chain does, able to go on?
fn check_opens(world: &World, folder: &Path, options: StoreOptions, chain: &Chain) {
    let (mut store, mut opened) = open(world, folder, options).unwrap();
    assert_eq!(opened.tip, chain.tip);
    assert_eq!(opened.state, chain.state);
    grow(world, &mut store, &mut opened, chain.tip.height + 1);
    drop(store);
    let (store, again) = open(world, folder, options).unwrap();
    assert_eq!(again.tip, opened.tip);
    assert!(store.block(again.tip.height).unwrap().is_some());
}

#[test]
fn blocks_are_found_over_segments_with_and_without_an_index() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    let chain = filled(&world, folder.path(), SMALL, 10);
    assert_eq!(segments(folder.path()).unwrap(), (1..=10).collect::<Vec<_>>());
    assert_eq!(snapshots(folder.path()).unwrap(), [4, 8]);
    for reindexed in [false, true] {
        if reindexed {
            let report = reindex(folder.path(), false, &mut |_, _| {}).unwrap();
            assert_eq!((report.height, report.lowest, report.started_from, report.executed), (10, 1, 8, 2));
        }
        let (store, opened) = open(&world, folder.path(), SMALL).unwrap();
        assert_eq!(opened.state, chain.state);
        for height in 1..=10 {
            assert_eq!(store.block(height).unwrap().unwrap().height(), height);
        }
        assert_eq!(store.block(11).unwrap(), None);
        assert_eq!(store.blocks(3, usize::MAX).unwrap().len(), 8);
        assert_eq!(store.blocks(3, 1).unwrap().len(), 1);
    }
    assert_eq!(verify(folder.path()).unwrap().blocks, 10);
}

/// What each block did is remembered from the start that the index is built from.
#[test]
fn an_index_built_from_the_oldest_start_remembers_every_block_that_can_be_executed() {
    let world = World::new(4);
    for (options, newest, oldest) in [(SMALL, 8, 0), (PRUNED, 8, 4)] {
        let folder = tempfile::tempdir().unwrap();
        filled(&world, folder.path(), options, 10);
        for (whole, started_from) in [(false, newest), (true, oldest)] {
            let report = reindex(folder.path(), whole, &mut |_, _| {}).unwrap();
            assert_eq!((report.started_from, report.height), (started_from, 10));
            let (store, _) = open(&world, folder.path(), options).unwrap();
            assert_eq!(store.known_from().unwrap(), started_from + 1);
            assert_eq!(store.remembered(10).unwrap().unwrap().len(), 1);
            assert_eq!(store.remembered(started_from).unwrap(), None);
        }
    }
}

#[test]
fn what_is_pruned_is_gone_and_what_is_kept_is_a_start() {
    let world = World::new(4);
    let whole = tempfile::tempdir().unwrap();
    let pruned = tempfile::tempdir().unwrap();
    filled(&world, whole.path(), SMALL, 40);
    let chain = filled(&world, pruned.path(), PRUNED, 40);
    // Five heights, and those after the older of two snapshots, at 36.
    assert_eq!(segments(pruned.path()).unwrap(), (36..=40).collect::<Vec<_>>());
    assert_eq!(snapshots(pruned.path()).unwrap(), [36, 40]);
    let logs = [whole.path(), pruned.path()].map(|folder| size(&folder.join("blocks")));
    assert!(logs[1] * 7 < logs[0], "{logs:?}");
    let (store, _) = open(&world, pruned.path(), PRUNED).unwrap();
    assert_eq!((store.lowest(), store.block(35).unwrap()), (36, None));
    drop(store);
    let report = verify(pruned.path()).unwrap();
    assert_eq!((report.started_from, report.blocks, report.snapshots), (36, 4, 2));
    drop_index(pruned.path());
    check_opens(&world, pruned.path(), PRUNED, &chain);
}

/// The log and the snapshots go on disk as they are pruned; so does the index, once it is rebuilt.
#[test]
fn the_folder_of_a_pruned_ledger_stays_small() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { pruning: Some(20), snapshot_every: 20, segment_bytes: 10_000 };
    let (mut store, mut chain) = open(&world, folder.path(), options).unwrap();
    let mut sizes = Vec::new();
    for height in [100, 200, 300] {
        grow(&world, &mut store, &mut chain, height);
        sizes.push(["blocks", "snapshots", INDEX_FOLDER].map(|name| size(&folder.path().join(name))));
    }
    drop(store);
    assert!(sizes[2][0] < sizes[0][0] * 3 / 2 && sizes[2][1] < sizes[0][1] * 3 / 2, "{sizes:?}");
    reindex(folder.path(), false, &mut |_, _| {}).unwrap();
    let index = size(&folder.path().join(INDEX_FOLDER));
    assert!(index <= sizes[0][2], "{index} after {sizes:?}");
    println!("blocks, snapshots, index at heights 100, 200, 300: {sizes:?}; index rebuilt: {index}");
}

#[test]
fn a_damaged_snapshot_is_not_used() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    let chain = filled(&world, folder.path(), PRUNED, 12);
    let damage = |height| {
        let path = snapshot_path(folder.path(), height);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).unwrap();
    };
    damage(12);
    assert!(verify(folder.path()).unwrap_err().contains("12.snapshot"));
    drop_index(folder.path());
    let (store, opened) = open(&world, folder.path(), PRUNED).unwrap();
    assert_eq!((opened.tip, store.snapshot_height()), (chain.tip.clone(), Some(8)));
    drop(store);
    damage(8);
    // The index still knows, and a snapshot is made with the next block.
    let (mut store, mut opened) = open(&world, folder.path(), PRUNED).unwrap();
    assert_eq!(store.snapshot_height(), None);
    grow(&world, &mut store, &mut opened, 13);
    drop(store);
    assert_eq!(snapshots(folder.path()).unwrap(), [13]);
    assert_eq!(verify(folder.path()).unwrap().started_from, 13);
    damage(13);
    drop_index(folder.path());
    let error = open(&world, folder.path(), PRUNED).err().unwrap();
    assert!(matches!(error, StoreError::NoStart { first: 9, .. }), "{error}");
}

/// A crash at any moment of putting a snapshot in the log's place leaves a folder that opens.
#[test]
fn a_snapshot_takes_the_place_of_an_older_log_whatever_happens_meanwhile() {
    let world = World::new(4);
    let ahead = tempfile::tempdir().unwrap();
    let chain = filled(&world, ahead.path(), SMALL, 12);
    let snapshot = ledger::store::snapshots::read_snapshot(ahead.path(), 12, &world.rules.verifier).unwrap();
    let behind = tempfile::tempdir().unwrap();
    let (mut store, _) = open(&world, behind.path(), SMALL).unwrap();
    store.install(&snapshot).unwrap();
    assert_eq!((store.lowest(), store.block(12).unwrap()), (13, None));
    drop(store);
    check_opens(&world, behind.path(), SMALL, &chain);
    assert_eq!(verify(behind.path()).unwrap().started_from, 12);
    // Crashed before the index heard of it, with and without a sound index.
    for index in [true, false] {
        let behind = tempfile::tempdir().unwrap();
        filled(&world, behind.path(), SMALL, 3);
        fs::create_dir_all(behind.path().join("snapshots")).unwrap();
        fs::copy(snapshot_path(ahead.path(), 12), snapshot_path(behind.path(), 12)).unwrap();
        if !index {
            drop_index(behind.path());
        }
        check_opens(&world, behind.path(), SMALL, &chain);
        assert_eq!(segments(behind.path()).unwrap(), [13]);
    }
    // Crashed before the old segments were removed.
    let behind = tempfile::tempdir().unwrap();
    filled(&world, behind.path(), SMALL, 3);
    let old = segment_path(behind.path(), 2);
    let kept = fs::read(&old).unwrap();
    let (mut store, _) = open(&world, behind.path(), SMALL).unwrap();
    store.install(&snapshot).unwrap();
    drop(store);
    fs::remove_file(segment_path(behind.path(), 13)).unwrap();
    fs::write(&old, kept).unwrap();
    check_opens(&world, behind.path(), SMALL, &chain);
}

/// Whatever part of the last record reached the disk, the blocks before it are there.
#[test]
fn the_last_record_torn_at_any_byte_is_cut_away() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { segment_bytes: 3_000, snapshot_every: 100, pruning: None };
    filled(&world, folder.path(), options, 5);
    let last = segments(folder.path()).unwrap().pop().unwrap();
    let path = segment_path(folder.path(), last);
    let whole = fs::read(&path).unwrap();
    let read = || {
        let mut reader = LogReader::from_start(folder.path()).unwrap().unwrap();
        loop {
            match reader.next_block() {
                Ok(Logged::Block { .. }) => {}
                Ok(end) => return (reader.next_height() - 1, matches!(end, Logged::Torn(_))),
                Err(error) => panic!("{error}"),
            }
        }
    };
    assert_eq!(read(), (5, false));
    let mut sound = 0;
    for cut in 0..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let (height, torn) = read();
        assert!(height >= last - 1 && height < 5, "cut at {cut}: {height}");
        sound += usize::from(!torn);
        // Some of these are opened, which costs more.
        if cut % 97 == 0 {
            drop_index(folder.path());
            let (mut store, mut chain) = open(&world, folder.path(), options).unwrap();
            assert_eq!(chain.tip.height, height, "cut at {cut}");
            grow(&world, &mut store, &mut chain, 5);
            drop(store);
            for later in segments(folder.path()).unwrap().into_iter().filter(|first| *first > last) {
                fs::remove_file(segment_path(folder.path(), later)).unwrap();
            }
        }
    }
    // Cuts between records leave nothing torn: as many as there are records in the segment.
    assert_eq!(sound as u64, 5 - (last - 1));
}
