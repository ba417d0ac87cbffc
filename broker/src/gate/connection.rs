//! One client's connection, from its CONNACK to its end: reads, lets [`super::core`] decide, hands the router
//! what came of one reading at once, and writes what is ready at once. It waits for its own client only.

use super::clients::{Leave, Seat};
use super::core::{admit, Effect, Goodbye, Session};
use super::frame::{self, Fault};
use super::inner::{InnerError, Link, Word};
use super::metrics::ListenerMetrics;
use super::packet::Message;
use super::pipe::{Pipe, Turn};
use super::rights::Access;
use super::{reply, Gate};
use crate::rate::Bucket;
use std::convert::Infallible;
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, sleep_until, Instant};

/// Between two looks at whether the client still says something and takes something.
const LOOK: Duration = Duration::from_secs(15);
/// Wait for the router to take what it was handed, or for a client to be allowed more.
const PAUSE: Duration = Duration::from_millis(1);

/// Why a connection ended.
#[derive(Debug, Error)]
pub enum End {
    /// Its own packets ended it.
    #[error(transparent)]
    Goodbye(#[from] Goodbye),
    /// What it sent is not MQTT as it is spoken here.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It closed the connection without a word.
    #[error("closed by the client")]
    Closed,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// It said nothing within one and a half times the time it promised to.
    #[error("nothing heard in time")]
    Silent,
    /// It took nothing of what waited for it.
    #[error("nothing taken in time")]
    Stalled,
    /// It was asked to leave.
    #[error("{}", if *.0 == Leave::Revoked { "its certificate is revoked" } else { "its client id was taken over" })]
    Asked(Leave),
    /// The router is gone.
    #[error(transparent)]
    Inner(#[from] InnerError),
}

impl End {
    /// For logs and metrics: one word of few.
    pub fn word(&self) -> &'static str {
        match self {
            End::Goodbye(Goodbye::Said) => "goodbye",
            End::Goodbye(Goodbye::SecondConnect) => "second-connect",
            End::Goodbye(Goodbye::NotAllowed) => "not-allowed",
            End::Goodbye(Goodbye::TooManyTopics) => "too-many-topics",
            End::Fault(fault) => fault.word(),
            End::Closed => "closed",
            End::Broken(_) => "broken",
            End::Silent => "silent",
            End::Stalled => "stalled",
            End::Asked(Leave::TakenOver(_)) => "taken-over",
            End::Asked(Leave::Revoked) => "revoked",
            End::Inner(_) => "inner",
        }
    }
}

/// A connection whose client is known.
pub struct Connection<S> {
    /// To the client.
    pub pipe: Pipe<S>,
    /// Its place.
    pub seat: Seat,
    /// What it may publish and subscribe to.
    pub access: Access,
    /// To the router.
    pub link: Link,
    /// What it subscribed to and is owed.
    pub session: Session,
    /// Whether the session is kept when the connection ends.
    pub kept: bool,
    /// Published unless the client says goodbye.
    pub will: Option<Message>,
    /// Longest time without a packet of the client.
    pub silence: Option<Duration>,
    /// What its listener counts.
    pub metrics: ListenerMetrics,
    /// What it has used up of the messages it may publish, where that is bounded.
    pub published: Option<Bucket>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Serves the client until its connection ends, and sees to what it leaves behind.
    pub async fn serve(mut self, gate: &Gate) -> End {
        let end = match self.run(gate).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        if self.leaves_will(&end) {
            self.publish_will(gate);
        }
        let Self { pipe, seat, link, session, kept, .. } = self;
        if kept && !matches!(end, End::Asked(Leave::Revoked)) {
            gate.clients.keep(seat.key(), session, link, gate.limits.kept_sessions);
        }
        drop(seat);
        pipe.close().await;
        end
    }

    async fn run(&mut self, gate: &Gate) -> Result<Infallible, End> {
        let most_waiting = gate.limits.waiting_bytes;
        let (mut words, mut effects) = (Vec::new(), Vec::new());
        let mut heard = Instant::now();
        let look = sleep_until(self.next_look(heard));
        tokio::pin!(look);
        loop {
            if self.take_in(gate, &mut words, &mut effects)? {
                heard = Instant::now();
            }
            self.give_out(gate)?;
            let taken = self.link.untaken() < gate.limits.untaken && self.may_publish(gate);
            let written_through = self.pipe.output.len() < most_waiting;
            let room = written_through && self.session.has_room(gate.limits.unacknowledged);
            tokio::select! {
                turn = self.pipe.turn(taken && written_through) => {
                    if let Turn::Closed = turn? {
                        return Err(End::Closed);
                    }
                }
                more = self.link.wait(), if room => more?,
                leave = self.seat.leave() => return Err(End::Asked(leave)),
                () = sleep(PAUSE), if !taken => {}
                () = &mut look => {
                    let now = Instant::now();
                    if self.silence.is_some_and(|most| now - heard >= most) {
                        return Err(End::Silent);
                    }
                    if self.pipe.waits_since().is_some_and(|since| now - since >= gate.limits.stall) {
                        return Err(End::Stalled);
                    }
                    look.as_mut().reset(self.next_look(heard));
                }
            }
        }
    }

    fn next_look(&self, heard: Instant) -> Instant {
        let soon = Instant::now() + LOOK;
        self.silence.map_or(soon, |most| soon.min(heard + most))
    }

    /// Takes in what was read; whether a packet was in it. What one reading brought reaches the router
    /// together, and in the same order as it reaches what is kept for later subscribers.
    fn take_in(
        &mut self,
        gate: &Gate,
        words: &mut Vec<Word>,
        effects: &mut Vec<Effect>,
    ) -> Result<bool, End> {
        if self.pipe.input.is_empty() {
            return Ok(false);
        }
        let mut heard = false;
        let mut shared = gate.shared();
        let end = loop {
            match frame::next(&mut self.pipe.input, gate.limits.packet_bytes) {
                Ok(Some(packet)) => self.session.receive(packet, &self.access, &mut shared, effects),
                Ok(None) => break None,
                Err(fault) => break Some(End::Fault(fault)),
            }
            heard = true;
            if let Some(goodbye) = self.perform(effects, words) {
                break Some(End::Goodbye(goodbye));
            }
        };
        self.count_published(gate, words);
        self.link.say(words)?;
        drop(shared);
        if let Some(End::Goodbye(Goodbye::NotAllowed)) = end {
            self.metrics.denied_publish.inc();
        }
        self.pipe.settle();
        end.map_or(Ok(heard), Err)
    }

    fn may_publish(&self, gate: &Gate) -> bool {
        self.published.is_none_or(|used| used.has_any(gate.limits.messages, gate.now_ms()))
    }

    /// Counts what one reading brought; the last of what was allowed may be overdrawn by that much.
    fn count_published(&mut self, gate: &Gate, words: &[Word]) {
        let count = words.iter().filter(|word| matches!(word, Word::Publish(_))).count();
        self.metrics.received.inc_by(count as u64);
        if let Some(used) = &mut self.published {
            used.take(gate.limits.messages, count as u32, gate.now_ms());
        }
    }

    fn perform(&mut self, effects: &mut Vec<Effect>, words: &mut Vec<Word>) -> Option<Goodbye> {
        let mut end = None;
        for effect in effects.drain(..) {
            match effect {
                Effect::Reply(reply) => reply::write(&reply, &mut self.pipe.output),
                Effect::Publish(message) => words.push(Word::Publish(message)),
                Effect::Subscribe(filter, number) => words.push(Word::Subscribe(filter, number)),
                Effect::Unsubscribe(filter) => words.push(Word::Unsubscribe(filter)),
                Effect::Denied => self.metrics.denied_subscribe.inc(),
                Effect::End(goodbye) => end = Some(goodbye),
            }
        }
        end
    }

    /// Prepares what the client is owed, as far as it keeps up.
    fn give_out(&mut self, gate: &Gate) -> Result<(), InnerError> {
        let mut delivered = 0;
        while self.pipe.output.len() < gate.limits.waiting_bytes {
            if let Some(again) = self.session.again() {
                reply::publish(&again, &mut self.pipe.output);
                continue;
            }
            if !self.session.has_room(gate.limits.unacknowledged) {
                break;
            }
            let delivery = if self.session.recalls() {
                self.session.recall(&gate.shared())
            } else if let Some(owed) = self.session.owed() {
                Some(owed)
            } else {
                let Some(arrival) = self.link.next()? else { break };
                self.session.deliver(arrival.number, arrival.topic, arrival.payload, arrival.qos)
            };
            if let Some(delivery) = delivery {
                reply::publish(&delivery, &mut self.pipe.output);
                delivered += 1;
            }
        }
        self.metrics.delivered.inc_by(delivered);
        Ok(())
    }

    /// A will is for an end without goodbye; where another connection took over, for the session's end only.
    fn leaves_will(&self, end: &End) -> bool {
        match end {
            End::Goodbye(Goodbye::Said) => false,
            End::Asked(Leave::TakenOver(clean)) => *clean || !self.kept,
            // Who may say nothing any more leaves no last word.
            End::Asked(Leave::Revoked) | End::Goodbye(Goodbye::NotAllowed) => false,
            _ => true,
        }
    }

    fn publish_will(&mut self, gate: &Gate) {
        let Some(will) = self.will.take() else { return };
        let mut shared = gate.shared();
        if admit(&will, &mut shared) {
            // Without a router there is nobody to tell.
            let _ = self.link.say(&mut vec![Word::Publish(will)]);
        }
    }
}
