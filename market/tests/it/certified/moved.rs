//! Ten thousand true certificates, each with one figure moved by more than its tolerance: all refused.
//!
//! Figures are found by walking the published form, so that none can be forgotten: a field nobody
//! said how to move fails the test.

use super::made::{made, Made};
use super::random::Random;
use market::grid::certificate::{PartyDemand, ReactiveTerms, Standby};
use market::grid::problem::Losses;
use market::units::PicoEurPerWh;
use serde_json::{json, Value};
use std::collections::BTreeMap;

const SEED: u64 = 20_260_122;
const WAYS: usize = 10_000;
const WATT: i64 = 1_000;
const PRICE_TOLERANCE: i64 = 1_000;

/// Every number below a value, by the path to it.
pub fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(path.to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| leaves(item, &format!("{path}/{i}"), found));
        }
        Value::Object(items) => {
            items.iter().for_each(|(key, item)| leaves(item, &format!("{path}/{key}"), found));
        }
        _ => {}
    }
}

/// The path without its indices: what kind of figure this is.
pub fn kind(path: &str) -> String {
    let names = path.split('/').filter(|part| !part.is_empty() && part.parse::<usize>().is_err());
    names.collect::<Vec<_>>().join(".")
}

/// What index stands in the path.
pub fn index(path: &str) -> usize {
    path.split('/').find_map(|part| part.parse().ok()).unwrap_or(0)
}

/// Somewhat or very much more than `least`, in either direction.
fn beyond(random: &mut Random, least: i64) -> i64 {
    random.sign() * more(random, least)
}

pub fn more(random: &mut Random, least: i64) -> i64 {
    least + random.between(1, 1 + least) * [0, 1, 100, 10_000][random.between(0, 3) as usize] + 1
}

/// More than the tolerance of a power of this size, or anything where sums must be exact.
fn power_beyond(random: &mut Random, made: &Made, figure: i64) -> i64 {
    let tolerance = WATT.max(figure.abs() / 1_000_000);
    let least = match made.network.losses {
        Losses::Neglected => 0,
        Losses::Carried => tolerance * 11 / 10,
        // A larger current explains either of real and reactive losses; up to 16 times as much of one.
        Losses::Relaxed => tolerance * 40,
    };
    beyond(random, least)
}

/// What to add to the figure at `path` so that the certificate is no longer a true one; none where no
/// figure there matters. A solver may use up the tolerance that a certificate made backwards leaves.
fn move_by(random: &mut Random, made: &Made, path: &str, figure: i64) -> Option<i64> {
    let i = index(path);
    let price = 2 * PRICE_TOLERANCE * 11 / 10;
    Some(match kind(path).as_str() {
        "clearing.import" | "clearing.import_reactive" => beyond(random, 0),
        "clearing.flows.power" | "clearing.flows.reactive" => power_beyond(random, made, figure),
        "clearing.prices" => beyond(random, price),
        "clearing.reactive_prices" if i == 0 => beyond(random, 0),
        "clearing.reactive_prices" => beyond(random, price),
        "clearing.multipliers.congestion" | "clearing.multipliers.apparent" if figure == 0 => {
            beyond(random, 0)
        }
        "clearing.multipliers.congestion" => beyond(random, price),
        "clearing.multipliers.apparent" => beyond(random, 2 * price),
        "clearing.multipliers.voltage" if figure == 0 => beyond(random, 0),
        "clearing.multipliers.voltage" => {
            // The place's own price must move: by twice this and the path's impedance.
            let network = &made.network;
            let mut reach = 0.0;
            let (mut place, mut ratio) = (i, 1.0);
            while place != 0 {
                reach += 2.0 * ratio * network.branches[place].reactance_pu_per_kva;
                ratio *= network.branches[place].ratio_square;
                place = network.parent[place];
            }
            beyond(random, (price as f64 / reach) as i64)
        }
        "clearing.reserve_up_price" | "clearing.reserve_down_price" => beyond(random, 0),
        _ => return move_party_by(random, made, path, figure, &made.parties[i]),
    })
}

fn move_party_by(
    random: &mut Random,
    made: &Made,
    path: &str,
    figure: i64,
    party: &PartyDemand,
) -> Option<i64> {
    let (price, power) = (2 * PRICE_TOLERANCE * 11 / 10, party.allocation.0);
    let reactive_price = made.clearing.reactive_prices[party.place].0;
    let kind = kind(path);
    if let (Some(field), Some(standby)) = (kind.strip_prefix("parties.reserve_up."), &party.reserve_up) {
        return move_standby_by(random, field, figure, (standby, power - standby.end.0, 1));
    }
    if let (Some(field), Some(standby)) = (kind.strip_prefix("parties.reserve_down."), &party.reserve_down) {
        return move_standby_by(random, field, figure, (standby, standby.end.0 - power, -1));
    }
    let given = party.reactive_allocation.0;
    Some(match (kind.as_str(), party.reactive) {
        // Who takes nothing may do so anywhere, but not nowhere.
        ("parties.place", _) if power == 0 && given == 0 => i64::MAX - figure,
        ("parties.place", _) => {
            let places = made.clearing.prices.len() as i64;
            let other = (figure + random.between(1, places - 1)) % places;
            [other - figure, places - figure, i64::MAX - figure][random.between(0, 2) as usize]
        }
        ("parties.answered", _) => beyond(random, 1),
        ("parties.range.low", _) => power - figure + more(random, 0),
        ("parties.range.high", _) => power - figure - more(random, 0),
        ("parties.allocation", _) => power_beyond(random, made, figure),
        ("parties.reactive_allocation", _) => power_beyond(random, made, figure),
        ("parties.reactive.fixed.reactive", _) => beyond(random, 0),
        ("parties.reactive.proportional.tan_phi_nano", _) if power.abs() < 10 * WATT => return None,
        ("parties.reactive.proportional.tan_phi_nano", _) => {
            beyond(random, (WATT as f64 * 2.2e9 / power.abs() as f64) as i64)
        }
        ("parties.reactive.range.min", _) => given - figure + more(random, 0),
        ("parties.reactive.range.max", _) => given - figure - more(random, 0),
        ("parties.reactive.range.cost_micro_eur_per_mvar2_h", ReactiveTerms::Range { min, max, .. }) => {
            let inside = min.0 + 1 < given && given < max.0 - 1 && figure > 0;
            if inside && reactive_price != 0 && given.abs() > WATT {
                // The slope there must change by more than the price tolerance and a millivar.
                beyond(random, (price as f64 * 5e8 / given.abs() as f64) as i64 + figure / 1_000_000)
            } else {
                -figure - more(random, 0)
            }
        }
        _ => panic!("{path} is a figure nobody said how to move"),
    })
}

/// `smaller` is the sign of a change of the end that leaves less room.
fn move_standby_by(
    random: &mut Random,
    field: &str,
    figure: i64,
    (standby, room, smaller): (&Standby, i64, i64),
) -> Option<i64> {
    let (award, most) = (standby.award.0, standby.max.0.min(room));
    let margin = (standby.answered - standby.price).0;
    Some(match field {
        // Of what there is no room for, neither price nor amount matters.
        "price" if most == 0 => return None,
        "max" if award > 0 => award - figure - more(random, 0),
        "max" => -figure - more(random, 0),
        "price" if award == 0 => margin - more(random, PRICE_TOLERANCE),
        "price" if award == most => margin + more(random, PRICE_TOLERANCE),
        "price" => beyond(random, 2 * PRICE_TOLERANCE),
        "end" => smaller * (room - award + more(random, 0)),
        "answered" => beyond(random, 0),
        "award" => [-award - more(random, 0), most - award + more(random, 0)][random.between(0, 1) as usize],
        _ => panic!("{field} of a standby is a figure nobody said how to move"),
    })
}

fn published(made: &Made) -> Value {
    json!({"clearing": made.clearing, "parties": made.parties})
}

fn moved(made: &Made, path: &str, figure: i64) -> Option<Made> {
    let mut value = published(made);
    *value.pointer_mut(path).unwrap() = json!(figure);
    let clearing = serde_json::from_value(value["clearing"].take()).ok()?;
    let parties = serde_json::from_value(value["parties"].take()).ok()?;
    Some(Made { clearing, parties, ..made.clone() })
}

/// Moves every figure of a certificate, one at a time, and counts by kind those that are refused,
/// which all must be.
pub fn move_all(random: &mut Random, made: &Made, name: &str, refused: &mut BTreeMap<String, usize>) {
    assert_eq!(made.verdict(), Ok(()), "{name}");
    let value = published(made);
    let mut paths = Vec::new();
    leaves(&value, "", &mut paths);
    for path in paths {
        let figure = value.pointer(&path).unwrap().as_i64().unwrap();
        let Some(by) = move_by(random, made, &path, figure) else { continue };
        // What does not even read, like a negative place, is refused before any check.
        let verdict = moved(made, &path, figure + by).map(|moved| moved.verdict());
        assert_ne!(verdict, Some(Ok(())), "{name}: {path} moved from {figure} by {by}");
        *refused.entry(kind(&path)).or_default() += 1;
    }
}

#[test]
fn ten_thousand_certificates_with_one_figure_moved_are_refused() {
    println!("seed {SEED}");
    let mut random = Random::new(SEED);
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = 0;
    for seed in SEED.. {
        move_all(&mut random, &made(seed), &format!("seed {seed}"), &mut refused);
        count = refused.values().sum();
        if count >= WAYS {
            break;
        }
    }
    println!("{count} refused: {refused:#?}");
    let kinds = [
        "clearing.import",
        "clearing.import_reactive",
        "clearing.prices",
        "clearing.reactive_prices",
        "clearing.flows.power",
        "clearing.flows.reactive",
        "clearing.multipliers.congestion",
        "clearing.multipliers.apparent",
        "clearing.multipliers.voltage",
        "clearing.reserve_up_price",
        "clearing.reserve_down_price",
        "parties.place",
        "parties.answered",
        "parties.range.low",
        "parties.range.high",
        "parties.allocation",
        "parties.reactive_allocation",
        "parties.reactive.fixed.reactive",
        "parties.reactive.proportional.tan_phi_nano",
        "parties.reactive.range.min",
        "parties.reactive.range.max",
        "parties.reactive.range.cost_micro_eur_per_mvar2_h",
    ];
    let standby = ["max", "price", "end", "answered", "award"];
    let standby = standby
        .into_iter()
        .flat_map(|f| [format!("parties.reserve_up.{f}"), format!("parties.reserve_down.{f}")]);
    for kind in kinds.into_iter().map(str::to_owned).chain(standby) {
        assert!(refused.get(&kind).is_some_and(|count| *count >= 20), "{kind} was hardly moved");
    }
}

#[test]
fn a_missing_or_repeated_figure_or_party_is_refused() {
    for seed in 0..200 {
        let made = made(seed);
        let check = |change: &dyn Fn(&mut Made)| {
            let mut changed = made.clone();
            change(&mut changed);
            assert!(changed.verdict().is_err(), "seed {seed}");
        };
        check(&|m| m.clearing.prices.truncate(m.clearing.prices.len() - 1));
        check(&|m| m.clearing.reactive_prices.truncate(m.clearing.reactive_prices.len() - 1));
        check(&|m| m.clearing.flows.truncate(m.clearing.flows.len() - 1));
        check(&|m| m.clearing.multipliers.truncate(m.clearing.multipliers.len() - 1));
        check(&|m| m.clearing.prices.push(PicoEurPerWh::ZERO));
        check(&|m| m.parties.truncate(m.parties.len() - 1));
        check(&|m| m.parties.push(m.parties[0]));
    }
}
