//! The certified head that a proof hangs from, and the changes of validators on the way to it. From the
//! genesis follow the first validators; a block that they certify names the next ones; and so on to the head.

use crate::block::verifier::{verify_votes, BlockError};
use crate::block::vote::{precommit_purpose, Signature, ValidatorIndex, VoteCertificate};
use crate::block::{Header, HISTORY_ROOT};
use crate::genesis::Genesis;
use crate::governed::roster::Roster;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use thiserror::Error;
use wire::hash::Hash32;
use wire::party::{PartyId, Role};
use wire::receipt::{Consistency, Inclusion, Receipt, ReceiptError};

/// Most changes of validators one proof carries.
const MAX_CHANGES: usize = 256;
/// Most validators that a proof's heads may name.
const MAX_VALIDATORS: usize = 256;

/// A block's header with the receipts by which its validators made it final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertifiedHead {
    /// The header.
    pub header: Header,
    /// Round in which the block was decided.
    pub round: u32,
    /// Of each validator that voted for it, in their order, a COSE Receipt that the header's `history_root`
    /// lies under the hash it signed.
    pub receipts: Vec<ByteBuf>,
}

/// A block after which other validators decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterChange {
    /// The last block that the former validators decided on.
    pub head: CertifiedHead,
    /// Who decides on the next.
    pub next: Roster,
}

/// The way from the genesis to one certified head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainProof {
    /// Identity of the ledger: the genesis's hash.
    pub ledger: Hash32,
    /// Changes of validators up to the head, in order of height.
    pub changes: Vec<RosterChange>,
    /// The head.
    pub head: CertifiedHead,
    /// That the history under an older head, whose height is one more than this proof's old size, is the
    /// beginning of the history under this one; where that was asked for.
    pub earlier: Option<Consistency>,
}

/// Why a head is not certified.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChainError {
    /// It is of another ledger.
    #[error("it is of another ledger: {ledger}")]
    OtherLedger {
        /// Which one it is of.
        ledger: Hash32,
    },
    /// The genesis has no identity.
    #[error("the genesis: {reason}")]
    Genesis {
        /// What is wrong with it.
        reason: String,
    },
    /// More changes or validators than a proof may carry.
    #[error("it carries more changes of validators, or more validators, than a proof may")]
    TooMuch,
    /// Changes of validators out of order, or after the head.
    #[error("block {height}: changes of validators are out of order")]
    Order {
        /// The block's height.
        height: u64,
    },
    /// A block that names other validators after it than those stated.
    #[error("block {height}: the validators after it are not those stated")]
    Roster {
        /// The block's height.
        height: u64,
    },
    /// A receipt is none.
    #[error("block {height}: {source}")]
    Receipt {
        /// The block's height.
        height: u64,
        /// What is wrong with it.
        #[source]
        source: ReceiptError,
    },
    /// A receipt by no validator, or of something else.
    #[error("block {height}: the receipt of {kid:?} is by no validator, or not of its history root")]
    ReceiptOf {
        /// The block's height.
        height: u64,
        /// Who it says signed it.
        kid: String,
    },
    /// The votes do not make it final.
    #[error(transparent)]
    Votes(#[from] BlockError),
}

impl CertifiedHead {
    /// A decided block's header with its votes as receipts. None where a vote is by no validator in
    /// `roster`, or has no encoding.
    pub fn of(
        ledger: &Hash32,
        roster: &Roster,
        header: &Header,
        certificate: &VoteCertificate,
    ) -> Option<Self> {
        let VoteCertificate { round, signatures } = certificate;
        let purpose = precommit_purpose(ledger, header.height, *round);
        let inclusion = Inclusion::of(&header.leaves(), HISTORY_ROOT)?;
        let receipt = |(validator, signature): &(ValidatorIndex, Signature)| {
            let (id, _) = roster.0.get(usize::from(*validator))?;
            let kid = PartyId::new(Role::Validator, id.clone()).to_string();
            let receipt = Receipt { kid, inclusion: inclusion.clone(), signature: signature.0 };
            Some(ByteBuf::from(receipt.encode(&purpose).ok()?))
        };
        let receipts = signatures.iter().map(receipt).collect::<Option<_>>()?;
        Some(Self { header: header.clone(), round: *round, receipts })
    }

    /// Checks that more than two thirds of `roster` voted for it. Gives how many did.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn verify(&self, ledger: &Hash32, roster: &Roster) -> Result<usize, ChainError> {
        let Self { header, round, receipts } = self;
        let height = header.height;
        if receipts.len() > roster.0.len() {
            return Err(ChainError::TooMuch);
        }
        let purpose = precommit_purpose(ledger, height, *round);
        let (leaf, hash) = (header.leaves()[HISTORY_ROOT], header.hash());
        let mut signatures = Vec::with_capacity(receipts.len());
        for bytes in receipts {
            let receipt = Receipt::decode(bytes, &purpose);
            let receipt = receipt.map_err(|source| ChainError::Receipt { height, source })?;
            let named = |id: &_| PartyId::new(Role::Validator, Clone::clone(id)).to_string() == receipt.kid;
            let place = roster.0.iter().position(|(id, _)| named(id));
            let place = place.filter(|_| receipt.inclusion.holds(&leaf, &hash));
            let place = place.and_then(|place| ValidatorIndex::try_from(place).ok());
            let place = place.ok_or_else(|| ChainError::ReceiptOf { height, kid: receipt.kid.clone() })?;
            signatures.push((place, Signature(receipt.signature)));
        }
        let votes = signatures.len();
        verify_votes(ledger, &roster.0, header, &VoteCertificate { round: *round, signatures })?;
        Ok(votes)
    }
}

impl ChainProof {
    /// Checks the way from the genesis to the head. Gives how many validators voted for the head, and the
    /// validators there were.
    ///
    /// # Errors
    /// Names the first thing that does not hold.
    pub fn verify(&self, genesis: &Genesis) -> Result<(usize, Roster), ChainError> {
        let ledger = genesis.id().map_err(|error| ChainError::Genesis { reason: error.to_string() })?;
        if self.ledger != ledger {
            return Err(ChainError::OtherLedger { ledger: self.ledger });
        }
        if self.changes.len() > MAX_CHANGES {
            return Err(ChainError::TooMuch);
        }
        let mut roster = Roster::genesis(genesis);
        let mut below = 0;
        for change in &self.changes {
            let header = &change.head.header;
            let height = header.height;
            if height <= below || height >= self.head.header.height {
                return Err(ChainError::Order { height });
            }
            if change.next.0.len() > MAX_VALIDATORS {
                return Err(ChainError::TooMuch);
            }
            change.head.verify(&ledger, &roster)?;
            if header.next_validators != change.next.hash() {
                return Err(ChainError::Roster { height });
            }
            (roster, below) = (change.next.clone(), height);
        }
        let votes = self.head.verify(&ledger, &roster)?;
        Ok((votes, roster))
    }
}
