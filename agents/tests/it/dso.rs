//! The DSO's core, step by step.

use crate::stage::{Cue, Stage};
use crate::validators::decide_alone;
use crate::world::{self, party, Plan, FIRST};
use agents::chain::Chain;
use agents::core::Effect;
use agents::dso::act::{DsoAct, DsoReport};
use agents::dso::measurement::Measurement;
use agents::dso::DsoCore;
use market::clearing::sampled::MAX_ROUNDS;
use market::share::Demand as DemandRange;
use market::units::{Milliwatt, PicoEurPerWh};
use wire::entry::Entry;
use wire::hash::Hash32;
use wire::message::{
    BidsCommitted, Body, BusPrice, BusQuestion, Corner, Demand, DemandAt, FinalDemand, PriceQuestion,
};
use wire::party::{PartyId, Role};

const GATE: i64 = FIRST.0 .0 - 120;
/// Import costs 80 EUR/MWh.
const PRICE: i64 = 80_000_000;
const LIMIT: Milliwatt = Milliwatt(6);

/// Aggregators a1 and a2 with a site each at buses b2, behind a line of 6 mW, and b3; 1000 ms a stage.
fn stage() -> Stage<DsoCore> {
    let genesis = world::genesis(Plan { sites_each: 2, line_limit: Some(LIMIT), grid: false });
    let core = DsoCore::new(Chain::new(&genesis).unwrap(), 1_000).unwrap();
    Stage::new(core, genesis.registry(), |act| match act {
        DsoAct::Solve(_) => "solve".to_owned(),
        DsoAct::SolveSession(_) => "solve session".to_owned(),
        DsoAct::Measure(Measurement::Session(session)) => format!("measure session {session}"),
        DsoAct::Measure(Measurement::Cleared(cleared)) => format!("measure {} rounds", cleared.rounds),
        DsoAct::Measure(Measurement::Metered(metered)) => format!("metered {}", metered.import),
        DsoAct::Measure(Measurement::Final { finality_ms }) => format!("final in {finality_ms} ms"),
        DsoAct::Measure(Measurement::Balance(balance)) => format!("balance {balance}"),
        DsoAct::Listen => "listen".to_owned(),
    })
}

fn aggregator(id: &str) -> PartyId {
    party(Role::Aggregator, id)
}

fn said(who: PartyId, body: Body) -> Cue<DsoReport> {
    Cue::Said(who, body)
}

fn committed(root: u8) -> Body {
    Body::BidsCommitted(BidsCommitted {
        interval: FIRST,
        bids_root: Hash32([root; 32]),
        bid_count: 2,
        reactive: Vec::new(),
    })
}

/// Each site takes `power` up to `worth`, and nothing above.
fn power_at(power: i64, worth: i64, tick: PicoEurPerWh) -> Milliwatt {
    Milliwatt(if tick.0 <= worth { power } else { 0 })
}

fn demand(question: &PriceQuestion, power: i64, worth: i64) -> Body {
    let at = |asked: &BusQuestion| {
        let (mut powers, mut corners) = (Vec::new(), Vec::new());
        for place in &asked.windows {
            let window = &question.windows[*place as usize];
            powers.extend(window.ticks.iter().map(|tick| power_at(power, worth, *tick)));
            if question.round > 1 && window.from.0 <= worth && worth < window.to.0 {
                let (price, at, above) = (PicoEurPerWh(worth), Milliwatt(power), Milliwatt(0));
                corners.push(Corner { price, at, above });
            }
        }
        DemandAt { bus: asked.bus.clone(), powers, corners }
    };
    let buses = question.buses.iter().map(at).collect();
    Body::Demand(Demand { interval: FIRST, round: question.round, buses })
}

/// The awards to a1 and a2.
type Awards = Vec<(PartyId, Vec<BusPrice>)>;

/// Plays the rounds until awards come, a1's sites taking 5 mW and a2's 3 mW up to `worths`. Who is not
/// asked is not waited for.
fn rounds(stage: &mut Stage<DsoCore>, first: Vec<Effect<DsoAct>>, worths: [i64; 2]) -> (Awards, u32) {
    let mut effects = first;
    for round in 1..=MAX_ROUNDS {
        let asked = effects.iter().filter_map(|effect| match effect {
            Effect::Send { body: Body::PriceQuestion(question), recipient, .. } => {
                Some((recipient.clone().unwrap(), question.clone()))
            }
            _ => None,
        });
        let mut answers: Vec<(PartyId, Body)> = asked
            .map(|(who, question)| {
                let (power, worth) = if who.id.as_str() == "a1" { (5, worths[0]) } else { (3, worths[1]) };
                (who, demand(&question, power, worth))
            })
            .collect();
        let Some((last, answer)) = answers.pop() else { panic!("no question: {effects:?}") };
        for (who, answer) in answers {
            stage.check(GATE, 0, said(who.clone(), answer.clone()), "accepted");
            stage.check(GATE, 0, said(who, answer), "accepted");
        }
        effects = stage.step(GATE, 0, said(last, answer));
        let Some(Effect::Own(DsoAct::Solve(problem))) = effects.last() else { panic!("{effects:?}") };
        let solved = problem.solve();
        effects = stage.step(GATE, 0, Cue::Report(solved));
        let awards: Awards = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Send { body: Body::Award(award), recipient: Some(to), .. } => {
                    Some((to.clone(), award.buses.clone()))
                }
                _ => None,
            })
            .collect();
        if !awards.is_empty() {
            return (awards, round);
        }
    }
    panic!("no award in {MAX_ROUNDS} rounds")
}

fn final_demand(buses: &[BusPrice], rounds: u32, (power, worth): (i64, i64), root: u8) -> Body {
    let range = |at: &BusPrice| DemandRange {
        low: power_at(power, worth, at.price.next()),
        high: power_at(power, worth, at.price),
    };
    Body::FinalDemand(FinalDemand {
        interval: FIRST,
        bids_root: Hash32([root; 32]),
        rounds,
        allocations_root: Hash32([9; 32]),
        import: buses.iter().map(|at| at.allocation).sum(),
        export: Milliwatt::ZERO,
        buses: buses.iter().map(|at| (at.clone(), range(at))).collect(),
        reactive: Vec::new(),
    })
}

/// Up to the awards.
fn awarded(worths: [i64; 2]) -> (Stage<DsoCore>, Awards, u32) {
    let mut stage = stage();
    stage.check(GATE, 0, Cue::Time, "");
    stage.check(GATE, 0, said(aggregator("a1"), committed(1)), "accepted");
    stage.check(GATE, 0, said(party(Role::Tso, "t"), world::supply(FIRST, PRICE)), "accepted");
    let first = stage.step(GATE, 0, said(aggregator("a2"), committed(2)));
    let (awards, rounds) = rounds(&mut stage, first, worths);
    (stage, awards, rounds)
}

#[test]
fn a_line_that_binds_sets_a_local_price_and_shares_the_step() {
    // At b2 both want 8 mW at the import's price, and the line carries 6: the price there rises to what the
    // less eager sites pay, who get what is left.
    let (_, awards, rounds) = awarded([200_000_000, 150_000_000]);
    let at = |bus: &str, price, allocation| BusPrice {
        bus: bus.to_owned(),
        price: PicoEurPerWh(price),
        allocation: Milliwatt(allocation),
    };
    assert_eq!(
        awards,
        [
            (aggregator("a1"), vec![at("b2", 150_000_000, 5), at("b3", PRICE, 5)]),
            (aggregator("a2"), vec![at("b2", 150_000_000, 1), at("b3", PRICE, 3)]),
        ]
    );
    assert_eq!(rounds, 2);
}

#[test]
fn an_uncongested_interval_takes_one_round() {
    let (_, awards, rounds) = awarded([200_000_000, 70_000_000]);
    assert_eq!(rounds, 1);
    assert!(awards.iter().flat_map(|(_, buses)| buses).all(|at| at.price == PicoEurPerWh(PRICE)));
}

#[test]
fn final_demands_must_be_what_was_answered_and_awarded() {
    let worths = [200_000_000, 150_000_000];
    let (mut stage, awards, rounds) = awarded(worths);
    let (a1, a2) = (&awards[0].1, &awards[1].1);
    let mut more = a1.clone();
    more[1].allocation = Milliwatt(4);
    let other = "refused: the final demand at b3 is not what was awarded and answered before";
    stage.check(GATE, 10, said(aggregator("a1"), final_demand(&more, rounds, (5, worths[0]), 1)), other);
    let bids = "refused: the final demand is over other bids than were committed";
    stage.check(GATE, 10, said(aggregator("a1"), final_demand(a1, rounds, (5, worths[0]), 2)), bids);
    let early = "refused: the final demand says it was last asked in round 1, and it was in round 2";
    let first = final_demand(a1, 1, (5, worths[0]), 1);
    stage.check(GATE, 10, said(aggregator("a1"), first), early);
    let Body::FinalDemand(mut sums) = final_demand(a1, rounds, (5, worths[0]), 1) else { panic!() };
    sums.export = Milliwatt(1);
    let sites = "refused: the final demand's sites take 9 together, and its buses 10";
    stage.check(GATE, 10, said(aggregator("a1"), Body::FinalDemand(sums)), sites);

    stage.check(GATE, 10, said(aggregator("a1"), final_demand(a1, rounds, (5, worths[0]), 1)), "accepted");
    let effects = stage.step(GATE, 10, said(aggregator("a2"), final_demand(a2, rounds, (3, worths[1]), 2)));
    let Some(Effect::Send { body: Body::Submit(entry), acknowledged_by, .. }) = effects.last() else {
        panic!("{effects:?}")
    };
    assert_eq!(acknowledged_by.len(), 4);
    let Entry::Clearing(clearing) = entry else { panic!("{entry:?}") };
    assert_eq!(
        (clearing.import, clearing.flows.clone()),
        (Milliwatt(14), [14, 6, 8].map(Milliwatt).to_vec())
    );

    let genesis = world::genesis(Plan { sites_each: 2, line_limit: Some(LIMIT), grid: false });
    let block = Body::Block(decide_alone(&genesis, entry.clone()).encode().unwrap().into());
    let from = |id| party(Role::Validator, id);
    stage.check(GATE, 250, said(from("v1"), block.clone()), "note final; final in 240 ms");
    stage.check(GATE, 260, said(from("v2"), block), "");
}

#[test]
fn what_is_wrong_is_refused_with_its_reason() {
    let mut stage = stage();
    stage.check(GATE, 0, said(aggregator("a1"), committed(1)), "accepted");
    stage.check(GATE, 0, said(aggregator("a1"), committed(1)), "accepted");
    let twice = "refused: other bids were committed to before";
    stage.check(GATE, 0, said(aggregator("a1"), committed(2)), twice);
    let tso = || party(Role::Tso, "t");
    stage.check(GATE, 0, said(tso(), world::supply(FIRST, PRICE)), "accepted");
    let another = "refused: another supply was stated before";
    stage.check(GATE, 0, said(tso(), world::supply(FIRST, PRICE + 1)), another);
    let far = "refused: interval starting at 1809000 s is not about to be cleared";
    stage.check(GATE, 0, said(tso(), world::supply(FIRST.later(10, 900), PRICE)), far);
    let effects = stage.step(GATE, 0, said(aggregator("a2"), committed(2)));
    let words: Vec<String> = effects.iter().map(|effect| stage.words(effect)).collect();
    let asked = ["accepted", "price-question to aggregator/a1", "price-question to aggregator/a2"];
    assert_eq!(words, asked);
    let Some(Effect::Send { body: Body::PriceQuestion(question), .. }) = effects.last() else { panic!() };
    let Body::Demand(mut short) = demand(question, 5, PRICE) else { panic!() };
    short.buses.pop();
    let buses = "refused: the demand names 1 buses, and not the 2 asked in order of name";
    stage.check(GATE, 0, said(aggregator("a1"), Body::Demand(short)), buses);
    let beyond = "refused: the demand at b2 reaches 10000001 mW, and its connections carry 10000000 mW";
    stage.check(GATE, 0, said(aggregator("a1"), demand(question, 10_000_001, PRICE)), beyond);
}

#[test]
fn a_silent_party_costs_the_interval_and_no_more() {
    let mut stage = stage();
    stage.check(GATE, 0, Cue::Time, "");
    stage.check(GATE, 500, said(aggregator("a1"), committed(1)), "accepted");
    stage.check(GATE, 999, Cue::Time, "");
    stage.check(GATE, 1_000, Cue::Time, "note party-silent");
    stage.check(GATE, 1_001, Cue::Time, "");
    let late = stage.step(GATE, 1_100, said(aggregator("a2"), committed(2)));
    let words: Vec<String> = late.iter().map(|effect| stage.words(effect)).collect();
    let why = "refused: interval starting at 1800000 s is given up: nothing came in 1000 ms from aggregator/a2, tso/t";
    assert_eq!(words, [why]);
    let next = GATE + 900;
    stage.check(next, 2_000, Cue::Time, "");
    stage.check(next, 3_000, Cue::Time, "note party-silent");
}
