//! What contracts go by: the feeder, and what is governed, arranged for looking things up. A block goes by the
//! rules that held after the block before it.

use crate::block::verifier::Verifier;
use crate::genesis::{
    Genesis, GenesisError, CARBON_ACCOUNT, FEES_ACCOUNT, PENALTIES_ACCOUNT, REDEMPTIONS_ACCOUNT,
    ROUNDING_ACCOUNT,
};
use crate::governed::member::{Member, Standing};
use crate::governed::{registry, Governed};
use market::day_ahead::rules::DayAheadRules;
use market::day_ahead::terms::DayAheadTerms;
use market::feeder::{Feeder, Tree};
use market::grid::rules::GridTerms;
use market::parameters::MarketParameters;
use market::units::{MicroEurPerTonne, Milliwatt};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use thiserror::Error;
use wire::cbor::CborError;
use wire::hash::Hash32;
use wire::party::{Id, Participant, PartyError, PartyId, Role};
use wire::topic::Network;

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

/// What one ledger goes by after one of its blocks.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What is governed.
    pub governed: Arc<Governed>,
    /// Time of the block after which they hold, in milliseconds since 1970; 0 for the first.
    pub time_ms: u64,
    /// The next block time, in milliseconds since 1970, at which rules change although nothing governed does:
    /// somebody's registration begins or ends.
    pub boundary_ms: Option<u64>,
    /// Checks envelopes and votes.
    pub verifier: Verifier,
    /// The feeder.
    pub feeder: Arc<Feeder>,
    /// The feeder's order.
    pub tree: Arc<Tree>,
    /// Feeder and rules of a market that knows its grid.
    pub grid: Option<GridTerms>,
    /// What day-ahead sessions go by, where there are any.
    pub day_ahead: Option<DayAhead>,
    /// The market's figures.
    pub parameters: MarketParameters,
    /// Each bus's place in the feeder's buses.
    pub bus_index: Arc<HashMap<String, u32>>,
    /// Sites by account, former ones too: what they were committed to before is settled.
    pub sites: BTreeMap<Id, SiteRule>,
    /// Aggregators that take part and have sites that do, by identifier.
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

    /// The rules of the first block of the ledger that starts from `genesis`.
    ///
    /// # Errors
    /// Where the genesis does not hold.
    pub fn new(genesis: &Genesis) -> Result<Self, RulesError> {
        genesis.validate()?;
        let tree = genesis.feeder.tree().map_err(GenesisError::from)?;
        let buses = (0..).zip(&genesis.feeder.buses).map(|(index, bus)| (bus.clone(), index));
        let ground = Ground {
            ledger: (genesis.id()?, genesis.network.clone()),
            bus_index: Arc::new(buses.collect()),
            feeder: Arc::new(genesis.feeder.clone()),
            tree: Arc::new(tree),
        };
        Self::on(ground, Arc::new(Governed::genesis(genesis)), 0)
    }

    /// The rules after a block of this time, after which this is governed. The same ones where nothing changed.
    ///
    /// # Errors
    /// Where what is governed makes no rules; no block brings that about.
    pub fn after(self: &Arc<Self>, governed: &Arc<Governed>, time_ms: u64) -> Result<Arc<Self>, RulesError> {
        let in_time = self.boundary_ms.is_none_or(|boundary| time_ms < boundary);
        if in_time && Arc::ptr_eq(&self.governed, governed) {
            return Ok(self.clone());
        }
        let verifier = &self.verifier;
        let ground = Ground {
            ledger: (*verifier.ledger(), verifier.network().clone()),
            feeder: self.feeder.clone(),
            tree: self.tree.clone(),
            bus_index: self.bus_index.clone(),
        };
        Ok(Arc::new(Self::on(ground, governed.clone(), time_ms)?))
    }

    fn on(ground: Ground, governed: Arc<Governed>, time_ms: u64) -> Result<Self, RulesError> {
        let Ground { ledger, feeder, tree, bus_index } = ground;
        let (sites, aggregators) = places(&governed, &bus_index, time_ms);
        let grid = governed.grid.as_ref().map(|rules| rules.terms(&feeder, &tree));
        let grid = grid.transpose().map_err(GenesisError::from)?;
        let day_ahead = governed.day_ahead.zip(grid.as_ref()).map(|(rules, grid)| {
            DayAheadTerms::new(grid, governed.parameters.interval_s).map(|terms| DayAhead { rules, terms })
        });
        Ok(Self {
            time_ms,
            boundary_ms: governed.next_boundary_ms(time_ms),
            verifier: Verifier::under(ledger, &governed, time_ms),
            grid,
            day_ahead: day_ahead.transpose().map_err(GenesisError::from)?,
            dso_account: account_of_only(&governed, Role::Dso)?,
            tso_account: account_of_only(&governed, Role::Tso)?,
            rounding_account: ROUNDING_ACCOUNT.parse()?,
            fees_account: FEES_ACCOUNT.parse()?,
            penalties_account: PENALTIES_ACCOUNT.parse()?,
            redemptions_account: REDEMPTIONS_ACCOUNT.parse()?,
            carbon: match governed.grid.as_ref().and_then(|rules| rules.carbon_price) {
                Some(price) => Some((price, CARBON_ACCOUNT.parse()?)),
                None => None,
            },
            parameters: governed.parameters,
            feeder,
            tree,
            bus_index,
            sites,
            aggregators,
            governed,
        })
    }

    /// What never changes and the registry depends on.
    pub fn ground(&self) -> registry::Ground<'_> {
        registry::Ground { network: self.verifier.network(), feeder: &self.feeder, tree: &self.tree }
    }

    /// Everyone who takes part, in order.
    pub fn participants(&self) -> impl Iterator<Item = Participant> + '_ {
        let valid = self.governed.members.values().filter(|m| m.standing(self.time_ms) == Standing::Valid);
        valid.map(|member| member.participant_at(self.time_ms))
    }

    /// The party's account.
    pub fn account_of(&self, party: &PartyId) -> Option<&Id> {
        self.verifier.registry().get(party).map(|participant| &participant.account)
    }
}

/// What never changes of a ledger's rules.
struct Ground {
    ledger: (Hash32, Network),
    feeder: Arc<Feeder>,
    tree: Arc<Tree>,
    bus_index: Arc<HashMap<String, u32>>,
}

/// Every site there is or was, and the aggregators that have sites now.
fn places(
    governed: &Governed,
    bus_index: &HashMap<String, u32>,
    time_ms: u64,
) -> (BTreeMap<Id, SiteRule>, BTreeMap<Id, AggregatorRule>) {
    let mut sites = BTreeMap::new();
    let mut aggregators: BTreeMap<Id, AggregatorRule> = BTreeMap::new();
    let is_valid = |member: &Member| member.standing(time_ms) == Standing::Valid;
    for member in governed.members.values() {
        let Some(site) = site(member, bus_index) else { continue };
        let aggregator = governed.members.get(&PartyId::new(Role::Aggregator, site.aggregator.clone()));
        if is_valid(member) && aggregator.is_some_and(|aggregator| is_valid(aggregator)) {
            let at_bus = aggregators.entry(site.aggregator.clone()).or_default().entry(site.bus).or_default();
            at_bus.0 = at_bus.0.saturating_add(site.connection.0);
        }
        sites.insert(member.participant.account.clone(), site);
    }
    (sites, aggregators)
}

fn site(member: &Member, bus_index: &HashMap<String, u32>) -> Option<SiteRule> {
    let participant = &member.participant;
    if participant.party.role != Role::Site {
        return None;
    }
    let bus = *bus_index.get(participant.bus.as_ref()?)?;
    let connection = Milliwatt(participant.connection_milliwatt?);
    Some(SiteRule { bus, aggregator: participant.aggregator.clone()?, connection })
}

fn account_of_only(governed: &Governed, role: Role) -> Result<Id, GenesisError> {
    let mut with_role = governed.members.values().filter(|m| m.party().role == role && m.revoked.is_none());
    let missing = GenesisError::Roles { role: role.word(), count: 0, needed: "exactly one" };
    with_role.next().map(|member| member.participant.account.clone()).ok_or(missing)
}
