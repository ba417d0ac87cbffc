//! Entries that came in together and whose signatures are to be checked together, each once: in a mesh the same
//! bytes come by several connections. Pure.

use std::collections::HashMap;
use wire::envelope::Unchecked;

/// Bytes of an Ed25519 signature, with which every envelope ends.
const SIGNATURE_BYTES: usize = 64;

/// Entries whose signatures nobody looked at yet, with the connections that brought them.
#[derive(Debug, Default)]
pub(super) struct Together {
    entries: Vec<(usize, Unchecked)>,
    places: HashMap<[u8; SIGNATURE_BYTES], usize>,
}

impl Together {
    /// Whether an envelope with exactly these bytes is among them.
    pub fn has(&self, envelope: &[u8]) -> bool {
        let place = envelope.last_chunk().and_then(|signature| self.places.get(signature));
        place.is_some_and(|place| self.entries[*place].1.claimed().raw.bytes == envelope)
    }

    /// One more, brought by connection `at`.
    pub fn push(&mut self, at: usize, unchecked: Unchecked) {
        if let Some(signature) = unchecked.claimed().raw.bytes.last_chunk() {
            // Other bytes before the same signature don't keep either from being looked at.
            self.places.entry(*signature).or_insert(self.entries.len());
        }
        self.entries.push((at, unchecked));
    }

    /// All of them; none are left.
    pub fn take(&mut self) -> Vec<(usize, Unchecked)> {
        self.places.clear();
        std::mem::take(&mut self.entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;
    use wire::entry::{Entry, TransferEntry};
    use wire::envelope::Signer;
    use wire::hash::Hash32;
    use wire::message::Body;
    use wire::party::{Participant, PartyId, Registry, Role};
    use wire::topic::Network;
    use wire::Interval;

    #[test]
    fn the_same_bytes_are_known_until_they_are_taken_and_others_never() {
        let network = Network { network: "n".parse().unwrap(), feeder: "f".parse().unwrap() };
        let (key, party) =
            (SigningKey::from_bytes(&[1; 32]), PartyId::new(Role::Site, "s1".parse().unwrap()));
        let participant = Participant {
            key: Hash32(key.verifying_key().to_bytes()),
            account: "a".parse().unwrap(),
            bus: None,
            aggregator: None,
            connection_milliwatt: None,
            epoch: Default::default(),
            party: party.clone(),
        };
        let registry = Registry::from([(party.clone(), participant)]);
        let signer = Signer::new(network.clone(), party, key, 1);
        let transfer = TransferEntry { to: "b".parse().unwrap(), amount: Default::default(), nonce: 0 };
        let body = Body::Submit(Entry::Transfer(transfer));
        let raw = signer.sign(None, Interval::default(), 1, 2, &body).unwrap().raw;
        let mut together = Together::default();
        assert!(!together.has(&raw.bytes));
        together.push(3, Unchecked::take(&registry, &network, &raw.topic, &raw.bytes).unwrap());
        assert!(together.has(&raw.bytes));
        let mut other = raw.bytes.to_vec();
        other[20] ^= 1;
        assert!(!together.has(&other) && !together.has(b"short"));
        assert_eq!(together.take().len(), 1);
        assert!(!together.has(&raw.bytes));
    }
}
