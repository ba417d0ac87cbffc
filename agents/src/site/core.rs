//! The site controller's deciding part: when to read, what to bid, what to believe, what to write.
//! Knows no device protocol, no socket and no clock; all time is market time, which may jump.

mod bid;
mod counting;
mod day_ahead;
mod judging;
mod keeping;
mod saying;
mod trusting;
mod turning;

use super::act::{SiteAction, SiteReport};
use super::bidding::{LeftOut, OwnBid};
use super::day_ahead::desk::Desk;
use super::day_ahead::Setting;
use super::expectations::{Expectations, Occasion};
use super::figure::Figure;
use super::firm::{check_firm, in_words};
use super::holding::Holding;
use super::journal::Journal;
use super::load_history::LoadHistory;
use super::metering::Metering;
use super::obedience::Obedience;
use super::plan::{plan, Allocation, Rules};
use super::reactive::reactive_orders;
use super::schedule::{setpoint_of, Orders, Schedule, Setpoint};
use super::standing::Standing;
use super::tag::About;
use super::trust::Trust;
use super::watch::{validators_heard, Watch};
use crate::chain::Chain;
use crate::core::{Effect, Incoming, Input, Now, RoleCore};
use crate::device::base_load::Tariff;
use crate::device::ladder::PriceRange;
use crate::device::preferences::Preferences;
use crate::device::DeviceAgent;
use crate::terms::Turn;
use ledger::contracts::rules::Rules as LedgerRules;
use market::interval::{Interval, UnixSeconds};
use market::parameters::MarketParameters;
use market::units::Milliwatt;
use saying::{answer, cut, note, show};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::entry::SignedEnvelope;
use wire::hash::Hash32;
use wire::message::{Body, DeviceFault, Firm, MessageRef, SetpointReport, Verdict, MAX_FAULTS};
use wire::party::{PartyId, Role};

/// Bids kept: what an aggregator may still clear as a forward bid.
const BIDS_KEPT: usize = 8;

/// What a site's core is made with.
#[derive(Clone, Debug)]
pub struct SiteConfig {
    /// The site in the market.
    pub standing: Standing,
    /// The market's rules.
    pub parameters: MarketParameters,
    /// Its day-ahead market, where it has one.
    pub day_ahead: Option<Setting>,
    /// The ledger, as far as it was followed.
    pub chain: Chain,
    /// Each device's name and preferences.
    pub devices: Vec<(String, Preferences)>,
    /// What each is told where the meter is lost or prices are; none where it goes back to its own default at once.
    pub safe: Vec<Option<Milliwatt>>,
    /// What of the base load answers prices, where its owner has opted in.
    pub tariff: Option<Tariff>,
    /// Most intervals to look ahead.
    pub horizon: usize,
    /// After this many intervals without a firm price devices go back to their own default.
    pub patience: u32,
}

type Effects = Vec<Effect<SiteAction>>;

/// The site's core.
#[derive(Debug)]
pub struct SiteCore {
    config: SiteConfig,
    agents: Vec<DeviceAgent>,
    here: Option<Interval>,
    asked: Option<(Interval, UnixSeconds)>,
    expectations: Expectations,
    loads: LoadHistory,
    desk: Option<Desk>,
    bids: BTreeMap<Interval, OwnBid>,
    firm: BTreeMap<Interval, (Allocation, Orders)>,
    /// Readings of the meter that failed running.
    meter_failures: u32,
    schedule: Schedule,
    /// What was last written, by place.
    told: Vec<(usize, Setpoint)>,
    holding: Holding,
    obedience: Obedience,
    metering: Metering,
    trust: Trust,
    chain: Chain,
    watch: Watch,
    turn: Turn<Arc<LedgerRules>>,
    /// The standing before the present one, and the first interval that was traded by this.
    before: Option<(Interval, Standing)>,
}

impl RoleCore for SiteCore {
    type Report = SiteReport;
    type Act = SiteAction;

    fn chain(&mut self) -> Option<&mut Chain> {
        Some(&mut self.chain)
    }

    fn hears(&self) -> Vec<PartyId> {
        let validators = self.chain.rules().verifier.validators().iter();
        let validators: Vec<PartyId> =
            validators.map(|(id, _)| PartyId::new(Role::Validator, id.clone())).collect();
        validators_heard(&validators, &self.config.standing.account).into_iter().cloned().collect()
    }

    const CONFIRMS_CLOCK: bool = true;

    fn trust_clock(&mut self, sane: bool) {
        self.trust.hear(sane);
    }

    fn govern(&mut self, rules: &Arc<LedgerRules>) {
        self.turn.hear(rules.clone());
    }

    fn step(&mut self, now: Now, input: Input<SiteReport>) -> Effects {
        let mut out = Vec::new();
        self.mind_clock(now, &mut out);
        self.pass_time(now.market, &mut out);
        match input {
            Input::Poll => {}
            Input::Message(message) => self.hear(message, &mut out),
            Input::Answered { tag, verdict, .. } => self.answered(tag, verdict, &mut out),
            Input::Own(SiteReport::AllRead { interval, meter, devices }) => {
                self.bid(now.market, interval, meter, &devices, &mut out);
            }
            Input::Own(SiteReport::AheadRead { session, meter, devices }) => {
                self.offer(now.market, session, meter, &devices, &mut out);
            }
            Input::Own(SiteReport::MeterRead { boundary, meter }) => {
                self.counted(boundary, meter, &mut out);
            }
            Input::Own(SiteReport::Written { interval, outcomes }) => {
                self.took(now.market, &outcomes);
                let interval_s = self.config.parameters.interval_s;
                let repeated = self.holding.written(now.market, interval_s, &outcomes);
                self.written(interval, &outcomes, repeated, &mut out)
            }
            Input::Own(SiteReport::Judged { interval, meter, devices }) => {
                self.judged(interval, meter, &devices, &mut out);
            }
            Input::Own(SiteReport::Kept) => self.metering.saved(),
        }
        self.send_due(now.real_ms, &mut out);
        out
    }

    fn sent(&mut self, tag: u64, envelope: &SignedEnvelope) {
        match About::of(tag) {
            Some((About::Bid, interval)) => {
                if let Some(bid) = self.bids.get_mut(&interval) {
                    bid.envelope = Some(envelope.clone());
                }
            }
            Some((About::DayAheadBid, session)) => {
                if let Some(desk) = &mut self.desk {
                    desk.sent(session, envelope);
                }
            }
            _ => {}
        }
    }
}

impl SiteCore {
    /// A core that has seen nothing yet.
    pub fn new(config: SiteConfig) -> Self {
        let agents = config.devices.iter().map(|(_, wish)| DeviceAgent::new(wish.clone())).collect();
        Self {
            schedule: Schedule::new(config.patience, config.safe.clone()),
            meter_failures: 0,
            told: Vec::new(),
            holding: Holding::default(),
            obedience: Obedience::default(),
            chain: config.chain.clone(),
            watch: Watch::default(),
            turn: Turn::default(),
            before: None,
            desk: config.day_ahead.clone().map(Desk::new),
            config,
            agents,
            here: None,
            asked: None,
            expectations: Expectations::default(),
            loads: LoadHistory::default(),
            bids: BTreeMap::new(),
            firm: BTreeMap::new(),
            metering: Metering::default(),
            trust: Trust::default(),
        }
    }

    /// Goes on with what was kept of the meter before a restart.
    pub fn restore(&mut self, journal: &Journal) {
        self.metering = Metering::restored(journal);
    }

    /// Everything that is due: first the interval that has begun, then the bid for the next.
    fn pass_time(&mut self, now: UnixSeconds, out: &mut Effects) {
        let here = self.config.parameters.interval_at(now);
        if self.here.is_none_or(|before| before < here) {
            let first = self.here.replace(here).is_none();
            self.turn(here, out);
            self.count(now, here, out);
            self.watch.enter(here, self.config.parameters.interval_s);
            if !first {
                self.enter(here, out);
            }
        }
        self.look_after(now, here, out);
        let parameters = self.config.parameters;
        let next = parameters.next(here);
        let open = parameters.bids_open(next) <= now && now < parameters.gate_closure(next);
        let open = open && self.trust.is_sane();
        if open && self.asked.is_none_or(|(asked, _)| asked < next) {
            self.asked = Some((next, now));
            out.push(Effect::Own(SiteAction::ReadAll { interval: next }));
        }
        let desk = self.desk.as_mut().filter(|_| self.trust.is_sane());
        let session = desk.and_then(|desk| desk.due(&parameters, now));
        out.extend(session.map(|session| Effect::Own(SiteAction::ReadAhead { session })));
    }

    /// An interval begins: its firm price's setpoints, or what is safe without one.
    fn enter(&mut self, here: Interval, out: &mut Effects) {
        self.expectations.forget_before(here);
        if let Some(desk) = &mut self.desk {
            desk.forget_before(here, &self.config.parameters);
        }
        self.firm.retain(|interval, _| *interval >= here);
        while self.bids.len() > BIDS_KEPT {
            self.bids.pop_first();
        }
        let allocation = self.firm.get(&here).map(|(allocation, _)| *allocation);
        show(out, allocation.map_or(Figure::NoFirm, Figure::Firm));
        match self.firm.get(&here) {
            Some((_, orders)) if !self.meter_lost() => {
                let orders = orders.clone();
                return self.follow(here, orders, out);
            }
            Some(_) => {}
            None => note(out, "no-firm-price", format!("no firm price for the {here}")),
        }
        if !self.fall_back(here, out) {
            self.written(here, &[], false, out);
        }
    }

    fn follow(&mut self, here: Interval, orders: Orders, out: &mut Effects) {
        let setpoints = orders.setpoints.clone();
        self.schedule.follow(orders);
        self.write(here, setpoints, out);
    }

    fn write(&mut self, interval: Interval, setpoints: Vec<(usize, Setpoint)>, out: &mut Effects) {
        for (place, setpoint) in &setpoints {
            if let Some(agent) = self.agents.get_mut(*place) {
                match setpoint {
                    Setpoint::Power(_) | Setpoint::OwnDefault => agent.is_told(setpoint.power()),
                    Setpoint::Reactive(_) => {}
                }
            }
        }
        self.holding.ordered(&setpoints);
        self.obedience.ordered();
        self.told = setpoints.clone();
        let hold_s = self.hold_s();
        out.push(Effect::Own(SiteAction::Write { interval, setpoints, hold_s }));
    }

    fn hear(&mut self, message: Incoming, out: &mut Effects) {
        match message.body {
            Body::Forecast(forecast) => self.expectations.announce(&forecast),
            Body::QuantileForecast(forecast) => self.expectations.expect(forecast),
            Body::Firm(firm) => self.believe(message.id, &firm, out),
            Body::Block(bytes) => {
                let said = self.watch.follow(&mut self.chain, &self.config.standing, &bytes);
                said.into_iter().for_each(|(event, text)| note(out, event, text));
            }
            Body::DayAheadFirm(firm) => {
                let taken = self.take_session(&firm, out);
                let what = format!("day-ahead positions from {}", firm.session);
                answer(message.id, taken, ("day-ahead-refused", what), out);
            }
            _ => {}
        }
    }

    fn believe(&mut self, id: MessageRef, firm: &Firm, out: &mut Effects) {
        let taken = self.take_firm(firm, out);
        answer(id, taken, ("firm-refused", format!("firm price for the {}", firm.interval)), out);
    }

    fn take_firm(&mut self, firm: &Firm, out: &mut Effects) -> Result<(), String> {
        let here = self.here.unwrap_or_default();
        if firm.interval < here {
            return Err("its interval is over".to_owned());
        }
        let bids: Vec<&OwnBid> = self.bids.range(..=firm.interval).rev().map(|(_, bid)| bid).collect();
        let verifier = self.chain.verifier_for(&firm.finality);
        let (allocation, place) =
            check_firm(self.standing_for(firm.interval), verifier, firm, &bids).map_err(|e| e.to_string())?;
        if self.firm.contains_key(&firm.interval) {
            // The ledger holds one clearing of an interval and one root in it: this is the same again.
            return Ok(());
        }
        note(out, "firm", in_words(firm));
        self.watch.promised(firm.interval, allocation.power);
        self.say_held(firm.interval, &allocation, out);
        let mut orders = self.orders(firm.interval, allocation, bids[place]);
        orders.setpoints.extend(reactive_orders(bids[place], firm));
        self.firm.insert(firm.interval, (allocation, orders.clone()));
        if firm.interval == here && !self.meter_lost() {
            show(out, Figure::Late(allocation));
            // Late, but it is what is owed for the rest of the interval as well.
            self.follow(here, orders, out);
        }
        Ok(())
    }

    /// The allocation split over the devices of the bid that was cleared.
    fn orders(&self, interval: Interval, allocation: Allocation, bid: &OwnBid) -> Orders {
        let SiteConfig { standing, parameters, .. } = &self.config;
        let start = interval.start().0.to_be_bytes();
        let rules = Rules {
            range: self.price_range(),
            imbalance_spread: parameters.imbalance_spread,
            draw: Hash32::of("gridpact site draw", &[standing.account.as_str().as_bytes(), &start]),
        };
        let mut orders = Orders::default();
        let powers = plan(bid, allocation, &rules).into_iter().zip(&bid.devices).zip(&self.config.devices);
        for (place, ((power, device), (_, wish))) in powers.enumerate() {
            if let (Some(power), Some(device)) = (power, device) {
                orders.setpoints.push((place, setpoint_of(wish, power, device, allocation.export_full)));
                orders.devices_power += power;
            }
        }
        orders
    }

    fn answered(&mut self, tag: u64, verdict: Verdict, out: &mut Effects) {
        let Some((about, interval)) = About::of(tag) else { return };
        match (about, &verdict) {
            (About::Reading, _) => self.reading_answered(interval, out),
            (About::Bid, Verdict::Accepted) => {
                self.watch.bid_taken(interval);
                if let Some(bid) = self.bids.get_mut(&interval) {
                    bid.taken = true;
                }
            }
            _ => {}
        }
        if let Verdict::Refused(reason) = verdict {
            note(out, about.refused(), format!("about the {interval}: {reason}"));
        }
    }

    fn say_left_out(&self, left_out: Vec<LeftOut>, out: &mut Effects) {
        for (place, reason) in left_out {
            note(out, "device-left-out", format!("{}: {reason}", self.name(place)));
        }
    }

    fn occasion(&self, interval: Interval) -> Occasion {
        let read_at = self.asked.map_or(interval.start(), |(_, at)| at);
        Occasion { interval, read_at, horizon: self.config.horizon }
    }

    fn price_range(&self) -> PriceRange {
        let MarketParameters { price_min, price_max, .. } = self.config.parameters;
        PriceRange { min: price_min, max: price_max }
    }

    fn written(
        &mut self,
        interval: Interval,
        outcomes: &[(usize, Result<(), String>)],
        repeated: bool,
        out: &mut Effects,
    ) {
        let mut faults = Vec::new();
        for (place, outcome) in outcomes {
            if let Err(reason) = outcome {
                note(out, "device-fault", format!("{}: {reason}", self.name(*place)));
                faults.push(DeviceFault { device: cut(&self.name(*place)), reason: cut(reason) });
            }
        }
        if repeated {
            // The interval's report has gone already.
            return;
        }
        let confirmed = u32::try_from(outcomes.len() - faults.len()).unwrap_or(u32::MAX);
        faults.truncate(MAX_FAULTS);
        let commitment = self.firm.get(&interval).map(|(allocation, _)| allocation.power);
        let report = SetpointReport { interval, commitment, confirmed, faults };
        self.send(Body::SetpointReport(report), interval, About::Setpoints, out);
    }

    fn name(&self, place: usize) -> String {
        self.config.devices.get(place).map_or_else(|| format!("device {place}"), |(name, _)| name.clone())
    }

    fn send(&self, body: Body, interval: Interval, about: About, out: &mut Effects) {
        let aggregator: &PartyId = &self.config.standing.aggregator;
        out.push(Effect::Send {
            body,
            interval,
            recipient: Some(aggregator.clone()),
            acknowledged_by: vec![aggregator.clone()],
            tag: about.tag(interval),
        });
    }
}
