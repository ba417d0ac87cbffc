//! A validator: mempool, agreement and catching up, as a pure core and the actor around it.

mod actor;
mod candidates;
mod catch_up;
pub mod core;
mod download;
mod handle;
pub mod hands;
pub mod mesh;
mod metrics;
mod reading;
pub mod serve;
mod window;

pub use handle::{start, StartError, ValidatorConfig, ValidatorHandle};
pub use metrics::catalogue as metrics_catalogue;
pub use reading::Blocks;

use serde::{Deserialize, Serialize};

use crate::consensus::{Timer, TimerKind};

/// How long a validator waits, in milliseconds of real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// For a proposal.
    pub propose_ms: u64,
    /// For prevotes that agree, once two thirds have voted.
    pub prevote_ms: u64,
    /// For precommits that agree, once two thirds have voted.
    pub precommit_ms: u64,
    /// Added to each of these with every round, so that slow networks agree too.
    pub each_round_ms: u64,
    /// Before saying again what was said.
    pub rebroadcast_ms: u64,
    /// The longest any of these gets.
    pub most_ms: u64,
    /// Before asking another validator for a block that others have and we don't.
    pub catch_up_ms: u64,
}

impl Default for Timeouts {
    /// For validators a few milliseconds apart on shared machines.
    fn default() -> Self {
        Self {
            propose_ms: 1_000,
            prevote_ms: 500,
            precommit_ms: 500,
            each_round_ms: 250,
            rebroadcast_ms: 1_000,
            most_ms: 10_000,
            catch_up_ms: 300,
        }
    }
}

impl Timeouts {
    /// How long a timer runs, in milliseconds.
    pub fn of(&self, timer: Timer) -> u64 {
        let (base, step) = match timer.kind {
            TimerKind::Propose => (self.propose_ms, self.each_round_ms),
            TimerKind::Prevote => (self.prevote_ms, self.each_round_ms),
            TimerKind::Precommit => (self.precommit_ms, self.each_round_ms),
            TimerKind::Rebroadcast => (self.rebroadcast_ms, 0),
        };
        base.saturating_add(step.saturating_mul(timer.round.into())).min(self.most_ms.max(1))
    }
}
