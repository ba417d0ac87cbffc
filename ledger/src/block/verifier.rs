//! Whether a block is final, from nothing but the genesis: validators' keys and their votes.

use super::validators::ValidatorSet;
use super::vote::{ValidatorIndex, VoteCertificate};
use super::{entries_root, DecidedBlock, Header};
use crate::genesis::Genesis;
use thiserror::Error;
use wire::cbor::CborError;
use wire::entry::{Entry, SignedEnvelope};
use wire::envelope::{open, EnvelopeError};
use wire::hash::Hash32;
use wire::message::Body;
use wire::party::{Id, PartyId, Registry, Role};
use wire::topic::Network;

/// Checks blocks, votes and entries against a genesis.
#[derive(Clone, Debug)]
pub struct Verifier {
    ledger: Hash32,
    network: Network,
    registry: Registry,
    validators: ValidatorSet,
}

/// Why a block is not final, or not what it says.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlockError {
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
    /// It holds another kind of message.
    #[error("a message of kind {kind} is no entry")]
    NotSubmit {
        /// What it is.
        kind: &'static str,
    },
}

impl Verifier {
    /// A verifier for the ledger that starts from `genesis`.
    ///
    /// # Errors
    /// Where the genesis has no encoding.
    pub fn new(genesis: &Genesis) -> Result<Self, CborError> {
        let registry = genesis.registry();
        let validators = registry
            .values()
            .filter(|p| p.party.role == Role::Validator)
            .map(|p| (p.party.id.clone(), p.key))
            .collect();
        let validators = ValidatorSet::new(validators);
        Ok(Self { ledger: genesis.id()?, network: genesis.network.clone(), registry, validators })
    }

    /// Identity of the ledger: the genesis's hash.
    pub fn ledger(&self) -> &Hash32 {
        &self.ledger
    }

    /// Everyone's keys.
    pub fn registry(&self) -> &Registry {
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
        if self.index_of(&header.proposer).is_none() {
            return Err(BlockError::Proposer { height, proposer: header.proposer.clone() });
        }
        self.validators.check_votes(&self.ledger, (height, header.hash()), certificate, None)
    }

    /// Opens an entry's envelope: who submitted what, the signature checked.
    ///
    /// # Errors
    /// Names why the envelope is no entry.
    pub fn open_entry(&self, envelope: &SignedEnvelope) -> Result<(PartyId, Entry), EntryError> {
        let opened = open(&self.registry, &self.network, &envelope.topic, &envelope.bytes)?;
        match opened.body {
            Body::Submit(entry) => Ok((opened.topic.sender, entry)),
            other => Err(EntryError::NotSubmit { kind: other.kind() }),
        }
    }
}
