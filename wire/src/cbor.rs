//! Deterministic CBOR (RFC 8949 section 4.2.1): one value, one encoding.
//!
//! Encoding sorts map keys by their encoded bytes; lengths are definite and integers shortest. Nearly all of it is
//! written in one pass; the rest over a tree of `ciborium`'s values. Decoding accepts only what encodes back to the same bytes, so
//! that unknown keys, other orders and longer integers are refused by one comparison, and no two
//! parties can see different bytes under one meaning. No message type is known here.

mod encode;

use ciborium::value::Value;
use encode::Stopped;
use serde::de::DeserializeOwned;
use serde::Serialize;
use thiserror::Error;

/// Deepest nesting decoded. The deepest message of ours needs less than half.
pub const MAX_DEPTH: usize = 32;

/// Why a value could not be encoded, or bytes are no deterministic encoding of one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CborError {
    /// The type has no CBOR form.
    #[error("encoding as CBOR: {reason}")]
    Encode {
        /// What the encoder said.
        reason: String,
    },
    /// More bytes than the caller allows.
    #[error("decoding CBOR: {size} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Bytes given.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not CBOR, not of the type wanted, or nested deeper than [`MAX_DEPTH`].
    #[error("decoding CBOR: {reason}")]
    Decode {
        /// What the decoder said.
        reason: String,
    },
    /// It decodes, but encodes to other bytes.
    #[error("decoding CBOR: the bytes are not the deterministic encoding of what they say")]
    NotDeterministic,
}

/// The deterministic encoding of `value`.
///
/// # Errors
/// [`CborError::Encode`] where the type has no CBOR form.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CborError> {
    match encode::encode(value) {
        Ok(bytes) => Ok(bytes),
        Err(Stopped::Unsupported) => by_tree(value),
        Err(Stopped::Failed(reason)) => Err(CborError::Encode { reason }),
    }
}

/// The same encoding over a tree of values, which knows all of CBOR.
fn by_tree<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CborError> {
    let mut tree = Value::serialized(value).map_err(|e| CborError::Encode { reason: e.to_string() })?;
    sort_keys(&mut tree)?;
    write(&tree)
}

/// Decodes `bytes`, at most `limit` of them.
///
/// # Errors
/// [`CborError::TooLarge`], [`CborError::Decode`] or [`CborError::NotDeterministic`].
pub fn from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, CborError> {
    let value = decode(bytes, limit)?;
    if to_vec(&value)? == bytes {
        Ok(value)
    } else {
        Err(CborError::NotDeterministic)
    }
}

/// Decodes without comparing the encoding, for callers that compare it themselves.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, CborError> {
    if bytes.len() > limit {
        return Err(CborError::TooLarge { size: bytes.len(), limit });
    }
    ciborium::de::from_reader_with_recursion_limit(bytes, MAX_DEPTH)
        .map_err(|e| CborError::Decode { reason: e.to_string() })
}

fn write(value: &Value) -> Result<Vec<u8>, CborError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|e| CborError::Encode { reason: e.to_string() })?;
    Ok(bytes)
}

/// Sorts every map by the bytes of its encoded keys, innermost first. Two equal keys are an error.
fn sort_keys(value: &mut Value) -> Result<(), CborError> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(sort_keys),
        Value::Tag(_, inner) => sort_keys(inner),
        Value::Map(pairs) => {
            for (key, item) in pairs.iter_mut() {
                sort_keys(key)?;
                sort_keys(item)?;
            }
            sort_pairs(pairs)
        }
        _ => Ok(()),
    }
}

fn sort_pairs(pairs: &mut Vec<(Value, Value)>) -> Result<(), CborError> {
    // Texts are preceded by their length, so by length and then by bytes is the order of their
    // encodings. Every map of ours has such keys; encoding them to compare would cost more than all
    // the rest.
    if pairs.iter().all(|(key, _)| key.is_text()) {
        fn order(pair: &(Value, Value)) -> Option<(usize, &str)> {
            pair.0.as_text().map(|text| (text.len(), text))
        }
        pairs.sort_by(|a, b| order(a).cmp(&order(b)));
    } else {
        let mut keyed = Vec::with_capacity(pairs.len());
        for (key, item) in std::mem::take(pairs) {
            keyed.push((write(&key)?, (key, item)));
        }
        keyed.sort_by(|a, b| a.0.cmp(&b.0));
        *pairs = keyed.into_iter().map(|(_, pair)| pair).collect();
    }
    match pairs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        true => Err(CborError::Encode { reason: "a map has the same key twice".to_owned() }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        bb: i64,
        a: Option<String>,
    }

    fn check_encoding<T: Serialize>(value: &T, expected_hex: &str) {
        assert_eq!(hex::encode(to_vec(value).unwrap()), expected_hex);
    }

    // RFC 8949, appendix A.
    #[test]
    fn the_standards_examples_encode_as_it_says() {
        check_encoding(&0, "00");
        check_encoding(&24, "1818");
        check_encoding(&1_000_000_000_000_i64, "1b000000e8d4a51000");
        check_encoding(&-1_000, "3903e7");
        check_encoding(&u64::MAX, "1bffffffffffffffff");
        check_encoding(&"ü", "62c3bc");
        check_encoding(&[1, 2, 3], "83010203");
        check_encoding(&serde_bytes::Bytes::new(&[1, 2, 3, 4]), "4401020304");
        check_encoding(&None::<u8>, "f6");
    }

    // RFC 8949, section 4.2.1: 10, 100, -1, "z", "aa" is the example's order of keys.
    #[test]
    fn keys_are_sorted_by_their_encoded_bytes() {
        let keys = [Value::from("aa"), Value::from(-1), Value::from(100), Value::from("z"), Value::from(10)];
        let map = Value::Map(keys.into_iter().map(|key| (key, Value::from(0))).collect());
        check_encoding(&map, "a50a001864002000617a0062616100");
        check_encoding(&Sample { bb: 1, a: None }, "a26161f662626201");
    }

    // Lengths on both sides of where the length itself takes another byte.
    proptest! {
        #[test]
        fn text_keys_are_in_the_order_of_their_encodings(
            keys in prop::collection::btree_set("[a-c]{0,3}|[a-b]{22,26}|[é]{10,13}", 0..12),
        ) {
            let map = Value::Map(keys.iter().map(|key| (Value::from(key.as_str()), Value::Null)).collect());
            let back: Value = decode(&to_vec(&map).unwrap(), 1 << 16).unwrap();
            let encoded: Vec<Vec<u8>> = back.as_map().unwrap().iter().map(|(k, _)| write(k).unwrap()).collect();
            prop_assert!(encoded.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(encoded.len(), keys.len());
        }
    }

    /// Values of every kind that the one pass knows, nested.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<u8>().prop_map(Value::from),
            ".{0,30}".prop_map(Value::from),
            prop::collection::vec(any::<u8>(), 0..300).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 40, 8, |inner| {
            let key = prop_oneof!["[a-c]{0,3}".prop_map(Value::from), any::<i8>().prop_map(Value::from)];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..30).prop_map(Value::Array),
                prop::collection::vec((key, inner), 0..8).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn one_pass_gives_what_the_tree_gives(value in any_value()) {
            prop_assert_eq!(encode::encode(&value).ok(), by_tree(&value).ok());
        }

        #[test]
        fn one_pass_gives_what_the_tree_gives_for_types(
            map in prop::collection::btree_map("[a-c]{0,3}|.{23,26}", (any::<i64>(), any::<Option<bool>>(), any::<char>()), 0..30),
            sample in (any::<i64>(), any::<Option<String>>()),
        ) {
            let sample = Sample { bb: sample.0, a: sample.1 };
            prop_assert_eq!(encode::encode(&map).unwrap(), by_tree(&map).unwrap());
            prop_assert_eq!(encode::encode(&sample).unwrap(), by_tree(&sample).unwrap());
        }
    }

    #[test]
    fn what_one_pass_does_not_know_is_left_to_the_tree() {
        for value in [Value::from(1.5), Value::Tag(18, Box::new(Value::Null)), Value::from(u64::MAX)] {
            assert_eq!(encode::encode(&value).is_err(), !value.is_integer(), "{value:?}");
            assert_eq!(to_vec(&value), by_tree(&value));
        }
        check_encoding(&1.5, "f93e00");
    }

    fn check_refused(bytes_hex: &str, expected: fn(&CborError) -> bool) {
        let error = from_slice::<Sample>(&hex::decode(bytes_hex).unwrap(), 64).unwrap_err();
        assert!(expected(&error), "{bytes_hex}: {error:?}");
    }

    #[test]
    fn other_encodings_of_the_same_value_are_refused() {
        let other = |e: &CborError| *e == CborError::NotDeterministic;
        check_refused("a262626201 6161f6".replace(' ', "").as_str(), other); // keys in another order
        check_refused("a26161f66262621801", other); // 1 in two bytes
        check_refused("bf6161f662626201ff", other); // indefinite length
        check_refused("a36161f66162006262620100", other); // trailing byte, unknown key
        check_refused("a36161f6616200626262 01".replace(' ', "").as_str(), other);
        // unknown key
    }

    #[test]
    fn bytes_that_are_too_many_too_deep_or_cut_are_refused() {
        check_refused("a26161f6626262", |e| matches!(e, CborError::Decode { .. }));
        let long = vec![0u8; 65];
        let error = from_slice::<Sample>(&long, 64).unwrap_err();
        assert_eq!(error, CborError::TooLarge { size: 65, limit: 64 });
        let deep = vec![0x81u8; 10_000];
        assert!(matches!(from_slice::<Value>(&deep, 20_000), Err(CborError::Decode { .. })));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(
            map in prop::collection::btree_map(".{0,8}", (any::<i64>(), prop::option::of(any::<u64>())), 0..20),
        ) {
            let bytes = to_vec(&map).unwrap();
            let back: BTreeMap<String, (i64, Option<u64>)> = from_slice(&bytes, bytes.len()).unwrap();
            prop_assert_eq!(back, map);
        }

        #[test]
        fn arbitrary_bytes_decode_only_to_what_encodes_to_them(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = from_slice::<Value>(&bytes, 64) {
                prop_assert_eq!(to_vec(&value).unwrap(), bytes);
            }
        }
    }
}
