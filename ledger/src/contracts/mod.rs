//! Contracts: what each kind of entry does to the state. A contract reads the state and answers
//! with changes or a refusal; it changes nothing itself, so a refused entry leaves no trace.

pub mod bilateral;
pub mod clearing;
pub mod day_ahead;
mod delivered;
pub mod delivery;
pub mod double_clearing;
pub mod evidence;
pub mod fees;
pub mod governance;
pub mod issuance;
pub mod participant;
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
use crate::governed::registry::RegistryRefusal;
use crate::governed::{Edit, Governed};
use crate::rights::{may_write, EntryKind};
use crate::state::receipt::{Cleared, Receipt, Refusal, SettledSite};
use crate::state::{Changes, State};
use market::interval::Interval;
use rules::Rules;
use std::collections::BTreeMap;
use wire::entry::{BilateralEntry, Entry, ReserveEntry, ResponseEntry};
use wire::party::{Id, PartyId};

/// The word for an entry's kind, in receipts and metrics.
pub fn kind(entry: &Entry) -> &'static str {
    EntryKind::of(entry).word()
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
    let governed = state.governed();
    check_right(governed, at, submitter, entry)?;
    versions::check(rules, entry)?;
    if let Some(edit) = edit(rules, governed, at, submitter, entry)? {
        check_account(state, &edit)?;
        return Ok(Changes { governed: Some(edit), ..Changes::default() });
    }
    // Who registered in this block has its account from the next one on.
    let account = rules.account_of(submitter);
    let account = account.ok_or_else(|| Refusal::NoParticipant { party: submitter.clone() })?;
    let mut changes = match entry {
        Entry::Clearing(clearing) => clearing::execute(rules, state, clearing),
        Entry::DayAhead(session) => day_ahead::execute(rules, state, session),
        Entry::Delivery(delivery) => delivery::execute(rules, state, (&submitter.id, account), delivery),
        Entry::Transfer(transfer) => transfer::execute(state, account, transfer),
        Entry::Mint(mint) => issuance::mint(rules, state, &submitter.id, mint),
        Entry::Redeem(redeem) => issuance::redeem(rules, state, account, redeem),
        Entry::Burn(burn) => issuance::burn(rules, state, &submitter.id, burn),
        Entry::Evidence(evidence) => evidence::execute(rules.verifier.ledger(), state, evidence),
        Entry::DoubleClearing(proof) => double_clearing::execute(rules, state, proof),
        Entry::Bilateral(step) => bilateral::execute(rules, state, (submitter, account), step),
        Entry::Reserve(step) => reserve::execute(rules, state, account, step),
        Entry::Response(step) => response::execute(rules, state, (submitter, account), step),
        Entry::Participant(_) | Entry::Proposal(_) | Entry::Ballot(_) => Ok(Changes::default()),
    }?;
    let fee = fees::fee_of(&rules.parameters.charges, entry);
    fees::charge(state, (account, &rules.fees_account), fee, &mut changes)?;
    Ok(changes)
}

/// What an entry would change of what is governed; none where it is about something else. Needs nothing else of
/// the state, so that those who don't keep one can follow the registry by it.
///
/// # Errors
/// Names why the entry does not fit.
pub fn edit(
    rules: &Rules,
    governed: &Governed,
    at: At,
    submitter: &PartyId,
    entry: &Entry,
) -> Result<Option<Edit>, Refusal> {
    match entry {
        Entry::Participant(entry) => participant::execute(rules, governed, at, submitter, entry).map(Some),
        Entry::Proposal(entry) => governance::propose(rules, governed, at, submitter, entry).map(Some),
        Entry::Ballot(entry) => governance::vote(governed, submitter, entry).map(Some),
        _ => Ok(None),
    }
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
    let settled = settled(rules, entry);
    let payments = state.commit(changes)?;
    let (submitter, kind, interval) = (submitter.clone(), kind(entry), interval(entry));
    Ok(Receipt { submitter, kind, interval, payments, cleared, settled })
}

/// What sites' accounts are paid for by an entry that fits, where it is a delivery.
pub(crate) fn settled(rules: &Rules, entry: &Entry) -> BTreeMap<Id, SettledSite> {
    match entry {
        Entry::Delivery(delivery) => delivery::settled(rules, delivery),
        _ => BTreeMap::new(),
    }
}

/// What a clearing's changes record. A delivery changes an interval's record too, and clears nothing.
fn cleared(entry: &Entry, changes: &Changes) -> Vec<Cleared> {
    match entry {
        Entry::Clearing(_) => changes.interval.iter().map(|(at, record)| record.cleared(*at)).collect(),
        Entry::DayAhead(_) => changes.day_ahead.iter().map(|(at, record)| record.cleared(*at)).collect(),
        _ => Vec::new(),
    }
}

/// Ends a block: proposals that name the next height are decided.
pub fn end_block(rules: &Rules, state: &mut State, at: At) {
    if state.governed().is_due(at) {
        state.govern(|governed| governed.decide(rules.ground(), at));
    }
}

/// Somebody new begins with an account that nobody has, the ledger's own contracts among them.
fn check_account(state: &State, edit: &Edit) -> Result<(), Refusal> {
    let Edit::Member(member) = edit else { return Ok(()) };
    let account = &member.participant.account;
    if !state.governed().members.contains_key(member.party()) && state.accounts().contains_key(account) {
        return Err(RegistryRefusal::Taken { what: "account", value: account.to_string() }.into());
    }
    Ok(())
}

/// Whether the submitter's role has the right to such an entry, and the submitter takes part at this time.
fn check_right(governed: &Governed, at: At, submitter: &PartyId, entry: &Entry) -> Result<(), Refusal> {
    let kind = EntryKind::of(entry);
    let party = || submitter.clone();
    if !may_write(submitter.role, kind) {
        return Err(Refusal::Right { submitter: party(), kind: kind.word() });
    }
    let member = governed.members.get(submitter);
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
