//! Invents market cases from a seed: sound ones made of awkward figures, and sound ones spoilt.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{json, Value};

/// Stands in a document for a number that [`Value`] can't hold; written as `1e999`.
const TOO_LARGE: &str = "@1e999";

/// A case as the text of a file.
pub fn case(seed: u64, sound: &[Value]) -> String {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut case = match rng.random_bool(0.3) {
        true => sound.choose(&mut rng).unwrap().clone(),
        false if rng.random_bool(0.1) => day(&mut rng),
        false => awkward(&mut rng),
    };
    for key in ["expected", "title", "tags", "seed"] {
        case.as_object_mut().unwrap().remove(key);
    }
    if rng.random_bool(0.7) {
        for _ in 0..rng.random_range(1..4) {
            spoil(&mut rng, &mut case);
        }
    }
    let text = case.to_string().replace(&format!("{TOO_LARGE:?}"), "1e999");
    match rng.random_range(0..200) {
        0 => text[..rng.random_range(0..text.len())].to_owned(),
        1 => text.replacen("0.0", "NaN", 1),
        2 => text.replacen("null", "Infinity", 1),
        _ => text,
    }
}

fn one_of(rng: &mut SmallRng, figures: &[f64]) -> f64 {
    figures.choose(rng).copied().unwrap_or_default()
}

fn kw(rng: &mut SmallRng) -> f64 {
    one_of(rng, &[0.0, 0.0, 1.0, 2.0, 5.0, 10.0, 10.0, 37.5, 100.0, 3e3, 1e-3, 1e-6, 1e6])
}

fn price(rng: &mut SmallRng) -> f64 {
    one_of(rng, &[-50.0, 0.0, 0.0, 20.0, 40.0, 40.0, 60.0, 60.0, 60.0, 80.0, 150.0, 1e4, 1e6])
}

fn curve(rng: &mut SmallRng, longest: usize) -> Value {
    let corners = rng.random_range(1..=longest);
    let mut prices: Vec<f64> = (0..corners).map(|_| price(rng)).collect();
    let sign = |rng: &mut SmallRng| if rng.random_bool(0.3) { -1.0 } else { 1.0 };
    let mut powers: Vec<f64> = (0..corners).map(|_| kw(rng) * sign(rng)).collect();
    prices.sort_by(f64::total_cmp);
    powers.sort_by(|a, b| f64::total_cmp(b, a));
    prices.iter().zip(&powers).map(|(price, power)| json!([price, power])).collect()
}

fn limit(rng: &mut SmallRng, often: f64, figures: &[f64]) -> Value {
    match rng.random_bool(often) {
        true => json!(one_of(rng, figures)),
        false => Value::Null,
    }
}

fn reactive(rng: &mut SmallRng) -> Value {
    match rng.random_range(0..5) {
        0 => json!({"mode": "fixed", "q_kvar": kw(rng)}),
        1 => json!({"mode": "tan", "tan_phi": one_of(rng, &[0.0, 0.3, 0.5, -0.2, 10.0])}),
        2 => json!({"mode": "range", "q_min_kvar": -kw(rng), "q_max_kvar": kw(rng),
            "cost_eur_per_mvarh2": one_of(rng, &[0.0, 2.0, 1e-6, 1e6])}),
        _ => json!({"mode": "none"}),
    }
}

/// A case of up to eight nodes whose figures tie, vanish, or differ by many powers of ten.
fn awkward(rng: &mut SmallRng) -> Value {
    let nodes = *[1, 2, 2, 3, 4, 5, 8].choose(rng).unwrap();
    let node = |place: usize, rng: &mut SmallRng| {
        json!({"id": format!("n{place}"),
            "v_min_pu": limit(rng, 0.3, &[0.9, 0.95, 0.99, 1.0]),
            "v_max_pu": limit(rng, 0.3, &[1.0, 1.0, 1.01, 1.05, 1.1])})
    };
    let pu = |rng: &mut SmallRng| one_of(rng, &[0.0, 0.0, 1e-9, 1e-4, 1e-3, 1e-3, 0.01, 0.1, 10.0]);
    let line = |place: usize, rng: &mut SmallRng| {
        json!({"id": format!("l{place}"), "from": format!("n{}", rng.random_range(0..place)), "to": format!("n{place}"),
            "r_pu": pu(rng), "x_pu": pu(rng),
            "p_max_kw": limit(rng, 0.3, &[0.0, 1.0, 5.0, 10.0, 100.0]),
            "p_min_kw": limit(rng, 0.3, &[0.0, -1.0, -5.0, -100.0]),
            "s_max_kva": limit(rng, 0.2, &[0.0, 1.0, 5.0, 50.0])})
    };
    let site = |index: usize, rng: &mut SmallRng| {
        let reserve = || json!({"max_kw": 4.0, "price": 2.0});
        let mut site = json!({"id": format!("s{index}"), "node": format!("n{}", rng.random_range(0..nodes)),
            "curve": curve(rng, 5), "q": reactive(rng), "emission_t_per_mwh": limit(rng, 0.1, &[0.0, 0.5])});
        if rng.random_bool(0.3) {
            site["reserve_up"] = reserve();
        }
        if rng.random_bool(0.1) {
            site["reserve_down"] = reserve();
        }
        site
    };
    let mut supply = curve(rng, 4);
    let mut powers: Vec<Value> = supply.as_array().unwrap().iter().map(|corner| corner[1].clone()).collect();
    powers.reverse();
    for (corner, power) in supply.as_array_mut().unwrap().iter_mut().zip(powers) {
        corner[1] = power;
    }
    if rng.random_bool(0.5) {
        supply = json!([[50.0, -1e5], [50.0, 1e5]]);
    }
    let sites = rng.random_range(0..7);
    json!({
        "schema": "market-case/1",
        "model": if rng.random_bool(0.15) { "branchflow_socp" } else { "lindistflow" },
        "base": {"s_kva": one_of(rng, &[1.0, 100.0, 1e3]), "v_kv": 0.4},
        "root": "n0",
        "v_root_pu": one_of(rng, &[1.0, 1.0, 1.05, 0.9]),
        "nodes": (0..nodes).map(|place| node(place, rng)).collect::<Vec<_>>(),
        "lines": (1..nodes).map(|place| line(place, rng)).collect::<Vec<_>>(),
        "sites": (0..sites).map(|index| site(index, rng)).collect::<Vec<_>>(),
        "tso": {"curve": supply, "emission_t_per_mwh": 0.4},
        "policy": {
            "carbon_price": limit(rng, 0.2, &[0.0, 50.0]),
            "loss_price": limit(rng, 0.2, &[0.0, 60.0, 1e4]),
            "reserve_up_kw": limit(rng, 0.15, &[0.0, 1.0, 5.0, 1e3]),
            "reserve_down_kw": limit(rng, 0.05, &[1.0]),
            "voltage_deviation_price": limit(rng, 0.1, &[0.0, 10.0]),
        },
    })
}

/// The same over a few intervals, with orders.
fn day(rng: &mut SmallRng) -> Value {
    let mut case = awkward(rng);
    let intervals = *[1, 2, 2, 3, 5, 8].choose(rng).unwrap();
    let node = |case: &Value, rng: &mut SmallRng| -> Value {
        case["nodes"].as_array().unwrap().choose(rng).unwrap()["id"].clone()
    };
    let curves: Vec<Value> = (0..intervals)
        .map(|_| match rng.random_bool(0.5) {
            true => json!([[price(rng), -1e5], [1e6, 1e5]]),
            false => case["tso"]["curve"].clone(),
        })
        .collect();
    case["tso"] = json!({"curves": curves, "emission_t_per_mwh": vec![0.4; intervals]});
    case["intervals"] = json!(intervals);
    case["interval_h"] = json!(one_of(rng, &[0.25, 1.0, 1.0, 6.0]));
    case["model"] = json!("lindistflow");
    case["policy"] = json!({
        "carbon_price": limit(rng, 0.2, &[0.0, 50.0]),
        "loss_price": limit(rng, 0.2, &[0.0, 60.0, 1e4]),
    });
    for site in case["sites"].as_array_mut().unwrap() {
        if rng.random_bool(0.5) {
            let scales: Vec<f64> = (0..intervals).map(|_| one_of(rng, &[0.0, 0.5, 1.0, 1.0, 1e-6])).collect();
            site["profile"] = json!(scales);
        }
    }
    let storages: Vec<Value> = (0..rng.random_range(0..4))
        .map(|index| {
            let room = kw(rng);
            json!({"id": format!("b{index}"), "node": node(&case, rng), "e_min_kwh": 0.0, "e_max_kwh": room,
                "e0_kwh": room * one_of(rng, &[0.0, 0.5, 1.0]), "e_end_min_kwh": room * one_of(rng, &[0.0, 0.5]),
                "p_ch_max_kw": kw(rng), "p_dis_max_kw": kw(rng), "eta_ch": one_of(rng, &[0.5, 0.9, 1.0]),
                "eta_dis": one_of(rng, &[0.5, 0.9, 1.0]), "wear_eur_per_mwh": one_of(rng, &[0.0, 2.0, 1e3])})
        })
        .collect();
    let deferrables: Vec<Value> = (0..rng.random_range(0..3))
        .map(|index| {
            let (start, most) = (rng.random_range(0..intervals), kw(rng));
            let end = rng.random_range(start..=intervals);
            let part = one_of(rng, &[0.0, 0.2, 0.5, 1.0, 1.0]);
            let hours = case["interval_h"].as_f64().unwrap() * (end - start) as f64;
            json!({"id": format!("d{index}"), "node": node(&case, rng), "energy_kwh": part * hours * most,
                "p_max_kw": most, "t_start": start, "t_end": end})
        })
        .collect();
    (case["storages"], case["deferrables"]) = (json!(storages), json!(deferrables));
    case
}

/// Changes one thing somewhere.
fn spoil(rng: &mut SmallRng, value: &mut Value) {
    let deeper = rng.random_bool(0.85);
    match value {
        Value::Object(fields) if deeper && !fields.is_empty() => {
            let at = rng.random_range(0..fields.len());
            spoil(rng, fields.values_mut().nth(at).unwrap());
        }
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = rng.random_range(0..items.len());
            spoil(rng, &mut items[at]);
        }
        Value::Object(fields) => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            match (rng.random_range(0..3), keys.choose(rng)) {
                (0, Some(key)) => drop(fields.remove(key)),
                (1, Some(key)) => drop(fields.insert(key.clone(), Value::Null)),
                _ => drop(fields.insert("surprise".to_owned(), json!(1))),
            }
        }
        Value::Array(items) => spoil_list(rng, items),
        Value::Number(number) => *value = spoilt_number(rng, number.as_f64().unwrap_or(0.0)),
        Value::String(_) => {
            let names =
                ["", "n0", "n1", "n2", "n3", "l1", "ln1", "s1", "tan", "range", "branchflow_socp", "\u{0}"];
            *value = json!(names.choose(rng));
        }
        Value::Null | Value::Bool(_) => *value = spoilt_number(rng, 1.0),
    }
}

fn spoil_list(rng: &mut SmallRng, items: &mut Vec<Value>) {
    let Some(item) = items.choose(rng).cloned() else {
        return items.push(json!([0.0, 0.0]));
    };
    match rng.random_range(0..6) {
        0 => items.clear(),
        1 => items.reverse(),
        2 => items.push(item),
        3 => items.truncate(1),
        4 => items.extend(std::iter::repeat_n(item, 300)),
        _ => drop(items.remove(rng.random_range(0..items.len()))),
    }
}

fn spoilt_number(rng: &mut SmallRng, number: f64) -> Value {
    let figures = [
        0.0, -0.0, 1.0, -1.0, 1e-300, 5e-324, 1e-12, 1e-6, 1e3, 1e6, 1e9, 1e12, 1e15, 1e300, -1e300, 1.7e308,
        4e18,
    ];
    match rng.random_range(0..9) {
        0 => json!(-number),
        1 => json!(number * 1e6),
        2 => json!(number * 1e-6),
        3 => json!(number * (1.0 + 1e-9)),
        4 => json!(TOO_LARGE),
        5 => Value::Null,
        _ => json!(one_of(rng, &figures)),
    }
}
