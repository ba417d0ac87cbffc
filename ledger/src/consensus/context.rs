//! Our types in malachite's words, and back. Nothing is decided here but who proposes when.

use super::message::{PolkaCertificate, RoundCertificate, RoundReason, RoundVote};
use super::{Timer, TimerKind};
use crate::block::vote::{Proposal, Signature, SignedProposal, SignedVote, ValidatorIndex, Vote, VoteKind};
use arc_malachitebft_core_types as malachite;
use malachite::{LinearTimeouts, NilOrVal, Round, SignedExtension, SignedMessage, VoteType, VotingPower};
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

/// Every validator, in order of address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Members(pub Arc<Vec<Member>>);

/// A vote in malachite's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CtxVote {
    kind: VoteType,
    height: Height,
    round: Round,
    value: NilOrVal<BlockHash>,
    address: Address,
}

/// A proposal in malachite's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CtxProposal {
    height: Height,
    round: Round,
    value: BlockHash,
    polka_round: Round,
    address: Address,
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

    fn select_proposer<'a>(&self, validators: &'a Members, height: Height, round: Round) -> &'a Member {
        let turn = height.0.wrapping_add(u64::from(round.as_u32().unwrap_or_default()));
        &validators.0[(turn % validators.0.len() as u64) as usize]
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
        self.0.len()
    }
    fn total_voting_power(&self) -> VotingPower {
        self.0.len() as u64
    }
    fn get_by_address(&self, address: &Address) -> Option<&Member> {
        self.0.get(usize::from(address.0))
    }
    fn get_by_index(&self, index: usize) -> Option<&Member> {
        self.0.get(index)
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

fn number(round: Round) -> u32 {
    round.as_u32().unwrap_or_default()
}

fn kind_out(kind: VoteType) -> VoteKind {
    match kind {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    }
}

fn kind_in(kind: VoteKind) -> VoteType {
    match kind {
        VoteKind::Prevote => VoteType::Prevote,
        VoteKind::Precommit => VoteType::Precommit,
    }
}

fn block_out(value: &NilOrVal<BlockHash>) -> Option<Hash32> {
    match value {
        NilOrVal::Nil => None,
        NilOrVal::Val(block) => Some(block.0),
    }
}

fn block_in(block: Option<Hash32>) -> NilOrVal<BlockHash> {
    block.map_or(NilOrVal::Nil, |hash| NilOrVal::Val(BlockHash(hash)))
}

pub fn round_in(round: Option<u32>) -> Round {
    round.map_or(Round::Nil, Round::Some)
}

impl CtxVote {
    pub fn out(&self) -> Vote {
        Vote {
            kind: kind_out(self.kind),
            height: self.height.0,
            round: number(self.round),
            block: block_out(&self.value),
            validator: self.address.0,
        }
    }
}

impl CtxProposal {
    pub fn out(&self) -> Proposal {
        Proposal {
            height: self.height.0,
            round: number(self.round),
            polka_round: self.polka_round.as_u32(),
            block: self.value.0,
            validator: self.address.0,
        }
    }
}

pub fn vote_out(signed: &malachite::SignedVote<Ctx>) -> SignedVote {
    SignedVote { vote: signed.message.out(), signature: signed.signature }
}

pub fn vote_in(signed: SignedVote) -> malachite::SignedVote<Ctx> {
    let Vote { kind, height, round, block, validator } = signed.vote;
    let message = CtxVote {
        kind: kind_in(kind),
        height: Height(height),
        round: Round::Some(round),
        value: block_in(block),
        address: Address(validator),
    };
    SignedMessage::new(message, signed.signature)
}

pub fn proposal_out(signed: &malachite::SignedProposal<Ctx>) -> SignedProposal {
    SignedProposal { proposal: signed.message.out(), signature: signed.signature }
}

pub fn proposal_in(signed: SignedProposal) -> malachite::SignedProposal<Ctx> {
    let Proposal { height, round, polka_round, block, validator } = signed.proposal;
    let message = CtxProposal {
        height: Height(height),
        round: Round::Some(round),
        value: BlockHash(block),
        polka_round: round_in(polka_round),
        address: Address(validator),
    };
    SignedMessage::new(message, signed.signature)
}

pub fn polka_out(certificate: &malachite::PolkaCertificate<Ctx>) -> PolkaCertificate {
    PolkaCertificate {
        height: certificate.height.0,
        round: number(certificate.round),
        block: certificate.value_id.0,
        signatures: certificate.polka_signatures.iter().map(|s| (s.address.0, s.signature)).collect(),
    }
}

pub fn polka_in(certificate: PolkaCertificate) -> malachite::PolkaCertificate<Ctx> {
    let signature = |(validator, signature)| malachite::PolkaSignature::new(Address(validator), signature);
    malachite::PolkaCertificate {
        height: Height(certificate.height),
        round: Round::Some(certificate.round),
        value_id: BlockHash(certificate.block),
        polka_signatures: certificate.signatures.into_iter().map(signature).collect(),
    }
}

pub fn round_out(certificate: &malachite::RoundCertificate<Ctx>) -> RoundCertificate {
    let vote = |s: &malachite::RoundSignature<Ctx>| RoundVote {
        kind: kind_out(s.vote_type),
        block: block_out(&s.value_id),
        validator: s.address.0,
        signature: s.signature,
    };
    RoundCertificate {
        height: certificate.height.0,
        round: number(certificate.round),
        reason: match certificate.cert_type {
            malachite::RoundCertificateType::Skip => RoundReason::Skip,
            malachite::RoundCertificateType::Precommit => RoundReason::Precommit,
        },
        votes: certificate.round_signatures.iter().map(vote).collect(),
    }
}

pub fn round_certificate_in(certificate: RoundCertificate) -> malachite::RoundCertificate<Ctx> {
    let signature = |vote: RoundVote| {
        let address = Address(vote.validator);
        malachite::RoundSignature::new(kind_in(vote.kind), block_in(vote.block), address, vote.signature)
    };
    malachite::RoundCertificate {
        height: Height(certificate.height),
        round: Round::Some(certificate.round),
        cert_type: match certificate.reason {
            RoundReason::Skip => malachite::RoundCertificateType::Skip,
            RoundReason::Precommit => malachite::RoundCertificateType::Precommit,
        },
        round_signatures: certificate.votes.into_iter().map(signature).collect(),
    }
}

/// A timer of ours; none for the one malachite has and we never start.
pub fn timer_out(timeout: malachite::Timeout) -> Option<Timer> {
    let kind = match timeout.kind {
        malachite::TimeoutKind::Propose => TimerKind::Propose,
        malachite::TimeoutKind::Prevote => TimerKind::Prevote,
        malachite::TimeoutKind::Precommit => TimerKind::Precommit,
        malachite::TimeoutKind::Rebroadcast => TimerKind::Rebroadcast,
        malachite::TimeoutKind::FinalizeHeight(_) => return None,
    };
    Some(Timer { kind, round: timeout.round.as_u32()? })
}

pub fn timer_in(timer: Timer) -> malachite::Timeout {
    let kind = match timer.kind {
        TimerKind::Propose => malachite::TimeoutKind::Propose,
        TimerKind::Prevote => malachite::TimeoutKind::Prevote,
        TimerKind::Precommit => malachite::TimeoutKind::Precommit,
        TimerKind::Rebroadcast => malachite::TimeoutKind::Rebroadcast,
    };
    malachite::Timeout::new(Round::Some(timer.round), kind)
}
