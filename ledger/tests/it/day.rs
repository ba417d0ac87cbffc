//! One interval of the test market, cleared by hand. Import costs 50 EUR/MWh. Site 1 would take
//! 5 kW at bus a, whose line carries 4 kW: there the price rises to the 80 EUR/MWh at which site 1
//! takes anything up to 5. At bus b sites 2, 3 and 4 take 2, -1 and 0.5 kW at any price.

use crate::world::{id, party, World, INTERVAL};
use ledger::execute::OpenedEntry;
use market::grid::certificate::{GridClearing, LineFlow, Multipliers};
use market::interval::Interval;
use market::share::Demand;
use market::supply::SupplyCurve;
use market::units::{MicrogramPerWh, Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use wire::entry::{BatchReference, ClearingEntry, DeliveryEntry, Entry, SiteDelivery};
use wire::hash::Hash32;
use wire::merkle;
use wire::merkle_sum::{SumLeaf, SumTree};
use wire::message::{Body, BusPrice, FinalDemand, Supply};
use wire::party::{PartyId, Role};

/// A clearing before anything of it is signed, so that tests can spoil it.
pub struct Draft {
    pub entry: ClearingEntry,
    pub supply: Supply,
    pub supply_by: PartyId,
    pub demands: Vec<(PartyId, FinalDemand)>,
}

fn eur_per_mwh(price: f64) -> PicoEurPerWh {
    PicoEurPerWh::from_eur_per_mwh(price).unwrap()
}

fn kw(power: f64) -> Milliwatt {
    Milliwatt::from_kw(power).unwrap()
}

/// A site's leaf: account, bid and allocation in kW.
fn leaf(site: &str, power_kw: f64) -> SumLeaf {
    SumLeaf {
        account: id(&format!("account-{site}")),
        bid_hash: Hash32::of("test bid", &[site.as_bytes()]),
        allocation: kw(power_kw),
        reactive: Millivar::ZERO,
    }
}

pub fn leaves(aggregator: &str) -> Vec<SumLeaf> {
    match aggregator {
        "agg-1" => vec![leaf("s1", 4.0), leaf("s2", 2.0)],
        _ => vec![leaf("s3", -1.0), leaf("s4", 0.5)],
    }
}

/// The root over these leaves' bids.
pub fn bids_root(leaves: &[SumLeaf]) -> Hash32 {
    merkle::root(&leaves.iter().map(|leaf| merkle::leaf_hash(&leaf.bid_hash.0)).collect::<Vec<_>>())
}

fn final_demand(aggregator: &str, buses: &[(&str, f64, f64, (f64, f64))]) -> FinalDemand {
    let root = SumTree::build(&leaves(aggregator)).root();
    let bus = |(bus, price, allocation, (low, high)): &(&str, f64, f64, (f64, f64))| {
        let at = BusPrice { bus: (*bus).to_owned(), price: eur_per_mwh(*price), allocation: kw(*allocation) };
        (at, Demand { low: kw(*low), high: kw(*high) })
    };
    FinalDemand {
        interval: INTERVAL,
        bids_root: bids_root(&leaves(aggregator)),
        rounds: 3,
        allocations_root: root.hash,
        import: root.import,
        export: root.export,
        buses: buses.iter().map(bus).collect(),
        reactive: Vec::new(),
    }
}

pub fn draft(world: &World) -> Draft {
    let supply = Supply {
        interval: INTERVAL,
        curve: SupplyCurve::flat(eur_per_mwh(50.0), kw(-100.0), kw(100.0)).unwrap(),
        emission: MicrogramPerWh::ZERO,
    };
    let tso = party(Role::Tso, "tso");
    let unsigned = world.sign(&tso, None, &Body::Supply(supply.clone())).raw;
    Draft {
        entry: ClearingEntry {
            interval: INTERVAL,
            rounds: 3,
            grid: None,
            import: kw(5.5),
            prices: [50.0, 80.0, 50.0].map(eur_per_mwh).to_vec(),
            flows: [4.0, 1.5].map(kw).to_vec(),
            supply: unsigned,
            demands: Vec::new(),
        },
        supply,
        supply_by: tso,
        demands: vec![
            (
                party(Role::Aggregator, "agg-1"),
                final_demand("agg-1", &[("a", 80.0, 4.0, (0.0, 5.0)), ("b", 50.0, 2.0, (2.0, 2.0))]),
            ),
            (party(Role::Aggregator, "agg-2"), final_demand("agg-2", &[("b", 50.0, -0.5, (-0.5, -0.5))])),
        ],
    }
}

/// The clearing, signed by everyone who has to, after `spoil` had its way.
pub fn clearing(world: &World, spoil: impl FnOnce(&mut Draft)) -> OpenedEntry {
    let mut draft = draft(world);
    spoil(&mut draft);
    let Draft { mut entry, supply, supply_by, demands } = draft;
    entry.supply = world.sign(&supply_by, None, &Body::Supply(supply)).raw;
    let demands =
        demands.into_iter().map(|(by, demand)| world.sign(&by, None, &Body::FinalDemand(demand)).raw);
    entry.demands = demands.collect();
    world.opened(&party(Role::Dso, "dso"), Entry::Clearing(entry))
}

/// The same clearing with the grid's figures: worked out by hand, 30 EUR/MWh being what line-a's limit is
/// worth. `b` takes 0.7 kvar.
pub fn with_grid_figures(draft: &mut Draft) {
    let kw = |kw: i64| Milliwatt(kw * 100_000);
    let eur = |eur: i64| PicoEurPerWh(eur * 1_000_000);
    let congestion = Multipliers { congestion: eur(30), ..Multipliers::default() };
    draft.entry.grid = Some(Box::new(GridClearing {
        import: kw(55),
        import_reactive: Millivar(700_000),
        prices: [50, 80, 50].map(eur).to_vec(),
        reactive_prices: vec![PicoEurPerWh(0); 3],
        flows: vec![
            LineFlow::default(),
            LineFlow { power: kw(40), reactive: Millivar(0) },
            LineFlow { power: kw(15), reactive: Millivar(700_000) },
        ],
        multipliers: vec![Multipliers::default(), congestion, Multipliers::default()],
        reserve_up_price: PicoEurPerWh(0),
        reserve_down_price: PicoEurPerWh(0),
    }));
}

fn batch(kind: &str) -> Box<BatchReference> {
    let sha256 = Hash32::of("test batch", &[kind.as_bytes()]);
    Box::new(BatchReference { sha256, location: format!("{kind}/1.parquet") })
}

/// An aggregator's delivery after `spoil` had its way. Site 1 took 4.2 kW for 4, site 2 as
/// committed, site 3 fed in 0.8 kW for 1, site 4's meter is silent.
pub fn delivery(world: &World, aggregator: &str, spoil: impl FnOnce(&mut DeliveryEntry)) -> OpenedEntry {
    let energies = match aggregator {
        "agg-1" => [Some(4.2), Some(2.0)],
        _ => [Some(-0.8), None],
    };
    let site = |(leaf, energy): (SumLeaf, Option<f64>)| SiteDelivery {
        account: leaf.account,
        bid_hash: leaf.bid_hash,
        commitment: leaf.allocation,
        reactive: leaf.reactive,
        energy: energy.map(|power_kw| kw(power_kw).over_seconds(900)),
    };
    let mut entry = DeliveryEntry {
        interval: INTERVAL,
        readings: batch("readings"),
        bids: batch("bids"),
        sites: leaves(aggregator).into_iter().zip(energies).map(site).collect(),
        positions: Vec::new(),
    };
    spoil(&mut entry);
    world.opened(&party(Role::Aggregator, aggregator), Entry::Delivery(entry))
}

/// A quarter of an hour later.
pub fn next_interval() -> Interval {
    INTERVAL.later(1, 900)
}

/// More than any connection carries.
pub fn absurd_energy() -> Millijoule {
    kw(101.0).over_seconds(900)
}
