//! Tokens for money: minted by a gateway for what came in, ended by it for what it paid out at the owner's own
//! request. Each is backed by a booking outside, which backs one entry and no other.

use super::rules::Rules;
use super::transfer::check_nonce;
use crate::genesis::is_named_account;
use crate::state::issuance::{
    RedemptionRecord, KEPT_REFERENCE_DAYS, MAX_REDEMPTIONS_PER_ACCOUNT, MAX_REFERENCES_PER_DAY,
};
use crate::state::receipt::Refusal;
use crate::state::records::Kept;
use crate::state::{Changes, State};
use market::units::NanoEur;
use thiserror::Error;
use wire::entry::{BurnEntry, MintEntry, RedeemEntry, Redeemed, Reference};
use wire::hash::Hash32;
use wire::party::{Id, PartyId, Role};

/// Booking days that can be meant: up to the year 2517.
const DAYS: std::ops::RangeInclusive<i64> = 0..=200_000;
/// How many days after the latest interval cleared a booking may be dated.
const DAYS_AHEAD: i64 = 7;
const SECONDS_PER_DAY: i64 = 86_400;

/// Why tokens can't be minted, redeemed or burned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IssuanceRefusal {
    /// Zero or less.
    #[error("{amount} is no amount to mint or redeem")]
    Amount {
        /// The amount.
        amount: NanoEur,
    },
    /// The account belongs to nobody who could own tokens.
    #[error("nobody owns the account {account}")]
    NoOwner {
        /// The account.
        account: Id,
    },
    /// The booking's day lies in the future, or longer ago than references are kept.
    #[error("a booking of day {day} backs nothing any more, or not yet")]
    Day {
        /// The day, since 1970-01-01.
        day: i64,
    },
    /// The booking backs another entry.
    #[error("the booking {hash} of day {day} was used before")]
    Used {
        /// Its day.
        day: i64,
        /// Its salted hash.
        hash: Hash32,
    },
    /// The day has as many references as are kept.
    #[error("day {day} has {MAX_REFERENCES_PER_DAY} references already")]
    DayFull {
        /// The day.
        day: i64,
    },
    /// Nobody is this gateway.
    #[error("{gateway} is no gateway")]
    NoGateway {
        /// The identifier given.
        gateway: Id,
    },
    /// The account has as many requests waiting as it may.
    #[error("{MAX_REDEMPTIONS_PER_ACCOUNT} requests of this account wait to be paid out already")]
    Waiting,
    /// The account holds less.
    #[error("the account holds {balance} and can't have {amount} redeemed")]
    Overdraft {
        /// What it holds.
        balance: NanoEur,
        /// What it asks for.
        amount: NanoEur,
    },
    /// No such request waits.
    #[error("no request number {nonce} of {account} waits to be paid out")]
    NoRequest {
        /// Whose.
        account: Id,
        /// Its number.
        nonce: u64,
    },
    /// The request is for another gateway.
    #[error("the request is for the gateway {gateway}")]
    OtherGateway {
        /// Whom it is for.
        gateway: Id,
    },
}

impl IssuanceRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            IssuanceRefusal::Amount { .. } => "no-amount",
            IssuanceRefusal::NoOwner { .. } => "no-owner",
            IssuanceRefusal::Day { .. } => "reference-day",
            IssuanceRefusal::Used { .. } => "reference-used",
            IssuanceRefusal::DayFull { .. } => "references-full",
            IssuanceRefusal::NoGateway { .. } => "no-gateway",
            IssuanceRefusal::Waiting => "redemptions-full",
            IssuanceRefusal::Overdraft { .. } => "overdraft",
            IssuanceRefusal::NoRequest { .. } => "no-request",
            IssuanceRefusal::OtherGateway { .. } => "other-gateway",
        }
    }
}

/// What a gateway's mint changes.
pub(super) fn mint(
    rules: &Rules,
    state: &State,
    gateway: &Id,
    entry: &MintEntry,
) -> Result<Changes, Refusal> {
    let MintEntry { to, amount, reference } = entry;
    if *amount <= NanoEur::ZERO {
        return Err(IssuanceRefusal::Amount { amount: *amount }.into());
    }
    if is_named_account(to) {
        return Err(IssuanceRefusal::NoOwner { account: to.clone() }.into());
    }
    let mut changes = Changes { issued: *amount, ..Changes::default() };
    use_reference(rules, state, gateway, reference, &mut changes)?;
    changes.pay(to, *amount)?;
    Ok(changes)
}

/// What an account's request to be paid out changes.
pub(super) fn redeem(
    rules: &Rules,
    state: &State,
    from: &Id,
    entry: &RedeemEntry,
) -> Result<Changes, Refusal> {
    let RedeemEntry { gateway, amount, nonce } = entry;
    let account = state.accounts().get(from).ok_or_else(|| Refusal::NoAccount { account: from.clone() })?;
    if *amount <= NanoEur::ZERO {
        return Err(IssuanceRefusal::Amount { amount: *amount }.into());
    }
    if !is_gateway(rules, gateway) {
        return Err(IssuanceRefusal::NoGateway { gateway: gateway.clone() }.into());
    }
    check_nonce(account, *nonce)?;
    let waiting = state.contracts().redemptions.range((from.clone(), 0), (from.clone(), u64::MAX));
    if waiting.count() >= MAX_REDEMPTIONS_PER_ACCOUNT {
        return Err(IssuanceRefusal::Waiting.into());
    }
    if account.balance < *amount {
        return Err(IssuanceRefusal::Overdraft { balance: account.balance, amount: *amount }.into());
    }
    let mut changes = Changes { transfer_by: Some(from.clone()), ..Changes::default() };
    changes.move_between(from, &rules.redemptions_account, *amount)?;
    let record = RedemptionRecord { gateway: gateway.clone(), amount: *amount };
    changes.contracts.redemptions.insert((from.clone(), *nonce), Some(Kept::new(record)?));
    Ok(changes)
}

/// What a gateway's answer to a request changes.
pub(super) fn burn(
    rules: &Rules,
    state: &State,
    gateway: &Id,
    entry: &BurnEntry,
) -> Result<Changes, Refusal> {
    let BurnEntry { account, nonce, outcome } = entry;
    let key = (account.clone(), *nonce);
    let no_request = || IssuanceRefusal::NoRequest { account: account.clone(), nonce: *nonce };
    let request = state.contracts().redemptions.get(&key).ok_or_else(no_request)?;
    // What a gateway that is none any more left behind, any other may give back.
    let left_behind = *outcome == Redeemed::Returned && !is_gateway(rules, &request.gateway);
    if request.gateway != *gateway && !left_behind {
        return Err(IssuanceRefusal::OtherGateway { gateway: request.gateway.clone() }.into());
    }
    let mut changes = Changes::default();
    match outcome {
        Redeemed::Paid(reference) => {
            use_reference(rules, state, gateway, reference, &mut changes)?;
            changes.issued = -request.amount;
            changes.pay(&rules.redemptions_account, -request.amount)?;
        }
        Redeemed::Returned => changes.move_between(&rules.redemptions_account, account, request.amount)?,
    }
    changes.contracts.redemptions.insert(key, None);
    Ok(changes)
}

fn is_gateway(rules: &Rules, gateway: &Id) -> bool {
    rules.verifier.registry().contains_key(&PartyId::new(Role::Gateway, gateway.clone()))
}

/// Takes a gateway's reference, which no entry used before.
fn use_reference(
    rules: &Rules,
    state: &State,
    gateway: &Id,
    reference: &Reference,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let Reference { day, hash } = *reference;
    let kept = &state.contracts().references;
    let oldest =
        kept.iter().next_back().map_or(0, |(newest, _)| newest.saturating_sub(KEPT_REFERENCE_DAYS - 1));
    let cleared = state.intervals().keys().next_back();
    let day_of = |second: i64| second.div_euclid(SECONDS_PER_DAY);
    let latest = cleared.map_or(*DAYS.end(), |at| day_of(at.end(rules.parameters.interval_s).0) + DAYS_AHEAD);
    if !DAYS.contains(&day) || day < oldest || day > latest {
        return Err(IssuanceRefusal::Day { day }.into());
    }
    let mut record = kept.get(&day).cloned().unwrap_or_default();
    if record.used.len() >= MAX_REFERENCES_PER_DAY {
        return Err(IssuanceRefusal::DayFull { day }.into());
    }
    let name = gateway.as_str().as_bytes();
    if !record.used.insert(Hash32::of("gridpact reference", &[name, &hash.0])) {
        return Err(IssuanceRefusal::Used { day, hash }.into());
    }
    changes.contracts.references.insert(day, Some(Kept::new(record)?));
    let ended = kept.iter().map(|(kept, _)| *kept).filter(|kept| *kept <= day - KEPT_REFERENCE_DAYS);
    changes.contracts.references.extend(ended.map(|day| (day, None)));
    Ok(())
}
