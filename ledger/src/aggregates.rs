//! Figures for third parties, none of which derives from fewer than k sites: not by itself, and not as the difference
//! of others.
//!
//! Every contribution (one site's interval) goes into exactly one published group, so that whatever is added to or
//! taken from what is published is made of whole groups. Groups of fewer than k sites are pooled; a pool of fewer than
//! k takes in the smallest group that is left, until it has them. Then the total can be published as well: what it
//! gives away beyond the groups is the pool.

use crate::contracts::rules::Rules;
use crate::state::receipt::Receipt;
use crate::verify::Replayed;
use market::interval::{Interval, UnixSeconds};
use market::units::Milliwatt;
use std::collections::{BTreeMap, BTreeSet};
use wire::entry::Entry;
use wire::party::Id;

const SECONDS_PER_HOUR: i64 = 3_600;

/// What groups are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The site's bus.
    Bus,
    /// The site's aggregator.
    Aggregator,
    /// The hour, in UTC, in which the interval starts.
    Hour,
}

/// What tells one group from another; none for a key that groups are not made by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupName {
    /// The bus.
    pub bus: Option<String>,
    /// The aggregator.
    pub aggregator: Option<Id>,
    /// Start of the hour.
    pub hour: Option<UnixSeconds>,
}

/// One site's settled interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The site's account.
    pub site: Id,
    /// Its bus.
    pub bus: String,
    /// Its aggregator.
    pub aggregator: Id,
    /// The interval.
    pub interval: Interval,
    /// Energy settled, in millijoules: metered or, where no meter says, committed; import positive.
    pub energy_millijoule: i128,
    /// Energy committed to, in millijoules.
    pub committed_millijoule: i128,
    /// What the site received, in nano-euros; negative where it paid.
    pub received_nano_eur: i128,
}

/// The sums of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Sites in it.
    pub sites: usize,
    /// Intervals of sites in it.
    pub settlements: usize,
    /// Energy settled, in millijoules; import positive.
    pub energy_millijoule: i128,
    /// Energy committed to, in millijoules.
    pub committed_millijoule: i128,
    /// What sites received, in nano-euros; negative where they paid.
    pub received_nano_eur: i128,
}

/// What may be published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Groups of at least k sites each, by name.
    pub groups: BTreeMap<GroupName, Group>,
    /// All other groups together; none where there are none, or together have fewer than k sites.
    pub rest: Option<Group>,
    /// How many groups are in the rest, or are not published at all.
    pub pooled: usize,
    /// Everything together; none where that is fewer than k sites.
    pub total: Option<Group>,
}

/// The contributions of a block that was executed under `rules`, of intervals that start in `[from, to)`.
pub fn contributions(
    block: &Replayed,
    rules: &Rules,
    (from, to): (Option<UnixSeconds>, Option<UnixSeconds>),
) -> Vec<Contribution> {
    let mut found = Vec::new();
    for (entry, receipt) in &block.receipts {
        let Entry::Delivery(delivery) = entry else { continue };
        let start = delivery.interval.start();
        if from.is_none_or(|from| start >= from) && to.is_none_or(|to| start < to) {
            found.extend(of_delivery(rules, delivery.interval, receipt));
        }
    }
    found
}

/// The contributions of one delivery, given with the receipt it left.
pub fn of_delivery<'a>(
    rules: &'a Rules,
    interval: Interval,
    receipt: &'a Receipt,
) -> impl Iterator<Item = Contribution> + 'a {
    let over = |power: Milliwatt| i128::from(power.0) * i128::from(rules.parameters.interval_s);
    let paid: BTreeMap<&Id, i128> =
        receipt.payments.iter().map(|payment| (&payment.account, i128::from(payment.amount.0))).collect();
    receipt.settled.iter().filter_map(move |(account, settled)| {
        Some(Contribution {
            site: account.clone(),
            bus: rules.feeder.buses.get(settled.bus as usize)?.clone(),
            aggregator: receipt.submitter.id.clone(),
            interval,
            energy_millijoule: match settled.energy {
                Some(energy) => i128::from(energy.0),
                None => over(settled.commitment),
            },
            committed_millijoule: over(settled.commitment),
            received_nano_eur: paid.get(account).copied().unwrap_or_default(),
        })
    })
}

impl GroupName {
    fn of(contribution: &Contribution, by: &BTreeSet<Key>) -> Self {
        let has = |key| by.contains(&key);
        let start = contribution.interval.start().0;
        Self {
            bus: has(Key::Bus).then(|| contribution.bus.clone()),
            aggregator: has(Key::Aggregator).then(|| contribution.aggregator.clone()),
            hour: has(Key::Hour).then(|| UnixSeconds(start - start.rem_euclid(SECONDS_PER_HOUR))),
        }
    }
}

/// A group while it is put together, with whose contributions are in it.
#[derive(Default)]
struct Pool<'a> {
    sites: BTreeSet<&'a Id>,
    sums: Group,
}

impl<'a> Pool<'a> {
    fn add(&mut self, one: &'a Contribution) {
        self.sites.insert(&one.site);
        self.sums.settlements += 1;
        self.sums.energy_millijoule += one.energy_millijoule;
        self.sums.committed_millijoule += one.committed_millijoule;
        self.sums.received_nano_eur += one.received_nano_eur;
    }

    fn merge(&mut self, other: Self) {
        self.sites.extend(other.sites);
        self.sums.settlements += other.sums.settlements;
        self.sums.energy_millijoule += other.sums.energy_millijoule;
        self.sums.committed_millijoule += other.sums.committed_millijoule;
        self.sums.received_nano_eur += other.sums.received_nano_eur;
    }

    /// Its sums, where it has enough sites.
    fn published(self, k: usize) -> Option<Group> {
        let sites = self.sites.len();
        (sites > 0 && sites >= k).then_some(Group { sites, ..self.sums })
    }
}

/// What of these contributions may be published.
pub fn publish(contributions: &[Contribution], by: &BTreeSet<Key>, k: usize) -> Published {
    let (mut groups, mut total): (BTreeMap<GroupName, Pool<'_>>, _) = (BTreeMap::new(), Pool::default());
    for one in contributions {
        groups.entry(GroupName::of(one, by)).or_default().add(one);
        total.add(one);
    }
    let mut smallest_first: Vec<(usize, GroupName)> =
        groups.iter().map(|(name, group)| (group.sites.len(), name.clone())).collect();
    smallest_first.sort();
    let (mut rest, mut pooled) = (Pool::default(), 0);
    for (sites, name) in smallest_first {
        let too_few = !rest.sites.is_empty() && rest.sites.len() < k;
        if sites >= k && !too_few {
            break;
        }
        if let Some(group) = groups.remove(&name) {
            rest.merge(group);
            pooled += 1;
        }
    }
    let groups = groups.into_iter().filter_map(|(name, group)| Some((name, group.published(k)?))).collect();
    Published { groups, rest: rest.published(k), pooled, total: total.published(k) }
}
