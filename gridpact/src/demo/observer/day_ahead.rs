//! What the onlooker makes of the day-ahead market: what a session cleared for each interval, and what became of
//! it when the interval was delivered. Pure.

use agents::terms::Terms;
use market::day_ahead::clearing::IntervalPrices;
use market::feeder::{FeederError, Tree};
use market::interval::Interval;
use market::parameters::MarketParameters;
use market::units::{Millijoule, Milliwatt, PicoEurPerWh};
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::{DayAheadEntry, DeliveryEntry};
use wire::message::day_ahead::DayAheadFinalDemand;
use wire::party::Id;

/// One interval, as its session cleared it and as sites' deliveries stated what they held of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AheadAccount {
    /// Rounds between DSO and aggregators that the whole session took.
    pub rounds: u32,
    /// Net import cleared day-ahead.
    pub import: Milliwatt,
    /// Price at each bus, in the order of the feeder's buses.
    pub prices: Vec<PicoEurPerWh>,
    /// Energy that sites held and imported.
    pub bought: Millijoule,
    /// Energy that sites held and exported, as a positive energy.
    pub sold: Millijoule,
    /// What sites' positions cost them at their buses' day-ahead prices, in EUR; negative where they earn.
    pub cost_eur: f64,
    /// Sum over sites of how far each was committed to in real time from what it held.
    pub moved: Millijoule,
    /// What that cost them at their buses' real-time prices, in EUR.
    pub moved_cost_eur: f64,
}

/// Where accounts are, and how the feeder is numbered.
#[derive(Clone, Debug)]
pub struct Ledgers {
    tree: Tree,
    bus_of: BTreeMap<Id, usize>,
    parameters: MarketParameters,
}

impl Ledgers {
    /// Those of a market by its terms.
    ///
    /// # Errors
    /// Where its feeder is no tree.
    pub fn new(terms: &Terms) -> Result<Self, FeederError> {
        let place = |name: &String| terms.feeder.buses.iter().position(|bus| bus == name);
        let sites = terms.participants.iter();
        let bus_of = sites.filter_map(|p| Some((p.account.clone(), place(p.bus.as_ref()?)?))).collect();
        Ok(Self { tree: terms.feeder.tree()?, bus_of, parameters: terms.parameters })
    }

    /// What a session cleared for each of its intervals; `demands` are the aggregators' signed ones in it.
    pub fn session(
        &self,
        entry: &DayAheadEntry,
        demands: &[DayAheadFinalDemand],
    ) -> Vec<(Interval, AheadAccount)> {
        let account = |(place, cleared): (usize, &IntervalPrices)| {
            let of = demands.iter().filter_map(|demand| demand.intervals.get(place));
            let import: i64 = of.map(|demand| demand.import.0 - demand.export.0).sum();
            let interval = entry.session.later(place as i64, self.parameters.interval_s);
            let account = AheadAccount {
                rounds: entry.rounds,
                import: Milliwatt(import),
                prices: cleared.by_bus(&self.tree),
                ..AheadAccount::default()
            };
            (interval, account)
        };
        entry.clearing.intervals.iter().enumerate().map(account).collect()
    }

    /// Adds one aggregator's delivery to what its interval's session cleared; `prices` are real time's, by bus.
    pub fn deliver(&self, account: &mut AheadAccount, delivery: &DeliveryEntry, prices: &[PicoEurPerWh]) {
        let held: BTreeMap<&Id, Milliwatt> =
            delivery.positions.iter().map(|position| (&position.account, position.position)).collect();
        let committed: BTreeMap<&Id, Milliwatt> =
            delivery.sites.iter().map(|site| (&site.account, site.commitment)).collect();
        let accounts: BTreeSet<&Id> = held.keys().chain(committed.keys()).copied().collect();
        for site in accounts {
            let Some(bus) = self.bus_of.get(site) else { continue };
            let at = |prices: &[PicoEurPerWh]| prices.get(*bus).copied().unwrap_or_default().eur_per_mwh();
            let position = held.get(site).copied().unwrap_or_default();
            let moved = committed.get(site).copied().unwrap_or_default() - position;
            let energy = |power: Milliwatt| power.over_seconds(self.parameters.interval_s);
            let side = if position > Milliwatt::ZERO { &mut account.bought } else { &mut account.sold };
            *side += Millijoule(energy(position).0.abs());
            account.cost_eur += energy(position).kwh() / 1e3 * at(&account.prices);
            account.moved += Millijoule(energy(moved).0.abs());
            account.moved_cost_eur += energy(moved).kwh() / 1e3 * at(prices);
        }
    }
}
