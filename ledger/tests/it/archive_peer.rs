//! Batches under other people's tools. Runs where `PEERS_PYTHON` names a Python interpreter with `duckdb` and
//! `pandas` with `pyarrow`, and says plainly where it doesn't.

use crate::archive::{filed, Filed};
use std::process::Command;

#[test]
fn duckdb_and_pandas_open_a_batch_as_it_is_and_sum_what_the_ledger_settled() {
    let Ok(python) = std::env::var("PEERS_PYTHON") else {
        println!("NOT RUN: PEERS_PYTHON is not set");
        return;
    };
    let Filed { readings, bids, entry, .. } = filed();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: Vec<u8>| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let energy: i64 = entry.sites.iter().filter_map(|site| site.energy).map(|energy| energy.0).sum();
    let commitment: i64 = entry.sites.iter().map(|site| site.commitment.0).sum();
    let hashes: Vec<String> = entry.sites.iter().map(|site| site.bid_hash.to_string()).collect();
    let peer = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/read_batch.py"))
        .arg(file("readings.parquet", readings.encode().unwrap()))
        .arg(file("bids.parquet", bids.encode().unwrap()))
        .arg(entry.interval.start().0.to_string())
        .arg(energy.to_string())
        .arg(commitment.to_string())
        .args(hashes)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&peer.stdout);
    assert!(peer.status.success(), "{said}{}", String::from_utf8_lossy(&peer.stderr));
    assert_eq!(said.trim(), "done");
}
