//! A case of several intervals, as its schema has it, as the problem that is cleared.

use market::feeder::{Feeder, Line, Tree};
use market::grid::problem::{Branch, Losses, Network, Piece, Reactive, Supply, VoltageBand};
use market::horizon::problem::{DeferrableOrder, HorizonProblem, OfferCurve, ProfiledOffer, StorageOrder};
use serde_json::Value;

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The order of the case's places.
pub fn tree(case: &Value) -> Tree {
    let line = |line: &Value| Line {
        id: text(&line["id"]),
        from: text(&line["from"]),
        to: text(&line["to"]),
        power_max: None,
        power_min: None,
        resistance_microohm: 0,
        reactance_microohm: 0,
        rating_millivoltampere: None,
    };
    Feeder {
        voltage_millivolt: 0,
        root: text(&case["root"]),
        buses: list(&case["nodes"]).iter().map(|node| text(&node["id"])).collect(),
        lines: list(&case["lines"]).iter().map(line).collect(),
    }
    .tree()
    .unwrap()
}

/// The problem of a case.
pub fn problem(case: &Value) -> HorizonProblem {
    let tree = tree(case);
    let nodes = list(&case["nodes"]);
    let place =
        |party: &Value| tree.place[nodes.iter().position(|node| node["id"] == party["node"]).unwrap()];
    let carbon_price = case["policy"]["carbon_price"].as_f64().unwrap_or(0.0);
    let supply = |(t, curve): (usize, &Value)| {
        let shift = carbon_price * case["tso"]["emission_t_per_mwh"][t].as_f64().unwrap_or(0.0);
        let points = corners(curve, 1.0, shift);
        Supply { import_min_kw: points[0].1, pieces: pieces(&points) }
    };
    let supplies: Vec<Supply> = list(&case["tso"]["curves"]).iter().enumerate().map(supply).collect();
    let offer = |site: &Value| {
        let shift = carbon_price * site["emission_t_per_mwh"].as_f64().unwrap_or(0.0);
        let curve = |t: usize| {
            let mut points = corners(&site["curve"], site["profile"][t].as_f64().unwrap_or(1.0), shift);
            points.reverse();
            OfferCurve { power_min_kw: points[0].1, pieces: pieces(&points) }
        };
        let reactive = match site["q"]["mode"].as_str() {
            Some("tan") => Reactive::Proportional { tan_phi: number(&site["q"]["tan_phi"]) },
            Some("range") => Reactive::Range {
                min_kvar: number(&site["q"]["q_min_kvar"]),
                max_kvar: number(&site["q"]["q_max_kvar"]),
                cost_eur_per_mvar2_h: site["q"]["cost_eur_per_mvarh2"].as_f64().unwrap_or(0.0),
            },
            _ => Reactive::Fixed { reactive_kvar: site["q"]["q_kvar"].as_f64().unwrap_or(0.0) },
        };
        ProfiledOffer { place: place(site), reactive, curves: (0..supplies.len()).map(curve).collect() }
    };
    let storage = |order: &Value| StorageOrder {
        place: place(order),
        charge_max_kw: number(&order["p_ch_max_kw"]),
        discharge_max_kw: number(&order["p_dis_max_kw"]),
        energy_min_kwh: number(&order["e_min_kwh"]),
        energy_max_kwh: number(&order["e_max_kwh"]),
        energy_start_kwh: number(&order["e0_kwh"]),
        energy_end_min_kwh: number(&order["e_end_min_kwh"]),
        charge_efficiency: number(&order["eta_ch"]),
        discharge_efficiency: number(&order["eta_dis"]),
        wear_eur_per_mwh: number(&order["wear_eur_per_mwh"]),
    };
    let deferrable = |order: &Value| DeferrableOrder {
        place: place(order),
        energy_kwh: number(&order["energy_kwh"]),
        power_max_kw: number(&order["p_max_kw"]),
        start: order["t_start"].as_u64().unwrap() as usize,
        end: order["t_end"].as_u64().unwrap() as usize,
    };
    HorizonProblem {
        network: network(case, &tree),
        interval_hours: number(&case["interval_h"]),
        offers: list(&case["sites"]).iter().map(offer).collect(),
        supplies,
        storages: list(&case["storages"]).iter().map(storage).collect(),
        deferrables: list(&case["deferrables"]).iter().map(deferrable).collect(),
        loss_price: case["policy"]["loss_price"].as_f64().unwrap_or(0.0),
    }
}

/// Prices and powers of a curve, the powers scaled and the prices shifted.
fn corners(curve: &Value, scale: f64, shift: f64) -> Vec<(f64, f64)> {
    list(curve).iter().map(|corner| (number(&corner[0]) + shift, number(&corner[1]) * scale)).collect()
}

/// The pieces between corners in order of power.
fn pieces(points: &[(f64, f64)]) -> Vec<Piece> {
    let piece = |pair: &[(f64, f64)]| {
        let ((begins, from), (ends, to)) = (pair[0], pair[1]);
        (to > from).then(|| Piece {
            width_kw: to - from,
            price_low: begins.min(ends),
            price_high: begins.max(ends),
        })
    };
    points.windows(2).filter_map(piece).collect()
}

fn network(case: &Value, tree: &Tree) -> Network {
    let base_kva = number(&case["base"]["s_kva"]);
    let branch = |place: usize| {
        let line = if place == 0 { &Value::Null } else { &case["lines"][tree.line[place]] };
        Branch {
            resistance_pu_per_kva: line["r_pu"].as_f64().unwrap_or(0.0) / base_kva,
            reactance_pu_per_kva: line["x_pu"].as_f64().unwrap_or(0.0) / base_kva,
            ratio_square: 1.0,
            power_min_kw: line["p_min_kw"].as_f64().unwrap_or(f64::NEG_INFINITY),
            power_max_kw: line["p_max_kw"].as_f64().unwrap_or(f64::INFINITY),
            apparent_max_kva: line["s_max_kva"].as_f64().unwrap_or(f64::INFINITY),
        }
    };
    let band = |bus: &usize| VoltageBand {
        min_square_pu: case["nodes"][*bus]["v_min_pu"].as_f64().map_or(f64::NEG_INFINITY, |v| v * v),
        max_square_pu: case["nodes"][*bus]["v_max_pu"].as_f64().map_or(f64::INFINITY, |v| v * v),
    };
    Network {
        parent: tree.parent.clone(),
        branches: (0..tree.order.len()).map(branch).collect(),
        bands: tree.order.iter().map(band).collect(),
        root_voltage_square_pu: number(&case["v_root_pu"]).powi(2),
        losses: Losses::Neglected,
    }
}
