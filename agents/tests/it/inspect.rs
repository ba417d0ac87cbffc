//! What must hold of every interval cleared, whoever cleared it and however the network behaved.

use crate::household::Firms;
use crate::world;
use agents::aggregator::delivery::StoredBatch;
use ledger::archive::bids::BidsBatch;
use ledger::archive::readings::ReadingsBatch;
use ledger::block::verifier::Verifier;
use ledger::block::DecidedBlock;
use ledger::genesis::Genesis;
use ledger::proof::FinalityProof;
use market::certificate::{self, PartyDemand};
use market::clearing::Clearing;
use market::grid::rules::PlacedDemand;
use market::grid::volt_var::{is_share, PlacedReactive};
use market::interval::Interval;
use market::supply::SupplyCurve;
use market::units::{Millivar, Milliwatt, PicoEurPerWh};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use wire::entry::{ClearingEntry, DayAheadEntry, DeliveryEntry, Entry, SignedEnvelope};
use wire::envelope::open;
use wire::merkle;
use wire::merkle_sum::{salted_bid_hash, verify, SumLeaf, SumRoot};
use wire::message::{Bid, BidPath, Body, FinalDemand, ReactiveAward, ReactiveFirm, Supply};
use wire::party::{PartyId, Registry};

/// What the ledger holds of one interval.
#[derive(Default)]
pub struct Recorded {
    pub clearing: Option<ClearingEntry>,
    pub deliveries: BTreeMap<PartyId, DeliveryEntry>,
}

pub fn recorded(decided: &[DecidedBlock]) -> BTreeMap<Interval, Recorded> {
    let mut recorded: BTreeMap<Interval, Recorded> = BTreeMap::new();
    for (by, entry) in decided.iter().flat_map(|block| block.entries()) {
        match entry {
            Entry::Clearing(clearing) => {
                let of = recorded.entry(clearing.interval).or_default();
                of.clearing = Some(clearing);
            }
            Entry::Delivery(delivery) => {
                recorded.entry(delivery.interval).or_default().deliveries.insert(by, delivery);
            }
            Entry::DayAhead(_) | Entry::Proposal(_) | Entry::Ballot(_) | Entry::Participant(_) => {}
            other => panic!("nobody asked for {other:?}"),
        }
    }
    recorded
}

fn read(registry: &Registry, raw: &SignedEnvelope) -> (PartyId, Body) {
    let opened = open(registry, &world::network(), &raw.topic, &raw.bytes).unwrap();
    (opened.topic.sender, opened.body)
}

fn finals(registry: &Registry, entry: &ClearingEntry) -> BTreeMap<PartyId, FinalDemand> {
    let final_demand = |raw| match read(registry, raw) {
        (by, Body::FinalDemand(demand)) => (by, demand),
        (by, other) => panic!("{by} put a {} into a clearing", other.kind()),
    };
    entry.demands.iter().map(final_demand).collect()
}

/// The certificate holds for what was signed; what each bus was allocated.
pub fn check_certificate(genesis: &Genesis, entry: &ClearingEntry) -> Vec<Milliwatt> {
    let registry = genesis.registry();
    let (_, Body::Supply(Supply { curve, emission, .. })) = read(&registry, &entry.supply) else {
        panic!("no supply in the clearing")
    };
    let adder = genesis.grid.as_ref().map_or(Some(PicoEurPerWh::ZERO), |rules| rules.carbon_adder(emission));
    let curve = curve.dearer(adder.unwrap()).unwrap();
    let parties: Vec<PartyDemand> = finals(&registry, entry)
        .values()
        .flat_map(|demand| &demand.buses)
        .map(|(at, range)| PartyDemand {
            bus: place(genesis, &at.bus),
            range: *range,
            allocation: at.allocation,
        })
        .collect();
    let mut allocations = vec![Milliwatt::ZERO; genesis.feeder.buses.len()];
    for party in &parties {
        allocations[party.bus] += party.allocation;
    }
    let clearing = Clearing {
        import: entry.import,
        prices: entry.prices.clone(),
        allocations: allocations.clone(),
        flows: entry.flows.clone(),
    };
    let tree = genesis.feeder.tree().unwrap();
    let Some(rules) = &genesis.grid else {
        certificate::check(&genesis.feeder, &tree, &curve, &clearing, &parties).unwrap();
        return allocations;
    };
    let placed = |party: &PartyDemand| PlacedDemand {
        place: tree.place[party.bus],
        range: party.range,
        allocation: party.allocation,
    };
    let demands: Vec<PlacedDemand> = parties.iter().map(placed).collect();
    let terms = rules.terms(&genesis.feeder, &tree).unwrap();
    let placed = |at: &ReactiveAward| PlacedReactive {
        place: tree.place[place(genesis, &at.bus)],
        range: at.range,
        allocation: at.allocation,
    };
    let finals = finals(&registry, entry);
    let reactive: Vec<PlacedReactive> =
        finals.values().flat_map(|demand| &demand.reactive).map(placed).collect();
    terms.check_with_reactive(&curve, entry.grid.as_ref().unwrap(), &demands, &reactive).unwrap();
    allocations
}

/// What the TSO interface signed to sell in each interval of a session.
pub fn session_supply(genesis: &Genesis, entry: &DayAheadEntry) -> Vec<SupplyCurve> {
    match read(&genesis.registry(), &entry.supply) {
        (_, Body::DayAheadSupply(supply)) if supply.session == entry.session => {
            let price = genesis.grid.as_ref().and_then(|rules| rules.carbon_price).unwrap_or_default();
            supply.curves.iter().map(|curve| curve.with_carbon(price, supply.emission).unwrap()).collect()
        }
        (by, other) => panic!("{by} put a {} into a session", other.kind()),
    }
}

fn place(genesis: &Genesis, name: &str) -> usize {
    genesis.feeder.buses.iter().position(|bus| bus == name).unwrap()
}

/// Besides: every site's firm price is the ledger's and provably so, and sites together take what their
/// buses were allocated.
pub fn check_firms(genesis: &Genesis, entry: &ClearingEntry, firms: &Firms) {
    let verifier = Verifier::new(genesis).unwrap();
    let mut by_bus = vec![Milliwatt::ZERO; genesis.feeder.buses.len()];
    for ((interval, site), firm) in firms.borrow().iter().filter(|((i, _), _)| *i == entry.interval) {
        let at = place(genesis, &firm.bus.bus);
        assert_eq!(firm.bus.price, entry.prices[at], "{site} in {interval}");
        by_bus[at] += firm.allocation;
        let proven = FinalityProof::decode(&firm.finality).unwrap().verify(&verifier).unwrap();
        assert_eq!(proven.entry, Entry::Clearing(entry.clone()));
    }
    assert_eq!(by_bus, check_certificate(genesis, entry), "sites of {} by bus", entry.interval);
}

/// Besides: every site's allocation is within its own bid at its price, and under its aggregator's root.
pub fn check_shares(genesis: &Genesis, entry: &ClearingEntry, firms: &Firms, bids: &[SignedEnvelope]) {
    let registry = genesis.registry();
    let finals = finals(&registry, entry);
    for ((_, site), firm) in firms.borrow().iter().filter(|((i, _), _)| *i == entry.interval) {
        check_share(&registry, (site, genesis.price_tolerance()), firm, &finals, bids);
    }
}

fn check_share(
    registry: &Registry,
    (site, tolerance): (&PartyId, PicoEurPerWh),
    firm: &wire::message::Firm,
    finals: &BTreeMap<PartyId, FinalDemand>,
    bids: &[SignedEnvelope],
) {
    let participant = &registry[site];
    let aggregator =
        world::party(wire::party::Role::Aggregator, participant.aggregator.as_ref().unwrap().as_str());
    let demand = &finals[&aggregator];
    let root = SumRoot { hash: demand.allocations_root, import: demand.import, export: demand.export };
    let under_root = |raw: &&SignedEnvelope| {
        let leaf = SumLeaf {
            account: participant.account.clone(),
            bid_hash: salted_bid_hash(&firm.path.salt, raw),
            allocation: firm.allocation,
            reactive: firm.reactive.as_ref().map_or(Millivar::ZERO, |told| told.allocation),
        };
        verify(&leaf, &firm.path, &root)
    };
    let raw = bids.iter().find(under_root).unwrap_or_else(|| panic!("no bid of {site} lies under the root"));
    let (by, Body::Bid(Bid { curve, reactive_range, .. })) = read(registry, raw) else { panic!("no bid") };
    let told = firm.reactive.as_ref();
    assert_eq!(told.is_some(), reactive_range > Millivar::ZERO, "{site}");
    if let Some(ReactiveFirm { award, allocation }) = told {
        assert!(demand.reactive.contains(award));
        assert!(is_share(*allocation, reactive_range, award.allocation, award.range), "{site}: {told:?}");
    }
    let bid_hash = merkle::leaf_hash(&salted_bid_hash(&firm.path.salt, raw).0);
    let BidPath { place, count, siblings } = &firm.bid_path;
    assert!(merkle::verify_inclusion(&bid_hash, *place, *count, siblings, &demand.bids_root), "{site}");
    assert_eq!(by, *site);
    let own = curve.demand_within(firm.bus.price, tolerance);
    assert!(own.contains(firm.allocation), "{site}: {firm:?}");
}

/// The batches are those that the ledger names, and everything in them is signed and was settled.
pub fn check_batches(genesis: &Genesis, delivery: &DeliveryEntry, batches: &[StoredBatch]) {
    let [readings, bids] = batches else { panic!("{} batches", batches.len()) };
    for (batch, named) in [(readings, &delivery.readings), (bids, &delivery.bids)] {
        assert_eq!(named.sha256.0, <[u8; 32]>::from(Sha256::digest(&batch.bytes)));
        assert_eq!(named.location, batch.path);
    }
    let registry = genesis.registry();
    let known = (&registry, &world::network());
    let decoded = ReadingsBatch::decode(readings.bytes.clone(), delivery.interval, 900).unwrap();
    assert_eq!(decoded.check(known, delivery).unwrap(), delivery.sites.len());
    assert_eq!(BidsBatch::check(bids.bytes.clone(), known, delivery).unwrap(), delivery.sites.len());
}

/// Highest less lowest price of a clearing.
pub fn spread(entry: &ClearingEntry) -> PicoEurPerWh {
    *entry.prices.iter().max().unwrap() - *entry.prices.iter().min().unwrap()
}
