//! Reserve: the DSO or the TSO interface asks for it, sites offer on the ledger, and what is taken must be in order of
//! merit of all offers there are, which every validator checks. Deliveries then pay for what was held ready and for
//! what was called, and penalise what was called and not delivered.

mod refusal;
mod settle;

pub use refusal::ReserveRefusal;
pub(super) use settle::settle;

use super::rules::Rules;
use super::span::{latest, Span};
use crate::state::receipt::Refusal;
use crate::state::records::Kept;
use crate::state::reserve::{OfferRecord, ReserveRecord, MAX_TENDERS};
use crate::state::{Changes, State};
use market::merit::{check, Taken};
use market::units::{Milliwatt, PicoEurPerWh, POWER_BOUND};
use std::collections::BTreeMap;
use wire::entry::{
    ReserveActivate, ReserveAward, ReserveEntry, ReserveOffer, ReserveTender, MAX_RESERVE_OFFERS,
};
use wire::hash::Hash32;
use wire::party::Id;

/// What an entry of a party, given with its account, changes.
pub(super) fn execute(
    rules: &Rules,
    state: &State,
    account: &Id,
    entry: &ReserveEntry,
) -> Result<Changes, Refusal> {
    match entry {
        ReserveEntry::Tender(terms) => tender(rules, state, account, terms),
        ReserveEntry::Offer(offer) => self::offer(rules, state, account, offer),
        ReserveEntry::Award(award) => self::award(state, account, award),
        ReserveEntry::Activate(call) => activate(state, account, call),
    }
}

fn tender(rules: &Rules, state: &State, buyer: &Id, terms: &ReserveTender) -> Result<Changes, Refusal> {
    let span = Span::check(rules, state, terms.first, terms.intervals)?;
    let prices = PicoEurPerWh::ZERO..=rules.parameters.price_max;
    let sound = [terms.price_max, terms.activation_price, terms.penalty_price];
    let powers = Milliwatt(1)..=POWER_BOUND;
    if !powers.contains(&terms.power) || !sound.iter().all(|price| prices.contains(price)) {
        return Err(ReserveRefusal::Terms.into());
    }
    let kept = &state.contracts().reserves;
    let name = terms.name(buyer)?;
    if kept.get(&name).is_some() {
        return Err(ReserveRefusal::Exists { tender: name }.into());
    }
    if kept.len() >= MAX_TENDERS {
        return Err(ReserveRefusal::Full.into());
    }
    put(
        name,
        ReserveRecord {
            buyer: buyer.clone(),
            terms: *terms,
            end: span.end,
            offers: Vec::new(),
            price: None,
            activations: BTreeMap::new(),
        },
    )
}

fn offer(rules: &Rules, state: &State, account: &Id, offer: &ReserveOffer) -> Result<Changes, Refusal> {
    let mut record = open(state, &offer.tender)?.clone();
    let site = rules.sites.get(account);
    let site = site.ok_or_else(|| ReserveRefusal::NoSite { account: account.clone() })?;
    let prices = PicoEurPerWh::ZERO..=record.terms.price_max;
    if offer.power <= Milliwatt::ZERO || !prices.contains(&offer.price) {
        return Err(ReserveRefusal::Terms.into());
    }
    if record.offers.iter().any(|other| other.account == *account) {
        return Err(ReserveRefusal::Exists { tender: offer.tender }.into());
    }
    if record.offers.len() >= MAX_RESERVE_OFFERS {
        return Err(ReserveRefusal::Full.into());
    }
    // What it offers elsewhere counts until it is known what of it is taken.
    let ReserveTender { direction, first, .. } = record.terms;
    let elsewhere = state.contracts().reserves.iter().map(|(_, other)| other);
    let elsewhere = elsewhere.filter(|other| other.competes(direction, first, record.end));
    let held: i128 = elsewhere
        .flat_map(|other| other.offers.iter().map(move |offer| (other, offer)))
        .filter(|(_, offer)| offer.account == *account)
        .map(|(other, offer)| if other.price.is_some() { offer.taken } else { offer.power })
        .map(|power| i128::from(power.0))
        .sum();
    if held + i128::from(offer.power.0) > i128::from(site.connection.0) {
        return Err(ReserveRefusal::Connection { account: account.clone() }.into());
    }
    let ReserveOffer { power, price, .. } = *offer;
    record.offers.push(OfferRecord { account: account.clone(), power, price, taken: Milliwatt::ZERO });
    put(offer.tender, record)
}

fn award(state: &State, account: &Id, award: &ReserveAward) -> Result<Changes, Refusal> {
    let record = open(state, &award.tender)?;
    check_buyer(record, account, &award.tender)?;
    let taken = Taken { price: award.price, powers: award.powers.clone() };
    check(record.terms.power, &record.merits(), &taken).map_err(ReserveRefusal::from)?;
    let mut record = record.clone();
    record.price = Some(award.price);
    for (offer, power) in record.offers.iter_mut().zip(&award.powers) {
        offer.taken = *power;
    }
    put(award.tender, record)
}

/// A call must be on the ledger before the gate of the interval after it closes, and before anyone's meter is.
fn activate(state: &State, account: &Id, call: &ReserveActivate) -> Result<Changes, Refusal> {
    let ReserveActivate { tender, interval, permille } = *call;
    let record = get(state, &tender)?;
    check_buyer(record, account, &tender)?;
    if record.price.is_none() {
        return Err(ReserveRefusal::NotAwarded { tender }.into());
    }
    if !record.covers(interval) || !(1..=1_000).contains(&permille) {
        return Err(ReserveRefusal::Terms.into());
    }
    if record.activations.contains_key(&interval) {
        return Err(ReserveRefusal::Called { tender, interval }.into());
    }
    let delivered = state
        .intervals()
        .get(&interval)
        .is_some_and(|cleared| cleared.awards.values().any(|award| award.settled));
    if delivered || latest(state) > Some(interval) {
        return Err(ReserveRefusal::TooLate { interval }.into());
    }
    let mut record = record.clone();
    record.activations.insert(interval, permille);
    put(tender, record)
}

fn put(name: Hash32, record: ReserveRecord) -> Result<Changes, Refusal> {
    let mut changes = Changes::default();
    changes.contracts.reserves.insert(name, Some(Kept::new(record)?));
    Ok(changes)
}

fn get<'a>(state: &'a State, name: &Hash32) -> Result<&'a ReserveRecord, ReserveRefusal> {
    state.contracts().reserves.get(name).ok_or(ReserveRefusal::Unknown { tender: *name })
}

/// A tender that can still be answered, or awarded.
fn open<'a>(state: &'a State, name: &Hash32) -> Result<&'a ReserveRecord, Refusal> {
    let record = get(state, name)?;
    if record.price.is_some() {
        return Err(ReserveRefusal::Awarded { tender: *name }.into());
    }
    Span::check_open(state, record.terms.first)?;
    Ok(record)
}

fn check_buyer(record: &ReserveRecord, account: &Id, name: &Hash32) -> Result<(), ReserveRefusal> {
    match record.buyer == *account {
        true => Ok(()),
        false => Err(ReserveRefusal::NotYours { tender: *name }),
    }
}
