//! The TSO interface: the import's price, day ahead and interval by interval.

pub mod core;

use crate::roster;
use crate::shell::{self, Common, Connection, NoPerformer, RoleHandle, StartError};
use market::interval::{Interval, UnixSeconds};
use wire::party::Role;

pub use self::core::{ImportTerms, TsoCore};

/// Messages waiting for answers: one supply an interval.
const QUEUE: usize = 64;

/// What is particular to a TSO interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TsoOptions {
    /// What import costs and how much of it there is.
    pub terms: ImportTerms,
}

/// Starts the TSO interface on the current arbiter.
///
/// # Errors
/// Where the genesis has no DSO, the terms give no curve, or the link can't be made.
pub fn start(common: &Common, options: TsoOptions) -> Result<RoleHandle, StartError> {
    let dso = roster::only(&common.genesis, Role::Dso)?;
    let first = options.terms.prices.first().map_or(Interval(UnixSeconds(0)), |price| price.interval);
    let core = TsoCore::new(common.genesis.parameters, dso, options.terms);
    if let Some(Err(error)) = core.curve(first) {
        return Err(StartError::Options { reason: format!("the TSO interface's terms: {error}") });
    }
    shell::start(common, core, NoPerformer, Connection { subscriptions: Vec::new(), queue: QUEUE })
}
