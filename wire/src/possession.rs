//! Proof that who asks for a key to be registered holds it: a signature by the key itself over whose it will be.
//! Without it, somebody could have another's key registered as his own.

use crate::envelope::verify_bytes;
use crate::hash::Hash32;
use crate::party::PartyId;
use crate::topic::Network;
use ed25519_dalek::SigningKey;
use serde::{de::Error as _, Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What the signature is for, and no other is.
const DOMAIN: &str = "key possession";

/// A signature by a key over its owner and epoch. Written as 64 bytes in CBOR, in hexadecimal in text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Possession([u8; 64]);

impl Possession {
    /// Proves that `key` is held by whoever will be `party`, in this epoch.
    pub fn prove(key: &SigningKey, network: &Network, party: &PartyId, epoch: u32) -> Self {
        let statement = statement(network, party, epoch);
        Self(crate::envelope::sign_separated(key, DOMAIN, &statement.0))
    }

    /// Whether it proves that of this key.
    pub fn holds(&self, key: &Hash32, network: &Network, party: &PartyId, epoch: u32) -> bool {
        verify_bytes(key, DOMAIN, &statement(network, party, epoch).0, &self.0)
    }
}

impl fmt::Display for Possession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Possession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Possession({}..)", hex::encode(&self.0[..4]))
    }
}

impl Serialize for Possession {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.to_string())
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Possession {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = if deserializer.is_human_readable() {
            hex::decode(String::deserialize(deserializer)?).map_err(D::Error::custom)?
        } else {
            serde_bytes::ByteBuf::deserialize(deserializer)?.into_vec()
        };
        let bytes = bytes.try_into();
        bytes.map(Self).map_err(|_| D::Error::custom("a proof of possession has 64 bytes"))
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
