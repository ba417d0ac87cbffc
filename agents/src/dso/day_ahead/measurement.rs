//! What the DSO has to show for a session, as data.

use market::units::{Milliwatt, PicoEurPerWh};
use std::fmt;
use wire::entry::DayAheadEntry;

/// What a session was cleared at.
#[derive(Clone, Debug, PartialEq)]
pub struct ClearedSession {
    /// Import of each interval.
    pub imports: Vec<Milliwatt>,
    /// What the import costs at the grid supply point's prices.
    pub cost_eur: f64,
    /// Lowest price at any bus in any interval.
    pub price_min: PicoEurPerWh,
    /// Highest price at any bus in any interval.
    pub price_max: PicoEurPerWh,
    /// Orders scheduled.
    pub orders: usize,
    /// Limits that are worth something, over all intervals.
    pub binding: usize,
    /// Rounds it took.
    pub rounds: u32,
    /// Milliseconds of real time from gate closure to submission.
    pub took_ms: u64,
}

impl ClearedSession {
    /// The figures of a session's entry, whose intervals of so many seconds import so much.
    pub(super) fn of(entry: &DayAheadEntry, imports: Vec<Milliwatt>, interval_s: i64, took_ms: u64) -> Self {
        let clearing = &entry.clearing;
        let hours = interval_s as f64 / 3_600.0;
        let root = clearing.intervals.iter().map(|interval| interval.prices.first().copied());
        let cost = imports
            .iter()
            .zip(root)
            .map(|(import, price)| import.kw() / 1e3 * hours * price.unwrap_or_default().eur_per_mwh());
        let prices = || clearing.intervals.iter().flat_map(|interval| interval.prices.iter().copied());
        Self {
            cost_eur: cost.sum(),
            imports,
            price_min: prices().min().unwrap_or_default(),
            price_max: prices().max().unwrap_or_default(),
            orders: clearing.storages.len() + clearing.deferrables.len(),
            binding: clearing.intervals.iter().map(|interval| interval.binding.len()).sum(),
            rounds: entry.rounds,
            took_ms,
        }
    }
}

impl fmt::Display for ClearedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.imports.iter().max().copied().unwrap_or_default();
        write!(
            f,
            "up to {:.1} kW imported for {:.2} EUR at {:.2} to {:.2} EUR/MWh, {} orders scheduled, {} limits bind; {} rounds, {} ms",
            most.kw(),
            self.cost_eur,
            self.price_min.eur_per_mwh(),
            self.price_max.eur_per_mwh(),
            self.orders,
            self.binding,
            self.rounds,
            self.took_ms
        )
    }
}
