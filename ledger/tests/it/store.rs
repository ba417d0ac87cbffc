//! The data folder: what is written comes back, whatever happens to the index or the log's tail.

use crate::day::{clearing, delivery};
use crate::world::{party, transfer, World};
use ledger::execute::OpenedEntry;
use ledger::store::log::segment_path;
use ledger::store::{Chain, Store, StoreError, INDEX_FOLDER};
use std::fs;
use std::path::Path;
use wire::party::Role;

pub fn open(world: &World, folder: &Path) -> Result<(Store, Chain), StoreError> {
    Store::open(folder, &world.genesis, &world.rules)
}

/// Three blocks: a clearing, its deliveries, a transfer.
pub fn filled(world: &World, folder: &Path) -> Chain {
    let payer = party(Role::Site, "s1");
    let blocks = [
        vec![clearing(world, |_| {})],
        vec![delivery(world, "agg-1", |_| {}), delivery(world, "agg-2", |_| {})],
        vec![world.opened(&payer, transfer(0, 5))],
    ];
    holding(world, folder, blocks)
}

/// A block for each of these lists of entries.
pub fn holding(world: &World, folder: &Path, blocks: impl IntoIterator<Item = Vec<OpenedEntry>>) -> Chain {
    let (mut store, mut chain) = open(world, folder).unwrap();
    for entries in blocks {
        let (decided, mut next) = world.decide(&chain, &entries);
        store.append(&decided, &mut next.state).unwrap();
        assert_eq!(store.block(decided.height()).unwrap(), Some(decided));
        chain = next;
    }
    chain
}

/// Spoils a folder, then opens it: at which height does it stand, with the right state?
fn check(spoil: impl FnOnce(&Path), expected: Result<u64, &str>) {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    let chain = filled(&world, folder.path());
    spoil(folder.path());
    match (open(&world, folder.path()), expected) {
        (Ok((store, opened)), Ok(height)) => {
            assert_eq!(opened.tip.height, height);
            let block = store.block(height).unwrap().unwrap();
            assert_eq!(block.block.header.state_hash, opened.state.hash());
            if height == chain.tip.height {
                assert_eq!(opened.tip, chain.tip);
            }
        }
        (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
        (Ok((_, opened)), Err(words)) => panic!("opened at {}, not refused for {words}", opened.tip.height),
        (Err(error), Ok(_)) => panic!("{error}"),
    }
}

fn edit_log(folder: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
    let path = segment_path(folder, 1);
    let mut bytes = fs::read(&path).unwrap();
    edit(&mut bytes);
    fs::write(&path, bytes).unwrap();
}

pub fn drop_index(folder: &Path) {
    fs::remove_dir_all(folder.join(INDEX_FOLDER)).unwrap();
}

#[test]
fn a_folder_opens_where_it_was_left() {
    check(|_| {}, Ok(3));
}

#[test]
fn an_index_that_is_gone_is_rebuilt() {
    check(drop_index, Ok(3));
}

#[test]
fn a_torn_tail_that_no_index_knows_is_cut_away() {
    check(
        |folder| {
            drop_index(folder);
            edit_log(folder, |bytes| bytes.truncate(bytes.len() - 7));
        },
        Ok(2),
    );
    check(|folder| edit_log(folder, |bytes| bytes.extend([1, 2, 3])), Ok(3));
}

#[test]
fn a_decided_block_is_never_cut_away() {
    check(
        |folder| edit_log(folder, |bytes| bytes.truncate(bytes.len() - 7)),
        Err("the log ends before block 3"),
    );
}

#[test]
fn damage_inside_the_log_is_an_error_that_says_where() {
    check(
        |folder| {
            drop_index(folder);
            edit_log(folder, |bytes| bytes[40] ^= 1);
        },
        Err("is damaged at offset 0"),
    );
}

#[test]
fn another_ledgers_folder_is_refused() {
    let world = World::new(4);
    let folder = tempfile::tempdir().unwrap();
    drop(open(&world, folder.path()).unwrap());
    let other = World::new(3);
    let error = open(&other, folder.path()).err().unwrap();
    assert!(matches!(error, StoreError::OtherLedger { .. }), "{error}");
}
