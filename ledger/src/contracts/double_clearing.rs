//! Proof that a DSO signed two clearings where it may sign one. Anyone hands it in, for the two signatures prove it;
//! what follows for the DSO is for governance to say.

use super::rules::Rules;
use crate::block::entry_leaf;
use crate::double_clearing::{check, ProofError, Statement};
use crate::state::double_clearing::{DoubleClearer, DoubleClearingRecord, MAX_DOUBLE_CLEARINGS};
use crate::state::receipt::Refusal;
use crate::state::records::Kept;
use crate::state::{Changes, State};
use market::interval::Interval;
use thiserror::Error;
use wire::cbor;
use wire::entry::DoubleClearingEntry;
use wire::hash::Hash32;
use wire::party::Id;

/// Why a proof is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DoubleClearingRefusal {
    /// It proves nothing. In a box: it says much.
    #[error("a double clearing: {0}")]
    Proof(Box<ProofError>),
    /// The interval is none of the market's, or forgotten.
    #[error("{interval} is none whose clearing is still kept")]
    Interval {
        /// The interval.
        interval: Interval,
    },
    /// The same, or enough of this DSO's, stand on the ledger already.
    #[error("the double clearing of {interval} by dso/{dso} is known, or enough of its others are")]
    Known {
        /// The interval.
        interval: Interval,
        /// Who.
        dso: Id,
    },
}

impl DoubleClearingRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            DoubleClearingRefusal::Proof(_) => "evidence-wrong",
            DoubleClearingRefusal::Interval { .. } => "evidence-old",
            DoubleClearingRefusal::Known { .. } => "evidence-known",
        }
    }
}

/// What such a proof changes: once for each thing that was signed twice.
pub(super) fn execute(rules: &Rules, state: &State, entry: &DoubleClearingEntry) -> Result<Changes, Refusal> {
    let open = |envelope: &_| rules.verifier.open_evidence(envelope);
    let statement = check(open, entry).map_err(|error| DoubleClearingRefusal::Proof(Box::new(error)))?;
    let Statement { interval, ref dso, .. } = statement;
    if !rules.parameters.is_interval(interval) || state.forgotten_to() >= Some(interval) {
        return Err(DoubleClearingRefusal::Interval { interval }.into());
    }
    let name = name(&statement)?;
    let records = &state.contracts().double_clearings;
    let of_dso = records.iter().filter(|(_, record)| record.statement.dso == *dso).count();
    if records.get(&name).is_some() || of_dso >= MAX_DOUBLE_CLEARINGS {
        return Err(DoubleClearingRefusal::Known { interval, dso: dso.clone() }.into());
    }
    let new = DoubleClearer { times: 0, first: interval, last: interval };
    let known = state.contracts().double_clearers.get(dso).copied().unwrap_or(new);
    let clearer = DoubleClearer {
        times: known.times + 1,
        first: known.first.min(interval),
        last: known.last.max(interval),
    };
    let mut changes = Changes::default();
    changes.contracts.double_clearers.insert(dso.clone(), Some(Kept::new(clearer)?));
    let envelopes = [&entry.first, &entry.second].map(entry_leaf);
    let record = DoubleClearingRecord { statement, envelopes };
    changes.contracts.double_clearings.insert(name, Some(Kept::new(record)?));
    Ok(changes)
}

/// Whether the ledger has it, or would take no more of this DSO's.
pub(crate) fn is_known(state: &State, statement: &Statement) -> bool {
    let records = &state.contracts().double_clearings;
    let of_dso = records.iter().filter(|(_, record)| record.statement.dso == statement.dso).count();
    of_dso >= MAX_DOUBLE_CLEARINGS || name(statement).is_ok_and(|name| records.get(&name).is_some())
}

fn name(statement: &Statement) -> Result<Hash32, cbor::CborError> {
    Ok(Hash32::of("gridpact double clearing of", &[&cbor::to_vec(statement)?]))
}
