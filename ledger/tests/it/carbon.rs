//! A carbon price on the ledger: it is on top of the supply once, and goes to its own account.

use crate::contracts::run;
use crate::day::with_grid_figures;
use crate::day::{clearing, delivery};
use crate::world::{id, World};
use market::supply::SupplyCurve;
use market::units::{MicrogramPerWh, Milliwatt, PicoEurPerWh};

/// The clearing by hand at the same prices, where import costs `stated` EUR/MWh and emits 0.2 t/MWh.
fn check_clearing(world: &World, stated: i64, expected: Result<(), &'static str>) {
    let opened = clearing(world, |draft| {
        with_grid_figures(draft);
        let reach = Milliwatt(100_000_000);
        draft.supply.curve = SupplyCurve::flat(PicoEurPerWh(stated * 1_000_000), -reach, reach).unwrap();
        draft.supply.emission = MicrogramPerWh(200_000);
    });
    assert_eq!(run(world, &mut world.chain().state, &opened).map(|_| ()), expected, "{stated}");
}

#[test]
fn the_cleared_import_price_has_the_carbon_price_on_top_once() {
    // 0.2 t/MWh at 100 EUR/t are 20 EUR/MWh of the 50 cleared at.
    let priced = World::with_carbon_price();
    check_clearing(&priced, 30, Ok(()));
    check_clearing(&priced, 50, Err("certificate"));
    check_clearing(&priced, 10, Err("certificate"));
    check_clearing(&World::with_grid(), 50, Ok(()));
    check_clearing(&World::with_grid(), 30, Err("certificate"));
}

#[test]
fn what_carbon_costs_goes_to_its_account_and_nobody_else_pays_or_gets_more() {
    let world = World::with_carbon_price();
    let mut state = world.chain().state;
    let opened = clearing(&world, |draft| {
        with_grid_figures(draft);
        let reach = Milliwatt(100_000_000);
        draft.supply.curve = SupplyCurve::flat(PicoEurPerWh(30_000_000), -reach, reach).unwrap();
        draft.supply.emission = MicrogramPerWh(200_000);
    });
    run(&world, &mut state, &opened).unwrap();
    let paid = run(&world, &mut state, &delivery(&world, "agg-1", |_| {})).unwrap();
    // As without, and of what the transmission side gets 20 EUR/MWh on the 1050 and 500 Wh delivered.
    let carbon = 20_000 * 1_550;
    assert_eq!(paid[&id("carbon")], carbon);
    assert_eq!(paid[&id("account-tso")], 50_000_000 + 5_000_000 + 25_000_000 - carbon);
    assert_eq!(paid[&id("account-s2")], -25_000_000 - 1_000_000);
    assert_eq!(paid[&id("account-dso")], 30_000_000);
    let paid = run(&world, &mut state, &delivery(&world, "agg-2", |_| {})).unwrap();
    // 200 Wh fed in save what 125 Wh taken emit, and more.
    assert_eq!(paid[&id("carbon")], 20_000 * (125 - 200));
}

#[test]
fn a_market_without_a_carbon_price_has_no_account_for_it() {
    assert!(World::with_grid().chain().state.accounts().get(&id("carbon")).is_none());
    assert!(World::with_carbon_price().chain().state.accounts().get(&id("carbon")).is_some());
}
