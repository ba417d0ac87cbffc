//! Agreement on one block at each height, as the rest of the ledger sees it: what goes in, what
//! comes out. The algorithm behind is Tendermint's, from the malachite crates; only [`core`] and
//! the files beside it know that.

mod certificates;
pub mod committee;
pub mod concern;
mod context;
pub mod core;
pub mod equivocation;
pub mod message;
mod translate;

use crate::block::vote::{SignedProposal, SignedVote, ValidatorIndex, VoteCertificate};
use committee::Committee;
use equivocation::Equivocation;
use message::{PolkaCertificate, Record, RoundCertificate, Statement};
use std::sync::Arc;
use thiserror::Error;
use wire::hash::Hash32;

/// What a timer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimerKind {
    /// A proposal.
    Propose,
    /// Prevotes that agree.
    Prevote,
    /// Precommits that agree.
    Precommit,
    /// Anything: time to say again what was said.
    Rebroadcast,
}

/// A timer of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timer {
    /// What it waits for.
    pub kind: TimerKind,
    /// Its round.
    pub round: u32,
}

/// What agreement is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Begin a height. The one before is decided and its block executed.
    Start {
        /// The height.
        height: u64,
        /// Who decides it.
        committee: Arc<Committee>,
        /// Which of them we are.
        me: ValidatorIndex,
        /// What was recorded of it before a crash, in order; none otherwise.
        records: Vec<Record>,
    },
    /// Another validator's proposal, and whether its block may follow on the chain.
    Proposal {
        /// The proposal; its signature was checked.
        proposal: SignedProposal,
        /// Whether the block was executed and found right.
        valid: bool,
    },
    /// Another validator's vote.
    Vote(SignedVote),
    /// Two thirds of prevotes for a block.
    Polka(PolkaCertificate),
    /// Votes that let a later round begin.
    Round(RoundCertificate),
    /// Our block for a round in which we propose.
    Propose {
        /// The round.
        round: u32,
        /// The block's hash.
        block: Hash32,
    },
    /// A timer ran out.
    TimeUp(Timer),
    /// The height was decided without us: nothing more is to be said about it.
    End,
}

/// What agreement wants done, in order: what is published depends on what was recorded before it.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Record before anything after it is published.
    Record(Record),
    /// Tell every validator.
    Publish(Statement),
    /// Start a timer, in place of a running one of the same kind and round.
    Schedule(Timer),
    /// Stop a timer.
    Cancel(Timer),
    /// Stop every timer.
    CancelAll,
    /// It is our turn to propose in this round, if there is something to propose.
    NeedBlock {
        /// The round.
        round: u32,
    },
    /// The height is decided.
    Decided {
        /// Hash of the block.
        block: Hash32,
        /// The votes.
        certificate: VoteCertificate,
    },
    /// A validator said two different things where it may say one. Told once the height is over.
    Equivocation(Box<Equivocation>),
    /// A message led to an error inside the algorithm and was dropped.
    Dropped {
        /// What it said.
        reason: String,
    },
}

/// Why agreement can't go on. Whoever meets one must stop, and not vote.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AgreementError {
    /// The key by which we vote at this height is not held.
    #[error("height {height} was to begin without the key by which we vote there")]
    NoKey {
        /// The height.
        height: u64,
    },
    /// Replaying the records of this height led to something else than was said before.
    #[error("replaying the write-ahead log of height {height} led elsewhere than before: {reason}")]
    Diverged {
        /// The height.
        height: u64,
        /// What the algorithm said.
        reason: String,
    },
}

/// Agreement on one block at each height. A pure function of its inputs.
pub trait Agreement {
    /// One step.
    ///
    /// # Errors
    /// Where it can't go on without risking to contradict itself.
    fn step(&mut self, input: Input) -> Result<Vec<Output>, AgreementError>;
    /// The round it is in, where a height has begun and is not over.
    fn round(&self) -> Option<u32>;
}
