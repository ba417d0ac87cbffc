//! How long something takes, undisturbed as far as that can be had: the best of several runs.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long one run takes, and what it gives.
pub fn timed<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = black_box(run());
    (start.elapsed(), result)
}

/// The best of `runs` rounds of `times` runs each, for one run.
pub fn best<T>(runs: usize, times: u32, mut run: impl FnMut() -> T) -> Duration {
    let round = || {
        let start = Instant::now();
        for _ in 0..times {
            black_box(run());
        }
        start.elapsed() / times
    };
    std::iter::repeat_with(round).take(runs).min().unwrap_or(Duration::MAX)
}

/// In milliseconds.
pub fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
