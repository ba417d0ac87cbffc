//! From bytes on a topic to a message that can be believed to be its sender's.

use super::{cose, signer::check_right, EnvelopeError, Payload, REGISTRY_EPOCH};
use crate::cbor;
use crate::entry::SignedEnvelope;
use crate::message::{Body, MessageRef, MAX_ENVELOPE_BYTES};
use crate::party::{PartyId, Registry};
use crate::topic::{Network, Topic};
use coset::CoseSign1;
use ed25519_dalek::{Signature, VerifyingKey};
use market::interval::Interval;
use serde_bytes::ByteBuf;

/// A message whose signature holds for its bytes on its topic. Whether it is fresh and new is the
/// receiver's to check, by `issued_ms`, `expires_ms` and `id`.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// Its name, by which it is acknowledged.
    pub id: MessageRef,
    /// Its topic, taken apart.
    pub topic: Topic,
    /// Key epoch of its signature.
    pub epoch: u32,
    /// When it was issued, in milliseconds since 1970 by the sender's clock.
    pub issued_ms: u64,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: u64,
    /// The interval it is about.
    pub interval: Interval,
    /// What it says.
    pub body: Body,
    /// Topic and bytes, as evidence.
    pub raw: SignedEnvelope,
}

/// Opens one envelope: cheap checks first, then the signature, then what was signed.
///
/// The key is decompressed each time, about a tenth of a verification's cost; a cache would be
/// state in code that has none.
///
/// # Errors
/// Names the first thing that does not hold; see [`EnvelopeError::refusal`] for the few classes.
pub fn open(
    registry: &Registry,
    network: &Network,
    topic: &str,
    bytes: &[u8],
) -> Result<Opened, EnvelopeError> {
    if bytes.len() > MAX_ENVELOPE_BYTES {
        return Err(EnvelopeError::Oversized { size: bytes.len(), limit: MAX_ENVELOPE_BYTES });
    }
    let parsed: Topic = topic.parse()?;
    if parsed.network != *network {
        return Err(EnvelopeError::OtherNetwork { topic: topic.to_owned() });
    }
    let key = key_of(registry, &parsed.sender)?;
    let sign1 = cose::decode(bytes, &parsed.sender.to_string())?;
    if !holds(&sign1, &key, topic) {
        return Err(why_not(&sign1, &key, network, topic, parsed.sender));
    }
    let payload: Payload<Body> =
        cbor::from_slice(sign1.payload.as_deref().unwrap_or_default(), MAX_ENVELOPE_BYTES)?;
    let rightful = payload.topic(network, payload.body.kind())?;
    if rightful != topic {
        return Err(EnvelopeError::OtherTopic { actual: topic.to_owned(), rightful });
    }
    if payload.epoch != REGISTRY_EPOCH {
        return Err(EnvelopeError::OtherEpoch { sender: parsed.sender, epoch: payload.epoch });
    }
    check_right(&payload.body, &parsed.sender, parsed.recipient.is_some())?;
    payload.body.check_bounds()?;
    Ok(Opened {
        id: payload.id(),
        topic: parsed,
        epoch: payload.epoch,
        issued_ms: payload.issued_ms,
        expires_ms: payload.expires_ms,
        interval: payload.interval,
        body: payload.body,
        raw: SignedEnvelope { topic: topic.to_owned(), bytes: ByteBuf::from(bytes) },
    })
}

fn key_of(registry: &Registry, sender: &PartyId) -> Result<VerifyingKey, EnvelopeError> {
    registry
        .get(sender)
        .and_then(|participant| VerifyingKey::from_bytes(&participant.key.0).ok())
        .ok_or_else(|| EnvelopeError::UnknownSender { sender: sender.clone() })
}

fn holds(sign1: &CoseSign1, key: &VerifyingKey, topic: &str) -> bool {
    Signature::from_slice(&sign1.signature)
        .and_then(|signature| key.verify_strict(&sign1.tbs_data(topic.as_bytes()), &signature))
        .is_ok()
}

/// Tells a message moved from its rightful topic from a signature that holds nowhere, so that an
/// operator sees which it is. Both are refused.
fn why_not(
    sign1: &CoseSign1,
    key: &VerifyingKey,
    network: &Network,
    topic: &str,
    sender: PartyId,
) -> EnvelopeError {
    let bytes = sign1.payload.as_deref().unwrap_or_default();
    let payload = cbor::decode::<Payload<Body>>(bytes, MAX_ENVELOPE_BYTES);
    match payload.map(|payload| payload.topic(network, payload.body.kind())) {
        Ok(Ok(rightful)) if rightful != topic && holds(sign1, key, &rightful) => {
            EnvelopeError::OtherTopic { actual: topic.to_owned(), rightful }
        }
        _ => EnvelopeError::BadSignature { sender },
    }
}
