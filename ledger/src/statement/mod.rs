//! Statements of accounts for billing systems: what every account was paid or paid over a period, line by line, each
//! with the entry it comes from, and adding up to the nano-euro to what the balances changed by.
//!
//! A period is of block times, half-open, as a bank's statement is of booking dates: it is a run of blocks, so the
//! balances before and after it are the ledger's own. Lines by market interval are a selection of the same lines.

pub mod parts;

use crate::block::entry_leaf;
use crate::contracts::rules::Rules;
use crate::state::receipt::Receipt;
use crate::state::State;
use crate::verify::Replayed;
use market::interval::{Interval, UnixSeconds};
use market::units::{Millijoule, NanoEur, PicoEurPerWh};
use parts::Terms;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;
use wire::hash::Hash32;
use wire::party::{Id, PartyId};

/// A half-open span of block times in milliseconds since 1970; open where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// The first time in it.
    pub from_ms: Option<u64>,
    /// The first time after it.
    pub to_ms: Option<u64>,
}

impl Period {
    fn is_before(&self, time_ms: u64) -> bool {
        self.from_ms.is_some_and(|from| time_ms < from)
    }

    fn is_after(&self, time_ms: u64) -> bool {
        self.to_ms.is_some_and(|to| time_ms >= to)
    }

    /// Whether a market interval starts in it.
    fn has(&self, start: UnixSeconds) -> bool {
        let at = i128::from(start.0) * 1_000;
        let bound = |time_ms: Option<u64>| time_ms.map(i128::from);
        bound(self.from_ms).is_none_or(|from| at >= from) && bound(self.to_ms).is_none_or(|to| at < to)
    }
}

/// The entry a line comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Height of its block.
    pub height: u64,
    /// Time of its block in milliseconds since 1970.
    pub time_ms: u64,
    /// Its place in the block, from 0.
    pub index: usize,
    /// Kind of entry, as [`crate::contracts::kind`].
    pub kind: &'static str,
    /// Its leaf under the block's root, which [`crate::proof`] proves.
    pub entry: Hash32,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Nothing that is counted.
    None,
    /// Energy; import positive.
    Energy(Millijoule),
    /// Reactive energy in millivar-seconds; absorbed positive.
    Reactive(i64),
}

/// One line of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The account.
    pub account: Id,
    /// For what: a site's part of a settlement by its name, otherwise the kind of entry.
    pub item: &'static str,
    /// The market interval, where it is about one.
    pub interval: Option<Interval>,
    /// How much of it.
    pub quantity: Quantity,
    /// Its price, where there is one: for a watt-hour, or a var-hour.
    pub price: Option<PicoEurPerWh>,
    /// What the account received; negative where it paid.
    pub amount: NanoEur,
    /// Where it comes from.
    pub reference: Reference,
}

/// One account over the period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// The account.
    pub account: Id,
    /// Sum of its lines.
    pub amount: i128,
    /// Its balance before the period and after it; none where lines were selected by interval.
    pub balances: Option<(NanoEur, NanoEur)>,
}

/// Every line of a period, and what they add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// In order of the ledger, and of account within an entry.
    pub lines: Vec<Line>,
    /// In order of account.
    pub totals: Vec<Total>,
    /// Who has each account.
    pub parties: BTreeMap<Id, PartyId>,
}

/// Why there is no statement.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StatementError {
    /// Lines do not add up to what the balance changed by.
    #[error("account {account}: its lines add up to {lines} nEUR, and its balance went from {opening} to {closing}")]
    Differs {
        /// The account.
        account: Id,
        /// Sum of its lines.
        lines: i128,
        /// Its balance before.
        opening: NanoEur,
        /// Its balance after.
        closing: NanoEur,
    },
}

/// Takes in a ledger's blocks, in order, and keeps what lies in the period.
#[derive(Clone, Debug)]
pub struct Book {
    period: Period,
    opening: BTreeMap<Id, NanoEur>,
    closing: BTreeMap<Id, NanoEur>,
    lines: Vec<Line>,
    parties: BTreeMap<Id, PartyId>,
}

fn balances(state: &State) -> BTreeMap<Id, NanoEur> {
    state.accounts().iter().map(|(name, account)| (name.clone(), account.balance)).collect()
}

impl Book {
    /// A book that starts with the state before the first block.
    pub fn new(period: Period, start: &State) -> Self {
        let opening = balances(start);
        Self { period, closing: opening.clone(), opening, lines: Vec::new(), parties: BTreeMap::new() }
    }

    /// Takes in the next block, which was executed under `rules` and left `state`. Whether later ones can still lie
    /// in the period.
    pub fn take(&mut self, block: &Replayed, rules: &Rules, state: &State) -> bool {
        let header = &block.decided.block.header;
        if self.period.is_after(header.time_ms) {
            return false;
        }
        let accounts = rules.verifier.registry().iter();
        self.parties.extend(accounts.map(|(party, of)| (of.account.clone(), party.clone())));
        self.closing = balances(state);
        if self.period.is_before(header.time_ms) {
            self.opening.clone_from(&self.closing);
            return true;
        }
        let receipts = block.receipts.iter().zip(&block.decided.block.entries);
        for (index, ((entry, receipt), envelope)) in receipts.enumerate() {
            let reference = Reference {
                height: header.height,
                time_ms: header.time_ms,
                index,
                kind: receipt.kind,
                entry: entry_leaf(envelope),
            };
            let terms = Terms::of(rules, state, entry, &receipt.submitter);
            self.lines.extend(lines(&reference, receipt, terms.as_ref()));
        }
        true
    }

    /// The statement, once it is found to add up.
    ///
    /// # Errors
    /// Names the first account of which the lines are not what its balance changed by.
    pub fn close(self) -> Result<Statement, StatementError> {
        let Self { opening, closing, lines, parties, .. } = self;
        let sums = sums(&lines);
        let names: BTreeSet<&Id> = opening.keys().chain(closing.keys()).chain(sums.keys()).collect();
        let mut totals = Vec::new();
        for account in names {
            let at = |balances: &BTreeMap<Id, NanoEur>| balances.get(account).copied().unwrap_or_default();
            let (opening, closing) = (at(&opening), at(&closing));
            let lines = sums.get(account).copied().unwrap_or_default();
            if i128::from(opening.0) + lines != i128::from(closing.0) {
                return Err(StatementError::Differs { account: account.clone(), lines, opening, closing });
            }
            totals.push(Total {
                account: account.clone(),
                amount: lines,
                balances: Some((opening, closing)),
            });
        }
        Ok(Statement { lines, totals, parties })
    }
}

/// An entry's lines: a site's payment in parts where these make it up, and otherwise as a whole.
pub fn lines(reference: &Reference, receipt: &Receipt, terms: Option<&Terms>) -> Vec<Line> {
    let parts = terms.map(|terms| terms.parts(&receipt.settled)).unwrap_or_default();
    let mut lines = Vec::with_capacity(receipt.payments.len());
    for payment in &receipt.payments {
        let parts = parts.get(&payment.account).filter(|parts| {
            let sum: i128 = parts.iter().map(|part| i128::from(part.amount.0)).sum();
            sum == i128::from(payment.amount.0)
        });
        let line = |item, quantity, price, amount| Line {
            account: payment.account.clone(),
            item,
            interval: receipt.interval,
            quantity,
            price,
            amount,
            reference: reference.clone(),
        };
        match parts {
            Some(parts) => {
                lines
                    .extend(parts.iter().map(|part| line(part.item, part.quantity, part.price, part.amount)));
            }
            None => lines.push(line(receipt.kind, Quantity::None, None, payment.amount)),
        }
    }
    lines
}

/// What each account's lines add up to.
pub(crate) fn sums(lines: &[Line]) -> BTreeMap<Id, i128> {
    let mut sums: BTreeMap<Id, i128> = BTreeMap::new();
    for line in lines {
        *sums.entry(line.account.clone()).or_default() += i128::from(line.amount.0);
    }
    sums
}

impl Statement {
    /// The lines about market intervals that start in the period, whenever they were booked. What is about no
    /// interval is left out, and balances with it.
    pub fn of_intervals(mut self, period: &Period) -> Self {
        self.lines.retain(|line| line.interval.is_some_and(|interval| period.has(interval.start())));
        let total = |(account, amount)| Total { account, amount, balances: None };
        self.totals = sums(&self.lines).into_iter().map(total).collect();
        self
    }

    /// One account alone.
    pub fn of_account(mut self, account: &Id) -> Self {
        self.lines.retain(|line| line.account == *account);
        self.totals.retain(|total| total.account == *account);
        self
    }
}
