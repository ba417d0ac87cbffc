//! What lies in a ledger's folder, or came from another validator: records in a file, and in them blocks.
//! `cargo +nightly fuzz run ledger_files`

#![no_main]

use ledger::block::DecidedBlock;
use ledger::store::frames::{encode, Found, FrameReader};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 4_096;

/// Every record up to the file's end, its torn tail or its first damage, and how many bytes they took.
fn read(bytes: &[u8]) -> (Vec<(u64, Vec<u8>)>, u64, bool) {
    let mut reader = FrameReader::over("fuzzed".into(), bytes, bytes.len() as u64, LIMIT);
    let mut records = Vec::new();
    loop {
        match reader.next_frame() {
            Ok(Found::Frame(frame)) => records.push((frame.number, frame.payload)),
            Ok(Found::End) => return (records, reader.offset(), true),
            Ok(Found::Torn { .. }) | Err(_) => return (records, reader.offset(), false),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let (records, end, whole) = read(data);
    assert!(end <= data.len() as u64 && whole == (end == data.len() as u64));
    let written: Vec<u8> = records
        .iter()
        .flat_map(|(number, payload)| encode(*number, payload, LIMIT).expect("it was read within the limit"))
        .collect();
    assert_eq!(written, data[..written.len()]);

    // Checksums keep a fuzzer out of what is in a record: it is given here as one.
    let record = encode(7, data, usize::MAX).expect("no limit");
    if data.len() <= LIMIT {
        assert_eq!(read(&record).0, [(7, data.to_vec())]);
        assert!(read(&record[..record.len() - 1]).0.is_empty());
    }
    if let Ok(decided) = DecidedBlock::decode(data) {
        assert_eq!(decided.encode().expect("it was decoded"), data);
    }
});
