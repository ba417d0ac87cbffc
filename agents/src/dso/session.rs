//! One interval at the DSO, from the first thing heard of it to the entry submitted: what is known, what is
//! still waited for, and since when.

use super::answers::Answers;
use super::award::Part;
use super::problem::Dispatch;
use crate::missed::Asking;
use market::supply::SupplyCurve;
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::SignedEnvelope;
use wire::message::{BidsCommitted, PriceQuestion, ReactiveAward, Supply};
use wire::party::PartyId;

/// One interval.
pub(super) struct Session {
    /// Each aggregator's commitment to its bids.
    pub commitments: BTreeMap<PartyId, BidsCommitted>,
    /// The import's curve, the carbon price on top, with the envelope that says so.
    pub supply: Option<(SupplyCurve, SignedEnvelope)>,
    /// Answers of all rounds so far.
    pub answers: Answers,
    /// Rounds asked so far.
    pub rounds: u32,
    /// The last round in which each aggregator was asked.
    pub asked_last: BTreeMap<PartyId, u32>,
    /// How far it has come.
    pub stage: Stage,
    /// Real time at which the first thing was heard of it.
    pub began_ms: u64,
    /// Real time at which its present stage began.
    pub stage_began_ms: u64,
}

/// How far an interval has come.
pub(super) enum Stage {
    /// Commitments and supply come in.
    Gathering,
    /// A question is out.
    Asking {
        /// What each aggregator was asked. Who is not among them need not answer.
        asked: BTreeMap<PartyId, PriceQuestion>,
        /// Who has answered.
        answered: BTreeSet<PartyId>,
    },
    /// Being solved, off the arbiter.
    Solving,
    /// Awards are out.
    Awarded {
        /// What was cleared.
        dispatch: Box<Dispatch>,
        /// Each aggregator's part of it.
        parts: BTreeMap<PartyId, Part>,
        /// Each aggregator's reactive power.
        reactive: BTreeMap<PartyId, Vec<ReactiveAward>>,
        /// Final demands in, as evidence.
        finals: BTreeMap<PartyId, SignedEnvelope>,
    },
    /// With the validators.
    Submitted {
        /// Real time of the submission.
        at_ms: u64,
        /// When to ask what became of it.
        asking: Asking,
    },
    /// On the ledger.
    Decided,
    /// Given up, and why.
    Failed(String),
}

impl Stage {
    /// In words, for whoever comes too late.
    pub fn words(&self) -> String {
        match self {
            Stage::Gathering => "being gathered for".to_owned(),
            Stage::Asking { .. } => "being asked about".to_owned(),
            Stage::Solving => "being solved".to_owned(),
            Stage::Awarded { .. } => "awarded".to_owned(),
            Stage::Submitted { .. } => "with the validators".to_owned(),
            Stage::Decided => "decided".to_owned(),
            Stage::Failed(why) => format!("given up: {why}"),
        }
    }

    /// Whether nothing more is done about it but by the validators.
    pub fn is_over(&self) -> bool {
        matches!(self, Stage::Submitted { .. } | Stage::Decided | Stage::Failed(_))
    }

    /// Whether something is still waited for that a time-out should end.
    pub fn waits(&self) -> bool {
        matches!(self, Stage::Gathering | Stage::Asking { .. } | Stage::Awarded { .. })
    }
}

impl Session {
    pub fn new(real_ms: u64) -> Self {
        Self {
            commitments: BTreeMap::new(),
            supply: None,
            answers: Answers::default(),
            rounds: 0,
            asked_last: BTreeMap::new(),
            stage: Stage::Gathering,
            began_ms: real_ms,
            stage_began_ms: real_ms,
        }
    }

    /// Moves on to `stage`.
    pub fn enter(&mut self, stage: Stage, real_ms: u64) {
        self.stage = stage;
        self.stage_began_ms = real_ms;
    }

    /// Takes an aggregator's commitment; the first one stands.
    ///
    /// # Errors
    /// In words: too late, or another one.
    pub fn commit(&mut self, by: &PartyId, committed: &BidsCommitted) -> Result<(), String> {
        match self.commitments.get(by) {
            Some(first) if first == committed => Ok(()),
            Some(_) => Err("other bids were committed to before".to_owned()),
            None if !matches!(self.stage, Stage::Gathering) => {
                Err(format!("{} is {}", committed.interval, self.stage.words()))
            }
            None => {
                self.commitments.insert(by.clone(), committed.clone());
                Ok(())
            }
        }
    }

    /// Takes the supply, which with the carbon price on top costs what `curve` says; the first one stands.
    ///
    /// # Errors
    /// In words: too late, or another one.
    pub fn supply(
        &mut self,
        supply: &Supply,
        curve: SupplyCurve,
        raw: &SignedEnvelope,
    ) -> Result<(), String> {
        match &self.supply {
            Some((first, _)) if *first == curve => Ok(()),
            Some(_) => Err("another supply was stated before".to_owned()),
            None if !matches!(self.stage, Stage::Gathering) => {
                Err(format!("{} is {}", supply.interval, self.stage.words()))
            }
            None => {
                self.supply = Some((curve, raw.clone()));
                Ok(())
            }
        }
    }

    /// Who has not said yet what this stage waits for.
    pub fn missing<'a>(
        &'a self,
        aggregators: impl Iterator<Item = &'a PartyId>,
        tso: &PartyId,
    ) -> Vec<String> {
        let silent = |heard: &dyn Fn(&PartyId) -> bool| -> Vec<String> {
            aggregators.filter(|a| !heard(a)).map(ToString::to_string).collect()
        };
        match &self.stage {
            Stage::Gathering => {
                let mut missing = silent(&|a| self.commitments.contains_key(a));
                missing.extend(self.supply.is_none().then(|| tso.to_string()));
                missing
            }
            Stage::Asking { asked, answered } => silent(&|a| answered.contains(a) || !asked.contains_key(a)),
            Stage::Awarded { finals, .. } => silent(&|a| finals.contains_key(a)),
            _ => Vec::new(),
        }
    }
}
