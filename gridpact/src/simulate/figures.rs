//! What one interval of one street, or of all of them, comes to.

use super::household::Counted;
use market::feeder::{Feeder, Tree};
use market::settlement::SiteSettlement;
use market::units::{Millijoule, Milliwatt, NanoEur, PicoEurPerWh};
use serde::Serialize;

/// An interval in figures; those of several streets add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntervalFigures {
    /// Lowest and highest price at any bus.
    pub prices: Option<(PicoEurPerWh, PicoEurPerWh)>,
    /// Power committed, import less export.
    pub committed: Milliwatt,
    /// Energy metered, import less export.
    pub delivered: Millijoule,
    /// Energy metered other than committed, site by site, without sign.
    pub deviation: Millijoule,
    /// Energy into cars, houses and batteries.
    pub flexible: Millijoule,
    /// Lines and transformers committed to their very limit.
    pub binding: u64,
    /// Lines and transformers committed beyond their limit: none, or the market is wrong.
    pub beyond_limit: u64,
    /// Lines and transformers whose real power was above their thermal rating as metered.
    pub beyond_rating: u64,
    /// Changes of balance.
    pub payments: Payments,
}

/// Changes of balance by role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Payments {
    /// The sites'.
    pub sites: NanoEur,
    /// Their aggregators'.
    pub aggregators: NanoEur,
    /// The TSO interface's.
    pub tso: NanoEur,
    /// The DSOs'.
    pub dso: NanoEur,
    /// The rounding account's.
    pub rounding: NanoEur,
}

impl Payments {
    /// Adds one site's.
    pub fn add(&mut self, settled: &SiteSettlement) {
        self.sites += settled.site;
        self.aggregators += settled.aggregator;
        self.tso += settled.tso;
        self.dso += settled.dso;
        self.rounding += settled.rounding;
    }

    /// Adds another part's.
    pub fn merge(&mut self, other: &Self) {
        self.sites += other.sites;
        self.aggregators += other.aggregators;
        self.tso += other.tso;
        self.dso += other.dso;
        self.rounding += other.rounding;
    }

    /// All of them together: zero, or money was made.
    pub fn sum(&self) -> NanoEur {
        [self.sites, self.aggregators, self.tso, self.dso, self.rounding].into_iter().sum()
    }
}

impl IntervalFigures {
    /// Adds another part's.
    pub fn merge(&mut self, other: &Self) {
        self.prices = match (self.prices, other.prices) {
            (Some((low, high)), Some((a, b))) => Some((low.min(a), high.max(b))),
            (ours, theirs) => ours.or(theirs),
        };
        self.committed += other.committed;
        self.delivered += other.delivered;
        self.deviation += other.deviation;
        self.flexible += other.flexible;
        self.binding += other.binding;
        self.beyond_limit += other.beyond_limit;
        self.beyond_rating += other.beyond_rating;
        self.payments.merge(&other.payments);
    }

    /// Adds what one site's meter counted, against what it was committed to.
    pub fn count(&mut self, counted: Counted, committed: Millijoule) {
        self.delivered += counted.energy;
        self.flexible += counted.flexible;
        self.deviation += Millijoule((counted.energy - committed).0.abs());
    }
}

/// Lines and transformers whose mean real power over an interval was above their thermal rating, given
/// the energy taken at each bus.
pub fn beyond_rating(feeder: &Feeder, tree: &Tree, energy_by_bus: &[Millijoule], interval_s: i64) -> u64 {
    let mut below: Vec<i64> = tree.order.iter().map(|bus| energy_by_bus[*bus].0).collect();
    let mut beyond = 0;
    for place in (1..below.len()).rev() {
        let rating = feeder.lines[tree.line[place]].rating_millivoltampere.unwrap_or(i64::MAX / interval_s);
        beyond += u64::from(below[place].abs() > rating * interval_s);
        below[tree.parent[place]] += below[place];
    }
    beyond
}
