//! What a site's payment for one interval is made of. The same arithmetic as the settlement's, part by part; whether
//! the parts make the payment is for whoever shows them to check.

use super::Quantity;
use crate::contracts::rules::Rules;
use crate::state::receipt::SettledSite;
use crate::state::State;
use market::parameters::MarketParameters;
use market::units::{Millijoule, Milliwatt, NanoEur, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wire::entry::{DeliveryEntry, Entry};
use wire::party::{Id, PartyId};

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its name.
    pub item: &'static str,
    /// How much.
    pub quantity: Quantity,
    /// At which price, where there is one.
    pub price: Option<PicoEurPerWh>,
    /// What the site received for it; negative: paid.
    pub amount: NanoEur,
}

/// What an aggregator's sites are paid by in one interval: enough to tell their payments in parts again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The market's figures.
    pub parameters: MarketParameters,
    /// Price at each bus, in the order of the feeder's buses.
    pub prices: Vec<PicoEurPerWh>,
    /// Prices a day ahead, likewise; none where no session holds the interval.
    pub prices_ahead: Vec<PicoEurPerWh>,
    /// Price of reactive power at those buses where the aggregator has any.
    pub reactive_prices: BTreeMap<u32, PicoEurPerWh>,
}

impl Terms {
    /// Those of a delivery in an interval of which `state` holds the prices; none where it does not, or the entry is
    /// none.
    pub fn of(rules: &Rules, state: &State, entry: &Entry, submitter: &PartyId) -> Option<Self> {
        let Entry::Delivery(DeliveryEntry { interval, .. }) = entry else { return None };
        let record = state.intervals().get(interval)?;
        let reactive = &record.awards.get(&submitter.id)?.reactive;
        let ahead = state.day_ahead().get(interval);
        Some(Self {
            parameters: rules.parameters,
            prices: record.prices.clone(),
            prices_ahead: ahead.map(|ahead| ahead.prices.clone()).unwrap_or_default(),
            reactive_prices: reactive.iter().map(|(bus, record)| (*bus, record.price)).collect(),
        })
    }

    /// The parts by site's account, of a delivery on these terms, given with what its sites are settled for; sites
    /// whose parts can't be worked out have none.
    pub(crate) fn parts(&self, settled: &BTreeMap<Id, SettledSite>) -> BTreeMap<Id, Vec<Part>> {
        let parts = |(account, settled): (&Id, &SettledSite)| Some((account.clone(), self.of_site(settled)?));
        settled.iter().filter_map(parts).collect()
    }

    fn of_site(&self, settled: &SettledSite) -> Option<Vec<Part>> {
        let SettledSite { bus, position, commitment, reactive, energy } = *settled;
        let parameters = &self.parameters;
        let price = *self.prices.get(bus as usize)?;
        let price_ahead = self.prices_ahead.get(bus as usize).copied().unwrap_or_default();
        let reactive_price = self.reactive_prices.get(&bus).copied().unwrap_or(PicoEurPerWh::ZERO);

        let over = |power: Milliwatt| power.0.checked_mul(parameters.interval_s).map(Millijoule);
        let (held, committed) = (over(position)?, over(commitment)?);
        let beyond = committed.checked_sub(held)?;
        let deviation = energy.unwrap_or(committed).checked_sub(committed)?;
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
        let absorbed = over(Milliwatt(reactive.0))?;
        let amount = NanoEur::ZERO.checked_sub(reactive_price.cost_of(absorbed)?)?;
        let quantity = Quantity::Reactive(absorbed.0);
        parts.push(Part { item: "reactive-energy", quantity, price: Some(reactive_price), amount });
        let penalty = match energy {
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
