//! Parts broken by intent, each by something put around the real part and never inside it: a
//! simulation that does not see them proves nothing.

use super::lockless::Lockless;
use crate::block::vote::{ValidatorIndex, Vote, VoteCertificate, VoteKind};
use crate::block::{DecidedBlock, Header};
use crate::consensus::core::Tendermint;
use crate::consensus::Agreement;
use serde::Serialize;
use std::sync::Arc;
use wire::envelope::Signer;
use wire::hash::Hash32;

/// A part broken by intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bug {
    /// What a validator says is published before its write-ahead log is synced.
    LogNotSynced,
    /// A validator forgets with every round which block it locked on.
    LockDropped,
    /// Two of four votes are taken for enough.
    QuorumOffByOne,
    /// A decided block is believed whatever its certificate.
    CertificateUnchecked,
}

impl Bug {
    /// Agreement as a validator with this bug runs it.
    pub(super) fn agreement(bug: Option<Bug>, signer: Arc<Signer>) -> Box<dyn Agreement + Send> {
        match bug {
            Some(Bug::LockDropped) => Box::new(Lockless::new(signer)),
            Some(Bug::QuorumOffByOne) => Box::new(Tendermint::with_quorum(signer, 1, 3)),
            _ => Box::new(Tendermint::new(signer)),
        }
    }
}

/// The vote that makes a block final in the first round.
pub(super) fn precommit(header: &Header, validator: ValidatorIndex) -> Vote {
    let (height, block) = (header.height, Some(header.hash()));
    Vote { kind: VoteKind::Precommit, height, round: 0, block, validator }
}

/// The decided block in these bytes with every signature made good: to whoever checks it, its
/// certificate is now what somebody who does not check takes it for. With it, the certificate it had.
pub(super) fn vouch(
    bytes: &[u8],
    ledger: &Hash32,
    signers: &[Arc<Signer>],
) -> Option<(Vec<u8>, (Hash32, VoteCertificate))> {
    let mut decided = DecidedBlock::decode(bytes).ok()?;
    let header = decided.block.header.clone();
    let sign = |(validator, signer): (u16, &Arc<Signer>)| {
        (validator, precommit(&header, validator).sign(ledger, &signer.key()))
    };
    let signatures = (0..).zip(signers).map(sign).collect();
    let good = VoteCertificate { round: 0, signatures };
    let had = std::mem::replace(&mut decided.certificate, good);
    Some((decided.encode().ok()?, (header.hash(), had)))
}
