//! The TSO interface: the import's price, day ahead and interval by interval.

pub mod core;
pub mod prices;
pub mod question;
pub mod session;
mod shell;
pub mod wholesale;

pub(crate) use self::shell::Gauges;
use self::shell::TsoPerformer;
use crate::roster;
use crate::shell::{start as start_role, Common, Connection, RoleHandle, StartError};
use market::interval::{Interval, UnixSeconds};
use market::units::{MicrogramPerWh, PicoEurPerWh};
use wire::party::Role;

pub use self::core::{ImportTerms, TsoCore};
pub use self::wholesale::Wholesale;

/// Messages waiting for answers: one supply an interval.
const QUEUE: usize = 64;

/// What is particular to a TSO interface: where import comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum TsoOptions {
    /// Stated prices.
    Terms(ImportTerms),
    /// A wholesale market with everybody's curves but the feeder's.
    Wholesale(Wholesale),
}

/// Starts the TSO interface, whose import emits `emission`, on the current arbiter.
///
/// # Errors
/// Where the genesis has no DSO, the terms or the wholesale market give no curve, a metric is registered
/// already, or the link can't be made.
pub fn start(
    common: &Common,
    options: TsoOptions,
    emission: MicrogramPerWh,
) -> Result<RoleHandle, StartError> {
    let (genesis, market) = (&common.genesis, common.terms());
    let dso = roster::only(&market, Role::Dso)?;
    let core = match options {
        TsoOptions::Terms(terms) => {
            let first = terms.prices.first().map_or(Interval(UnixSeconds(0)), |price| price.interval);
            let core = TsoCore::new(market.parameters, dso, terms).and_day_ahead(market.day_ahead);
            if let Some(Err(error)) = core.curve(first) {
                return Err(StartError::Options { reason: format!("the TSO interface's terms: {error}") });
            }
            core
        }
        TsoOptions::Wholesale(wholesale) => {
            wholesale.supply(Interval(UnixSeconds(0))).map_err(|error| StartError::Options {
                reason: format!("the TSO interface's wholesale market: {error}"),
            })?;
            let chain = common.chain.clone();
            TsoCore::trading(market.parameters, dso, wholesale, chain).and_day_ahead(market.day_ahead)
        }
    };
    let adder = market.grid.as_ref().map_or(Some(PicoEurPerWh::ZERO), |rules| rules.carbon_adder(emission));
    let beyond =
        || StartError::Options { reason: "the carbon price of its import is beyond the market's".into() };
    let core = core.emitting(emission, adder.ok_or_else(beyond)?);
    let performer = TsoPerformer::register(&common.registry)?;
    // Only who trades needs to know what was cleared.
    let blocks = core.trades().then(|| genesis.network.filter_broadcast(Role::Validator, "block"));
    start_role(
        common,
        core,
        performer,
        Connection { subscriptions: blocks.into_iter().collect(), queue: QUEUE },
    )
}
