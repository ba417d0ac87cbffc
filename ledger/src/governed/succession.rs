//! Who decided on blocks, from the genesis on: the steps on which whoever holds the genesis comes to believe today's
//! validators. Each step is a block after which others decide, with the votes for it, so it proves itself to who
//! believes in those before; where it was kept is worth nothing.

use super::roster::Roster;
use crate::block::verifier::verify_votes;
use crate::block::vote::VoteCertificate;
use crate::block::Header;
use serde::{Deserialize, Serialize};
use wire::cbor::{self, CborError};
use wire::hash::Hash32;

/// Largest encoding of a lineage that is taken, in bytes.
pub const MAX_LINEAGE_BYTES: usize = 8 << 20;

/// A block after which other validators decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Succession {
    /// The block's header, which names those who decide next.
    pub header: Header,
    /// The votes for it.
    pub certificate: VoteCertificate,
    /// Who decided on it.
    pub decided: Roster,
    /// Who decides on the next.
    pub next: Roster,
}

/// All steps there were, in order of height, as far as they are known: each follows on the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lineage(pub Vec<Succession>);

impl Succession {
    /// Whether those who decided on the block voted for it, and it names those who decide next.
    fn holds(&self, ledger: &Hash32) -> bool {
        let Self { header, certificate, decided, next } = self;
        header.next_validators == next.hash() && verify_votes(ledger, &decided.0, header, certificate).is_ok()
    }
}

impl Lineage {
    /// The encoding; of no steps, no bytes. One that is too long to be taken is left out: then no proof leads over
    /// what is gone.
    ///
    /// # Errors
    /// Where there is none.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = cbor::to_vec(self)?;
        Ok(if bytes.len() > MAX_LINEAGE_BYTES { Vec::new() } else { bytes })
    }

    /// The steps from bytes of unknown origin; none where these are none. Says nothing about whether they hold.
    pub fn decode(bytes: &[u8]) -> Self {
        match bytes {
            [] => Self::default(),
            _ => cbor::from_slice(bytes, MAX_LINEAGE_BYTES).unwrap_or_default(),
        }
    }

    /// Who decided on the block at a height, where those in `now` decide on the next block.
    pub fn at<'a>(&'a self, height: u64, now: &'a Roster) -> &'a Roster {
        let later = self.0.iter().find(|step| step.header.height >= height);
        later.map_or(now, |step| &step.decided)
    }

    /// The steps, if each holds, follows on the one before and the last leads to those who decide on the block at
    /// `height`; none otherwise.
    pub fn leading_to(self, ledger: &Hash32, now: &Roster, height: u64) -> Self {
        let after = self.0.iter().skip(1).map(|step| (&step.decided, step.header.height));
        let follow = after.chain([(now, height)]);
        let chained = self.0.iter().zip(follow).all(|(step, (decided, height))| {
            step.next == *decided && step.header.height < height && step.holds(ledger)
        });
        if chained {
            self
        } else {
            Self::default()
        }
    }
}
