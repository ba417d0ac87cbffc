//! Whether a block is final: its validators' keys and their votes. Whose votes count is governed, so that there
//! is a verifier for the blocks after each change; the first follows from the genesis alone.

use super::validators::ValidatorSet;
use super::vote::{ValidatorIndex, VoteCertificate};
use super::{entries_root, DecidedBlock, Header};
use crate::genesis::Genesis;
use crate::governed::Governed;
use std::sync::Arc;
use thiserror::Error;
use wire::cbor::CborError;
use wire::entry::{Entry, SignedEnvelope};
use wire::envelope::{open, EnvelopeError};
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
    validators: ValidatorSet,
}

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
        Self { ledger, network, governed: governed.hash(), registry: Arc::new(registry), validators }
    }

    /// Hash of what is governed at the blocks it verifies.
    pub fn governed(&self) -> &Hash32 {
        &self.governed
    }

    /// Identity of the ledger: the genesis's hash.
    pub fn ledger(&self) -> &Hash32 {
        &self.ledger
    }

    /// Everyone's keys.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Which market this is.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Validators with their keys, in order of identifier.
    pub fn validators(&self) -> &[(Id, Hash32)] {
        self.validators.members()
    }

    /// The validators, as a set that votes.
    pub fn validator_set(&self) -> &ValidatorSet {
        &self.validators
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
        if self.index_of(&header.proposer).is_none() {
            return Err(BlockError::Proposer { height, proposer: header.proposer.clone() });
        }
        self.validators.check_votes(&self.ledger, (height, header.hash()), certificate, None)
    }

    /// Epoch of the party's key.
    pub fn epoch_of(&self, party: &PartyId) -> Option<u32> {
        self.registry.get(party).map(|participant| participant.epoch.number)
    }

    /// Opens an entry's envelope: who submitted what, the signature checked.
    ///
    /// # Errors
    /// Names why the envelope is no entry.
    pub fn open_entry(&self, envelope: &SignedEnvelope) -> Result<(PartyId, Entry), EntryError> {
        let opened = open(&self.registry, &self.network, &envelope.topic, &envelope.bytes)?;
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
