//! `gridpact clear --orders`: the cases of a file, each a market in the form of another system. Which form
//! is told by a case's keys; each has a file of its own here.

mod bids;
mod curves;
mod nodal;
mod steps;
#[cfg(test)]
mod tests;

use super::refusal::Refusal;
use market::units::PicoEurPerWh;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::Deserialize;
use serde_json::{json, Map, Value};

/// Keys that only describe a case, of whatever form.
const DESCRIPTIVE: [&str; 13] = [
    "checked",
    "derived",
    "expected",
    "expected_gen_mw",
    "expected_trades",
    "interval_is_a_point",
    "label",
    "n_rejected_bids",
    "n_valid_bids",
    "note",
    "price_in_competitive_interval",
    "quantity_is_max_volume",
    "source",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "convention")]
    _convention: IgnoredAny,
    cases: Vec<Map<String, Value>>,
}

/// Clears every case of a file, given as JSON.
///
/// # Errors
/// [`Refusal`] where it is not a file of such cases; the message names the place.
pub fn clear_orders(bytes: &[u8]) -> Result<Value, Refusal> {
    let file: File = serde_json::from_slice(bytes)?;
    let one = |(i, case)| clear_one(&format!("cases[{i}]"), case);
    let results = file.cases.into_iter().enumerate().map(one);
    Ok(json!({ "results": results.collect::<Result<Vec<_>, _>>()? }))
}

fn clear_one(place: &str, mut case: Map<String, Value>) -> Result<Value, Refusal> {
    case.retain(|key, _| !DESCRIPTIVE.contains(&key.as_str()));
    let has = |key: &str| case.contains_key(key);
    if has("market_basis") {
        return steps::clear(place, parse(place, case)?);
    }
    if has("lines") || has("network") {
        return nodal::clear(place, parse(place, case)?);
    }
    match (has("bids"), has("curves")) {
        (true, false) => bids::clear(place, parse(place, case)?),
        (false, true) => curves::clear(place, parse(place, case)?),
        _ => Err(Refusal::invalid(place, "it needs either bids or curves, or lines of a network")),
    }
}

fn parse<T: DeserializeOwned>(place: &str, case: Map<String, Value>) -> Result<T, Refusal> {
    T::deserialize(Value::Object(case)).map_err(|error| Refusal::invalid(place, error))
}

fn price(place: String, eur_per_mwh: f64) -> Result<PicoEurPerWh, Refusal> {
    let price = PicoEurPerWh::from_eur_per_mwh(eur_per_mwh);
    price.ok_or_else(|| Refusal::invalid(place, "the price is out of bounds"))
}
