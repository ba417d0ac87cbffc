//! Hostile cases: whatever stands in a file, `gridpact clear` ends with an error, with the limit that
//! can't be met, or with a result that an independent judge finds optimal.
//!
//! The seeded run here is short. A long one, printing how each kind of case ended:
//!
//! ```text
//! GRIDPACT_FUZZ_CASES=1000000 GRIDPACT_FUZZ_SEED=4294967296 \
//!   cargo test --release -p gridpact --test it -- --ignored --nocapture hostile
//! ```

use super::{cases, day, days, invent, judge};
use gridpact::clear::{clear_case, Outcome};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// Every this many cases the AC power flow and correction are run as well.
const AC_EVERY: u64 = 8;

/// The cases that are spoilt.
fn sound() -> Vec<Value> {
    let mut sound = cases();
    sound.extend(days());
    sound
}

/// Clears one case. How it ended, in a word or two; or what is wrong.
fn outcome(seed: u64, sound: &[Value]) -> Result<String, String> {
    let text = invent::case(seed, sound);
    let ac = seed.is_multiple_of(AC_EVERY);
    let cleared = catch_unwind(AssertUnwindSafe(|| clear_case(text.as_bytes(), ac)));
    let wrong = |what: String| Err(format!("seed {seed}{}: {what}\n{text}", if ac { " --ac" } else { "" }));
    let result = match cleared {
        Err(_) => return wrong("it panicked".to_owned()),
        // The kind of refusal: the words before the first colon.
        Ok(Err(refusal)) => return Ok(refusal.to_string().split(':').next().unwrap_or_default().to_owned()),
        Ok(Ok(Outcome::Optimal(result) | Outcome::Infeasible(result, _))) => result,
    };
    if result["status"] == "infeasible" {
        let named = result["infeasible"]["limit"].is_string();
        return if named { Ok("infeasible".to_owned()) } else { wrong("no limit is named".to_owned()) };
    }
    let case: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let (end, faults) = match result["import_kw"].is_array() {
        true => ("optimal over several intervals", day::faults(&case, &result)),
        false => ("optimal", judge::faults(&case, &result)),
    };
    match faults.is_empty() {
        true => Ok(end.to_owned()),
        false => wrong(faults.join("; ")),
    }
}

/// What is hostile about a case, each in a word or two.
fn hostilities(text: &str) -> Vec<&'static str> {
    let mut found: Vec<&str> =
        ["NaN", "Infinity", "1e999", "e+300"].into_iter().filter(|word| text.contains(word)).collect();
    let Ok(case) = serde_json::from_str::<Value>(text) else { return found };
    let list = |key: &str| case[key].as_array().cloned().unwrap_or_default();
    let (nodes, lines, sites) = (list("nodes"), list("lines"), list("sites"));
    let twice = |list: &[Value], key: &str| {
        let mut names: Vec<&str> = list.iter().filter_map(|one| one[key].as_str()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    };
    let reversed =
        |one: &Value, low: &str, high: &str| one[low].as_f64() > one[high].as_f64() && one[high].is_f64();
    let curve_of_none = |site: &Value| site["curve"].as_array().is_some_and(Vec::is_empty);
    let checks = [
        ("no nodes", nodes.is_empty()),
        ("an empty curve", sites.iter().any(curve_of_none)),
        ("one node", nodes.len() == 1),
        ("no impedance", lines.iter().any(|line| line["r_pu"] == 0.0 && line["x_pu"] == 0.0)),
        ("a loop", twice(&lines, "to") || lines.iter().any(|line| line["to"] == case["root"])),
        ("a name twice", ["nodes", "lines", "sites"].iter().any(|key| twice(&list(key), "id"))),
        ("reversed powers", lines.iter().any(|line| reversed(line, "p_min_kw", "p_max_kw"))),
        ("reversed voltages", nodes.iter().any(|node| reversed(node, "v_min_pu", "v_max_pu"))),
        ("several intervals", case["intervals"].as_u64() > Some(1)),
    ];
    found.extend(checks.into_iter().filter_map(|(word, holds)| holds.then_some(word)));
    found
}

#[test]
fn every_kind_of_hostility_is_invented() {
    let sound = sound();
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..20_000 {
        hostilities(&invent::case(seed, &sound))
            .into_iter()
            .for_each(|kind| *kinds.entry(kind).or_default() += 1);
    }
    assert!(kinds.len() == 13 && kinds.values().all(|count| *count >= 5), "{kinds:?}");
}

#[test]
fn a_few_thousand_hostile_cases_end_well() {
    let sound = sound();
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..3_000 {
        *ends.entry(outcome(seed, &sound).unwrap()).or_default() += 1;
    }
    let count = |end: &str| ends.get(end).copied().unwrap_or(0);
    // Else the cases would test nothing but the parser.
    assert!(
        count("optimal over several intervals") > 50
            && count("optimal") > 300
            && count("infeasible") > 50
            && count("not a valid case") > 300,
        "{ends:?}"
    );
}

#[test]
#[ignore = "runs for minutes; how to start it stands at the top of this file"]
fn very_many_hostile_cases_end_well() {
    let number = |key: &str, default: u64| std::env::var(key).map_or(default, |text| text.parse().unwrap());
    let (count, first) = (number("GRIDPACT_FUZZ_CASES", 1_000_000), number("GRIDPACT_FUZZ_SEED", 1 << 32));
    let sound = sound();
    let (mut ends, mut wrong) = (BTreeMap::<String, u64>::new(), Vec::<u64>::new());
    let mut slowest = (Duration::ZERO, 0);
    for seed in first..first + count {
        let start = Instant::now();
        match outcome(seed, &sound) {
            Ok(end) => *ends.entry(end).or_default() += 1,
            Err(what) => {
                println!("{what}");
                wrong.push(seed);
            }
        }
        slowest = slowest.max((start.elapsed(), seed));
        if (seed - first + 1).is_multiple_of(100_000) {
            println!("{} cases: {ends:?}, {} wrong", seed - first + 1, wrong.len());
        }
    }
    println!("{count} cases: {ends:?}; slowest {:?} (seed {})", slowest.0, slowest.1);
    assert!(wrong.is_empty(), "of {count} cases these ended wrongly: {wrong:?}");
    assert!(slowest.0 < Duration::from_secs(10), "seed {} took {:?}", slowest.1, slowest.0);
}
