//! Several intervals from first bid to settlement, over networks of all kinds.

use crate::household::{Firms, Household};
use crate::inspect;
use crate::network::{Faults, Network};
use crate::party::{Play, Played};
use crate::validators::{Assembly, Validator};
use crate::world::{self, party, Plan, FIRST};
use agents::aggregator::act::{AggregatorAct, AggregatorReport};
use agents::aggregator::delivery::StoredBatch;
use agents::aggregator::kept::Kept;
use agents::aggregator::{AggregatorCore, AggregatorSettings};
use agents::chain::Chain;
use agents::dso::act::{DsoAct, DsoReport};
use agents::dso::measurement::Measurement;
use agents::dso::DsoCore;
use agents::timekeeper::{Pace, TimekeeperCore};
use agents::tso::core::TsoAct;
use agents::tso::question::TsoReport;
use agents::tso::wholesale::{FeederAward, Trader};
use agents::tso::{ImportTerms, TsoCore, Wholesale};
use ledger::genesis::Genesis;
use market::auction::nodal;
use market::clearing::sampled::MAX_ROUNDS;
use market::curve::{Breakpoint, FlexCurve};
use market::interval::Interval;
use market::units::{MicrogramPerWh, Milliwatt, PicoEurPerWh};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use wire::message::ForecastPrice;
use wire::party::{PartyId, Role};

type Files = Rc<RefCell<BTreeMap<(PartyId, Interval), Vec<StoredBatch>>>>;
type Rounds = Rc<RefCell<Vec<u32>>>;
type Awards = Rc<RefCell<BTreeMap<Interval, FeederAward>>>;

/// What is played.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    pub plan: Plan,
    pub faults: Faults,
    pub intervals: u32,
    /// Every site leaves out one bid in so many; zero for none.
    pub silent_every: u32,
    /// Whether import comes from a wholesale market instead of at stated prices.
    pub wholesale: bool,
}

pub struct Scene {
    pub genesis: Genesis,
    pub network: Network,
    pub assembly: Rc<RefCell<Assembly>>,
    pub firms: Firms,
    files: Files,
    rounds: Rounds,
    pub awards: Awards,
    /// By interval, what was awarded day-ahead, as shown when it began.
    pub awards_ahead: Awards,
}

/// What plays a household's part, told from its script and its place.
pub type Cast<'a> = &'a mut dyn FnMut(Household, usize) -> Box<dyn Play>;

pub fn interval(count: i64) -> Interval {
    FIRST.later(count, world::parameters().interval_s)
}

pub fn terms(intervals: u32) -> ImportTerms {
    let price = |k: u32| ForecastPrice {
        interval: interval(i64::from(k)),
        price: PicoEurPerWh(60_000_000 + 15_000_000 * i64::from(k % 5)),
    };
    ImportTerms {
        prices: (0..intervals).map(price).collect(),
        repeats: false,
        import_min: Milliwatt(-1_000_000_000),
        import_max: Milliwatt(1_000_000_000),
        slope_per_megawatt: Some(PicoEurPerWh(1_000_000)),
    }
}

/// Two units behind a line to the feeder's bus, and a dear one there, in reach of what the sites pay.
pub fn wholesale() -> Wholesale {
    let unit = |bus, price: i64, kw: i64| {
        let point = |power| Breakpoint { price: PicoEurPerWh(price * 1_000_000), power };
        let points = vec![point(Milliwatt::ZERO), point(Milliwatt(-kw * 1_000_000))];
        Trader { bus, curve: FlexCurve::new(points).unwrap(), profile: vec![1.0, 0.5, 1.5] }
    };
    let line = nodal::Link {
        id: "line".into(),
        from: 0,
        to: 1,
        reactance: Some(0.2),
        limit: Some(Milliwatt(6_000_000)),
    };
    Wholesale {
        network: nodal::Network { buses: vec!["plants".into(), "feeder".into()], links: vec![line] },
        bus: 1,
        traders: vec![unit(0, 55, 4), unit(0, 65, 40), unit(1, 90, 1_000)],
        import_min: Milliwatt::ZERO,
        import_max: Milliwatt(500_000_000),
    }
}

fn set_up(day: Day, seed: u64) -> Scene {
    set_up_with(day, seed, world::genesis(day.plan), &mut |household, _| Box::new(household))
}

/// As [`set_up`], by this genesis and with this cast.
pub fn set_up_with(day: Day, seed: u64, genesis: Genesis, cast: Cast<'_>) -> Scene {
    let mut network = Network::new(genesis.registry(), day.faults, seed);
    let assembly = Assembly::new(&genesis);
    let (firms, files, rounds) = (Firms::default(), Files::default(), Rounds::default());
    let blocks = vec![(Role::Validator, "block")];
    for id in ["a1", "a2"] {
        let me = party(Role::Aggregator, id);
        let settings = AggregatorSettings {
            party: me.clone(),
            seed: [seed as u8; 32],
            readings_grace_ms: 20_000,
            archive: "file:///archive".parse().unwrap(),
            held: Vec::new(),
            kept: Kept::default(),
        };
        let core = AggregatorCore::new(Chain::new(&genesis).unwrap(), settings).unwrap();
        let (files, by) = (files.clone(), me.clone());
        let perform = move |act| match act {
            AggregatorAct::StoreBatches { interval, batches } => {
                files.borrow_mut().insert((by.clone(), interval), batches);
                Some(AggregatorReport::BatchesStored(interval))
            }
            AggregatorAct::KeepBid { of, .. } | AggregatorAct::KeepReading { of, .. } => {
                Some(AggregatorReport::Kept(vec![of]))
            }
            AggregatorAct::RenewBids { .. }
            | AggregatorAct::StoreLate { .. }
            | AggregatorAct::StorePositions { .. }
            | AggregatorAct::Keep { .. } => None,
        };
        network.add(me, blocks.clone(), Box::new(Played { core, perform }));
    }
    let shown = rounds.clone();
    let perform = move |act| -> Option<DsoReport> {
        match act {
            DsoAct::Solve(problem) => Some(problem.solve()),
            DsoAct::SolveSession(problem) => Some(problem.solve()),
            DsoAct::Measure(Measurement::Cleared(cleared)) => {
                shown.borrow_mut().push(cleared.rounds);
                None
            }
            DsoAct::Measure(
                Measurement::Session(_)
                | Measurement::Metered(_)
                | Measurement::Balance(_)
                | Measurement::Final { .. },
            ) => None,
            DsoAct::Listen => None,
        }
    };
    let dso = Played { core: DsoCore::new(Chain::new(&genesis).unwrap(), 30_000).unwrap(), perform };
    network.add(party(Role::Dso, "d"), blocks, Box::new(dso));
    let (awards, awards_ahead) = (Awards::default(), Awards::default());
    let (taken, taken_ahead, dso) = (awards.clone(), awards_ahead.clone(), party(Role::Dso, "d"));
    let tso = if day.wholesale {
        TsoCore::trading(genesis.parameters, dso, wholesale(), Chain::new(&genesis).unwrap())
    } else {
        TsoCore::new(genesis.parameters, dso, terms(day.intervals))
            .emitting(MicrogramPerWh(400_000), PicoEurPerWh(20_000_000))
    };
    let tso = tso.and_day_ahead(genesis.day_ahead);
    let perform = move |act| -> Option<TsoReport> {
        match act {
            TsoAct::Ask(question) => Some(question.answer()),
            TsoAct::Show(award) => {
                taken.borrow_mut().insert(award.interval, award);
                None
            }
            TsoAct::ShowDayAhead(award) => {
                taken_ahead.borrow_mut().insert(award.interval, award);
                None
            }
        }
    };
    let blocks = vec![(Role::Validator, "block")];
    network.add(party(Role::Tso, "t"), blocks, Box::new(Played { core: tso, perform }));
    for id in ["v1", "v2", "v3", "v4"] {
        let me = party(Role::Validator, id);
        let kinds = ["submit", "block-question"];
        let submit = [Role::Dso, Role::Aggregator].map(|role| kinds.map(|kind| (role, kind))).concat();
        let validator = Validator { party: me.clone(), assembly: assembly.clone(), told: 0 };
        network.add(me, submit, Box::new(validator));
    }
    for (place, site) in genesis.participants.iter().filter(|p| p.party.role == Role::Site).enumerate() {
        let aggregator = site.aggregator.as_ref().unwrap().as_str();
        let seed = seed ^ (place as u64) << 32;
        let mut household =
            Household::new(site.party.clone(), aggregator, firms.clone(), day.silent_every, seed);
        if genesis.clears_reactive() {
            // Every third has no inverter.
            household.reactive_range = 1_300_000 * (place as i64 % 3);
        }
        network.add(site.party.clone(), Vec::new(), cast(household, place));
    }
    let pace = Pace { first: FIRST, count: Some(day.intervals), speed: 900, phase_limit_ms: 60_000 };
    network.add_timekeeper(party(Role::Timekeeper, "k"), TimekeeperCore::new(&genesis, pace).unwrap());
    Scene { genesis, network, assembly, firms, files, rounds, awards, awards_ahead }
}

/// Plays the day and checks all of it: every interval cleared with a certificate that holds, every site's
/// firm price right, every delivery settled to zero.
fn check_day(day: Day, seed: u64) -> Scene {
    println!("seed {seed}, {day:?}");
    check_played(day, set_up(day, seed))
}

/// As [`check_day`], of what is set up already.
pub fn check_played(day: Day, mut played: Scene) -> Scene {
    played.network.run_until(3_600_000, |network| network.progress.get().finished);
    let notes = &played.network.notes;
    assert!(played.network.progress.get().finished, "time stood still; notes: {notes:#?}");
    let assembly = played.assembly.borrow();
    let recorded = inspect::recorded(&assembly.decided);
    for count in 0..day.intervals {
        let interval = interval(i64::from(count));
        let of = recorded.get(&interval).unwrap_or_else(|| panic!("{interval} is not recorded: {notes:#?}"));
        let clearing = of.clearing.as_ref().unwrap();
        inspect::check_firms(&played.genesis, clearing, &played.firms);
        inspect::check_shares(&played.genesis, clearing, &played.firms, &played.network.bids);
        assert_eq!(of.deliveries.len(), 2, "{interval}: {notes:#?}");
        for (aggregator, delivery) in &of.deliveries {
            assert_eq!(delivery.sites.len(), day.plan.sites_each);
            assert!(delivery.sites.iter().all(|site| site.energy.is_some()), "{notes:#?}");
            let batches = played.files.borrow()[&(aggregator.clone(), interval)].clone();
            inspect::check_batches(&played.genesis, delivery, &batches);
        }
    }
    let started: i64 = played.genesis.balances.iter().map(|(_, balance)| balance.0).sum();
    assert_eq!(assembly.state.total_nano_eur(), i128::from(started));
    assert!(assembly.state.accounts().values().any(|account| account.balance.0 != 1_000_000_000_000));
    drop(assembly);
    played
}

pub const GOOD: Faults = Faults { loss_percent: 0, repeat_percent: 0, delay_ms: 5 };
pub const BAD: Faults = Faults { loss_percent: 4, repeat_percent: 20, delay_ms: 400 };
pub const WIDE: Plan = Plan { sites_each: 5, line_limit: None, grid: false };
const NARROW: Plan = Plan { sites_each: 5, line_limit: Some(Milliwatt(6_000_000)), grid: false };

fn spreads(played: &Scene) -> Vec<i64> {
    let recorded = inspect::recorded(&played.assembly.borrow().decided);
    recorded.values().filter_map(|of| of.clearing.as_ref()).map(|c| inspect::spread(c).0).collect()
}

#[test]
fn a_feeder_without_limits_clears_at_one_price() {
    let played =
        check_day(Day { plan: WIDE, faults: GOOD, intervals: 6, silent_every: 0, wholesale: false }, 1);
    assert_eq!(spreads(&played), [0; 6]);
    assert_eq!(played.network.notes.iter().filter(|(_, event, _)| *event == "phase-limit").count(), 0);
}

#[test]
fn a_congested_line_gets_a_price_of_its_own() {
    let played =
        check_day(Day { plan: NARROW, faults: GOOD, intervals: 8, silent_every: 0, wholesale: false }, 2);
    let spreads = spreads(&played);
    assert!(spreads.iter().filter(|spread| **spread > 0).count() >= 4, "{spreads:?}");
    let rounds = played.rounds.borrow();
    assert_eq!(rounds.len(), 8);
    assert!(rounds.iter().all(|rounds| *rounds <= MAX_ROUNDS), "{rounds:?}");
}

/// As [`NARROW`], by a market that knows its grid.
pub const KNOWN: Plan = Plan { grid: true, ..NARROW };

#[test]
fn a_market_that_knows_its_grid_clears_and_settles_in_five_rounds() {
    let played =
        check_day(Day { plan: KNOWN, faults: GOOD, intervals: 6, silent_every: 0, wholesale: false }, 5);
    let rounds = played.rounds.borrow();
    assert!(rounds.len() == 6 && rounds.iter().all(|rounds| *rounds <= MAX_ROUNDS), "{rounds:?}");
    let decided = inspect::recorded(&played.assembly.borrow().decided);
    for of in decided.values() {
        let grid = of.clearing.as_ref().and_then(|clearing| clearing.grid.as_ref()).unwrap();
        assert!(grid.flows.iter().skip(1).any(|flow| flow.reactive.0 != 0), "{grid:?}");
        // Losses are weighed, so prices differ even where no limit binds.
        assert!(grid.prices.iter().any(|price| *price != grid.prices[0]), "{grid:?}");
    }
    // 50 EUR/t on 0.4 t/MWh are 20 EUR/MWh on what import is stated to cost.
    let carbon = played.assembly.borrow().state.accounts()[&"carbon".parse().unwrap()].balance;
    let import: i64 = decided
        .values()
        .flat_map(|of| of.deliveries.values())
        .flat_map(|of| &of.sites)
        .map(|site| site.energy.map_or(site.commitment.0 * 900, |energy| energy.0))
        .sum();
    let expected = 20.0 * import as f64 / 3.6e12;
    assert!((carbon.eur() - expected).abs() < 1e-6, "{carbon} for {expected} EUR");
    for (interval, of) in &decided {
        let root = of.clearing.as_ref().unwrap().prices[0].eur_per_mwh();
        let stated = terms(6).prices.iter().find(|at| at.interval == *interval).unwrap().price.eur_per_mwh();
        assert!((root - stated - 20.0).abs() < 0.1, "{interval}: {root}, {stated} stated");
    }
    // Losses are saved where inverters give what is taken at b3: they do, and are paid for it.
    let given: i64 = decided
        .values()
        .flat_map(|of| of.deliveries.values())
        .flat_map(|delivery| &delivery.sites)
        .map(|site| site.reactive.0)
        .sum();
    assert!(given < -100_000, "{given} mvar");
    let parts = |(_, event, text): &&(PartyId, &str, String)| *event == "cleared" && text.contains("loss");
    assert_eq!(played.network.notes.iter().filter(parts).count(), 6, "{:#?}", played.network.notes);
}

#[test]
fn a_network_that_loses_repeats_and_delays_changes_no_result() {
    for seed in 10..16 {
        check_day(Day { plan: NARROW, faults: BAD, intervals: 5, silent_every: 0, wholesale: false }, seed);
    }
}

#[test]
fn silent_sites_are_cleared_on_their_forward_bids() {
    let played =
        check_day(Day { plan: NARROW, faults: GOOD, intervals: 6, silent_every: 3, wholesale: false }, 3);
    assert!(played.network.notes.iter().any(|(_, event, _)| *event == "silent-sites"));
}

#[test]
fn what_is_cleared_is_what_the_wholesale_market_awards() {
    let day = Day { plan: WIDE, faults: GOOD, intervals: 6, silent_every: 0, wholesale: true };
    let played = check_day(day, 5);
    let recorded = inspect::recorded(&played.assembly.borrow().decided);
    let root = played.genesis.feeder.buses.iter().position(|bus| *bus == played.genesis.feeder.root).unwrap();
    for (interval, of) in &recorded {
        let clearing = of.clearing.as_ref().unwrap();
        let award = played.awards.borrow()[interval];
        assert_eq!(award.import, clearing.import);
        // Both prices are exact but where the feeder takes just what a unit or the line has left.
        let supply = wholesale().supply(*interval).unwrap();
        assert!(supply.import_at(clearing.prices[root]).contains(award.import), "{award:?}");
        let near = |shift: i64| supply.import_at(PicoEurPerWh(award.price.0 + shift));
        assert!(near(-4_000).low <= award.import && award.import <= near(4_000).high, "{award:?}");
    }
    assert_eq!(recorded.len(), 6);
}

/// It asks for each block it did not hear, in time for its sites, and so does the DSO.
#[test]
fn an_aggregator_and_a_dso_that_hear_no_blocks_ask_for_them() {
    for deaf in [party(Role::Aggregator, "a1"), party(Role::Dso, "d")] {
        for faults in [GOOD, BAD] {
            let day = Day { plan: WIDE, faults, intervals: 4, silent_every: 0, wholesale: false };
            let mut played = set_up(day, 6);
            played.network.deaf = Some((deaf.clone(), "block"));
            let played = check_played(day, played);
            let notes = &played.network.notes;
            let lost =
                |(_, event, _): &&(PartyId, &str, String)| ["clearing-lost", "delivery-lost"].contains(event);
            assert_eq!(notes.iter().filter(lost).count(), 0, "{deaf}: {notes:#?}");
        }
    }
}

#[test]
fn without_an_aggregator_no_interval_clears_and_time_goes_on() {
    let day = Day { plan: WIDE, faults: GOOD, intervals: 2, silent_every: 0, wholesale: false };
    let mut played = set_up(day, 4);
    played.network.remove(&party(Role::Aggregator, "a2"));
    played.network.run_until(3_600_000, |network| network.progress.get().finished);
    assert!(played.network.progress.get().finished);
    assert!(inspect::recorded(&played.assembly.borrow().decided).is_empty());
    let silent = |(_, event, text): &&(PartyId, &str, String)| {
        *event == "party-silent" && text.contains("aggregator/a2")
    };
    assert_eq!(played.network.notes.iter().filter(silent).count(), 2, "{:#?}", played.network.notes);
}
