//! A day-ahead session of two intervals, cleared by hand. Import costs 50 and then 80 EUR/MWh, and no limit
//! binds. Curves take 3 kW of site 1 at bus a, 2, -1 and 0.5 kW of sites 2, 3 and 4 at bus b, in both
//! intervals. Site 2's storage takes 1 kW in the first and gives it back in the second; site 4 has to be
//! given 0.25 kWh, and takes them in the first.

use crate::contracts::run;
use crate::day;
use crate::world::{id, party, World};
use ledger::execute::OpenedEntry;
use ledger::state::State;
use market::day_ahead::clearing::{DayAheadClearing, DeferrableAward, IntervalPrices, StorageAward};
use market::day_ahead::orders::{DeferrableOffer, StorageOffer};
use market::interval::{Interval, UnixSeconds};
use market::share::Demand as Range;
use market::supply::SupplyCurve;
use market::units::{MicrogramPerWh, Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use wire::entry::{DayAheadEntry, DeliveryEntry, Entry, SignedEnvelope, SitePosition};
use wire::hash::Hash32;
use wire::merkle;
use wire::merkle_sum::{SumLeaf, SumTree};
use wire::message::day_ahead::{DayAheadFinalDemand, DayAheadSupply, DemandIn, DemandOf, PlacedOrders};
use wire::message::Body;
use wire::party::Role;

/// Any that starts on a full half-hour.
const SESSION: Interval = Interval(UnixSeconds(1_700_001_000));
/// Places in the feeder's buses.
const A: u32 = 1;
const B: u32 = 2;

/// A session before anything of it is signed, so that tests can spoil it.
pub struct Draft {
    entry: DayAheadEntry,
    supply: DayAheadSupply,
    demands: [DayAheadFinalDemand; 2],
}

fn eur(price: i64) -> PicoEurPerWh {
    PicoEurPerWh(price * 1_000_000)
}

/// In hundreds of watts.
fn hw(power: i64) -> Milliwatt {
    Milliwatt(power * 100_000)
}

fn kwh(energy: f64) -> Millijoule {
    Millijoule::from_wh(energy * 1e3).unwrap()
}

/// What each site of an aggregator bought in an interval.
fn positions(aggregator: &str, interval: usize) -> Vec<SitePosition> {
    let of = match (aggregator, interval) {
        ("agg-1", 0) => [("s1", 30), ("s2", 30)],
        ("agg-1", _) => [("s1", 30), ("s2", 10)],
        (_, 0) => [("s3", -10), ("s4", 15)],
        _ => [("s3", -10), ("s4", 5)],
    };
    let position = |(site, power): (&str, i64)| SitePosition {
        account: id(&format!("account-{site}")),
        bid_hash: Hash32::of("test day-ahead bid", &[site.as_bytes()]),
        position: hw(power),
    };
    of.map(position).to_vec()
}

fn bids_root(aggregator: &str) -> Hash32 {
    let hashes = positions(aggregator, 0).into_iter().map(|site| merkle::leaf_hash(&site.bid_hash.0));
    merkle::root(&hashes.collect::<Vec<Hash32>>())
}

fn stated(aggregator: &str, interval: usize, curves: &[i64]) -> DemandIn {
    let leaf = |site: SitePosition| SumLeaf {
        account: site.account,
        bid_hash: site.bid_hash,
        allocation: site.position,
        reactive: Millivar(0),
    };
    let leaves: Vec<SumLeaf> = positions(aggregator, interval).into_iter().map(leaf).collect();
    let root = SumTree::build(&leaves).root();
    let at = |power: &i64| DemandOf {
        price: eur([50, 80][interval]),
        allocation: hw(*power),
        range: Range { low: hw(*power), high: hw(*power) },
    };
    DemandIn {
        allocations_root: root.hash,
        import: root.import,
        export: root.export,
        buses: curves.iter().map(at).collect(),
    }
}

fn demand(aggregator: &str, (buses, curves): (&[u32], &[i64]), orders: PlacedOrders) -> DayAheadFinalDemand {
    DayAheadFinalDemand {
        session: SESSION,
        bids_root: bids_root(aggregator),
        rounds: 2,
        orders,
        buses: buses.to_vec(),
        intervals: (0..2).map(|interval| stated(aggregator, interval, curves)).collect(),
    }
}

fn draft() -> Draft {
    let storage = StorageOffer {
        charge_max: hw(10),
        discharge_max: hw(10),
        energy_min: kwh(0.0),
        energy_max: kwh(1.0),
        energy_start: kwh(0.0),
        energy_end_min: kwh(0.0),
        charge_efficiency_ppm: 1_000_000,
        discharge_efficiency_ppm: 1_000_000,
        wear: eur(0),
    };
    let deferrable = DeferrableOffer { energy: kwh(0.25), power_max: hw(20), start: 0, end: 2 };
    let interval = |price| IntervalPrices {
        prices: vec![eur(price); 3],
        reactive_prices: vec![eur(0); 3],
        binding: Vec::new(),
    };
    let clearing = DayAheadClearing {
        intervals: vec![interval(50), interval(80)],
        storages: vec![StorageAward {
            charge: vec![hw(10), hw(0)],
            discharge: vec![hw(0), hw(10)],
            stored_values: vec![eur(60); 2],
        }],
        deferrables: vec![DeferrableAward { power: vec![hw(10), hw(0)], energy_value: eur(50) }],
    };
    let flat = |price| SupplyCurve::flat(eur(price), hw(-1_000), hw(1_000)).unwrap();
    let nothing = SignedEnvelope { topic: String::new(), bytes: Vec::new().into() };
    let with_storage = PlacedOrders { storages: vec![(B, storage)], deferrables: Vec::new() };
    let with_deferrable = PlacedOrders { storages: Vec::new(), deferrables: vec![(B, deferrable)] };
    Draft {
        entry: DayAheadEntry { session: SESSION, rounds: 2, clearing, supply: nothing, demands: Vec::new() },
        supply: DayAheadSupply {
            session: SESSION,
            curves: vec![flat(50), flat(80)],
            emission: MicrogramPerWh::ZERO,
        },
        demands: [
            demand("agg-1", (&[A, B], &[30, 20]), with_storage),
            demand("agg-2", (&[B], &[-5]), with_deferrable),
        ],
    }
}

/// The session, signed by everyone who has to, after `spoil` had its way.
pub fn session(world: &World, spoil: impl FnOnce(&mut Draft)) -> OpenedEntry {
    let mut draft = draft();
    spoil(&mut draft);
    let Draft { mut entry, supply, demands } = draft;
    entry.supply = world.sign(&party(Role::Tso, "tso"), None, &Body::DayAheadSupply(supply)).raw;
    let demands = ["agg-1", "agg-2"].into_iter().zip(demands).map(|(by, demand)| {
        world.sign(&party(Role::Aggregator, by), None, &Body::DayAheadFinalDemand(demand)).raw
    });
    entry.demands = demands.collect();
    world.opened(&party(Role::Dso, "dso"), Entry::DayAhead(entry))
}

fn check_session(spoil: impl FnOnce(&mut Draft), expected: Result<(), &'static str>) {
    let world = World::with_day_ahead();
    let mut state = world.chain().state;
    assert_eq!(run(&world, &mut state, &session(&world, spoil)).map(|_| ()), expected);
}

#[test]
fn a_session_holds_only_with_its_evidence() {
    check_session(|_| {}, Ok(()));
    let half = SESSION.later(1, 900);
    check_session(|draft| draft.entry.session = half, Err("no-session"));
    check_session(|draft| draft.entry.session = Interval(UnixSeconds(7)), Err("no-session"));
    check_session(|draft| draft.supply.session = half, Err("evidence"));
    check_session(|draft| drop(draft.supply.curves.pop()), Err("evidence"));
    check_session(|draft| draft.demands[0].session = half, Err("evidence"));
    check_session(|draft| draft.demands.swap(0, 1), Err("evidence"));
    check_session(|draft| draft.entry.rounds = 1, Err("evidence"));
    check_session(
        |draft| {
            draft.entry.rounds = 6;
            draft.demands.iter_mut().for_each(|demand| demand.rounds = 6);
        },
        Err("evidence"),
    );
    check_session(|draft| draft.demands[0].buses.swap(0, 1), Err("evidence"));
    check_session(|draft| drop(draft.demands[0].intervals.pop()), Err("evidence"));
    check_session(|draft| draft.demands[0].intervals[1].buses.truncate(1), Err("evidence"));
    check_session(|draft| draft.demands[0].intervals[1].buses[0].price += PicoEurPerWh(1), Err("evidence"));
    check_session(|draft| draft.demands[0].intervals[1].buses[0].range.high = hw(101), Err("evidence"));
    check_session(|draft| draft.demands[0].intervals[0].import += Milliwatt(1), Err("evidence"));
    check_session(|draft| draft.demands[0].orders.storages[0].0 = 0, Err("evidence"));
    check_session(|draft| draft.demands[0].orders.storages[0].1.charge_max = hw(101), Err("evidence"));
    check_session(|draft| draft.demands[1].orders.deferrables[0].1.energy = kwh(1.01), Err("evidence"));
    let world = World::with_grid();
    let refused = run(&world, &mut world.chain().state, &session(&World::with_day_ahead(), |_| {}));
    assert_eq!(refused, Err("no-day-ahead"));
}

#[test]
fn a_session_holds_only_with_its_certificate() {
    let a_watt = Milliwatt(1_000);
    // Everyone involved has signed a dispatch that the curves don't ask for.
    check_session(
        |draft| {
            draft.demands[0].intervals[0].buses[0].allocation += a_watt;
            draft.demands[0].intervals[0].import += a_watt;
        },
        Err("certificate"),
    );
    // Storage that would gain more by waiting: the schedule reversed, with sums to suit.
    check_session(
        |draft| {
            let storage = &mut draft.entry.clearing.storages[0];
            (storage.charge, storage.discharge) = (vec![hw(0); 2], vec![hw(0); 2]);
            draft.demands[0].intervals[0].import -= hw(10);
            draft.demands[0].intervals[1].import += hw(10);
        },
        Err("certificate"),
    );
    check_session(|draft| draft.entry.clearing.storages[0].stored_values[0] = eur(61), Err("certificate"));
    check_session(|draft| draft.entry.clearing.deferrables[0].energy_value = eur(90), Err("certificate"));
    check_session(|draft| draft.entry.clearing.intervals[0].reactive_prices.clear(), Err("certificate"));
    check_session(|draft| drop(draft.entry.clearing.deferrables.pop()), Err("evidence"));
    check_session(|draft| draft.supply.curves.swap(0, 1), Err("certificate"));
    check_session(
        |draft| draft.entry.clearing.intervals[1].prices[0] = PicoEurPerWh(i64::MAX),
        Err("certificate"),
    );
}

/// The state after the session, and after its first interval's clearing in real time.
fn cleared(world: &World) -> State {
    let mut state = world.chain().state;
    run(world, &mut state, &session(world, |_| {})).unwrap();
    run(world, &mut state, &real_time(world)).unwrap();
    state
}

/// The first interval's clearing in real time, as in [`crate::day`]: 80 EUR/MWh at bus a, 50 elsewhere.
fn real_time(world: &World) -> OpenedEntry {
    day::clearing(world, |draft| {
        day::with_grid_figures(draft);
        (draft.entry.interval, draft.supply.interval) = (SESSION, SESSION);
        draft.demands.iter_mut().for_each(|(_, demand)| demand.interval = SESSION);
    })
}

fn delivery(world: &World, aggregator: &str, spoil: impl FnOnce(&mut DeliveryEntry)) -> OpenedEntry {
    day::delivery(world, aggregator, |entry| {
        entry.interval = SESSION;
        entry.positions = positions(aggregator, 0);
        spoil(entry);
    })
}

#[test]
fn sessions_are_decided_once_in_order_and_before_real_time() {
    let world = World::with_day_ahead();
    let mut state = world.chain().state;
    let session = session(&world, |_| {});
    run(&world, &mut state, &session).unwrap();
    assert_eq!(run(&world, &mut state, &session), Err("cleared-before"));
    let kept: Vec<Interval> = state.day_ahead().keys().copied().collect();
    assert_eq!(kept, [SESSION, SESSION.later(1, 900)]);

    let mut state = world.chain().state;
    run(&world, &mut state, &real_time(&world)).unwrap();
    assert_eq!(run(&world, &mut state, &session), Err("too-late"));
}

#[test]
fn a_position_is_settled_at_its_own_price_and_real_time_as_deviation_from_it() {
    let world = World::with_day_ahead();
    let mut state = cleared(&world);
    let paid = run(&world, &mut state, &delivery(&world, "agg-1", |_| {})).unwrap();
    // By hand, in nano-euro (1 kW over the quarter of an hour is 250 Wh; 1 EUR/MWh is 1000 nEUR/Wh).
    // s1: 750 Wh bought at 50, 250 Wh more at 80, the fee of 2 on 1000, 50 Wh beyond at 100.
    // s2: 750 Wh bought at 50, 250 of them sold back at 50, the fee on 500.
    let expected = [
        ("account-agg-1", 3_000_000),
        ("account-dso", 7_500_000),
        ("account-s1", -37_500_000 - 20_000_000 - 2_000_000 - 5_000_000),
        ("account-s2", -37_500_000 + 12_500_000 - 1_000_000),
        ("account-tso", (37_500_000 + 12_500_000 + 5_000_000) + (37_500_000 - 12_500_000)),
        ("rounding", 0),
    ];
    assert_eq!(paid, expected.map(|(account, amount)| (id(account), amount)).into());
}

#[test]
fn a_site_that_bid_day_ahead_alone_sells_its_position_back() {
    let world = World::with_day_ahead();
    let mut state = cleared(&world);
    // s3 is in the session and, by this, not in real time: the root signed there is another.
    let without = delivery(&world, "agg-2", |entry| drop(entry.sites.remove(0)));
    assert_eq!(run(&world, &mut state, &without), Err("root"));
    // With s4 alone under the real-time root, s3's -1 kW sold at 50 are bought back at 50.
    let mut state = world.chain().state;
    run(&world, &mut state, &session(&world, |_| {})).unwrap();
    let alone = |leaf: SumLeaf| SumTree::build(&[leaf]).root();
    let clearing = day::clearing(&world, |draft| {
        day::with_grid_figures(draft);
        (draft.entry.interval, draft.supply.interval) = (SESSION, SESSION);
        draft.demands.iter_mut().for_each(|(_, demand)| demand.interval = SESSION);
        let demand = &mut draft.demands[1].1;
        let bid_hash = Hash32::of("test bid", &[b"s4".as_slice()]);
        let leaf = SumLeaf { account: id("account-s4"), bid_hash, allocation: hw(5), reactive: Millivar(0) };
        demand.bids_root = merkle::leaf_hash(&bid_hash.0);
        let root = alone(leaf);
        (demand.allocations_root, demand.import, demand.export) = (root.hash, root.import, root.export);
        let at = &mut demand.buses[0];
        (at.0.allocation, at.1) = (hw(5), Range { low: hw(5), high: hw(5) });
        let grid = draft.entry.grid.as_mut().unwrap();
        (grid.import, grid.flows[2].power) = (hw(65), hw(25));
        (draft.entry.import, draft.entry.flows[1]) = (hw(65), hw(25));
    });
    run(&world, &mut state, &clearing).unwrap();
    let paid =
        run(&world, &mut state, &delivery(&world, "agg-2", |entry| drop(entry.sites.remove(0)))).unwrap();
    assert_eq!(paid[&id("account-s3")], 12_500_000 - 12_500_000);
    // s4: 375 Wh bought at 50, 250 of them sold back, the fee on 125.
    assert_eq!(paid[&id("account-s4")], -18_750_000 + 12_500_000 - 250_000);
}

fn check_delivery(spoil: impl FnOnce(&mut DeliveryEntry), expected: &'static str) {
    let world = World::with_day_ahead();
    let mut state = cleared(&world);
    assert_eq!(run(&world, &mut state, &delivery(&world, "agg-1", spoil)), Err(expected));
}

#[test]
fn positions_are_all_and_only_those_signed() {
    check_delivery(|entry| entry.positions.clear(), "root");
    check_delivery(|entry| drop(entry.positions.pop()), "root");
    check_delivery(|entry| entry.positions[0].position += Milliwatt(1), "root");
    check_delivery(|entry| entry.positions[0].bid_hash = Hash32::default(), "root");
    check_delivery(|entry| entry.positions.swap(0, 1), "sites");
    check_delivery(|entry| entry.positions[1].account = id("account-s3"), "sites");
    // And none where no session holds the interval.
    let world = World::with_day_ahead();
    let mut state = world.chain().state;
    run(&world, &mut state, &real_time(&world)).unwrap();
    assert_eq!(run(&world, &mut state, &delivery(&world, "agg-1", |_| {})), Err("no-session"));
}
