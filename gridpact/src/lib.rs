//! The program people run, as a library, so that tests play what the commands play.

pub mod api;
pub mod audit;
pub mod bench;
pub mod check;
pub mod clear;
pub mod cli;
mod clock;
pub mod cluster;
pub mod configuration;
pub mod console;
pub mod demo;
pub mod device;
pub mod forecast;
pub mod gateway;
pub mod logging;
pub mod members;
pub mod metrics_page;
pub mod neighbourhood;
pub mod processor_time;
pub mod proof;
pub mod provision;
pub mod run;
pub mod sim;
pub mod simulate;
mod stop;
pub mod token;
pub mod topics_page;
pub mod torment;

/// When this program was built, in seconds since 1970: the day of the build, or what SOURCE_DATE_EPOCH says. No clock that
/// says an earlier time is right.
pub const BUILT_S: i64 = seconds(env!("PROGRAM_BUILT_S"));

/// Decimal digits as a number, when the program is compiled.
const fn seconds(digits: &str) -> i64 {
    let (digits, mut sum, mut at) = (digits.as_bytes(), 0, 0);
    while at < digits.len() {
        sum = sum * 10 + (digits[at] - b'0') as i64;
        at += 1;
    }
    sum
}
