//! Whether a block is final: its validators' keys and their votes. Whose votes count is governed, so that there
//! is a verifier for the blocks after each change; the first follows from the genesis alone.

use super::validators::{check_votes, ValidatorSet};
use super::vote::{ValidatorIndex, VoteCertificate};
use super::{entries_root, entry_leaf, DecidedBlock, Header};
use crate::genesis::Genesis;
use crate::governed::roster::Roster;
use crate::governed::Governed;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;
use wire::cbor::CborError;
use wire::entry::{Entry, SignedEnvelope};
use wire::envelope::{open, EnvelopeError, Opened};
use wire::hash::Hash32;
use wire::message::Body;
use wire::party::{Id, PartyId, Registry, Role};
use wire::topic::Network;

/// Checks blocks, votes and entries against what is governed at their height.
#[derive(Clone, Debug)]
pub struct Verifier {
    ledger: Hash32,
    network: Network,
    governed: Hash32,
    registry: Arc<Registry>,
    heard: Arc<Registry>,
    validators: ValidatorSet,
    roster: Arc<Roster>,
    /// Evidence opened ahead of its use, by its leaf.
    opened: Arc<Mutex<HashMap<Hash32, Opened>>>,
}

/// Most envelopes of evidence kept opened ahead of their use.
const MOST_AHEAD: usize = 4_096;

/// Why a block is not final, or not what it says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlockError {
    /// It was made under other rules than those known.
    #[error("block {height}: it was made under other rules than those known here")]
    Governed {
        /// The block's height.
        height: u64,
    },
    /// The proposer is no validator.
    #[error("block {height}: its proposer {proposer} is no validator")]
    Proposer {
        /// The block's height.
        height: u64,
        /// Who proposed it.
        proposer: Id,
    },
    /// The entries are not those the header names.
    #[error("block {height}: its entries are not those under its root")]
    EntriesRoot {
        /// The block's height.
        height: u64,
    },
    /// Signatures out of order, twice by one validator, or by somebody else.
    #[error("block {height}: vote {index} is out of order or by no validator")]
    Voter {
        /// The block's height.
        height: u64,
        /// Which signature, from 0.
        index: usize,
    },
    /// A signature doesn't hold.
    #[error("block {height}: the vote of {validator} has a wrong signature")]
    Signature {
        /// The block's height.
        height: u64,
        /// Whose.
        validator: Id,
    },
    /// Too few votes.
    #[error(
        "block {height}: {votes} of {validators} validators voted for it, and more than two thirds must"
    )]
    Quorum {
        /// The block's height.
        height: u64,
        /// Valid votes.
        votes: usize,
        /// Validators there are.
        validators: usize,
    },
}

/// Why an envelope is no entry.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EntryError {
    /// The envelope doesn't open.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It is signed with a key that was rotated away.
    #[error("{sender} signed with its key of epoch {epoch}, and its key is that of epoch {current}")]
    OldKey {
        /// Who signed.
        sender: PartyId,
        /// The epoch it signed in.
        epoch: u32,
        /// The epoch of its key.
        current: u32,
    },
    /// It holds another kind of message.
    #[error("a message of kind {kind} is no entry")]
    NotSubmit {
        /// What it is.
        kind: &'static str,
    },
}

impl Verifier {
    /// A verifier for the first blocks of the ledger that starts from `genesis`.
    ///
    /// # Errors
    /// Where the genesis has no encoding.
    pub fn new(genesis: &Genesis) -> Result<Self, CborError> {
        let ledger = (genesis.id()?, genesis.network.clone());
        Ok(Self::under(ledger, &Governed::genesis(genesis), 0))
    }

    /// A verifier for the block that follows on one of this time, after which this was governed.
    pub fn under((ledger, network): (Hash32, Network), governed: &Governed, time_ms: u64) -> Self {
        let registry = governed.registry(time_ms);
        let key = |id: &Id| {
            let validator = registry.get(&PartyId::new(Role::Validator, id.clone()))?;
            Some((id.clone(), validator.key))
        };
        let validators = ValidatorSet::new(governed.validators.iter().filter_map(key).collect());
        let roster = Arc::new(Roster(validators.members().to_vec()));
        let (registry, heard) = with_onlookers(registry, governed);
        let governed = governed.hash();
        Self { ledger, network, governed, registry, heard, validators, roster, opened: Arc::default() }
    }

    /// Hash of what is governed at the blocks it verifies.
    pub fn governed(&self) -> &Hash32 {
        &self.governed
    }

    /// Whether the other has the same verdict on every block and every entry.
    pub fn agrees_with(&self, other: &Verifier) -> bool {
        self.ledger == other.ledger
            && self.governed == other.governed
            && self.network == other.network
            && self.validators == other.validators
            && self.registry == other.registry
    }

    /// Identity of the ledger: the genesis's hash.
    pub fn ledger(&self) -> &Hash32 {
        &self.ledger
    }

    /// Everyone's keys.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The same with validators that are to come and those that have left: they may ask for blocks.
    pub fn heard(&self) -> &Arc<Registry> {
        &self.heard
    }

    /// Which market this is.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Validators with their keys, in order of identifier.
    pub fn validators(&self) -> &[(Id, Hash32)] {
        self.validators.members()
    }

    /// The same, as a header names them and a proof shows them.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The validators, as a set that votes.
    pub fn validator_set(&self) -> &ValidatorSet {
        &self.validators
    }

    /// Whether this many validators are more than one third of all: one of them is honest.
    pub fn has_honest(&self, votes: usize) -> bool {
        3 * votes > self.validators().len()
    }

    /// The validator's place, where it is one.
    pub fn index_of(&self, validator: &Id) -> Option<ValidatorIndex> {
        self.validators.index_of(validator)
    }

    /// The validator's key.
    pub fn key_of(&self, validator: ValidatorIndex) -> Option<&Hash32> {
        self.validators.key_of(validator)
    }

    /// Checks that a decided block is what more than two thirds of the validators voted for. What
    /// its entries do, and whether it follows on another block, is not asked here.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn verify(&self, decided: &DecidedBlock) -> Result<(), BlockError> {
        let header = &decided.block.header;
        if entries_root(&decided.block.entries) != header.entries_root {
            return Err(BlockError::EntriesRoot { height: header.height });
        }
        self.verify_votes(header, &decided.certificate)
    }

    /// Checks the votes for a header.
    ///
    /// # Errors
    /// Names the first vote that does not hold, or that there are too few.
    pub fn verify_votes(&self, header: &Header, certificate: &VoteCertificate) -> Result<(), BlockError> {
        let height = header.height;
        if header.governed != self.governed {
            return Err(BlockError::Governed { height });
        }
        verify_votes(&self.ledger, self.validators(), header, certificate)
    }

    /// Epoch of the party's key.
    pub fn epoch_of(&self, party: &PartyId) -> Option<u32> {
        self.registry.get(party).map(|participant| participant.epoch.number)
    }

    /// Opens an envelope that an entry carries as evidence, unless it was opened before.
    ///
    /// # Errors
    /// Names why it does not open.
    pub fn open_evidence(&self, envelope: &SignedEnvelope) -> Result<Opened, EnvelopeError> {
        let known = self.opened.lock().unwrap_or_else(PoisonError::into_inner).remove(&entry_leaf(envelope));
        known.map_or_else(|| self.open(envelope), Ok)
    }

    /// Opens such an envelope for later, where somebody has the time. One that does not open is tried again.
    pub fn open_ahead(&self, envelope: &SignedEnvelope) {
        if let Ok(opened) = self.open(envelope) {
            let mut known = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() < MOST_AHEAD {
                known.insert(entry_leaf(envelope), opened);
            }
        }
    }

    fn open(&self, envelope: &SignedEnvelope) -> Result<Opened, EnvelopeError> {
        open(&self.registry, &self.network, &envelope.topic, &envelope.bytes)
    }

    /// Opens an entry's envelope: who submitted what, the signature checked.
    ///
    /// # Errors
    /// Names why the envelope is no entry.
    pub fn open_entry(&self, envelope: &SignedEnvelope) -> Result<(PartyId, Entry), EntryError> {
        self.entry_of(self.open(envelope)?)
    }

    /// Who submitted what in an envelope whose signature was checked.
    pub(super) fn entry_of(&self, opened: Opened) -> Result<(PartyId, Entry), EntryError> {
        let (sender, epoch) = (&opened.topic.sender, opened.epoch);
        if let Some(current) = self.epoch_of(sender).filter(|current| *current != epoch) {
            return Err(EntryError::OldKey { sender: sender.clone(), epoch, current });
        }
        match opened.body {
            Body::Submit(entry) => Ok((opened.topic.sender, entry)),
            other => Err(EntryError::NotSubmit { kind: other.kind() }),
        }
    }
}

/// A registry, and the same with onlookers where there are any.
fn with_onlookers(registry: Registry, governed: &Governed) -> (Arc<Registry>, Arc<Registry>) {
    let strangers = governed.onlookers().filter(|onlooker| !registry.contains_key(&onlooker.party));
    let strangers: Registry = strangers.map(|p| (p.party.clone(), p.clone())).collect();
    let registry = Arc::new(registry);
    if strangers.is_empty() {
        return (registry.clone(), registry);
    }
    let heard = registry.iter().map(|(party, p)| (party.clone(), p.clone())).chain(strangers).collect();
    (registry, Arc::new(heard))
}

/// Checks that more than two thirds of these validators, in order of identifier, voted for a header of the
/// ledger with this identity.
///
/// # Errors
/// Names the first vote that does not hold, or that there are too few.
pub fn verify_votes(
    ledger: &Hash32,
    validators: &[(Id, Hash32)],
    header: &Header,
    certificate: &VoteCertificate,
) -> Result<(), BlockError> {
    let height = header.height;
    if !validators.iter().any(|(id, _)| *id == header.proposer) {
        return Err(BlockError::Proposer { height, proposer: header.proposer.clone() });
    }
    check_votes(ledger, validators, (height, header.hash()), certificate, None)
}
