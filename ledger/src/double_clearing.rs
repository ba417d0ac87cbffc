//! What a DSO may sign once alone, and what proves that it signed two: for the contract that records it, and for
//! everyone who hears what a DSO signs and watches it. Pure.
//!
//! An honest DSO never comes here. What it clears rests on commitments that it has acknowledged, and after a restart
//! nothing that was acknowledged before is heard again, so that an interval it was cut off in stays uncleared.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use thiserror::Error;
use wire::cbor;
use wire::entry::{ClearingEntry, DayAheadEntry, DoubleClearingEntry, Entry, SignedEnvelope};
use wire::envelope::{EnvelopeError, Opened};
use wire::hash::Hash32;
use wire::message::day_ahead::DayAheadAward;
use wire::message::{Award, Body};
use wire::party::{Id, PartyId, Role};

use market::interval::Interval;

/// Bytes of envelopes that a watch keeps; the oldest go first.
const MAX_WATCHED_BYTES: usize = 8 << 20;
/// Proven statements remembered, so that nobody is told twice.
const MAX_PROVEN: usize = 256;

/// What a DSO may sign once for one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClearingKind {
    /// An interval's clearing, as an entry.
    Clearing = 1,
    /// A day-ahead session's, as an entry.
    DayAhead = 2,
    /// An interval's award to an aggregator.
    Award = 3,
    /// A session's.
    DayAheadAward = 4,
}

impl ClearingKind {
    /// One word, as the ledger's interface has it.
    pub fn word(self) -> &'static str {
        match self {
            ClearingKind::Clearing => "clearing",
            ClearingKind::DayAhead => "day-ahead",
            ClearingKind::Award => "award",
            ClearingKind::DayAheadAward => "day-ahead-award",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            ClearingKind::Clearing => "clearing",
            ClearingKind::DayAhead => "day-ahead clearing",
            ClearingKind::Award => "award",
            ClearingKind::DayAheadAward => "day-ahead award",
        }
    }
}

/// What was signed twice: of whom, for when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The interval, or the session's first.
    pub interval: Interval,
    /// What.
    pub kind: ClearingKind,
    /// The DSO.
    pub dso: Id,
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dso/{} signed two different {}s for {}", self.dso, self.kind.words(), self.interval)
    }
}

/// Why two envelopes prove nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// One does not open.
    #[error("the envelope on {topic:?}: {source}")]
    Envelope {
        /// Its topic, cut to 120 characters.
        topic: String,
        /// What is wrong with it.
        #[source]
        source: EnvelopeError,
    },
    /// One is nothing that a DSO may sign once alone.
    #[error("{sender} signed no clearing on {topic:?}")]
    NoClearing {
        /// Who signed it.
        sender: PartyId,
        /// Its topic, cut to 120 characters.
        topic: String,
    },
    /// They stand in the wrong order, are not about the same, or say the same.
    #[error("the two envelopes {reason}")]
    NoContradiction {
        /// What is wrong.
        reason: &'static str,
    },
}

/// What a DSO says once, wherever it stands.
#[derive(Clone, Copy, Debug)]
pub enum Spoken<'a> {
    /// An interval's clearing.
    Clearing(&'a ClearingEntry),
    /// A day-ahead session's.
    DayAhead(&'a DayAheadEntry),
    /// An award.
    Award(&'a Award),
    /// A day-ahead award.
    DayAheadAward(&'a DayAheadAward),
}

impl<'a> Spoken<'a> {
    /// In a message; none where it says nothing of the kind.
    pub fn in_body(body: &'a Body) -> Option<Self> {
        match body {
            Body::Submit(entry) => Self::in_entry(entry),
            Body::Award(award) => Some(Self::Award(award)),
            Body::DayAheadAward(award) => Some(Self::DayAheadAward(award)),
            _ => None,
        }
    }

    /// In an entry.
    pub fn in_entry(entry: &'a Entry) -> Option<Self> {
        match entry {
            Entry::Clearing(clearing) => Some(Self::Clearing(clearing)),
            Entry::DayAhead(session) => Some(Self::DayAhead(session)),
            _ => None,
        }
    }

    fn about(self) -> (Interval, ClearingKind) {
        match self {
            Self::Clearing(clearing) => (clearing.interval, ClearingKind::Clearing),
            Self::DayAhead(session) => (session.session, ClearingKind::DayAhead),
            Self::Award(award) => (award.interval, ClearingKind::Award),
            Self::DayAheadAward(award) => (award.session, ClearingKind::DayAheadAward),
        }
    }

    /// Hash over all that is said; none where it has no encoding, which whatever was decoded has.
    fn digest(self) -> Option<Hash32> {
        let bytes = match self {
            Self::Clearing(clearing) => cbor::to_vec(clearing),
            Self::DayAhead(session) => cbor::to_vec(session),
            Self::Award(award) => cbor::to_vec(award),
            Self::DayAheadAward(award) => cbor::to_vec(award),
        };
        bytes.ok().map(|bytes| Hash32::of("gridpact clearing said", &[&bytes]))
    }
}

/// One thing a DSO said, as far as it can contradict another. Clearings are for everyone, whomever they were sent to;
/// awards for one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    statement: Statement,
    to: Option<PartyId>,
    digest: Hash32,
    raw: SignedEnvelope,
}

impl Heard {
    fn of(sender: &PartyId, to: Option<&PartyId>, spoken: Spoken<'_>, raw: &SignedEnvelope) -> Option<Self> {
        if sender.role != Role::Dso {
            return None;
        }
        let (interval, kind) = spoken.about();
        let to = to.filter(|_| matches!(kind, ClearingKind::Award | ClearingKind::DayAheadAward)).cloned();
        let statement = Statement { interval, kind, dso: sender.id.clone() };
        Some(Self { statement, to, digest: spoken.digest()?, raw: raw.clone() })
    }

    fn of_opened(opened: &Opened) -> Option<Self> {
        let Opened { topic, body, raw, .. } = opened;
        Self::of(&topic.sender, topic.recipient.as_ref(), Spoken::in_body(body)?, raw)
    }

    fn is_about_the_same(&self, other: &Heard) -> bool {
        self.statement == other.statement && self.to == other.to
    }
}

/// Checks a proof: both signatures, that both are the same DSO's word on the same, and that they differ. `open` opens
/// an envelope by the registry.
///
/// # Errors
/// [`ProofError`]: what it does not prove.
pub fn check(
    open: impl Fn(&SignedEnvelope) -> Result<Opened, EnvelopeError>,
    proof: &DoubleClearingEntry,
) -> Result<Statement, ProofError> {
    let DoubleClearingEntry { first, second } = proof;
    if first.bytes >= second.bytes {
        return Err(ProofError::NoContradiction { reason: "stand in the wrong order" });
    }
    let heard = |envelope: &SignedEnvelope| {
        let topic = || envelope.topic.chars().take(120).collect();
        let opened = open(envelope).map_err(|source| ProofError::Envelope { topic: topic(), source })?;
        let sender = || opened.topic.sender.clone();
        Heard::of_opened(&opened).ok_or_else(|| ProofError::NoClearing { sender: sender(), topic: topic() })
    };
    let (first, second) = (heard(first)?, heard(second)?);
    if !first.is_about_the_same(&second) {
        return Err(ProofError::NoContradiction { reason: "are not about the same" });
    }
    if first.digest == second.digest {
        return Err(ProofError::NoContradiction { reason: "say the same" });
    }
    Ok(first.statement)
}

/// Watches what DSOs sign. Whatever it is told was opened before: signatures are not its business.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    keeps: usize,
    heard: VecDeque<Heard>,
    bytes: usize,
    proven: BTreeSet<Statement>,
}

impl Watch {
    /// One that keeps so many of the latest things said.
    pub fn keeping(keeps: usize) -> Self {
        Self { keeps, ..Self::default() }
    }

    /// Hears what somebody signed, for `to` where it was for one party. The proof, where it contradicts something
    /// heard before and that was not known.
    pub fn hear(
        &mut self,
        sender: &PartyId,
        to: Option<&PartyId>,
        spoken: Spoken<'_>,
        raw: &SignedEnvelope,
    ) -> Option<(Statement, DoubleClearingEntry)> {
        let new = Heard::of(sender, to, spoken, raw)?;
        if self.proven.contains(&new.statement) {
            return None;
        }
        let known = self.heard.iter().find(|known| known.is_about_the_same(&new));
        match known {
            Some(known) if known.digest == new.digest => None,
            Some(known) => {
                let proof = DoubleClearingEntry::of(known.raw.clone(), new.raw);
                self.learn(&new.statement);
                Some((new.statement, proof))
            }
            None => {
                self.keep(new);
                None
            }
        }
    }

    /// Learns that something is proven, from somebody else or from the ledger. Whether that was news.
    pub fn learn(&mut self, statement: &Statement) -> bool {
        self.heard.retain(|heard| heard.statement != *statement);
        self.bytes = self.heard.iter().map(|heard| heard.raw.bytes.len()).sum();
        let news = self.proven.insert(statement.clone());
        if self.proven.len() > MAX_PROVEN {
            self.proven.pop_first();
        }
        news
    }

    fn keep(&mut self, heard: Heard) {
        self.bytes += heard.raw.bytes.len();
        self.heard.push_back(heard);
        while self.heard.len() > self.keeps || self.bytes > MAX_WATCHED_BYTES {
            let Some(oldest) = self.heard.pop_front() else { return };
            self.bytes -= oldest.raw.bytes.len();
        }
    }
}
