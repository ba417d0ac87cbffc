//! What in a batch does not hold, although its file is the one the ledger names.

use super::table::TableError;
use market::interval::Interval;
use thiserror::Error;
use wire::entry::SignedEnvelope;
use wire::entry::{DeliveryEntry, SiteDelivery};
use wire::envelope::{open, EnvelopeError, Opened};
use wire::party::{Id, PartyError, Registry};
use wire::topic::Network;

/// What does not hold.
#[derive(Debug, Error)]
pub enum BatchFault {
    /// The file is no such table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A row's account is no name.
    #[error("row {row}: {source}")]
    Name {
        /// Which, from 0.
        row: usize,
        /// What is wrong with the name.
        #[source]
        source: PartyError,
    },
    /// The batch is of another interval than the delivery.
    #[error("the batch is of {batch}, and the delivery of {delivery}")]
    Interval {
        /// The batch's.
        batch: Interval,
        /// The delivery's.
        delivery: Interval,
    },
    /// Rows are not in strictly increasing order of account.
    #[error("account {account} is not behind the one before it")]
    Order {
        /// The account out of order.
        account: Id,
    },
    /// A signature does not hold.
    #[error("{account}: {source}")]
    Envelope {
        /// Whose row it is.
        account: Id,
        /// What is wrong with it.
        #[source]
        source: Box<EnvelopeError>,
    },
    /// A row says something else than its signed envelope, or than the ledger.
    #[error("{account}: {what}")]
    Differs {
        /// Whose row it is.
        account: Id,
        /// What differs.
        what: &'static str,
    },
    /// The ledger has something of a site of which the batch has nothing.
    #[error("the batch has nothing of {account}, and the ledger has")]
    Missing {
        /// The site's account.
        account: Id,
    },
}

/// Opens the envelope of a row, which must be by the site whose account the row names.
pub(super) fn opened(
    (registry, network): (&Registry, &Network),
    account: &Id,
    envelope: &SignedEnvelope,
) -> Result<Opened, BatchFault> {
    let opened = open(registry, network, &envelope.topic, &envelope.bytes)
        .map_err(|source| BatchFault::Envelope { account: account.clone(), source: Box::new(source) })?;
    match registry.get(&opened.topic.sender) {
        Some(site) if site.account == *account => Ok(opened),
        _ => Err(BatchFault::Differs { account: account.clone(), what: "its envelope is another site's" }),
    }
}

/// What the ledger has of a row's site, in a delivery whose sites are in order of account.
pub(super) fn settled<'a>(delivery: &'a DeliveryEntry, account: &Id) -> Result<&'a SiteDelivery, BatchFault> {
    let place = delivery.sites.binary_search_by(|site| site.account.cmp(account));
    let place = place.map_err(|_| BatchFault::Differs {
        account: account.clone(),
        what: "the ledger's delivery has no such site",
    })?;
    Ok(&delivery.sites[place])
}

/// Rows are of this delivery's interval, each account once and in order.
pub(super) fn check_rows<'a>(
    interval: Interval,
    delivery: &DeliveryEntry,
    accounts: impl Iterator<Item = &'a Id>,
) -> Result<(), BatchFault> {
    if interval != delivery.interval {
        return Err(BatchFault::Interval { batch: interval, delivery: delivery.interval });
    }
    let mut before: Option<&Id> = None;
    for account in accounts {
        if before.is_some_and(|before| before >= account) {
            return Err(BatchFault::Order { account: account.clone() });
        }
        before = Some(account);
    }
    Ok(())
}
