//! What validators say to each other, and what each records of it. Bounded and deterministic; the
//! signatures inside are over fixed bytes ([`crate::block::vote`]), never over these encodings.

use super::Timer;
use crate::block::vote::{Signature, SignedProposal, SignedVote, ValidatorIndex, Vote, VoteKind};
use crate::block::MAX_BLOCK_BYTES;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use wire::cbor::{self, CborError};
use wire::hash::Hash32;

/// Largest message: a proposal with its block.
pub const MAX_MESSAGE_BYTES: usize = MAX_BLOCK_BYTES + 1024;

/// Two thirds of a round's prevotes for one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolkaCertificate {
    /// Height.
    pub height: u64,
    /// Round.
    pub round: u32,
    /// The block.
    pub block: Hash32,
    /// Prevotes' signatures.
    pub signatures: Vec<(ValidatorIndex, Signature)>,
}

/// Why a later round may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundReason {
    /// More than a third of the validators are in it already.
    Skip,
    /// Two thirds precommitted in the round before, for whatever.
    Precommit,
}

/// Votes that let a later round begin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundCertificate {
    /// Height.
    pub height: u64,
    /// Round of the votes.
    pub round: u32,
    /// Why they let a round begin.
    pub reason: RoundReason,
    /// The votes.
    pub votes: Vec<RoundVote>,
}

/// One vote of a [`RoundCertificate`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundVote {
    /// Which vote.
    pub kind: VoteKind,
    /// For which block, or none.
    pub block: Option<Hash32>,
    /// Whose.
    pub validator: ValidatorIndex,
    /// Its signature.
    pub signature: Signature,
}

impl RoundCertificate {
    /// The votes, whole.
    pub fn votes(&self) -> impl Iterator<Item = SignedVote> + '_ {
        self.votes.iter().map(|vote| SignedVote {
            vote: Vote {
                kind: vote.kind,
                height: self.height,
                round: self.round,
                block: vote.block,
                validator: vote.validator,
            },
            signature: vote.signature,
        })
    }
}

/// What agreement publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statement {
    /// A proposal.
    Proposal(SignedProposal),
    /// A vote.
    Vote(SignedVote),
    /// Two thirds of prevotes for a block.
    Polka(PolkaCertificate),
    /// Votes that let a later round begin.
    Round(RoundCertificate),
}

impl Statement {
    /// Its height.
    pub fn height(&self) -> u64 {
        match self {
            Statement::Proposal(signed) => signed.proposal.height,
            Statement::Vote(signed) => signed.vote.height,
            Statement::Polka(certificate) => certificate.height,
            Statement::Round(certificate) => certificate.height,
        }
    }
}

/// Part of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnapshotPart {
    /// The newest snapshot's manifest.
    Manifest,
    /// One chunk of its state.
    Chunk {
        /// Height of the snapshot.
        height: u64,
        /// Which chunk, from 0.
        index: u32,
    },
}

/// What travels as [`wire::message::Body::Consensus`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsensusMessage {
    /// What agreement says; a proposal comes with its block.
    Statement {
        /// What it says.
        statement: Statement,
        /// The proposed block's encoding; none with other statements.
        block: Option<ByteBuf>,
    },
    /// One validator asks another for decided blocks.
    Request {
        /// From which height on.
        height: u64,
        /// Who is asked.
        of: ValidatorIndex,
    },
    /// The answer: decided blocks' encodings in a row, whose own certificates say whether they are any.
    Decided(Vec<ByteBuf>),
    /// The answer where blocks so old were pruned.
    Pruned {
        /// Lowest height kept.
        lowest: u64,
        /// Last height decided.
        tip: u64,
    },
    /// One validator asks another for part of a snapshot.
    SnapshotRequest {
        /// Which part.
        part: SnapshotPart,
        /// Who is asked.
        of: ValidatorIndex,
    },
    /// The answer: the newest snapshot's [`crate::snapshot::Manifest`].
    Manifest(ByteBuf),
    /// The answer: one chunk of a snapshot's state.
    Chunk {
        /// Height of the snapshot.
        height: u64,
        /// Which chunk, from 0.
        index: u32,
        /// The chunk.
        bytes: ByteBuf,
    },
}

impl ConsensusMessage {
    /// The deterministic encoding.
    ///
    /// # Errors
    /// Where there is none.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::to_vec(self)
    }

    /// A message from bytes of unknown origin.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::from_slice(bytes, MAX_MESSAGE_BYTES)
    }
}

/// What is recorded in the write-ahead log, so that a validator that restarts says again what it
/// said, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Record {
    /// A vote, own or taken.
    Vote(SignedVote),
    /// A proposal, own or taken.
    Proposal(SignedProposal),
    /// A block was found right or wrong.
    Block {
        /// Its hash.
        block: Hash32,
        /// Round it was proposed in.
        round: u32,
        /// Earlier round in which two thirds prevoted it.
        polka_round: Option<u32>,
        /// Who proposed it.
        proposer: ValidatorIndex,
        /// Whether it may follow on the chain.
        valid: bool,
    },
    /// A timer ran out.
    TimeUp(Timer),
    /// Two thirds of prevotes for a block.
    Polka(PolkaCertificate),
    /// The bytes of a block found right, for saying them again.
    Bytes(ByteBuf),
}

impl Record {
    /// The deterministic encoding.
    ///
    /// # Errors
    /// Where there is none.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::to_vec(self)
    }

    /// A record from the log's bytes.
    ///
    /// # Errors
    /// Names what is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::from_slice(bytes, MAX_MESSAGE_BYTES)
    }
}
