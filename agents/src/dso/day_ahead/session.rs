//! One day-ahead session at the DSO, from the first thing heard of it to the entry submitted: what is known,
//! what is still waited for, and since when.

use super::answers::Answers;
use super::award::Part;
use crate::missed::Asking;
use market::day_ahead::clearing::DayAheadClearing;
use market::interval::Interval;
use market::supply::SupplyCurve;
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::SignedEnvelope;
use wire::message::day_ahead::{DayAheadCommitted, DayAheadQuestion};
use wire::party::PartyId;

/// One session.
pub(super) struct Session {
    /// Its first interval.
    pub session: Interval,
    /// Each aggregator's commitment to its bids, with its orders.
    pub commitments: BTreeMap<PartyId, DayAheadCommitted>,
    /// The import's curves, with the envelope that says so.
    pub supply: Option<(Vec<SupplyCurve>, SignedEnvelope)>,
    /// Answers of all rounds so far.
    pub answers: Answers,
    /// Rounds asked so far.
    pub rounds: u32,
    /// The last round in which each aggregator was asked.
    pub asked_last: BTreeMap<PartyId, u32>,
    /// How far it has come.
    pub stage: Stage,
    /// Real time at which its gate closed, or the first thing was heard of it.
    pub began_ms: u64,
    /// Real time at which its present stage began.
    pub stage_began_ms: u64,
}

/// How far a session has come.
pub(super) enum Stage {
    /// The gate is open; commitments and supply may come in early.
    Open,
    /// The gate has closed; commitments and supply are waited for.
    Gathering,
    /// A question is out.
    Asking {
        /// What each aggregator was asked. Who is not among them need not answer.
        asked: BTreeMap<PartyId, DayAheadQuestion>,
        /// Who has answered.
        answered: BTreeSet<PartyId>,
    },
    /// Being solved, off the arbiter.
    Solving,
    /// Awards are out.
    Awarded {
        /// What was cleared.
        clearing: Box<DayAheadClearing>,
        /// Each aggregator's part of it.
        parts: BTreeMap<PartyId, Part>,
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
    /// Whether commitments and supply may still come in.
    fn gathers(&self) -> bool {
        matches!(self, Stage::Open | Stage::Gathering)
    }

    /// Whether nothing is done about it for now but waiting for its gate to close, or for the validators.
    pub fn is_idle(&self) -> bool {
        matches!(self, Stage::Open | Stage::Submitted { .. } | Stage::Decided | Stage::Failed(_))
    }

    /// Whether something is waited for that a time-out should end.
    pub fn waits(&self) -> bool {
        matches!(self, Stage::Gathering | Stage::Asking { .. } | Stage::Awarded { .. })
    }

    /// In words, for whoever comes too late.
    fn words(&self) -> String {
        match self {
            Stage::Open | Stage::Gathering => "being gathered for".to_owned(),
            Stage::Asking { .. } => "being asked about".to_owned(),
            Stage::Solving => "being solved".to_owned(),
            Stage::Awarded { .. } => "awarded".to_owned(),
            Stage::Submitted { .. } => "with the validators".to_owned(),
            Stage::Decided => "decided".to_owned(),
            Stage::Failed(why) => format!("given up: {why}"),
        }
    }
}

impl Session {
    pub fn new(session: Interval, real_ms: u64) -> Self {
        Self {
            session,
            commitments: BTreeMap::new(),
            supply: None,
            answers: Answers::default(),
            rounds: 0,
            asked_last: BTreeMap::new(),
            stage: Stage::Open,
            began_ms: real_ms,
            stage_began_ms: real_ms,
        }
    }

    /// Moves on to `stage`.
    pub fn enter(&mut self, stage: Stage, real_ms: u64) {
        self.stage = stage;
        self.stage_began_ms = real_ms;
    }

    /// Its gate has closed, if it was open.
    pub fn close(&mut self, real_ms: u64) {
        if matches!(self.stage, Stage::Open) {
            self.began_ms = real_ms;
            self.enter(Stage::Gathering, real_ms);
        }
    }

    /// Takes an aggregator's commitment; the first one stands.
    ///
    /// # Errors
    /// In words: too late, or another one.
    pub fn commit(&mut self, by: &PartyId, committed: &DayAheadCommitted) -> Result<(), String> {
        match self.commitments.get(by) {
            Some(first) if first == committed => Ok(()),
            Some(_) => Err("other bids were committed to before".to_owned()),
            None if !self.stage.gathers() => Err(self.too_late()),
            None => {
                self.commitments.insert(by.clone(), committed.clone());
                Ok(())
            }
        }
    }

    /// Takes the supply's curves for so many intervals, the carbon price on top; the first ones stand.
    ///
    /// # Errors
    /// In words: too late, another one, or none for so many.
    pub fn supply(
        &mut self,
        curves: Vec<SupplyCurve>,
        raw: &SignedEnvelope,
        intervals: usize,
    ) -> Result<(), String> {
        match &self.supply {
            _ if curves.len() != intervals => {
                Err(format!("{} curves, and a session has {intervals} intervals", curves.len()))
            }
            Some((first, _)) if *first == curves => Ok(()),
            Some(_) => Err("another supply was stated before".to_owned()),
            None if !self.stage.gathers() => Err(self.too_late()),
            None => {
                self.supply = Some((curves, raw.clone()));
                Ok(())
            }
        }
    }

    fn too_late(&self) -> String {
        format!("the session that begins with the {} is {}", self.session, self.stage.words())
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
