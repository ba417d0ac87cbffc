#![no_main]

#[path = "../../hw-adapters/tests/it/fuzz/subjects.rs"]
#[allow(dead_code)]
mod subjects;

libfuzzer_sys::fuzz_target!(|data: &[u8]| subjects::sunspec_map(data));
