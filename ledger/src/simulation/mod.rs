//! Whole validators under a virtual clock with seeded faults: the same cores and the same codecs as
//! on a network, while messages and disks are lists of bytes. One seed is one run, and gives the same
//! run again. What is checked is in [`check`]; what goes wrong by intent in [`fault`], and what happens
//! besides (who comes and goes, how much is kept) in [`course`]; and that the checks see it where a part is
//! broken, in [`bug`]. Nothing here reads a clock, a socket or a file.

pub mod bug;
pub mod check;
mod coming;
pub mod course;
mod disk;
pub mod fault;
mod folder;
mod forger;
mod hands;
mod hasty;
mod judge;
mod lockless;
mod network;
mod node;
mod operator;
mod process;
mod run;
mod scenario;
mod store;
mod world;

pub use bug::Bug;
pub use check::{Failure, Violation};
pub use course::Course;
pub use fault::Fault;
pub use run::simulate;
pub use scenario::{Report, Scenario};

use crate::contracts::rules::RulesError;
use crate::state::StateError;
use thiserror::Error;
use wire::cbor::CborError;
use wire::envelope::EnvelopeError;
use wire::party::PartyError;

/// Why a simulation can't be set up. Nothing of this depends on the seed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SetupError {
    /// The simulated market makes no ledger.
    #[error("the simulated market: {0}")]
    Rules(#[from] RulesError),
    /// It gives no state.
    #[error("the simulated market: {0}")]
    State(#[from] StateError),
    /// A name in it is none.
    #[error("the simulated market: {0}")]
    Name(#[from] PartyError),
    /// A submission can't be signed.
    #[error("the simulated market: {0}")]
    Envelope(#[from] EnvelopeError),
    /// Something has no encoding.
    #[error("the simulated market: {0}")]
    Encoding(#[from] CborError),
}
