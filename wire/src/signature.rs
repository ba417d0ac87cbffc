//! An Ed25519 signature as a type, for what is signed outside an envelope.

use crate::hash::Hash32;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

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

/// Whether `signature` is by this public key over these bytes, by the strict rules (no point of low
/// order, one encoding of each), under which every machine gives the same verdict.
pub fn verify(key: &Hash32, message: &[u8], signature: &Signature) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    VerifyingKey::from_bytes(&key.0).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}
