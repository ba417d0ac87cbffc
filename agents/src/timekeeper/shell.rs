//! The timekeeper's own shell: advances the simulated world, listens to the market's work, and shows how far
//! time has come.

use super::core::{Pace, Progress, TimekeeperAct, TimekeeperCore, TimekeeperReport, BROADCASTS};
use super::listener::Listener;
use crate::clock::ClockSource;
use crate::shell::{self, Common, Connection, Performer, RoleHandle, StartError};
use market::interval::UnixSeconds;
use std::fmt;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Advances a simulated world up to a time, and returns when it is there.
pub type AdvanceWorld = Arc<dyn Fn(UnixSeconds) + Send + Sync>;

/// What is particular to a timekeeper.
#[derive(Clone)]
pub struct TimekeeperOptions {
    /// From when to when, and how fast.
    pub pace: Pace,
    /// Lets the simulated devices' world live up to a time. Called before anyone hears of that time.
    pub advance: AdvanceWorld,
    /// Where progress is shown.
    pub progress: watch::Sender<Progress>,
}

impl fmt::Debug for TimekeeperOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimekeeperOptions({:?})", self.pace)
    }
}

/// Decided blocks and forecasts that may wait to be taken: the link is for these and for ticks.
const QUEUE: usize = 256;

/// Starts the timekeeper on the current arbiter.
///
/// # Errors
/// Where the genesis makes no market or the link can't be made.
pub fn start(common: &Common, options: TimekeeperOptions) -> Result<RoleHandle, StartError> {
    if options.pace.speed == 0 {
        return Err(StartError::Options { reason: "the timekeeper's speed must be more than 0".to_owned() });
    }
    let core = TimekeeperCore::new(&common.genesis, options.pace)?;
    let network = &common.genesis.network;
    let broadcasts = BROADCASTS.iter().map(|(role, kind)| network.filter_broadcast(*role, kind));
    let connection = Connection { subscriptions: broadcasts.collect(), queue: QUEUE };
    // It makes the simulated time, so it can't wait for it: its own polls come by the system's clock.
    let common = Common { clock: ClockSource::System, ..common.clone() };
    let performer = WorldPerformer {
        advance: options.advance,
        progress: options.progress,
        listener: Some(Listener::new(&common)),
    };
    shell::start(&common, core, performer, connection)
}

struct WorldPerformer {
    advance: AdvanceWorld,
    progress: watch::Sender<Progress>,
    /// Until the first act.
    listener: Option<Listener>,
}

impl Performer<TimekeeperCore> for WorldPerformer {
    fn perform(&mut self, act: TimekeeperAct, reports: &mpsc::Sender<TimekeeperReport>) {
        if let Some(listener) = self.listener.take() {
            // Ends with the actor, when nobody takes its reports any more.
            actix::spawn(listener.run(reports.clone()));
        }
        match act {
            TimekeeperAct::AdvanceWorld(to) => {
                let (advance, reports) = (self.advance.clone(), reports.clone());
                tokio::task::spawn_blocking(move || {
                    advance(to);
                    // Fails only where the timekeeper has ended.
                    let _ = reports.blocking_send(TimekeeperReport::WorldAdvanced(to));
                });
            }
            TimekeeperAct::Show(progress) => {
                self.progress.send_replace(progress);
            }
        }
    }
}
