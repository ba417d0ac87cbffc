//! Telling those who keep no state what is governed: the last block with the votes for it, and what was governed
//! when it was made.

use super::{Effect, Now, ValidatorCore};
use crate::block::DecidedBlock;
use crate::follower::Summary;
use crate::governed::Governed;
use std::sync::Arc;
use wire::hash::Hash32;
use wire::party::PartyId;

impl ValidatorCore {
    /// Remembers the last block for those who ask. What was governed when it was made is known, but after a start
    /// with a block that changed it.
    pub fn remember(&mut self, decided: &DecidedBlock, governed: &Arc<Governed>) {
        let header = decided.block.header.clone();
        if governed.hash() == header.governed {
            let (certificate, governed) = (decided.certificate.clone(), Governed::clone(governed));
            self.summary = Some(Arc::new(Summary { header, certificate, governed }));
        }
    }

    pub(super) fn asked(&mut self, now: Now, by: PartyId, known: &Hash32) {
        let Some(summary) = self.summary.clone() else { return };
        if summary.header.governed == *known || !self.catch_up.may_answer(now.real_ms) {
            return;
        }
        match summary.encode() {
            Ok(bytes) => self.effects.push(Effect::Summarise { to: by, bytes }),
            Err(error) => self.note("unencodable", error.to_string()),
        }
    }
}
