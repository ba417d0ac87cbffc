//! Deterministic CBOR against the examples of RFC 8949, appendix A: what is encoded in the one way is
//! taken, and everything else refused.

use ciborium::value::Value;
use wire::cbor::{from_slice, to_vec};

/// Simple values, which no message of ours holds and the decoder does not know: undefined, and those
/// without a name.
const UNKNOWN: [&str; 4] = ["f7", "f0", "f818", "f8ff"];

#[test]
fn appendix_a_is_taken_where_it_is_deterministic() {
    let mut taken = 0;
    let text = include_str!("vectors/cbor-appendix-a.txt");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (encoding, verdict) = line.split_once(' ').unwrap();
        let bytes = hex::decode(encoding).unwrap();
        let expected = verdict == "same" && !UNKNOWN.contains(&encoding);
        let found = from_slice::<Value>(&bytes, bytes.len());
        assert_eq!(found.is_ok(), expected, "{encoding}: {found:?}");
        if let Ok(value) = found {
            assert_eq!(hex::encode(to_vec(&value).unwrap()), encoding);
            taken += 1;
        }
    }
    assert!(taken > 50, "only {taken} taken");
}
