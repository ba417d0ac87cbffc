//! A day-ahead session between the DSO's and two aggregators' cores, message by message, and the entry before
//! the ledger's own contracts.

use crate::stage::{Cue, Stage};
use crate::validators::decide_alone;
use crate::world::{self, party, Plan, FIRST};
use agents::aggregator::act::AggregatorAct;
use agents::aggregator::day_ahead::held::PositionsFile;
use agents::aggregator::kept::Kept;
use agents::aggregator::{AggregatorCore, AggregatorSettings};
use agents::chain::Chain;
use agents::core::Effect;
use agents::dso::act::DsoAct;
use agents::dso::DsoCore;
use ledger::block::At;
use ledger::contracts::apply;
use ledger::contracts::rules::Rules;
use ledger::genesis::Genesis;
use ledger::state::State;
use market::clearing::sampled::MAX_ROUNDS;
use market::curve::{Breakpoint, FlexCurve};
use market::day_ahead::orders::{DeferrableOffer, StorageOffer};
use market::day_ahead::rules::DayAheadRules;
use market::grid::certificate::Tolerances;
use market::supply::SupplyCurve;
use market::units::{MicrogramPerWh, Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use std::collections::{BTreeMap, VecDeque};
use wire::entry::{DayAheadEntry, Entry, SignedEnvelope};
use wire::envelope::open;
use wire::merkle;
use wire::merkle_sum::{salted_bid_hash, verify, SumLeaf, SumRoot};
use wire::message::day_ahead::{DayAheadBid, DayAheadFinalDemand, DayAheadFirm, DayAheadSupply};
use wire::message::{BidPath, Body, MerkleSumPath};
use wire::party::{PartyId, Role};

/// Four quarter hours from [`FIRST`] on, a multiple of an hour.
const RULES: DayAheadRules =
    DayAheadRules { intervals: 4, offset_s: 0, bids_open_s: 3_600, gate_closure_s: 900 };
const OPEN: i64 = FIRST.0 .0 - 3_600;
const GATE: i64 = FIRST.0 .0 - 900;
/// What import costs in each interval, in EUR/MWh.
const PRICES: [i64; 4] = [50, 120, 60, 200];
const KW: i64 = 1_000_000;

fn eur(price: i64) -> PicoEurPerWh {
    PicoEurPerWh(price * 1_000_000)
}

fn kwh(energy: f64) -> Millijoule {
    Millijoule::from_wh(energy * 1e3).unwrap()
}

/// Sites s00 and s01 at b2, s02 and s03 at b3, in turns of a1 and a2; the line to b2 carries 8 kW.
fn genesis() -> Genesis {
    let limit = Some(Milliwatt(8 * KW));
    let mut genesis = world::genesis(Plan { sites_each: 2, line_limit: limit, grid: true });
    genesis.day_ahead = Some(RULES);
    genesis.validate().unwrap();
    genesis
}

/// Falls evenly from so many kW at 0 to nothing at 300 EUR/MWh.
fn slope(power_kw: i64) -> FlexCurve {
    let point = |price, power| Breakpoint { price: eur(price), power: Milliwatt(power * KW) };
    FlexCurve::new(vec![point(0, power_kw), point(300, 0)]).unwrap()
}

fn storage() -> StorageOffer {
    StorageOffer {
        charge_max: Milliwatt(3 * KW),
        discharge_max: Milliwatt(3 * KW),
        energy_min: kwh(0.0),
        energy_max: kwh(2.0),
        energy_start: kwh(1.0),
        energy_end_min: kwh(1.0),
        charge_efficiency_ppm: 950_000,
        discharge_efficiency_ppm: 950_000,
        wear: eur(5),
    }
}

fn deferrable() -> DeferrableOffer {
    DeferrableOffer { energy: kwh(0.8), power_max: Milliwatt(2 * KW), start: 0, end: 3 }
}

fn bid(site: &str) -> DayAheadBid {
    let (storages, deferrables) = match site {
        "s00" => (vec![storage()], Vec::new()),
        "s01" => (Vec::new(), vec![deferrable()]),
        _ => (Vec::new(), Vec::new()),
    };
    DayAheadBid { session: FIRST, curves: vec![slope(6); 4], storages, deferrables }
}

/// Import from nothing on, a watt of it a little cheaper than the rest.
fn import_alone() -> Body {
    let at = |price: i64, power| Breakpoint { price: eur(price), power };
    let curve = |price: &i64| {
        let most = Milliwatt(100 * KW);
        let points = [at(*price, Milliwatt::ZERO), at(*price, Milliwatt(1_000)), at(*price + 1, most)];
        SupplyCurve::new(points.to_vec()).unwrap()
    };
    Body::DayAheadSupply(DayAheadSupply {
        session: FIRST,
        curves: PRICES.iter().map(curve).collect(),
        emission: MicrogramPerWh::ZERO,
    })
}

fn supply() -> Body {
    let bound = Milliwatt(100 * KW);
    let flat = |price: &i64| SupplyCurve::flat(eur(*price), -bound, bound).unwrap();
    Body::DayAheadSupply(DayAheadSupply {
        session: FIRST,
        curves: PRICES.iter().map(flat).collect(),
        emission: MicrogramPerWh::ZERO,
    })
}

fn aggregator(id: &str) -> PartyId {
    party(Role::Aggregator, id)
}

/// The cores, and what they have said that is not for one another.
struct Town {
    genesis: Genesis,
    dso: Stage<DsoCore>,
    aggregators: BTreeMap<PartyId, Stage<AggregatorCore>>,
    /// By whom, to whom.
    waiting: VecDeque<(PartyId, PartyId, Body)>,
    entry: Option<Entry>,
    firms: BTreeMap<PartyId, DayAheadFirm>,
    held: BTreeMap<PartyId, PositionsFile>,
    notes: Vec<String>,
}

impl Town {
    fn new() -> Self {
        let genesis = genesis();
        let dso = Stage::new(
            DsoCore::new(Chain::new(&genesis).unwrap(), 1_000).unwrap(),
            genesis.registry(),
            |act: &DsoAct| format!("{act:?}"),
        );
        let core = |id: &str| {
            let settings = AggregatorSettings {
                party: aggregator(id),
                seed: [7; 32],
                readings_grace_ms: 1_000,
                archive: "file:///archive".parse().unwrap(),
                held: Vec::new(),
                kept: Kept::default(),
            };
            let core = AggregatorCore::new(Chain::new(&genesis).unwrap(), settings).unwrap();
            let stage = Stage::new(core, genesis.registry(), |act: &AggregatorAct| format!("{act:?}"));
            (aggregator(id), stage)
        };
        let aggregators = ["a1", "a2"].map(core).into();
        let (waiting, entry, firms, held, notes) = Default::default();
        Self { genesis, dso, aggregators, waiting, entry, firms, held, notes }
    }

    /// Time comes to `second` for everyone.
    fn time(&mut self, second: i64, real_ms: u64) {
        let effects = self.dso.step(second, real_ms, Cue::Time);
        self.of_dso(effects);
        for id in ["a1", "a2"].map(aggregator) {
            let effects = self.aggregators.get_mut(&id).unwrap().step(second, real_ms, Cue::Time);
            self.of_aggregator(&id, effects);
        }
    }

    /// What a site says to its aggregator, and the signed envelope it went in.
    fn bid(&mut self, site: &str, bid: DayAheadBid, expected: &str) -> SignedEnvelope {
        let id = aggregator(if ["s00", "s02"].contains(&site) { "a1" } else { "a2" });
        let stage = self.aggregators.get_mut(&id).unwrap();
        let (site, body) = (party(Role::Site, site), Body::DayAheadBid(bid));
        stage.check(OPEN, 0, Cue::Said(site.clone(), body), expected);
        stage.heard(&site)
    }

    /// Delivers messages until none is left.
    fn talk(&mut self, second: i64) {
        while let Some((by, to, body)) = self.waiting.pop_front() {
            match self.aggregators.get_mut(&to) {
                Some(stage) => {
                    let effects = stage.step(second, 0, Cue::Said(by, body));
                    self.of_aggregator(&to, effects);
                }
                None => {
                    let effects = self.dso.step(second, 0, Cue::Said(by, body));
                    self.of_dso(effects);
                }
            }
        }
    }

    fn of_dso(&mut self, effects: Vec<Effect<DsoAct>>) {
        let dso = party(Role::Dso, "d");
        for effect in effects {
            match effect {
                Effect::Send { body: Body::Submit(entry), .. } => self.entry = Some(entry),
                Effect::Send { body, recipient: Some(to), .. } => {
                    self.waiting.push_back((dso.clone(), to, body));
                }
                Effect::Own(DsoAct::SolveSession(problem)) => {
                    let effects = self.dso.step(GATE, 0, Cue::Report(problem.solve()));
                    self.of_dso(effects);
                }
                Effect::Note { event, text } => self.notes.push(format!("{event}: {text}")),
                Effect::Acknowledge { verdict, .. } => {
                    assert_eq!(verdict, wire::message::Verdict::Accepted);
                }
                other => assert!(matches!(other, Effect::Own(DsoAct::Measure(_))), "{other:?}"),
            }
        }
    }

    fn of_aggregator(&mut self, by: &PartyId, effects: Vec<Effect<AggregatorAct>>) {
        for effect in effects {
            match effect {
                Effect::Send { body: Body::DayAheadFirm(firm), recipient: Some(to), .. } => {
                    self.firms.insert(to, *firm);
                }
                Effect::Send { body, recipient: Some(to), .. } => {
                    self.waiting.push_back((by.clone(), to, body));
                }
                Effect::Note { event, text } => self.notes.push(format!("{event}: {text}")),
                Effect::Acknowledge { verdict, .. } => {
                    assert_eq!(verdict, wire::message::Verdict::Accepted);
                }
                Effect::Own(AggregatorAct::StorePositions { bytes, .. }) => {
                    self.held.insert(by.clone(), PositionsFile::decode(&bytes).unwrap());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// The session's entry, which everything was said for that it needs.
    fn session(&self) -> &DayAheadEntry {
        match &self.entry {
            Some(Entry::DayAhead(entry)) => entry,
            other => panic!("{other:?}, after {:?}", self.notes),
        }
    }

    fn demand_of(&self, aggregator: &PartyId) -> DayAheadFinalDemand {
        let place = self.aggregators.keys().position(|id| id == aggregator).unwrap();
        let raw = &self.session().demands[place];
        let opened = open(&self.genesis.registry(), &world::network(), &raw.topic, &raw.bytes).unwrap();
        match opened.body {
            Body::DayAheadFinalDemand(demand) => demand,
            other => panic!("{other:?}"),
        }
    }
}

/// Everyone's bids are in, the gate closes, and the session is cleared.
fn cleared() -> (Town, BTreeMap<&'static str, SignedEnvelope>) {
    let mut town = Town::new();
    town.time(OPEN, 0);
    let bids = ["s00", "s01", "s02", "s03"].map(|site| (site, town.bid(site, bid(site), "accepted")));
    town.time(GATE, 0);
    town.waiting.push_back((party(Role::Tso, "t"), party(Role::Dso, "d"), supply()));
    town.talk(GATE);
    (town, bids.into())
}

#[test]
fn a_session_is_cleared_in_rounds_and_stands_before_the_contracts() {
    let (town, _) = cleared();
    let entry = town.session();
    assert!((2..=MAX_ROUNDS).contains(&entry.rounds), "{}", entry.rounds);
    let rules = Rules::new(&town.genesis).unwrap();
    let mut state = State::genesis(&town.genesis).unwrap();
    let dso = party(Role::Dso, "d");
    apply(&rules, &mut state, At::default(), &dso, &Entry::DayAhead(entry.clone())).unwrap();
    assert_eq!(state.day_ahead().len(), 4);
    // At 50 EUR/MWh b2's curves alone want 10 kW, and the line carries 8: the price there rises. At 200 storage
    // gives back what it can.
    let price =
        |interval: usize, bus: usize| state.day_ahead()[&FIRST.later(interval as i64, 900)].prices[bus].0;
    assert!(price(0, 2) > price(0, 0) + 1_000_000, "{} at {}", price(0, 2), price(0, 0));
    for (interval, import) in (0..).zip(PRICES) {
        assert!((price(interval, 3) - import * 1_000_000).abs() <= Tolerances::default().price.0);
    }
    // The deferrable order is given its energy, and the store ends as full as it has to.
    let taken: i64 = entry.clearing.deferrables[0].power.iter().map(|power| power.0 * 900).sum();
    assert!((taken - kwh(0.8).0).abs() <= 3_600_000, "{taken}");
    assert!(entry.clearing.storages[0].discharge[3].0 > KW);
}

#[test]
fn a_session_in_which_nobody_bids_is_cleared_within_the_market_s_bounds() {
    for said in [supply(), import_alone()] {
        let mut town = Town::new();
        town.time(OPEN, 0);
        town.time(GATE, 0);
        town.waiting.push_back((party(Role::Tso, "t"), party(Role::Dso, "d"), said));
        town.talk(GATE);
        let entry = town.session();
        let rules = Rules::new(&town.genesis).unwrap();
        let mut state = State::genesis(&town.genesis).unwrap();
        let dso = party(Role::Dso, "d");
        apply(&rules, &mut state, At::default(), &dso, &Entry::DayAhead(entry.clone())).unwrap();
        assert_eq!(state.day_ahead().len(), 4);
    }
}

#[test]
fn positions_add_up_and_each_site_can_check_its_own() {
    let (mut town, bids) = cleared();
    let decided = decide_alone(&town.genesis, Entry::DayAhead(town.session().clone()));
    let block = Body::Block(decided.encode().unwrap().into());
    for id in ["a1", "a2"].map(aggregator) {
        let stage = town.aggregators.get_mut(&id).unwrap();
        let effects = stage.step(GATE, 0, Cue::Said(party(Role::Validator, "v1"), block.clone()));
        town.of_aggregator(&id, effects);
    }
    assert_eq!(town.firms.len(), 4);
    for (site, envelope) in &bids {
        let (by, bus) = match *site {
            "s00" => ("a1", 2),
            "s01" => ("a2", 2),
            "s02" => ("a1", 3),
            _ => ("a2", 3),
        };
        let firm = &town.firms[&party(Role::Site, site)];
        let demand = town.demand_of(&aggregator(by));
        let own = bid(site);
        let listed = (firm.storages.len(), firm.deferrables.len());
        assert_eq!(listed, (own.storages.len(), own.deferrables.len()));
        let leaf = merkle::leaf_hash(&salted_bid_hash(&firm.salt, envelope).0);
        let BidPath { place, count, siblings } = &firm.bid_path;
        assert!(merkle::verify_inclusion(&leaf, *place, *count, siblings, &demand.bids_root), "{site}");
        for (interval, (position, steps)) in firm.positions.iter().enumerate() {
            let stated = &demand.intervals[interval];
            let leaf = SumLeaf {
                account: format!("acc-site-{site}").parse().unwrap(),
                bid_hash: salted_bid_hash(&firm.salt, envelope),
                allocation: *position,
                reactive: Millivar::ZERO,
            };
            let path = MerkleSumPath { salt: firm.salt, steps: steps.clone() };
            let root =
                SumRoot { hash: stated.allocations_root, import: stated.import, export: stated.export };
            assert!(verify(&leaf, &path, &root), "{site} in interval {interval}");
            let held = &town.held[&aggregator(by)].intervals[interval];
            assert!(held.iter().any(|kept| (&kept.account, kept.bid_hash, kept.position)
                == (&leaf.account, leaf.bid_hash, leaf.allocation)));
            let clearing = &town.session().clearing;
            let orders: Milliwatt = match *site {
                "s00" => clearing.storages[firm.storages[0] as usize].power(interval),
                "s01" => clearing.deferrables[firm.deferrables[0] as usize].power(0, interval),
                _ => Milliwatt::ZERO,
            };
            let place = demand.buses.iter().position(|b| *b == bus).unwrap();
            let price = stated.buses[place].price;
            let own = own.curves[interval].demand_within(price, Tolerances::default().price);
            assert!(own.contains(*position - orders), "{site} in interval {interval}: {own:?}");
        }
    }
}

#[test]
fn a_bid_that_breaks_a_rule_is_refused_by_name() {
    let mut town = Town::new();
    town.time(OPEN, 0);
    let mut check = |spoil: &dyn Fn(&mut DayAheadBid), expected: &str| {
        let mut spoilt = bid("s00");
        spoil(&mut spoilt);
        town.bid("s00", spoilt, &format!("refused: {expected}"));
    };
    check(
        &|bid| bid.session = FIRST.later(1, 900),
        "no session begins with the interval starting at 1800900 s",
    );
    check(
        &|bid| bid.session = FIRST.later(8, 900),
        "bids for the session that begins with the interval starting at 1807200 s are not taken yet",
    );
    check(&|bid| drop(bid.curves.pop()), "3 curves for 4 intervals");
    check(
        &|bid| bid.curves[1] = slope(8),
        "curve and orders reach 11000000 mW in interval 1, and the connection is limited to 10000000 mW",
    );
    check(
        &|bid| bid.storages[0].energy_end_min = kwh(2.5),
        "order 0: at the end of interval 3 its energy can be 7200000000 mJ at best, and 9000000000 mJ is its limit",
    );
    town.time(GATE, 0);
    let id = aggregator("a1");
    let late =
        "refused: the gate for the session that begins with the interval starting at 1800000 s has closed";
    let stage = town.aggregators.get_mut(&id).unwrap();
    stage.check(GATE, 0, Cue::Said(party(Role::Site, "s00"), Body::DayAheadBid(bid("s00"))), late);
}

#[test]
fn a_silent_aggregator_costs_the_session_and_no_more() {
    let mut town = Town::new();
    town.time(OPEN, 0);
    town.bid("s00", bid("s00"), "accepted");
    town.time(GATE, 0);
    town.waiting.retain(|(by, _, _)| *by == aggregator("a1"));
    town.waiting.push_back((party(Role::Tso, "t"), party(Role::Dso, "d"), supply()));
    town.talk(GATE);
    town.notes.clear();
    town.time(GATE, 3_999);
    assert!(town.notes.is_empty(), "{:?}", town.notes);
    town.time(GATE, 4_000);
    let why = "day-ahead-silent: the session of interval starting at 1800000 s is not cleared: nothing came in 4000 ms from aggregator/a2";
    assert_eq!(town.notes, [why]);
    assert!(town.entry.is_none());
}
