//! What the index remembers of a block for whoever asks later: who submitted its entries, what they are about, what
//! they cleared, whom they paid and on what terms, and who decides on the next block where these are others. Follows
//! from executing the block, and is rebuilt with it.

use crate::contracts;
use crate::contracts::rules::Rules;
use crate::governed::roster::Roster;
use crate::rights::EntryKind;
use crate::state::receipt::{Cleared, Payment, Receipt};
use crate::state::State;
use crate::statement::parts::Terms;
use market::interval::Interval;
use market::units::NanoEur;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::cbor::{self, CborError};
use wire::entry::Entry;
use wire::party::{Id, PartyId};

/// Largest encoding of what one block's entries did.
const MAX_REMEMBERED_BYTES: usize = 1 << 26;

/// What one block did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remembered {
    /// What its entries did, in order.
    pub entries: Vec<RememberedEntry>,
    /// What accounts that received or paid something hold after it.
    pub balances: BTreeMap<Id, NanoEur>,
    /// Who decided on it and who decides on the next, where these are not the same.
    pub succession: Option<(Roster, Roster)>,
}

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
    /// What it cleared, in order of interval.
    pub cleared: Vec<Cleared>,
    /// What its sites were paid by, where it is a delivery.
    pub terms: Option<Terms>,
}

impl Remembered {
    /// What is remembered of a block that was executed under `rules`, and left `state` and the rules `after`.
    pub fn of(rules: &Rules, receipts: &[(Entry, Receipt)], (state, after): (&State, &Rules)) -> Self {
        let paid = |payment: &Payment| (payment.account.clone(), payment.amount);
        let remembered = |(entry, receipt): &(Entry, Receipt)| RememberedEntry {
            submitter: receipt.submitter.clone(),
            kind: receipt.kind.to_owned(),
            interval: receipt.interval,
            payments: receipt.payments.iter().map(paid).collect(),
            cleared: receipt.cleared.clone(),
            terms: Terms::of(rules, state, entry, &receipt.submitter),
        };
        let touched = receipts.iter().flat_map(|(_, receipt)| &receipt.payments);
        let balances = touched.map(|payment| (payment.account.clone(), state.balance(&payment.account)));
        let (decided, next) = (rules.verifier.roster(), after.verifier.roster());
        Self {
            entries: receipts.iter().map(remembered).collect(),
            balances: balances.collect(),
            succession: (decided != next).then(|| (decided.clone(), next.clone())),
        }
    }
}

impl Remembered {
    /// The encoding of what its entries did; the rest has keys of its own.
    ///
    /// # Errors
    /// Where there is none.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        cbor::to_vec(&self.entries)
    }

    /// What a block's entries did, from its encoding; none where this is another's.
    pub fn decode(bytes: &[u8]) -> Option<Vec<RememberedEntry>> {
        cbor::from_slice(bytes, MAX_REMEMBERED_BYTES).ok()
    }
}

impl RememberedEntry {
    /// The receipt that the entry left, worked out again: a site's bus never changes.
    pub fn receipt(&self, rules: &Rules, entry: &Entry) -> Receipt {
        let payment =
            |(account, amount): &(Id, NanoEur)| Payment { account: account.clone(), amount: *amount };
        Receipt {
            submitter: self.submitter.clone(),
            kind: EntryKind::of(entry).word(),
            interval: self.interval,
            payments: self.payments.iter().map(payment).collect(),
            cleared: self.cleared.clone(),
            settled: contracts::settled(rules, entry),
        }
    }

    /// Intervals that it is found by: the one it is about, and those it cleared.
    pub fn intervals(&self) -> impl Iterator<Item = Interval> + '_ {
        let cleared = self.cleared.iter().map(|cleared| cleared.interval);
        self.interval.into_iter().chain(cleared.filter(|interval| Some(*interval) != self.interval))
    }
}
