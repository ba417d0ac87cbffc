//! Proof that who asks for a key to be registered holds it: a signature by the key itself over whose it will be.
//! Without it, somebody could have another's key registered as his own.

use crate::envelope::verify_bytes;
use crate::hash::Hash32;
use crate::party::PartyId;
use crate::topic::Network;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

/// What the signature is for, and no other is.
const DOMAIN: &str = "key possession";

/// A signature by a key over its owner and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Possession(ByteArray<64>);

impl Possession {
    /// Proves that `key` is held by whoever will be `party`, in this epoch.
    pub fn prove(key: &SigningKey, network: &Network, party: &PartyId, epoch: u32) -> Self {
        let statement = statement(network, party, epoch);
        Self(ByteArray::new(crate::envelope::sign_separated(key, DOMAIN, &statement.0)))
    }

    /// Whether it proves that of this key.
    pub fn holds(&self, key: &Hash32, network: &Network, party: &PartyId, epoch: u32) -> bool {
        verify_bytes(key, DOMAIN, &statement(network, party, epoch).0, &self.0)
    }
}

fn statement(network: &Network, party: &PartyId, epoch: u32) -> Hash32 {
    let parts = [network.network.to_string(), network.feeder.to_string(), party.to_string()];
    let [network, feeder, party] = parts.each_ref().map(|part| part.as_bytes());
    Hash32::of("gridpact key possession", &[network, feeder, party, &epoch.to_be_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::party::Role;

    #[test]
    fn it_holds_for_its_key_owner_and_epoch_alone() {
        let [key, other] = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let public = |key: &SigningKey| Hash32(key.verifying_key().to_bytes());
        let network =
            |feeder: &str| Network { network: "n".parse().unwrap(), feeder: feeder.parse().unwrap() };
        let party = |id: &str| PartyId::new(Role::Site, id.parse().unwrap());
        let proof = Possession::prove(&key, &network("f"), &party("s1"), 3);
        assert!(proof.holds(&public(&key), &network("f"), &party("s1"), 3));
        assert!(!proof.holds(&public(&other), &network("f"), &party("s1"), 3));
        assert!(!proof.holds(&public(&key), &network("g"), &party("s1"), 3));
        assert!(!proof.holds(&public(&key), &network("f"), &party("s2"), 3));
        assert!(!proof.holds(&public(&key), &network("f"), &party("s1"), 4));
    }
}
