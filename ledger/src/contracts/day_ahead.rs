//! A day-ahead session's clearing, checked from the evidence it carries: the TSO interface's signed supplies,
//! each aggregator's signed demand and orders, and the certificate of the whole session. Whoever solved it
//! is trusted in nothing. No money moves by it: positions are settled with their intervals' deliveries.

use super::clearing::{check_rounds, open_by_aggregator, open_evidence, ClearingRefusal};
use super::rules::{AggregatorRule, DayAhead, Rules};
use crate::state::day_ahead::{DayAheadRecord, PositionRecord};
use crate::state::receipt::Refusal;
use crate::state::{Changes, State};
use market::day_ahead::certificate::{check, DayAheadCertificateError};
use market::day_ahead::orders::{OrderError, Orders, Placed};
use market::grid::rules::PlacedDemand;
use market::interval::Interval;
use market::supply::SupplyCurve;
use market::units::{Milliwatt, POWER_BOUND};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::entry::DayAheadEntry;
use wire::message::day_ahead::{DayAheadFinalDemand, DemandIn, DemandOf};
use wire::message::Body;
use wire::party::Id;

/// Why a session's clearing is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DayAheadRefusal {
    /// The genesis has no day-ahead market.
    #[error("this market has no day-ahead sessions")]
    NoMarket,
    /// No session begins there.
    #[error("no session begins with the {session}")]
    NotASession {
        /// The interval named.
        session: Interval,
    },
    /// It or a later session was decided before.
    #[error("the session that begins with the {session}, or a later one, was decided before")]
    Decided {
        /// The session.
        session: Interval,
    },
    /// One of its intervals was cleared in real time already.
    #[error("the {interval} was cleared in real time before its session")]
    TooLate {
        /// The interval.
        interval: Interval,
    },
    /// The evidence does not hold.
    #[error(transparent)]
    Evidence(ClearingRefusal),
    /// What an aggregator says does not hold by itself.
    #[error("the demand of aggregator {aggregator}: {reason}")]
    Demand {
        /// Whose.
        aggregator: Id,
        /// What is wrong.
        reason: &'static str,
    },
    /// An order that is none.
    #[error("an order of aggregator {aggregator}: {source}")]
    Order {
        /// Whose.
        aggregator: Id,
        /// What is wrong.
        #[source]
        source: OrderError,
    },
    /// A price outside the market's limits.
    #[error("a price in interval {interval} is outside the market's limits")]
    Price {
        /// Place of the interval.
        interval: usize,
    },
    /// The certificate does not hold.
    #[error("the certificate: {0}")]
    Certificate(#[from] DayAheadCertificateError),
}

impl DayAheadRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            DayAheadRefusal::NoMarket => "no-day-ahead",
            DayAheadRefusal::NotASession { .. } => "no-session",
            DayAheadRefusal::Decided { .. } => "cleared-before",
            DayAheadRefusal::TooLate { .. } => "too-late",
            DayAheadRefusal::Evidence(refusal) => refusal.reason(),
            DayAheadRefusal::Demand { .. } | DayAheadRefusal::Order { .. } => "evidence",
            DayAheadRefusal::Price { .. } | DayAheadRefusal::Certificate(_) => "certificate",
        }
    }
}

impl From<ClearingRefusal> for DayAheadRefusal {
    fn from(refusal: ClearingRefusal) -> Self {
        DayAheadRefusal::Evidence(refusal)
    }
}

/// What a session changes: the day-ahead records of its intervals.
pub(super) fn execute(rules: &Rules, state: &State, entry: &DayAheadEntry) -> Result<Changes, Refusal> {
    let market = rules.day_ahead.as_ref().ok_or(DayAheadRefusal::NoMarket)?;
    check_session(rules, market, state, entry.session)?;
    check_prices(rules, entry)?;
    let count = market.rules.intervals as usize;
    let supplies = open_supplies(rules, entry, count)?;
    let demands = open_by_aggregator(rules, &entry.demands, |body| match body {
        Body::DayAheadFinalDemand(demand) if demand.session == entry.session => Ok(demand),
        Body::DayAheadFinalDemand(_) => Err("it is for another session"),
        _ => Err("it is no final demand of a session"),
    })
    .map_err(DayAheadRefusal::from)?;
    check_rounds(entry.rounds, demands.iter().map(|(_, demand)| demand.rounds))
        .map_err(DayAheadRefusal::from)?;
    let (mut session, mut orders) = (Session::new(entry, count), Orders::default());
    for (aggregator, demand) in &demands {
        let wrong = |reason| DayAheadRefusal::Demand { aggregator: aggregator.clone(), reason };
        let sites = rules.aggregators.get(aggregator).ok_or_else(|| wrong("it has no sites"))?;
        check_orders(rules, market, (aggregator, sites), demand)?;
        let first = (orders.storages.len(), orders.deferrables.len());
        place_orders(rules, demand, &mut orders);
        session.take(rules, (aggregator, sites), demand, (&orders, first)).map_err(wrong)?;
    }
    check(&market.terms, &supplies, &orders, &entry.clearing, &session.demands)
        .map_err(DayAheadRefusal::from)?;
    let intervals = market.rules.intervals_of(&rules.parameters, entry.session);
    let prices = entry.clearing.intervals.iter().map(|interval| interval.by_bus(&rules.tree));
    let records = prices.zip(session.positions);
    let records = records.map(|(prices, positions)| DayAheadRecord { prices, positions });
    Ok(Changes { day_ahead: intervals.zip(records).collect(), ..Changes::default() })
}

fn check_session(
    rules: &Rules,
    market: &DayAhead,
    state: &State,
    session: Interval,
) -> Result<(), DayAheadRefusal> {
    let starts = rules.parameters.interval_at(session.start()) == session;
    if !starts || market.rules.session_of(&rules.parameters, session) != session {
        return Err(DayAheadRefusal::NotASession { session });
    }
    if state.day_ahead().keys().next_back() >= Some(&session) {
        return Err(DayAheadRefusal::Decided { session });
    }
    let cleared = |interval: &Interval| {
        state.intervals().contains_key(interval) || state.forgotten_to() >= Some(*interval)
    };
    match market.rules.intervals_of(&rules.parameters, session).find(cleared) {
        Some(interval) => Err(DayAheadRefusal::TooLate { interval }),
        None => Ok(()),
    }
}

fn check_prices(rules: &Rules, entry: &DayAheadEntry) -> Result<(), DayAheadRefusal> {
    let limits = rules.parameters.price_min..=rules.parameters.price_max;
    let within = |prices: &[_]| prices.iter().all(|price| limits.contains(price));
    match entry.clearing.intervals.iter().position(|interval| !within(&interval.prices)) {
        Some(interval) => Err(DayAheadRefusal::Price { interval }),
        None => Ok(()),
    }
}

fn open_supplies(
    rules: &Rules,
    entry: &DayAheadEntry,
    count: usize,
) -> Result<Vec<SupplyCurve>, DayAheadRefusal> {
    let opened = open_evidence(rules, &entry.supply)?;
    let other = |reason| {
        let sender = opened.topic.sender.clone();
        Err(ClearingRefusal::OtherEvidence { sender, reason }.into())
    };
    match opened.body {
        // Only a TSO interface can say this: opening an envelope checks the role's rights.
        Body::DayAheadSupply(supply) if supply.session != entry.session => other("it is for another session"),
        Body::DayAheadSupply(supply) if supply.curves.len() != count => {
            other("it has not one curve for each interval")
        }
        Body::DayAheadSupply(supply) => {
            let price = rules.carbon_price();
            let dearer = |curve: &SupplyCurve| curve.with_carbon(price, supply.emission);
            let curves: Result<Vec<_>, _> = supply.curves.iter().map(dearer).collect();
            curves.or_else(|_| other("its carbon price is beyond the market's prices"))
        }
        _ => other("it is no supply of a session"),
    }
}

/// Orders must be such as can be met, at buses where the aggregator has sites whose connections carry them.
fn check_orders(
    rules: &Rules,
    market: &DayAhead,
    (aggregator, sites): (&Id, &AggregatorRule),
    demand: &DayAheadFinalDemand,
) -> Result<(), DayAheadRefusal> {
    let wrong = |reason| DayAheadRefusal::Demand { aggregator: aggregator.clone(), reason };
    let none = |source| DayAheadRefusal::Order { aggregator: aggregator.clone(), source };
    let (intervals, interval_s) = (market.rules.intervals, rules.parameters.interval_s);
    let mut most: BTreeMap<u32, i128> = BTreeMap::new();
    for (bus, order) in &demand.orders.storages {
        order.validate(intervals, interval_s).map_err(none)?;
        *most.entry(*bus).or_default() += i128::from(order.charge_max.0.max(order.discharge_max.0));
    }
    for (bus, order) in &demand.orders.deferrables {
        order.validate(intervals, interval_s).map_err(none)?;
        // Two of them may have windows apart, so their powers need not add up.
        let reached = most.entry(*bus).or_default();
        *reached = (*reached).max(order.power_max.0.into());
    }
    for (bus, most) in most {
        let connection = sites.get(&bus).ok_or_else(|| wrong("it has an order where it has no sites"))?;
        if most > i128::from(connection.0) {
            return Err(wrong("its orders at a bus exceed its sites' connections"));
        }
    }
    Ok(())
}

/// Adds an aggregator's orders to the session's, which everyone has in order of aggregator.
fn place_orders(rules: &Rules, demand: &DayAheadFinalDemand, orders: &mut Orders) {
    let place = |bus: u32| rules.tree.place[bus as usize];
    let storages = demand.orders.storages.iter();
    orders.storages.extend(storages.map(|(bus, order)| Placed { place: place(*bus), order: *order }));
    let deferrables = demand.orders.deferrables.iter();
    orders.deferrables.extend(deferrables.map(|(bus, order)| Placed { place: place(*bus), order: *order }));
}

/// A session as its aggregators' words make it, by interval.
struct Session<'a> {
    entry: &'a DayAheadEntry,
    /// What each party's curves ask for and were given.
    demands: Vec<Vec<PlacedDemand>>,
    positions: Vec<BTreeMap<Id, PositionRecord>>,
}

impl<'a> Session<'a> {
    fn new(entry: &'a DayAheadEntry, count: usize) -> Self {
        Self { entry, demands: vec![Vec::new(); count], positions: vec![BTreeMap::new(); count] }
    }

    /// Takes what one aggregator says, checked against its sites and the session's prices. Its orders are
    /// those from `first` on.
    fn take(
        &mut self,
        rules: &Rules,
        (aggregator, sites): (&Id, &AggregatorRule),
        demand: &DayAheadFinalDemand,
        (orders, first): (&Orders, (usize, usize)),
    ) -> Result<(), &'static str> {
        if !demand.buses.iter().eq(sites.keys()) {
            return Err("its buses are not those of its sites, rising");
        }
        if demand.intervals.len() != self.demands.len() {
            return Err("it has not as many intervals as the session");
        }
        for (interval, stated) in demand.intervals.iter().enumerate() {
            let mut buses = self.check_buses(rules, sites, interval, stated)?;
            for (place, power) in self.powers(orders, first, interval) {
                let bus = u32::try_from(rules.tree.order[place]).map_err(|_| "it names no bus")?;
                let sum = buses.entry(bus).or_default();
                *sum = sum.checked_add(power).ok_or("its orders leave 64 bits")?;
            }
            let sums = [stated.import, stated.export];
            if sums.iter().any(|sum| !(Milliwatt::ZERO..=POWER_BOUND).contains(sum)) {
                return Err("its sums are out of bounds");
            }
            let total: i128 = buses.values().map(|power| i128::from(power.0)).sum();
            if total != i128::from(stated.import.0) - i128::from(stated.export.0) {
                return Err("its allocations and schedules are not its import less its export");
            }
            let DemandIn { allocations_root, import, export, .. } = *stated;
            let bids_root = demand.bids_root;
            let record = PositionRecord { bids_root, allocations_root, import, export, buses };
            self.positions[interval].insert(aggregator.clone(), record);
        }
        Ok(())
    }

    fn check_buses(
        &mut self,
        rules: &Rules,
        sites: &AggregatorRule,
        interval: usize,
        stated: &DemandIn,
    ) -> Result<BTreeMap<u32, Milliwatt>, &'static str> {
        if stated.buses.len() != sites.len() {
            return Err("it leaves out a bus where it has sites");
        }
        let prices = self.entry.clearing.intervals.get(interval).map_or(&[][..], |at| &at.prices);
        let mut buses = BTreeMap::new();
        for ((bus, connection), at) in sites.iter().zip(&stated.buses) {
            let DemandOf { price, allocation, range } = *at;
            let place = rules.tree.place[*bus as usize];
            if prices.get(place) != Some(&price) {
                return Err("its price at a bus is not the session's");
            }
            // What its sites together could never take, no bid of theirs can have allowed.
            let possible = -*connection..=*connection;
            if !possible.contains(&range.low) || !possible.contains(&range.high) {
                return Err("its range at a bus exceeds its sites' connections");
            }
            buses.insert(*bus, allocation);
            self.demands[interval].push(PlacedDemand { place, range, allocation });
        }
        Ok(buses)
    }

    /// What the orders from `first` on are scheduled for in an interval, by place. A schedule that is
    /// missing counts for nothing here, and the certificate refuses it.
    fn powers(
        &self,
        orders: &'a Orders,
        first: (usize, usize),
        interval: usize,
    ) -> impl Iterator<Item = (usize, Milliwatt)> + use<'a> {
        let clearing = &self.entry.clearing;
        let storages = orders.storages.iter().zip(&clearing.storages).skip(first.0);
        let storages = storages.map(move |(order, award)| (order.place, award.power(interval)));
        let deferrables = orders.deferrables.iter().zip(&clearing.deferrables).skip(first.1);
        let deferrables =
            deferrables.map(move |(order, award)| (order.place, award.power(order.order.start, interval)));
        storages.chain(deferrables)
    }
}
