//! A disk that is full, for once a real one: the tests run themselves again on a small file system of
//! their own. Whatever can't be written is an error that names file and act, and once there is room
//! the folder opens with every block that was acknowledged.

use crate::pruning::{filled, open, SMALL};
use crate::world::{party, transfer, World};
use ledger::store::wal::Wal;
use ledger::store::StoreOptions;
use ledger::verify::verify_dir;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use wire::party::Role;

/// Names the small disk to the tests that run on it.
const DISK: &str = "GRIDPACT_TEST_SMALL_DISK";

/// Runs one of the ignored tests below on a file system of so many bytes. Says aloud where that can't be
/// had here.
fn on_small_disk(test: &str, bytes: u32) {
    let folder = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size={bytes} tmpfs \"${DISK}\"");
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script]).env(DISK, folder.path());
        command
    };
    match unshare(&mount).output() {
        Ok(output) if output.status.success() => {}
        other => {
            eprintln!("NOT RUN: {test}: no small file system can be mounted here: {other:?}");
            return;
        }
    }
    let program = std::env::current_exe().unwrap();
    let script = format!("{mount} && exec \"$0\" --exact full_disk::{test} --ignored --nocapture");
    let output = unshare(&script).arg(program).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// The small disk; none where this is not run on one.
fn disk() -> Option<PathBuf> {
    std::env::var_os(DISK).map(PathBuf::from)
}

/// Fills the disk up to so many bytes.
fn fill(disk: &Path, left: u64) {
    let mut ballast = fs::File::create(disk.join("ballast")).unwrap();
    for step in [1 << 20, 1 << 16, 1 << 12] {
        while ballast.write_all(&vec![1; step]).is_ok() {}
    }
    let full = ballast.metadata().unwrap().len();
    ballast.set_len(full - left).unwrap();
}

fn check_full(left: u64, options: StoreOptions) {
    let Some(disk) = disk() else { return };
    let folder = disk.join("data");
    fs::remove_dir_all(&folder).ok();
    let world = World::new(4);
    filled(&world, &folder, options, 5);
    let (mut store, mut chain) = open(&world, &folder, options).unwrap();
    fill(&disk, left);
    let payer = party(Role::Site, "s1");
    let error = loop {
        let entry = world.opened(&payer, transfer(chain.tip.height, 5));
        let (decided, mut next) = world.decide(&chain, &[entry]);
        match store.append(&decided, &mut next.state).and_then(|()| store.settle()) {
            Ok(()) => chain = next,
            Err(error) => break error.to_string(),
        }
        assert!(chain.tip.height < 5_000, "the disk is never full");
    };
    println!("{left} bytes left: stopped behind block {}: {error}", chain.tip.height);
    assert!(error.contains(&*folder.to_string_lossy()), "names no file: {error}");
    assert!(error.contains("No space left"), "names no reason: {error}");
    drop(store);
    // No room yet: opening fails, or works with what there is, and loses nothing.
    if let Ok((_, opened)) = open(&world, &folder, options) {
        assert!(opened.tip.height >= chain.tip.height);
    }
    fs::remove_file(disk.join("ballast")).unwrap();
    let (mut store, mut opened) = open(&world, &folder, options).unwrap();
    // The block that met the error may have become durable before the error came.
    assert!([0, 1].contains(&(opened.tip.height - chain.tip.height)), "at {}", opened.tip.height);
    let further = opened.tip.height + 5;
    crate::pruning::grow(&world, &mut store, &mut opened, further);
    drop(store);
    assert_eq!(verify_dir(&folder, &mut |_, _| {}).unwrap().started_from, 0);
}

#[test]
fn a_full_disk_stops_the_store_and_loses_nothing() {
    on_small_disk("store_on_a_full_disk", 24 << 20);
}

#[test]
#[ignore = "run by the one above on a small disk"]
fn store_on_a_full_disk() {
    for left in [0, 4_096, 20_000, 200_000] {
        check_full(left, StoreOptions { snapshot_every: 1_000, ..SMALL });
        check_full(left, SMALL);
    }
}

#[test]
fn a_full_disk_stops_the_write_ahead_log() {
    on_small_disk("write_ahead_log_on_a_full_disk", 1 << 20);
}

#[test]
#[ignore = "run by the one above on a small disk"]
fn write_ahead_log_on_a_full_disk() {
    let Some(disk) = disk() else { return };
    let (mut wal, _) = Wal::open(&disk, 1).unwrap();
    let mut synced = 0;
    let error = loop {
        let done = wal.append(1, &[7; 3_000]).and_then(|()| wal.sync());
        match done {
            Ok(()) => synced += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("consensus.wal") && error.contains("No space left"), "{error}");
    drop(wal);
    // What was synced is read back; the record that found no room is cut away.
    let (_, records) = Wal::open(&disk, 1).unwrap();
    assert_eq!(records.len(), synced);
}
