//! The COSE_Sign1 structure around a payload: exactly one form of it is ours.

use super::EnvelopeError;
use crate::cbor::{self, CborError};
use ciborium::value::Value;
use coset::{iana, AsCborValue, CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable};

/// Longest protected header accepted, in bytes: algorithm and key id need at most 62.
const MAX_PROTECTED_BYTES: usize = 128;

/// A COSE_Sign1 with our headers, not signed yet.
pub(super) fn unsigned(kid: &str, payload: Vec<u8>) -> CoseSign1 {
    let header =
        HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).key_id(kid.as_bytes().to_vec()).build();
    CoseSign1Builder::new().protected(header).payload(payload).build()
}

/// The bytes of a signed structure.
pub(super) fn encode(sign1: CoseSign1) -> Result<Vec<u8>, EnvelopeError> {
    sign1.to_tagged_vec().map_err(|e| CborError::Encode { reason: e.to_string() }.into())
}

/// Takes bytes apart and refuses every form but ours. Says nothing yet about the signature.
pub(super) fn decode(bytes: &[u8], kid: &str) -> Result<CoseSign1, EnvelopeError> {
    let value: Value = cbor::decode(bytes, bytes.len()).map_err(not_cose)?;
    let Value::Tag(tag, inner) = value else {
        return Err(EnvelopeError::Unsigned { reason: "it is CBOR without the tag of COSE_Sign1" });
    };
    if tag != CoseSign1::TAG {
        return Err(EnvelopeError::Unsigned { reason: "its tag is not that of COSE_Sign1" });
    }
    // coset decodes the protected header with a deep recursion limit; short bytes can't nest deep.
    let protected = inner.as_array().and_then(|parts| parts.first()).and_then(Value::as_bytes);
    if protected.is_none_or(|bytes| bytes.len() > MAX_PROTECTED_BYTES) {
        return Err(EnvelopeError::Header { reason: "the protected header is missing or too long" });
    }
    let sign1 = CoseSign1::from_cbor_value(*inner).map_err(not_cose)?;
    check_headers(&sign1, kid)?;
    // The one form there is, built anew from what is believed, must be the bytes given.
    let payload = sign1.payload.clone().unwrap_or_default();
    let rebuilt = CoseSign1 { signature: sign1.signature.clone(), ..unsigned(kid, payload) };
    if encode(rebuilt)? != bytes {
        return Err(EnvelopeError::NotDeterministic);
    }
    Ok(sign1)
}

fn not_cose(reason: impl ToString) -> EnvelopeError {
    EnvelopeError::NotCose { reason: reason.to_string() }
}

fn check_headers(sign1: &CoseSign1, kid: &str) -> Result<(), EnvelopeError> {
    let header = &sign1.protected.header;
    match &header.alg {
        None => return Err(EnvelopeError::Unsigned { reason: "no algorithm is named" }),
        Some(coset::RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA)) => {}
        Some(_) => return Err(EnvelopeError::Unsigned { reason: "the algorithm is not EdDSA" }),
    }
    if sign1.signature.is_empty() {
        return Err(EnvelopeError::Unsigned { reason: "the signature is empty" });
    }
    if sign1.payload.is_none() {
        return Err(EnvelopeError::Header { reason: "the payload is detached" });
    }
    // RFC 9052 section 3.1: a critical header that is not understood makes the message invalid. We
    // understand the algorithm and the key id, and neither may be listed there.
    if !header.crit.is_empty() {
        return Err(EnvelopeError::Header { reason: "a critical header is not understood" });
    }
    if !sign1.unprotected.is_empty() {
        return Err(EnvelopeError::Header { reason: "there are unprotected headers" });
    }
    if header.key_id != kid.as_bytes() {
        let text = String::from_utf8_lossy(&header.key_id).chars().take(80).collect();
        return Err(EnvelopeError::OtherKey { sender: kid.to_owned(), kid: text });
    }
    Ok(())
}
