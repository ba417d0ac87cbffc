//! What contracts go by: the genesis, arranged for looking things up. Never changes.

use super::versions::Versions;
use crate::block::verifier::Verifier;
use crate::genesis::{
    Genesis, GenesisError, CARBON_ACCOUNT, FEES_ACCOUNT, PENALTIES_ACCOUNT, REDEMPTIONS_ACCOUNT,
    ROUNDING_ACCOUNT,
};
use market::day_ahead::rules::DayAheadRules;
use market::day_ahead::terms::DayAheadTerms;
use market::feeder::{Feeder, Tree};
use market::grid::rules::GridTerms;
use market::parameters::MarketParameters;
use market::units::{MicroEurPerTonne, Milliwatt};
use std::collections::{BTreeMap, HashMap};
use thiserror::Error;
use wire::cbor::CborError;
use wire::party::{Id, Participant, PartyError, PartyId, Role};

/// A site as contracts see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteRule {
    /// Place of its bus in the feeder's buses.
    pub bus: u32,
    /// Its aggregator.
    pub aggregator: Id,
    /// The most it may take or feed in.
    pub connection: Milliwatt,
}

/// An aggregator as contracts see it: the buses where it has sites, with the sum of these sites'
/// connections at each.
pub type AggregatorRule = BTreeMap<u32, Milliwatt>;

/// The genesis, arranged for looking things up.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Checks envelopes and votes.
    pub verifier: Verifier,
    /// The feeder.
    pub feeder: Feeder,
    /// The feeder's order.
    pub tree: Tree,
    /// Feeder and rules of a market that knows its grid.
    pub grid: Option<GridTerms>,
    /// What day-ahead sessions go by, where there are any.
    pub day_ahead: Option<DayAhead>,
    /// The market's figures.
    pub parameters: MarketParameters,
    /// Each bus's place in the feeder's buses.
    pub bus_index: HashMap<String, u32>,
    /// Sites by account.
    pub sites: BTreeMap<Id, SiteRule>,
    /// Aggregators that have sites, by identifier.
    pub aggregators: BTreeMap<Id, AggregatorRule>,
    /// Account of the distribution system operator.
    pub dso_account: Id,
    /// Account of the TSO interface.
    pub tso_account: Id,
    /// Account that receives what rounding leaves.
    pub rounding_account: Id,
    /// Account that receives fees.
    pub fees_account: Id,
    /// Account that receives penalties.
    pub penalties_account: Id,
    /// Account where tokens wait that a gateway was asked to pay out.
    pub redemptions_account: Id,
    /// Which version of each contract holds.
    pub versions: Versions,
    /// The carbon price with the account that receives it, in a market that has one.
    pub carbon: Option<(MicroEurPerTonne, Id)>,
}

/// What day-ahead sessions go by.
#[derive(Clone, Debug, PartialEq)]
pub struct DayAhead {
    /// When they are.
    pub rules: DayAheadRules,
    /// What binds in them.
    pub terms: DayAheadTerms,
}

/// Why a genesis gives no rules.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RulesError {
    /// The genesis does not hold.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The genesis has no encoding.
    #[error("encoding the genesis: {0}")]
    Encoding(#[from] CborError),
    /// An account's name is none.
    #[error(transparent)]
    Account(#[from] PartyError),
}

impl Rules {
    /// What a tonne emitted for the import costs; nothing where emissions have no price.
    pub fn carbon_price(&self) -> MicroEurPerTonne {
        self.carbon.as_ref().map_or(MicroEurPerTonne::ZERO, |(price, _)| *price)
    }

    /// The rules of the ledger that starts from `genesis`.
    ///
    /// # Errors
    /// Where the genesis does not hold.
    pub fn new(genesis: &Genesis) -> Result<Self, RulesError> {
        genesis.validate()?;
        let verifier = Verifier::new(genesis)?;
        let bus_index: HashMap<String, u32> =
            (0..).zip(&genesis.feeder.buses).map(|(index, bus)| (bus.clone(), index)).collect();
        let mut sites = BTreeMap::new();
        let mut aggregators: BTreeMap<Id, AggregatorRule> = BTreeMap::new();
        for (participant, site) in genesis.participants.iter().filter_map(|p| Some((p, site(p, &bus_index)?)))
        {
            let at_bus = aggregators.entry(site.aggregator.clone()).or_default().entry(site.bus).or_default();
            at_bus.0 = at_bus.0.saturating_add(site.connection.0);
            sites.insert(participant.account.clone(), site);
        }
        let tree = genesis.feeder.tree().map_err(GenesisError::from)?;
        let grid = genesis.grid.as_ref().map(|rules| rules.terms(&genesis.feeder, &tree));
        let grid = grid.transpose().map_err(GenesisError::from)?;
        let day_ahead = genesis.day_ahead.zip(grid.as_ref()).map(|(rules, grid)| {
            DayAheadTerms::new(grid, genesis.parameters.interval_s).map(|terms| DayAhead { rules, terms })
        });
        Ok(Self {
            grid,
            day_ahead: day_ahead.transpose().map_err(GenesisError::from)?,
            dso_account: account_of_only(genesis, Role::Dso)?,
            tso_account: account_of_only(genesis, Role::Tso)?,
            rounding_account: ROUNDING_ACCOUNT.parse()?,
            fees_account: FEES_ACCOUNT.parse()?,
            penalties_account: PENALTIES_ACCOUNT.parse()?,
            redemptions_account: REDEMPTIONS_ACCOUNT.parse()?,
            versions: Versions::default(),
            carbon: match genesis.grid.as_ref().and_then(|rules| rules.carbon_price) {
                Some(price) => Some((price, CARBON_ACCOUNT.parse()?)),
                None => None,
            },
            verifier,
            feeder: genesis.feeder.clone(),
            tree,
            parameters: genesis.parameters,
            bus_index,
            sites,
            aggregators,
        })
    }

    /// The party's account.
    pub fn account_of(&self, party: &PartyId) -> Option<&Id> {
        self.verifier.registry().get(party).map(|participant| &participant.account)
    }
}

fn site(participant: &Participant, bus_index: &HashMap<String, u32>) -> Option<SiteRule> {
    if participant.party.role != Role::Site {
        return None;
    }
    let bus = *bus_index.get(participant.bus.as_ref()?)?;
    let connection = Milliwatt(participant.connection_milliwatt?);
    Some(SiteRule { bus, aggregator: participant.aggregator.clone()?, connection })
}

fn account_of_only(genesis: &Genesis, role: Role) -> Result<Id, GenesisError> {
    let only = genesis.participants.iter().find(|p| p.party.role == role);
    let missing = GenesisError::Roles { role: role.word(), count: 0, needed: "exactly one" };
    only.map(|p| p.account.clone()).ok_or(missing)
}
