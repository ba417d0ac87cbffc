//! The types malachite works with. Nothing is decided here but who proposes when.

use crate::block::vote::{Signature, ValidatorIndex};
use arc_malachitebft_core_types as malachite;
use malachite::{LinearTimeouts, NilOrVal, Round, SignedExtension, VoteType, VotingPower};
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use wire::hash::Hash32;

/// The types malachite works with.
#[derive(Clone, Debug)]
pub struct Ctx;

/// A validator's address: its place in the order of validators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address(pub ValidatorIndex);

/// A height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(pub u64);

/// What is agreed on: a block, by its hash. Its bytes are the validator's affair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockHash(pub Hash32);

/// One validator, all having the same weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its address.
    pub address: Address,
    /// Its key.
    pub key: Hash32,
}

/// The validators of one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members {
    /// In order of address.
    pub members: Arc<Vec<Member>>,
    /// Places in that order: who proposes, round after round. Neither is empty.
    pub turns: Arc<Vec<ValidatorIndex>>,
}

/// A vote in malachite's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CtxVote {
    pub(super) kind: VoteType,
    pub(super) height: Height,
    pub(super) round: Round,
    pub(super) value: NilOrVal<BlockHash>,
    pub(super) address: Address,
}

/// A proposal in malachite's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CtxProposal {
    pub(super) height: Height,
    pub(super) round: Round,
    pub(super) value: BlockHash,
    pub(super) polka_round: Round,
    pub(super) address: Address,
}

/// Blocks travel whole: there are no parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoPart {}

/// Ed25519 by the envelope's rules; malachite neither signs nor decodes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ed25519;

impl malachite::Context for Ctx {
    type Address = Address;
    type Height = Height;
    type ProposalPart = NoPart;
    type Proposal = CtxProposal;
    type Validator = Member;
    type ValidatorSet = Members;
    type Timeouts = LinearTimeouts;
    type Value = BlockHash;
    type Vote = CtxVote;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, validators: &'a Members, _: Height, round: Round) -> &'a Member {
        // Whose turn it is at this height was settled when it began.
        let turn = round.as_u32().unwrap_or_default() as usize % validators.turns.len();
        &validators.members[usize::from(validators.turns[turn])]
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: BlockHash,
        polka_round: Round,
        address: Address,
    ) -> CtxProposal {
        CtxProposal { height, round, value, polka_round, address }
    }

    fn new_prevote(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockHash>,
        address: Address,
    ) -> CtxVote {
        CtxVote { kind: VoteType::Prevote, height, round, value, address }
    }

    fn new_precommit(
        &self,
        height: Height,
        round: Round,
        value: NilOrVal<BlockHash>,
        address: Address,
    ) -> CtxVote {
        CtxVote { kind: VoteType::Precommit, height, round, value, address }
    }
}

impl malachite::Address for Address {}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "validator {}", self.0)
    }
}

impl malachite::Height for Height {
    const ZERO: Self = Height(0);
    const INITIAL: Self = Height(1);
    fn increment_by(&self, n: u64) -> Self {
        Height(self.0.saturating_add(n))
    }
    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Height)
    }
    fn as_u64(&self) -> u64 {
        self.0
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl malachite::Value for BlockHash {
    type Id = BlockHash;
    fn id(&self) -> BlockHash {
        *self
    }
}

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.short())
    }
}

impl malachite::Validator<Ctx> for Member {
    fn address(&self) -> &Address {
        &self.address
    }
    fn public_key(&self) -> &Hash32 {
        &self.key
    }
    fn voting_power(&self) -> VotingPower {
        1
    }
}

impl malachite::ValidatorSet<Ctx> for Members {
    fn count(&self) -> usize {
        self.members.len()
    }
    fn total_voting_power(&self) -> VotingPower {
        self.members.len() as u64
    }
    fn get_by_address(&self, address: &Address) -> Option<&Member> {
        self.members.get(usize::from(address.0))
    }
    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.members.get(index)
    }
}

impl malachite::Vote<Ctx> for CtxVote {
    fn height(&self) -> Height {
        self.height
    }
    fn round(&self) -> Round {
        self.round
    }
    fn value(&self) -> &NilOrVal<BlockHash> {
        &self.value
    }
    fn take_value(self) -> NilOrVal<BlockHash> {
        self.value
    }
    fn vote_type(&self) -> VoteType {
        self.kind
    }
    fn validator_address(&self) -> &Address {
        &self.address
    }
    fn extension(&self) -> Option<&SignedExtension<Ctx>> {
        None
    }
    fn take_extension(&mut self) -> Option<SignedExtension<Ctx>> {
        None
    }
    fn extend(self, _: SignedExtension<Ctx>) -> Self {
        self
    }
}

impl malachite::Proposal<Ctx> for CtxProposal {
    fn height(&self) -> Height {
        self.height
    }
    fn round(&self) -> Round {
        self.round
    }
    fn value(&self) -> &BlockHash {
        &self.value
    }
    fn take_value(self) -> BlockHash {
        self.value
    }
    fn pol_round(&self) -> Round {
        self.polka_round
    }
    fn validator_address(&self) -> &Address {
        &self.address
    }
}

impl malachite::ProposalPart<Ctx> for NoPart {
    fn is_first(&self) -> bool {
        match *self {}
    }
    fn is_last(&self) -> bool {
        match *self {}
    }
}

impl malachite::SigningScheme for Ed25519 {
    type DecodingError = String;
    type Signature = Signature;
    type PublicKey = Hash32;
    type PrivateKey = Infallible;

    fn decode_signature(bytes: &[u8]) -> Result<Signature, String> {
        let bytes = bytes.try_into().map_err(|_| format!("a signature of {} bytes", bytes.len()))?;
        Ok(Signature(bytes))
    }
    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }
    fn decode_public_key(bytes: &[u8]) -> Result<Hash32, String> {
        bytes.try_into().map(Hash32).map_err(|_| format!("a key of {} bytes", bytes.len()))
    }
    fn encode_public_key(key: &Hash32) -> Vec<u8> {
        key.0.to_vec()
    }
}
