//! Why a step of a bilateral contract is refused.

use market::interval::Interval;
use market::units::{Milliwatt, PicoEurPerWh};
use thiserror::Error;
use wire::hash::Hash32;
use wire::party::Id;

/// Why a step of a bilateral contract is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BilateralRefusal {
    /// An account of no site.
    #[error("{account} is no account of a site")]
    NoSite {
        /// The account.
        account: Id,
    },
    /// Seller and buyer are one.
    #[error("a site has no contract with itself")]
    WithItself,
    /// Zero or less, or more than any market knows.
    #[error("{power} is no power to sell")]
    Power {
        /// The power.
        power: Milliwatt,
    },
    /// A price outside the market's limits.
    #[error("the price {price} is outside the market's limits")]
    Price {
        /// The price.
        price: PicoEurPerWh,
    },
    /// As many contracts are kept as may be, of all or of this seller.
    #[error("as many bilateral contracts are kept as may be, of all or of this seller")]
    Full,
    /// The same was offered before.
    #[error("the contract {contract} was offered before")]
    Exists {
        /// Its name.
        contract: Hash32,
    },
    /// There is no such contract, or no longer.
    #[error("there is no contract {contract}")]
    Unknown {
        /// The name given.
        contract: Hash32,
    },
    /// The submitter has no part in it.
    #[error("the contract {contract} is between others")]
    NotYours {
        /// Its name.
        contract: Hash32,
    },
    /// It has not come so far, or further.
    #[error("the contract {contract} is not at the stage before this step")]
    Stage {
        /// Its name.
        contract: Hash32,
    },
    /// All its intervals were cleared.
    #[error("all intervals of the contract {contract} were cleared")]
    Over {
        /// Its name.
        contract: Hash32,
    },
    /// A site has sold or bought more than passes its connection.
    #[error("with this contract {account} would sell or buy more than its connection carries")]
    Connection {
        /// The account.
        account: Id,
    },
    /// A line can't carry it.
    #[error("line {line:?} can't carry all approved contracts in the {interval}")]
    Line {
        /// The line.
        line: String,
        /// When.
        interval: Interval,
    },
}

impl BilateralRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            BilateralRefusal::NoSite { .. } => "no-site",
            BilateralRefusal::WithItself => "with-itself",
            BilateralRefusal::Power { .. } | BilateralRefusal::Price { .. } => "terms",
            BilateralRefusal::Full => "contracts-full",
            BilateralRefusal::Exists { .. } => "exists",
            BilateralRefusal::Unknown { .. } => "unknown-contract",
            BilateralRefusal::NotYours { .. } => "not-yours",
            BilateralRefusal::Stage { .. } => "stage",
            BilateralRefusal::Over { .. } => "over",
            BilateralRefusal::Connection { .. } => "connection",
            BilateralRefusal::Line { .. } => "line",
        }
    }
}
