//! The shape every role's core has: a function of state, time and input to effects, with no clock,
//! socket, file, tokio or actix.

use crate::chain::Chain;
use ledger::contracts::rules::Rules;
use market::interval::{Interval, UnixSeconds};
use std::sync::Arc;
use wire::entry::SignedEnvelope;
use wire::message::{Body, MessageRef, Verdict};
use wire::party::PartyId;

/// Time as a core sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The market's time: the system's, or simulated.
    pub market: UnixSeconds,
    /// Milliseconds of real time since an arbitrary start, for time-outs between machines.
    pub real_ms: u64,
}

/// A message that came in with a valid signature, on its own topic, in time and for the first time.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// Its name, by which it is acknowledged.
    pub id: MessageRef,
    /// The interval its envelope names.
    pub interval: Interval,
    /// What it says.
    pub body: Body,
    /// The envelope itself, as evidence.
    pub raw: SignedEnvelope,
}

/// What a core is told. `D` is what the role's own shell reports (device readings, for a site).
#[derive(Clone, Debug, PartialEq)]
pub enum Input<D> {
    /// Time has passed. Comes at every change of market time and at least every 250 ms of real time.
    Poll,
    /// A message.
    Message(Incoming),
    /// Every recipient has acknowledged the message sent with this tag, or refused it.
    Answered {
        /// The tag given with [`Effect::Send`].
        tag: u64,
        /// Who answered.
        by: PartyId,
        /// What they said.
        verdict: Verdict,
    },
    /// What the role's own shell reports.
    Own(D),
}

/// What a core wants done. `E` is what only the role's own shell can do (write a setpoint).
#[derive(Clone, Debug, PartialEq)]
pub enum Effect<E> {
    /// Send a message, again and again until everyone in `to` has acknowledged it or `expires`.
    Send {
        /// What to say.
        body: Body,
        /// The interval it is about.
        interval: Interval,
        /// On whose addressed topic it goes; none for the sender's broadcast topic.
        recipient: Option<PartyId>,
        /// Who must acknowledge. Empty for what is repeated anyway (time, consensus).
        acknowledged_by: Vec<PartyId>,
        /// Chosen by the core, given back in [`Input::Answered`].
        tag: u64,
    },
    /// Answer a message.
    Acknowledge {
        /// Which.
        of: MessageRef,
        /// How.
        verdict: Verdict,
    },
    /// Tell the operator: counted under `event` (a metric label, few and fixed) and logged.
    Note {
        /// Name of the event.
        event: &'static str,
        /// In words.
        text: String,
    },
    /// What only the role's own shell can do.
    Own(E),
}

/// A role's deciding part. A shell calls it with everything that happens and performs what it asks.
pub trait RoleCore: Send + Unpin + 'static {
    /// Whether it says nothing that is bound to a time before its clock is borne out. Others go by a clock that nothing speaks
    /// against.
    const CONFIRMS_CLOCK: bool = false;

    /// What only the role's own shell can report.
    type Report: Send + Unpin + 'static;
    /// What only the role's own shell can do.
    type Act: Send + 'static;

    /// Takes in one thing that happened and says what is to be done about it. Must be safe to call with
    /// the same message twice, and with time that stands still.
    fn step(&mut self, now: Now, input: Input<Self::Report>) -> Vec<Effect<Self::Act>>;

    /// The chain it follows, where it follows one. The shell goes by its registry.
    fn chain(&mut self) -> Option<&mut Chain> {
        None
    }

    /// Hears of rules that hold on the ledger from now on. What of them concerns it, a role goes by from the next
    /// boundary of an interval on.
    fn govern(&mut self, rules: &Arc<Rules>) {
        let _ = rules;
    }

    /// Validators whose broadcasts of blocks it hears, where these are not all of them.
    fn hears(&self) -> Vec<PartyId> {
        Vec::new()
    }

    /// Hears that the machine's clock is borne out from now on, or no longer. What binds others to a time, a role says by a clock
    /// that is; it may take every clock for one where it has nothing of the kind to say.
    fn trust_clock(&mut self, sane: bool) {
        let _ = sane;
    }

    /// Takes note of the signed envelope in which a message with this tag went out. The shell says so
    /// for every [`Effect::Send`]; few roles need their own signed words as evidence.
    fn sent(&mut self, tag: u64, envelope: &SignedEnvelope) {
        let _ = (tag, envelope);
    }
}

/// For roles whose shell has nothing of its own to do or to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nothing {}
