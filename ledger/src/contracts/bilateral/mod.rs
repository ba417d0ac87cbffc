//! A bilateral contract: a seller offers, a buyer takes, the DSO approves what the feeder carries; from then on
//! every interval's delivery settles it. Who may still do what depends on what was cleared: an interval's gate is
//! closed once it, or a later one, is on the ledger.

mod refusal;
mod settle;

pub use refusal::BilateralRefusal;
pub(super) use settle::settle;

use super::rules::Rules;
use super::span::Span;
use crate::state::bilateral::{BilateralRecord, Stage, MAX_BILATERALS, MAX_BILATERALS_PER_SELLER};
use crate::state::receipt::Refusal;
use crate::state::records::Kept;
use crate::state::{Changes, State};
use market::interval::Interval;
use market::transit::overloaded;
use market::units::{Milliwatt, POWER_BOUND};
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::{BilateralEntry, BilateralOffer};
use wire::hash::Hash32;
use wire::party::{Id, PartyId, Role};

/// What an entry of a party, given with its account, changes.
pub(super) fn execute(
    rules: &Rules,
    state: &State,
    (party, account): (&PartyId, &Id),
    entry: &BilateralEntry,
) -> Result<Changes, Refusal> {
    match entry {
        BilateralEntry::Offer(offer) => self::offer(rules, state, account, offer),
        BilateralEntry::Accept(step) => accept(rules, state, account, &step.contract),
        BilateralEntry::Approve(step) => approve(rules, state, &step.contract),
        BilateralEntry::Cancel(step) => cancel(rules, state, (party, account), &step.contract),
    }
}

fn offer(rules: &Rules, state: &State, seller: &Id, offer: &BilateralOffer) -> Result<Changes, Refusal> {
    let span = Span::check(rules, state, offer.first, offer.intervals)?;
    if *seller == offer.buyer {
        return Err(BilateralRefusal::WithItself.into());
    }
    if !(Milliwatt(1)..=POWER_BOUND).contains(&offer.power) {
        return Err(BilateralRefusal::Power { power: offer.power }.into());
    }
    let limits = rules.parameters.price_min..=rules.parameters.price_max;
    if !limits.contains(&offer.price) {
        return Err(BilateralRefusal::Price { price: offer.price }.into());
    }
    let kept = &state.contracts().bilaterals;
    let of_seller = kept.iter().filter(|(_, contract)| contract.seller == *seller).count();
    if kept.len() >= MAX_BILATERALS || of_seller >= MAX_BILATERALS_PER_SELLER {
        return Err(BilateralRefusal::Full.into());
    }
    let name = offer.name(seller)?;
    if kept.get(&name).is_some() {
        return Err(BilateralRefusal::Exists { contract: name }.into());
    }
    let record = BilateralRecord {
        seller: seller.clone(),
        buyer: offer.buyer.clone(),
        first: span.first,
        end: span.end,
        power: offer.power,
        price: offer.price,
        stage: Stage::Offered,
        cancelled_by: None,
        half_settled: BTreeMap::new(),
    };
    check_connections(rules, state, (&name, &record))?;
    put(name, Some(record))
}

fn accept(rules: &Rules, state: &State, account: &Id, name: &Hash32) -> Result<Changes, Refusal> {
    let contract = get(state, name)?;
    if contract.buyer != *account {
        return Err(BilateralRefusal::NotYours { contract: *name }.into());
    }
    check_stage(name, contract, Stage::Offered)?;
    Span::check_open(state, contract.first)?;
    check_connections(rules, state, (name, contract))?;
    put(*name, Some(BilateralRecord { stage: Stage::Accepted, ..contract.clone() }))
}

fn approve(rules: &Rules, state: &State, name: &Hash32) -> Result<Changes, Refusal> {
    let contract = get(state, name)?;
    check_stage(name, contract, Stage::Accepted)?;
    Span::check_open(state, contract.first)?;
    check_connections(rules, state, (name, contract))?;
    check_lines(rules, state, (name, contract))?;
    let last = state.contracts().bilaterals.iter().filter_map(|(_, contract)| contract.order()).max();
    let stage = Stage::Approved { order: last.map_or(0, |last| last.saturating_add(1)) };
    put(*name, Some(BilateralRecord { stage, ..contract.clone() }))
}

/// Until it is approved, either party or the DSO ends a contract alone. From then on both parties must, or the DSO,
/// and what was cleared stays.
fn cancel(
    rules: &Rules,
    state: &State,
    (party, account): (&PartyId, &Id),
    name: &Hash32,
) -> Result<Changes, Refusal> {
    let contract = get(state, name)?;
    let is_party = [&contract.seller, &contract.buyer].contains(&account);
    if !is_party && party.role != Role::Dso {
        return Err(BilateralRefusal::NotYours { contract: *name }.into());
    }
    let ended = || Some(BilateralRecord { stage: Stage::Ended, cancelled_by: None, ..contract.clone() });
    if contract.stage == Stage::Ended || contract.cancelled_by.as_ref() == Some(account) {
        return Err(BilateralRefusal::Stage { contract: *name }.into());
    }
    if contract.order().is_none() {
        return put(*name, ended());
    }
    let open = Span::first_open(rules, state).map_or(contract.first, |open| open.max(contract.first));
    if open >= contract.end {
        return Err(BilateralRefusal::Over { contract: *name }.into());
    }
    if is_party && contract.cancelled_by.is_none() {
        return put(*name, Some(BilateralRecord { cancelled_by: Some(account.clone()), ..contract.clone() }));
    }
    let shortened = BilateralRecord { end: open, cancelled_by: None, ..contract.clone() };
    put(*name, if open > contract.first { Some(shortened) } else { ended() })
}

fn put(name: Hash32, record: Option<BilateralRecord>) -> Result<Changes, Refusal> {
    let mut changes = Changes::default();
    changes.contracts.bilaterals.insert(name, record.map(Kept::new).transpose()?);
    Ok(changes)
}

fn get<'a>(state: &'a State, name: &Hash32) -> Result<&'a BilateralRecord, BilateralRefusal> {
    state.contracts().bilaterals.get(name).ok_or(BilateralRefusal::Unknown { contract: *name })
}

fn check_stage(name: &Hash32, contract: &BilateralRecord, stage: Stage) -> Result<(), BilateralRefusal> {
    match contract.stage == stage {
        true => Ok(()),
        false => Err(BilateralRefusal::Stage { contract: *name }),
    }
}

/// What a site has sold, or bought, in one interval must pass its connection.
fn check_connections(
    rules: &Rules,
    state: &State,
    (name, new): (&Hash32, &BilateralRecord),
) -> Result<(), BilateralRefusal> {
    let sides: [fn(&BilateralRecord) -> &Id; 2] = [|contract| &contract.seller, |contract| &contract.buyer];
    for side in sides {
        let account = side(new);
        let site = rules.sites.get(account);
        let site = site.ok_or_else(|| BilateralRefusal::NoSite { account: account.clone() })?;
        let connection = i128::from(site.connection.0);
        let others = binding(state, (name, new)).filter(|contract| side(contract) == account);
        let others: Vec<&BilateralRecord> = others.collect();
        for at in boundaries(new, &others) {
            let covering = others.iter().filter(|contract| contract.covers(at));
            let sum: i128 = covering.map(|contract| i128::from(contract.power.0)).sum();
            if sum + i128::from(new.power.0) > connection {
                return Err(BilateralRefusal::Connection { account: account.clone() });
            }
        }
    }
    Ok(())
}

/// Every line must carry what approved contracts make flow between buses, this one among them.
fn check_lines(
    rules: &Rules,
    state: &State,
    (name, new): (&Hash32, &BilateralRecord),
) -> Result<(), BilateralRefusal> {
    let others: Vec<&BilateralRecord> =
        binding(state, (name, new)).filter(|contract| contract.order().is_some()).collect();
    for at in boundaries(new, &others) {
        let mut net: BTreeMap<usize, i128> = BTreeMap::new();
        for contract in others.iter().filter(|contract| contract.covers(at)).chain([&new]) {
            let power = i128::from(contract.power.0);
            // A site that has left the market meanwhile feeds nothing in and takes nothing.
            for (account, sign) in [(&contract.seller, -1), (&contract.buyer, 1)] {
                if let Some(site) = rules.sites.get(account) {
                    *net.entry(site.bus as usize).or_default() += sign * power;
                }
            }
        }
        if let Some(line) = overloaded(&rules.feeder, &rules.tree, &net) {
            let line = rules.feeder.lines.get(line).map_or_else(String::new, |line| line.id.clone());
            return Err(BilateralRefusal::Line { line, interval: at });
        }
    }
    Ok(())
}

/// Contracts beside a new one that their buyers have taken and that share an interval with it.
fn binding<'a>(
    state: &'a State,
    (name, new): (&'a Hash32, &'a BilateralRecord),
) -> impl Iterator<Item = &'a BilateralRecord> {
    let others = state.contracts().bilaterals.iter().filter(move |(other, _)| *other != name);
    let taken = |contract: &BilateralRecord| contract.stage == Stage::Accepted || contract.order().is_some();
    let others = others.map(|(_, contract)| contract);
    others.filter(move |contract| taken(contract) && contract.overlaps(new.first, new.end))
}

/// Intervals of `new` where the set of contracts beside it changes, its first among them: whatever holds in all of
/// these holds in every interval.
fn boundaries(new: &BilateralRecord, others: &[&BilateralRecord]) -> BTreeSet<Interval> {
    let ends = others.iter().flat_map(|contract| [contract.first, contract.end]);
    ends.filter(|at| new.covers(*at)).chain([new.first]).collect()
}
