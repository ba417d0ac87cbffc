//! From bytes on a topic to a message that can be believed to be its sender's.

use super::cose::{self, Sign1};
use super::submitted::Unchecked;
use super::{signer::check_right, EnvelopeError, Payload};
use crate::cbor;
use crate::entry::SignedEnvelope;
use crate::message::{Body, MessageRef, MAX_ENVELOPE_BYTES};
use crate::party::{PartyId, Registry};
use crate::signature::{Key, Keys};
use crate::topic::{Network, Topic};
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

/// Opens one envelope: cheap checks first, then the signature, then what was signed. An entry's signature is
/// checked last, by the rules under which many can be checked together: see [`Unchecked`].
///
/// A key that its owner has rotated away is believed as long as the registry names it as retiring; which of the
/// two signed is in [`Opened::epoch`].
///
/// # Errors
/// Names the first thing that does not hold; see [`EnvelopeError::refusal`] for the few classes.
pub fn open(
    registry: &Registry,
    network: &Network,
    topic: &str,
    bytes: &[u8],
) -> Result<Opened, EnvelopeError> {
    open_with(&mut Keys::default(), registry, network, topic, bytes)
}

/// As [`open`], for whoever opens many: with keys kept ready from one to the next.
///
/// # Errors
/// As [`open`].
pub fn open_with(
    ready: &mut Keys,
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
    if parsed.kind.as_str() == Unchecked::KIND {
        let unchecked = Unchecked::take(registry, network, topic, bytes)?;
        return unchecked.check();
    }
    let keys = keys_of(ready, registry, &parsed.sender)?;
    let sign1 = cose::decode(bytes, &parsed.sender)?;
    let Some((epoch, _)) = keys.iter().find(|(_, key)| holds(&sign1, key, topic)) else {
        return Err(why_not(&sign1, &keys, network, topic, parsed.sender));
    };
    let opened = check_payload(network, parsed, (topic, bytes), sign1.payload)?;
    if opened.epoch != *epoch {
        let (epoch, key) = (opened.epoch, *epoch);
        return Err(EnvelopeError::OtherEpoch { sender: opened.topic.sender, epoch, key });
    }
    Ok(opened)
}

/// Takes an envelope apart without looking at its signature: for messages whose word is signed within. All else
/// about it holds as for [`open`].
///
/// # Errors
/// As [`open`], but for those about keys and the signature.
pub fn claimed(network: &Network, topic: &str, bytes: &[u8]) -> Result<Opened, EnvelopeError> {
    if bytes.len() > MAX_ENVELOPE_BYTES {
        return Err(EnvelopeError::Oversized { size: bytes.len(), limit: MAX_ENVELOPE_BYTES });
    }
    let parsed: Topic = topic.parse()?;
    if parsed.network != *network {
        return Err(EnvelopeError::OtherNetwork { topic: topic.to_owned() });
    }
    let sign1 = cose::decode(bytes, &parsed.sender)?;
    check_payload(network, parsed, (topic, bytes), sign1.payload)
}

/// What was signed, where it belongs on this topic and its sender may say it.
pub(super) fn check_payload(
    network: &Network,
    parsed: Topic,
    (topic, bytes): (&str, &[u8]),
    payload: &[u8],
) -> Result<Opened, EnvelopeError> {
    let payload: Payload<Body> = cbor::from_slice(payload, MAX_ENVELOPE_BYTES)?;
    let rightful = payload.topic(network, payload.body.kind())?;
    if rightful != topic {
        return Err(EnvelopeError::OtherTopic { actual: topic.to_owned(), rightful });
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

/// The keys of a sender with their epochs, the current one first.
fn keys_of(
    ready: &mut Keys,
    registry: &Registry,
    sender: &PartyId,
) -> Result<Vec<(u32, Key)>, EnvelopeError> {
    let unknown = || EnvelopeError::UnknownSender { sender: sender.clone() };
    let keys = registry.get(sender).ok_or_else(unknown)?.keys();
    let points = keys.map(|(epoch, key)| Some((epoch, ready.ready(key)?.clone())));
    points.collect::<Option<_>>().ok_or_else(unknown)
}

fn holds(sign1: &Sign1<'_>, key: &Key, topic: &str) -> bool {
    key.holds(&sign1.signed_bytes(topic), sign1.signature)
}

/// Tells a message moved from its rightful topic from a signature that holds nowhere, so that an
/// operator sees which it is. Both are refused.
fn why_not(
    sign1: &Sign1<'_>,
    keys: &[(u32, Key)],
    network: &Network,
    topic: &str,
    sender: PartyId,
) -> EnvelopeError {
    let payload = cbor::decode::<Payload<Body>>(sign1.payload, MAX_ENVELOPE_BYTES);
    match payload.map(|payload| payload.topic(network, payload.body.kind())) {
        Ok(Ok(rightful)) if rightful != topic && keys.iter().any(|(_, key)| holds(sign1, key, &rightful)) => {
            EnvelopeError::OtherTopic { actual: topic.to_owned(), rightful }
        }
        _ => EnvelopeError::BadSignature { sender },
    }
}
