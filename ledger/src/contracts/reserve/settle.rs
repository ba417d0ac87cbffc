//! What a delivery settles of reserve: what was held ready, what was called and delivered, and a penalty on what was
//! called and not. Energy that a call made a site deliver is bought by who called, so the market settles the site as
//! if it had not been called.

use crate::contracts::delivered::Delivered;
use crate::contracts::rules::Rules;
use crate::state::receipt::Refusal;
use crate::state::reserve::{OfferRecord, ReserveRecord};
use crate::state::{Changes, State};
use market::interval::Interval;
use market::units::{Millijoule, PicoEurPerWh};
use std::collections::BTreeMap;
use wire::entry::Direction;
use wire::party::Id;

/// What calls made sites take more (negative: less) than they would have.
pub type Called<'a> = BTreeMap<&'a Id, Millijoule>;

/// Adds what a delivery of `sites` settles of reserve, and gives what calls changed of their energies.
///
/// # Errors
/// Where an amount does not fit 64 bits.
pub fn settle<'a>(
    rules: &Rules,
    state: &'a State,
    interval: Interval,
    sites: &BTreeMap<&Id, Delivered>,
    changes: &mut Changes,
) -> Result<Called<'a>, Refusal> {
    let mut called = Called::new();
    for (_, record) in state.contracts().reserves.iter().filter(|(_, record)| record.covers(interval)) {
        let Some(price) = record.price else { continue };
        for offer in record.offers.iter().filter(|offer| offer.taken.0 > 0) {
            let Some(delivered) = sites.get(&offer.account) else { continue };
            let overflow = || Refusal::Overflow { account: offer.account.clone() };
            let held = offer.taken.0.checked_mul(rules.parameters.interval_s).map(Millijoule);
            let held = held.ok_or_else(overflow)?;
            let ready = price.cost_of(held).ok_or_else(overflow)?;
            changes.move_between(&record.buyer, &offer.account, ready)?;
            if let Some(permille) = record.activations.get(&interval) {
                // At most as much as is held.
                let wanted = Millijoule((i128::from(held.0) * i128::from(*permille) / 1_000) as i64);
                settle_call(rules, (record, offer), wanted, *delivered, (&mut called, changes))?;
            }
        }
    }
    Ok(called)
}

/// Pays for what of a call was delivered, beyond what other calls of the same site have taken of it.
fn settle_call<'a>(
    rules: &Rules,
    (record, offer): (&ReserveRecord, &'a OfferRecord),
    wanted: Millijoule,
    delivered: Delivered,
    (called, changes): (&mut Called<'a>, &mut Changes),
) -> Result<(), Refusal> {
    let overflow = || Refusal::Overflow { account: offer.account.clone() };
    let sign = match record.terms.direction {
        Direction::Up => -1,
        Direction::Down => 1,
    };
    let moved = called.entry(&offer.account).or_default();
    // Without a reading nothing shows that the call was followed.
    let more =
        delivered.metered.map_or(0, |metered| i128::from(metered.0) - i128::from(delivered.committed.0));
    let left = sign * (more - i128::from(moved.0));
    let made = Millijoule(left.clamp(0, i128::from(wanted.0)) as i64);
    *moved = moved.checked_add(Millijoule(sign as i64 * made.0)).ok_or_else(overflow)?;
    let cost = |price: PicoEurPerWh, energy: Millijoule| price.cost_of(energy).ok_or_else(overflow);
    let missing = Millijoule(wanted.0 - made.0);
    changes.move_between(&record.buyer, &offer.account, cost(record.terms.activation_price, made)?)?;
    let penalty = cost(record.terms.penalty_price, missing)?;
    changes.move_between(&offer.account, &rules.penalties_account, penalty)
}
