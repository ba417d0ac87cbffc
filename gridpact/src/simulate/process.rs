//! What the process has used so far, where the system says so.

/// Clock ticks in a second, as `times` in /proc are counted on every Linux that Rust builds for (USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Most resident memory so far, in megabytes of 1e6 bytes; none where there is no /proc.
pub fn most_resident_mb() -> Option<f64> {
    std::fs::read_to_string("/proc/self/status").ok().as_deref().and_then(high_water_mark_mb)
}

/// Seconds of processor time so far, all threads together; none where there is no /proc. On a busy
/// machine it says more of the work done than the time that has passed.
pub fn processor_seconds() -> Option<f64> {
    std::fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(busy_seconds)
}

/// `VmHWM` of proc_pid_status(5), which is in kibibytes.
fn high_water_mark_mb(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024.0 / 1e6)
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
    fn the_high_water_mark_is_read_off_the_status() {
        let check = |status: &str, expected| assert_eq!(high_water_mark_mb(status), expected, "{status}");
        check("Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t  250000 kB\nVmRSS:\t 1 kB\n", Some(256.0));
        check("Name:\tx\n", None);
        check("VmHWM:\tmuch\n", None);
    }

    #[test]
    fn processor_time_is_read_behind_the_name() {
        let check = |stat: &str, expected| assert_eq!(busy_seconds(stat), expected, "{stat}");
        check("7 (a ) b) R 1 2 3 4 5 6 7 8 9 10 250 50 0 0", Some(3.0));
        check("7 (a) R 1 2", None);
        check("", None);
    }
}
