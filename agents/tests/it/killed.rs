//! An aggregator that is killed goes on from its files, and asks for the decisions it did not hear of.

use crate::aggregator::{award, bid, dso, question, said, site, stage, stage_from, GATE, OPEN};
use crate::stage::{Cue, Stage};
use crate::validators::{decide_alone, decide_alone_by};
use crate::world::{self, party, Plan, FIRST};
use agents::aggregator::act::{AggregatorAct, AggregatorReport};
use agents::aggregator::kept::{read_questions, Keep, Kept, KeptReading, KeptTrading, TakenBid};
use agents::aggregator::AggregatorCore;
use agents::core::Effect;
use market::units::{Millijoule, PicoEurPerWh};
use wire::entry::Entry;
use wire::message::{BidsCommitted, BlockQuestion, Body, Decision, FinalDemand, MeterReading};
use wire::party::Role;

type Effects = Vec<Effect<AggregatorAct>>;

const END: i64 = FIRST.0 .0 + 900;

/// What effects leave in files.
fn files(all: &[Effects]) -> Kept {
    let (mut kept, mut readings) = (Kept::default(), Vec::new());
    for effect in all.iter().flatten() {
        match effect {
            Effect::Own(AggregatorAct::KeepBid { record, .. }) => {
                kept.bids.push(TakenBid::decode(record).unwrap());
            }
            Effect::Own(AggregatorAct::RenewBids { records }) => {
                kept.bids = records.iter().map(|record| TakenBid::decode(record).unwrap()).collect();
            }
            Effect::Own(AggregatorAct::Keep { interval, what: Keep::Question(frame) }) => {
                kept.asked.entry(*interval).or_default().extend(read_questions(frame));
            }
            Effect::Own(AggregatorAct::Keep { what: Keep::Trading(bytes), .. }) => {
                kept.trading.push((KeptTrading::decode(bytes).unwrap(), Vec::new()));
            }
            Effect::Own(AggregatorAct::KeepReading { record, .. }) => {
                readings.extend(record.iter().map(|record| KeptReading::decode(record).unwrap()));
            }
            Effect::Own(AggregatorAct::Keep { what: Keep::Forget, .. }) => kept.trading.clear(),
            _ => {}
        }
    }
    kept.trading.iter_mut().for_each(|(_, read)| *read = readings.clone());
    kept
}

fn commitment(effects: &Effects) -> BidsCommitted {
    let said = effects.iter().find_map(|effect| match effect {
        Effect::Send { body: Body::BidsCommitted(committed), .. } => Some(committed.clone()),
        _ => None,
    });
    said.unwrap_or_else(|| panic!("{effects:?}"))
}

fn final_demand(effects: &Effects) -> FinalDemand {
    match effects.last() {
        Some(Effect::Send { body: Body::FinalDemand(demand), .. }) => demand.clone(),
        _ => panic!("{effects:?}"),
    }
}

/// Both sites bid; the gate closes; two rounds are asked. The stage, and all effects so far.
fn in_its_rounds() -> (Stage<AggregatorCore>, Vec<Effects>) {
    let mut stage = stage();
    let all = vec![
        stage.step(OPEN, 0, said(site("s00"), bid(FIRST, 5))),
        stage.step(OPEN, 0, said(site("s02"), bid(FIRST, 8))),
        stage.step(GATE, 0, Cue::Time),
        stage.step(GATE, 0, said(dso(), question(1, &[0, 1]))),
        stage.step(GATE, 0, said(dso(), question(2, &[5, 6]))),
    ];
    (stage, all)
}

fn cleared_block() -> Body {
    let genesis = world::genesis(Plan { sites_each: 2, line_limit: None, grid: false });
    let decided = decide_alone(&genesis, world::clearing(FIRST, PicoEurPerWh(100_000_000)));
    Body::Block(decided.encode().unwrap().into())
}

fn from_validator(block: Body) -> Cue<AggregatorReport> {
    said(party(Role::Validator, "v1"), block)
}

const ASKS: &str = "block-question to all, answered by 0";

#[test]
fn a_bid_is_acknowledged_once_it_is_kept() {
    let mut stage = stage();
    let effects = stage.step(OPEN, 0, said(site("s00"), bid(FIRST, 5)));
    let [Effect::Own(AggregatorAct::KeepBid { of, .. })] = &effects[..] else { panic!("{effects:?}") };
    let kept = AggregatorReport::Kept(vec![of.clone(), of.clone()]);
    stage.check(OPEN, 0, Cue::Report(kept), "accepted; accepted");
}

#[test]
fn one_killed_before_its_gate_closes_commits_to_the_bids_it_took() {
    let (_, all) = in_its_rounds();
    let mut anew = stage_from(files(&all[..2]));
    anew.check(OPEN, 0, Cue::Time, "note bids-restored");
    let effects = anew.step(GATE, 0, Cue::Time);
    assert_eq!(commitment(&effects), commitment(&all[2]));
}

#[test]
fn one_killed_in_its_rounds_commits_to_the_same_and_remembers_what_it_was_asked() {
    let (mut stage, all) = in_its_rounds();
    // Whoever speaks first, it has closed its gate by then; time may have gone on to the interval itself.
    for now in [GATE, FIRST.0 .0 + 5] {
        let mut anew = stage_from(files(&all));
        let effects = anew.step(now, 0, said(dso(), question(2, &[5, 6])));
        assert_eq!(commitment(&effects), commitment(&all[2]), "at {now}");
        let words = effects.iter().map(|effect| anew.words(effect));
        let words: Vec<String> = words.filter(|words| !words.starts_with("note")).collect();
        // The last answer once unasked, for the DSO may never have heard it.
        assert_eq!(words[..2], ["bids-committed to dso/d", "demand to dso/d"], "at {now}");
        assert_eq!(words[words.len() - 2..], ["accepted", "demand to dso/d"], "at {now}");
        let other = "refused: round 2 was asked before, at other prices";
        anew.check(now, 0, said(dso(), question(2, &[7, 8])), other);
        let demand = final_demand(&anew.step(now, 0, said(dso(), award([5, 3]))));
        assert_eq!(demand, final_demand(&stage.step(GATE, 0, said(dso(), award([5, 3])))), "at {now}");
        assert_eq!(demand.rounds, 2);
    }
}

#[test]
fn bids_that_count_no_more_are_kept_no_longer() {
    let (mut stage, mut all) = in_its_rounds();
    all.push(stage.step(GATE + 1, 0, said(site("s00"), bid(FIRST.later(1, 900), 6))));
    all.push(stage.step(FIRST.0 .0, 0, Cue::Time));
    // Of the interval under way, of the next, and what stands where the other is silent.
    assert_eq!(files(&all).bids.len(), 3);
    all.push(stage.step(END - 120, 0, Cue::Time));
    all.push(stage.step(END - 10, 0, said(site("s02"), bid(FIRST.later(2, 900), 9))));
    all.push(stage.step(END, 0, Cue::Time));
    let mut kept: Vec<i64> = files(&all).bids.iter().map(|kept| kept.bid.interval.0 .0).collect();
    kept.sort_unstable();
    assert_eq!(kept, [1, 2].map(|later| FIRST.later(later, 900).0 .0));
}

#[test]
fn one_that_is_killed_goes_on_from_its_award_and_its_readings() {
    let (mut stage, mut all) = in_its_rounds();
    all.push(stage.step(GATE, 0, said(dso(), award([5, 3]))));
    let before = final_demand(all.last().unwrap());
    let reading = Body::MeterReading(MeterReading { interval: FIRST, energy: Millijoule(4_500) });
    all.push(stage.step(END, 0, said(site("s00"), reading)));
    let restored = format!("note restored; note bids-restored; {ASKS}");

    // Its clearing is decided once it is back. What it answered last may never have been heard.
    let mut anew = stage_from(files(&all));
    anew.check(GATE, 0, Cue::Time, &format!("final-demand to dso/d; {restored}"));
    assert_eq!(final_demand(&anew.step(GATE, 0, said(dso(), award([5, 3])))), before);
    let firm = "firm to site/s00; firm to site/s02";
    anew.check(GATE, 0, from_validator(cleared_block()), firm);

    // Its clearing was decided while it was away, and nobody says so.
    let mut anew = stage_from(files(&all));
    anew.check(END, 0, Cue::Time, &restored);
    anew.check(END, 1_000, Cue::Time, "note readings-missing; store 1800000");
    let effects = anew.step(END, 1_100, Cue::Report(AggregatorReport::BatchesStored(FIRST)));
    let Some(Effect::Send { body: Body::Submit(Entry::Delivery(delivery)), .. }) = effects.last() else {
        panic!("{effects:?}")
    };
    let energies: Vec<_> = delivery.sites.iter().map(|site| site.energy).collect();
    assert_eq!(energies, [Some(Millijoule(4_500)), None]);
}

#[test]
fn a_clearing_that_was_not_heard_of_is_asked_for_and_makes_prices_firm() {
    let (mut stage, mut all) = in_its_rounds();
    all.push(stage.step(GATE, 0, said(dso(), award([5, 3]))));
    let firm = "firm to site/s00; firm to site/s02";

    // Alive, and cut off.
    stage.check(GATE, 2_999, Cue::Time, "");
    let effects = stage.step(GATE, 3_000, Cue::Time);
    let [Effect::Send { body: Body::BlockQuestion(asked), .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(*asked, BlockQuestion { interval: FIRST, decided: Decision::Clearing });
    stage.check(GATE, 5_999, Cue::Time, "");
    stage.check(GATE, 6_000, Cue::Time, ASKS);
    stage.check(GATE, 6_100, from_validator(cleared_block()), firm);
    stage.check(GATE, 60_000, Cue::Time, "");

    // Killed, and back while the interval lasts.
    let restored = format!("note restored; note bids-restored; {ASKS}");
    let mut anew = stage_from(files(&all));
    anew.check(FIRST.0 .0 + 7, 0, Cue::Time, &format!("final-demand to dso/d; {restored}"));
    anew.check(FIRST.0 .0 + 7, 10, from_validator(cleared_block()), firm);

    // A block without its votes makes nothing firm.
    let mut anew = stage_from(files(&all));
    anew.check(FIRST.0 .0 + 7, 0, Cue::Time, &format!("final-demand to dso/d; {restored}"));
    let genesis = world::genesis(Plan { sites_each: 2, line_limit: None, grid: false });
    let mut forged = decide_alone(&genesis, world::clearing(FIRST, PicoEurPerWh(100_000_000)));
    forged.certificate.signatures.truncate(2);
    let forged = Body::Block(forged.encode().unwrap().into());
    anew.check(FIRST.0 .0 + 7, 10, from_validator(forged), "note bad-block");

    // Back when it is over: nobody has use for a firm price, and the delivery goes its way.
    let mut anew = stage_from(files(&all));
    anew.check(END, 0, Cue::Time, &restored);
    anew.check(END, 10, from_validator(cleared_block()), "");
    anew.check(END, 1_000, Cue::Time, "note readings-missing; store 1800000");
}

#[test]
fn a_delivery_that_was_decided_unheard_is_asked_for_and_forgotten() {
    let (mut stage, mut all) = in_its_rounds();
    all.push(stage.step(GATE, 0, said(dso(), award([5, 3]))));
    // A block of the same height is heard once alone, so this one hears of its clearing from nobody.
    let mut anew = stage_from(files(&all));
    anew.step(END, 0, Cue::Time);
    anew.step(END, 1_000, Cue::Time);
    let effects = anew.step(END, 1_100, Cue::Report(AggregatorReport::BatchesStored(FIRST)));
    let Some(Effect::Send { body: Body::Submit(Entry::Delivery(delivery)), .. }) = effects.last() else {
        panic!("{effects:?}")
    };
    let effects = anew.step(END, 4_100, Cue::Time);
    let [Effect::Send { body: Body::BlockQuestion(asked), .. }] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(*asked, BlockQuestion { interval: FIRST, decided: Decision::Delivery });
    // Another aggregator's is none of its own.
    let genesis = world::genesis(Plan { sites_each: 2, line_limit: None, grid: false });
    let decided_by = |id| {
        let by = party(Role::Aggregator, id);
        let decided = decide_alone_by(&genesis, &by, Entry::Delivery(delivery.clone()));
        from_validator(Body::Block(decided.encode().unwrap().into()))
    };
    let mut other = stage_from(files(&all));
    other.step(END, 0, Cue::Time);
    other.check(END, 10, decided_by("a2"), "");
    anew.check(END, 4_200, decided_by("a1"), "forget");
    anew.check(END, 60_000, Cue::Time, "");
}
