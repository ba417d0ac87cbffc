//! Our types in malachite's words, and back.

use super::context::{Address, BlockHash, Ctx, CtxProposal, CtxVote, Height};
use super::message::{PolkaCertificate, RoundCertificate, RoundReason, RoundVote};
use super::{Timer, TimerKind};
use crate::block::vote::{Proposal, SignedProposal, SignedVote, Vote, VoteKind};
use arc_malachitebft_core_types as malachite;
use malachite::{NilOrVal, Round, SignedMessage, VoteType};
use wire::hash::Hash32;

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
