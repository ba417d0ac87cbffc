//! Snapshots: the state after one decided block with all that a validator needs to go on from there,
//! and the bounded chunks in which it is stored and sent. Believed for the votes for its block, whose
//! header names the state's hash; who made or sent it is worth nothing.
//!
//! With it goes who decided on earlier blocks, back to the genesis: what proofs need of blocks that are gone. It proves
//! itself, by the votes that each step carries; one that does not is left out.
//!
//! Whose votes count is part of the state, so whoever believes a snapshot must know some of its
//! voters: more than a third of the validators known before must be among them, of whom one at least
//! is honest and would not have voted for a block that was not decided. Or else the steps that go with it
//! must lead from the validators known to the voters: more than two thirds of those known voted for the first.

use crate::block::verifier::{BlockError, Verifier};
use crate::block::vote::VoteCertificate;
use crate::block::Header;
use crate::contracts::rules::{Rules, RulesError};
use crate::execute::Tip;
use crate::governed::succession::{Lineage, MAX_LINEAGE_BYTES};
use crate::state::encoding::{EncodingError, MAX_STATE_BYTES};
use crate::state::State;
use crate::store::Chain;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use thiserror::Error;
use wire::cbor::{self, CborError};
use wire::hash::Hash32;
use wire::topic::Network;

/// Size of every chunk but the last, in bytes.
pub const CHUNK_BYTES: usize = 256 << 10;
/// Largest encoding of a manifest, in bytes: a hash for every chunk, and every validator's vote.
pub const MAX_MANIFEST_BYTES: usize = 512 << 10;

/// The state after a decided block that left what is governed as it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The block before it, as far as this one depends on it.
    pub previous: Tip,
    /// The block's header, which names the state's hash.
    pub header: Header,
    /// The votes for it.
    pub certificate: VoteCertificate,
    /// The state after it.
    pub state: State,
    /// Who decided on earlier blocks, as far as known.
    pub lineage: Lineage,
}

/// What a snapshot holds: its block, and the hashes of its state's chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The block before it, as far as this one depends on it.
    pub previous: Tip,
    /// The block's header.
    pub header: Header,
    /// The votes for it.
    pub certificate: VoteCertificate,
    /// Bytes of the state's encoding.
    pub state_bytes: u64,
    /// Bytes of the lineage's encoding behind it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lineage_bytes: u64,
    /// Hash of each chunk of both, in order.
    pub chunks: Vec<Hash32>,
}

fn is_zero(bytes: &u64) -> bool {
    *bytes == 0
}

/// Why bytes are no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// The manifest's encoding is none.
    #[error("the manifest: {0}")]
    Manifest(#[from] CborError),
    /// More bytes than any state or lineage has, or another number of chunks than they make.
    #[error("{bytes} bytes of state and lineage in {chunks} chunks")]
    Shape {
        /// Bytes stated.
        bytes: u64,
        /// Chunks stated.
        chunks: usize,
    },
    /// Its block was not decided.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// Its block does not follow on the one before that it names.
    #[error("block {height} does not follow on the block before it as the manifest has that")]
    Previous {
        /// The block's height.
        height: u64,
    },
    /// A chunk is another than the manifest names, or missing.
    #[error("chunk {index} of {count} is not the one under its hash")]
    Chunk {
        /// Which, from 0.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// The chunks are no state.
    #[error(transparent)]
    State(#[from] EncodingError),
    /// The state is another than the block names.
    #[error("the state is not the one that block {height} names")]
    StateHash {
        /// The block's height.
        height: u64,
    },
    /// What is governed in the state is not what the block was decided under.
    #[error("block {height} was decided under other validators than the state after it names")]
    Governed {
        /// The block's height.
        height: u64,
    },
    /// Too few of the voters are known.
    #[error("block {height}: {known} of {validators} validators known here voted for it, and more than a third must")]
    Strangers {
        /// The block's height.
        height: u64,
        /// Known validators among the voters.
        known: usize,
        /// Validators known.
        validators: usize,
    },
    /// What is governed in the state makes no rules.
    #[error(transparent)]
    Rules(#[from] RulesError),
}

impl Snapshot {
    /// The manifest, and the encoding of state and lineage, whose [`chunks`] it names.
    ///
    /// # Errors
    /// Where the state has no encoding.
    pub fn split(&self) -> Result<(Manifest, Vec<u8>), CborError> {
        let mut encoded = self.state.encode()?;
        let state_bytes = encoded.len() as u64;
        encoded.extend(self.lineage.encode()?);
        let manifest = Manifest {
            previous: self.previous.clone(),
            header: self.header.clone(),
            certificate: self.certificate.clone(),
            state_bytes,
            lineage_bytes: encoded.len() as u64 - state_bytes,
            chunks: chunks(&encoded).map(chunk_hash).collect(),
        };
        Ok((manifest, encoded))
    }

    /// The tip of the chain that goes on from here.
    pub fn tip(&self) -> Tip {
        self.previous.after_header(&self.header, &self.certificate)
    }

    /// Checks the votes for its block, by the validators that its state names, of whom enough must be
    /// `known`, or made validators by those who are.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn check_votes(&self, known: &Verifier) -> Result<(), SnapshotError> {
        let Self { previous, header, certificate, state, .. } = self;
        let height = header.height;
        if header.governed != state.governed().hash() {
            return Err(SnapshotError::Governed { height });
        }
        let ledger = (*known.ledger(), known.network().clone());
        let verifier = Verifier::under(ledger, state.governed(), previous.time_ms);
        verifier.verify_votes(header, certificate)?;
        let voters = certificate.signatures.iter().map(|(index, _)| usize::from(*index));
        let voters = voters.filter_map(|index| verifier.validators().get(index));
        let familiar = voters.filter(|voter| known.validators().contains(voter)).count();
        if !known.has_honest(familiar) && !self.succeeds(known, &verifier) {
            let validators = known.validators().len();
            return Err(SnapshotError::Strangers { height, known: familiar, validators });
        }
        Ok(())
    }

    /// Whether its lineage leads from the validators known to its voters.
    fn succeeds(&self, known: &Verifier, voters: &Verifier) -> bool {
        self.lineage_to(voters).0.iter().any(|step| step.decided == *known.roster())
    }

    /// Who decided on earlier blocks, where that holds, for a snapshot whose votes do.
    pub fn sound_lineage(&self, ledger: &Hash32, network: &Network) -> Lineage {
        let ledger_and_network = (*ledger, network.clone());
        self.lineage_to(&Verifier::under(ledger_and_network, self.state.governed(), self.previous.time_ms))
    }

    fn lineage_to(&self, voters: &Verifier) -> Lineage {
        self.lineage.clone().leading_to(voters.ledger(), voters.roster(), self.header.height)
    }

    /// The chain that goes on from here. `rules` are those of any block of the same ledger.
    ///
    /// # Errors
    /// Where what is governed makes no rules; no decided block brings that about.
    pub fn chain(self, rules: &Arc<Rules>) -> Result<Chain, SnapshotError> {
        let tip = self.tip();
        let rules = rules.after(self.state.governed(), tip.time_ms)?;
        Ok(Chain { tip, state: self.state, rules })
    }
}

/// A snapshot's encoding in chunks.
pub fn chunks(encoded: &[u8]) -> impl Iterator<Item = &[u8]> {
    encoded.chunks(CHUNK_BYTES)
}

fn chunk_hash(chunk: &[u8]) -> Hash32 {
    Hash32::of("gridpact snapshot chunk", &[chunk])
}

impl Manifest {
    /// Height of the snapshot's block.
    pub fn height(&self) -> u64 {
        self.header.height
    }

    /// The deterministic encoding.
    ///
    /// # Errors
    /// Where there is none.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::to_vec(self)
    }

    /// A manifest from bytes of unknown origin, in its bounds. Says nothing about its votes.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let manifest: Self = cbor::from_slice(bytes, MAX_MANIFEST_BYTES)?;
        let Self { state_bytes, lineage_bytes, .. } = manifest;
        let (bytes, chunks) = (state_bytes.saturating_add(lineage_bytes), manifest.chunks.len());
        let bounded = state_bytes <= MAX_STATE_BYTES as u64 && lineage_bytes <= MAX_LINEAGE_BYTES as u64;
        if !bounded || bytes.div_ceil(CHUNK_BYTES as u64) != chunks as u64 {
            return Err(SnapshotError::Shape { bytes, chunks });
        }
        let Self { previous, header, certificate, .. } = &manifest;
        let follows = previous.height.checked_add(1) == Some(header.height)
            && previous.hash == header.previous
            && previous.time_ms <= header.time_ms;
        if !follows || !previous.after_header(header, certificate).is_of(header) {
            return Err(SnapshotError::Previous { height: header.height });
        }
        Ok(manifest)
    }

    /// Checks the votes for its block as far as that can be done before its state is there: where
    /// nothing governed has changed.
    ///
    /// # Errors
    /// Names the first vote that does not hold, or that there are too few.
    pub fn check_votes(&self, known: &Verifier) -> Result<(), SnapshotError> {
        match self.header.governed == *known.governed() {
            true => Ok(known.verify_votes(&self.header, &self.certificate)?),
            false => Ok(()),
        }
    }

    /// Checks one chunk.
    ///
    /// # Errors
    /// [`SnapshotError::Chunk`] where it is another than the manifest names.
    pub fn check_chunk(&self, index: usize, chunk: &[u8]) -> Result<(), SnapshotError> {
        match self.chunks.get(index) == Some(&chunk_hash(chunk)) {
            true => Ok(()),
            false => Err(SnapshotError::Chunk { index, count: self.chunks.len() }),
        }
    }

    /// The snapshot, from its checked chunks put together. Says nothing about its votes.
    ///
    /// # Errors
    /// Where they are no state, or not the one that the block names.
    pub fn join(self, encoded: &[u8]) -> Result<Snapshot, SnapshotError> {
        let Self { previous, header, certificate, state_bytes, .. } = self;
        let other = SnapshotError::StateHash { height: header.height };
        let parts = usize::try_from(state_bytes).ok().and_then(|at| encoded.split_at_checked(at));
        let Some((state, lineage)) = parts else { return Err(other) };
        let state = State::decode(state)?;
        if state.hash() != header.state_hash {
            return Err(other);
        }
        Ok(Snapshot { previous, header, certificate, state, lineage: Lineage::decode(lineage) })
    }
}
