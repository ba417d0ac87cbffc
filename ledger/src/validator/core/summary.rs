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
    /// Remembers the last block for those who ask, and its entries where they `changed` what was governed when it
    /// was made. What that was is known, but after a start with such a block.
    pub fn remember(&mut self, decided: &DecidedBlock, governed: &Arc<Governed>, changed: bool) {
        let header = decided.block.header.clone();
        if governed.hash() != header.governed {
            return;
        }
        let (certificate, governed) = (decided.certificate.clone(), Governed::clone(governed));
        let entries = changed.then(|| decided.block.entries.clone());
        self.summary = Some(Arc::new(Summary { header, certificate, governed, entries }));
    }

    pub(super) fn asked(&mut self, now: Now, by: PartyId, known: &Hash32) {
        let Some(summary) = self.summary.clone() else { return };
        let last = match &summary.entries {
            Some(_) => self.rules.governed.hash(),
            None => summary.header.governed,
        };
        if last == *known || !self.catch_up.may_answer(now.real_ms) {
            return;
        }
        let encoded = summary.encode().or_else(|error| match &summary.entries {
            // Together they are too much for one message; what is governed comes first.
            Some(_) => Summary { entries: None, ..Summary::clone(&summary) }.encode(),
            None => Err(error),
        });
        match encoded {
            Ok(bytes) => self.effects.push(Effect::Summarise { to: by, bytes }),
            Err(error) => self.note("unencodable", error.to_string()),
        }
    }
}
