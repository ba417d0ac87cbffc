//! Votes: the fixed bytes that validators sign, and the certificate that enough of them make.
//!
//! What is signed is never a re-serialisation: every field stands at a fixed place, after the
//! ledger's identity, so that a vote counts for one ledger, height, round and block alone.

use serde::{Deserialize, Serialize};
use wire::envelope::{verify_bytes, HeldKey};
use wire::hash::Hash32;
use wire::receipt::{verify_root, Purpose};

pub use wire::signature::Signature;

/// Domain under which votes are signed.
const VOTE_DOMAIN: &str = "gridpact vote";
/// Domain under which proposals are signed.
const PROPOSAL_DOMAIN: &str = "gridpact proposal";

/// A validator's place among the validators in order of identifier, from 0.
pub type ValidatorIndex = u16;

/// The two votes of a round (Buchman, Kwon, Milosevic 2018, "The latest gossip on BFT consensus").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoteKind {
    /// The block proposed is acceptable.
    Prevote,
    /// Two thirds found it acceptable: final if two thirds say this.
    Precommit,
}

/// One validator's vote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    /// Which of the two.
    pub kind: VoteKind,
    /// Height voted on.
    pub height: u64,
    /// Round at that height.
    pub round: u32,
    /// Hash of the block, or none: no block in this round.
    pub block: Option<Hash32>,
    /// Who votes.
    pub validator: ValidatorIndex,
}

/// A vote with its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedVote {
    /// The vote.
    pub vote: Vote,
    /// Over its fixed bytes.
    pub signature: Signature,
}

/// A proposer's proposal of a block for a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Height proposed for.
    pub height: u64,
    /// Round at that height.
    pub round: u32,
    /// Earlier round in which two thirds prevoted the same block, where there was one.
    pub polka_round: Option<u32>,
    /// Hash of the block.
    pub block: Hash32,
    /// Who proposes.
    pub validator: ValidatorIndex,
}

/// A proposal with its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedProposal {
    /// The proposal.
    pub proposal: Proposal,
    /// Over its fixed bytes.
    pub signature: Signature,
}

/// More than two thirds of the validators' precommits for one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoteCertificate {
    /// Round in which the block was decided.
    pub round: u32,
    /// Signatures over the precommit, in strictly increasing order of validator.
    pub signatures: Vec<(ValidatorIndex, Signature)>,
}

/// What a precommit for a block of one ledger, height and round is signed as: a COSE Receipt's
/// signature over the block's hash, which is the root of its header's tree. So the votes that make a
/// block final are receipts that any COSE library verifies. Ledger (32 bytes), height (8), round (4).
pub fn precommit_purpose(ledger: &Hash32, height: u64, round: u32) -> Purpose {
    let mut context = ledger.0.to_vec();
    context.extend(height.to_be_bytes());
    context.extend(round.to_be_bytes());
    Purpose { name: "gridpact precommit", context }
}

impl Vote {
    /// The block, where this is a precommit for one.
    fn commits_to(&self) -> Option<&Hash32> {
        self.block.as_ref().filter(|_| self.kind == VoteKind::Precommit)
    }

    /// Every other vote. Ledger (32 bytes), kind (1), height (8), round (4), block or not (1), block (32).
    fn signed_bytes(&self, ledger: &Hash32) -> Vec<u8> {
        let mut bytes = ledger.0.to_vec();
        bytes.push(match self.kind {
            VoteKind::Prevote => 1,
            VoteKind::Precommit => 2,
        });
        bytes.extend(self.height.to_be_bytes());
        bytes.extend(self.round.to_be_bytes());
        bytes.push(self.block.is_some().into());
        bytes.extend(self.block.unwrap_or_default().0);
        bytes
    }

    /// Signs the vote for the ledger with this identity.
    pub fn sign(&self, ledger: &Hash32, key: &HeldKey) -> Signature {
        Signature(match self.commits_to() {
            Some(block) => key.sign_root(&precommit_purpose(ledger, self.height, self.round), block),
            None => key.sign_bytes(VOTE_DOMAIN, &self.signed_bytes(ledger)),
        })
    }

    /// Whether `signature` is by `key` over this vote on the ledger with this identity.
    pub fn verify(&self, ledger: &Hash32, key: &Hash32, signature: &Signature) -> bool {
        match self.commits_to() {
            Some(block) => {
                let purpose = precommit_purpose(ledger, self.height, self.round);
                verify_root(key, &purpose, block, &signature.0)
            }
            None => verify_bytes(key, VOTE_DOMAIN, &self.signed_bytes(ledger), &signature.0),
        }
    }
}

impl VoteCertificate {
    /// Hash over round and signatures, each at its fixed place: what the next block's header names.
    pub fn hash(&self) -> Hash32 {
        let mut bytes = self.round.to_be_bytes().to_vec();
        for (validator, signature) in &self.signatures {
            bytes.extend(validator.to_be_bytes());
            bytes.extend(signature.0);
        }
        Hash32::of("gridpact votes", &[&bytes])
    }

    /// Whether this very signature stands in it.
    pub fn holds(&self, validator: ValidatorIndex, signature: &Signature) -> bool {
        let found = self.signatures.binary_search_by_key(&validator, |(voter, _)| *voter);
        found.is_ok_and(|place| self.signatures[place].1 == *signature)
    }
}

impl Proposal {
    /// Ledger (32 bytes), height (8), round (4), polka round plus one or zero (8), block (32).
    fn signed_bytes(&self, ledger: &Hash32) -> Vec<u8> {
        let mut bytes = ledger.0.to_vec();
        bytes.extend(self.height.to_be_bytes());
        bytes.extend(self.round.to_be_bytes());
        bytes.extend(self.polka_round.map_or(0, |round| u64::from(round) + 1).to_be_bytes());
        bytes.extend(self.block.0);
        bytes
    }

    /// Signs the proposal for the ledger with this identity.
    pub fn sign(&self, ledger: &Hash32, key: &HeldKey) -> Signature {
        Signature(key.sign_bytes(PROPOSAL_DOMAIN, &self.signed_bytes(ledger)))
    }

    /// Whether `signature` is by `key` over this proposal on the ledger with this identity.
    pub fn verify(&self, ledger: &Hash32, key: &Hash32, signature: &Signature) -> bool {
        verify_bytes(key, PROPOSAL_DOMAIN, &self.signed_bytes(ledger), &signature.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use wire::receipt::signed_bytes;

    /// What is signed, with what it can't be confused with.
    fn signed(vote: &Vote, ledger: &Hash32) -> (&'static str, Vec<u8>) {
        match vote.commits_to() {
            Some(block) => ("root", signed_bytes(&precommit_purpose(ledger, vote.height, vote.round), block)),
            None => ("bytes", vote.signed_bytes(ledger)),
        }
    }

    #[test]
    fn no_two_votes_sign_the_same_bytes() {
        let ledger = Hash32([7; 32]);
        let mut seen = BTreeSet::new();
        for kind in [VoteKind::Prevote, VoteKind::Precommit] {
            for height in [0, 1, u64::MAX] {
                for round in [0, 1, u32::MAX] {
                    for block in [None, Some(Hash32([0; 32])), Some(Hash32([1; 32]))] {
                        let vote = Vote { kind, height, round, block, validator: 0 };
                        assert!(seen.insert(signed(&vote, &ledger)), "{vote:?}");
                        assert!(seen.insert(signed(&vote, &Hash32([8; 32]))), "{vote:?}");
                    }
                }
            }
        }
        let lengths: BTreeSet<_> = seen.iter().map(|(how, bytes)| (*how, bytes.len())).collect();
        assert_eq!(lengths.len(), 2, "fixed places: {lengths:?}");
    }
}
