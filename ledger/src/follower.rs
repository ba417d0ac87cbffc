//! Following a chain without keeping its state: whose votes decide on the next block, and by which keys things
//! are signed. Blocks come in order, or with gaps that changed nothing of it: each names by hash what was governed
//! when it was made. Whoever missed a change asks a validator for a [`Summary`].

use crate::block::verifier::{BlockError, Verifier};
use crate::block::vote::VoteCertificate;
use crate::block::{entries_root, submitted, DecidedBlock, Header};
use crate::contracts::edit;
use crate::contracts::rules::{Rules, RulesError};
use crate::genesis::Genesis;
use crate::governed::Governed;
use crate::state::receipt::Refusal;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use thiserror::Error;
use wire::cbor::{self, CborError};
use wire::entry::{Entry, SignedEnvelope};
use wire::message::MAX_ENVELOPE_BYTES;
use wire::party::{PartyId, Registry};

/// Rules before the present ones that are kept: blocks and proofs under them may still be on their way.
const KEPT_RULES: usize = 8;

/// What was governed when a block was made, with the votes that make it true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The block's header, which names the hash of what was governed.
    pub header: Header,
    /// The votes for it.
    pub certificate: VoteCertificate,
    /// What was governed.
    pub governed: Governed,
    /// The block's entries, where they changed that: the header names what it was made under, and no later one may come
    /// for long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<Vec<SignedEnvelope>>,
}

/// Why a block or a summary is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FollowError {
    /// Not decided.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// Made under rules that are not known here: a block was missed that changed them.
    #[error("block {height} was made under rules that are not known here; a change was missed")]
    Behind {
        /// The block's height.
        height: u64,
    },
    /// A decided block holds what its own rules refuse, which no honest validator votes for.
    #[error("block {height}: {source}")]
    Entry {
        /// The block's height.
        height: u64,
        /// Why.
        #[source]
        source: Box<Refusal>,
    },
    /// What is governed makes no rules.
    #[error(transparent)]
    Rules(Box<RulesError>),
    /// A summary has no deterministic encoding, or is too large to be sent.
    #[error("the summary: {0}")]
    Encoding(#[from] CborError),
    /// A summary's entries are not those under its header's root.
    #[error("the summary of block {height} holds other entries than the block")]
    OtherEntries {
        /// The header's height.
        height: u64,
    },
    /// A summary's header names something else as governed.
    #[error("the summary is of something else than its block {height} names")]
    OtherGoverned {
        /// The block's height.
        height: u64,
    },
    /// Too few of the validators known here voted for a summary.
    #[error("{votes} of the {known} validators known here voted for block {height} of the summary")]
    Strangers {
        /// The block's height.
        height: u64,
        /// Validators known here who voted for it.
        votes: usize,
        /// Validators known here.
        known: usize,
    },
}

impl From<RulesError> for FollowError {
    fn from(error: RulesError) -> Self {
        Self::Rules(Box::new(error))
    }
}

impl Summary {
    /// The deterministic encoding.
    ///
    /// # Errors
    /// Where there is none, or it is too large for an envelope.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        let bytes = cbor::to_vec(self)?;
        let (size, limit) = (bytes.len(), MAX_ENVELOPE_BYTES - 4_096);
        if size > limit {
            return Err(CborError::TooLarge { size, limit });
        }
        Ok(bytes)
    }
}

/// Follows a chain.
#[derive(Clone, Debug)]
pub struct Follower {
    /// The rules of the next block.
    rules: Arc<Rules>,
    /// The last block followed.
    height: u64,
    /// Rules before, the latest first.
    past: VecDeque<Arc<Rules>>,
}

impl Follower {
    /// Follows the ledger that starts from `genesis`.
    ///
    /// # Errors
    /// Where the genesis does not hold.
    pub fn new(genesis: &Genesis) -> Result<Self, RulesError> {
        Ok(Self { rules: Arc::new(Rules::new(genesis)?), height: 0, past: VecDeque::new() })
    }

    /// The rules of the next block, as far as the chain was followed.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The last block followed.
    pub fn height(&self) -> u64 {
        self.height
    }

    /// Everyone's keys by these rules.
    pub fn registry(&self) -> &Arc<Registry> {
        self.rules.verifier.registry()
    }

    /// The present verifier, and those of blocks made before the last changes.
    pub fn verifiers(&self) -> impl Iterator<Item = &Verifier> {
        [&self.rules].into_iter().chain(&self.past).map(|rules| &rules.verifier)
    }

    /// Checks that a block was decided.
    ///
    /// # Errors
    /// [`FollowError::Behind`] where it was made under unknown rules; or what is wrong with its votes.
    pub fn check(&self, decided: &DecidedBlock) -> Result<(), FollowError> {
        let header = &decided.block.header;
        let verifier = self.verifiers().find(|verifier| *verifier.governed() == header.governed);
        let verifier = verifier.ok_or(FollowError::Behind { height: header.height })?;
        Ok(verifier.verify(decided)?)
    }

    /// Goes on over a block that was checked, with its entries opened.
    ///
    /// # Errors
    /// Where it can't have been decided.
    pub fn advance(&mut self, header: &Header, entries: &[(PartyId, Entry)]) -> Result<(), FollowError> {
        let (height, at) = (header.height, header.at());
        if height <= self.height || header.governed != *self.rules.verifier.governed() {
            return Ok(());
        }
        let mut governed = self.rules.governed.clone();
        for (submitter, entry) in entries {
            let made = edit(&self.rules, &governed, at, submitter, entry);
            let made = made.map_err(|source| FollowError::Entry { height, source: Box::new(source) })?;
            if let Some(made) = made {
                Arc::make_mut(&mut governed).make(made);
            }
        }
        if governed.is_due(at) {
            Arc::make_mut(&mut governed).decide(self.rules.ground(), at);
        }
        self.height = height;
        let next = self.rules.after(&governed, header.time_ms)?;
        self.turn_to(next);
        Ok(())
    }

    /// Goes by a validator's word for what is governed, if it is later than what is known here: more than two thirds
    /// of its own validators voted under it, and of those known here more than a third, one of whom is honest and
    /// would not have.
    ///
    /// # Errors
    /// Names what does not hold.
    pub fn take_summary(&mut self, bytes: &[u8]) -> Result<bool, FollowError> {
        let summary: Summary = cbor::from_slice(bytes, MAX_ENVELOPE_BYTES)?;
        let Summary { header, certificate, governed, entries } = summary;
        let height = header.height;
        if height <= self.height {
            return Ok(false);
        }
        let mut ahead = self.clone();
        let news = header.governed != *self.rules.verifier.governed();
        if news {
            if governed.hash() != header.governed {
                return Err(FollowError::OtherGoverned { height });
            }
            let next = self.rules.after(&Arc::new(governed), header.time_ms)?;
            next.verifier.verify_votes(&header, &certificate)?;
            let known = self.rules.verifier.validators();
            let voters = certificate.signatures.iter().filter_map(|(index, _)| next.verifier.key_of(*index));
            let votes = voters.filter(|voter| known.iter().any(|(_, key)| key == *voter)).count();
            if !self.rules.verifier.has_honest(votes) {
                return Err(FollowError::Strangers { height, votes, known: known.len() });
            }
            ahead.height = height - 1;
            ahead.turn_to(next);
        }
        let Some(entries) = entries else {
            // Not here: if they changed what is governed once more, that is asked for again.
            *self = ahead;
            return Ok(news);
        };
        if entries_root(&entries) != header.entries_root {
            return Err(FollowError::OtherEntries { height });
        }
        ahead.rules.verifier.verify_votes(&header, &certificate)?;
        ahead.advance(&header, &entries.iter().filter_map(submitted).collect::<Vec<_>>())?;
        *self = ahead;
        Ok(true)
    }

    fn turn_to(&mut self, next: Arc<Rules>) {
        if Arc::ptr_eq(&self.rules, &next) {
            return;
        }
        let before = std::mem::replace(&mut self.rules, next);
        self.past.push_front(before);
        self.past.truncate(KEPT_RULES);
    }
}
