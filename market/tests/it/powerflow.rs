//! Power flow against published figures and against pandapower's Newton method.

use market::feeder::{Feeder, Line};
use market::powerflow::{solve, Load, PowerFlow};
use market::units::Milliwatt;
use serde_json::Value;
use std::path::Path;

fn read(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(path);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The flow when each site takes what `power_kw` and `reactive_kvar` say.
fn flow(case: &Value, power_kw: impl Fn(&Value) -> f64, kvar: impl Fn(&Value, f64) -> f64) -> PowerFlow {
    let line = |line: &Value| Line {
        id: text(&line["id"]),
        from: text(&line["from"]),
        to: text(&line["to"]),
        power_max: None,
        power_min: None,
        resistance_microohm: (line["r_ohm"].as_f64().unwrap() * 1e6).round() as u64,
        reactance_microohm: (line["x_ohm"].as_f64().unwrap() * 1e6).round() as u64,
        rating_millivoltampere: None,
    };
    let feeder = Feeder {
        voltage_millivolt: (case["base"]["v_kv"].as_f64().unwrap() * 1e6).round() as u64,
        root: text(&case["root"]),
        buses: list(&case["nodes"]).iter().map(|node| text(&node["id"])).collect(),
        lines: list(&case["lines"]).iter().map(line).collect(),
    };
    let mut loads = vec![Load::default(); feeder.buses.len()];
    for site in list(&case["sites"]) {
        let bus = feeder.buses.iter().position(|bus| site["node"] == bus.as_str()).unwrap();
        let kw = power_kw(site);
        loads[bus].power += Milliwatt::from_kw(kw).unwrap();
        loads[bus].reactive_millivar += (kvar(site, kw) * 1e6).round() as i64;
    }
    solve(&feeder, &feeder.tree().unwrap(), case["v_root_pu"].as_f64().unwrap(), &loads).unwrap()
}

#[test]
fn the_33_bus_feeder_is_as_published() {
    // Baran and Wu, IEEE Trans. Power Delivery 4(2), 1989; figures to this precision as in MATPOWER's
    // case33bw.
    let case = read("powerflow/b13_33bus_infeasible_voltage.json");
    let nominal = |site: &Value| site["curve"][0][1].as_f64().unwrap();
    let got = flow(&case, nominal, |site, kw| site["q"]["tan_phi"].as_f64().unwrap() * kw);
    let lowest = got.voltages_pu.iter().copied().fold(f64::INFINITY, f64::min);
    assert!((got.loss_kw - 202.677).abs() < 5e-4, "losses {} kW", got.loss_kw);
    assert!((lowest - 0.91309).abs() < 5e-6, "lowest voltage {lowest} p.u.");
    assert!((got.import_kw - 3_715.0 - got.loss_kw).abs() < 1e-6);
}

fn check_against_newton(path: &str) {
    let case = read(path);
    let expected = &case["expected"];
    let site_kw = |site: &Value| expected["site_p_kw"][text(&site["id"])].as_f64().unwrap();
    let site_kvar = |site: &Value, _| expected["site_q_kvar"][text(&site["id"])].as_f64().unwrap();
    let got = flow(&case, site_kw, site_kvar);
    let ac = &expected["ac"];
    for (bus, (got, voltage)) in got.voltages_pu.iter().zip(list(&ac["v_pu"])).enumerate() {
        assert!((got - voltage.as_f64().unwrap()).abs() < 1e-6, "{path}: bus {bus} at {got}");
    }
    assert!((got.loss_kw - ac["loss_kw"].as_f64().unwrap()).abs() < 1e-2, "{path}: {}", got.loss_kw);
    assert!((got.import_kw - ac["import_kw"].as_f64().unwrap()).abs() < 1e-2, "{path}: {}", got.import_kw);
}

#[test]
fn dispatches_flow_as_newton_says() {
    check_against_newton("powerflow/b02_33bus_voltage.json");
    check_against_newton("powerflow/b05_33bus_reverse.json");
    check_against_newton("feeder/e03_simbench_lv_rural1.json");
}
