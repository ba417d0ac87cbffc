//! An archive in an S3-compatible store of somebody else's making. Runs where `PEERS_PYTHON` names a Python interpreter
//! with `moto[server]`, and says plainly where it doesn't. The test proper runs in a process of its own, because
//! credentials come from the environment.

use ledger::archive::store::{Archive, ArchiveError, S3Settings};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use wire::entry::BatchReference;
use wire::hash::Hash32;

const ENDPOINT: &str = "GRIDPACT_TEST_S3";

#[test]
fn batches_go_to_an_s3_compatible_store_and_come_back() {
    let Ok(python) = std::env::var("PEERS_PYTHON") else {
        println!("NOT RUN: PEERS_PYTHON is not set");
        return;
    };
    let mut store = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/s3.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut ask, hear) = (store.stdin.take().unwrap(), BufReader::new(store.stdout.take().unwrap()));
    let mut lines = hear.lines().map(Result::unwrap);
    let endpoint = lines.next().expect("the peer starts");
    let uploads = Command::new(std::env::current_exe().unwrap())
        .args(["archive_s3::in_a_process_with_credentials", "--exact", "--ignored"])
        .envs([
            (ENDPOINT, endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&uploads.stdout);
    assert!(uploads.status.success() && said.contains("1 passed"), "{said}");
    writeln!(ask).unwrap();
    let sha256 = Hash32::plain(b"a batch");
    assert_eq!(lines.next().unwrap(), format!("pre/fix/readings/a/1.parquet {sha256}"));
    drop(ask);
    assert!(store.wait().unwrap().success());
}

#[tokio::test]
#[ignore = "run by the test above, which starts the store"]
async fn in_a_process_with_credentials() {
    let endpoint = std::env::var(ENDPOINT).unwrap();
    let settings = S3Settings { endpoint: Some(endpoint), region: Some("eu-central-1".to_owned()) };
    let archive = Archive::open(&"s3://batches/pre/fix".parse().unwrap(), &settings).unwrap();
    let path = "readings/a/1.parquet";
    archive.put(path, b"a batch".to_vec()).await.unwrap();
    archive.put("bids/a/1.parquet", b"bids".to_vec()).await.unwrap();
    assert_eq!(archive.paths().await.unwrap(), ["bids/a/1.parquet", path]);
    archive.delete("bids/a/1.parquet").await.unwrap();

    let sha256 = Hash32::plain(b"a batch");
    let batch = BatchReference { sha256, location: archive.place().location(path) };
    assert_eq!(batch.location, "s3://batches/pre/fix/readings/a/1.parquet");
    assert_eq!(archive.fetch(&batch).await.unwrap(), b"a batch");
    let other = BatchReference { sha256: Hash32::default(), ..batch.clone() };
    assert!(matches!(archive.fetch(&other).await, Err(ArchiveError::Changed { .. })));
    let gone = BatchReference { location: "s3://batches/pre/fix/bids/a/1.parquet".to_owned(), ..batch };
    assert!(matches!(archive.fetch(&gone).await, Err(ArchiveError::Store(_))));
}
