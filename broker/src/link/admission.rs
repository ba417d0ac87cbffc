//! What a message from outside must be before a role sees it: cheap checks first, the signature
//! after them. The caller gives the time.

use super::config::{LinkConfig, RATE_UNIT_BYTES};
use super::known::Known;
use super::parties::Parties;
use crate::rate::{Bucket, Rate};
use crate::skew::{Clocks, Skew, Skews};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use wire::envelope::{claimed, open_with, EnvelopeError, Opened, Unchecked};
use wire::freshness;
use wire::message::{MessageRef, MAX_ENVELOPE_BYTES};
use wire::party::{PartyId, Role};
use wire::refusal::Refusal;
use wire::signature::Keys;
use wire::topic::Topic;

/// Bad messages on one sender's topics that one connection may bring before the rest there is dropped
/// unread: a broker, or whoever uses it, that brings nothing else costs so many signature checks a second.
const BAD: Rate = Rate { per_second: 500, burst: 1_000 };

/// A role's own cheap look at a message before anything costly is done with it.
pub trait Screen: Send + Sync + fmt::Debug {
    /// Whether an envelope on this topic is worth opening, and by which signature. Nothing in it is anyone's
    /// word yet. `now_ms` is real time since an arbitrary start.
    ///
    /// # Errors
    /// A word for metrics, of few, where it is not.
    fn look(&self, topic: &Topic, envelope: &[u8], now_ms: u64) -> Result<Word, &'static str>;
}

/// What makes a message its sender's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The envelope's signature.
    Envelope,
    /// A signature within, which whoever takes the message checks: it comes as [`super::LinkEvent::Claimed`].
    Within,
}

/// Why a message is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped {
    /// It is wrong.
    Refused(Refusal),
    /// Its sender says too much here, or too much on its topics was wrong.
    TooMany,
    /// The role has no use for it, and says why.
    Screened(&'static str),
}

impl Dropped {
    /// The reason's word in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Dropped::Refused(refusal) => refusal.word(),
            Dropped::TooMany => "too-many",
            Dropped::Screened(word) => word,
        }
    }
}

impl From<Refusal> for Dropped {
    fn from(refusal: Refusal) -> Self {
        Dropped::Refused(refusal)
    }
}

/// What came of a message that is not dropped.
#[derive(Debug)]
pub(super) enum Admitted {
    /// It is our own or addressed to somebody else: wildcards bring such.
    NotForUs,
    /// It was admitted before, under this name.
    Known(MessageRef),
    /// It is rightly signed and fresh.
    Opened(Box<Opened>),
    /// It is an entry in whose signature nobody looked yet.
    Unchecked(Box<Unchecked>),
    /// It is fresh by its own words, and signed within.
    Claimed(Box<Opened>),
}

/// What one connection took on one sender's topics.
#[derive(Debug, Default)]
struct Taken {
    units: Bucket,
    bad: Bucket,
}

/// For whom messages are admitted, whose, and how many.
#[derive(Debug)]
pub(super) struct Admission {
    /// By connection. Senders are participants, so there are not more than the registry has.
    taken: Vec<BTreeMap<PartyId, Taken>>,
    known: Known,
    keys: Keys,
    parties: Parties,
    skews: Skews,
    /// Something to be said of a clock.
    skew: Option<Skew>,
    /// What the first connection hears besides what the configuration says.
    heard: Vec<String>,
}

impl Admission {
    /// Nothing taken yet; the last `known` messages will be remembered.
    pub fn new(connections: usize, known: usize, parties: Parties) -> Self {
        let taken = (0..connections).map(|_| BTreeMap::new()).collect();
        let (keys, skews, skew, heard) = Default::default();
        Self { taken, known: Known::new(known), keys, parties, skews, skew, heard }
    }

    /// The first connection hears these broadcasts from now on, in place of those named before.
    pub fn listen(&mut self, heard: Vec<String>) {
        self.heard = heard;
    }

    /// Looks at a message that connection `at` brought. Time is in milliseconds: `wall_ms` since 1970,
    /// `now_ms` since an arbitrary start.
    pub fn admit(
        &mut self,
        config: &LinkConfig,
        at: usize,
        (topic, bytes): (&str, &[u8]),
        (now_ms, wall_ms): (u64, u64),
    ) -> Result<Admitted, Dropped> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(Refusal::Oversized.into());
        }
        let parsed: Topic = topic.parse().map_err(|_| Refusal::Misplaced)?;
        let me = config.signer.party();
        if parsed.sender == *me || parsed.recipient.as_ref().is_some_and(|recipient| recipient != me) {
            return Ok(Admitted::NotForUs);
        }
        let heard = at == 0 && self.heard.iter().any(|filter| rumqttc::matches(topic, filter));
        if parsed.recipient.is_none() && !heard && !is_subscribed(config, at, topic) {
            return Err(Refusal::Misplaced.into());
        }
        let registry = self.parties.now();
        if !registry.contains_key(&parsed.sender) {
            return Err(Refusal::UnknownSender.into());
        }
        self.allow(config, at, &parsed.sender, bytes.len(), now_ms)?;
        let look = |screen: &Arc<dyn Screen>| screen.look(&parsed, bytes, now_ms).map_err(Dropped::Screened);
        if config.screen.as_ref().map(look).transpose()? == Some(Word::Within) {
            // Not remembered: by a forged one, others' true words would be taken for known.
            let claimed = claimed(config.signer.network(), topic, bytes);
            let claimed = claimed.map_err(|error| refused(topic, &error)).and_then(|it| fresh(it, wall_ms));
            return claimed
                .map(|claimed| Admitted::Claimed(Box::new(claimed)))
                .inspect_err(|_| self.bad(at, &parsed.sender, now_ms))
                .map_err(Dropped::from);
        }
        if let Some(name) = self.known.name(bytes).filter(|name| name.sender == parsed.sender) {
            return Ok(Admitted::Known(name.clone()));
        }
        if parsed.kind.as_str() == Unchecked::KIND {
            let taken = Unchecked::take(&registry, config.signer.network(), topic, bytes);
            let taken = taken.map_err(|error| refused(topic, &error));
            return taken
                .map(|unchecked| Admitted::Unchecked(Box::new(unchecked)))
                .inspect_err(|_| self.bad(at, &parsed.sender, now_ms))
                .map_err(Dropped::from);
        }
        let opened = open_with(&mut self.keys, &registry, config.signer.network(), topic, bytes);
        let opened = opened.map_err(|error| refused(topic, &error));
        let opened = opened.and_then(|opened| self.fresh_by_its_clock(opened, wall_ms));
        let opened = opened.inspect_err(|_| self.bad(at, &parsed.sender, now_ms))?;
        Ok(Admitted::Opened(Box::new(opened)))
    }

    /// Looks at an entry that connection `at` brought, and whose signature was looked at meanwhile.
    pub fn checked(
        &mut self,
        at: usize,
        sender: &PartyId,
        checked: Result<Opened, EnvelopeError>,
        (now_ms, wall_ms): (u64, u64),
    ) -> Result<Opened, Refusal> {
        let topic = || sender.to_string();
        let opened = checked.map_err(|error| refused(&topic(), &error));
        let opened = opened.and_then(|opened| self.fresh_by_its_clock(opened, wall_ms));
        opened.inspect_err(|_| self.bad(at, sender, now_ms))
    }

    /// A clock that was found to be off, or right again, since this was asked last.
    pub fn take_skew(&mut self) -> Option<Skew> {
        self.skew.take()
    }

    /// What others' messages make of our clock.
    pub fn clocks(&self) -> Clocks {
        self.skews.clocks()
    }

    /// The furthest that anybody's clock is off, in milliseconds.
    pub fn worst_skew_ms(&self) -> i64 {
        self.skews.worst_ms()
    }

    /// Its times must hold; either way they show its sender's clock.
    fn fresh_by_its_clock(&mut self, opened: Opened, wall_ms: u64) -> Result<Opened, Refusal> {
        if let Some(skew) = self.skews.observe(&opened.id.sender, opened.issued_ms, wall_ms) {
            self.skew = Some(skew);
        }
        fresh(opened, wall_ms)
    }

    /// The role has, or will get, this message: its bytes need not be opened again.
    pub fn took(&mut self, message: &Opened) {
        self.known.remember(&message.raw.bytes, message.id.clone());
    }

    /// Counts what the sender says, where its role is bounded, and looks whether too much of it was bad.
    fn allow(
        &mut self,
        config: &LinkConfig,
        at: usize,
        sender: &PartyId,
        bytes: usize,
        now_ms: u64,
    ) -> Result<(), Dropped> {
        let Some(senders) = self.taken.get_mut(at) else { return Ok(()) };
        if senders.get(sender).is_some_and(|taken| !taken.bad.has_any(BAD, now_ms)) {
            return Err(Dropped::TooMany);
        }
        let Some(rate) = rate_of(config, sender.role) else { return Ok(()) };
        if !senders.contains_key(sender) {
            senders.insert(sender.clone(), Taken::default());
        }
        let units = 1 + u32::try_from(bytes / RATE_UNIT_BYTES).unwrap_or(u32::MAX);
        let allowed = senders.get_mut(sender).is_some_and(|taken| taken.units.take(rate, units, now_ms));
        allowed.then_some(()).ok_or(Dropped::TooMany)
    }

    fn bad(&mut self, at: usize, sender: &PartyId, now_ms: u64) {
        if let Some(senders) = self.taken.get_mut(at) {
            senders.entry(sender.clone()).or_default().bad.take(BAD, 1, now_ms);
        }
    }
}

fn rate_of(config: &LinkConfig, role: Role) -> Option<Rate> {
    config.rates.iter().find(|(of, _)| *of == role).map(|(_, rate)| *rate)
}

fn is_subscribed(config: &LinkConfig, at: usize, topic: &str) -> bool {
    let filters = config.connections.get(at).map(|connection| &connection.subscriptions);
    filters.into_iter().flatten().any(|filter| rumqttc::matches(topic, filter))
}

fn fresh(opened: Opened, wall_ms: u64) -> Result<Opened, Refusal> {
    freshness::check(wall_ms, opened.issued_ms, opened.expires_ms).map_err(|error| {
        tracing::debug!(topic = opened.raw.topic, %error, "message dropped");
        error.refusal()
    })?;
    Ok(opened)
}

fn refused(topic: &str, error: &EnvelopeError) -> Refusal {
    tracing::debug!(topic, %error, "message dropped");
    error.refusal()
}

#[cfg(test)]
mod tests;
