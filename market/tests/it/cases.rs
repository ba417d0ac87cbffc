//! Reference cases on radial feeders, solved by others: every figure of the clearing against theirs.
//! The copies carried with the project, and all of them where they stand beside it.

use crate::feeders::Market;
use crate::{engine, sampled};
use market::clearing::Clearing;
use market::curve::{Breakpoint, FlexCurve};
use market::feeder::{Feeder, Line};
use market::share::{split, Demand};
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh, PRICE_BOUND};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Cases of a folder that need capacity only: no other limit is there, or none of them binds.
fn capacity_only(folder: &Path) -> Vec<(PathBuf, Value)> {
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "json") {
            continue;
        }
        let case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let binding = &case["expected"]["binding"];
        let idle = |limit: &str| binding[limit].as_array().is_none_or(|nodes| nodes.is_empty());
        let policy = &case["policy"];
        let infeasible = case["expected"]["status"] == "infeasible";
        let voltage = case["nodes"].as_array().unwrap().iter().any(|n| n["v_min_pu"].is_number());
        let apparent = case["lines"].as_array().unwrap().iter().any(|l| l["s_max_kva"].is_number());
        let other = policy["loss_price"].is_number() || policy["reserve_up_kw"].is_number() || apparent;
        let several = case["intervals"].is_number() || case["model"] != "lindistflow";
        if !other && !several && idle("v_min") && idle("v_max") && !(infeasible && voltage) {
            cases.push((path, case));
        }
    }
    cases
}

fn curve(points: &Value, shift: f64) -> Vec<Breakpoint> {
    let corner = |point: &Value| Breakpoint {
        price: PicoEurPerWh::from_eur_per_mwh(point[0].as_f64().unwrap() + shift).unwrap(),
        power: Milliwatt::from_kw(point[1].as_f64().unwrap()).unwrap(),
    };
    points.as_array().unwrap().iter().map(corner).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn market(case: &Value) -> Market {
    let buses: Vec<String> = case["nodes"].as_array().unwrap().iter().map(|n| text(&n["id"])).collect();
    let limit = |kw: &Value| kw.as_f64().map(|kw| Milliwatt::from_kw(kw).unwrap());
    let line = |line: &Value| Line {
        id: text(&line["id"]),
        from: text(&line["from"]),
        to: text(&line["to"]),
        power_max: limit(&line["p_max_kw"]),
        power_min: limit(&line["p_min_kw"]),
        resistance_microohm: 0,
        reactance_microohm: 0,
        rating_millivoltampere: None,
    };
    let lines = case["lines"].as_array().unwrap().iter().map(line).collect();
    let carbon_price = case["policy"]["carbon_price"].as_f64().unwrap_or(0.0);
    let shift = |party: &Value| carbon_price * party["emission_t_per_mwh"].as_f64().unwrap_or(0.0);
    let site = |site: &Value| {
        let bus = buses.iter().position(|bus| site["node"] == bus.as_str()).unwrap();
        (bus, FlexCurve::new(curve(&site["curve"], shift(site))).unwrap())
    };
    let parties = case["sites"].as_array().unwrap().iter().map(site).collect();
    let supply = SupplyCurve::new(curve(&case["tso"]["curve"], shift(&case["tso"]))).unwrap();
    let feeder = Feeder { voltage_millivolt: 0, root: text(&case["root"]), buses, lines };
    let tree = feeder.tree().unwrap();
    Market { feeder, tree, supply, parties }
}

/// What each site takes, its share of its bus's allocation.
fn site_kw(market: &Market, clearing: &Clearing) -> Vec<f64> {
    let mut kw = vec![0.0; market.parties.len()];
    for (bus, allocation) in clearing.allocations.iter().enumerate() {
        let here: Vec<usize> = (0..kw.len()).filter(|i| market.parties[*i].0 == bus).collect();
        let range = |i: &usize| market.parties[*i].1.demand_at(clearing.prices[bus]);
        let ranges: Vec<Demand> = here.iter().map(range).collect();
        for (i, share) in here.iter().zip(split(*allocation, &ranges).unwrap()) {
            kw[*i] = share.kw();
        }
    }
    kw
}

fn check(path: &Path, case: &Value) {
    let name = path.display();
    let expected = &case["expected"];
    let market = market(case);
    let range = (-PRICE_BOUND.0, PRICE_BOUND.0);
    let cleared = engine::clear(&market, range);
    assert_eq!(cleared, sampled::clear(&market, range).map(|(clearing, _)| clearing), "{name}");
    let clearing = match cleared {
        Ok(clearing) => clearing,
        Err(infeasible) => {
            assert_eq!(expected["status"], "infeasible", "{name}: {infeasible}");
            return;
        }
    };
    assert_eq!(expected["status"], "optimal", "{name}");
    for (bus, price) in market.feeder.buses.iter().zip(&clearing.prices) {
        let interval = &expected["node_price_interval"][bus];
        let low = interval[0].as_f64().unwrap_or(f64::NEG_INFINITY);
        let high = interval[1].as_f64().unwrap_or(f64::INFINITY);
        let price = price.eur_per_mwh();
        assert!(low - 1e-3 <= price && price <= high + 1e-3, "{name}: {bus} at {price}, not {low}..{high}");
    }
    let sites = case["sites"].as_array().unwrap();
    let corners = sites.iter().flat_map(|site| site["curve"].as_array().unwrap());
    let scale = corners.map(|corner| corner[1].as_f64().unwrap().abs()).fold(1.0, f64::max);
    let tolerance = 1e-3 * (scale / 100.0).max(1.0);
    for (site, kw) in sites.iter().zip(site_kw(&market, &clearing)) {
        let id = text(&site["id"]);
        let exact = expected["site_p_kw"][&id].as_f64().unwrap();
        let tied = &expected["tied_sites"][&id];
        let (low, high) = (tied[0].as_f64().unwrap_or(exact), tied[1].as_f64().unwrap_or(exact));
        assert!(
            low - tolerance <= kw && kw <= high + tolerance,
            "{name}: {id} takes {kw}, not {low}..{high}"
        );
    }
    if expected["tied_sites"].as_object().is_none_or(|tied| tied.is_empty()) {
        let import = expected["import_kw"].as_f64().unwrap();
        assert!((clearing.import.kw() - import).abs() <= tolerance, "{name}: {}", clearing.import);
    }
}

#[test]
fn carried_cases_clear_as_others_solved_them() {
    let cases = capacity_only(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/feeder"));
    assert_eq!(cases.len(), 13, "cases were lost");
    cases.iter().for_each(|(path, case)| check(path, case));
}

#[test]
fn shared_cases_clear_as_others_solved_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases/feeder");
    if !folder.is_dir() {
        println!("not run: {} is not there", folder.display());
        return;
    }
    let cases = capacity_only(&folder);
    assert!(cases.len() >= 13, "only {} cases found", cases.len());
    cases.iter().for_each(|(path, case)| check(path, case));
    println!("{} cases from {}", cases.len(), folder.display());
}
