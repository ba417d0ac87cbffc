//! Processor time that a process has used so far, all its threads together.

use rustix::time::{clock_gettime, ClockId};
use std::time::Duration;

/// Clock ticks in a second, as `times` in /proc are counted on every Linux that Rust builds for (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Seconds of processor time of the process with this id; none where there is no /proc, or no such process.
pub fn seconds_of(process: u32) -> Option<f64> {
    std::fs::read_to_string(format!("/proc/{process}/stat")).ok().as_deref().and_then(busy_seconds)
}

/// The same of this process. On a busy machine it says more of the work done than the time that has passed. By the
/// process's own clock: one that qemu-user runs is shown a file without these figures.
pub fn own_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32).as_secs_f64()
}

/// `utime` and `stime` of proc_pid_stat(5): the 14th and 15th field, the second being a name in
/// brackets that may hold spaces.
fn busy_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ones_own_is_what_the_system_says_of_it() {
        let own = std::process::id();
        let near = 2.0 / TICKS_PER_SECOND;
        let (before, between, after) = (seconds_of(own).unwrap(), own_seconds(), seconds_of(own).unwrap());
        assert!(before <= between + near && between <= after + near, "{before} {between} {after}");
    }

    #[test]
    fn it_is_read_behind_the_name() {
        let check = |stat: &str, expected| assert_eq!(busy_seconds(stat), expected, "{stat}");
        check("7 (a ) b) R 1 2 3 4 5 6 7 8 9 10 250 50 0 0", Some(3.0));
        check("7 (a b) c) S 1 7 7 0 -1 4194304 1 0 0 0 12 30 0 0 20 0 5 0 1 2 3", Some(0.42));
        check("7 (a) R 1 2", None);
        check("7", None);
        check("", None);
    }
}
