//! Contracts: what each kind of entry does to the state. A contract reads the state and answers
//! with changes or a refusal; it changes nothing itself, so a refused entry leaves no trace.

pub mod bilateral;
pub mod clearing;
pub mod day_ahead;
mod delivered;
pub mod delivery;
pub mod evidence;
pub mod fees;
pub mod issuance;
mod positions;
mod reactive;
pub mod reserve;
pub mod response;
pub mod rules;
pub mod span;
pub mod transfer;
pub mod versions;

use crate::block::At;
use crate::governed::member::Standing;
use crate::state::receipt::{Cleared, Receipt, Refusal};
use crate::state::{Changes, State};
use market::interval::Interval;
use rules::Rules;
use std::collections::BTreeMap;
use wire::entry::{BilateralEntry, Entry, ReserveEntry, ResponseEntry};
use wire::party::{PartyId, Role};

/// The word for an entry's kind, in receipts and metrics.
pub fn kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::Clearing(_) => "clearing",
        Entry::DayAhead(_) => "day-ahead",
        Entry::Delivery(_) => "delivery",
        Entry::Transfer(_) => "transfer",
        Entry::Evidence(_) => "evidence",
        Entry::Mint(_) => "mint",
        Entry::Redeem(_) => "redeem",
        Entry::Burn(_) => "burn",
        Entry::Bilateral(BilateralEntry::Offer(_)) => "bilateral-offer",
        Entry::Bilateral(BilateralEntry::Accept(_)) => "bilateral-accept",
        Entry::Bilateral(BilateralEntry::Approve(_)) => "bilateral-approve",
        Entry::Bilateral(BilateralEntry::Cancel(_)) => "bilateral-cancel",
        Entry::Reserve(ReserveEntry::Tender(_)) => "reserve-tender",
        Entry::Reserve(ReserveEntry::Offer(_)) => "reserve-offer",
        Entry::Reserve(ReserveEntry::Award(_)) => "reserve-award",
        Entry::Reserve(ReserveEntry::Activate(_)) => "reserve-activate",
        Entry::Response(ResponseEntry::Enrol(_)) => "response-enrol",
        Entry::Response(ResponseEntry::Leave(_)) => "response-leave",
        Entry::Response(ResponseEntry::Call(_)) => "response-call",
        Entry::Response(ResponseEntry::Settle(_)) => "response-settle",
    }
}

/// Whether a role may submit this kind of entry.
pub fn may_submit(role: Role, entry: &Entry) -> bool {
    match entry {
        Entry::Clearing(_) | Entry::DayAhead(_) => role == Role::Dso,
        Entry::Delivery(_) => role == Role::Aggregator,
        Entry::Transfer(_) | Entry::Redeem(_) => role != Role::Timekeeper,
        Entry::Mint(_) | Entry::Burn(_) => role == Role::Gateway,
        Entry::Evidence(_) => role == Role::Validator,
        Entry::Bilateral(BilateralEntry::Offer(_) | BilateralEntry::Accept(_)) => role == Role::Site,
        Entry::Bilateral(BilateralEntry::Approve(_)) => role == Role::Dso,
        Entry::Bilateral(BilateralEntry::Cancel(_)) => [Role::Site, Role::Dso].contains(&role),
        Entry::Reserve(ReserveEntry::Offer(_)) => role == Role::Site,
        Entry::Reserve(_) => [Role::Dso, Role::Tso].contains(&role),
        Entry::Response(ResponseEntry::Enrol(_) | ResponseEntry::Leave(_)) => role == Role::Site,
        Entry::Response(ResponseEntry::Call(_)) => [Role::Dso, Role::Aggregator].contains(&role),
        Entry::Response(ResponseEntry::Settle(_)) => {
            [Role::Dso, Role::Aggregator, Role::Site].contains(&role)
        }
    }
}

/// What an entry would change in the block that stands `at` there, without changing it.
///
/// # Errors
/// Names why the entry does not fit.
pub fn execute(
    rules: &Rules,
    state: &State,
    at: At,
    submitter: &PartyId,
    entry: &Entry,
) -> Result<Changes, Refusal> {
    let right = || Refusal::Right { submitter: submitter.clone(), kind: kind(entry) };
    if !may_submit(submitter.role, entry) {
        return Err(right());
    }
    versions::check(rules, entry)?;
    check_standing(state, at, submitter)?;
    let account = rules.account_of(submitter).ok_or_else(right)?;
    let mut changes = match entry {
        Entry::Clearing(clearing) => clearing::execute(rules, state, clearing),
        Entry::DayAhead(session) => day_ahead::execute(rules, state, session),
        Entry::Delivery(delivery) => delivery::execute(rules, state, (&submitter.id, account), delivery),
        Entry::Transfer(transfer) => transfer::execute(state, account, transfer),
        Entry::Mint(mint) => issuance::mint(rules, state, &submitter.id, mint),
        Entry::Redeem(redeem) => issuance::redeem(rules, state, account, redeem),
        Entry::Burn(burn) => issuance::burn(rules, state, &submitter.id, burn),
        Entry::Evidence(evidence) => evidence::execute(rules.verifier.ledger(), state, evidence),
        Entry::Bilateral(step) => bilateral::execute(rules, state, (submitter, account), step),
        Entry::Reserve(step) => reserve::execute(rules, state, account, step),
        Entry::Response(step) => response::execute(rules, state, (submitter, account), step),
    }?;
    let fee = fees::fee_of(&rules.parameters.charges, entry);
    fees::charge(state, (account, &rules.fees_account), fee, &mut changes)?;
    Ok(changes)
}

/// Executes an entry on the state, whole or not at all.
///
/// # Errors
/// Names why the entry does not fit; the state is then as it was.
pub fn apply(
    rules: &Rules,
    state: &mut State,
    at: At,
    submitter: &PartyId,
    entry: &Entry,
) -> Result<Receipt, Refusal> {
    let changes = execute(rules, state, at, submitter, entry)?;
    let cleared = cleared(entry, &changes);
    let settled = match entry {
        Entry::Delivery(delivery) => delivery::settled(rules, delivery),
        _ => BTreeMap::new(),
    };
    let payments = state.commit(changes)?;
    let (submitter, kind, interval) = (submitter.clone(), kind(entry), interval(entry));
    Ok(Receipt { submitter, kind, interval, payments, cleared, settled })
}

/// What a clearing's changes record. A delivery changes an interval's record too, and clears nothing.
fn cleared(entry: &Entry, changes: &Changes) -> Vec<Cleared> {
    match entry {
        Entry::Clearing(_) => changes.interval.iter().map(|(at, record)| record.cleared(*at)).collect(),
        Entry::DayAhead(_) => changes.day_ahead.iter().map(|(at, record)| record.cleared(*at)).collect(),
        _ => Vec::new(),
    }
}

/// Whether the submitter takes part at this time.
fn check_standing(state: &State, at: At, submitter: &PartyId) -> Result<(), Refusal> {
    let party = || submitter.clone();
    let member = state.governed().members.get(submitter);
    match member.ok_or_else(|| Refusal::NoParticipant { party: party() })?.standing(at.time_ms) {
        Standing::Valid => Ok(()),
        Standing::Upcoming(from_ms) => Err(Refusal::NotYetValid { party: party(), from_ms }),
        Standing::Expired(to_ms) => Err(Refusal::Expired { party: party(), to_ms }),
        Standing::Revoked(at_ms) => Err(Refusal::Revoked { party: party(), at_ms }),
    }
}

fn interval(entry: &Entry) -> Option<Interval> {
    match entry {
        Entry::Clearing(clearing) => Some(clearing.interval),
        Entry::DayAhead(entry) => Some(entry.session),
        Entry::Delivery(delivery) => Some(delivery.interval),
        Entry::Bilateral(BilateralEntry::Offer(offer)) => Some(offer.first),
        Entry::Reserve(ReserveEntry::Tender(terms)) => Some(terms.first),
        Entry::Reserve(ReserveEntry::Activate(call)) => Some(call.interval),
        Entry::Response(ResponseEntry::Call(event)) => Some(event.first),
        _ => None,
    }
}
