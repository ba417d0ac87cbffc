//! What memory the process has used so far, where the system says so.

/// Most resident memory so far, in megabytes of 1e6 bytes; none where there is no /proc.
pub fn most_resident_mb() -> Option<f64> {
    std::fs::read_to_string("/proc/self/status").ok().as_deref().and_then(high_water_mark_mb)
}

/// `VmHWM` of proc_pid_status(5), which is in kibibytes.
fn high_water_mark_mb(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024.0 / 1e6)
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
}
