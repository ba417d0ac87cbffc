//! Why an entry of reserve is refused.

use market::interval::Interval;
use market::merit::MeritError;
use thiserror::Error;
use wire::hash::Hash32;
use wire::party::Id;

/// Why an entry of reserve is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReserveRefusal {
    /// A figure that can't be meant.
    #[error("a power, a price, a part or an interval is out of bounds")]
    Terms,
    /// The same was asked or offered before.
    #[error("the tender {tender}, or this site's offer to it, was made before")]
    Exists {
        /// The tender's name.
        tender: Hash32,
    },
    /// As many tenders, or offers to this one, are kept as may be.
    #[error("as many tenders, or offers to this one, are kept as may be")]
    Full,
    /// There is no such tender, or no longer.
    #[error("there is no tender {tender}")]
    Unknown {
        /// The name given.
        tender: Hash32,
    },
    /// The tender is another's.
    #[error("the tender {tender} is another's")]
    NotYours {
        /// Its name.
        tender: Hash32,
    },
    /// An account of no site.
    #[error("{account} is no account of a site")]
    NoSite {
        /// The account.
        account: Id,
    },
    /// The site would promise more than passes its connection.
    #[error("with this offer {account} would promise more than its connection carries")]
    Connection {
        /// The account.
        account: Id,
    },
    /// It was awarded.
    #[error("the tender {tender} was awarded before")]
    Awarded {
        /// Its name.
        tender: Hash32,
    },
    /// It was not awarded.
    #[error("the tender {tender} was not awarded yet")]
    NotAwarded {
        /// Its name.
        tender: Hash32,
    },
    /// What is taken is not in order of merit.
    #[error("the award: {0}")]
    Merit(#[from] MeritError),
    /// The interval was called before.
    #[error("the tender {tender} was called for the {interval} before")]
    Called {
        /// Its name.
        tender: Hash32,
        /// When.
        interval: Interval,
    },
    /// The interval is over, or nearly.
    #[error("nothing can be called for the {interval} any more")]
    TooLate {
        /// When.
        interval: Interval,
    },
}

impl ReserveRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            ReserveRefusal::Terms => "terms",
            ReserveRefusal::Exists { .. } => "exists",
            ReserveRefusal::Full => "reserve-full",
            ReserveRefusal::Unknown { .. } => "unknown-tender",
            ReserveRefusal::NotYours { .. } => "not-yours",
            ReserveRefusal::NoSite { .. } => "no-site",
            ReserveRefusal::Connection { .. } => "connection",
            ReserveRefusal::Awarded { .. } => "awarded-before",
            ReserveRefusal::NotAwarded { .. } => "not-awarded",
            ReserveRefusal::Merit(_) => "merit",
            ReserveRefusal::Called { .. } => "called-before",
            ReserveRefusal::TooLate { .. } => "too-late",
        }
    }
}
