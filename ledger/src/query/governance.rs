//! What holds for everyone, what is voted on, and what was decided.

use super::answers::{Decided, Governance, Proposed, ValidatorKey};
use super::{ReadError, Reader};
use crate::contracts::versions::Contract;
use crate::governed::proposal::{Outcome, OutcomeKind, Pending};
use crate::rights::{EntryKind, Query};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use wire::entry::governance::ProposalEntry;
use wire::entry::Entry;
use wire::hash::Hash32;
use wire::party::PartyId;

/// Most proposals looked through for what was decided on: many times the outcomes that the state keeps.
const MOST_PROPOSALS: usize = 1_000;

impl Reader<'_> {
    /// What is governed after the last block: rules, validators, open proposals with their votes, and the last
    /// decisions.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn governance(&self) -> Result<Governance, ReadError> {
        self.allow(Query::Governance)?;
        let governed = &self.view.rules.governed;
        let validators = self.view.rules.verifier.validators().iter();
        let made = self.proposals(&governed.outcomes)?;
        let contracts = Contract::ALL.into_iter().map(Contract::word);
        Ok(Governance {
            height: self.view.tip.height,
            governed: governed.hash().to_string(),
            parameters: json(&governed.parameters),
            grid: governed.grid.as_ref().map(json),
            day_ahead: governed.day_ahead.as_ref().map(json),
            contract_versions: contracts
                .map(|word| (word.to_owned(), governed.contract_version(word)))
                .collect(),
            validators: validators
                .map(|(name, key)| ValidatorKey { validator: name.to_string(), key: key.to_string() })
                .collect(),
            open: governed.proposals.iter().map(open).collect(),
            decided: governed
                .outcomes
                .iter()
                .map(|outcome| decided(outcome, made.get(&outcome.id)))
                .collect(),
        })
    }

    /// The proposals that were decided on, with who made them and in which block, as far as the blocks are kept.
    fn proposals(
        &self,
        outcomes: &[Outcome],
    ) -> Result<BTreeMap<Hash32, (u64, PartyId, ProposalEntry)>, ReadError> {
        let mut found = BTreeMap::new();
        let Some(first) = outcomes.iter().map(|outcome| outcome.at_height).min() else { return Ok(found) };
        // None waits for longer.
        let from = first.saturating_sub(crate::governed::proposal::MAX_AHEAD);
        for place in self.history.of_kind(EntryKind::Proposal, (from, 0), MOST_PROPOSALS)? {
            let Some(block) = self.history.block(place.height)? else { continue };
            let Some((by, Entry::Proposal(entry))) = block.entries().nth(place.index) else { continue };
            found.insert(entry.id()?, (place.height, by, *entry));
        }
        Ok(found)
    }
}

fn open(pending: &Pending) -> Proposed {
    Proposed {
        proposal: pending.id.to_string(),
        by: pending.by.to_string(),
        at_height: pending.entry.at_height,
        change: json(&pending.entry.change),
        votes: pending.ballots.iter().map(|(validator, approve)| (validator.to_string(), *approve)).collect(),
    }
}

fn decided(outcome: &Outcome, made: Option<&(u64, PartyId, ProposalEntry)>) -> Decided {
    let (result, reason) = match &outcome.result {
        OutcomeKind::Applied => ("applied", None),
        OutcomeKind::Lapsed => ("lapsed", None),
        OutcomeKind::Unfit { reason } => ("unfit", Some(reason.clone())),
    };
    Decided {
        proposal: outcome.id.to_string(),
        at_height: outcome.at_height,
        approvals: outcome.approvals,
        validators: outcome.validators,
        result: result.to_owned(),
        reason,
        by: made.map(|(_, by, _)| by.to_string()),
        proposed_height: made.map(|(height, _, _)| *height),
        change: made.map(|(_, _, entry)| json(&entry.change)),
    }
}

/// A value as the genesis has it. One that has no JSON (no such is governed) is shown as nothing.
fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
