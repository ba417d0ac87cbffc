//! Checks of the certificates that travel during agreement: each vote once, by a validator, rightly
//! signed, and enough of them.

use super::context::{Address, Ctx};
use super::message::{PolkaCertificate, RoundCertificate, RoundReason};
use crate::block::verifier::Verifier;
use crate::block::vote::{Signature, Vote, VoteKind};
use arc_malachitebft_core_types::{CertificateError, CommitSignature};
use std::collections::BTreeSet;

/// Two thirds of prevotes, as claimed?
pub fn check_polka(verifier: &Verifier, certificate: &PolkaCertificate) -> Result<(), CertificateError<Ctx>> {
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
    check_votes(verifier, votes, Verifier::is_quorum)
}

/// Enough votes for a later round to begin, as claimed?
pub fn check_round(verifier: &Verifier, certificate: &RoundCertificate) -> Result<(), CertificateError<Ctx>> {
    let enough = match certificate.reason {
        RoundReason::Skip => Verifier::has_honest,
        RoundReason::Precommit => Verifier::is_quorum,
    };
    let prevote = certificate.votes.iter().find(|vote| vote.kind == VoteKind::Prevote);
    if let (RoundReason::Precommit, Some(vote)) = (certificate.reason, prevote) {
        return Err(CertificateError::InvalidVoteType(Address(vote.validator)));
    }
    check_votes(verifier, certificate.votes().map(|signed| (signed.vote, signed.signature)), enough)
}

/// Checks votes one by one, then their number.
pub fn check_votes(
    verifier: &Verifier,
    votes: impl Iterator<Item = (Vote, Signature)>,
    enough: fn(&Verifier, usize) -> bool,
) -> Result<(), CertificateError<Ctx>> {
    let mut voters = BTreeSet::new();
    for (vote, signature) in votes {
        let address = Address(vote.validator);
        if !voters.insert(vote.validator) {
            return Err(CertificateError::DuplicateVote(address));
        }
        let key = verifier.key_of(vote.validator).ok_or(CertificateError::UnknownValidator(address))?;
        if !vote.verify(verifier.ledger(), key, &signature) {
            let signature = CommitSignature::new(address, signature);
            return Err(CertificateError::InvalidCommitSignature(signature));
        }
    }
    if enough(verifier, voters.len()) {
        return Ok(());
    }
    let total = verifier.validators().len() as u64;
    let signed = voters.len() as u64;
    Err(CertificateError::NotEnoughVotingPower { signed, total, expected: total * 2 / 3 + 1 })
}
