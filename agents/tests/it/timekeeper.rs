//! The timekeeper's core, step by step.

use crate::stage::{Cue, Stage};
use crate::validators::decide_alone;
use crate::world::{self, party, Plan, FIRST};
use agents::timekeeper::core::{Overheard, TimekeeperAct, TimekeeperReport};
use agents::timekeeper::{Pace, TimekeeperCore};
use market::curve::FlexCurve;
use market::interval::{Interval, UnixSeconds};
use market::units::{Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use wire::message::{
    Ack, Bid, Body, Forecast, ForecastPrice, MessageRef, MeterReading, SetpointReport, Verdict,
};
use wire::party::{PartyId, Role};

type Heard = Cue<TimekeeperReport>;

/// Two sites, one interval, 900 times real time, at most 5 s a phase.
fn stage() -> Stage<TimekeeperCore> {
    let genesis = world::genesis(Plan { sites_each: 1, line_limit: None, grid: false });
    let pace = Pace { first: FIRST, count: Some(1), speed: 900, phase_limit_ms: 5_000 };
    let core = TimekeeperCore::new(&genesis, pace).unwrap();
    Stage::new(core, genesis.registry(), |act| match act {
        TimekeeperAct::AdvanceWorld(to) => format!("advance {}", to.0),
        TimekeeperAct::Show(progress) if progress.finished => "finished".to_owned(),
        TimekeeperAct::Show(progress) => format!("{} started", progress.started),
    })
}

fn advanced(to: i64) -> Heard {
    Cue::Report(TimekeeperReport::WorldAdvanced(UnixSeconds(to)))
}

fn heard(sender: &PartyId, sequence: u64, interval: Interval, body: Body) -> Heard {
    let id = MessageRef { sender: sender.clone(), boot: 1, sequence };
    Cue::Report(TimekeeperReport::Overheard(Box::new(Overheard { id, interval, body })))
}

fn site(id: &str) -> PartyId {
    party(Role::Site, id)
}

fn a1() -> PartyId {
    party(Role::Aggregator, "a1")
}

fn forecast() -> Body {
    Body::Forecast(Forecast { prices: vec![ForecastPrice { interval: FIRST, price: PicoEurPerWh(1) }] })
}

fn bid(of: &str) -> Heard {
    let curve = FlexCurve::inelastic(Milliwatt(1));
    let reactive_range = Millivar::ZERO;
    let bid = Bid { interval: FIRST, curve, forward: true, reading: None, reactive_range };
    heard(&site(of), 1, FIRST, Body::Bid(bid))
}

/// An answer to the message `of` sent with sequence number 1.
fn ack(by: PartyId, of: &PartyId, verdict: Verdict) -> Heard {
    let of_ref = MessageRef { sender: of.clone(), boot: 1, sequence: 1 };
    heard(&by, 9, FIRST, Body::Ack(Ack { of: of_ref, verdict }))
}

fn setpoints(of: &str, interval: Interval) -> Heard {
    let report = SetpointReport { interval, commitment: None, confirmed: 0, faults: Vec::new() };
    heard(&site(of), 2, interval, Body::SetpointReport(report))
}

fn reading(of: &str) -> Heard {
    let reading = MeterReading { interval: FIRST, energy: Millijoule(0) };
    heard(&site(of), 3, FIRST, Body::MeterReading(reading))
}

#[test]
fn the_world_lives_before_anyone_hears_of_the_time() {
    let mut stage = stage();
    stage.check(0, 0, Cue::Time, "advance 1799100");
    stage.check(0, 900, Cue::Time, "");
    stage.check(0, 950, advanced(1_700_000), "");
    stage.check(0, 1_000, advanced(1_799_100), "tick 1799100; 0 started");
    stage.check(0, 1_249, Cue::Time, "");
    stage.check(0, 1_250, Cue::Time, "tick 1799100");
}

#[test]
fn a_phase_ends_with_its_work_and_not_before_its_time() {
    let mut stage = stage();
    stage.check(0, 0, Cue::Time, "advance 1799100");
    stage.check(0, 0, advanced(1_799_100), "tick 1799100; 0 started");
    stage.check(0, 10, Cue::Said(party(Role::Tso, "t"), forecast()), "");
    // 300 s at 900 times real time.
    stage.check(0, 332, Cue::Time, "");
    stage.check(0, 333, Cue::Time, "advance 1799400");
    stage.check(0, 340, advanced(1_799_400), "tick 1799400; 0 started");
    stage.check(0, 1_000, bid("s00"), "tick 1799400");
    stage.check(0, 1_000, ack(a1(), &site("s00"), Verdict::Accepted), "");
    // An answer may be overheard before what it answers; a refusal is one too.
    stage.check(
        0,
        1_001,
        ack(party(Role::Aggregator, "a2"), &site("s01"), Verdict::Refused("no".into())),
        "",
    );
    stage.check(0, 1_002, bid("s01"), "advance 1799880");
    stage.check(0, 1_002, advanced(1_799_880), "tick 1799880; 0 started");

    // Clearing decided; of the two sites only s00 is owed a firm price.
    let genesis = world::genesis(Plan { sites_each: 1, line_limit: None, grid: false });
    let block = decide_alone(&genesis, world::clearing(FIRST, PicoEurPerWh(1)));
    let block = Body::Block(block.encode().unwrap().into());
    stage.check(0, 1_100, Cue::Said(party(Role::Validator, "v1"), block), "");
    stage.check(0, 1_101, ack(site("s00"), &a1(), Verdict::Accepted), "");
    stage.check(0, 1_135, Cue::Time, "advance 1800000");
    stage.check(0, 1_140, advanced(1_800_000), "tick 1800000; 1 started");
    stage.check(0, 1_150, setpoints("s00", FIRST), "");
    stage.check(0, 1_160, setpoints("s01", FIRST), "");

    // The last interval's end: setpoints and readings, then both deliveries.
    stage.check(0, 2_140, Cue::Time, "advance 1800900");
    stage.check(0, 2_140, advanced(1_800_900), "tick 1800900; 1 started");
    let end = FIRST.later(1, 900);
    stage.check(0, 2_150, setpoints("s00", end), "");
    stage.check(0, 2_150, setpoints("s01", end), "");
    stage.check(0, 2_150, reading("s00"), "");
    stage.check(0, 2_150, reading("s01"), "advance 1800900");
    stage.check(0, 2_150, advanced(1_800_900), "tick 1800900; 1 started");
}

#[test]
fn who_keeps_the_market_waiting_is_waited_for_once() {
    let mut stage = stage();
    stage.check(0, 0, Cue::Time, "advance 1799100");
    stage.check(0, 0, advanced(1_799_100), "tick 1799100; 0 started");
    stage.check(0, 400, Cue::Said(party(Role::Tso, "t"), forecast()), "advance 1799400");
    stage.check(0, 400, advanced(1_799_400), "tick 1799400; 0 started");
    stage.check(0, 400, bid("s00"), "");
    stage.check(0, 400, ack(a1(), &site("s00"), Verdict::Accepted), "");
    stage.check(0, 5_399, Cue::Time, "tick 1799400");
    stage.check(0, 5_400, Cue::Time, "note phase-limit; advance 1799880");
    stage.check(0, 5_400, advanced(1_799_880), "tick 1799880; 0 started");
    // Nothing is cleared; that is waited for as well, and then time goes on.
    stage.check(0, 10_400, Cue::Time, "note phase-limit; advance 1800000");
    stage.check(0, 10_400, advanced(1_800_000), "tick 1800000; 1 started");
    // s01 was silent and is not waited for again.
    stage.check(0, 11_400, setpoints("s00", FIRST), "advance 1800900");
}
