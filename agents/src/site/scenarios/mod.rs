//! The site's core through whole intervals, as tables of what happens and what it does about it.
//!
//! The site has a battery (10 kWh, 4 kW, half full, lossless) and PV (2 kW available), a base load of
//! 500 W and 9 kW at its connection. The forecast is 50 EUR/MWh throughout, so the battery is worth 50.

mod bids;
mod day_ahead;
mod judging;
mod keeping;
mod readings;
mod shown;
mod turning;
mod world;

use super::act::{SiteAction, SiteReport};
use super::core::{SiteConfig, SiteCore};
use super::figure::Figure;
use super::journal::Kept;
use super::schedule::Setpoint;
use super::tag::About;
use crate::chain::Chain;
use crate::core::{Effect, Incoming, Input, Now, RoleCore};
use crate::device::preferences::{BatteryPreferences, GeneratorPreferences, Preferences};
use crate::device::Reading;
use crate::site::day_ahead::Setting;
use hw_adapters::device::{BatteryState, GeneratorState, MeterState};
use market::interval::{Interval, UnixSeconds};
use market::units::{Millijoule, Milliwatt, PicoEurPerWh};
use wire::entry::SignedEnvelope;
use wire::message::{Bid, Body, Forecast, ForecastPrice, MessageRef, Verdict};
use wire::party::{PartyId, Role};
use world::{Forgery, World};

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Happens {
    /// It is this market time, in seconds.
    At(i64),
    /// Meter and devices answer for the bid for the interval at this time.
    AllRead(i64),
    /// Meter and devices answer for the day-ahead session from this time on.
    AheadRead(i64),
    /// As before, but the battery doesn't answer.
    BatterySilent(i64),
    /// As before, but the meter doesn't.
    MeterSilent(i64),
    /// The meter answers at the boundary: so many watt-hours imported so far.
    Counted(i64, i64),
    /// The meter is silent at the boundary.
    NotCounted(i64),
    /// A firm price for the interval at this time, in EUR/MWh, with so many thousandths of the step.
    Firm(i64, i64, i64),
    /// The same with something wrong.
    Forged(i64, Forgery),
    /// A firm price for the interval at this time, at 40 EUR/MWh, by the bid before the last.
    FirmByOlder(i64),
    /// The aggregator's delivery for the interval at this time is on the ledger, this site settled for so
    /// many watts, or not at all.
    Settled(i64, Option<i64>),
    /// All setpoints were taken.
    Written(i64),
    /// The battery did not take its.
    BatteryFails(i64),
    /// The last message sent is answered by the aggregator.
    Accepted,
    /// The reading of the interval at this time is acknowledged.
    Answered(i64),
    /// It is refused.
    Refused,
    /// A quarter of an hour of real time passes.
    QuarterPasses,
}

use Happens::*;

struct Site {
    core: SiteCore,
    world: World,
    now: Now,
    bid: Option<Bid>,
    older_bid: Option<Bid>,
    last_tag: u64,
    last_note: String,
    /// What it showed in metrics.
    shown: Vec<Figure>,
    /// What was given to be kept on disk.
    kept: Vec<Kept>,
}

fn interval(start: i64) -> Interval {
    Interval(UnixSeconds(start))
}

fn watts(power: Milliwatt) -> i64 {
    power.0 / 1_000
}

impl Site {
    fn new() -> Self {
        Self::with(None, vec![None; 2])
    }

    fn with(day_ahead: Option<Setting>, safe: Vec<Option<Milliwatt>>) -> Self {
        let world = World::new();
        let battery = BatteryPreferences { reserve_percent: 0.0, wear_eur_per_mwh: 0.0, efficiency: 1.0 };
        let core = SiteCore::new(SiteConfig {
            standing: world.standing(),
            parameters: world.genesis.parameters,
            day_ahead,
            chain: Chain::new(&world.genesis).unwrap(),
            devices: vec![
                ("battery".into(), Preferences::Battery(battery)),
                ("pv".into(), Preferences::Generator(GeneratorPreferences::default())),
            ],
            safe,
            tariff: None,
            horizon: 96,
            patience: 2,
        });
        let mut site = Self {
            core,
            world,
            now: Now::default(),
            bid: None,
            older_bid: None,
            last_tag: 0,
            last_note: String::new(),
            shown: Vec::new(),
            kept: Vec::new(),
        };
        let prices = (0..200)
            .map(|n| ForecastPrice { interval: interval(900 * n), price: PicoEurPerWh(50_000_000) })
            .collect();
        let forecast = Body::Forecast(Forecast { prices });
        let out = site.core.step(Now::default(), site.message(Role::Tso, forecast));
        assert_eq!(out, [Effect::Own(SiteAction::ReadMeter { boundary: interval(0) })]);
        site
    }

    fn message(&self, role: Role, body: Body) -> Input<SiteReport> {
        let sender = PartyId::new(role, "x".parse().unwrap());
        let raw = SignedEnvelope { topic: String::new(), bytes: Default::default() };
        let id = MessageRef { sender, boot: 1, sequence: 1 };
        Input::Message(Incoming { id, interval: Interval::default(), body, raw })
    }

    fn all_read(&self, start: i64, meter_answers: bool, battery_answers: bool) -> Input<SiteReport> {
        let battery = BatteryState {
            power: Milliwatt::ZERO,
            stored: Millijoule::from_wh(5_000.0).unwrap(),
            capacity: Millijoule::from_wh(10_000.0).unwrap(),
            charge_max: Milliwatt(4_000_000),
            discharge_max: Milliwatt(4_000_000),
        };
        let pv = GeneratorState {
            power: Milliwatt(-2_000_000),
            available: Some(Milliwatt(-2_000_000)),
            nameplate: Milliwatt(5_000_000),
            reactive_max: None,
        };
        let silent = || "no answer".to_owned();
        Input::Own(SiteReport::AllRead {
            interval: interval(start),
            meter: meter_answers.then(|| counters(0)).ok_or_else(silent),
            devices: vec![
                battery_answers.then_some(Reading::Battery(battery)).ok_or_else(silent),
                Ok(Reading::Generator(pv)),
            ],
        })
    }

    fn input(&mut self, happens: Happens) -> Input<SiteReport> {
        match happens {
            At(time) => {
                self.now.market = UnixSeconds(time);
                Input::Poll
            }
            QuarterPasses => {
                self.now.real_ms += 900_000;
                Input::Poll
            }
            AllRead(start) => self.all_read(start, true, true),
            AheadRead(start) => match self.all_read(start, true, true) {
                Input::Own(SiteReport::AllRead { interval, meter, devices }) => {
                    Input::Own(SiteReport::AheadRead { session: interval, meter, devices })
                }
                other => other,
            },
            BatterySilent(start) => self.all_read(start, true, false),
            MeterSilent(start) => self.all_read(start, false, true),
            Counted(boundary, energy_wh) => Input::Own(SiteReport::MeterRead {
                boundary: interval(boundary),
                meter: Ok(counters(energy_wh)),
            }),
            NotCounted(boundary) => Input::Own(SiteReport::MeterRead {
                boundary: interval(boundary),
                meter: Err("no answer".into()),
            }),
            Firm(start, price, served) => self.firm(start, price, served, Forgery::None),
            Forged(start, forgery) => self.firm(start, 50, 500, forgery),
            FirmByOlder(start) => {
                self.bid = self.older_bid.take();
                self.firm(start, 40, 0, Forgery::None)
            }
            Settled(start, watts) => {
                let commitment = watts.map(|watts| Milliwatt(watts * 1_000));
                self.message(Role::Validator, self.world.settled(start, commitment))
            }
            Written(start) => written(start, Ok(())),
            BatteryFails(start) => written(start, Err("no answer".into())),
            Accepted => self.answer(Verdict::Accepted),
            Answered(start) => {
                let by = self.world.standing().aggregator;
                Input::Answered { tag: About::Reading.tag(interval(start)), by, verdict: Verdict::Accepted }
            }
            Refused => self.answer(Verdict::Refused("too late".into())),
        }
    }

    fn firm(&self, start: i64, price: i64, served: i64, forgery: Forgery) -> Input<SiteReport> {
        let bid = self.bid.as_ref().expect("a bid before a firm price");
        let price = PicoEurPerWh(price * 1_000_000);
        self.message(
            Role::Aggregator,
            Body::Firm(Box::new(self.world.firm(bid, start, price, served, forgery))),
        )
    }

    fn answer(&self, verdict: Verdict) -> Input<SiteReport> {
        let by = self.world.standing().aggregator;
        Input::Answered { tag: self.last_tag, by, verdict }
    }

    fn step(&mut self, happens: Happens) -> Vec<String> {
        let input = self.input(happens);
        let mut effects = self.core.step(self.now, input);
        let mut said = Vec::new();
        while !effects.is_empty() {
            let keep = |effect: &Effect<SiteAction>| matches!(effect, Effect::Own(SiteAction::Keep { .. }));
            let (keeps, others): (Vec<_>, Vec<_>) = effects.into_iter().partition(keep);
            said.extend(self.perform_all(others));
            effects = Vec::new();
            for keep in keeps {
                if let Effect::Own(SiteAction::Keep { records }) = keep {
                    self.kept.extend(records);
                    effects.extend(self.core.step(self.now, Input::Own(SiteReport::Kept)));
                }
            }
        }
        said
    }

    fn perform(&mut self, effect: Effect<SiteAction>) -> String {
        match effect {
            Effect::Send { body, tag, .. } => {
                self.last_tag = tag;
                self.say(body, tag)
            }
            Effect::Acknowledge { verdict: Verdict::Accepted, .. } => "accept".into(),
            Effect::Acknowledge { verdict: Verdict::Refused(_), .. } => "refuse".into(),
            Effect::Note { event, text } => {
                self.last_note = text;
                format!("note {event}")
            }
            Effect::Own(SiteAction::Keep { .. }) => "keep".into(),
            Effect::Own(SiteAction::ReadAll { interval }) => format!("read all for {}", interval.start().0),
            Effect::Own(SiteAction::ReadAhead { session }) => {
                format!("read for the day ahead from {}", session.start().0)
            }
            Effect::Own(SiteAction::Show(figure)) => format!("show {figure:?}"),
            Effect::Own(SiteAction::Judge { interval }) => format!("judge {}", interval.start().0),
            Effect::Own(SiteAction::ReadMeter { boundary }) => {
                format!("read meter at {}", boundary.start().0)
            }
            Effect::Own(SiteAction::Write { setpoints, .. }) => {
                let word = |(place, setpoint): &(usize, Setpoint)| match setpoint {
                    Setpoint::Reactive(reactive) => format!(" {place}={} var", reactive.0 / 1_000),
                    Setpoint::Power(power) => format!(" {place}={}", watts(*power)),
                    Setpoint::OwnDefault => format!(" {place}=free"),
                };
                format!("write{}", setpoints.iter().map(word).collect::<String>())
            }
        }
    }

    fn say(&mut self, body: Body, tag: u64) -> String {
        match body {
            Body::Bid(bid) => {
                self.core.sent(tag, &self.world.seal_bid(&bid));
                let reading =
                    bid.reading.map_or(String::new(), |r| format!(" with {} Wh", r.energy.0 / 3_600_000));
                let said = format!(
                    "bid {}..{}{reading}",
                    watts(bid.curve.power_min()),
                    watts(bid.curve.power_max())
                );
                self.older_bid = self.bid.replace(bid);
                said
            }
            Body::DayAheadBid(bid) => {
                let (curves, storages, stays) = (bid.curves.len(), bid.storages.len(), bid.deferrables.len());
                format!("offer {curves} curves, {storages} stores, {stays} stays")
            }
            Body::MeterReading(reading) => {
                format!("reading of {}: {} Wh", reading.interval.start().0, reading.energy.0 / 3_600_000)
            }
            Body::SetpointReport(report) => {
                let committed = report.commitment.map_or("no".into(), |power| watts(power).to_string());
                let faults: Vec<&str> = report.faults.iter().map(|fault| fault.device.as_str()).collect();
                format!("report {committed}, {} confirmed {}", report.confirmed, faults.join(" "))
                    .trim_end()
                    .into()
            }
            other => panic!("a site does not say {}", other.kind()),
        }
    }
}

fn counters(energy_wh: i64) -> MeterState {
    MeterState {
        power: Milliwatt(-1_500_000),
        imported: Millijoule(energy_wh * 3_600_000),
        exported: Millijoule::ZERO,
    }
}

fn written(start: i64, battery: Result<(), String>) -> Input<SiteReport> {
    let outcomes = vec![(0, battery), (1, Ok(()))];
    Input::Own(SiteReport::Written { interval: interval(start), outcomes })
}

/// Plays a table on a new site.
fn check(table: &[(Happens, &[&str])]) {
    play(Site::new(), table);
}

fn play(mut site: Site, table: &[(Happens, &[&str])]) {
    for (row, (happens, expected)) in table.iter().enumerate() {
        assert_eq!(site.step(*happens), *expected, "row {row}: {happens:?}");
    }
}

const BID: &str = "bid -6000..4500";
/// What a site with its bid for 900 in has seen.
const BIDDING: [(Happens, &[&str]); 4] = [
    (Counted(0, 1_000), &["note no-reading"]),
    (At(299), &[]),
    (At(300), &["read all for 900"]),
    (AllRead(900), &[BID]),
];

/// An interval begins without a firm price, and nothing was ever ordered.
const UNPRICED: [&str; 3] = ["read meter at 900", "note no-firm-price", "report no, 0 confirmed"];

fn after_bidding(rows: &[(Happens, &'static [&'static str])]) {
    check(&[&BIDDING[..], rows].concat());
}

#[test]
fn an_interval_from_reading_to_metering() {
    after_bidding(&[
        (Accepted, &[]),
        // The battery is worth 50: at exactly 50, half of its 8 kW step is charging and discharging by zero.
        (Firm(900, 50, 500), &["note firm", "accept"]),
        (At(900), &["read meter at 900", "write 0=0 1=free"]),
        (Counted(900, 1_250), &["reading of 0: 250 Wh"]),
        (Accepted, &[]),
        (Written(900), &["report -1500, 2 confirmed"]),
        (Accepted, &[]),
        (At(1_200), &["judge 900", "read all for 1800"]),
        (AllRead(1_800), &["bid -6000..4500 with 250 Wh"]),
        (Firm(1_800, 40, 0), &["note firm", "accept"]),
        (At(1_800), &["read meter at 1800", "write 0=4000 1=free"]),
        (Counted(1_800, 1_240), &["note no-reading"]),
        (Written(1_800), &["report 2500, 2 confirmed"]),
    ]);
}

#[test]
fn a_silent_device_is_left_out_and_comes_back_by_itself() {
    check(&[
        (Counted(0, 0), &["note no-reading"]),
        (At(300), &["read all for 900"]),
        (BatterySilent(900), &["note device-left-out", "bid -2000..500"]),
        (Firm(900, 50, 0), &["note firm", "accept"]),
        (At(900), &["read meter at 900", "write 1=free"]),
        (At(1_200), &["read all for 1800"]),
        (AllRead(1_800), &[BID]),
    ]);
}

#[test]
fn a_meter_that_is_silent_twice_running_is_lost_and_nothing_is_bid() {
    after_bidding(&[
        (At(900), &["read meter at 900", "note no-firm-price", "report no, 0 confirmed"]),
        (NotCounted(900), &["note meter-fault"]),
        (At(1_200), &["read all for 1800"]),
        (MeterSilent(1_800), &["note meter-lost", "note meter-fault", "note no-bid"]),
        (At(1_800), &["read meter at 1800", "note no-firm-price", "report no, 0 confirmed"]),
        (Counted(1_800, 2_000), &["note meter-back", "note no-reading"]),
        (At(2_700), &["read meter at 2700", "note no-firm-price", "report no, 0 confirmed"]),
    ]);
}

#[test]
fn a_setpoint_not_taken_is_reported() {
    after_bidding(&[
        (Firm(900, 40, 0), &["note firm", "accept"]),
        (At(900), &["read meter at 900", "write 0=4000 1=free"]),
        (BatteryFails(900), &["note device-fault", "report 2500, 1 confirmed battery"]),
    ]);
}

#[test]
fn without_a_firm_price_the_last_schedule_stands_for_two_intervals() {
    after_bidding(&[
        (Firm(900, 40, 0), &["note firm", "accept"]),
        (At(900), &["read meter at 900", "write 0=4000 1=free"]),
        (At(1_800), &["read meter at 1800", "note no-firm-price", "write 0=4000 1=free"]),
        (Written(1_800), &["report no, 2 confirmed"]),
        (At(2_700), &["read meter at 2700", "note no-firm-price", "write 0=4000 1=free"]),
        (At(3_600), &["read meter at 3600", "note no-firm-price", "note released", "write 0=free 1=free"]),
        (At(4_500), &["read meter at 4500", "note no-firm-price", "report no, 0 confirmed"]),
    ]);
}

#[test]
fn forged_firm_prices_are_refused_for_what_is_wrong_and_nothing_is_written_by_them() {
    let check = |forgery, reason: &str| {
        let mut site = Site::new();
        for (happens, expected) in BIDDING {
            assert_eq!(site.step(happens), expected);
        }
        assert_eq!(site.step(Forged(900, forgery)), ["note firm-refused", "refuse"], "{forgery:?}");
        assert!(site.last_note.contains(reason), "{forgery:?}: {}", site.last_note);
        let unwritten = ["read meter at 900", "note no-firm-price", "report no, 0 confirmed"];
        assert_eq!(site.step(At(900)), unwritten, "{forgery:?}");
    };
    check(Forgery::TwoVotes, "2 of 4 validators");
    check(Forgery::AllocationTold, "lies under the aggregator's root");
    check(Forgery::AllocationRooted, "not within our demand");
    check(Forgery::ShareRooted, "not our marginal share");
    check(Forgery::PriceTold, "not the one decided");
    check(Forgery::OtherInterval, "no clearing of");
    check(Forgery::BidsFixed, "the root that the aggregator fixed");
    check(Forgery::BidPathTold, "the root that the aggregator fixed");
    check(Forgery::PartsTold, "do not follow from the clearing");
    // The same world without a forgery is believed.
    after_bidding(&[(Forged(900, Forgery::None), &["note firm", "accept"])]);
}

#[test]
fn a_late_firm_price_still_holds_for_the_rest_of_its_interval() {
    after_bidding(&[
        (At(900), &["read meter at 900", "note no-firm-price", "report no, 0 confirmed"]),
        (Firm(900, 40, 0), &["note firm", "write 0=4000 1=free", "accept"]),
    ]);
}

#[test]
fn a_firm_price_for_an_interval_that_is_over_is_refused() {
    after_bidding(&[
        (At(1_800), &["read meter at 1800", "note no-firm-price", "report no, 0 confirmed"]),
        (Firm(900, 40, 0), &["note firm-refused", "refuse"]),
    ]);
}

#[test]
fn the_forward_bid_stands_where_the_site_could_not_bid_again() {
    after_bidding(&[
        (At(900), &["read meter at 900", "note no-firm-price", "report no, 0 confirmed"]),
        (At(1_700), &[]),
        (Firm(1_800, 40, 0), &["note firm", "accept"]),
        (At(1_800), &["read meter at 1800", "write 0=4000 1=free"]),
    ]);
}

#[test]
fn devices_read_too_late_make_no_bid() {
    check(&[
        (Counted(0, 0), &["note no-reading"]),
        (At(300), &["read all for 900"]),
        (At(781), &[]),
        (AllRead(900), &["note bid-late"]),
    ]);
}

#[test]
fn a_refused_bid_is_noted_and_the_site_goes_on() {
    after_bidding(&[
        (Refused, &["note bid-refused"]),
        (At(900), &["read meter at 900", "note no-firm-price", "report no, 0 confirmed"]),
        (At(1_200), &["read all for 1800"]),
    ]);
}
