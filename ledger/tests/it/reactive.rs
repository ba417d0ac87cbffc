//! Reactive power on the ledger: who offers what, what is proven of it, and what is paid for it. At bus b agg-1
//! offers 1 kvar and gives 0.6 of it, by site 2; agg-2 offers 2 kvar and gives 0.5, by sites 3 and 4. The price is
//! what may differ from none without being noticed, so that the clearing by hand stays as it is.

use crate::contracts::run;
use crate::day::{clearing, delivery, leaves, with_grid_figures, Draft};
use crate::world::{id, World};
use ledger::execute::OpenedEntry;
use market::units::{Millivar, PicoEurPerWh};
use wire::entry::DeliveryEntry;
use wire::merkle_sum::SumTree;
use wire::message::ReactiveAward;

const PRICE: PicoEurPerWh = PicoEurPerWh(1_000);

fn award(range: i64, allocation: i64) -> ReactiveAward {
    ReactiveAward { bus: "b".into(), price: PRICE, range: Millivar(range), allocation: Millivar(allocation) }
}

/// By site, in millivars.
fn given(site: usize, aggregator: &str) -> Millivar {
    let of = if aggregator == "agg-1" { [0, -600_000] } else { [-400_000, -100_000] };
    Millivar(of[site])
}

fn with_reactive(draft: &mut Draft) {
    with_grid_figures(draft);
    let grid = draft.entry.grid.as_mut().unwrap();
    grid.reactive_prices[2] = PRICE;
    grid.flows[2].reactive = Millivar(700_000 - 1_100_000);
    grid.import_reactive = grid.flows[2].reactive;
    for ((name, award), (_, demand)) in
        [("agg-1", award(1_000_000, -600_000)), ("agg-2", award(2_000_000, -500_000))]
            .into_iter()
            .zip(&mut draft.demands)
    {
        let mut leaves = leaves(name);
        leaves.iter_mut().enumerate().for_each(|(site, leaf)| leaf.reactive = given(site, name));
        demand.allocations_root = SumTree::build(&leaves).root().hash;
        demand.reactive = vec![award];
    }
}

fn delivered(world: &World, aggregator: &str, spoil: impl FnOnce(&mut DeliveryEntry)) -> OpenedEntry {
    delivery(world, aggregator, |entry| {
        entry.sites.iter_mut().enumerate().for_each(|(n, site)| site.reactive = given(n, aggregator));
        spoil(entry);
    })
}

fn check_clearing(world: &World, spoil: impl FnOnce(&mut Draft), expected: Result<(), &'static str>) {
    let opened = clearing(world, |draft| {
        with_reactive(draft);
        spoil(draft);
    });
    assert_eq!(run(world, &mut world.chain().state, &opened).map(|_| ()), expected);
}

#[test]
fn reactive_power_is_recorded_only_as_the_rules_have_it() {
    let world = World::with_inverters();
    let check = |spoil: fn(&mut ReactiveAward), expected| {
        check_clearing(&world, |draft| spoil(&mut draft.demands[0].1.reactive[0]), expected);
    };
    check(|_| {}, Ok(()));
    check(|award| award.bus = "nowhere".into(), Err("evidence"));
    // agg-1 has a site at a, whose reactive price is another; nobody has one at the grid.
    check(|award| award.bus = "a".into(), Err("evidence"));
    check(|award| award.bus = "grid".into(), Err("evidence"));
    check(|award| award.price = PicoEurPerWh(0), Err("evidence"));
    check(|award| award.range = Millivar(10_000_001), Err("evidence"));
    check(|award| award.range = Millivar(99_999), Err("evidence"));
    check(|award| award.allocation.0 += 1, Err("certificate"));
    // More than the range, which the flows allow for.
    check(|award| award.range = Millivar(599_000), Err("certificate"));
    let twice = |draft: &mut Draft| draft.demands[0].1.reactive.push(award(200_000, 0));
    check_clearing(&world, twice, Err("evidence"));
    check_clearing(&World::with_grid(), |_| {}, Err("evidence"));
}

#[test]
fn who_gives_reactive_power_is_paid_by_the_distribution_side() {
    let world = World::with_inverters();
    let mut state = world.chain().state;
    run(&world, &mut state, &clearing(&world, with_reactive)).unwrap();
    let moved = |entry: &mut DeliveryEntry| {
        entry.sites[0].reactive.0 -= 1;
        entry.sites[1].reactive.0 += 1;
    };
    assert_eq!(run(&world, &mut state, &delivered(&world, "agg-2", moved)), Err("root"));
    let nothing = |entry: &mut DeliveryEntry| entry.sites[1].reactive = Millivar(0);
    assert_eq!(run(&world, &mut state, &delivered(&world, "agg-1", nothing)), Err("root"));
    let paid = run(&world, &mut state, &delivered(&world, "agg-1", |_| {})).unwrap();
    // 0.6 kvar for a quarter of an hour at 0.001 EUR/Mvarh are 150 nano-euro; the rest is as without.
    assert_eq!(paid[&id("account-s2")], -25_000_000 - 1_000_000 + 150);
    assert_eq!(paid[&id("account-dso")], 30_000_000 - 150);
    let paid = run(&world, &mut state, &delivered(&world, "agg-2", |_| {})).unwrap();
    assert_eq!(paid[&id("account-s3")], 12_500_000 - 500_000 - 3_500_000 + 100);
    assert_eq!(paid[&id("account-s4")], -6_250_000 - 250_000 + 25);
}

#[test]
fn a_genesis_without_these_rules_is_encoded_as_before_there_were_any() {
    let names = |world: &World| {
        let bytes = wire::cbor::to_vec(&world.genesis).unwrap();
        ["reactive_full_price", "carbon_price"]
            .map(|name| bytes.windows(name.len()).any(|at| at == name.as_bytes()))
    };
    assert_eq!(names(&World::with_grid()), [false, false]);
    assert_eq!(names(&World::with_inverters()), [true, false]);
    assert_eq!(names(&World::with_carbon_price()), [false, true]);
}

/// A tree over other commitments than were allocated at the bus, signed before the interval.
#[test]
fn commitments_must_add_up_to_what_the_bus_was_allocated() {
    let world = World::with_inverters();
    let mut state = world.chain().state;
    let less = |draft: &mut Draft| {
        with_reactive(draft);
        draft.demands[0].1.allocations_root = SumTree::build(&leaves("agg-1")).root().hash;
    };
    run(&world, &mut state, &clearing(&world, less)).unwrap();
    assert_eq!(run(&world, &mut state, &delivery(&world, "agg-1", |_| {})), Err("root"));
}
