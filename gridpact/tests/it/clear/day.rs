//! Judges a result of several intervals: each interval as a case of its own, in which what orders do is load that
//! can't move; and every order by its own figures and the prices at its node.

use super::judge;
use serde_json::{json, Value};

/// Tolerances of powers and of prices in proportion to the largest: the certificate of several intervals is in
/// proportion to what is turned over.
const RELATIVE: f64 = 5e-6;
const RELATIVE_PRICE: f64 = 2e-6;

/// What a clearing may be from the best for every price to be judged.
const GAP_EUR: f64 = 1e-9;

/// What is wrong with a result that says it is optimal; nothing if it is.
pub fn faults(case: &Value, result: &Value) -> Vec<String> {
    let intervals = list(&result["import_kw"]).len();
    // A clearing may be as far from the best as its certificate says, in proportion to the whole supply. What it
    // says to be next to nothing is judged by price, all else by whether it can be and keeps its limits.
    let near = or(&result["certificate"]["gap_eur"], f64::NAN) <= GAP_EUR;
    let dearest = largest(result, &["node_price", "node_q_price"]);
    let price = if near { judge::PRICE + RELATIVE_PRICE * dearest } else { f64::MAX };
    let mut faults = Vec::new();
    for interval in 0..intervals {
        let (single, shown) = (case_at(case, result, interval), result_at(case, result, interval));
        let found = judge::faults_within(price, &single, &shown);
        faults.extend(found.into_iter().map(|fault| format!("interval {interval}: {fault}")));
    }
    let powers = ["site_p_kw", "site_q_kvar", "line_p_kw", "line_q_kvar"];
    let tolerance_kw = 2e-3 + RELATIVE * largest(result, &powers);
    for storage in list(&case["storages"]) {
        let what = format!("storage {}", storage["id"]);
        let mut order = Order { what, tolerance_kw, price, faults: &mut faults };
        order.storage(storage, &named(result, "storage", storage), (case, result));
    }
    for deferrable in list(&case["deferrables"]) {
        let what = format!("deferrable {}", deferrable["id"]);
        let mut order = Order { what, tolerance_kw, price, faults: &mut faults };
        order.deferrable(deferrable, (case, result));
    }
    faults
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn or(value: &Value, default: f64) -> f64 {
    value.as_f64().unwrap_or(default)
}

fn figures(value: &Value) -> Vec<f64> {
    list(value).iter().map(|figure| or(figure, f64::NAN)).collect()
}

/// What a result says of something with an id.
fn named(result: &Value, key: &str, of: &Value) -> Value {
    result[key][of["id"].as_str().unwrap_or_default()].clone()
}

/// The largest figure under some keys.
fn largest(result: &Value, keys: &[&str]) -> f64 {
    let lists = keys.iter().flat_map(|key| result[key].as_object().into_iter().flatten());
    lists.flat_map(|(_, list)| figures(list)).map(f64::abs).fold(0.0, f64::max)
}

/// What the orders at each node do in an interval, as sites.
fn orders_at<'a>(
    case: &'a Value,
    result: &'a Value,
    interval: usize,
) -> impl Iterator<Item = (String, &'a Value, f64)> {
    let figure = move |value: &Value| or(&value[interval], f64::NAN);
    let storages = list(&case["storages"]).iter().map(move |order| {
        let shown = named(result, "storage", order);
        let power = figure(&shown["charge_kw"]) - figure(&shown["discharge_kw"]);
        (format!("storage {}", order["id"]), &order["node"], power)
    });
    let deferrables = list(&case["deferrables"]).iter().map(move |order| {
        let power = figure(&named(result, "deferrable_kw", order));
        (format!("deferrable {}", order["id"]), &order["node"], power)
    });
    storages.chain(deferrables)
}

/// One interval's case.
fn case_at(case: &Value, result: &Value, interval: usize) -> Value {
    let mut single = case.clone();
    for key in ["intervals", "storages", "deferrables"] {
        single.as_object_mut().unwrap().remove(key);
    }
    for site in single["sites"].as_array_mut().unwrap() {
        let scale = or(&site["profile"][interval], 1.0);
        site.as_object_mut().unwrap().remove("profile");
        for corner in site["curve"].as_array_mut().unwrap() {
            corner[1] = json!(or(&corner[1], f64::NAN) * scale);
        }
    }
    for (id, node, power) in orders_at(case, result, interval) {
        let site = json!({"id": id, "node": node, "curve": [[0.0, power]], "q": {"mode": "none"}});
        single["sites"].as_array_mut().unwrap().push(site);
    }
    if case["tso"]["curves"].is_array() {
        single["tso"]["curve"] = case["tso"]["curves"][interval].clone();
    }
    if case["tso"]["emission_t_per_mwh"].is_array() {
        single["tso"]["emission_t_per_mwh"] = case["tso"]["emission_t_per_mwh"][interval].clone();
    }
    single
}

/// One interval's result.
fn result_at(case: &Value, result: &Value, interval: usize) -> Value {
    fn at(value: &Value, interval: usize) -> Value {
        match value {
            Value::Array(list) => list.get(interval).cloned().unwrap_or(Value::Null),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), at(value, interval))).collect()
            }
            other => other.clone(),
        }
    }
    let mut single = at(result, interval);
    for (id, _, power) in orders_at(case, result, interval) {
        single["site_p_kw"][&id] = json!(power);
        single["site_q_kvar"][&id] = json!(0.0);
    }
    single
}

/// One order's figures.
struct Order<'f> {
    what: String,
    tolerance_kw: f64,
    price: f64,
    faults: &'f mut Vec<String>,
}

impl Order<'_> {
    fn within(&mut self, what: &str, figure: f64, (least, most): (f64, f64), tolerance: f64) {
        let fits = figure >= least - tolerance && figure <= most + tolerance;
        if !fits {
            self.faults.push(format!("{} {what}: {figure} is not within {least} to {most}", self.what));
        }
    }

    /// A figure within its bounds, at the one that its cost has it at unless that is nothing.
    fn best(&mut self, what: &str, figure: f64, (least, most): (f64, f64), cost: f64) {
        let range = match cost {
            cost if cost > self.price => (least, least),
            cost if cost < -self.price => (most, most),
            _ => (least, most),
        };
        self.within(what, figure, range, self.tolerance_kw);
    }

    fn storage(&mut self, order: &Value, shown: &Value, (case, result): (&Value, &Value)) {
        let figure = |key: &str| or(&order[key], 0.0);
        let hours = or(&case["interval_h"], 1.0);
        let prices = figures(&result["node_price"][order["node"].as_str().unwrap_or_default()]);
        let (charge, discharge) = (figures(&shown["charge_kw"]), figures(&shown["discharge_kw"]));
        let (energy, values) = (figures(&shown["energy_kwh"]), figures(&shown["stored_value_eur_per_mwh"]));
        let (into, out, wear) = (figure("eta_ch"), figure("eta_dis"), figure("wear_eur_per_mwh"));
        self.within("at first", energy[0], (figure("e0_kwh"), figure("e0_kwh")), 1e-9 * energy[0].abs());
        for (t, price) in prices.iter().enumerate() {
            let stored = energy[t] + hours * (into * charge[t] - discharge[t] / out);
            let tolerance_kwh = hours * self.tolerance_kw + 1e-6 * stored.abs();
            self.within(&format!("energy {t}"), energy[t + 1], (stored, stored), tolerance_kwh);
            let last = t + 1 == prices.len();
            let least =
                if last { figure("e_min_kwh").max(figure("e_end_min_kwh")) } else { figure("e_min_kwh") };
            let bounds = (least, figure("e_max_kwh"));
            let fall = values[t] - values.get(t + 1).copied().unwrap_or(0.0);
            let range = match fall {
                fall if fall > self.price => (bounds.0, bounds.0),
                fall if fall < -self.price => (bounds.1, bounds.1),
                _ => bounds,
            };
            self.within(&format!("state {t}"), energy[t + 1], range, tolerance_kwh);
            let worth = values[t];
            self.best(
                &format!("charge {t}"),
                charge[t],
                (0.0, figure("p_ch_max_kw")),
                wear + price - into * worth,
            );
            let cost = wear + worth / out - price;
            self.best(&format!("discharge {t}"), discharge[t], (0.0, figure("p_dis_max_kw")), cost);
        }
    }

    fn deferrable(&mut self, order: &Value, (case, result): (&Value, &Value)) {
        let prices = figures(&result["node_price"][order["node"].as_str().unwrap_or_default()]);
        let power = figures(&named(result, "deferrable_kw", order));
        let worth = or(&named(result, "deferrable_value_eur_per_mwh", order), f64::NAN);
        let whole = |key: &str| order[key].as_u64().unwrap_or(0) as usize;
        let (window, hours) = (whole("t_start")..whole("t_end"), or(&case["interval_h"], 1.0));
        for (t, (price, power)) in prices.iter().zip(&power).enumerate() {
            let most = if window.contains(&t) { or(&order["p_max_kw"], 0.0) } else { 0.0 };
            self.best(&format!("in {t}"), *power, (0.0, most), price - worth);
        }
        let (taken, due) = (hours * power.iter().sum::<f64>(), or(&order["energy_kwh"], 0.0));
        let tolerance_kwh = hours * self.tolerance_kw * (1 + window.len()) as f64;
        self.within("in all", taken, (due, due), tolerance_kwh);
    }
}
