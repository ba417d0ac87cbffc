//! Offers and demand at the buses of a transmission network, in MW.

use super::super::refusal::Refusal;
use super::price;
use market::auction::nodal::{self, Link, Network, Outcome, Participant};
use market::curve::{Breakpoint, FlexCurve};
use market::units::Milliwatt;
use serde::de::IgnoredAny;
use serde::Deserialize;
use serde_json::{json, Map, Value};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    id: String,
    #[serde(default, rename = "model")]
    _model: IgnoredAny,
    #[serde(default, rename = "base_mva")]
    _base_mva: IgnoredAny,
    #[serde(default, rename = "slack")]
    _slack: IgnoredAny,
    #[serde(default)]
    network: Option<Grid>,
    #[serde(default)]
    lines: Vec<Line>,
    #[serde(default)]
    loads_mw: BTreeMap<String, f64>,
    #[serde(default)]
    offers: Vec<Step>,
    #[serde(default)]
    demand: Vec<Step>,
    #[serde(default)]
    orders: Vec<Order>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grid {
    nodes: Vec<String>,
    lines: Vec<Line>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    id: Option<String>,
    from: String,
    to: String,
    /// None: its flow can be chosen.
    #[serde(default, alias = "x_pu")]
    x: Option<f64>,
    #[serde(default, alias = "limit_mw")]
    limit: Option<f64>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default, alias = "unit")]
    id: Option<String>,
    #[serde(alias = "bus")]
    node: String,
    price: f64,
    #[serde(alias = "p_max")]
    qty: f64,
}

#[derive(Deserialize)]
struct Order {
    side: super::bids::BidSide,
    #[serde(flatten)]
    step: Step,
}

/// Clears a case.
pub fn clear(place: &str, case: Case) -> Result<Value, Refusal> {
    let market = Market::of(place, &case)?;
    let outcome = nodal::clear(&market.network, &market.participants);
    let outcome = outcome.map_err(|error| Refusal::invalid(place, error))?;
    Ok(market.result(&case.id, &outcome))
}

/// A case as the market clears it.
#[derive(Default)]
struct Market {
    network: Network,
    participants: Vec<Participant>,
    /// By participant; none for a load that has no name.
    names: Vec<Option<String>>,
}

impl Market {
    fn of(place: &str, case: &Case) -> Result<Self, Refusal> {
        let mut market = Self::default();
        let (nodes, lines) = case.network.as_ref().map_or((&[][..], &[][..]), |n| (&n.nodes, &n.lines));
        nodes.iter().chain(case.loads_mw.keys()).for_each(|name| {
            market.bus(name);
        });
        for (i, line) in lines.iter().chain(&case.lines).enumerate() {
            let limit = line.limit.map(|limit| megawatt(&format!("{place}.lines[{i}].limit"), limit));
            let id = line.id.clone().unwrap_or_else(|| format!("{}-{}", line.from, line.to));
            let (from, to) = (market.bus(&line.from), market.bus(&line.to));
            market.network.links.push(Link { id, from, to, reactance: line.x, limit: limit.transpose()? });
        }
        for (name, load) in &case.loads_mw {
            let curve = FlexCurve::inelastic(megawatt(&format!("{place}.loads_mw.{name}"), *load)?);
            market.push(name, curve, None);
        }
        let sells = case.orders.iter().filter(|order| order.side.sells()).map(|order| &order.step);
        let buys = case.orders.iter().filter(|order| !order.side.sells()).map(|order| &order.step);
        for (i, step) in case.offers.iter().chain(sells).enumerate() {
            market.step(&format!("{place}.offers[{i}]"), step, true)?;
        }
        for (i, step) in case.demand.iter().chain(buys).enumerate() {
            market.step(&format!("{place}.demand[{i}]"), step, false)?;
        }
        Ok(market)
    }

    fn bus(&mut self, name: &str) -> usize {
        let buses = &mut self.network.buses;
        buses.iter().position(|bus| bus == name).unwrap_or_else(|| {
            buses.push(name.to_owned());
            buses.len() - 1
        })
    }

    fn push(&mut self, bus: &str, curve: FlexCurve, name: Option<String>) {
        let bus = self.bus(bus);
        self.participants.push(Participant { bus, curve });
        self.names.push(name);
    }

    fn step(&mut self, place: &str, step: &Step, sells: bool) -> Result<(), Refusal> {
        let quantity = megawatt(place, step.qty)?;
        let (high, low) = if sells { (Milliwatt::ZERO, -quantity) } else { (quantity, Milliwatt::ZERO) };
        let price = price(place.to_owned(), step.price)?;
        let points = vec![Breakpoint { price, power: high }, Breakpoint { price, power: low }];
        let curve = FlexCurve::new(points).map_err(|error| Refusal::invalid(place, error))?;
        self.push(&step.node, curve, step.id.clone());
        Ok(())
    }

    fn result(&self, id: &str, outcome: &Outcome) -> Value {
        let megawatt = |power: Milliwatt| power.kw() / 1e3;
        let buses = &self.network.buses;
        let (mut supply, mut demand) = (vec![0.0; buses.len()], vec![0.0; buses.len()]);
        let mut dispatch = Map::new();
        for ((participant, name), power) in self.participants.iter().zip(&self.names).zip(&outcome.powers) {
            let power = megawatt(*power);
            let side = if power < 0.0 { &mut supply } else { &mut demand };
            side[participant.bus] += power.abs();
            if let Some(name) = name {
                dispatch.insert(name.clone(), json!(0.0 - power));
            }
        }
        let by_bus = |figures: Vec<f64>| buses.iter().cloned().zip(figures).collect::<BTreeMap<_, _>>();
        let by_line = |figures: Vec<f64>| {
            self.network.links.iter().map(|link| link.id.clone()).zip(figures).collect::<BTreeMap<_, _>>()
        };
        json!({
            "id": id,
            "lmp": by_bus(outcome.prices.iter().map(|price| price.eur_per_mwh()).collect()),
            "supply": by_bus(supply),
            "demand": by_bus(demand),
            "flow_mw": by_line(outcome.flows.iter().map(|flow| megawatt(*flow)).collect()),
            "congestion": by_line(outcome.congestion.clone()),
            "dispatch_mw": dispatch,
        })
    }
}

fn megawatt(place: &str, megawatt: f64) -> Result<Milliwatt, Refusal> {
    Milliwatt::from_kw(megawatt * 1e3).ok_or_else(|| Refusal::invalid(place, "the power is out of bounds"))
}
