//! What a site's payment for one interval is made of. The same arithmetic as the settlement's, part by part; whether
//! the parts make the payment is for whoever shows them to check.

use super::Quantity;
use crate::contracts::rules::Rules;
use crate::state::State;
use market::interval::Interval;
use market::units::{Millijoule, Millivar, Milliwatt, NanoEur, PicoEurPerWh};
use std::collections::BTreeMap;
use wire::entry::DeliveryEntry;
use wire::party::Id;

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Its name.
    pub item: &'static str,
    /// How much.
    pub quantity: Quantity,
    /// At which price, where there is one.
    pub price: Option<PicoEurPerWh>,
    /// What the site received for it; negative: paid.
    pub amount: NanoEur,
}

/// What one site was committed to and took.
#[derive(Default)]
struct Owed {
    position: Milliwatt,
    commitment: Milliwatt,
    reactive: Millivar,
    energy: Option<Millijoule>,
}

/// The parts by site's account, for a delivery that `state` holds the prices of; sites whose parts can't be worked
/// out have none.
pub(super) fn of_sites(
    rules: &Rules,
    state: &State,
    aggregator: &Id,
    delivery: &DeliveryEntry,
) -> BTreeMap<Id, Vec<Part>> {
    let mut owed: BTreeMap<&Id, Owed> = BTreeMap::new();
    for site in &delivery.positions {
        owed.entry(&site.account).or_default().position = site.position;
    }
    for site in &delivery.sites {
        let of = owed.entry(&site.account).or_default();
        (of.commitment, of.reactive, of.energy) = (site.commitment, site.reactive, site.energy);
    }
    let interval = delivery.interval;
    let prices = Prices { rules, state, aggregator, interval };
    let parts = |(account, owed)| Some((Id::clone(account), prices.parts(account, &owed)?));
    owed.into_iter().filter_map(parts).collect()
}

struct Prices<'a> {
    rules: &'a Rules,
    state: &'a State,
    aggregator: &'a Id,
    interval: Interval,
}

impl Prices<'_> {
    fn parts(&self, account: &Id, owed: &Owed) -> Option<Vec<Part>> {
        let parameters = &self.rules.parameters;
        let bus = self.rules.sites.get(account)?.bus;
        let record = self.state.intervals().get(&self.interval)?;
        let price = *record.prices.get(bus as usize)?;
        let ahead = self.state.day_ahead().get(&self.interval);
        let price_ahead = ahead.and_then(|ahead| ahead.prices.get(bus as usize)).copied().unwrap_or_default();
        let award = record.awards.get(self.aggregator)?;
        let reactive_price = award.reactive.get(&bus).map_or(PicoEurPerWh::ZERO, |at| at.price);

        let over = |power: Milliwatt| power.0.checked_mul(parameters.interval_s).map(Millijoule);
        let (held, committed) = (over(owed.position)?, over(owed.commitment)?);
        let beyond = committed.checked_sub(held)?;
        let deviation = owed.energy.unwrap_or(committed).checked_sub(committed)?;
        let spread = parameters.imbalance_spread;
        let imbalance = match deviation > Millijoule::ZERO {
            true => price.checked_add(spread)?,
            false => price.checked_sub(spread)?,
        };
        let magnitude = Millijoule(committed.0.checked_abs()?);
        let energies = [
            ("energy-day-ahead", held, price_ahead),
            ("energy", beyond, price),
            ("aggregator-fee", magnitude, parameters.aggregator_fee),
            ("deviation", deviation, imbalance),
        ];
        let mut parts = Vec::new();
        for (item, energy, price) in energies {
            let amount = NanoEur::ZERO.checked_sub(price.cost_of(energy)?)?;
            parts.push(Part { item, quantity: Quantity::Energy(energy), price: Some(price), amount });
        }
        let reactive = over(Milliwatt(owed.reactive.0))?;
        let amount = NanoEur::ZERO.checked_sub(reactive_price.cost_of(reactive)?)?;
        let quantity = Quantity::Reactive(reactive.0);
        parts.push(Part { item: "reactive-energy", quantity, price: Some(reactive_price), amount });
        let penalty = match owed.energy {
            Some(delivered) => parameters.charges.penalty(committed, delivered)?,
            None => NanoEur::ZERO,
        };
        let amount = NanoEur::ZERO.checked_sub(penalty)?;
        if amount != NanoEur::ZERO {
            parts.push(Part { item: "penalty", quantity: Quantity::Energy(deviation), price: None, amount });
        }
        // Of nothing at no cost there is nothing to say, save that this is the line of energy.
        let empty = |quantity| matches!(quantity, Quantity::Energy(Millijoule(0)) | Quantity::Reactive(0));
        parts.retain(|part| part.item == "energy" || !empty(part.quantity) || part.amount != NanoEur::ZERO);
        Some(parts)
    }
}
