//! Checks of the certificates that travel during agreement: each vote once, by a validator, rightly
//! signed, and enough of them.

use super::committee::Committee;
use super::context::{Address, Ctx};
use super::message::{PolkaCertificate, RoundCertificate, RoundReason};
use crate::block::vote::{Signature, Vote, VoteKind};
use arc_malachitebft_core_types::{CertificateError, CommitSignature, ThresholdParam, ThresholdParams};
use std::collections::BTreeSet;

/// Two thirds of prevotes, as claimed?
pub fn check_polka(
    committee: &Committee,
    thresholds: ThresholdParams,
    certificate: &PolkaCertificate,
) -> Result<(), CertificateError<Ctx>> {
    let PolkaCertificate { height, round, block, signatures } = certificate;
    let votes = signatures.iter().map(|(validator, signature)| {
        let vote = Vote {
            kind: VoteKind::Prevote,
            height: *height,
            round: *round,
            block: Some(*block),
            validator: *validator,
        };
        (vote, *signature)
    });
    check_votes(committee, thresholds.quorum, votes)
}

/// Enough votes for a later round to begin, as claimed?
pub fn check_round(
    committee: &Committee,
    thresholds: ThresholdParams,
    certificate: &RoundCertificate,
) -> Result<(), CertificateError<Ctx>> {
    let enough = match certificate.reason {
        RoundReason::Skip => thresholds.honest,
        RoundReason::Precommit => thresholds.quorum,
    };
    let prevote = certificate.votes.iter().find(|vote| vote.kind == VoteKind::Prevote);
    if let (RoundReason::Precommit, Some(vote)) = (certificate.reason, prevote) {
        return Err(CertificateError::InvalidVoteType(Address(vote.validator)));
    }
    check_votes(committee, enough, certificate.votes().map(|signed| (signed.vote, signed.signature)))
}

/// Checks votes one by one, then their number.
pub fn check_votes(
    committee: &Committee,
    enough: ThresholdParam,
    votes: impl Iterator<Item = (Vote, Signature)>,
) -> Result<(), CertificateError<Ctx>> {
    let mut voters = BTreeSet::new();
    for (vote, signature) in votes {
        let address = Address(vote.validator);
        if !voters.insert(vote.validator) {
            return Err(CertificateError::DuplicateVote(address));
        }
        let key =
            committee.validators.key_of(vote.validator).ok_or(CertificateError::UnknownValidator(address))?;
        if !vote.verify(&committee.ledger, key, &signature) {
            let signature = CommitSignature::new(address, signature);
            return Err(CertificateError::InvalidCommitSignature(signature));
        }
    }
    let total = committee.validators.members().len() as u64;
    let signed = voters.len() as u64;
    if enough.is_met(signed, total) {
        return Ok(());
    }
    Err(CertificateError::NotEnoughVotingPower { signed, total, expected: enough.min_expected(total) })
}
