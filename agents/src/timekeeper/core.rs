//! Simulated time: goes from phase to phase when a phase's work has been seen, or a limit of real time has
//! passed, and not faster than it should. For simulation only; a market on the system's clock has none.

use super::phases::{Phase, Stop, Timetable};
use super::watch::{Missing, Watch};
use crate::chain::Chain;
use crate::core::{Effect, Incoming, Input, Now, RoleCore};
use crate::roster::{self, RosterError};
use crate::terms::Terms;
use ledger::genesis::Genesis;
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use wire::message::{Body, MessageRef, Tick};
use wire::party::Role;

/// Real time after which a tick that nothing came of is repeated.
const REPEAT_MS: u64 = 250;
/// How many times a phase's limit a day-ahead session may take to be cleared.
const SESSION_PATIENCE: u64 = 6;

/// From when to when, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// First interval traded.
    pub first: Interval,
    /// How many intervals are traded; none for no end.
    pub count: Option<u32>,
    /// Seconds of market time per second of real time, at most; more than 0.
    pub speed: u32,
    /// Milliseconds of real time a phase may take before it is given up.
    pub phase_limit_ms: u64,
}

/// What only the timekeeper's shell can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimekeeperAct {
    /// Let the simulated world live up to this time, then report it: before anyone hears of the time.
    AdvanceWorld(UnixSeconds),
    /// Tell whoever started the timekeeper how far it has come.
    Show(Progress),
}

/// What only the timekeeper's shell reports.
#[derive(Clone, Debug, PartialEq)]
pub enum TimekeeperReport {
    /// The simulated world is at this time.
    WorldAdvanced(UnixSeconds),
    /// Something one party said to another.
    Overheard(Box<Overheard>),
}

/// A message between others, rightly signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Overheard {
    /// Its name.
    pub id: MessageRef,
    /// The interval it is about.
    pub interval: Interval,
    /// What it says.
    pub body: Body,
}

/// How far simulated time has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Market time; none before the first tick.
    pub now: Option<UnixSeconds>,
    /// Traded intervals that have started.
    pub started: u32,
    /// Whether every interval is over and its deliveries decided, or given up.
    pub finished: bool,
}

/// Where the timekeeper stands in its present phase.
enum Standing {
    /// Too early in real time.
    Waiting { until_ms: u64 },
    /// The world is being advanced.
    Advancing,
    /// The tick is out, and the phase's work is waited for.
    Watching { since_ms: u64, said_ms: u64 },
    /// Nothing left to do.
    Finished,
}

/// The timekeeper.
pub struct TimekeeperCore {
    parameters: MarketParameters,
    pace: Pace,
    timetable: Timetable,
    stop: Stop,
    standing: Standing,
    watch: Watch,
    chain: Chain,
    started: u32,
}

type Effects = Vec<Effect<TimekeeperAct>>;

impl TimekeeperCore {
    /// Keeps time for everyone in this genesis.
    ///
    /// # Errors
    /// Where the genesis says too little of a site.
    pub fn new(genesis: &Genesis, pace: Pace) -> Result<Self, RosterError> {
        let terms = Terms::from(genesis);
        let sites = roster::sites(&terms)?;
        let aggregators = roster::buses_by_aggregator(&terms)?.into_keys().collect();
        let mut timetable = Timetable::new(genesis.parameters, genesis.day_ahead, pace.first, pace.count);
        let prelude = Stop { phase: Phase::Prelude(pace.first), at: pace.first.start() };
        let stop = timetable.next().unwrap_or(prelude);
        Ok(Self {
            parameters: genesis.parameters,
            pace,
            timetable,
            stop,
            standing: Standing::Waiting { until_ms: 0 },
            watch: Watch::new(sites.into_values().map(|site| site.party).collect(), aggregators),
            chain: Chain::new(genesis)?,
            started: 0,
        })
    }

    fn on_time(&mut self, now: Now) -> Effects {
        match self.standing {
            Standing::Waiting { until_ms } if now.real_ms >= until_ms => {
                self.standing = Standing::Advancing;
                vec![Effect::Own(TimekeeperAct::AdvanceWorld(self.stop.at))]
            }
            Standing::Watching { since_ms, said_ms } => {
                let missing = self.watch.missing(self.stop.phase, &self.parameters);
                if missing.is_empty() {
                    return self.go_on(now);
                }
                if now.real_ms.saturating_sub(since_ms) >= self.limit_ms() {
                    return self.give_up(now, &missing);
                }
                if now.real_ms.saturating_sub(said_ms) >= REPEAT_MS {
                    self.standing = Standing::Watching { since_ms, said_ms: now.real_ms };
                    return vec![self.tick()];
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn on_message(&mut self, now: Now, message: &Incoming) -> Effects {
        if let Body::Block(bytes) = &message.body {
            match self.chain.take(bytes) {
                Ok(Some(decided)) => self.watch.see_block(&decided),
                Ok(None) => {}
                Err(error) => return vec![Effect::Note { event: "bad-block", text: error.to_string() }],
            }
        } else {
            self.watch.see(&message.id, message.interval, &message.body);
        }
        self.look(now)
    }

    /// What was seen may have been the last thing missing.
    fn look(&mut self, now: Now) -> Effects {
        match self.standing {
            Standing::Watching { .. } => self.on_time(now),
            _ => Vec::new(),
        }
    }

    fn on_advanced(&mut self, now: Now, at: UnixSeconds) -> Effects {
        if !matches!(self.standing, Standing::Advancing) || at != self.stop.at {
            return Vec::new();
        }
        self.standing = Standing::Watching { since_ms: now.real_ms, said_ms: now.real_ms };
        if matches!(self.stop.phase, Phase::Start(interval) if Some(interval) != self.timetable.end()) {
            self.started += 1;
        }
        vec![self.tick(), self.show(false)]
    }

    /// A session's clearing is that of many intervals, and may take as much longer.
    fn limit_ms(&self) -> u64 {
        match self.stop.phase {
            Phase::SessionClosure(_) => SESSION_PATIENCE * self.pace.phase_limit_ms,
            _ => self.pace.phase_limit_ms,
        }
    }

    fn give_up(&mut self, now: Now, missing: &[Missing]) -> Effects {
        self.watch.give_up(missing);
        let names: Vec<String> = missing
            .iter()
            .take(5)
            .map(|m| match &m.of {
                Some(party) => format!("{} of {party}", m.what),
                None => m.what.to_owned(),
            })
            .collect();
        let text = format!(
            "{} for {} went on without {} things: {}",
            self.stop.phase.word(),
            self.stop.phase.interval(),
            missing.len(),
            names.join(", ")
        );
        let mut effects = vec![Effect::Note { event: "phase-limit", text }];
        effects.extend(self.go_on(now));
        effects
    }

    /// On to the next phase, as soon as real time allows.
    fn go_on(&mut self, now: Now) -> Effects {
        let Standing::Watching { since_ms, .. } = self.standing else { return Vec::new() };
        let Some(next) = self.timetable.next() else {
            self.standing = Standing::Finished;
            return vec![self.show(true)];
        };
        let market_s = next.at.0 - self.stop.at.0;
        let pause_ms = u64::try_from(market_s).unwrap_or(0) * 1_000 / u64::from(self.pace.speed.max(1));
        self.stop = next;
        self.standing = Standing::Waiting { until_ms: since_ms + pause_ms };
        self.watch.enter(&self.parameters, next.phase);
        self.on_time(now)
    }

    fn tick(&self) -> Effect<TimekeeperAct> {
        Effect::Send {
            body: Body::Tick(Tick { now: self.stop.at }),
            interval: self.stop.phase.interval(),
            recipient: None,
            acknowledged_by: Vec::new(),
            tag: 0,
        }
    }

    fn show(&self, finished: bool) -> Effect<TimekeeperAct> {
        let now = Some(self.stop.at);
        Effect::Own(TimekeeperAct::Show(Progress { now, started: self.started, finished }))
    }
}

impl RoleCore for TimekeeperCore {
    type Report = TimekeeperReport;
    type Act = TimekeeperAct;

    fn chain(&mut self) -> Option<&mut Chain> {
        Some(&mut self.chain)
    }

    fn step(&mut self, now: Now, input: Input<TimekeeperReport>) -> Effects {
        match input {
            Input::Poll => self.on_time(now),
            Input::Message(message) => self.on_message(now, &message),
            // Ticks are acknowledged by nobody.
            Input::Answered { .. } => Vec::new(),
            Input::Own(TimekeeperReport::WorldAdvanced(at)) => self.on_advanced(now, at),
            Input::Own(TimekeeperReport::Overheard(heard)) => {
                self.watch.see(&heard.id, heard.interval, &heard.body);
                self.look(now)
            }
        }
    }
}

/// What it listens to of what is said to all, as (sender's role, kind).
pub const BROADCASTS: [(Role, &str); 2] = [(Role::Validator, "block"), (Role::Tso, "forecast")];
