//! What a delivery settles of bilateral contracts. All of a site's energy is settled at the market's prices; then
//! buyer and seller set right between them, at the buyer's bus, what their contract makes of what was delivered of
//! it: it costs the buyer the contract's price in the end, and the seller bears what the way between the buses costs.
//! Only what passed both meters counts.

use crate::contracts::delivered::Delivered;
use crate::contracts::rules::Rules;
use crate::state::bilateral::BilateralRecord;
use crate::state::receipt::Refusal;
use crate::state::records::Kept;
use crate::state::{Changes, IntervalRecord, State};
use market::interval::Interval;
use market::units::{Millijoule, NanoEur};
use std::collections::BTreeMap;
use wire::hash::Hash32;
use wire::party::Id;

/// What sites' energies leave for contracts that come later in order.
#[derive(Default)]
struct Left<'a> {
    sold: BTreeMap<&'a Id, Millijoule>,
    bought: BTreeMap<&'a Id, Millijoule>,
}

/// Adds what a delivery of `sites` settles of bilateral contracts.
///
/// # Errors
/// Where an amount does not fit 64 bits.
pub fn settle(
    rules: &Rules,
    state: &State,
    (interval, record): (Interval, &IntervalRecord),
    sites: &BTreeMap<&Id, Delivered>,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let kept = state.contracts().bilaterals.iter();
    let mut active: Vec<(u64, &Hash32, &BilateralRecord)> = kept
        .filter(|(_, contract)| contract.covers(interval))
        .filter_map(|(name, contract)| Some((contract.order()?, name, contract)))
        .collect();
    active.sort_by_key(|(order, ..)| *order);
    let mut left = Left::default();
    for (_, name, contract) in active {
        let overflow = || Refusal::Overflow { account: contract.seller.clone() };
        let most = contract.power.0.checked_mul(rules.parameters.interval_s).ok_or_else(overflow)?;
        let sold = take(sites, &mut left.sold, &contract.seller, most, |energy| energy.saturating_neg());
        let bought = take(sites, &mut left.bought, &contract.buyer, most, |energy| energy);
        if sold.is_none() && bought.is_none() {
            continue;
        }
        let mut settled = contract.clone();
        let sides = settled.half_settled.entry(interval).or_default();
        (sides.sold, sides.bought) = (sides.sold.or(sold), sides.bought.or(bought));
        if let (Some(sold), Some(bought)) = (sides.sold, sides.bought) {
            settled.half_settled.remove(&interval);
            pay(rules, record, contract, sold.min(bought), changes)?;
        }
        settled.half_settled.retain(|at, _| state.forgotten_to() < Some(*at));
        changes.contracts.bilaterals.insert(*name, Some(Kept::new(settled)?));
    }
    Ok(())
}

/// What a site's meter leaves of its energy, counted as `toward` counts it, for a contract over `most`; none where
/// it is not in this delivery.
fn take<'a>(
    sites: &BTreeMap<&Id, Delivered>,
    left: &mut BTreeMap<&'a Id, Millijoule>,
    account: &'a Id,
    most: i64,
    toward: impl Fn(i64) -> i64,
) -> Option<Millijoule> {
    let energy = sites.get(account)?.energy();
    let left = left.entry(account).or_insert(Millijoule(toward(energy.0).max(0)));
    let taken = Millijoule(left.0.min(most));
    left.0 -= taken.0;
    Some(taken)
}

/// The buyer pays the seller what the contract's price is above the price at the buyer's bus, and the other way round.
fn pay(
    rules: &Rules,
    record: &IntervalRecord,
    contract: &BilateralRecord,
    energy: Millijoule,
    changes: &mut Changes,
) -> Result<(), Refusal> {
    let overflow = || Refusal::Overflow { account: contract.buyer.clone() };
    let bus = rules.sites.get(&contract.buyer).map(|site| site.bus as usize);
    // A buyer that has left the market has no bus any more, and the contract no price to compare with.
    let Some(price) = bus.and_then(|bus| record.prices.get(bus)) else { return Ok(()) };
    let above = contract.price.checked_sub(*price).ok_or_else(overflow)?;
    let amount: NanoEur = above.cost_of(energy).ok_or_else(overflow)?;
    changes.move_between(&contract.buyer, &contract.seller, amount)
}
