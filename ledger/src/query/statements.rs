//! Statements of accounts, as `gridpact ledger export` writes them: from what the index remembers of each block, so
//! that no chain is walked through for them, and held against the balances that it has.

use super::{Place, ReadError, Reader};
use crate::block::{entry_leaf, DecidedBlock};
use crate::rights::{EntryKind, Query};
use crate::statement::{lines, Line, Period, Reference, Statement, StatementError, Total};
use crate::store::remembered::RememberedEntry;
use market::interval::{Interval, UnixSeconds};
use market::units::NanoEur;
use std::collections::{BTreeMap, BTreeSet};
use wire::party::{Id, PartyId};

/// Most lines and totals of one statement.
pub const MAX_LINES: usize = 20_000;
/// Longest period of one statement, in days.
pub const MAX_PERIOD_DAYS: i64 = 31;
/// Most blocks that one statement of all accounts is drawn from.
const MAX_BLOCKS: u64 = 50_000;
/// Most intervals that one statement is about: a month of five minutes.
const MAX_STATEMENT_INTERVALS: i64 = 10_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// What a period is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodOf {
    /// Block times: when lines were booked.
    Booking,
    /// Market intervals: when energy flowed.
    Interval,
}

/// Which statement is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// First time in the period.
    pub from: UnixSeconds,
    /// First time after it.
    pub to: UnixSeconds,
    /// Of what the period is.
    pub of: PeriodOf,
    /// One account's name, or a party's as role/id; none for all, or the caller's own where it may not see all.
    pub party: Option<String>,
}

/// A run of heights, both ends in it.
type Heights = (u64, u64);

impl Reader<'_> {
    /// The statement asked for.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn statement(&self, asked: &Booked) -> Result<Statement, ReadError> {
        let account = self.whose_statement(asked.party.as_deref())?;
        let whole = asked.from.0 >= 0;
        let seconds = asked.to.0.checked_sub(asked.from.0).filter(|seconds| *seconds > 0 && whole);
        if seconds.is_none_or(|seconds| seconds > MAX_PERIOD_DAYS * SECONDS_PER_DAY) {
            let (from, to) = (asked.from.0, asked.to.0);
            return Err(ReadError::Span { from, to, most: MAX_PERIOD_DAYS, unit: "days, none before 1970" });
        }
        let milliseconds = |at: UnixSeconds| at.0.unsigned_abs().saturating_mul(1_000);
        let (from_ms, to_ms) = (milliseconds(asked.from), milliseconds(asked.to));
        match asked.of {
            PeriodOf::Booking => self.of_booking((from_ms, to_ms), account.as_ref()),
            PeriodOf::Interval => {
                let lines = self.of_intervals(asked.from, asked.to, account.as_ref())?;
                let all = Statement { lines, totals: Vec::new(), parties: self.parties() };
                Ok(all.of_intervals(&Period { from_ms: Some(from_ms), to_ms: Some(to_ms) }))
            }
        }
    }

    fn whose_statement(&self, party: Option<&str>) -> Result<Option<Id>, ReadError> {
        let (own, any) = (Query::OwnSettlement, Query::SettlementExport);
        if party.is_none() && self.may(any) {
            return Ok(None);
        }
        let unknown = |name: &str| ReadError::NoSuch { what: format!("account or party {name:?}") };
        let named = |name: &str| {
            let of_party = name.parse::<PartyId>().ok().and_then(|party| {
                let members = &self.view.rules.governed.members;
                members.get(&party).map(|member| member.participant.account.clone())
            });
            of_party.or_else(|| name.parse().ok())
        };
        let Some(name) = party else { return self.account_for(None, (own, any)).map(Some) };
        // Whoever may not see others' is told the same of those that there are and those that there are not.
        let account = match named(name) {
            Some(account) => self.account_for(Some(account), (own, any))?,
            None => {
                self.allow(any)?;
                return Err(unknown(name));
            }
        };
        let known = self.view.state.accounts().contains_key(&account);
        known.then_some(Some(account)).ok_or_else(|| unknown(name))
    }

    fn parties(&self) -> BTreeMap<Id, PartyId> {
        let members = self.view.rules.governed.members.values();
        members.map(|member| (member.participant.account.clone(), member.party().clone())).collect()
    }

    /// Lines and totals of the blocks of a period.
    fn of_booking(&self, (from_ms, to_ms): (u64, u64), account: Option<&Id>) -> Result<Statement, ReadError> {
        let tip = self.view.tip.height;
        let first = self.history.first_at(from_ms)?;
        let last = self.history.first_at(to_ms)?.saturating_sub(1).min(tip);
        let known = self.history.known_from()?;
        if known > 1 && first <= known {
            let what = format!("record here of all blocks of the period, but only of those from {known} on");
            return Err(ReadError::NoSuch { what });
        }
        let heights = (first, last);
        let mut lines = Vec::new();
        for height in self.heights_of(heights, account)? {
            let decided = self.block(height)?;
            let remembered = self.history.remembered(height)?.unwrap_or_default();
            for (index, entry) in remembered.iter().enumerate() {
                self.add_lines(&decided, (index, entry), account, &mut lines)?;
            }
        }
        let mut totals = Vec::new();
        let sums = crate::statement::sums(&lines);
        let accounts: Vec<&Id> = match account {
            Some(account) => vec![account],
            None => self.view.state.accounts().keys().collect(),
        };
        for account in accounts {
            let amount = sums.get(account).copied().unwrap_or_default();
            let opening = self.held(account, first.saturating_sub(1))?;
            let closing = if first > last { opening } else { self.held(account, last)? };
            if i128::from(opening.0) + amount != i128::from(closing.0) {
                let account = account.clone();
                return Err(StatementError::Differs { account, lines: amount, opening, closing }.into());
            }
            totals.push(Total { account: account.clone(), amount, balances: Some((opening, closing)) });
            check_size(lines.len() + totals.len())?;
        }
        Ok(Statement { lines, totals, parties: self.parties() })
    }

    /// The blocks of a run of heights that have lines of an account, or of all.
    fn heights_of(&self, (first, last): Heights, account: Option<&Id>) -> Result<Vec<u64>, ReadError> {
        let Some(account) = account else {
            return match last.saturating_sub(first) < MAX_BLOCKS {
                true => Ok((first..=last).collect()),
                false => Err(ReadError::TooMuch { what: "blocks' lines", most: MAX_BLOCKS as usize }),
            };
        };
        let touched = self.history.touched(account, (first, last), MAX_LINES + 1)?;
        check_size(touched.len())?;
        Ok(touched.into_iter().map(|(height, _)| height).collect())
    }

    /// What an account held after the block at a height.
    fn held(&self, account: &Id, height: u64) -> Result<NanoEur, ReadError> {
        if let Some((_, held)) = self.history.held(account, height)? {
            return Ok(held);
        }
        // Nothing known paid it up to then: so it held what it held before the next that does.
        let later = (height.saturating_add(1), self.view.tip.height);
        let Some((next, held)) = self.history.touched(account, later, 1)?.pop() else {
            return Ok(self.view.state.balance(account));
        };
        let remembered = self.history.remembered(next)?.unwrap_or_default();
        let paid = remembered.iter().flat_map(|entry| &entry.payments).filter(|(paid, _)| paid == account);
        let received: i64 = paid.map(|(_, amount)| amount.0).sum();
        Ok(NanoEur(held.0.saturating_sub(received)))
    }

    /// Lines about the intervals of a period, in order of the ledger.
    fn of_intervals(
        &self,
        from: UnixSeconds,
        to: UnixSeconds,
        account: Option<&Id>,
    ) -> Result<Vec<Line>, ReadError> {
        let known = self.history.known_from()?;
        let mut places: BTreeSet<(u64, usize)> = BTreeSet::new();
        for interval in self.many_intervals(from, to)? {
            let about = self.history.about(interval, None)?;
            let cleared = about.iter().any(|place| place.entry.kind == EntryKind::Clearing.word());
            // A session is found by every interval it clears, and its lines are about the first.
            let of_it = |place: &&Place| place.entry.interval == Some(interval);
            places.extend(about.iter().filter(of_it).map(|place| (place.height, place.index)));
            self.check_known(interval, cleared, known)?;
        }
        let mut lines = Vec::new();
        for (height, index) in places {
            let decided = self.block(height)?;
            let remembered = self.history.remembered(height)?.unwrap_or_default();
            let Some(entry) = remembered.get(index) else { continue };
            self.add_lines(&decided, (index, entry), account, &mut lines)?;
        }
        Ok(lines)
    }

    /// The intervals that start in a period.
    fn many_intervals(&self, from: UnixSeconds, to: UnixSeconds) -> Result<Vec<Interval>, ReadError> {
        let length_s = self.view.rules.parameters.interval_s;
        let first = Interval::containing(from, length_s);
        let first = if first.start() < from { first.later(1, length_s) } else { first };
        let seconds = to.0.saturating_sub(first.start().0);
        let count = if seconds > 0 { (seconds - 1) / length_s + 1 } else { 0 };
        match count <= MAX_STATEMENT_INTERVALS {
            true => Ok((0..count).map(|n| first.later(n, length_s)).collect()),
            false => {
                Err(ReadError::TooMuch { what: "intervals' lines", most: MAX_STATEMENT_INTERVALS as usize })
            }
        }
    }

    fn add_lines(
        &self,
        decided: &DecidedBlock,
        (index, remembered): (usize, &RememberedEntry),
        account: Option<&Id>,
        found: &mut Vec<Line>,
    ) -> Result<(), ReadError> {
        let wanted = |paid: &Id| account.is_none_or(|account| account == paid);
        if !remembered.payments.iter().any(|(paid, _)| wanted(paid)) {
            return Ok(());
        }
        let Some((_, entry)) = decided.entries().nth(index) else { return Ok(()) };
        let (header, entries) = (&decided.block.header, &decided.block.entries);
        let Some(envelope) = entries.get(index) else { return Ok(()) };
        let mut receipt = remembered.receipt(&self.view.rules, &entry);
        receipt.payments.retain(|payment| wanted(&payment.account));
        receipt.settled.retain(|settled, _| wanted(settled));
        let reference = Reference {
            height: header.height,
            time_ms: header.time_ms,
            index,
            kind: crate::contracts::kind(&entry),
            entry: entry_leaf(envelope),
        };
        found.extend(lines(&reference, &receipt, remembered.terms.as_ref()));
        check_size(found.len())
    }
}

fn check_size(lines: usize) -> Result<(), ReadError> {
    match lines > MAX_LINES {
        true => Err(ReadError::TooMuch { what: "lines", most: MAX_LINES }),
        false => Ok(()),
    }
}
