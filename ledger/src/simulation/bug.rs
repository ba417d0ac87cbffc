//! Parts broken by intent, each by something put around the real part and never inside it: a
//! simulation that does not see them proves nothing.

use super::hasty::{Hasty, Plans};
use super::lockless::Lockless;
use crate::block::vote::{ValidatorIndex, Vote, VoteCertificate, VoteKind};
use crate::block::{DecidedBlock, Header};
use crate::consensus::core::Tendermint;
use crate::consensus::message::ConsensusMessage;
use crate::consensus::Agreement;
use crate::snapshot::Manifest;
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
    /// A snapshot is believed whatever its certificate.
    SnapshotUnchecked,
    /// A snapshot gets its name before its content is synced.
    SnapshotNotSynced,
    /// A new set of validators takes effect a height early.
    SetTooEarly,
}

impl Bug {
    /// Whether the first validator alone has it; otherwise all do.
    pub(super) fn is_of_one(self) -> bool {
        matches!(self, Bug::CertificateUnchecked | Bug::SnapshotUnchecked | Bug::SetTooEarly)
    }

    /// Agreement as a validator with this bug runs it; `plans` are the sets of validators proposed.
    pub(super) fn agreement(
        bug: Option<Bug>,
        signer: Arc<Signer>,
        plans: &Plans,
    ) -> Box<dyn Agreement + Send> {
        match bug {
            Some(Bug::SetTooEarly) => Box::new(Hasty::new(signer, plans.clone())),
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

/// A header's hash, and the certificate that came with it.
pub(super) type Unchecked = (Hash32, VoteCertificate);

/// A certificate for a header, with a good vote of every one of these validators.
pub(super) fn good(header: &Header, ledger: &Hash32, signers: &[Arc<Signer>]) -> VoteCertificate {
    let sign = |(validator, signer): (u16, &Arc<Signer>)| {
        (validator, precommit(header, validator).sign(ledger, &signer.key()))
    };
    VoteCertificate { round: 0, signatures: (0..).zip(signers).map(sign).collect() }
}

/// The decided block in these bytes with every signature made good: to whoever checks it, its
/// certificate is now what somebody who does not check takes it for. With it, the certificate it had.
pub(super) fn vouch(bytes: &[u8], ledger: &Hash32, signers: &[Arc<Signer>]) -> Option<(Vec<u8>, Unchecked)> {
    let mut decided = DecidedBlock::decode(bytes).ok()?;
    let header = &decided.block.header;
    let (hash, good) = (header.hash(), good(header, ledger, signers));
    let had = std::mem::replace(&mut decided.certificate, good);
    Some((decided.encode().ok()?, (hash, had)))
}

/// The same with a consensus message, where that is a snapshot's manifest.
pub(super) fn vouch_manifest(
    bytes: &[u8],
    ledger: &Hash32,
    signers: &[Arc<Signer>],
) -> Option<(Vec<u8>, Unchecked)> {
    let ConsensusMessage::Manifest(manifest) = ConsensusMessage::decode(bytes).ok()? else { return None };
    let mut manifest = Manifest::decode(&manifest).ok()?;
    let (hash, good) = (manifest.header.hash(), good(&manifest.header, ledger, signers));
    let had = std::mem::replace(&mut manifest.certificate, good);
    let vouched = ConsensusMessage::Manifest(manifest.encode().ok()?.into());
    Some((vouched.encode().ok()?, (hash, had)))
}
