//! Ed25519 signatures by the strict rules (no point of low order, one encoding of each), under which every machine gives
//! the same verdict; and a signature as a type, for what is signed outside an envelope.
//!
//! The verdict is that of `ed25519_dalek`'s `verify_strict`, for less where a key is used again. What that
//! adds to `verify` is that neither point may be of low order. For the key's this is known once for all. The
//! signature's point needs no decompression: `verify` compares its bytes with the one encoding of the point that there
//! must be, so a point of low order has one of eight encodings. Nor is there a batch of signatures with these verdicts:
//! sums of several hide a point's part of low order, and to look for it in each costs what the batch saves.

use crate::hash::Hash32;
use ed25519_dalek::{Verifier as _, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;
use std::fmt;

/// Encodings of the eight points of low order without the bit of their sign, by which two of them differ each but the first
/// (order 1) and the third (order 2).
const LOW_ORDER: [[u8; 32]; 5] = [
    *b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    [0; 32],
    *b"\xec\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
    *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
];
/// Most keys kept ready: those of a large aggregator's sites, in 4 MB.
const MOST_KEYS: usize = 16_384;

/// An Ed25519 signature. Written as a CBOR byte string of 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}..)", hex::encode(&self.0[..4]))
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?.into_vec();
        bytes.try_into().map(Self).map_err(|_| D::Error::custom("an Ed25519 signature has 64 bytes"))
    }
}

/// A public key with its point taken from its encoding.
#[derive(Clone, Debug)]
pub struct Key {
    point: VerifyingKey,
    weak: bool,
}

impl Key {
    /// Ready to check signatures; none where the bytes are no point's.
    pub fn new(key: &Hash32) -> Option<Key> {
        let point = VerifyingKey::from_bytes(&key.0).ok()?;
        Some(Key { weak: point.is_weak(), point })
    }

    /// Whether `signature` is by this key over these bytes, by the strict rules.
    pub fn holds(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        !self.weak && !is_of_low_order(signature.r_bytes()) && self.point.verify(message, &signature).is_ok()
    }
}

fn is_of_low_order(encoding: &[u8; 32]) -> bool {
    let mut unsigned = *encoding;
    unsigned[31] &= 0x7f;
    LOW_ORDER.contains(&unsigned)
}

/// Keys that were used before, ready to be used again: to take a point from its encoding is a tenth of checking a signature.
#[derive(Debug, Default)]
pub struct Keys(HashMap<Hash32, Key>);

impl Keys {
    /// The key of this encoding; none where it is no point's.
    pub fn ready(&mut self, key: &Hash32) -> Option<&Key> {
        if !self.0.contains_key(key) {
            if self.0.len() >= MOST_KEYS {
                self.0.clear();
            }
            self.0.insert(*key, Key::new(key)?);
        }
        self.0.get(key)
    }
}

/// Whether `signature` is by this public key over these bytes, by the strict rules.
pub fn verify(key: &Hash32, message: &[u8], signature: &Signature) -> bool {
    Key::new(key).is_some_and(|key| key.holds(message, &signature.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_encodings_of_low_order_are_those_of_eight_points() {
        let mut points = BTreeSet::new();
        for encoding in LOW_ORDER {
            for sign in [0, 0x80] {
                let mut signed = encoding;
                signed[31] |= sign;
                let point = VerifyingKey::from_bytes(&signed).unwrap();
                assert!(point.is_weak(), "{}", hex::encode(signed));
                points.insert(point.to_edwards().compress().0);
            }
        }
        assert_eq!(points.len(), 8);
        assert!(points.iter().all(is_of_low_order));
    }

    fn check(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) {
        let library = VerifyingKey::from_bytes(key).is_ok_and(|key| {
            key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
        });
        assert_eq!(verify(&Hash32(*key), message, &Signature(*signature)), library);
    }

    proptest! {
        /// The library's own strict check says the same of what is signed, and of what is changed then.
        #[test]
        fn the_verdict_is_the_librarys(
            secret in any::<[u8; 32]>(), message in prop::collection::vec(any::<u8>(), 0..100),
            at in 0usize..96, flip in any::<u8>(), low in 0usize..5,
        ) {
            let key = SigningKey::from_bytes(&secret);
            let public = key.verifying_key().to_bytes();
            let signature = key.sign(&message).to_bytes();
            check(&public, &message, &signature);
            let mut changed = [&public[..], &signature].concat();
            changed[at] ^= flip;
            let (first, rest) = changed.split_first_chunk::<32>().unwrap();
            check(first, &message, rest.try_into().unwrap());
            let of_low_order = [&LOW_ORDER[low][..], &signature[32..]].concat();
            check(&public, &message, of_low_order[..].try_into().unwrap());
            check(&LOW_ORDER[low], &message, &signature);
        }
    }
}
