//! What is heard beside the ledger, where it can be: time in a simulation, rounds, positions held a day ahead, setpoints and
//! readings. None of it is believed for what the ledger says. Pure.

use super::curves::Curves;
use market::interval::{Interval, UnixSeconds};
use market::units::{Millijoule, Milliwatt};
use std::collections::BTreeMap;
use wire::envelope::Opened;
use wire::message::Body;
use wire::party::{Id, Role};

/// Intervals kept of each site.
const KEPT_INTERVALS: usize = 192;

/// What a site said of one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteWord {
    /// What it was committed to.
    pub commitment: Option<Milliwatt>,
    /// What it holds day-ahead.
    pub position: Option<Milliwatt>,
    /// What its meter counted.
    pub energy: Option<Millijoule>,
    /// Setpoints written and read back as written.
    pub confirmed: Option<u32>,
    /// Devices that did not take theirs, and why.
    pub faults: Vec<(String, String)>,
}

/// What was heard.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// A simulation's time.
    pub market_time: Option<UnixSeconds>,
    /// Demand by price.
    pub curves: Curves,
    /// Sites by name.
    pub sites: BTreeMap<Id, BTreeMap<Interval, SiteWord>>,
}

impl Heard {
    /// Takes in a message whose signature holds, in a market with intervals of this length. Whether it was news.
    pub fn hear(&mut self, message: &Opened, interval_s: i64) -> bool {
        let sender = &message.topic.sender;
        match (&message.body, &message.topic.recipient) {
            (Body::Tick(tick), _) => self.market_time = Some(tick.now),
            (Body::PriceQuestion(question), Some(aggregator)) => self.curves.ask(&aggregator.id, question),
            (Body::Demand(demand), _) => self.curves.answer(&sender.id, demand),
            (Body::SetpointReport(report), _) => {
                let word = self.word(&sender.id, report.interval);
                let faults = report.faults.iter();
                word.commitment = report.commitment;
                word.confirmed = Some(report.confirmed);
                word.faults = faults.map(|fault| (fault.device.clone(), fault.reason.clone())).collect();
            }
            (Body::MeterReading(reading), _) => {
                self.word(&sender.id, reading.interval).energy = Some(reading.energy);
            }
            (Body::DayAheadFirm(firm), Some(site)) if site.role == Role::Site => {
                for (place, (position, _)) in firm.positions.iter().enumerate() {
                    let interval = firm.session.later(place as i64, interval_s);
                    self.word(&site.id, interval).position = Some(*position);
                }
            }
            _ => return false,
        }
        true
    }

    /// What a site said of an interval.
    pub fn of(&self, site: &Id, interval: Interval) -> Option<&SiteWord> {
        self.sites.get(site)?.get(&interval)
    }

    fn word(&mut self, site: &Id, interval: Interval) -> &mut SiteWord {
        let words = self.sites.entry(site.clone()).or_default();
        if words.len() > KEPT_INTERVALS {
            words.pop_first();
        }
        words.entry(interval).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::entry::SignedEnvelope;
    use wire::message::day_ahead::DayAheadFirm;
    use wire::message::{BidPath, DeviceFault, MessageRef, MeterReading, SetpointReport, Tick};
    use wire::topic::Topic;

    const INTERVAL_S: i64 = 900;

    fn said(topic: &str, body: Body) -> Opened {
        let topic: Topic = topic.parse().unwrap();
        Opened {
            id: MessageRef { sender: topic.sender.clone(), boot: 1, sequence: 1 },
            topic,
            epoch: 0,
            issued_ms: 7,
            expires_ms: 8,
            interval: Interval::default(),
            body,
            raw: SignedEnvelope { topic: String::new(), bytes: Vec::new().into() },
        }
    }

    fn at(place: i64) -> Interval {
        Interval::default().later(place, INTERVAL_S)
    }

    #[test]
    fn what_is_said_of_a_sites_intervals_is_put_together() {
        let mut heard = Heard::default();
        let mut check = |topic: &str, body: Body, news: bool| {
            assert_eq!(heard.hear(&said(topic, body), INTERVAL_S), news, "{topic}");
        };
        check("gridpact/v1/n/f/timekeeper/k/tick", Body::Tick(Tick { now: UnixSeconds(5) }), true);
        let reading = MeterReading { interval: at(0), energy: Millijoule(3) };
        check("gridpact/v1/n/f/site/s1/meter-reading/aggregator-a", Body::MeterReading(reading), true);
        let fault = DeviceFault { device: "pv".to_owned(), reason: "silent".to_owned() };
        let report = SetpointReport {
            interval: at(1),
            commitment: Some(Milliwatt(-4)),
            confirmed: 2,
            faults: vec![fault],
        };
        check("gridpact/v1/n/f/site/s1/setpoint-report/aggregator-a", Body::SetpointReport(report), true);
        let firm = DayAheadFirm {
            session: at(0),
            salt: Default::default(),
            bid_path: BidPath::default(),
            storages: Vec::new(),
            deferrables: Vec::new(),
            positions: vec![(Milliwatt(1), Vec::new()), (Milliwatt(2), Vec::new())],
            finality: Vec::new().into(),
        };
        let firm = Body::DayAheadFirm(Box::new(firm));
        check("gridpact/v1/n/f/aggregator/a/day-ahead-firm/site-s1", firm, true);
        check("gridpact/v1/n/f/validator/v1/block", Body::Block(Vec::new().into()), false);
        let (site, other): (Id, Id) = ("s1".parse().unwrap(), "s2".parse().unwrap());
        let first =
            SiteWord { position: Some(Milliwatt(1)), energy: Some(Millijoule(3)), ..SiteWord::default() };
        let second = SiteWord {
            position: Some(Milliwatt(2)),
            commitment: Some(Milliwatt(-4)),
            confirmed: Some(2),
            faults: vec![("pv".to_owned(), "silent".to_owned())],
            ..SiteWord::default()
        };
        assert_eq!((heard.of(&site, at(0)), heard.of(&site, at(1))), (Some(&first), Some(&second)));
        assert_eq!((heard.of(&site, at(2)), heard.of(&other, at(0))), (None, None));
        assert_eq!(heard.market_time, Some(UnixSeconds(5)));
    }
}
