//! Blocks: what they hold, how they are named by hash, and their bounded encoding. Whether a block
//! is decided is [`verifier`]'s to say; what its entries do is [`crate::state`]'s.

pub mod openings;
pub mod validators;
pub mod verifier;
pub mod vote;

use crate::block::vote::VoteCertificate;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use wire::cbor::{self, CborError};
use wire::entry::{Entry, SignedEnvelope};
use wire::hash::Hash32;
use wire::merkle;
use wire::message::{Body, MAX_ENVELOPE_BYTES};
use wire::party::{Id, PartyId};
use wire::topic::Topic;

/// Largest encoding of a block with its certificate: it travels in one envelope, whose own parts
/// need less than the difference.
pub const MAX_BLOCK_BYTES: usize = MAX_ENVELOPE_BYTES - 64 * 1024;
/// Largest signed envelope taken as an entry.
pub const MAX_ENTRY_BYTES: usize = 512 * 1024;
/// Most entries one block may hold.
pub const MAX_BLOCK_ENTRIES: usize = 1_024;

/// What a block's hash covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Place in the chain; the first block's is 1.
    pub height: u64,
    /// Hash of the block before; for the first, the genesis's identity.
    pub previous: Hash32,
    /// The proposer's wall clock in milliseconds since 1970; never less than in the block before.
    pub time_ms: u64,
    /// Merkle root over the entries' [`entry_leaf`]s.
    pub entries_root: Hash32,
    /// Merkle root over what the entries did: their [`crate::receipts`].
    pub receipts_root: Hash32,
    /// Merkle root over the hashes of all earlier blocks' headers, one fewer than the height.
    pub history_root: Hash32,
    /// Hash of the state after this block.
    pub state_hash: Hash32,
    /// Hash of the votes that decided the block before; zeros in the first block.
    pub previous_votes: Hash32,
    /// Hash of what governance and the registry may change, as it stood before this block: the block's rules and
    /// whose votes decide on it follow from it.
    pub governed: Hash32,
    /// [`Roster::hash`](crate::governed::roster::Roster::hash) of the validators that decide on the next block: how
    /// whoever knows the validators of one block learns of the next ones.
    pub next_validators: Hash32,
    /// The validator that built the block.
    pub proposer: Id,
}

/// Where on a chain something happens: everything that depends on height or time depends on these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    /// The block's height.
    pub height: u64,
    /// The block's time in milliseconds since 1970.
    pub time_ms: u64,
}

/// A block: a header and the signed envelopes by which parties asked for its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// What the votes are for.
    pub header: Header,
    /// The votes that decided the block before, of more than two thirds of its validators: the chain
    /// itself says who voted, and in which round each block was decided. None in the first block.
    pub previous_votes: Option<VoteCertificate>,
    /// Envelopes with a [`wire::message::Body::Submit`] each, in the order they were executed.
    pub entries: Vec<SignedEnvelope>,
}

/// A block with the votes that made it final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecidedBlock {
    /// The block.
    pub block: Block,
    /// Votes of more than two thirds of the validators.
    pub certificate: VoteCertificate,
}

/// Why bytes are no block.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlockCodecError {
    /// No deterministic encoding of a block, or too large.
    #[error("the block's encoding: {0}")]
    Cbor(#[from] CborError),
    /// No entry, or more than [`MAX_BLOCK_ENTRIES`].
    #[error("the block holds {count} entries, not 1 to {MAX_BLOCK_ENTRIES}")]
    EntryCount {
        /// How many it holds.
        count: usize,
    },
    /// An entry larger than [`MAX_ENTRY_BYTES`].
    #[error("entry {index} has {size} bytes, more than the {MAX_ENTRY_BYTES} allowed")]
    EntrySize {
        /// Which, from 0.
        index: usize,
        /// Its size in bytes.
        size: usize,
    },
}

/// What a header's fields are called in its tree, in their order there.
const FIELDS: [&str; FIELD_COUNT] = [
    "height",
    "previous",
    "time",
    "entries-root",
    "receipts-root",
    "history-root",
    "state-hash",
    "previous-votes",
    "governed",
    "next-validators",
    "proposer",
];
/// How many fields a header has.
pub const FIELD_COUNT: usize = 11;
/// Place of [`Header::history_root`] among the fields.
pub const HISTORY_ROOT: usize = 5;

impl Header {
    /// Where the block stands on its chain.
    pub fn at(&self) -> At {
        At { height: self.height, time_ms: self.time_ms }
    }

    /// The block's name: the root of a Merkle tree with one leaf for each field, so that a field can be
    /// proven by itself.
    pub fn hash(&self) -> Hash32 {
        merkle::root(&self.leaves())
    }

    /// The tree's leaves, hashed.
    pub fn leaves(&self) -> [Hash32; FIELD_COUNT] {
        self.fields().map(|field| merkle::leaf_hash(&field))
    }

    /// What the leaves are over: each field's bytes after its name, so that none passes for another, or for
    /// anything else that is hashed.
    pub fn fields(&self) -> [Vec<u8>; FIELD_COUNT] {
        let values: [&[u8]; FIELD_COUNT] = [
            &self.height.to_be_bytes(),
            &self.previous.0,
            &self.time_ms.to_be_bytes(),
            &self.entries_root.0,
            &self.receipts_root.0,
            &self.history_root.0,
            &self.state_hash.0,
            &self.previous_votes.0,
            &self.governed.0,
            &self.next_validators.0,
            self.proposer.as_str().as_bytes(),
        ];
        std::array::from_fn(|place| {
            [b"gridpact block ", FIELDS[place].as_bytes(), &[0], values[place]].concat()
        })
    }
}

/// Leaf of a block in the tree over the history: its header's hash.
pub fn history_leaf(block_hash: &Hash32) -> Hash32 {
    merkle::leaf_hash(&block_hash.0)
}

/// What a header says of the votes for the block before.
pub fn votes_hash(votes: Option<&VoteCertificate>) -> Hash32 {
    votes.map(VoteCertificate::hash).unwrap_or_default()
}

/// Leaf of one entry in its block's Merkle tree: covers topic and bytes.
pub fn entry_leaf(entry: &SignedEnvelope) -> Hash32 {
    merkle::leaf_hash(&Hash32::of("gridpact entry", &[entry.topic.as_bytes(), &entry.bytes]).0)
}

/// Leaves of entries, in order.
pub fn entry_leaves(entries: &[SignedEnvelope]) -> Vec<Hash32> {
    entries.iter().map(entry_leaf).collect()
}

/// Merkle root over entries, in order.
pub fn entries_root(entries: &[SignedEnvelope]) -> Hash32 {
    merkle::root(&entry_leaves(entries))
}

impl Block {
    /// The deterministic encoding.
    ///
    /// # Errors
    /// Where the block is out of bounds.
    pub fn encode(&self) -> Result<Vec<u8>, BlockCodecError> {
        self.check_bounds()?;
        Ok(cbor::to_vec(self)?)
    }

    /// A block from bytes of unknown origin.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, BlockCodecError> {
        let block: Self = cbor::from_slice(bytes, MAX_BLOCK_BYTES)?;
        block.check_bounds()?;
        Ok(block)
    }

    fn check_bounds(&self) -> Result<(), BlockCodecError> {
        let count = self.entries.len();
        if count == 0 || count > MAX_BLOCK_ENTRIES {
            return Err(BlockCodecError::EntryCount { count });
        }
        for (index, entry) in self.entries.iter().enumerate() {
            let size = entry.topic.len() + entry.bytes.len();
            if size > MAX_ENTRY_BYTES {
                return Err(BlockCodecError::EntrySize { index, size });
            }
        }
        Ok(())
    }
}

impl DecidedBlock {
    /// The deterministic encoding, as it stands in the log and travels as
    /// [`wire::message::Body::Block`].
    ///
    /// # Errors
    /// Where the block is out of bounds.
    pub fn encode(&self) -> Result<Vec<u8>, BlockCodecError> {
        self.block.check_bounds()?;
        Ok(cbor::to_vec(self)?)
    }

    /// A decided block from bytes of unknown origin. Says nothing about its votes.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, BlockCodecError> {
        let decided: Self = cbor::from_slice(bytes, MAX_BLOCK_BYTES)?;
        decided.block.check_bounds()?;
        Ok(decided)
    }

    /// Height of the block.
    pub fn height(&self) -> u64 {
        self.block.header.height
    }

    /// Who submitted which entry, in order. For a block that
    /// [`verifier::Verifier::verify`] accepted: its validators checked the submitters' signatures
    /// before they voted, so they are not checked again here.
    pub fn entries(&self) -> impl Iterator<Item = (PartyId, Entry)> + '_ {
        self.block.entries.iter().filter_map(submitted)
    }
}

/// Submitter and entry of one envelope, its signature not checked.
pub(crate) fn submitted(envelope: &SignedEnvelope) -> Option<(PartyId, Entry)> {
    #[derive(Deserialize)]
    struct Payload {
        body: Body,
    }
    let topic: Topic = envelope.topic.parse().ok()?;
    let sign1: ciborium::Value = ciborium::from_reader(envelope.bytes.as_slice()).ok()?;
    // COSE_Sign1 is tag 18 around [protected, unprotected, payload, signature] (RFC 9052).
    let parts = sign1.into_tag().ok()?.1.into_array().ok()?;
    let payload: Payload = ciborium::from_reader(parts.get(2)?.as_bytes()?.as_slice()).ok()?;
    match payload.body {
        Body::Submit(entry) => Some((topic.sender, entry)),
        _ => None,
    }
}
