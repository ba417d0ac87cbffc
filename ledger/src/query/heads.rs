//! Blocks and entries, and where the chain stands.

use super::answers::{Block, Entry, Head, Status};
use super::{ReadError, Reader, MAX_HEIGHTS};
use crate::block::DecidedBlock;
use crate::contracts::kind;
use crate::governed::succession::Lineage;
use crate::rights::Query;
use crate::store::remembered::RememberedEntry;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::Engine;
use wire::party::PartyId;

impl Reader<'_> {
    /// Where the chain stands. For everybody.
    ///
    /// # Errors
    /// Never but where rights are changed so.
    pub fn status(&self) -> Result<Status, ReadError> {
        self.allow(Query::Heads)?;
        let (tip, rules) = (&self.view.tip, &self.view.rules);
        let latest = self.view.state.intervals().iter().next_back();
        Ok(Status {
            ledger: rules.verifier.ledger().to_string(),
            height: tip.height,
            block: tip.hash.to_string(),
            time: super::prices::time_ms(tip.time_ms),
            validators: rules.verifier.validators().iter().map(|(id, _)| id.to_string()).collect(),
            interval_s: rules.parameters.interval_s,
            latest_prices: latest.map(|(at, record)| self.recorded(*at, record)),
        })
    }

    /// Headers with votes, from one height up to before another.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn heads(&self, from: u64, to: u64) -> Result<Vec<Head>, ReadError> {
        self.allow(Query::Heads)?;
        let to = to.min(self.view.tip.height.saturating_add(1));
        if to.saturating_sub(from) > MAX_HEIGHTS {
            let (from, to, most) = (from as i64, to as i64, MAX_HEIGHTS as i64);
            return Err(ReadError::Span { from, to, most, unit: "heights" });
        }
        let lineage = self.history.lineage()?;
        let blocks = (from.max(1)..to).map(|height| self.history.block(height));
        let heads = blocks.filter_map(Result::transpose).map(|block| Ok(self.head(&block?, &lineage)));
        heads.collect()
    }

    /// A block with its entries.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn whole_block(&self, height: u64) -> Result<Block, ReadError> {
        self.allow(Query::Blocks)?;
        let decided = self.block(height)?;
        let remembered = self.history.remembered(height)?.unwrap_or_default();
        let entries = decided.entries().enumerate().map(|(index, (submitter, entry))| {
            shown(&decided, index, &submitter, kind(&entry), remembered.get(index))
        });
        let lineage = self.history.lineage()?;
        Ok(Block { head: self.head(&decided, &lineage), contents: entries.flatten().collect() })
    }

    /// One entry. Who submitted it may see it, and who may see all.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn entry(&self, height: u64, index: usize) -> Result<Entry, ReadError> {
        if self.caller.is_none() {
            self.allow(Query::Entries)?;
        }
        let missing = || ReadError::NoSuch { what: format!("entry {index} of block {height}") };
        let decided = self.block(height)?;
        let (submitter, entry) = decided.entries().nth(index).ok_or_else(missing)?;
        if self.caller.as_ref() != Some(&submitter) {
            self.allow(Query::Entries)?;
        }
        let remembered = self.history.remembered(height)?.unwrap_or_default();
        shown(&decided, index, &submitter, kind(&entry), remembered.get(index)).ok_or_else(missing)
    }

    fn head(&self, decided: &DecidedBlock, lineage: &Lineage) -> Head {
        let header = &decided.block.header;
        let roster = lineage.at(header.height, self.view.rules.verifier.roster());
        // Of an older chain than is known, the places may be others'.
        let voter = |place: u16| match roster.0.get(usize::from(place)) {
            Some((id, _)) => id.to_string(),
            None => format!("validator {place}"),
        };
        Head {
            height: header.height,
            block: header.hash().to_string(),
            previous: header.previous.to_string(),
            time: super::prices::time_ms(header.time_ms),
            entries_root: header.entries_root.to_string(),
            state: header.state_hash.to_string(),
            proposer: header.proposer.to_string(),
            entries: decided.block.entries.len(),
            round: decided.certificate.round,
            voters: decided.certificate.signatures.iter().map(|(place, _)| voter(*place)).collect(),
        }
    }
}

fn shown(
    decided: &DecidedBlock,
    index: usize,
    submitter: &PartyId,
    kind: &str,
    remembered: Option<&RememberedEntry>,
) -> Option<Entry> {
    let envelope = decided.block.entries.get(index)?;
    let payments = remembered.iter().flat_map(|remembered| &remembered.payments);
    Some(Entry {
        height: decided.height(),
        entry: index,
        submitter: submitter.to_string(),
        kind: kind.to_owned(),
        topic: envelope.topic.clone(),
        envelope: URL_SAFE_NO_PAD.encode(&envelope.bytes),
        payment_nano_eur: payments.map(|(account, amount)| (account.to_string(), amount.0)).collect(),
    })
}
