//! What the index remembers of a block's entries for whoever asks later: who submitted them, what they are about,
//! whom they paid. Follows from executing the block, and is rebuilt with it.

use crate::state::receipt::{Payment, Receipt};
use market::interval::Interval;
use market::units::NanoEur;
use serde::{Deserialize, Serialize};
use wire::entry::Entry;
use wire::party::{Id, PartyId};

/// What one block's entries did, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Remembered(pub Vec<RememberedEntry>);

/// What one entry did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RememberedEntry {
    /// Who submitted it.
    pub submitter: PartyId,
    /// Its kind.
    pub kind: String,
    /// Interval it is about, where it is about one.
    pub interval: Option<Interval>,
    /// What each account received; negative: paid.
    pub payments: Vec<(Id, NanoEur)>,
}

impl Remembered {
    /// What is remembered of these entries.
    pub fn of(receipts: &[(Entry, Receipt)]) -> Self {
        let paid = |payment: &Payment| (payment.account.clone(), payment.amount);
        let entry = |(_, receipt): &(Entry, Receipt)| RememberedEntry {
            submitter: receipt.submitter.clone(),
            kind: receipt.kind.to_owned(),
            interval: receipt.interval,
            payments: receipt.payments.iter().map(paid).collect(),
        };
        Self(receipts.iter().map(entry).collect())
    }
}
