//! A process's health, watched from outside its actors: a thread of its own looks once a second whose heart has beaten,
//! feeds systemd's watchdog while all do, and keeps what /healthz and /readyz say.

pub mod core;
mod standing;

use self::core::{Heartbeats, Standing};
use super::notify::Notifier;
use agents::metrics::AgentMetrics;
use prometheus::core::Collector;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// Says how often hearts have beaten.
pub type Pulse = Box<dyn Fn() -> Vec<(String, u64)> + Send>;

/// Health of one process. Clones are the same one.
#[derive(Clone)]
pub struct Health(Arc<Shared>);

struct Shared {
    start: Instant,
    patience_ms: u64,
    registry: prometheus::Registry,
    stopped: prometheus::IntGauge,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hearts: Heartbeats,
    pulses: Vec<Pulse>,
    /// Folders of data.
    folders: Vec<std::path::PathBuf>,
    started: bool,
    /// What was last said of those that stopped.
    said: Vec<String>,
}

impl Health {
    /// Of a process in which nothing runs yet, watched from now on until the last handle is gone; hearts may be silent for
    /// so long.
    ///
    /// # Errors
    /// Where the registry has such a metric already.
    pub fn new(registry: &prometheus::Registry, patience_ms: u64) -> Result<Self, prometheus::Error> {
        let stopped = stopped_gauge()?;
        registry.register(Box::new(stopped.clone()))?;
        let (start, registry, state) = (Instant::now(), registry.clone(), Mutex::default());
        let health = Self(Arc::new(Shared { start, patience_ms, registry, stopped, state }));
        let watched = Arc::downgrade(&health.0);
        let watching = std::thread::Builder::new()
            .name("health".to_owned())
            .spawn(move || watch(&watched, Notifier::from_environment()));
        if let Err(error) = watching {
            tracing::error!(%error, "nobody watches over this process's roles");
        }
        Ok(health)
    }

    /// A heart beats from now on; `pulse` says how often it has, and may say so of others as well.
    pub fn expect(&self, who: &str, pulse: Option<Pulse>) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        state.hearts.expect(who, now_ms);
        state.pulses.extend(pulse);
    }

    /// Roles' heartbeats are those in these metrics.
    pub fn watch_roles(&self, metrics: &AgentMetrics) {
        let heartbeats = metrics.heartbeats.clone();
        self.state().pulses.push(Box::new(move || standing::beats(&heartbeats.collect())));
    }

    /// Data is kept there.
    pub fn keeps(&self, folder: Option<std::path::PathBuf>) {
        self.state().folders.extend(folder);
    }

    /// Everything has been started.
    pub fn started(&self) {
        self.state().started = true;
    }

    /// Everyone in this process, and those whose heart has stopped.
    pub fn hearts(&self) -> (Vec<String>, Vec<String>) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        look(&mut state, now_ms);
        (state.hearts.all(), state.hearts.stopped(now_ms, self.0.patience_ms))
    }

    /// Everything on which it depends whether the process is ready.
    pub fn standing(&self) -> Standing {
        let (all, stopped) = self.hearts();
        let state = self.state();
        let (starting, folders) = (!state.started, state.folders.clone());
        drop(state);
        let clock_before_build = (crate::clock::wall_ms() / 1_000).cast_signed() < crate::BUILT_S;
        let roles = standing::of(&all, &self.0.registry.gather());
        Standing { starting, clock_before_build, stopped, roles, disks: standing::disks(&folders) }
    }

    fn now_ms(&self) -> u64 {
        self.0.start.elapsed().as_millis() as u64
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn look(state: &mut State, now_ms: u64) {
    let State { hearts, pulses, .. } = state;
    for (who, count) in pulses.iter().flat_map(|pulse| pulse()) {
        hearts.observe(&who, count, now_ms);
    }
}

/// Looks until the process's health is nobody's business any more.
fn watch(watched: &Weak<Shared>, notifier: Option<Notifier>) {
    let period = notifier.as_ref().and_then(Notifier::watchdog);
    let mut fed = Instant::now();
    let (mut ready, mut status) = (false, String::new());
    loop {
        let Some(shared) = watched.upgrade() else { return };
        let health = Health(shared);
        let (_, stopped) = health.hearts();
        health.0.stopped.set(i64::try_from(stopped.len()).unwrap_or(i64::MAX));
        let mut state = health.state();
        if state.said != stopped {
            tracing::error!(stopped = stopped.join(", "), "heartbeats that have stopped");
            state.said.clone_from(&stopped);
        }
        let started = state.started;
        drop(state);
        if let Some(notifier) = &notifier {
            if started && !ready {
                notifier.tell("READY=1");
                ready = true;
            }
            let now = status_line(&health.standing());
            if now != status {
                notifier.tell(&format!("STATUS={now}"));
                status = now;
            }
            // Twice within each period, and only while every heart beats.
            if stopped.is_empty() && period.is_some_and(|period| fed.elapsed() * 3 >= period) {
                notifier.tell("WATCHDOG=1");
                fed = Instant::now();
            }
        }
        drop(health);
        std::thread::sleep(period.map_or(EVERY, |period| EVERY.min(period / 4)));
    }
}

/// One line for `systemctl status`.
fn status_line(standing: &Standing) -> String {
    let reasons = standing.reasons();
    match &reasons[..] {
        [] => "ready".to_owned(),
        reasons => format!("not ready: {}", reasons.join("; ")),
    }
}

/// How many have stopped.
///
/// # Errors
/// Never, as far as its name is a good one.
pub fn stopped_gauge() -> Result<prometheus::IntGauge, prometheus::Error> {
    let help = "Roles, validators and brokers of this process whose heartbeat has stopped. Unit: heartbeats.";
    prometheus::IntGauge::new("gridpact_heartbeats_stopped", help)
}

#[cfg(test)]
mod tests;
