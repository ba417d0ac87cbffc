//! A party's keys and its counter: makes envelopes, and signatures over other bytes.

use super::{cose, EnvelopeError, Payload};
use crate::cbor;
use crate::entry::SignedEnvelope;
use crate::hash::Hash32;
use crate::message::{Addressing, Body, MessageRef, MAX_ENVELOPE_BYTES};
use crate::party::{Participant, PartyId};
use crate::receipt::{self, Purpose};
use crate::signature;
use crate::topic::Network;
use ed25519_dalek::{Signer as _, SigningKey};
use market::interval::Interval;
use serde_bytes::ByteBuf;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Signs for one party. Share it behind an `Arc`: the counter must be the only one of its boot.
pub struct Signer {
    network: Network,
    party: PartyId,
    keys: RwLock<Keys>,
    boot: u64,
    next_sequence: AtomicU64,
}

/// The key in use with its epoch, the one to be used once the registry has it, and the one before, as long as it
/// is believed.
struct Keys {
    current: SigningKey,
    epoch: u32,
    next: Option<SigningKey>,
    before: Option<SigningKey>,
}

/// Which of a party's keys signs a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// The present one.
    Present,
    /// The one before, as long as it is believed: whoever is behind the rotation knows no other.
    Before,
}

/// One key that a signer holds, for signing what is no envelope.
#[derive(Clone)]
pub struct HeldKey(SigningKey);

/// What a signer made of its party's entry in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyChange {
    /// It signs with the registry's key, as before.
    None,
    /// From now on it signs with the key that was to come, which the registry has now.
    Rotated,
    /// The registry has a key that it does not hold: what it signs is believed by nobody.
    Foreign,
}

/// A signed message, ready to be published again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its name, which acknowledgements refer to.
    pub id: MessageRef,
    /// Topic and bytes.
    pub raw: SignedEnvelope,
}

impl Signer {
    /// A signer for `party`. `boot` must be higher at each start of the party than at the one
    /// before (milliseconds since 1970 will do): receivers drop what an earlier boot sent.
    pub fn new(network: Network, party: PartyId, key: SigningKey, boot: u64) -> Self {
        let keys = RwLock::new(Keys { current: key, epoch: 0, next: None, before: None });
        Self { network, party, keys, boot, next_sequence: AtomicU64::new(1) }
    }

    /// The same with a key of a later epoch: what it signs is believed by those whose registry has that.
    pub fn in_epoch(self, epoch: u32) -> Self {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).epoch = epoch;
        self
    }

    /// Holds a key ready for the time when the registry has it as the party's.
    pub fn set_next(&self, next: SigningKey) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).next = Some(next);
    }

    /// The key held ready.
    pub fn next_key(&self) -> Option<Hash32> {
        self.keys().next.as_ref().map(public)
    }

    /// Signs with the key that the registry has of the party, if it holds it.
    pub fn follow(&self, participant: &Participant) -> KeyChange {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let change = keys.follow(&participant.key, participant.epoch.number);
        if keys.before.as_ref().map(public) != participant.epoch.retiring {
            keys.before = None;
        }
        change
    }

    /// Whether it holds this key: the present one, the next, or the one before while that is believed.
    pub fn holds(&self, key: &Hash32) -> bool {
        self.keys().held(key).is_some()
    }

    /// This key, where it holds it. What must be signed with the key of a certain time is signed with that.
    pub fn held(&self, key: &Hash32) -> Option<HeldKey> {
        self.keys().held(key).cloned().map(HeldKey)
    }

    /// The present key.
    pub fn key(&self) -> HeldKey {
        HeldKey(self.keys().current.clone())
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// For whom it signs.
    pub fn party(&self) -> &PartyId {
        &self.party
    }

    /// In which network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// This start of the party.
    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// The public key it signs with.
    pub fn public_key(&self) -> Hash32 {
        public(&self.keys().current)
    }

    /// Epoch of that key.
    pub fn epoch(&self) -> u32 {
        self.keys().epoch
    }

    /// Signs one message under the next sequence number. Times are in milliseconds since 1970 by
    /// wall clock.
    ///
    /// # Errors
    /// Whatever a receiver would refuse is not signed: bounds, size, a kind that is not this role's
    /// or is addressed otherwise.
    pub fn sign(
        &self,
        recipient: Option<PartyId>,
        interval: Interval,
        issued_ms: u64,
        expires_ms: u64,
        body: &Body,
    ) -> Result<Sealed, EnvelopeError> {
        self.sign_under(Under::Present, recipient, interval, (issued_ms, expires_ms), body)
    }

    /// The same under one of its keys; from `issued_ms` to `expires_ms`.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn sign_under(
        &self,
        under: Under,
        recipient: Option<PartyId>,
        interval: Interval,
        (issued_ms, expires_ms): (u64, u64),
        body: &Body,
    ) -> Result<Sealed, EnvelopeError> {
        body.check_bounds()?;
        check_right(body, &self.party, recipient.is_some())?;
        let keys = self.keys();
        let (key, epoch) = keys.under(under);
        let payload = Payload {
            sender: self.party.clone(),
            recipient,
            boot: self.boot,
            sequence: self.next_sequence.fetch_add(1, Ordering::Relaxed),
            epoch,
            issued_ms,
            expires_ms,
            interval,
            body,
        };
        let topic = payload.topic(&self.network, body.kind())?;
        let sign = |bytes: &[u8]| key.sign(bytes).to_bytes();
        let bytes = cose::sealed(&self.party.to_string(), &topic, &cbor::to_vec(&payload)?, sign);
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(EnvelopeError::Oversized { size: bytes.len(), limit: MAX_ENVELOPE_BYTES });
        }
        Ok(Sealed { id: payload.id(), raw: SignedEnvelope { topic, bytes: ByteBuf::from(bytes) } })
    }

    /// Signs a COSE Sig_structure (RFC 9052 section 4.4) that the caller has put together.
    pub(crate) fn sign_cose(&self, structure: &[u8]) -> Vec<u8> {
        self.keys().current.sign(structure).to_vec()
    }
}

impl Keys {
    fn follow(&mut self, key: &Hash32, epoch: u32) -> KeyChange {
        if public(&self.current) == *key {
            self.epoch = epoch;
            return KeyChange::None;
        }
        match self.next.take() {
            Some(next) if public(&next) == *key => {
                self.before = Some(std::mem::replace(&mut self.current, next));
                self.epoch = epoch;
                KeyChange::Rotated
            }
            other => {
                self.next = other;
                KeyChange::Foreign
            }
        }
    }

    fn held(&self, key: &Hash32) -> Option<&SigningKey> {
        let held = [Some(&self.current), self.next.as_ref(), self.before.as_ref()];
        held.into_iter().flatten().find(|held| public(held) == *key)
    }

    fn under(&self, under: Under) -> (&SigningKey, u32) {
        match (under, &self.before) {
            (Under::Before, Some(before)) => (before, self.epoch.saturating_sub(1)),
            _ => (&self.current, self.epoch),
        }
    }
}

impl HeldKey {
    /// Signs bytes that are no envelope, such as a consensus vote. `domain` names what they are, and
    /// keeps the signature from being taken for one over anything else.
    pub fn sign_bytes(&self, domain: &str, bytes: &[u8]) -> [u8; 64] {
        sign_separated(&self.0, domain, bytes)
    }

    /// Signs the root of a Merkle tree as a COSE Receipt's signature. No envelope has such a header, so
    /// neither can be taken for the other.
    pub fn sign_root(&self, purpose: &Purpose, root: &Hash32) -> [u8; 64] {
        self.0.sign(&receipt::signed_bytes(purpose, root)).to_bytes()
    }
}

impl fmt::Debug for HeldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeldKey({})", public(&self.0).short())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, boot {})", self.party, self.boot)
    }
}

/// Whether `signature` is one by [`HeldKey::sign_bytes`] with this public key, by the strict rules
/// (no small-order points), under which every machine gives the same verdict.
pub fn verify_bytes(key: &Hash32, domain: &str, bytes: &[u8], signature: &[u8; 64]) -> bool {
    signature::verify(key, &separated(domain, bytes), &signature::Signature(*signature))
}

/// A signature over bytes that are no envelope, as [`verify_bytes`] checks it.
pub(crate) fn sign_separated(key: &SigningKey, domain: &str, bytes: &[u8]) -> [u8; 64] {
    key.sign(&separated(domain, bytes)).to_bytes()
}

/// The public key, as it stands in the registry.
fn public(key: &SigningKey) -> Hash32 {
    Hash32(key.verifying_key().to_bytes())
}

/// Begins unlike any COSE Sig_structure (which begins with the byte 0x84), and no two domains or
/// contents share an encoding.
fn separated(domain: &str, bytes: &[u8]) -> Vec<u8> {
    let mut message = b"gridpact/v1 bytes\0".to_vec();
    message.extend((domain.len() as u64).to_be_bytes());
    message.extend(domain.as_bytes());
    message.extend(bytes);
    message
}

/// Checks that `sender` may send this kind, addressed like this.
pub(super) fn check_right(body: &Body, sender: &PartyId, addressed: bool) -> Result<(), EnvelopeError> {
    if !body.may_come_from(sender.role) {
        return Err(EnvelopeError::NoRight { sender: sender.clone(), kind: body.kind() });
    }
    let fits = match body.addressing() {
        Addressing::One => addressed,
        Addressing::All => !addressed,
        Addressing::Either => true,
    };
    if !fits {
        return Err(EnvelopeError::Addressing { kind: body.kind(), addressed });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn signer() -> Signer {
        let network = Network { network: "n".parse().unwrap(), feeder: "f".parse().unwrap() };
        let party = PartyId::new(crate::party::Role::Validator, "v1".parse().unwrap());
        Signer::new(network, party, key(1), 5)
    }

    #[test]
    fn a_signature_over_bytes_holds_for_its_domain_key_and_bytes_alone() {
        let signature = signer().key().sign_bytes("vote", b"height 1");
        let check = |key: &Hash32, domain, bytes, expected| {
            assert_eq!(verify_bytes(key, domain, bytes, &signature), expected, "{domain}");
        };
        let public = signer().public_key();
        check(&public, "vote", b"height 1", true);
        check(&public, "vote", b"height 2", false);
        check(&public, "proposal", b"height 1", false);
        check(&public, "voteheight", b" 1", false);
        check(&Hash32(key(2).verifying_key().to_bytes()), "vote", b"height 1", false);
    }

    /// The registry's word for the party, with the key of this seed.
    fn registered(seed: u8, number: u32, retiring: Option<u8>) -> Participant {
        let of = |seed| public(&key(seed));
        Participant {
            party: signer().party().clone(),
            key: of(seed),
            account: "account".parse().unwrap(),
            bus: None,
            aggregator: None,
            connection_milliwatt: None,
            epoch: crate::party::KeyEpoch { number, retiring: retiring.map(of) },
        }
    }

    #[test]
    fn the_key_before_is_held_as_long_as_it_is_believed() {
        let signer = signer();
        signer.set_next(key(2));
        let check = |participant: Participant, change, held: &[u8], before: u32| {
            assert_eq!(signer.follow(&participant), change);
            let holds: Vec<u8> = (1..=3).filter(|seed| signer.holds(&public(&key(*seed)))).collect();
            assert_eq!(holds, held);
            assert_eq!(
                (signer.keys().under(Under::Before).1, signer.epoch()),
                (before, participant.epoch.number)
            );
        };
        check(registered(1, 0, None), KeyChange::None, &[1, 2], 0);
        check(registered(2, 1, Some(1)), KeyChange::Rotated, &[1, 2], 0);
        check(registered(2, 1, Some(1)), KeyChange::None, &[1, 2], 0);
        check(registered(2, 1, None), KeyChange::None, &[2], 1);
        signer.set_next(key(3));
        // Believed no more by the time this one hears of the rotation.
        check(registered(3, 2, None), KeyChange::Rotated, &[3], 2);
    }

    // A point of small order verifies anything under the lax rules: key and R are the identity, s = 0.
    #[test]
    fn a_small_order_key_signs_nothing() {
        let mut identity = [0u8; 32];
        identity[0] = 1;
        let mut signature = [0u8; 64];
        signature[0] = 1;
        assert!(!verify_bytes(&Hash32(identity), "vote", b"any", &signature));
    }
}
