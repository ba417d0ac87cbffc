//! Why an entry of demand response is refused.

use thiserror::Error;
use wire::hash::Hash32;
use wire::party::{Id, PartyId};

/// Why an entry of demand response is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ResponseRefusal {
    /// An account of no site.
    #[error("{account} is no account of a site")]
    NoSite {
        /// The account.
        account: Id,
    },
    /// Neither the DSO nor an aggregator.
    #[error("{party} operates no demand response")]
    NoOperator {
        /// Who was named.
        party: PartyId,
    },
    /// The site is enrolled.
    #[error("the site is enrolled already")]
    Enrolled,
    /// As many sites are enrolled, or events kept, as may be.
    #[error("as many sites are enrolled, or events kept, as may be")]
    Full,
    /// The site is not enrolled, or with somebody else.
    #[error("{account} is not enrolled with this operator")]
    NotEnrolled {
        /// The account.
        account: Id,
    },
    /// An event longer than a day, or intervals that don't come at the same times every day.
    #[error("an event lasts a day at most, in intervals that are the same every day")]
    Length,
    /// A price or an offset of local time that can't be meant.
    #[error("the price or the offset of local time is out of bounds")]
    Terms,
    /// Nobody is asked.
    #[error("the event asks nobody")]
    Nobody,
    /// Accounts are not in strictly increasing order.
    #[error("account {account} is not behind the one before it")]
    Order {
        /// The account out of order.
        account: Id,
    },
    /// Another event asks the site at the same time.
    #[error("{account} is asked by another event at the same time")]
    AskedBefore {
        /// The account.
        account: Id,
    },
    /// The same was asked before.
    #[error("the event {event} was called before")]
    Exists {
        /// Its name.
        event: Hash32,
    },
    /// There is no such event, or no longer.
    #[error("there is no event {event}")]
    Unknown {
        /// The name given.
        event: Hash32,
    },
    /// The submitter has no part in it.
    #[error("the event {event} is between others")]
    NotYours {
        /// Its name.
        event: Hash32,
    },
    /// It was settled.
    #[error("the event {event} was settled before")]
    Settled {
        /// Its name.
        event: Hash32,
    },
    /// Deliveries of its intervals are still to come.
    #[error("not all deliveries of the event {event} are there")]
    NotDelivered {
        /// Its name.
        event: Hash32,
    },
}

impl ResponseRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            ResponseRefusal::NoSite { .. } => "no-site",
            ResponseRefusal::NoOperator { .. } => "no-operator",
            ResponseRefusal::Enrolled => "enrolled",
            ResponseRefusal::Full => "response-full",
            ResponseRefusal::NotEnrolled { .. } => "not-enrolled",
            ResponseRefusal::Length => "span",
            ResponseRefusal::Terms => "terms",
            ResponseRefusal::Nobody | ResponseRefusal::Order { .. } => "sites",
            ResponseRefusal::AskedBefore { .. } => "asked-before",
            ResponseRefusal::Exists { .. } => "exists",
            ResponseRefusal::Unknown { .. } => "unknown-event",
            ResponseRefusal::NotYours { .. } => "not-yours",
            ResponseRefusal::Settled { .. } => "settled-before",
            ResponseRefusal::NotDelivered { .. } => "not-delivered",
        }
    }
}
