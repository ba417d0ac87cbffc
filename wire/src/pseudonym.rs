//! A participant's pseudonym: a UUID that says nothing of whose it is. Who is behind it, if anyone, is known to
//! the operator's own table and not to the ledger.

use crate::hash::Hash32;
use crate::party::PartyId;
use crate::topic::Network;
use serde::{de::Error as _, Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;
use uuid::Uuid;

/// A UUID (RFC 9562). Written as 16 bytes in CBOR, with hyphens in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym(pub [u8; 16]);

/// Why a text is no pseudonym.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{text:?} is no UUID")]
pub struct PseudonymError {
    /// The text, cut to 60 characters.
    pub text: String,
}

impl Pseudonym {
    /// The pseudonym of a participant that was given none: a UUID of version 8, from its name in its network.
    pub fn of(network: &Network, party: &PartyId) -> Self {
        let parts = [network.network.to_string(), network.feeder.to_string(), party.to_string()];
        let hash = Hash32::of("gridpact pseudonym", &parts.each_ref().map(|part| part.as_bytes()));
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.0[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid().into_bytes())
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl FromStr for Pseudonym {
    type Err = PseudonymError;
    fn from_str(text: &str) -> Result<Self, PseudonymError> {
        let wrong = || PseudonymError { text: text.chars().take(60).collect() };
        let uuid = Uuid::try_parse(text).map_err(|_| wrong())?;
        // One text for each, so that a table of them is searched by comparing.
        if uuid.hyphenated().to_string() != text {
            return Err(wrong());
        }
        Ok(Self(uuid.into_bytes()))
    }
}

impl Serialize for Pseudonym {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.to_string())
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Pseudonym {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            return text.parse().map_err(D::Error::custom);
        }
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        let bytes = bytes.as_slice().try_into();
        bytes.map(Self).map_err(|_| D::Error::custom("a pseudonym has 16 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 9562, section A.6 and B.2 show the form.
    #[test]
    fn a_pseudonym_has_one_text_and_one_encoding() {
        let text = "2489e9ad-2ee2-8e00-8ec9-32d5f69181c0";
        let pseudonym: Pseudonym = text.parse().unwrap();
        assert_eq!(pseudonym.to_string(), text);
        assert!(text.to_uppercase().parse::<Pseudonym>().is_err());
        assert!(text.replace('-', "").parse::<Pseudonym>().is_err());
        let bytes = crate::cbor::to_vec(&pseudonym).unwrap();
        assert_eq!((bytes[0], bytes.len()), (0x50, 17));
        assert_eq!(crate::cbor::from_slice::<Pseudonym>(&bytes, 17).unwrap(), pseudonym);
        assert!(crate::cbor::from_slice::<Pseudonym>(&bytes[..16], 17).is_err());
    }

    #[test]
    fn who_was_given_none_has_one_of_its_own() {
        let network = Network { network: "n".parse().unwrap(), feeder: "f".parse().unwrap() };
        let party = |id: &str| PartyId::new(crate::party::Role::Site, id.parse().unwrap());
        let [one, other] = ["s1", "s2"].map(|id| Pseudonym::of(&network, &party(id)));
        assert_ne!(one, other);
        assert_eq!(one.to_string().as_bytes()[14], b'8');
    }
}
