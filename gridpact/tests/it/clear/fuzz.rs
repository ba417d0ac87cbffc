//! Hostile cases: whatever stands in a file, `gridpact clear` ends with an error, with the limit that
//! can't be met, or with a result that an independent judge finds optimal.
//!
//! The seeded run here is short. A long one, printing how each kind of case ended:
//!
//! ```text
//! GRIDPACT_FUZZ_CASES=1000000 GRIDPACT_FUZZ_SEED=4294967296 \
//!   cargo test --release -p gridpact --test it -- --ignored --nocapture hostile
//! ```

use super::{cases, invent, judge};
use gridpact::clear::{clear_case, Outcome};
use serde_json::Value;
use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::time::{Duration, Instant};

/// Every this many cases the AC power flow and correction are run as well.
const AC_EVERY: u64 = 8;

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
    if result["import_kw"].is_array() {
        return Ok("optimal over several intervals".to_owned());
    }
    let case: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    match judge::faults(&case, &result) {
        faults if faults.is_empty() => Ok("optimal".to_owned()),
        faults => wrong(faults.join("; ")),
    }
}

#[test]
fn a_few_thousand_hostile_cases_end_well() {
    let sound = cases();
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..3_000 {
        *ends.entry(outcome(seed, &sound).unwrap()).or_default() += 1;
    }
    let count = |end: &str| ends.get(end).copied().unwrap_or(0);
    // Else the cases would test nothing but the parser.
    assert!(
        count("optimal") > 300 && count("infeasible") > 50 && count("not a valid case") > 300,
        "{ends:?}"
    );
}

#[test]
#[ignore = "runs for minutes; how to start it stands at the top of this file"]
fn very_many_hostile_cases_end_well() {
    let number = |key: &str, default: u64| std::env::var(key).map_or(default, |text| text.parse().unwrap());
    let (count, first) = (number("GRIDPACT_FUZZ_CASES", 1_000_000), number("GRIDPACT_FUZZ_SEED", 1 << 32));
    let sound = cases();
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
