//! What came of the day-ahead market: what it bought and sold, at which cost, and what real time was left to
//! settle as a deviation from it.

use super::observer::day_ahead::AheadAccount;
use market::units::Millijoule;
use serde::Serialize;
use std::fmt;

/// All intervals with a day-ahead clearing together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DayAheadReport {
    /// Intervals with one.
    pub intervals: usize,
    /// Most rounds between DSO and aggregators that a session took.
    pub rounds_most: u32,
    /// Energy that sites bought day-ahead.
    pub bought_kwh: f64,
    /// Energy that sites sold day-ahead.
    pub sold_kwh: f64,
    /// What sites paid for it at their local day-ahead prices.
    pub cost_eur: f64,
    /// Sum over sites and intervals of how far the real-time commitment was from what was held.
    pub moved_kwh: f64,
    /// What sites paid for that at their local real-time prices.
    pub moved_cost_eur: f64,
}

/// One interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntervalAhead {
    /// Net import cleared day-ahead.
    pub import_kw: f64,
    /// Lowest local price.
    pub local_price_min_eur_per_mwh: f64,
    /// Highest local price.
    pub local_price_max_eur_per_mwh: f64,
    /// Energy that sites bought.
    pub bought_kwh: f64,
    /// Energy that sites sold.
    pub sold_kwh: f64,
    /// What they paid for it.
    pub cost_eur: f64,
    /// Sum over sites of how far the real-time commitment was from what was held.
    pub moved_kwh: f64,
    /// What they paid for that.
    pub moved_cost_eur: f64,
}

impl IntervalAhead {
    /// An interval as the onlooker saw it.
    pub fn of(account: &AheadAccount) -> Self {
        let prices = || account.prices.iter().copied();
        Self {
            import_kw: account.import.kw(),
            local_price_min_eur_per_mwh: prices().min().unwrap_or_default().eur_per_mwh(),
            local_price_max_eur_per_mwh: prices().max().unwrap_or_default().eur_per_mwh(),
            bought_kwh: account.bought.kwh(),
            sold_kwh: account.sold.kwh(),
            cost_eur: account.cost_eur,
            moved_kwh: account.moved.kwh(),
            moved_cost_eur: account.moved_cost_eur,
        }
    }
}

impl DayAheadReport {
    /// The sum of these; none of none.
    pub fn of<'a>(accounts: impl Iterator<Item = &'a AheadAccount>) -> Option<Self> {
        let (mut bought, mut sold, mut moved) = (Millijoule::ZERO, Millijoule::ZERO, Millijoule::ZERO);
        let mut report = Self::default();
        for account in accounts {
            report.intervals += 1;
            report.rounds_most = report.rounds_most.max(account.rounds);
            report.cost_eur += account.cost_eur;
            report.moved_cost_eur += account.moved_cost_eur;
            bought += account.bought;
            sold += account.sold;
            moved += account.moved;
        }
        (report.bought_kwh, report.sold_kwh, report.moved_kwh) = (bought.kwh(), sold.kwh(), moved.kwh());
        (report.intervals > 0).then_some(report)
    }
}

impl fmt::Display for DayAheadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nDay ahead: {} intervals, in {} rounds at most", self.intervals, self.rounds_most)?;
        let rows = [
            ("sites bought", self.bought_kwh, "kWh"),
            ("sites sold", self.sold_kwh, "kWh"),
            ("they paid for it", self.cost_eur, "EUR"),
            ("real time moved, over all sites", self.moved_kwh, "kWh"),
            ("they paid for that", self.moved_cost_eur, "EUR"),
        ];
        rows.into_iter().try_for_each(|(what, figure, unit)| writeln!(f, "{what:<42}{figure:>12.2}  {unit}"))
    }
}
