//! Entries' signatures, one by one or many together. They hold by the rules of ZIP 215, under which both
//! ways give the same verdict on every machine: points are multiplied by the cofactor, so that what batching
//! can't see counts for nothing, and every encoding of a point means that point. `verify_strict`, which
//! everything else goes by, has no batch that agrees with it.
//!
//! Under these rules a key of small order signs anything, so none may be registered: [`is_sound_key`].

use super::open::check_payload;
use super::{cose, EnvelopeError, Opened};
use crate::hash::Hash32;
use crate::message::MAX_ENVELOPE_BYTES;
use crate::party::{Participant, Registry};
use crate::topic::{Network, Topic};
use ed25519_dalek::VerifyingKey;
use ed25519_zebra::{batch, Signature, VerificationKeyBytes};
use rand_core::{CryptoRng, RngCore};

/// Whether a key may be registered: a point of the curve in its one canonical encoding, and not one of the few of
/// small order, for which anyone can sign.
pub fn is_sound_key(key: &Hash32) -> bool {
    let canonical = |point: &VerifyingKey| point.to_edwards().compress().0 == key.0;
    VerifyingKey::from_bytes(&key.0).is_ok_and(|point| !point.is_weak() && canonical(&point))
}

/// An entry's envelope, whole and in bounds, whose signature is still to be checked.
#[derive(Debug)]
pub struct Unchecked {
    opened: Opened,
    item: batch::Item,
    /// Over all that the signature depends on.
    digest: Hash32,
}

impl Unchecked {
    /// Kind of messages that are entries, as in their topics.
    pub const KIND: &'static str = "submit";

    /// Takes an entry's envelope apart. Says nothing about its signature.
    ///
    /// # Errors
    /// As [`super::open`], and [`EnvelopeError::NotSubmitted`] for what is no entry.
    pub fn take(
        registry: &Registry,
        network: &Network,
        topic: &str,
        bytes: &[u8],
    ) -> Result<Unchecked, EnvelopeError> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(EnvelopeError::Oversized { size: bytes.len(), limit: MAX_ENVELOPE_BYTES });
        }
        let parsed: Topic = topic.parse()?;
        if parsed.network != *network {
            return Err(EnvelopeError::OtherNetwork { topic: topic.to_owned() });
        }
        if parsed.kind.as_str() != Self::KIND {
            return Err(EnvelopeError::NotSubmitted { topic: topic.to_owned() });
        }
        let unknown = || EnvelopeError::UnknownSender { sender: parsed.sender.clone() };
        let sender = registry.get(&parsed.sender).ok_or_else(unknown)?;
        let sign1 = cose::decode(bytes, &parsed.sender)?;
        let opened = check_payload(network, parsed, (topic, bytes), sign1.payload)?;
        let key = key_of(sender, opened.epoch)?;
        let digest = Hash32::of("gridpact entry's signature", &[&key.0, topic.as_bytes(), bytes]);
        let (vk, signature) = (VerificationKeyBytes::from(key.0), Signature::from_bytes(sign1.signature));
        let item = batch::Item::from((vk, signature, &sign1.signed_bytes(topic)));
        Ok(Unchecked { opened, item, digest })
    }

    /// Whose it is said to be, and what it is said to say: nothing that can be believed yet.
    pub fn claimed(&self) -> &Opened {
        &self.opened
    }

    /// Checks the one signature.
    ///
    /// # Errors
    /// [`EnvelopeError::BadSignature`].
    pub fn check(self) -> Result<Opened, EnvelopeError> {
        match self.item.verify_single() {
            Ok(()) => Ok(self.opened),
            Err(_) => Err(EnvelopeError::BadSignature { sender: self.opened.topic.sender }),
        }
    }

    /// Checks signatures together; each entry's verdict stands at its place.
    pub fn check_all(unchecked: Vec<Unchecked>) -> Vec<Result<Opened, EnvelopeError>> {
        let mut hold = vec![true; unchecked.len()];
        mark(&unchecked, &mut hold);
        let verdict = |(unchecked, holds): (Unchecked, bool)| match holds {
            true => Ok(unchecked.opened),
            false => Err(EnvelopeError::BadSignature { sender: unchecked.opened.topic.sender }),
        };
        unchecked.into_iter().zip(hold).map(verdict).collect()
    }
}

/// The sender's key of the epoch it signed in.
fn key_of(sender: &Participant, epoch: u32) -> Result<Hash32, EnvelopeError> {
    let of_epoch = sender.keys().find(|(number, _)| *number == epoch).map(|(_, key)| *key);
    let (party, key) = (sender.party.clone(), sender.epoch.number);
    of_epoch.ok_or(EnvelopeError::OtherEpoch { sender: party, epoch, key })
}

/// Marks what does not hold, halving until each is found: a few bad ones among many cost little more
/// than none.
fn mark(unchecked: &[Unchecked], hold: &mut [bool]) {
    match unchecked {
        [] => {}
        [one] => hold[0] = one.item.clone().verify_single().is_ok(),
        many => {
            if !all_hold(many) {
                let middle = many.len() / 2;
                let (left, right) = hold.split_at_mut(middle);
                mark(&many[..middle], left);
                mark(&many[middle..], right);
            }
        }
    }
}

fn all_hold(unchecked: &[Unchecked]) -> bool {
    let mut together = batch::Verifier::new();
    for one in unchecked {
        together.queue(one.item.clone());
    }
    let digests: Vec<&[u8]> = unchecked.iter().map(|one| one.digest.0.as_slice()).collect();
    together.verify(Coefficients::of(&digests)).is_ok()
}

/// The coefficients by which signatures are added up, drawn from a hash over all of them: whoever makes
/// signatures can't know them before, and no randomness is needed.
struct Coefficients {
    seed: Hash32,
    count: u64,
}

impl Coefficients {
    fn of(digests: &[&[u8]]) -> Self {
        Self { seed: Hash32::of("gridpact batch", digests), count: 0 }
    }
}

impl CryptoRng for Coefficients {}

impl RngCore for Coefficients {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            self.count += 1;
            let block = Hash32::of("gridpact coefficient", &[&self.seed.0, &self.count.to_be_bytes()]);
            chunk.copy_from_slice(&block.0[..chunk.len()]);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key, message and signature of the cases of "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko,
    /// 2020, table 1), in hexadecimal, with the verdict of ZIP 215.
    const CASES: [(&str, &str, &str, bool); 10] = [
        (
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "8c93255d71dcab10e8f379c26200f3c7bd5f09d9bc3068d3ef4edeb4853022b6",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a0000000000000000000000000000000000000000000000000000000000000000",
            true,
        ),
        (
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
            "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43a5bb704786be79fc476f91d3f3f89b03984d8068dcf1bb7dfc6637b45450ac04",
            true,
        ),
        (
            "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
            "aebf3f2601a0c8c5d39cc7d8911642f740b78168218da8471772b35f9d35b9ab",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa8c4bd45aecaca5b24fb97bc10ac27ac8751a7dfe1baff8b953ec9f5833ca260e",
            true,
        ),
        (
            "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
            "9bd9f44f4dcc75bd531b56b2cd280b0bb38fc1cd6d1230e14861d861de092e79",
            "9046a64750444938de19f227bb80485e92b83fdb4b6506c160484c016cc1852f87909e14428a7a1d62e9f22f3d3ad7802db02eb2e688b6c52fcd6648a98bd009",
            true,
        ),
        (
            "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
            "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
            "160a1cb0dc9c0258cd0a7d23e94d8fa878bcb1925f2c64246b2dee1796bed5125ec6bc982a269b723e0668e540911a9a6a58921d6925e434ab10aa7940551a09",
            true,
        ),
        (
            "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d",
            "e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec4011eaccd55b53f56c",
            "21122a84e0b5fca4052f5b1235c80a537878b38f3142356b2c2384ebad4668b7e40bc836dac0f71076f9abe3a53f9c03c1ceeeddb658d0030494ace586687405",
            true,
        ),
        (
            "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
            "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
            "e96f66be976d82e60150baecff9906684aebb1ef181f67a7189ac78ea23b6c0e547f7690a0e2ddcd04d87dbc3490dc19b3b3052f7ff0538cb68afb369ba3a514",
            false,
        ),
        (
            "442aad9f089ad9e14647b1ef9099a1ff4798d78589e66f28eca69c11f582a623",
            "85e241a07d148b41e47d62c63f830dc7a6851a0b1f33ae4bb2f507fb6cffec40",
            "8ce5b96c8f26d0ab6c47958c9e68b937104cd36e13c33566acd2fe8d38aa19427e71f98a473474f2f13f06f97c20d58cc3f54b8bd0d272f42b695dd7e89a8c22",
            false,
        ),
        (
            "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
            "fdaebc429f4a735932a160da1301080c13280eea8bc280d1b392c6b9e6ba3a5a",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f454d370c8d9fc323a41450f8d513eafeb5b0697390c1e505a0d4ddc71f566607",
            false,
        ),
        (
            "f7badec5b8abeaf699583992219b7b223f1df3fbbea919844e3f7c554a43dd43",
            "84b698d39be126ff55fe45079e6c8bf64a0d7db6994560b4e96b7021eb39c1a1",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f084d5b99c2a9463d9c8bd5026916996984eeec87ddf1d3be329006ace1b37b09",
            true,
        ),
    ];

    fn bytes<const N: usize>(text: &str) -> [u8; N] {
        hex::decode(text).unwrap().try_into().unwrap()
    }

    fn item((key, message, signature, _): &(&str, &str, &str, bool)) -> (batch::Item, Hash32) {
        let (key, signature) = (bytes::<32>(key), bytes::<64>(signature));
        let message = hex::decode(message).unwrap();
        let digest = Hash32::of("test", &[&key, &message, &signature]);
        let signature = Signature::from_bytes(&signature);
        (batch::Item::from((VerificationKeyBytes::from(key), signature, &message)), digest)
    }

    fn together(cases: &[(&str, &str, &str, bool)]) -> bool {
        let (mut verifier, mut digests) = (batch::Verifier::new(), Vec::new());
        for (item, digest) in cases.iter().map(item) {
            verifier.queue(item);
            digests.push(digest);
        }
        let digests: Vec<&[u8]> = digests.iter().map(|digest| digest.0.as_slice()).collect();
        verifier.verify(Coefficients::of(&digests)).is_ok()
    }

    #[test]
    fn borderline_signatures_have_one_verdict_alone_and_in_any_company() {
        for (place, case) in CASES.iter().enumerate() {
            assert_eq!(item(case).0.verify_single().is_ok(), case.3, "case {place} alone");
            assert_eq!(together(&[*case]), case.3, "case {place} in a batch of one");
            for (other_place, other) in CASES.iter().enumerate() {
                let (both, expected) = (together(&[*case, *other]), case.3 && other.3);
                assert_eq!(both, expected, "cases {place} and {other_place} together");
            }
        }
        let good: Vec<_> = CASES.into_iter().filter(|case| case.3).collect();
        assert!(together(&good));
    }

    #[test]
    fn a_key_of_small_order_may_not_be_registered() {
        let sound = |place: usize| is_sound_key(&Hash32(bytes(CASES[place].0)));
        assert!(!sound(0) && !sound(1));
        assert!(sound(3) && sound(4));
        // Another way to write the point whose y is 18.
        assert!(!is_sound_key(&Hash32([0xff; 32])));
    }
}
