//! The COSE_Sign1 structure around a payload: exactly one form of it is ours.

use super::EnvelopeError;
use crate::cbor::{self, CborError};
use crate::party::PartyId;
use ciborium::value::Value;
use coset::{iana, AsCborValue, CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable};

/// Longest protected header accepted, in bytes: algorithm and key id need at most 62.
const MAX_PROTECTED_BYTES: usize = 128;
/// An Ed25519 signature.
pub(super) const SIGNATURE_BYTES: usize = 64;

/// The bytes of our one form around a payload, signed on a topic by `sign`, which gets what is to be signed.
pub(super) fn sealed(
    kid: &str,
    topic: &str,
    payload: &[u8],
    sign: impl FnOnce(&[u8]) -> [u8; SIGNATURE_BYTES],
) -> Vec<u8> {
    let protected = protected(kid);
    let signature = sign(&signed_bytes(&protected, topic, payload));
    let mut bytes = before_payload(&protected);
    bytes.reserve(payload.len() + SIGNATURE_BYTES + 16);
    put_bytes(&mut bytes, payload);
    put_bytes(&mut bytes, &signature);
    bytes
}

/// The protected header, {1: -8, 4: kid}: the algorithm EdDSA and the key id.
fn protected(kid: &str) -> Vec<u8> {
    let mut protected = b"\xa2\x01\x27\x04".to_vec();
    put_bytes(&mut protected, kid.as_bytes());
    protected
}

/// What stands before the payload: tag 18 around an array of four, the unprotected header being empty.
fn before_payload(protected: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xd2\x84".to_vec();
    put_bytes(&mut bytes, protected);
    bytes.push(0xa0);
    bytes
}

/// The bytes a signature is over: Sig_structure (RFC 9052 section 4.4) with the topic as external data.
fn signed_bytes(protected: &[u8], topic: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + protected.len() + topic.len() + 32);
    bytes.extend(b"\x84\x6aSignature1");
    for part in [protected, topic.as_bytes(), payload] {
        put_bytes(&mut bytes, part);
    }
    bytes
}

/// A COSE_Sign1 with our headers, not signed yet, as the library makes it.
fn unsigned(kid: &str, payload: Vec<u8>) -> CoseSign1 {
    let header =
        HeaderBuilder::new().algorithm(iana::Algorithm::EdDSA).key_id(kid.as_bytes().to_vec()).build();
    CoseSign1Builder::new().protected(header).payload(payload).build()
}

/// The bytes of a signed structure, by the library.
fn encode(sign1: CoseSign1) -> Result<Vec<u8>, EnvelopeError> {
    sign1.to_tagged_vec().map_err(|e| CborError::Encode { reason: e.to_string() }.into())
}

/// A signed structure of our form, taken apart.
pub(super) struct Sign1<'a> {
    protected: Vec<u8>,
    /// What was signed.
    pub payload: &'a [u8],
    /// By whom the protected header says.
    pub signature: &'a [u8; SIGNATURE_BYTES],
}

impl Sign1<'_> {
    /// The bytes the signature is over.
    pub fn signed_bytes(&self, topic: &str) -> Vec<u8> {
        signed_bytes(&self.protected, topic, self.payload)
    }
}

/// Takes bytes apart and refuses every form but ours. Says nothing yet about the signature.
pub(super) fn decode<'a>(bytes: &'a [u8], sender: &PartyId) -> Result<Sign1<'a>, EnvelopeError> {
    let kid = sender.to_string();
    match parts(bytes, &kid) {
        Some(sign1) => Ok(sign1),
        None => Err(why_not(bytes, &kid, sender)),
    }
}

/// The parts of the one form there is: whatever its bytes are, they are those of the header we would write,
/// and lengths in the shortest way around payload and signature.
fn parts<'a>(bytes: &'a [u8], kid: &str) -> Option<Sign1<'a>> {
    let protected = protected(kid);
    let before = before_payload(&protected);
    let (payload, rest) = take_bytes(bytes.strip_prefix(before.as_slice())?)?;
    let (signature, rest) = take_bytes(rest)?;
    let signature = signature.try_into().ok().filter(|_| rest.is_empty())?;
    Some(Sign1 { protected, payload, signature })
}

/// A byte string behind its length in the shortest way (RFC 8949 section 4.2.1).
fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = bytes.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 24 => out.push(0x40 | short),
        (Ok(byte), _) => out.extend([0x58, byte]),
        (_, Ok(two)) => {
            out.push(0x59);
            out.extend(two.to_be_bytes());
        }
        // Nothing of ours is longer than an envelope.
        _ => {
            out.push(0x5a);
            out.extend((length as u32).to_be_bytes());
        }
    }
    out.extend(bytes);
}

/// A byte string whose length is given in the shortest way, and what stands behind it.
fn take_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_first()?;
    let (least, length, rest) = match head {
        0x40..=0x57 => (0, usize::from(head & 0x1f), rest),
        0x58 => rest.split_first().map(|(byte, rest)| (24, usize::from(*byte), rest))?,
        0x59 => rest.split_first_chunk().map(|(two, rest)| (0x100, u16::from_be_bytes(*two).into(), rest))?,
        0x5a => {
            let (four, rest) = rest.split_first_chunk()?;
            (0x1_0000, u32::from_be_bytes(*four) as usize, rest)
        }
        _ => return None,
    };
    (length >= least).then_some(())?;
    rest.split_at_checked(length)
}

/// What is wrong with bytes that are not of our form.
fn why_not(bytes: &[u8], kid: &str, sender: &PartyId) -> EnvelopeError {
    match check_form(bytes, kid) {
        Err(error) => error,
        // All is as it should be but the signature's length.
        Ok(()) => EnvelopeError::BadSignature { sender: sender.clone() },
    }
}

fn check_form(bytes: &[u8], kid: &str) -> Result<(), EnvelopeError> {
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
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::Role;
    use proptest::prelude::*;

    proptest! {
        /// What is taken apart by hand is what the library builds, and signed bytes are the library's.
        #[test]
        fn taking_apart_undoes_building(
            payload in prop::collection::vec(any::<u8>(), 0..70_000), id in "[a-z0-9-]{1,40}", topic in "[a-z/]{0,300}",
        ) {
            let sender = PartyId::new(Role::Site, id.parse().unwrap());
            let mut built = unsigned(&sender.to_string(), payload.clone());
            built.signature = vec![7; SIGNATURE_BYTES];
            let signed = built.tbs_data(topic.as_bytes());
            let bytes = encode(built).unwrap();
            let by_hand = sealed(&sender.to_string(), &topic, &payload, |bytes| {
                assert_eq!(bytes, signed);
                [7; SIGNATURE_BYTES]
            });
            prop_assert_eq!(&by_hand, &bytes);
            let taken = decode(&bytes, &sender).unwrap();
            prop_assert_eq!(taken.payload, &payload[..]);
            prop_assert_eq!(taken.signed_bytes(&topic), signed);
        }

        /// Where there is another way to write it, it is refused.
        #[test]
        fn what_is_not_the_one_form_is_refused(
            at in 0usize..200, byte in any::<u8>(), payload in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let sender = PartyId::new(Role::Site, "s1".parse().unwrap());
            let mut built = unsigned(&sender.to_string(), payload);
            built.signature = vec![7; SIGNATURE_BYTES];
            let mut bytes = encode(built).unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            prop_assert_eq!(parts(&bytes, &sender.to_string()).is_some(), check_form(&bytes, &sender.to_string()).is_ok());
        }
    }
}
