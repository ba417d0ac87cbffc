//! A meter that lies, against its feeder's balance: whole intervals are traded and settled, and the DSO's own meters
//! show which branch the lie is in.

use crate::household::Household;
use crate::market_day::{check_played, set_up_with, Day, GOOD, WIDE};
use crate::party::Play;
use crate::world::{self, parameters, party, Plan};
use agents::chain::Chain;
use agents::core::{Effect, Incoming, Input, Now, RoleCore};
use agents::dso::act::{DsoAct, DsoReport};
use agents::dso::balance::{Measured, HEAD};
use agents::dso::measurement::Measurement;
use agents::dso::DsoCore;
use market::balance::Accuracy;
use market::interval::Interval;
use market::units::Millijoule;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use wire::entry::SignedEnvelope;
use wire::message::{Body, MessageRef};
use wire::party::Role;

/// What really flowed to each bus, by interval.
type Flowed = Rc<RefCell<BTreeMap<(Interval, String), i64>>>;

/// A household whose meter counts so many thousandths of what flows.
struct Metered {
    household: Household,
    bus: String,
    permille: i64,
    flowed: Flowed,
}

impl Play for Metered {
    fn step(&mut self, now: Now, input: Input<Infallible>) -> Vec<Effect<Infallible>> {
        let mut effects = self.household.step(now, input);
        for effect in &mut effects {
            if let Effect::Send { body: Body::MeterReading(reading), .. } = effect {
                let key = (reading.interval, self.bus.clone());
                *self.flowed.borrow_mut().entry(key).or_default() += reading.energy.0;
                reading.energy = Millijoule(reading.energy.0 * self.permille / 1_000);
            }
        }
        effects
    }
}

/// Plays three intervals in which the meter at this place counts so many thousandths, and returns each interval's
/// sections out of balance, with what the DSO noted.
fn check(liar: Option<(usize, i64)>, expected: &[&str]) {
    let plan = Plan { sites_each: 2, ..WIDE };
    let day = Day { plan, faults: GOOD, intervals: 3, silent_every: 0, wholesale: false };
    let genesis = world::genesis(plan);
    let flowed = Flowed::default();
    let buses: BTreeMap<_, _> =
        genesis.participants.iter().filter_map(|p| Some((p.party.clone(), p.bus.clone()?))).collect();
    let mut cast = |household: Household, place: usize| -> Box<dyn Play> {
        let permille = liar.filter(|(at, _)| *at == place).map_or(1_000, |(_, permille)| permille);
        let bus = buses[&household.party].clone();
        Box::new(Metered { household, bus, permille, flowed: flowed.clone() })
    };
    let played = check_played(day, set_up_with(day, 21, genesis.clone(), &mut cast));
    let mut core = DsoCore::new(Chain::new(&genesis).unwrap(), 1_000).unwrap().measuring(Accuracy::default());
    let now = Now { market: world::FIRST.start(), real_ms: 0 };
    let mut effects = core.step(now, Input::Poll);
    assert!(effects.contains_listen(), "the measurements are asked for");
    let at = |interval, bus: &str| flowed.borrow().get(&(interval, bus.to_owned())).copied().unwrap_or(0);
    let intervals: Vec<Interval> =
        (0..3).map(|count| world::FIRST.later(count, parameters().interval_s)).collect();
    let mut measured = Vec::new();
    for interval in &intervals {
        let (b2, b3) = (at(*interval, "b2"), at(*interval, "b3"));
        for (point, energy) in [(HEAD, b2 + b3), ("line2", b2), ("line3", b3)] {
            measured.push(Measured {
                interval: *interval,
                point: point.to_owned(),
                energy: Millijoule(energy),
            });
        }
    }
    effects.extend(core.step(now, Input::Own(DsoReport::Measured(measured))));
    let validator = party(Role::Validator, "v1");
    for (sequence, block) in (1..).zip(&played.assembly.borrow().decided) {
        let message = Incoming {
            id: MessageRef { sender: validator.clone(), boot: 1, sequence },
            interval: world::FIRST,
            body: Body::Block(block.encode().unwrap().into()),
            raw: SignedEnvelope { topic: String::new(), bytes: Vec::new().into() },
        };
        effects.extend(core.step(now, Input::Message(message)));
    }
    let balances: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Own(DsoAct::Measure(Measurement::Balance(balance))) => Some(balance),
            _ => None,
        })
        .collect();
    assert_eq!(balances.len(), 3, "one of each interval");
    let notes: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Note { event: "imbalance", text } => Some(text),
            _ => None,
        })
        .collect();
    let mut points: Vec<&str> = balances
        .iter()
        .flat_map(|balance| balance.out_of_balance().map(|(point, _, _)| point.as_str()))
        .collect();
    points.dedup();
    assert_eq!(points, expected, "{notes:#?}");
    assert!(notes.iter().all(|text| expected.iter().any(|point| text.contains(point))), "{notes:#?}");
    assert_eq!(notes.is_empty(), expected.is_empty());
}

trait ContainsListen {
    fn contains_listen(&self) -> bool;
}

impl ContainsListen for Vec<Effect<DsoAct>> {
    fn contains_listen(&self) -> bool {
        self.iter().any(|effect| matches!(effect, Effect::Own(DsoAct::Listen)))
    }
}

// Sites 0 and 1 are at b2, behind line2; 2 and 3 at b3, behind line3.
#[test]
fn a_meter_that_lies_shows_in_its_branch_and_honest_ones_nowhere() {
    check(None, &[]);
    check(Some((1, 300)), &["line2"]);
    check(Some((2, -500)), &["line3"]);
}
