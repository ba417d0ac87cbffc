//! The state everyone agrees on: accounts, market intervals and what is governed. Contracts read it and say what
//! should change; only here does it change, all of an entry's changes or none.

pub mod bilateral;
pub mod contracts;
pub mod day_ahead;
pub mod double_clearing;
pub mod encoding;
pub mod issuance;
pub mod receipt;
pub mod records;
pub mod reserve;
pub mod response;
pub mod table;
pub mod voting;

use crate::block::validators::ValidatorSet;
use crate::block::vote::VoteCertificate;
use crate::genesis::{is_named_account, Genesis, CARBON_ACCOUNT, ROUNDING_ACCOUNT};
use crate::governed::{Edit, Governed};
use contracts::{ContractEdits, ContractRecords};
use day_ahead::{DayAheadRecord, KEPT_DAY_AHEAD};
use market::interval::Interval;
use market::units::{Millivar, Milliwatt, NanoEur, PicoEurPerWh};
use receipt::{Allocated, Cleared, Payment, Refusal};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use table::{Single, Table};
use thiserror::Error;
use voting::{Contradiction, Voting};
use wire::hash::Hash32;
use wire::party::{Id, PartyError};

/// Intervals whose records are kept. An older one can be neither cleared nor settled any more: two
/// days of quarter hours, while settlement comes minutes after an interval's end.
pub const KEPT_INTERVALS: usize = 192;

/// One account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// What it holds. Settlement is paid afterwards, so a balance may be negative: what is owed. A
    /// transfer never makes it so.
    pub balance: NanoEur,
    /// Transfers made from it so far.
    pub nonce: u64,
}

/// What the ledger keeps of one cleared interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntervalRecord {
    /// Price at each bus, in the order of the feeder's buses.
    pub prices: Vec<PicoEurPerWh>,
    /// What the carbon price added to the import's.
    #[serde(default, skip_serializing_if = "is_none")]
    pub carbon_adder: PicoEurPerWh,
    /// What each aggregator was allocated.
    pub awards: BTreeMap<Id, AwardRecord>,
}

fn is_none(adder: &PicoEurPerWh) -> bool {
    *adder == PicoEurPerWh::ZERO
}

impl IntervalRecord {
    /// What its clearing recorded of it, being of this interval.
    pub(crate) fn cleared(&self, interval: Interval) -> Cleared {
        let award = |(aggregator, award): (&Id, &AwardRecord)| {
            let AwardRecord { bids_root, allocations_root, import, export, .. } = *award;
            Allocated { aggregator: aggregator.clone(), bids_root, allocations_root, import, export }
        };
        Cleared { interval, prices: self.prices.clone(), awards: self.awards.iter().map(award).collect() }
    }
}

/// What the ledger keeps of one aggregator in one interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwardRecord {
    /// Root over its bids, committed before the first question about prices.
    pub bids_root: Hash32,
    /// Root of the Merkle-sum tree over its sites' allocations.
    pub allocations_root: Hash32,
    /// Sum of the allocations that import.
    pub import: Milliwatt,
    /// Sum of the allocations that export, as a positive power.
    pub export: Milliwatt,
    /// Allocation at each of its buses, by the bus's place in the feeder.
    pub buses: BTreeMap<u32, Milliwatt>,
    /// Reactive power at those of its buses where its bids offer any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactive: BTreeMap<u32, ReactiveRecord>,
    /// Whether its delivery was settled.
    pub settled: bool,
}

/// What the ledger keeps of one aggregator's reactive power at one bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReactiveRecord {
    /// Its price there.
    pub price: PicoEurPerWh,
    /// What was allocated; absorbed positive.
    pub allocation: Millivar,
}

/// What one entry changes. Nothing happens until [`State::commit`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What accounts receive; negative: pay.
    pub payments: BTreeMap<Id, NanoEur>,
    /// Tokens made; negative: ended. The payments add up to it.
    pub issued: NanoEur,
    /// Account that made a transfer.
    pub transfer_by: Option<Id>,
    /// Record of an interval, new or changed.
    pub interval: Option<(Interval, IntervalRecord)>,
    /// Records of a day-ahead session's intervals.
    pub day_ahead: BTreeMap<Interval, DayAheadRecord>,
    /// A validator's contradiction that was proven.
    pub contradiction: Option<Contradiction>,
    /// Change of what is governed.
    pub governed: Option<Edit>,
    /// Records of contracts.
    pub contracts: ContractEdits,
}

impl Changes {
    /// Adds to what an account receives; negative: pays.
    ///
    /// # Errors
    /// Where the sum leaves 64 bits.
    pub fn pay(&mut self, account: &Id, amount: NanoEur) -> Result<(), Refusal> {
        let sum = self.payments.entry(account.clone()).or_default();
        let added = sum.checked_add(amount);
        *sum = added.ok_or_else(|| Refusal::Overflow { account: account.clone() })?;
        Ok(())
    }

    /// Moves an amount from one account to another.
    ///
    /// # Errors
    /// Where a sum leaves 64 bits.
    pub fn move_between(&mut self, from: &Id, to: &Id, amount: NanoEur) -> Result<(), Refusal> {
        let paid = NanoEur::ZERO.checked_sub(amount);
        self.pay(from, paid.ok_or_else(|| Refusal::Overflow { account: from.clone() })?)?;
        self.pay(to, amount)
    }
}

/// What everyone agrees on after a block. Every field is a piece named in [`encoding`], by which it is
/// hashed, stored and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    accounts: Table<Id, Account>,
    intervals: Table<Interval, IntervalRecord>,
    day_ahead: Table<Interval, DayAheadRecord>,
    /// The latest interval forgotten; neither it nor any before it can be cleared.
    forgotten_to: Single<Option<Interval>>,
    voting: Single<Voting>,
    governed: Single<Governed>,
    contracts: ContractRecords,
    /// What all balances add up to: the genesis's, and what was minted since less what was burned.
    issued: Single<NanoEur>,
}

/// Why a state can't start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StateError {
    /// Balances add up to more than 64 bits.
    #[error("the balances add up to more than 64 bits")]
    TotalOverflow,
    /// An account's name is none.
    #[error(transparent)]
    Account(#[from] PartyError),
}

impl State {
    /// The state a ledger starts from: every participant's account, and the rounding account.
    ///
    /// # Errors
    /// Where balances add up to more than 64 bits.
    pub fn genesis(genesis: &Genesis) -> Result<Self, StateError> {
        let rounding: Id = ROUNDING_ACCOUNT.parse()?;
        let carbon = genesis.prices_carbon().then(|| CARBON_ACCOUNT.parse()).transpose()?;
        let names = genesis.participants.iter().map(|p| p.account.clone()).chain([rounding]).chain(carbon);
        let mut accounts: BTreeMap<Id, Account> = names.map(|name| (name, Account::default())).collect();
        let mut total = NanoEur::ZERO;
        for (name, balance) in &genesis.balances {
            total = total.checked_add(*balance).ok_or(StateError::TotalOverflow)?;
            accounts.insert(name.clone(), Account { balance: *balance, nonce: 0 });
        }
        Ok(Self::of(accounts, total, Arc::new(Governed::genesis(genesis))))
    }

    /// A state of accounts and what is governed alone.
    fn of(accounts: BTreeMap<Id, Account>, issued: NanoEur, governed: Arc<Governed>) -> Self {
        Self {
            accounts: accounts.into_iter().collect(),
            intervals: Table::default(),
            day_ahead: Table::default(),
            forgotten_to: Single::new(Arc::new(None)),
            voting: Single::new(Arc::default()),
            governed: Single::new(governed),
            contracts: ContractRecords::default(),
            issued: Single::new(Arc::new(issued)),
        }
    }

    /// Every account.
    pub fn accounts(&self) -> &Table<Id, Account> {
        &self.accounts
    }

    /// Every interval kept.
    pub fn intervals(&self) -> &Table<Interval, IntervalRecord> {
        &self.intervals
    }

    /// The latest interval forgotten.
    pub fn forgotten_to(&self) -> Option<Interval> {
        **self.forgotten_to.get()
    }

    /// Every interval of a day-ahead session that is kept. Sessions are decided in their order, so by the
    /// last one none is decided twice, however little is kept of it.
    pub fn day_ahead(&self) -> &Table<Interval, DayAheadRecord> {
        &self.day_ahead
    }

    /// What the chain says of its validators.
    pub fn voting(&self) -> &Voting {
        self.voting.get()
    }

    /// A block begins: see [`Voting`].
    pub(crate) fn begin_block(&mut self, validators: &ValidatorSet, votes: Option<&VoteCertificate>) {
        let mut voting = self.voting().clone();
        voting.begin_block(validators, votes);
        self.voting.put(Arc::new(voting));
    }

    /// What is governed.
    pub fn governed(&self) -> &Arc<Governed> {
        self.governed.get()
    }

    /// What contracts keep.
    pub fn contracts(&self) -> &ContractRecords {
        &self.contracts
    }

    /// What all balances add up to, as the genesis and every mint and burn since make it.
    pub fn issued(&self) -> NanoEur {
        **self.issued.get()
    }

    /// What an account holds; nothing where it does not exist.
    pub fn balance(&self, account: &Id) -> NanoEur {
        self.accounts.get(account).map_or(NanoEur::ZERO, |account| account.balance)
    }

    /// Sum of all balances. Equal to [`State::issued`] in every state of a ledger.
    pub fn total_nano_eur(&self) -> i128 {
        self.accounts.values().map(|account| i128::from(account.balance.0)).sum()
    }

    /// Makes an entry's changes, all or none, and returns the payments made.
    ///
    /// # Errors
    /// Where payments don't sum to what is issued, an account doesn't exist or a balance overflows; the state
    /// is then as it was.
    pub fn commit(&mut self, changes: Changes) -> Result<Vec<Payment>, Refusal> {
        let balances = self.balances_after(&changes)?;
        let issued = self.issued().checked_add(changes.issued);
        let issued = issued.ok_or(Refusal::Supply { issued: changes.issued })?;
        if issued != self.issued() {
            self.issued.put(Arc::new(issued));
        }
        for (name, balance) in balances {
            let account = self.accounts.get(&name).copied().unwrap_or_default();
            self.accounts.put(name, Account { balance, ..account });
        }
        if let Some(name) = changes.transfer_by {
            if let Some(account) = self.accounts.get(&name).copied() {
                self.accounts.put(name, Account { nonce: account.nonce + 1, ..account });
            }
        }
        if let Some((at, record)) = changes.interval {
            self.intervals.put(at, record);
            if let Some(oldest) = self.intervals.keep_last(KEPT_INTERVALS).pop() {
                self.forgotten_to.put(Arc::new(Some(oldest)));
                self.contracts.age(oldest);
            }
        }
        for (at, record) in changes.day_ahead {
            self.day_ahead.put(at, record);
            self.day_ahead.keep_last(KEPT_DAY_AHEAD);
        }
        if let Some(contradiction) = changes.contradiction {
            let mut voting = self.voting().clone();
            voting.record(contradiction);
            self.voting.put(Arc::new(voting));
        }
        if let Some(edit) = changes.governed {
            self.govern(|governed| governed.make(edit));
        }
        self.contracts.edit(changes.contracts);
        let payments = changes.payments.into_iter();
        Ok(payments.map(|(account, amount)| Payment { account, amount }).collect())
    }

    /// Changes what is governed, and opens new members' accounts.
    pub fn govern(&mut self, change: impl FnOnce(&mut Governed)) {
        let mut governed = Governed::clone(self.governed());
        let members = governed.members.len();
        change(&mut governed);
        if governed.members.len() != members {
            for account in governed.members.values().map(|member| &member.participant.account) {
                if !self.accounts.contains_key(account) {
                    self.accounts.put(account.clone(), Account::default());
                }
            }
        }
        self.governed.put(Arc::new(governed));
    }

    fn balances_after(&self, changes: &Changes) -> Result<Vec<(Id, NanoEur)>, Refusal> {
        let sum: i128 = changes.payments.values().map(|amount| i128::from(amount.0)).sum();
        if sum != i128::from(changes.issued.0) {
            return Err(Refusal::Unbalanced { sum });
        }
        let after = changes.payments.iter().map(|(name, amount)| {
            // Accounts that nobody owns begin with the first payment to them.
            if !self.accounts.contains_key(name) && !is_named_account(name) {
                return Err(Refusal::NoAccount { account: name.clone() });
            }
            let balance = self.balance(name).checked_add(*amount);
            balance
                .map(|balance| (name.clone(), balance))
                .ok_or_else(|| Refusal::Overflow { account: name.clone() })
        });
        after.collect()
    }
}
