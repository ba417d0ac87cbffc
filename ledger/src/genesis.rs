//! The genesis: what the ledger starts from and every message is checked against.

use crate::governed::check;
use market::day_ahead::rules::DayAheadRules;
use market::day_ahead::terms::Overloaded;
use market::feeder::{Feeder, FeederError};
use market::grid::certificate::Tolerances;
use market::grid::rules::{GridRules, GridRulesError};
use market::parameters::{MarketParameters, ParameterError};
use market::units::{NanoEur, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use thiserror::Error;
use wire::cbor::{self, CborError};
use wire::envelope::is_sound_key;
use wire::hash::Hash32;
use wire::party::{Id, Participant, PartyId, Registry};
use wire::topic::Network;

/// Account that receives what rounding leaves.
pub const ROUNDING_ACCOUNT: &str = "rounding";

/// Account that receives what the carbon price adds to the import's, in a market that has one. Nobody owns it.
pub const CARBON_ACCOUNT: &str = "carbon";

/// Account that receives fees.
pub const FEES_ACCOUNT: &str = "fees";

/// Account that receives penalties.
pub const PENALTIES_ACCOUNT: &str = "penalties";

/// Account where tokens wait that a gateway was asked to pay out.
pub const REDEMPTIONS_ACCOUNT: &str = "redemptions";

/// Accounts that nobody owns.
const NAMED_ACCOUNTS: [&str; 5] =
    [ROUNDING_ACCOUNT, CARBON_ACCOUNT, FEES_ACCOUNT, PENALTIES_ACCOUNT, REDEMPTIONS_ACCOUNT];

/// Whether an account is one of those that nobody owns, so that no participant may have it.
pub fn is_named_account(account: &Id) -> bool {
    NAMED_ACCOUNTS.contains(&account.as_str())
}

/// What a ledger starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Which market this is.
    pub network: Network,
    /// The feeder and its limits.
    pub feeder: Feeder,
    /// The market's rules.
    pub parameters: MarketParameters,
    /// What a market that knows its grid goes by besides; none where lines limit real power alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid: Option<GridRules>,
    /// When day-ahead sessions are; none where the market is real time alone. Needs grid rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_ahead: Option<DayAheadRules>,
    /// Everyone who takes part.
    pub participants: Vec<Participant>,
    /// Tokens each account starts with. Their sum never changes.
    pub balances: Vec<(Id, NanoEur)>,
}

/// Why a genesis can't start a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// The feeder is no tree.
    #[error("the genesis's feeder: {0}")]
    Feeder(#[from] FeederError),
    /// The grid rules do not fit the feeder.
    #[error(transparent)]
    Grid(#[from] GridRulesError),
    /// Reactive power as planned leaves a line no room for the day-ahead market.
    #[error("the genesis's day-ahead market: {0}")]
    Overloaded(#[from] Overloaded),
    /// A day-ahead market that does not know its grid.
    #[error("the genesis has day-ahead rules and no grid rules")]
    DayAheadWithoutGrid,
    /// The parameters make no market.
    #[error("the genesis's {0}")]
    Parameters(#[from] ParameterError),
    /// A key that is no point of the curve, or one of the few for which anyone can sign.
    #[error("the key of {party} is none, or of small order: anyone could sign for it")]
    Key {
        /// Whose.
        party: PartyId,
    },
    /// Two participants share a name, a key or an account.
    #[error("two participants share the {what} {value:?}")]
    Duplicate {
        /// name, key or account.
        what: &'static str,
        /// The value shared.
        value: String,
    },
    /// A site without bus, aggregator or connection limit, or naming one that doesn't exist.
    #[error("site {site}: {reason}")]
    Site {
        /// The site.
        site: Id,
        /// What is wrong.
        reason: &'static str,
    },
    /// A role that must be there is not, or is there more than once.
    #[error("the genesis names {count} participants with role {role}, and needs {needed}")]
    Roles {
        /// Role.
        role: &'static str,
        /// How many there are.
        count: usize,
        /// How many there must be, in words.
        needed: &'static str,
    },
    /// A balance of an account nobody has, or a negative one.
    #[error("the balance of account {account}: {reason}")]
    Balance {
        /// The account.
        account: Id,
        /// What is wrong.
        reason: &'static str,
    },
}

impl Genesis {
    /// Identity of the ledger: stands in the first block's header and under every vote.
    ///
    /// # Errors
    /// Where the genesis has no encoding.
    pub fn id(&self) -> Result<Hash32, CborError> {
        Ok(Hash32::of("gridpact genesis", &[&cbor::to_vec(self)?]))
    }

    /// How far from its price a party's answer may reach. Nothing where clearings are exact.
    pub fn price_tolerance(&self) -> PicoEurPerWh {
        self.grid.as_ref().map_or(PicoEurPerWh::ZERO, |_| Tolerances::default().price)
    }

    /// Whether reactive power on offer is cleared, and not only planned for.
    pub fn clears_reactive(&self) -> bool {
        self.grid.as_ref().is_some_and(|rules| rules.reactive_full_price.is_some())
    }

    /// Whether emissions of the import have a price.
    pub fn prices_carbon(&self) -> bool {
        self.grid.as_ref().is_some_and(|rules| rules.carbon_price.is_some())
    }

    /// Participants by party.
    pub fn registry(&self) -> Registry {
        self.participants.iter().map(|p| (p.party.clone(), p.clone())).collect()
    }

    /// Checks everything that must hold before a ledger can start from this.
    pub fn validate(&self) -> Result<(), GenesisError> {
        let tree = self.feeder.tree()?;
        let on = (&self.feeder, &tree);
        check::market(&self.parameters, self.grid.as_ref(), self.day_ahead.as_ref(), on)?;
        check::unique(self.participants.iter())?;
        check::roles(self.participants.iter())?;
        let registry = self.registry();
        for participant in &self.participants {
            if !is_sound_key(&participant.key) {
                return Err(GenesisError::Key { party: participant.party.clone() });
            }
            check::place(participant, &self.feeder, |party| registry.contains_key(party))?;
        }
        self.validate_balances()
    }

    fn validate_balances(&self) -> Result<(), GenesisError> {
        let accounts: BTreeSet<&Id> = self.participants.iter().map(|p| &p.account).collect();
        let mut seen = BTreeSet::new();
        for (account, balance) in &self.balances {
            let wrong = |reason| GenesisError::Balance { account: account.clone(), reason };
            if !seen.insert(account) {
                return Err(wrong("it is stated twice"));
            }
            if !accounts.contains(account) {
                return Err(wrong("no participant has it"));
            }
            if *balance < NanoEur::ZERO {
                return Err(wrong("it is negative"));
            }
        }
        Ok(())
    }
}
