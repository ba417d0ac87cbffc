//! The DSO's own meters against its customers': what deliveries on the ledger say of each interval is held against what
//! was measured at the head of the feeder and on its lines (`market::balance`). What is out of balance is told of; what
//! is owed stays as the ledger has it, for energy can't say whose meter it was.

use ledger::contracts::rules::Rules;
use market::balance::{sections, Accuracy, Metered, Point, Section};
use market::feeder::{Feeder, Tree};
use market::interval::Interval;
use market::units::Millijoule;
use std::collections::BTreeMap;
use std::fmt;
use wire::entry::DeliveryEntry;
use wire::party::Id;

/// The word for the grid supply point in what is measured.
pub const HEAD: &str = "head";
/// Intervals for which measurements or deliveries wait for each other: two days of quarter hours.
const KEPT: usize = 192;

/// What the operator measured at one point over one interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The interval.
    pub interval: Interval,
    /// [`HEAD`], or the name of a line: at its upper end.
    pub point: String,
    /// Energy that flowed away from the grid supply point.
    pub energy: Millijoule,
}

/// An interval's balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The interval.
    pub interval: Interval,
    /// Each section with the name of its point and the names of its buses.
    pub sections: Vec<(String, Vec<String>, Section)>,
}

impl Balance {
    /// Sections in which a meter must be wrong.
    pub fn out_of_balance(&self) -> impl Iterator<Item = &(String, Vec<String>, Section)> {
        self.sections.iter().filter(|(_, _, section)| section.is_out_of_balance() == Some(true))
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.interval)?;
        for (point, buses, section) in self.out_of_balance() {
            let Section { measured, metered, losses, bound, .. } = section;
            let shown = 8.min(buses.len());
            let more = if buses.len() > shown { ", ..." } else { "" };
            write!(
                f,
                "; behind {point} (buses {}{more}): {:.3} kWh flowed in, meters say {:.3} and lines lost {:.3}: {:.3} kWh \
                 nobody accounts for, and {:.3} can be inexact",
                buses[..shown].join(", "),
                measured.kwh(),
                metered.kwh(),
                losses.kwh(),
                section.missing().kwh(),
                bound.kwh(),
            )?;
        }
        Ok(())
    }
}

/// What is known of intervals whose balance is still to be drawn.
#[derive(Debug, Default)]
pub(super) struct Desk {
    accuracy: Accuracy,
    measured: BTreeMap<Interval, BTreeMap<String, Millijoule>>,
    /// By interval, what each aggregator's delivery says of each bus.
    metered: BTreeMap<Interval, BTreeMap<Id, BTreeMap<u32, Metered>>>,
}

impl Desk {
    pub fn with(accuracy: Accuracy) -> Self {
        Self { accuracy, ..Self::default() }
    }

    /// A delivery is on the ledger, under these rules.
    pub fn delivered(&mut self, rules: &Rules, aggregator: &Id, delivery: &DeliveryEntry) {
        let mut buses: BTreeMap<u32, Metered> = BTreeMap::new();
        for site in &delivery.sites {
            if let Some(rule) = rules.sites.get(&site.account) {
                buses.entry(rule.bus).or_default().add(site.energy);
            }
        }
        self.metered.entry(delivery.interval).or_default().insert(aggregator.clone(), buses);
        keep_last(&mut self.metered);
    }

    /// Something was measured. The same point's later word on an interval replaces the earlier.
    pub fn measured(&mut self, measured: Measured) {
        let Measured { interval, point, energy } = measured;
        self.measured.entry(interval).or_default().insert(point, energy);
        keep_last(&mut self.measured);
    }

    /// Balances that can be drawn now: of intervals that were measured and that each of so many aggregators delivered.
    /// Where points are named that the feeder does not have, their names.
    pub fn draw(
        &mut self,
        (feeder, tree): (&Feeder, &Tree),
        (aggregators, interval_s): (usize, i64),
    ) -> Vec<Result<Balance, String>> {
        let complete =
            |interval: &&Interval| self.metered.get(interval).is_some_and(|by| by.len() >= aggregators);
        let ready: Vec<Interval> = self.measured.keys().filter(complete).copied().collect();
        let mut drawn = Vec::new();
        for interval in ready {
            let Some((measured, by)) = self.measured.remove(&interval).zip(self.metered.remove(&interval))
            else {
                continue;
            };
            let mut metered = vec![Metered::default(); feeder.buses.len()];
            for (bus, of) in by.values().flatten() {
                if let Some(at) = metered.get_mut(*bus as usize) {
                    at.net.0 = at.net.0.saturating_add(of.net.0);
                    at.gross.0 = at.gross.0.saturating_add(of.gross.0);
                    at.silent += of.silent;
                }
            }
            let mut points = BTreeMap::new();
            for (name, energy) in measured {
                match point(feeder, &name) {
                    Some(point) => drop(points.insert(point, energy)),
                    None => drawn.push(Err(format!("{name:?} is no line of the feeder"))),
                }
            }
            let sections = sections(feeder, tree, &points, &metered, (interval_s, self.accuracy));
            let named = |section: Section| {
                let buses = section.buses.iter().map(|bus| feeder.buses[*bus].clone()).collect();
                (name(feeder, section.point), buses, section)
            };
            drawn.push(Ok(Balance { interval, sections: sections.into_iter().map(named).collect() }));
        }
        drawn
    }
}

fn point(feeder: &Feeder, name: &str) -> Option<Point> {
    if name == HEAD {
        return Some(Point::Head);
    }
    feeder.lines.iter().position(|line| line.id == name).map(Point::Line)
}

fn name(feeder: &Feeder, point: Point) -> String {
    match point {
        Point::Head => HEAD.to_owned(),
        Point::Line(line) => feeder.lines.get(line).map_or_else(String::new, |line| line.id.clone()),
    }
}

fn keep_last<T>(of: &mut BTreeMap<Interval, T>) {
    while of.len() > KEPT {
        of.pop_first();
    }
}
