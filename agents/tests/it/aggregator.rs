//! The aggregator's core, step by step.

use crate::stage::{Cue, Stage};
use crate::validators::decide_alone;
use crate::world::{self, party, Plan, CONNECTION, FIRST};
use agents::aggregator::act::{AggregatorAct, AggregatorReport};
use agents::aggregator::kept::{Keep, Kept};
use agents::aggregator::{AggregatorCore, AggregatorSettings};
use agents::chain::Chain;
use agents::core::Effect;
use market::clearing::sampled::MAX_ROUNDS;
use market::curve::{Breakpoint, FlexCurve};
use market::interval::Interval;
use market::share::Demand as DemandRange;
use market::units::{Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use wire::message::{
    Award, Bid, Body, BusPrice, BusQuestion, Corner, DemandAt, MeterReading, PriceQuestion, PriceWindow,
    SetpointReport,
};
use wire::party::{PartyId, Role};

pub const GATE: i64 = FIRST.0 .0 - 120;
pub const OPEN: i64 = FIRST.0 .0 - 600;

/// Aggregator a1 with sites s00 at bus b2 and s02 at b3.
pub fn stage() -> Stage<AggregatorCore> {
    stage_from(Kept::default())
}

/// The same, going on from what was kept.
pub fn stage_from(kept: Kept) -> Stage<AggregatorCore> {
    let genesis = world::genesis(Plan { sites_each: 2, line_limit: None, grid: false });
    let settings = AggregatorSettings {
        party: party(Role::Aggregator, "a1"),
        seed: [7; 32],
        readings_grace_ms: 1_000,
        archive: "file:///archive".parse().unwrap(),
        held: Vec::new(),
        kept,
    };
    let core = AggregatorCore::new(Chain::new(&genesis).unwrap(), settings).unwrap();
    Stage::new(core, genesis.registry(), |act| match act {
        AggregatorAct::StoreBatches { interval, .. } => format!("store {}", interval.0 .0),
        AggregatorAct::StoreLate { batch, .. } => format!("store {}", batch.path),
        AggregatorAct::KeepBid { .. } => "keep bid".to_owned(),
        AggregatorAct::RenewBids { records } => format!("renew {} bids", records.len()),
        AggregatorAct::Keep { what: Keep::Question(_), .. } => "keep question".to_owned(),
        AggregatorAct::Keep { what: Keep::Trading(_), .. } => "keep award".to_owned(),
        AggregatorAct::KeepReading { record: Some(_), .. } => "keep reading".to_owned(),
        AggregatorAct::KeepReading { record: None, .. } => "answer when kept".to_owned(),
        AggregatorAct::Keep { what: Keep::Forget, .. } => "forget".to_owned(),
        AggregatorAct::StorePositions { session, .. } => format!("store positions {}", session.0 .0),
    })
}

pub fn site(id: &str) -> PartyId {
    party(Role::Site, id)
}

pub fn dso() -> PartyId {
    party(Role::Dso, "d")
}

/// Takes `power` up to 100 EUR/MWh, and nothing above.
pub fn bid(interval: Interval, power: i64) -> Body {
    let at = |power| Breakpoint { price: PicoEurPerWh(100_000_000), power: Milliwatt(power) };
    let curve = FlexCurve::new(vec![at(power), at(0)]).unwrap();
    Body::Bid(Bid { interval, curve, forward: true, reading: None, reactive_range: Millivar(0) })
}

pub fn said(who: PartyId, body: Body) -> Cue<AggregatorReport> {
    Cue::Said(who, body)
}

/// Asks b2 and b3 about these ticks, in one window from the first to the last.
pub fn question(round: u32, ticks: &[i64]) -> Body {
    let ticks: Vec<PicoEurPerWh> = ticks.iter().copied().map(PicoEurPerWh).collect();
    let (from, to) = (ticks.first().copied().unwrap_or_default(), ticks.last().copied().unwrap_or_default());
    let at = |bus: &str| BusQuestion { bus: bus.to_owned(), windows: vec![0] };
    let windows = vec![PriceWindow { from, to, ticks }];
    Body::PriceQuestion(PriceQuestion { interval: FIRST, round, windows, buses: vec![at("b2"), at("b3")] })
}

fn spoilt(spoil: impl FnOnce(&mut PriceQuestion)) -> Body {
    let Body::PriceQuestion(mut question) = question(2, &[5, 6]) else { panic!() };
    spoil(&mut question);
    Body::PriceQuestion(question)
}

pub fn award(allocations: [i64; 2]) -> Body {
    let at = |(bus, allocation): (&str, i64)| BusPrice {
        bus: bus.to_owned(),
        price: PicoEurPerWh(100_000_000),
        allocation: Milliwatt(allocation),
    };
    let buses = ["b2", "b3"].into_iter().zip(allocations).map(at).collect();
    Body::Award(Award { interval: FIRST, buses, reactive: Vec::new() })
}

#[test]
fn who_may_bid_for_what() {
    let mut stage = stage();
    stage.check(OPEN, 0, Cue::Time, "");
    stage.check(OPEN, 0, said(site("s00"), bid(FIRST, 5)), "keep bid");
    let other = "refused: site/s01 is no site of aggregator/a1";
    stage.check(OPEN, 0, said(site("s01"), bid(FIRST, 5)), other);
    let beyond = "refused: the curve reaches 10000001 mW, and the connection is limited to 10000000 mW";
    stage.check(OPEN, 0, said(site("s00"), bid(FIRST, CONNECTION.0 + 1)), beyond);
    let far = FIRST.later(2, 900);
    let too_early = "refused: bids for the interval starting at 1801800 s are not taken yet";
    stage.check(OPEN, 0, said(site("s00"), bid(far, 5)), too_early);
    let closed = "refused: the gate for the interval starting at 1800000 s has closed";
    stage.check(GATE, 0, said(site("s00"), bid(FIRST, 5)), closed);
    let supply = world::supply(FIRST, 1);
    stage.check(
        GATE,
        0,
        said(party(Role::Tso, "t"), supply),
        "refused: an aggregator takes no supply from tso/t",
    );
}

#[test]
fn rounds_are_answered_within_bounds_and_the_same_twice() {
    let mut stage = stage();
    let early = "refused: interval starting at 1800000 s is not being traded by aggregator/a1";
    stage.check(OPEN, 0, said(dso(), question(1, &[0, 1])), early);
    stage.check(OPEN, 0, said(site("s00"), bid(FIRST, 5)), "keep bid");
    stage.check(GATE, 0, Cue::Time, "bids-committed to dso/d; note silent-sites");
    stage.check(GATE, 0, Cue::Time, "");
    let ticks = [99_999_999, 100_000_000, 100_000_001];
    let effects = stage.step(GATE, 0, said(dso(), question(1, &ticks)));
    let Some(Effect::Send { body: Body::Demand(demand), .. }) = effects.last() else { panic!("{effects:?}") };
    let at = |bus: &str, powers: [i64; 3], corners: Vec<Corner>| DemandAt {
        bus: bus.to_owned(),
        powers: powers.map(Milliwatt).to_vec(),
        corners,
    };
    let corner = Corner { price: PicoEurPerWh(ticks[1]), at: Milliwatt(5), above: Milliwatt(0) };
    // The silent site's bus is answered for as well.
    assert_eq!(demand.buses, [at("b2", [5, 5, 0], vec![corner]), at("b3", [0, 0, 0], Vec::new())]);
    stage.check(GATE, 0, said(dso(), question(1, &ticks)), "accepted; demand to dso/d");
    let other = "refused: round 1 was asked before, at other prices";
    stage.check(GATE, 0, said(dso(), question(1, &[1, 2])), other);
    // Over so wide a stretch corners would be curves.
    let effects = stage.step(GATE, 0, said(dso(), question(4, &[99_999_999, 170_312_502])));
    let Some(Effect::Send { body: Body::Demand(demand), .. }) = effects.last() else { panic!("{effects:?}") };
    assert_eq!(demand.buses[0].corners, []);
    let none = "refused: the prices asked in window 0 are none, not increasing, or out of bounds";
    stage.check(GATE, 0, said(dso(), question(2, &[])), none);
    stage.check(GATE, 0, said(dso(), question(2, &[2, 2])), none);
    stage.check(GATE, 0, said(dso(), question(2, &[0, 4_000_000_002])), none);
    stage.check(GATE, 0, said(dso(), spoilt(|q| q.windows[0].from = PicoEurPerWh(6))), none);
    let bus = |name: &str| format!("refused: {name} is none of our buses, or not asked in order of name");
    stage.check(GATE, 0, said(dso(), spoilt(|q| q.buses[1].bus = "b1".to_owned())), &bus("b1"));
    stage.check(GATE, 0, said(dso(), spoilt(|q| q.buses[0].bus = "b1".to_owned())), &bus("b1"));
    let window = "refused: b2 is asked about a window that is not there, or not in order";
    stage.check(GATE, 0, said(dso(), spoilt(|q| q.buses[0].windows = vec![1])), window);
    let twice = spoilt(|q| {
        q.windows.push(q.windows[0].clone());
        q.buses[0].windows = vec![1, 1];
    });
    stage.check(GATE, 0, said(dso(), twice), window);
    let many = format!("refused: round {} is none of 1 to {MAX_ROUNDS}", MAX_ROUNDS + 1);
    stage.check(GATE, 0, said(dso(), question(MAX_ROUNDS + 1, &[0])), &many);
}

#[test]
fn an_award_is_taken_once_and_only_within_the_bids() {
    let mut stage = stage();
    stage.check(OPEN, 0, said(site("s00"), bid(FIRST, 5)), "keep bid");
    stage.check(OPEN, 0, said(site("s02"), bid(FIRST, 8)), "keep bid");
    stage.check(GATE, 0, Cue::Time, "bids-committed to dso/d");
    let beyond = "refused: the award gives b3 9 mW, and our bids there take 0 mW to 8 mW at its price";
    stage.check(GATE, 0, said(dso(), award([5, 9])), beyond);
    let effects = stage.step(GATE, 0, said(dso(), award([5, 3])));
    let Some(Effect::Send { body: Body::FinalDemand(demand), .. }) = effects.last() else {
        panic!("{effects:?}")
    };
    assert_eq!((demand.import, demand.export), (Milliwatt(8), Milliwatt(0)));
    assert_eq!(demand.buses[1].1, DemandRange { low: Milliwatt(0), high: Milliwatt(8) });
    stage.check(GATE, 0, said(dso(), award([5, 3])), "keep award; accepted; final-demand to dso/d");
    let other = "refused: another award for interval starting at 1800000 s was taken before";
    stage.check(GATE, 0, said(dso(), award([5, 4])), other);
}

#[test]
fn a_block_counts_only_with_its_votes_and_its_prices() {
    let mut stage = stage();
    stage.check(OPEN, 0, said(site("s00"), bid(FIRST, 5)), "keep bid");
    stage.check(OPEN, 0, said(site("s02"), bid(FIRST, 8)), "keep bid");
    stage.check(GATE, 0, Cue::Time, "bids-committed to dso/d");
    stage.check(GATE, 0, said(dso(), award([5, 3])), "keep award; accepted; final-demand to dso/d");
    let genesis = world::genesis(Plan { sites_each: 2, line_limit: None, grid: false });
    let validator = party(Role::Validator, "v1");
    let mut forged = decide_alone(&genesis, world::clearing(FIRST, PicoEurPerWh(100_000_000)));
    forged.certificate.signatures.truncate(2);
    let forged = Body::Block(forged.encode().unwrap().into());
    stage.check(GATE, 0, said(validator.clone(), forged), "note bad-block");
    let other = decide_alone(&genesis, world::clearing(FIRST, PicoEurPerWh(7)));
    let other = Body::Block(other.encode().unwrap().into());
    stage.check(GATE, 0, said(validator.clone(), other), "note clearing-differs");
}

#[test]
fn a_decided_clearing_makes_prices_firm_and_readings_are_delivered() {
    let mut stage = stage();
    stage.check(OPEN, 0, said(site("s00"), bid(FIRST, 5)), "keep bid");
    stage.check(OPEN, 0, said(site("s02"), bid(FIRST, 8)), "keep bid");
    stage.check(GATE, 0, Cue::Time, "bids-committed to dso/d");
    stage.check(GATE, 0, said(dso(), award([5, 3])), "keep award; accepted; final-demand to dso/d");
    let genesis = world::genesis(Plan { sites_each: 2, line_limit: None, grid: false });
    let decided = decide_alone(&genesis, world::clearing(FIRST, PicoEurPerWh(100_000_000)));
    let block = Body::Block(decided.encode().unwrap().into());
    let from = |id| party(Role::Validator, id);
    stage.check(GATE, 0, said(from("v1"), block.clone()), "firm to site/s00; firm to site/s02");
    stage.check(GATE, 0, said(from("v2"), block), "");

    let report = |commitment| {
        Body::SetpointReport(SetpointReport { interval: FIRST, commitment, confirmed: 1, faults: Vec::new() })
    };
    let (start, end) = (FIRST.0 .0, FIRST.0 .0 + 900);
    stage.check(start, 10, said(site("s00"), report(Some(Milliwatt(5)))), "accepted");
    stage.check(start, 10, said(site("s02"), report(None)), "accepted; note no-firm-price");

    let reading = |energy| Body::MeterReading(MeterReading { interval: FIRST, energy: Millijoule(energy) });
    stage.check(end, 100, said(site("s00"), reading(4_500)), "keep reading");
    stage.check(end, 100, said(site("s00"), reading(4_500)), "answer when kept");
    let differs = "refused: another reading for this interval, 4500 mJ, was taken before";
    stage.check(end, 100, said(site("s00"), reading(4_501)), differs);
    let most = 4 * 900 * CONNECTION.0;
    let implausible =
        format!("refused: {} mJ in one interval is more than 4 times what the connection allows", most + 1);
    stage.check(end, 100, said(site("s02"), reading(most + 1)), &implausible);
    // The grace begins when the end is first noticed.
    stage.check(end, 100, Cue::Time, "renew 2 bids");
    stage.check(end, 1_099, Cue::Time, "");
    stage.check(end, 1_100, Cue::Time, "note readings-missing; store 1800000");
    let failed = AggregatorReport::BatchesNotStored { interval: FIRST, reason: "disk full".to_owned() };
    stage.check(end, 1_200, Cue::Report(failed), "note batches-not-stored");
    stage.check(end, 6_199, Cue::Time, "");
    stage.check(end, 6_200, said(site("s02"), reading(-7)), "keep reading; store 1800000");
    let stored = || Cue::Report(AggregatorReport::BatchesStored(FIRST));
    stage.check(end, 6_300, stored(), "submit to all, answered by 4");
    stage.check(end, 6_300, stored(), "");
    stage.check(end, 6_300 + 149_999, Cue::Time, "block-question to all, answered by 0");
    stage.check(end, 6_300 + 150_000, Cue::Time, "submit to all, answered by 4");
    let later = FIRST.later(9, 900).0 .0;
    stage.check(later, 200_000, Cue::Time, "forget; note delivery-lost");
    stage.check(later, 200_000, Cue::Time, "");
}

#[test]
fn a_reading_of_a_settled_interval_is_kept_first_and_then_answered() {
    let mut stage = stage();
    let reading = |energy| Body::MeterReading(MeterReading { interval: FIRST, energy: Millijoule(energy) });
    let later = |intervals: i64| FIRST.later(intervals, 900).0 .0;
    let effects = stage.step(later(20), 0, said(site("s00"), reading(4_500)));
    let [Effect::Note { event: "reading-late", .. }, Effect::Own(AggregatorAct::StoreLate { of, batch })] =
        &effects[..]
    else {
        panic!("{effects:?}")
    };
    assert!(batch.path.starts_with("late/a1/1800000-") && !batch.bytes.is_empty(), "{batch:?}");
    let report = |stored| Cue::Report(AggregatorReport::LateStored { of: of.clone(), stored });
    stage.check(later(20), 0, report(Err("disk full".to_owned())), "note late-not-stored");
    stage.check(later(20), 0, report(Ok(())), "accepted");
    // Said again by a site that was killed before it heard the answer, and something else.
    let path = format!("note reading-late; store {}", batch.path);
    stage.check(later(21), 0, said(site("s00"), reading(4_500)), &path);
    let differs = "refused: another reading for this interval, 4500 mJ, came before";
    stage.check(later(21), 0, said(site("s00"), reading(4_501)), differs);
    let beyond = "is more than 4 times what the connection allows";
    let effects = stage.step(later(21), 0, said(site("s02"), reading(4 * 900 * CONNECTION.0 + 1)));
    assert!(stage.words(&effects[0]).contains(beyond), "{effects:?}");
    // Neither what is to come nor what lies too far back is kept.
    let untraded = "refused: interval starting at 1800000 s is not being traded by aggregator/a1";
    stage.check(later(-1), 0, said(site("s02"), reading(1)), untraded);
    stage.check(later(673), 0, said(site("s02"), reading(1)), untraded);
}
