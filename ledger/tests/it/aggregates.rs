//! Aggregates of at least k sites: whatever is added to or taken from what is published derives from none or from k.

use crate::store::filled;
use crate::world::{id, World};
use ledger::aggregates::{contributions, publish, Contribution, Group, GroupName, Key, Published};
use ledger::verify::replay;
use market::interval::{Interval, UnixSeconds};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn contribution(site: usize, bus: usize, aggregator: usize, hour: i64) -> Contribution {
    Contribution {
        site: id(&format!("account-{site}")),
        bus: format!("b{bus}"),
        aggregator: id(&format!("a{aggregator}")),
        interval: Interval(UnixSeconds(hour * 3_600 + 900)),
        energy_millijoule: 1 << site,
        committed_millijoule: 7,
        received_nano_eur: -11,
    }
}

fn by(keys: &[Key]) -> BTreeSet<Key> {
    keys.iter().copied().collect()
}

/// Sites by bus; expected are the sites of each group published, of the rest and of the total.
fn check(sites_by_bus: &[usize], k: usize, groups: &[usize], rest: Option<usize>, total: Option<usize>) {
    let mut all = Vec::new();
    for (bus, count) in sites_by_bus.iter().enumerate() {
        for _ in 0..*count {
            all.push(contribution(all.len(), bus, 0, 0));
        }
    }
    let published = publish(&all, &by(&[Key::Bus]), k);
    let sites = |group: &Group| group.sites;
    assert_eq!(published.groups.values().map(sites).collect::<Vec<_>>(), groups, "{sites_by_bus:?}");
    assert_eq!(published.rest.as_ref().map(sites), rest, "{sites_by_bus:?}");
    assert_eq!(published.total.as_ref().map(sites), total, "{sites_by_bus:?}");
    assert_eq!(published.pooled, sites_by_bus.len() - groups.len());
}

#[test]
fn small_groups_are_pooled_and_a_pool_too_small_takes_another_in() {
    check(&[5, 6], 5, &[5, 6], None, Some(11));
    check(&[5, 3, 2], 5, &[5], Some(5), Some(10));
    // Two sites alone would be the total less the others.
    check(&[5, 2, 7], 5, &[7], Some(7), Some(14));
    check(&[6, 2], 5, &[], Some(8), Some(8));
    check(&[2, 2], 5, &[], None, None);
    check(&[], 5, &[], None, None);
}

#[test]
fn a_site_counts_once_however_many_intervals_it_has() {
    let all: Vec<Contribution> = (0..8).map(|hour| contribution(1, 0, 0, hour)).collect();
    assert_eq!(publish(&all, &by(&[Key::Bus]), 2), Published { pooled: 1, ..Published::default() });
}

#[test]
fn sums_are_the_ledgers() {
    let (world, folder) = (World::new(1), tempfile::tempdir().unwrap());
    let chain = filled(&world, folder.path());
    let of_ledger = |span| {
        let mut ledger = replay(folder.path()).unwrap();
        let mut found = Vec::new();
        loop {
            let rules = ledger.rules().clone();
            let Some(block) = ledger.next() else { return found };
            found.extend(contributions(&block.unwrap(), &rules, span));
        }
    };
    let total = publish(&of_ledger((None, None)), &by(&[Key::Hour]), 4).total.unwrap();
    // 4.2, 2, -0.8 and, where no meter says, 0.5 kW committed to; 4, 2, -1 and 0.5 were committed to.
    assert_eq!((total.sites, total.settlements), (4, 4));
    assert_eq!(total.energy_millijoule, 5_900_000 * 900);
    assert_eq!(total.committed_millijoule, 5_500_000 * 900);
    let sites = ["account-s1", "account-s2", "account-s3", "account-s4"];
    let balance = |account: &&str| i128::from(chain.state.balance(&id(account)).0);
    // Site 1 sent site 2 something besides, which leaves their sum.
    let changed: i128 = sites.iter().map(|account| balance(account) - 1_000_000_000_000).sum();
    assert_eq!(total.received_nano_eur, changed);
    let start = crate::world::INTERVAL.start();
    assert_eq!(of_ledger((Some(start), Some(start.plus(1)))).len(), 4);
    assert_eq!(of_ledger((Some(start.plus(1)), None)), []);
}

/// Which contributions each published figure is the sum of.
fn figures(published: &Published, all: &[Contribution], keys: &BTreeSet<Key>) -> Vec<BTreeSet<usize>> {
    let hour = |one: &Contribution| one.interval.start().0.div_euclid(3_600) * 3_600;
    let named = |one: &Contribution| GroupName {
        bus: keys.contains(&Key::Bus).then(|| one.bus.clone()),
        aggregator: keys.contains(&Key::Aggregator).then(|| one.aggregator.clone()),
        hour: keys.contains(&Key::Hour).then(|| UnixSeconds(hour(one))),
    };
    let of = |holds: &dyn Fn(&Contribution) -> bool| (0..all.len()).filter(|at| holds(&all[*at])).collect();
    let mut figures: Vec<BTreeSet<usize>> =
        published.groups.keys().map(|name| of(&|one| named(one) == *name)).collect();
    if published.rest.is_some() {
        figures.push(of(&|one| !published.groups.contains_key(&named(one))));
    }
    if published.total.is_some() {
        figures.push(of(&|_| true));
    }
    figures
}

proptest! {
    #[test]
    fn no_figure_and_no_difference_of_figures_derives_from_fewer_than_k_sites(
        drawn in prop::collection::vec((0usize..12, 0usize..3, 0usize..2, 0i64..2), 0..30),
        grouped in prop::sample::subsequence(vec![Key::Bus, Key::Aggregator, Key::Hour], 1..=3),
        k in 2usize..6,
    ) {
        let all: Vec<Contribution> =
            drawn.into_iter().map(|(site, bus, aggregator, hour)| contribution(site, bus, aggregator, hour)).collect();
        let keys = by(&grouped);
        let published = publish(&all, &keys, k);
        let figures = figures(&published, &all, &keys);
        // The figures are of what they are said to be of.
        let groups = published.groups.values().chain(&published.rest).chain(&published.total);
        for (group, of) in groups.zip(&figures) {
            let energy: i128 = of.iter().map(|at| all[*at].energy_millijoule).sum();
            prop_assert_eq!((group.settlements, group.energy_millijoule), (of.len(), energy));
        }
        // Every figure taken once, not at all, or away.
        for combination in 0..3u32.pow(figures.len().min(7) as u32) {
            let factor = |figure: usize| i32::try_from(combination / 3u32.pow(figure as u32) % 3).unwrap() - 1;
            let mut factors = vec![0; all.len()];
            for (figure, of) in figures.iter().rev().take(7).enumerate() {
                of.iter().for_each(|at| factors[*at] += factor(figure));
            }
            let sites: BTreeSet<_> =
                all.iter().zip(&factors).filter(|(_, factor)| **factor != 0).map(|(one, _)| &one.site).collect();
            prop_assert!(sites.is_empty() || sites.len() >= k, "{} sites of {:?}", sites.len(), published);
        }
    }
}
