//! A clearing, checked from the evidence it carries: the TSO interface's signed supply, each
//! aggregator's signed demand at the prices, and the certificate's conditions. Whoever solved it is
//! trusted in nothing.

use super::reactive;
use super::rules::{AggregatorRule, Rules};
use crate::state::receipt::Refusal;
use crate::state::{AwardRecord, Changes, IntervalRecord, State};
use market::certificate::{self, CertificateError, PartyDemand};
use market::clearing::sampled::MAX_ROUNDS;
use market::clearing::Clearing;
use market::grid::certificate::{CertificateError as GridCertificateError, GridClearing};
use market::grid::rules::PlacedDemand;
use market::grid::volt_var::PlacedReactive;
use market::interval::Interval;
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh, POWER_BOUND};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::entry::{ClearingEntry, SignedEnvelope};
use wire::envelope::{EnvelopeError, Opened};
use wire::message::{Body, FinalDemand};
use wire::party::{Id, PartyId, Role};

/// Why a clearing is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClearingRefusal {
    /// The interval does not start where intervals do.
    #[error("{interval} is not one of the market's")]
    NotAnInterval {
        /// The interval.
        interval: Interval,
    },
    /// The interval was cleared before, or is older than what is kept.
    #[error("{interval} was cleared before")]
    Cleared {
        /// The interval.
        interval: Interval,
    },
    /// An envelope of the evidence does not open.
    #[error("evidence on {topic:?}: {source}")]
    Evidence {
        /// The envelope's topic, cut to 120 characters.
        topic: String,
        /// What is wrong with it.
        #[source]
        source: EnvelopeError,
    },
    /// An envelope of the evidence says something else, by somebody else or for another interval.
    #[error("evidence by {sender}: {reason}")]
    OtherEvidence {
        /// Who signed it.
        sender: PartyId,
        /// What is wrong.
        reason: &'static str,
    },
    /// Not one demand of each aggregator that has sites, in their order.
    #[error(
        "{count} demands, and each of the {expected} aggregators with sites must state one, in their order"
    )]
    Demands {
        /// Demands given.
        count: usize,
        /// Aggregators with sites.
        expected: usize,
    },
    /// A demand does not hold by itself.
    #[error("the demand of aggregator {aggregator}: {reason}")]
    Demand {
        /// Whose.
        aggregator: Id,
        /// What is wrong.
        reason: &'static str,
    },
    /// More rounds than a clearing may take, or not as many as its aggregators say.
    #[error(
        "{stated} rounds, and the aggregators were last asked in round {asked}; {MAX_ROUNDS} are allowed"
    )]
    Rounds {
        /// Rounds the clearing says it took.
        stated: u32,
        /// The last round in which an aggregator says it was asked.
        asked: u32,
    },
    /// A price outside the market's limits.
    #[error("the price {price} is outside the market's limits")]
    Price {
        /// The price.
        price: PicoEurPerWh,
    },
    /// The certificate does not hold.
    #[error("the certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The figures of a market that knows its grid are missing, not asked for, or not the clearing's.
    #[error("the grid's figures {reason}")]
    GridFigures {
        /// What is wrong.
        reason: &'static str,
    },
    /// The certificate of a market that knows its grid does not hold.
    #[error("the certificate: {0}")]
    GridCertificate(#[from] GridCertificateError),
}

impl ClearingRefusal {
    /// A word for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            ClearingRefusal::NotAnInterval { .. } => "no-interval",
            ClearingRefusal::Cleared { .. } => "cleared-before",
            ClearingRefusal::Evidence { .. }
            | ClearingRefusal::OtherEvidence { .. }
            | ClearingRefusal::Demands { .. }
            | ClearingRefusal::Demand { .. }
            | ClearingRefusal::Rounds { .. } => "evidence",
            ClearingRefusal::Price { .. }
            | ClearingRefusal::Certificate(_)
            | ClearingRefusal::GridFigures { .. }
            | ClearingRefusal::GridCertificate(_) => "certificate",
        }
    }
}

/// What a clearing changes: the interval's record.
pub(super) fn execute(rules: &Rules, state: &State, entry: &ClearingEntry) -> Result<Changes, Refusal> {
    check_interval(rules, state, entry.interval)?;
    let limits = rules.parameters.price_min..=rules.parameters.price_max;
    if let Some(price) = entry.prices.iter().find(|price| !limits.contains(price)) {
        return Err(ClearingRefusal::Price { price: *price }.into());
    }
    let (supply, carbon_adder) = open_supply(rules, entry)?;
    let demands = open_demands(rules, entry)?;
    check_rounds(entry.rounds, demands.iter().map(|(_, demand)| demand.rounds))?;
    let mut parties = Vec::new();
    let mut reactive = Vec::new();
    let mut awards = BTreeMap::new();
    for (aggregator, demand) in &demands {
        let mut award = check_demand(rules, entry, aggregator, demand, &mut parties)?;
        let wrong = |reason| ClearingRefusal::Demand { aggregator: aggregator.clone(), reason };
        award.reactive = reactive::check(rules, entry, aggregator, demand, &mut reactive).map_err(wrong)?;
        awards.insert(aggregator.clone(), award);
    }
    check_certificate(rules, entry, &supply, (&parties, &reactive))?;
    let record = IntervalRecord { prices: entry.prices.clone(), carbon_adder, awards };
    Ok(Changes { interval: Some((entry.interval, record)), ..Changes::default() })
}

fn check_certificate(
    rules: &Rules,
    entry: &ClearingEntry,
    supply: &SupplyCurve,
    (parties, reactive): (&[PartyDemand], &[PlacedReactive]),
) -> Result<(), ClearingRefusal> {
    let wrong = |reason| ClearingRefusal::GridFigures { reason };
    match (&rules.grid, &entry.grid) {
        (None, None) => {
            let clearing = rebuild(rules, entry, parties);
            Ok(certificate::check(&rules.feeder, &rules.tree, supply, &clearing, parties)?)
        }
        (None, Some(_)) => Err(wrong("were not asked for")),
        (Some(_), None) => Err(wrong("are missing")),
        (Some(terms), Some(grid)) => {
            check_figures(rules, entry, grid).map_err(wrong)?;
            let placed = |party: &PartyDemand| PlacedDemand {
                place: rules.tree.place[party.bus],
                range: party.range,
                allocation: party.allocation,
            };
            let demands: Vec<PlacedDemand> = parties.iter().map(placed).collect();
            Ok(terms.check_with_reactive(supply, grid, &demands, reactive)?)
        }
    }
}

/// The grid's figures, by place, must be the clearing's own, by bus and line.
fn check_figures(rules: &Rules, entry: &ClearingEntry, grid: &GridClearing) -> Result<(), &'static str> {
    let tree = &rules.tree;
    let prices = grid.prices.iter().map(Some).eq(tree.order.iter().map(|bus| entry.prices.get(*bus)));
    if !prices || entry.prices.len() != tree.order.len() {
        return Err("have other prices");
    }
    let flows = grid.flows.iter().skip(1).map(|flow| Some(&flow.power));
    let lines = tree.line.iter().skip(1).map(|line| entry.flows.get(*line));
    if !flows.eq(lines) || entry.flows.len() != rules.feeder.lines.len() {
        return Err("have other flows");
    }
    if grid.import != entry.import {
        return Err("have another import");
    }
    Ok(())
}

fn check_interval(rules: &Rules, state: &State, interval: Interval) -> Result<(), ClearingRefusal> {
    if !rules.parameters.is_interval(interval) {
        return Err(ClearingRefusal::NotAnInterval { interval });
    }
    if state.intervals().contains_key(&interval) || state.forgotten_to() >= Some(interval) {
        return Err(ClearingRefusal::Cleared { interval });
    }
    Ok(())
}

pub(super) fn open_evidence(rules: &Rules, envelope: &SignedEnvelope) -> Result<Opened, ClearingRefusal> {
    rules.verifier.open_evidence(envelope).map_err(|source| ClearingRefusal::Evidence {
        topic: envelope.topic.chars().take(120).collect(),
        source,
    })
}

/// The supply with the carbon price on top, and what that adds.
fn open_supply(rules: &Rules, entry: &ClearingEntry) -> Result<(SupplyCurve, PicoEurPerWh), ClearingRefusal> {
    let opened = open_evidence(rules, &entry.supply)?;
    let sender = opened.topic.sender;
    match opened.body {
        // Only a TSO interface can say this: opening an envelope checks the role's rights.
        Body::Supply(supply) if supply.interval == entry.interval => {
            let price = rules.carbon_price();
            let dearer = price.adder(supply.emission).and_then(|adder| {
                let curve = supply.curve.dearer(adder).ok()?;
                Some((curve, adder))
            });
            let reason = "its carbon price is beyond the market's prices";
            dearer.ok_or(ClearingRefusal::OtherEvidence { sender, reason })
        }
        Body::Supply(_) => {
            Err(ClearingRefusal::OtherEvidence { sender, reason: "it is for another interval" })
        }
        _ => Err(ClearingRefusal::OtherEvidence { sender, reason: "it is no supply" }),
    }
}

fn open_demands(rules: &Rules, entry: &ClearingEntry) -> Result<Vec<(Id, FinalDemand)>, ClearingRefusal> {
    open_by_aggregator(rules, &entry.demands, |body| match body {
        Body::FinalDemand(demand) if demand.interval == entry.interval => Ok(demand),
        Body::FinalDemand(_) => Err("it is for another interval"),
        _ => Err("it is no final demand"),
    })
}

/// What every aggregator signed, as `said` takes it: all that have sites, each once, in their order.
pub(super) fn open_by_aggregator<T>(
    rules: &Rules,
    envelopes: &[SignedEnvelope],
    said: impl Fn(Body) -> Result<T, &'static str>,
) -> Result<Vec<(Id, T)>, ClearingRefusal> {
    let (count, expected) = (envelopes.len(), rules.aggregators.len());
    if count != expected {
        return Err(ClearingRefusal::Demands { count, expected });
    }
    let mut demands = Vec::with_capacity(count);
    for (aggregator, envelope) in rules.aggregators.keys().zip(envelopes) {
        let opened = open_evidence(rules, envelope)?;
        let sender = opened.topic.sender;
        if sender != PartyId::new(Role::Aggregator, aggregator.clone()) {
            return Err(ClearingRefusal::Demands { count, expected });
        }
        let demand = said(opened.body).map_err(|reason| ClearingRefusal::OtherEvidence { sender, reason })?;
        demands.push((aggregator.clone(), demand));
    }
    Ok(demands)
}

/// Rounds are counted by those who were asked.
pub(super) fn check_rounds(stated: u32, asked: impl Iterator<Item = u32>) -> Result<(), ClearingRefusal> {
    let asked = asked.max().unwrap_or(0);
    if stated != asked || !(1..=MAX_ROUNDS).contains(&stated) {
        return Err(ClearingRefusal::Rounds { stated, asked });
    }
    Ok(())
}

/// Checks what one aggregator says against its sites and the clearing's prices, and adds its
/// parties.
fn check_demand(
    rules: &Rules,
    entry: &ClearingEntry,
    aggregator: &Id,
    demand: &FinalDemand,
    parties: &mut Vec<PartyDemand>,
) -> Result<AwardRecord, ClearingRefusal> {
    let wrong = |reason| ClearingRefusal::Demand { aggregator: aggregator.clone(), reason };
    let sites = rules.aggregators.get(aggregator).ok_or_else(|| wrong("it has no sites"))?;
    let buses = check_buses(rules, entry, sites, demand, parties).map_err(wrong)?;
    let sums = [demand.import, demand.export];
    if sums.iter().any(|sum| !(Milliwatt::ZERO..=POWER_BOUND).contains(sum)) {
        return Err(wrong("its sums are out of bounds"));
    }
    let total: i128 = buses.values().map(|power| i128::from(power.0)).sum();
    if total != i128::from(demand.import.0) - i128::from(demand.export.0) {
        return Err(wrong("its allocations are not its import less its export"));
    }
    Ok(AwardRecord {
        bids_root: demand.bids_root,
        allocations_root: demand.allocations_root,
        import: demand.import,
        export: demand.export,
        buses,
        reactive: BTreeMap::new(),
        settled: false,
    })
}

fn check_buses(
    rules: &Rules,
    entry: &ClearingEntry,
    sites: &AggregatorRule,
    demand: &FinalDemand,
    parties: &mut Vec<PartyDemand>,
) -> Result<BTreeMap<u32, Milliwatt>, &'static str> {
    let mut buses = BTreeMap::new();
    for (at, range) in &demand.buses {
        let bus = *rules.bus_index.get(&at.bus).ok_or("it names a bus that does not exist")?;
        let connection = *sites.get(&bus).ok_or("it names a bus where it has no sites")?;
        if entry.prices.get(bus as usize) != Some(&at.price) {
            return Err("its price at a bus is not the clearing's");
        }
        // What its sites together could never take, no bid of theirs can have allowed.
        let possible = -connection..=connection;
        if !possible.contains(&range.low) || !possible.contains(&range.high) {
            return Err("its range at a bus exceeds its sites' connections");
        }
        if buses.insert(bus, at.allocation).is_some() {
            return Err("it names a bus twice");
        }
        parties.push(PartyDemand { bus: bus as usize, range: *range, allocation: at.allocation });
    }
    if buses.len() != sites.len() {
        return Err("it leaves out a bus where it has sites");
    }
    Ok(buses)
}

/// The clearing as the market's arithmetic knows it. Allocations are within ranges and these within
/// connections only once the certificate is checked, so sums saturate; a saturated one fails there.
fn rebuild(rules: &Rules, entry: &ClearingEntry, parties: &[PartyDemand]) -> Clearing {
    let mut allocations = vec![Milliwatt::ZERO; rules.feeder.buses.len()];
    for party in parties {
        let sum = &mut allocations[party.bus];
        sum.0 = sum.0.saturating_add(party.allocation.0);
    }
    Clearing { import: entry.import, prices: entry.prices.clone(), allocations, flows: entry.flows.clone() }
}
