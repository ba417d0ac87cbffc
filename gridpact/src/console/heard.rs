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
    /// When each validator was heard last, in milliseconds of its own clock.
    pub validators: BTreeMap<Id, u64>,
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
            (Body::Block(_), _) => {
                self.validators.insert(sender.id.clone(), message.issued_ms);
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
