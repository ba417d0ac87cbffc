//! Says when the program is built: what SOURCE_DATE_EPOCH says (reproducible-builds.org), or the day.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_S: u64 = 86_400;

fn main() {
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo:rerun-if-changed=build.rs");
    let said = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.trim().parse::<u64>().ok());
    let now =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / DAY_S * DAY_S);
    println!("cargo:rustc-env=PROGRAM_BUILT_S={}", said.unwrap_or_else(now));
}
