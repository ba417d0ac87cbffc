//! Who is who in a market: the questions every role asks at its start, and whenever its terms change.

use crate::terms::Terms;
use ledger::contracts::rules::RulesError;
use market::day_ahead::terms::Overloaded;
use market::feeder::FeederError;
use market::grid::rules::GridRulesError;
use market::units::Milliwatt;
use std::collections::BTreeMap;
use thiserror::Error;
use wire::party::{Id, PartyId, Role};

/// A market in which a role cannot play.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RosterError {
    /// No participant with this role.
    #[error("the market has no participant with role {role}")]
    NoRole {
        /// The role's word.
        role: &'static str,
    },
    /// A site whose bus, aggregator or connection limit is missing.
    #[error("site {site} has no {what}")]
    IncompleteSite {
        /// The site.
        site: PartyId,
        /// bus, aggregator or connection limit.
        what: &'static str,
    },
    /// An aggregator has a site at a bus that is not on the feeder.
    #[error("{aggregator} has a site at a bus that is not on the feeder")]
    UnknownBus {
        /// The aggregator.
        aggregator: PartyId,
    },
    /// The feeder is no tree.
    #[error("the feeder: {0}")]
    Feeder(#[from] FeederError),
    /// The price limits are no range of prices.
    #[error("the market's lowest price lies above its highest, or one of them out of bounds")]
    PriceRange,
    /// The grid rules do not fit the feeder.
    #[error(transparent)]
    Grid(#[from] GridRulesError),
    /// Reactive power as planned leaves a line no room for the day-ahead market.
    #[error("the day-ahead market: {0}")]
    Overloaded(#[from] Overloaded),
    /// The genesis makes no ledger.
    #[error("the genesis: {0}")]
    Rules(#[from] RulesError),
}

/// One site, as its aggregator needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteEntry {
    /// The site.
    pub party: PartyId,
    /// Its account on the ledger.
    pub account: Id,
    /// Its aggregator.
    pub aggregator: Id,
    /// Its bus.
    pub bus: String,
    /// The most it may take or feed in.
    pub connection: Milliwatt,
}

/// Every participant with `role`, in order.
pub fn parties(terms: &Terms, role: Role) -> Vec<PartyId> {
    let mut parties: Vec<PartyId> =
        terms.participants.iter().filter(|p| p.party.role == role).map(|p| p.party.clone()).collect();
    parties.sort();
    parties
}

/// The first participant with `role`, for roles there is one of.
///
/// # Errors
/// [`RosterError::NoRole`].
pub fn only(terms: &Terms, role: Role) -> Result<PartyId, RosterError> {
    parties(terms, role).into_iter().next().ok_or(RosterError::NoRole { role: role.word() })
}

/// Every site, in order of account.
///
/// # Errors
/// [`RosterError::IncompleteSite`].
pub fn sites(terms: &Terms) -> Result<BTreeMap<Id, SiteEntry>, RosterError> {
    let sites = terms.participants.iter().filter(|p| p.party.role == Role::Site);
    sites
        .map(|p| {
            let missing = |what| RosterError::IncompleteSite { site: p.party.clone(), what };
            let entry = SiteEntry {
                party: p.party.clone(),
                account: p.account.clone(),
                aggregator: p.aggregator.clone().ok_or_else(|| missing("aggregator"))?,
                bus: p.bus.clone().ok_or_else(|| missing("bus"))?,
                connection: p
                    .connection_milliwatt
                    .map(Milliwatt)
                    .ok_or_else(|| missing("connection limit"))?,
            };
            Ok((p.account.clone(), entry))
        })
        .collect()
}

/// By aggregator, in order, its buses and the connection limits at each together. Aggregators without
/// sites are not among them: nobody waits for those.
///
/// # Errors
/// [`RosterError::IncompleteSite`].
pub fn buses_by_aggregator(
    terms: &Terms,
) -> Result<BTreeMap<PartyId, BTreeMap<String, Milliwatt>>, RosterError> {
    let mut buses: BTreeMap<PartyId, BTreeMap<String, Milliwatt>> = BTreeMap::new();
    for site in sites(terms)?.into_values() {
        let aggregator = PartyId::new(Role::Aggregator, site.aggregator);
        *buses.entry(aggregator).or_default().entry(site.bus).or_default() += site.connection;
    }
    Ok(buses)
}
