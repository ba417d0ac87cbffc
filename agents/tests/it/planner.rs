//! Households that also bid day-ahead, by script: seeded curves for each interval, a battery and now and then a
//! car. In real time they are what other households are.

use crate::household::Household;
use crate::party::Play;
use crate::world::{parameters, CONNECTION};
use agents::core::{Effect, Input, Now};
use market::curve::{Breakpoint, FlexCurve};
use market::day_ahead::orders::{DeferrableOffer, StorageOffer};
use market::day_ahead::rules::DayAheadRules;
use market::interval::Interval;
use market::units::{Millijoule, Milliwatt, PicoEurPerWh};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use wire::message::day_ahead::{DayAheadBid, DayAheadFirm};
use wire::message::{Body, Verdict};
use wire::party::PartyId;

/// Day-ahead positions as they came to sites, by session.
pub type SessionFirms = Rc<RefCell<BTreeMap<(Interval, PartyId), DayAheadFirm>>>;

const KWH: i64 = 3_600_000_000;

/// A household with a plan for the day.
pub struct Planner {
    household: Household,
    rules: DayAheadRules,
    random: SmallRng,
    firms: SessionFirms,
    bid_for: Option<Interval>,
    /// It bids for no session.
    silent: bool,
}

impl Planner {
    pub fn new(
        household: Household,
        rules: DayAheadRules,
        firms: SessionFirms,
        silent: bool,
        seed: u64,
    ) -> Self {
        let random = SmallRng::seed_from_u64(seed ^ 0xda7);
        Self { household, rules, random, firms, bid_for: None, silent }
    }

    /// Three corners or fewer, within two fifths of the connection: the rest is the orders'. Dear enough it takes
    /// nothing and cheap enough it gives nothing.
    fn curve(&mut self) -> FlexCurve {
        let bound = CONNECTION.0 * 2 / 5;
        let mut prices: Vec<i64> =
            (0..4).map(|_| self.random.random_range(-20_000_000..200_000_000)).collect();
        prices.sort_unstable();
        let most = self.random.random_range(0..=bound);
        let least = self.random.random_range(-bound / 2..=0);
        let middle = self.random.random_range(least..=most);
        let powers = [most, middle, middle, least];
        let corner = |(price, power)| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
        FlexCurve::new(prices.into_iter().zip(powers).map(corner).collect()).unwrap()
    }

    fn battery(&mut self) -> StorageOffer {
        let energy_start = Millijoule(self.random.random_range(0..=5 * KWH));
        StorageOffer {
            charge_max: Milliwatt(CONNECTION.0 * 3 / 10),
            discharge_max: Milliwatt(CONNECTION.0 * 3 / 10),
            energy_min: Millijoule::ZERO,
            energy_max: Millijoule(5 * KWH),
            energy_start,
            energy_end_min: Millijoule(energy_start.0 / 2),
            charge_efficiency_ppm: 950_000,
            discharge_efficiency_ppm: 930_000,
            wear: PicoEurPerWh(self.random.random_range(1_000_000..10_000_000)),
        }
    }

    fn car(&mut self) -> DeferrableOffer {
        let start = self.random.random_range(0..self.rules.intervals - 1);
        let energy = Millijoule(self.random.random_range(KWH / 20..KWH / 4));
        let power_max = Milliwatt(CONNECTION.0 * 3 / 10);
        DeferrableOffer { energy, power_max, start, end: self.rules.intervals }
    }

    fn on_time(&mut self, now: Now) -> Option<Effect<Infallible>> {
        let parameters = parameters();
        let current = self.rules.session_of(&parameters, parameters.interval_at(now.market));
        let session = self.rules.next(&parameters, current);
        let open =
            self.rules.bids_open(session) <= now.market && now.market < self.rules.gate_closure(session);
        if !open || self.bid_for >= Some(session) {
            return None;
        }
        self.bid_for = Some(session);
        if self.silent {
            return None;
        }
        let curves = (0..self.rules.intervals).map(|_| self.curve()).collect();
        let storages = vec![self.battery()];
        let deferrables = if self.random.random_range(0..3) == 0 { vec![self.car()] } else { Vec::new() };
        let aggregator = self.household.aggregator.clone();
        Some(Effect::Send {
            body: Body::DayAheadBid(DayAheadBid { session, curves, storages, deferrables }),
            interval: session,
            recipient: Some(aggregator.clone()),
            acknowledged_by: vec![aggregator],
            tag: 0,
        })
    }
}

impl Play for Planner {
    fn step(&mut self, now: Now, input: Input<Infallible>) -> Vec<Effect<Infallible>> {
        match input {
            Input::Poll => {
                let bid = self.on_time(now);
                bid.into_iter().chain(self.household.step(now, Input::Poll)).collect()
            }
            Input::Message(message) => match message.body {
                Body::DayAheadFirm(firm) => {
                    self.firms.borrow_mut().insert((firm.session, self.household.party.clone()), *firm);
                    vec![Effect::Acknowledge { of: message.id, verdict: Verdict::Accepted }]
                }
                _ => self.household.step(now, Input::Message(message)),
            },
            other => self.household.step(now, other),
        }
    }
}
