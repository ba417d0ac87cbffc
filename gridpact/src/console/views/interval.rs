//! Intervals: all of them in short, one of them bus by bus and site by site, and its curves.

use super::super::core::{Cleared, IntervalBook, Settled};
use super::super::exact::Exact;
use super::super::grid::micro_pu;
use super::{start, Desk};
use ledger::rights::Query;
use market::curve::Breakpoint;
use market::interval::Interval;
use market::units::Millijoule;
use serde::Serialize;
use std::collections::BTreeSet;
use wire::party::Id;

/// An interval in short.
#[derive(Serialize)]
pub struct Summary {
    /// Its start.
    pub start: String,
    /// Price at the grid supply point; none until it is cleared.
    pub import_price_pico_eur_per_wh: Option<Exact>,
    /// The lowest local price.
    pub lowest_price_pico_eur_per_wh: Option<Exact>,
    /// The highest local price.
    pub highest_price_pico_eur_per_wh: Option<Exact>,
    /// Net import cleared.
    pub import_milliwatt: Option<Exact>,
    /// Rounds it took.
    pub rounds: Option<u32>,
    /// Height of its block.
    pub height: Option<u64>,
    /// From its signature to its block's decision, in milliseconds, where that was seen here.
    pub final_after_ms: Option<u64>,
    /// What sites did; none where nothing of it is settled, or this viewer may not see it.
    pub sites: Option<Totals>,
}

/// What all sites did together.
#[derive(Serialize)]
pub struct Totals {
    /// Sites committed.
    pub sites: usize,
    /// Aggregators that signed what was cleared, and whose delivery is not on the ledger yet.
    pub awaited: usize,
    /// Sites with a reading on the ledger.
    pub readings: usize,
    /// What those were committed to.
    pub committed_millijoule: Exact,
    /// What they took.
    pub delivered_millijoule: Exact,
    /// By how much each was off, summed up.
    pub deviation_millijoule: Exact,
    /// What all received together; negative: paid.
    pub payment_nano_eur: Option<Exact>,
}

/// An interval bus by bus.
#[derive(Serialize)]
pub struct Detail {
    /// It in short.
    #[serde(flatten)]
    pub summary: Summary,
    /// The entry's place in its block.
    pub entry: Option<usize>,
    /// Every bus, in the feeder's order.
    pub buses: Vec<BusDetail>,
    /// Every line, in the feeder's order; none for who may not see flows.
    pub lines: Vec<LineDetail>,
    /// The sites this viewer may see, in order of name.
    pub sites_settled: Vec<SiteRow>,
}

/// One bus.
#[derive(Serialize)]
pub struct BusDetail {
    /// The local price.
    pub price_pico_eur_per_wh: Exact,
    /// Its parts: the grid supply point's price,
    pub energy_pico_eur_per_wh: Option<Exact>,
    /// losses,
    pub loss_pico_eur_per_wh: Option<Exact>,
    /// lines' limits,
    pub congestion_pico_eur_per_wh: Option<Exact>,
    /// and voltage.
    pub voltage_pico_eur_per_wh: Option<Exact>,
    /// What was allocated to sites there.
    pub allocation_milliwatt: Option<Exact>,
    /// The least that bids allow there at the price.
    pub least_milliwatt: Option<Exact>,
    /// The most.
    pub most_milliwatt: Option<Exact>,
    /// Voltage by AC power flow of what was cleared.
    pub voltage_micro_pu: Option<Exact>,
}

/// One line.
#[derive(Serialize)]
pub struct LineDetail {
    /// Real power cleared, away from the grid supply point.
    pub flow_milliwatt: Option<Exact>,
    /// Apparent power by AC power flow of what was cleared, in hundredths of a percent of the rating.
    pub loading_basis_points: Option<Exact>,
}

/// One site in one interval.
#[derive(Serialize)]
pub struct SiteRow {
    /// The site.
    pub site: String,
    /// Its account.
    pub account: String,
    /// What it was committed to.
    pub commitment_milliwatt: Exact,
    /// The same over the interval.
    pub committed_millijoule: Exact,
    /// What its meter counted.
    pub energy_millijoule: Option<Exact>,
    /// What it received; negative: paid.
    pub payment_nano_eur: Option<Exact>,
    /// Height of the block that settled it.
    pub height: u64,
    /// The entry's place there.
    pub entry: usize,
}

/// A point of a curve.
#[derive(Serialize)]
pub struct Point {
    /// A price.
    pub price_pico_eur_per_wh: Exact,
    /// Power at it.
    pub power_milliwatt: Exact,
}

/// Curves and where they met.
#[derive(Serialize)]
pub struct CurveView {
    /// The interval's start.
    pub start: String,
    /// The bus; none for the whole feeder.
    pub bus: Option<String>,
    /// The import's price curve, for the whole feeder.
    pub supply: Option<Vec<Point>>,
    /// Demand at the prices asked; none where the rounds were not overheard.
    pub demand: Option<Vec<Point>>,
    /// The price it cleared at: the bus's, or the grid supply point's.
    pub price_pico_eur_per_wh: Option<Exact>,
    /// What was cleared: what sites at the bus take, or the import.
    pub power_milliwatt: Option<Exact>,
    /// The least that bids allow at the local prices, as aggregators signed it.
    pub least_milliwatt: Option<Exact>,
    /// The most.
    pub most_milliwatt: Option<Exact>,
    /// What was allocated to sites.
    pub allocation_milliwatt: Option<Exact>,
}

impl Desk<'_> {
    /// Every interval that was cleared, the earliest first.
    pub fn intervals(&self) -> Vec<Summary> {
        let cleared = self.book.intervals.iter().filter(|(_, book)| book.cleared.is_some());
        cleared.map(|(interval, book)| self.summary(*interval, book)).collect()
    }

    fn summary(&self, interval: Interval, book: &IntervalBook) -> Summary {
        let (rules, cleared) = (&self.book.view.rules, book.cleared.as_ref());
        let prices = cleared.map(|cleared| &cleared.clearing.prices);
        let exact = |price: Option<&market::units::PicoEurPerWh>| price.map(|price| Exact(price.0));
        let seen = cleared.filter(|_| self.viewer.may(Query::ClearingHistory));
        let settled = self.viewer.may(Query::AnyCommitments) && !book.settled.is_empty();
        Summary {
            start: start(interval),
            import_price_pico_eur_per_wh: exact(prices.and_then(|prices| prices.get(rules.tree.order[0]))),
            lowest_price_pico_eur_per_wh: exact(prices.and_then(|prices| prices.iter().min())),
            highest_price_pico_eur_per_wh: exact(prices.and_then(|prices| prices.iter().max())),
            import_milliwatt: seen.map(|cleared| Exact(cleared.clearing.import.0)),
            rounds: seen.map(|cleared| cleared.clearing.rounds),
            height: cleared.map(|cleared| cleared.height),
            final_after_ms: cleared.and_then(|cleared| cleared.final_after_ms),
            sites: settled.then(|| totals(book, rules.parameters.interval_s)),
        }
    }

    /// One interval; none where it was not cleared.
    pub fn interval(&self, interval: Interval) -> Option<Detail> {
        let book = self.book.intervals.get(&interval)?;
        let cleared = book.cleared.as_ref()?;
        let may = self.viewer.may(Query::ClearingHistory);
        let feeder = &self.book.view.rules.feeder;
        let lines = 0..if may { feeder.lines.len() } else { 0 };
        let flow = cleared.flow.as_ref();
        let loading = |line: usize| flow.and_then(|flow| flow.lines.get(line)?.loading);
        Some(Detail {
            summary: self.summary(interval, book),
            entry: may.then_some(cleared.entry),
            buses: (0..feeder.buses.len()).filter_map(|bus| self.bus(cleared, bus)).collect(),
            lines: lines
                .map(|line| LineDetail {
                    flow_milliwatt: cleared.clearing.flows.get(line).map(|flow| Exact(flow.0)),
                    loading_basis_points: loading(line).map(|part| Exact((part * 1e4).round() as i64)),
                })
                .collect(),
            sites_settled: self.rows(book),
        })
    }

    fn bus(&self, cleared: &Cleared, bus: usize) -> Option<BusDetail> {
        let name = self.book.view.rules.feeder.buses.get(bus)?;
        let may = self.viewer.may(Query::ClearingHistory);
        let parts = cleared.parts.as_ref().and_then(|parts| parts.get(bus)).map(|parts| parts.real);
        // What aggregators signed stands in entries, and not in clearings.
        let [least, most, allocation] = self.signed(cleared, Some(name));
        let voltage = cleared.flow.as_ref().and_then(|flow| flow.voltages_pu.get(bus));
        Some(BusDetail {
            price_pico_eur_per_wh: Exact(cleared.clearing.prices.get(bus)?.0),
            energy_pico_eur_per_wh: parts.map(|parts| Exact(parts.energy.0)),
            loss_pico_eur_per_wh: parts.map(|parts| Exact(parts.loss.0)),
            congestion_pico_eur_per_wh: parts.map(|parts| Exact(parts.congestion.0)),
            voltage_pico_eur_per_wh: parts.map(|parts| Exact(parts.voltage.0)),
            allocation_milliwatt: allocation,
            least_milliwatt: least,
            most_milliwatt: most,
            voltage_micro_pu: voltage.filter(|_| may).map(|voltage| Exact(micro_pu(*voltage))),
        })
    }

    /// Least, most and allocated of what aggregators signed at one bus, or at all.
    fn signed(&self, cleared: &Cleared, bus: Option<&str>) -> [Option<Exact>; 3] {
        let of = cleared.demands.iter().filter(|demand| bus.is_none_or(|bus| bus == demand.bus));
        let sums = of.fold([0i64; 3], |[least, most, allocation], demand| {
            let add = i64::saturating_add;
            [
                add(least, demand.range.low.0),
                add(most, demand.range.high.0),
                add(allocation, demand.allocation.0),
            ]
        });
        sums.map(|sum| self.viewer.may(Query::Entries).then_some(Exact(sum)))
    }

    fn rows(&self, book: &IntervalBook) -> Vec<SiteRow> {
        let interval_s = self.book.view.rules.parameters.interval_s;
        let by_account: std::collections::BTreeMap<_, _> =
            self.sites().map(|site| (site.account, site.party.id)).collect();
        let mut rows = Vec::new();
        for Settled { height, entry, delivery, payments } in book.settled.values() {
            for site in &delivery.sites {
                let Some(name) = by_account.get(&site.account) else { continue };
                let payment = payments.as_ref().and_then(|payments| payments.get(&site.account));
                rows.push(SiteRow {
                    site: name.to_string(),
                    account: site.account.to_string(),
                    commitment_milliwatt: Exact(site.commitment.0),
                    committed_millijoule: Exact(site.commitment.over_seconds(interval_s).0),
                    energy_millijoule: site.energy.map(|energy| Exact(energy.0)),
                    payment_nano_eur: payment.map(|payment| Exact(payment.0)),
                    height: *height,
                    entry: *entry,
                });
            }
        }
        rows.sort_by(|a, b| a.site.cmp(&b.site));
        rows
    }

    /// One interval's curves, of a bus or of the whole feeder; none where it was not cleared, or may not be seen.
    pub fn curve(&self, interval: Interval, bus: Option<&str>) -> Option<CurveView> {
        let cleared = self.book.intervals.get(&interval)?.cleared.as_ref()?;
        let rules = &self.book.view.rules;
        let place = match bus {
            Some(bus) => *rules.bus_index.get(bus)? as usize,
            None => rules.tree.order[0],
        };
        self.viewer.may(Query::ClearingHistory).then_some(())?;
        let [least, most, allocation] = self.signed(cleared, bus);
        let demand = self.book.heard.curves.demand(interval, bus).filter(|_| self.viewer.may(Query::Entries));
        let point = |(price, power)| Point { price_pico_eur_per_wh: price, power_milliwatt: power };
        let supply = cleared.supply.as_ref().filter(|_| bus.is_none());
        let offered = |at: &Breakpoint| point((Exact(at.price.0), Exact(at.power.0.saturating_neg())));
        Some(CurveView {
            start: start(interval),
            bus: bus.map(str::to_owned),
            supply: supply.map(|supply| supply.mirrored().points().iter().map(offered).collect()),
            demand: demand.map(|found| found.iter().map(|(t, p)| point((Exact(t.0), Exact(p.0)))).collect()),
            price_pico_eur_per_wh: cleared.clearing.prices.get(place).map(|price| Exact(price.0)),
            power_milliwatt: if bus.is_some() { allocation } else { Some(Exact(cleared.clearing.import.0)) },
            least_milliwatt: least,
            most_milliwatt: most,
            allocation_milliwatt: allocation,
        })
    }
}

/// Aggregators of the clearing without a delivery.
fn awaited(book: &IntervalBook) -> usize {
    let signed = book.cleared.iter().flat_map(|cleared| &cleared.demands).map(|demand| &demand.aggregator);
    let signed: BTreeSet<&Id> = signed.collect();
    signed.into_iter().filter(|aggregator| !book.settled.contains_key(*aggregator)).count()
}

fn totals(book: &IntervalBook, interval_s: i64) -> Totals {
    let mut totals = Totals {
        sites: 0,
        awaited: awaited(book),
        readings: 0,
        committed_millijoule: Exact(0),
        delivered_millijoule: Exact(0),
        deviation_millijoule: Exact(0),
        payment_nano_eur: Some(Exact(0)),
    };
    let add = |sum: &mut Exact, energy: Millijoule| sum.0 = sum.0.saturating_add(energy.0);
    for settled in book.settled.values() {
        for site in &settled.delivery.sites {
            totals.sites += 1;
            let payment =
                settled.payments.as_ref().map(|payments| payments.get(&site.account).map_or(0, |p| p.0));
            let sum = totals.payment_nano_eur.zip(payment);
            totals.payment_nano_eur = sum.map(|(sum, payment)| Exact(sum.0.saturating_add(payment)));
            let Some(energy) = site.energy else { continue };
            let committed = site.commitment.over_seconds(interval_s);
            totals.readings += 1;
            add(&mut totals.committed_millijoule, committed);
            add(&mut totals.delivered_millijoule, energy);
            add(&mut totals.deviation_millijoule, Millijoule((energy - committed).0.abs()));
        }
    }
    totals
}
