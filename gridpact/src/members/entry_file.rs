//! Entries as an operator writes them, in TOML or JSON, and what the ledger is asked for.

use crate::configuration::key_file::{self, KeyError};
use serde::{de::Error as _, Deserialize, Deserializer};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;
use time::format_description::well_known::Rfc3339;
use time::OffsetDateTime;
use wire::cbor::CborError;
use wire::entry::governance::{BallotEntry, GovernedChange, ProposalEntry};
use wire::entry::registry::{Equipment, EquipmentList, KeyRotation, ParticipantEntry, Registration};
use wire::entry::Entry;
use wire::envelope::Signer;
use wire::hash::Hash32;
use wire::party::{Id, KeyEpoch, Participant, PartyId};
use wire::possession::Possession;
use wire::pseudonym::Pseudonym;
use wire::topic::Network;

/// Largest file read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// One entry, as it is written.
#[derive(Debug, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum EntryFile {
    /// Somebody new.
    Register(Box<NewParticipant>),
    /// Another key for the one who submits it.
    Rotate {
        /// The new private key's file, PKCS#8 PEM, relative to the entry's.
        next_key: PathBuf,
    },
    /// Somebody's registration ends.
    Revoke {
        /// Whose, as role/id.
        #[serde(deserialize_with = "party")]
        party: PartyId,
    },
    /// What the one who submits it operates.
    Equipment {
        /// Lists stated before.
        revision: u32,
        /// The devices.
        devices: Vec<Equipment>,
    },
    /// A change to be voted on.
    Proposal {
        /// The first height that goes by it.
        at_height: u64,
        /// The change.
        change: Box<GovernedChange>,
    },
    /// A vote.
    Ballot {
        /// On which proposal.
        proposal: Hash32,
        /// For or against it.
        approve: bool,
    },
}

/// Somebody new, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewParticipant {
    /// role/id.
    #[serde(deserialize_with = "party")]
    pub party: PartyId,
    /// Its public key, as `gridpact ledger possess` prints it.
    pub key: Hash32,
    /// The proof that it holds the key, likewise.
    pub possession: Possession,
    /// Its account, a pseudonym.
    pub account: Id,
    /// What the operator's own table knows it by; none for one that follows from its name.
    pub pseudonym: Option<Pseudonym>,
    /// A site's bus.
    pub bus: Option<String>,
    /// A site's aggregator.
    pub aggregator: Option<Id>,
    /// The most a site may take or feed in.
    pub connection_milliwatt: Option<i64>,
    /// From when it takes part, RFC 3339; none for at once.
    pub valid_from: Option<String>,
    /// Until when, RFC 3339; none where that is open.
    pub valid_to: Option<String>,
}

/// Why a file gives no entry.
#[derive(Debug, Error)]
pub enum EntryFileError {
    /// It can't be read.
    #[error("reading {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is larger than an entry can be.
    #[error("{path} has {bytes} bytes, more than the {MAX_BYTES} allowed")]
    Size {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is no such TOML.
    #[error("{path}: {source}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<toml::de::Error>,
    },
    /// It is no such JSON.
    #[error("{path}: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A time that is none.
    #[error("{key}: {text:?} is no time like 2026-05-01T00:00:00Z")]
    Time {
        /// Which key.
        key: &'static str,
        /// Its value.
        text: String,
    },
    /// A key that can't be read.
    #[error("next_key: {0}")]
    Key(#[from] KeyError),
    /// A proposal without an encoding.
    #[error("the proposal: {0}")]
    Encoding(#[from] CborError),
}

impl EntryFile {
    /// Reads a file; JSON where its name ends so, TOML otherwise.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, EntryFileError> {
        let read = |source| EntryFileError::Read { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(read)?.len();
        if bytes > MAX_BYTES {
            return Err(EntryFileError::Size { path: path.to_owned(), bytes });
        }
        let text = std::fs::read_to_string(path).map_err(read)?;
        let path = path.to_owned();
        if path.extension().is_some_and(|extension| extension == "json") {
            return serde_json::from_str(&text).map_err(|source| EntryFileError::Json { path, source });
        }
        toml::from_str(&text).map_err(|source| EntryFileError::Toml { path, source: Box::new(source) })
    }

    /// The entry, as `signer` submits it. Paths are relative to `directory`.
    ///
    /// # Errors
    /// Where a key can't be read, or a time is none.
    pub fn entry(self, signer: &Signer, directory: &Path) -> Result<Entry, EntryFileError> {
        let participant = |entry| Entry::Participant(Box::new(entry));
        Ok(match self {
            EntryFile::Register(new) => {
                participant(ParticipantEntry::Register(new.registration(signer.network())?))
            }
            EntryFile::Rotate { next_key } => {
                let key = key_file::read(&directory.join(next_key))?;
                let epoch = signer.epoch().saturating_add(1);
                let possession = Possession::prove(&key, signer.network(), signer.party(), epoch);
                let key = Hash32(key.verifying_key().to_bytes());
                participant(ParticipantEntry::Rotate(KeyRotation { key, epoch, possession }))
            }
            EntryFile::Revoke { party } => participant(ParticipantEntry::Revoke(party)),
            EntryFile::Equipment { revision, devices } => {
                participant(ParticipantEntry::Equipment(EquipmentList { revision, devices }))
            }
            EntryFile::Proposal { at_height, change } => {
                Entry::Proposal(Box::new(ProposalEntry { at_height, change: *change }))
            }
            EntryFile::Ballot { proposal, approve } => Entry::Ballot(BallotEntry { proposal, approve }),
        })
    }
}

impl NewParticipant {
    fn registration(self, network: &Network) -> Result<Registration, EntryFileError> {
        let valid_from_ms = self.valid_from.map(|text| unix_ms("valid_from", text)).transpose()?;
        let valid_to_ms = self.valid_to.map(|text| unix_ms("valid_to", text)).transpose()?;
        Ok(Registration {
            pseudonym: self.pseudonym.unwrap_or_else(|| Pseudonym::of(network, &self.party)),
            valid_from_ms: valid_from_ms.unwrap_or(0),
            valid_to_ms,
            possession: self.possession,
            participant: Participant {
                party: self.party,
                key: self.key,
                account: self.account,
                bus: self.bus,
                aggregator: self.aggregator,
                connection_milliwatt: self.connection_milliwatt,
                epoch: KeyEpoch::default(),
            },
        })
    }
}

fn party<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PartyId, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn unix_ms(key: &'static str, text: String) -> Result<u64, EntryFileError> {
    let time = OffsetDateTime::parse(&text, &Rfc3339).ok();
    let ms = time.and_then(|time| u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok());
    ms.ok_or(EntryFileError::Time { key, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;

    fn signer() -> Signer {
        let network = Network { network: "n".parse().unwrap(), feeder: "f".parse().unwrap() };
        Signer::new(network, "dso/d".parse().unwrap(), SigningKey::from_bytes(&[1; 32]), 1)
    }

    fn read(name: &str, text: &str) -> Result<Entry, EntryFileError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        EntryFile::read(&path)?.entry(&signer(), directory.path())
    }

    #[test]
    fn entries_are_written_in_toml_or_json() {
        let key = SigningKey::from_bytes(&[2; 32]);
        let party: PartyId = "site/s9".parse().unwrap();
        let possession = Possession::prove(&key, signer().network(), &party, 0);
        let public = Hash32(key.verifying_key().to_bytes());
        let text = format!(
            "entry = \"register\"\nparty = \"site/s9\"\nkey = \"{public}\"\npossession = \"{possession}\"\n\
             account = \"acct-9\"\nbus = \"b\"\naggregator = \"a1\"\nconnection_milliwatt = 9000000\n\
             valid_from = \"2026-05-01T00:00:00Z\"\n"
        );
        let Entry::Participant(entry) = read("new.toml", &text).unwrap() else { panic!("another kind") };
        let ParticipantEntry::Register(new) = *entry else { panic!("another action") };
        assert_eq!((new.valid_from_ms, new.valid_to_ms), (1_777_593_600_000, None));
        assert!(new.possession.holds(&public, signer().network(), &party, 0));
        let revoke = read("revoke.json", r#"{"entry": "revoke", "party": "site/s9"}"#).unwrap();
        assert_eq!(revoke, Entry::Participant(Box::new(ParticipantEntry::Revoke(party))));
        let change =
            "entry = \"proposal\"\nat_height = 9\n[change.contract]\ncontract = \"transfer\"\nversion = 0\n";
        let change = read("change.toml", change).unwrap();
        let expected = GovernedChange::Contract { contract: "transfer".to_owned(), version: 0 };
        assert_eq!(change, Entry::Proposal(Box::new(ProposalEntry { at_height: 9, change: expected })));
        let devices = "entry = \"equipment\"\nrevision = 0\n[[devices]]\ndevice = \"pv\"\nmake = \"m\"\nmodel = \"5\"\n\
                       firmware = \"1\"\n[devices.nameplate]\npower_w = 5000\n";
        assert!(matches!(read("devices.toml", devices).unwrap(), Entry::Participant(_)));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, words: &str| {
            let error = read("entry.toml", text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        check("entry = \"anoint\"", "anoint");
        check("entry = \"revoke\"", "party");
        check("entry = \"revoke\"\nparty = \"king/k\"", "king");
        check("entry = \"rotate\"\nnext_key = \"nowhere.pem\"", "nowhere.pem");
        check("entry = \"ballot\"\nproposal = \"beef\"\napprove = true", "entry.toml");
    }
}
