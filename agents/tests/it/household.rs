//! Sites by script: they bid seeded curves, follow their firm price, and read a meter that is a little off.
//! The site's own core has its tests beside it; here it is the aggregator's counterpart.

use crate::party::Play;
use crate::world::{parameters, party, CONNECTION};
use agents::core::{Effect, Input, Now};
use market::curve::{Breakpoint, FlexCurve};
use market::interval::Interval;
use market::units::{Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::rc::Rc;
use wire::message::{Bid, Body, Firm, MeterReading, SetpointReport, Verdict};
use wire::party::{PartyId, Role};

/// Firm prices as they came to sites.
pub type Firms = Rc<RefCell<BTreeMap<(Interval, PartyId), Firm>>>;

pub struct Household {
    pub party: PartyId,
    pub aggregator: PartyId,
    random: SmallRng,
    firms: Firms,
    first: Option<Interval>,
    bid_for: Option<Interval>,
    set_for: Option<Interval>,
    /// It does not bid in one interval of so many; zero for never.
    silent_every: u32,
    bids: u32,
    /// Reactive power it offers, in millivars.
    pub reactive_range: i64,
}

impl Household {
    pub fn new(party_: PartyId, aggregator: &str, firms: Firms, silent_every: u32, seed: u64) -> Self {
        Self {
            party: party_,
            aggregator: party(Role::Aggregator, aggregator),
            random: SmallRng::seed_from_u64(seed),
            firms,
            first: None,
            bid_for: None,
            set_for: None,
            silent_every,
            bids: 0,
            reactive_range: 0,
        }
    }

    /// Steps and slopes, from a battery's worth of export to a charger's worth of import. Dear enough it
    /// takes nothing and cheap enough it gives nothing, so that every limit can be kept.
    fn curve(&mut self) -> FlexCurve {
        let corners = self.random.random_range(2..=8);
        let mut prices: Vec<i64> =
            (0..corners).map(|_| self.random.random_range(-50_000_000..300_000_000)).collect();
        let mut powers: Vec<i64> =
            (0..corners).map(|_| self.random.random_range(-CONNECTION.0 / 2..=CONNECTION.0)).collect();
        prices.sort_unstable();
        powers.sort_unstable_by(|a, b| b.cmp(a));
        powers[0] = powers[0].max(0);
        powers[corners - 1] = powers[corners - 1].min(0);
        let corner = |(price, power)| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
        FlexCurve::new(prices.into_iter().zip(powers).map(corner).collect()).unwrap()
    }

    fn say(&self, interval: Interval, body: Body) -> Effect<Infallible> {
        Effect::Send {
            body,
            interval,
            recipient: Some(self.aggregator.clone()),
            acknowledged_by: vec![self.aggregator.clone()],
            tag: 0,
        }
    }

    fn on_time(&mut self, now: Now) -> Vec<Effect<Infallible>> {
        let parameters = parameters();
        let here = parameters.interval_at(now.market);
        let next = parameters.next(here);
        let mut effects = Vec::new();
        if now.market >= parameters.bids_open(next) && self.bid_for < Some(next) {
            self.bid_for = Some(next);
            self.first.get_or_insert(next);
            self.bids += 1;
            let silent = self.silent_every > 0 && self.bids.is_multiple_of(self.silent_every);
            if !silent {
                let reactive_range = Millivar(self.reactive_range);
                let bid =
                    Bid { interval: next, curve: self.curve(), forward: true, reading: None, reactive_range };
                effects.push(self.say(next, Body::Bid(bid)));
            }
        }
        if self.first.is_some_and(|first| first <= here) && self.set_for < Some(here) {
            let ended = self.set_for.replace(here);
            effects.extend(ended.map(|ended| self.read(ended)));
            let firm = self.firms.borrow().get(&(here, self.party.clone())).map(|firm| firm.allocation);
            let report =
                SetpointReport { interval: here, commitment: firm, confirmed: 1, faults: Vec::new() };
            effects.push(self.say(here, Body::SetpointReport(report)));
        }
        effects
    }

    fn read(&mut self, ended: Interval) -> Effect<Infallible> {
        let committed = self.firms.borrow().get(&(ended, self.party.clone())).map(|firm| firm.allocation);
        let energy = committed.unwrap_or_default().over_seconds(parameters().interval_s);
        let energy = Millijoule(energy.0 + self.random.random_range(-3_600_000..=3_600_000));
        self.say(ended, Body::MeterReading(MeterReading { interval: ended, energy }))
    }
}

impl Play for Household {
    fn step(&mut self, now: Now, input: Input<Infallible>) -> Vec<Effect<Infallible>> {
        match input {
            Input::Poll => self.on_time(now),
            Input::Message(message) => match message.body {
                Body::Firm(firm) => {
                    self.firms.borrow_mut().insert((firm.interval, self.party.clone()), *firm);
                    vec![Effect::Acknowledge { of: message.id, verdict: Verdict::Accepted }]
                }
                other => panic!("a site was sent {}", other.kind()),
            },
            Input::Answered { verdict: Verdict::Refused(reason), .. } => {
                vec![Effect::Note { event: "site-refused", text: reason }]
            }
            _ => Vec::new(),
        }
    }
}
