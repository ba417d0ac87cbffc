//! Which hearts beat, and whether a process is ready for its work: decided from counts and gauges alone.

use std::collections::BTreeMap;

/// Milliseconds after the last beat at which a heart has stopped. Roles beat four times a second, validators and brokers
/// once; none may be kept from it for so long.
pub const PATIENCE_MS: u64 = 15_000;

/// Part of a validator's connections that must stand: more than this, as two of three validators make a block.
const CONNECTIONS: (usize, usize) = (2, 3);
/// Bytes below which a disk is as good as full.
const DISK_LEAST: u64 = 20 << 20;

/// When each heart was last seen to beat.
#[derive(Clone, Debug, Default)]
pub struct Heartbeats {
    seen: BTreeMap<String, Beat>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Beat {
    count: u64,
    at_ms: u64,
}

impl Heartbeats {
    /// A heart begins to beat now.
    pub fn expect(&mut self, who: &str, now_ms: u64) {
        self.seen.entry(who.to_owned()).or_insert(Beat { count: 0, at_ms: now_ms });
    }

    /// A heart has beaten so often by now. Those that nobody expects don't count.
    pub fn observe(&mut self, who: &str, count: u64, now_ms: u64) {
        if let Some(beat) = self.seen.get_mut(who).filter(|beat| beat.count != count) {
            *beat = Beat { count, at_ms: now_ms };
        }
    }

    /// Those that have not beaten for longer than `patience_ms`.
    pub fn stopped(&self, now_ms: u64, patience_ms: u64) -> Vec<String> {
        let stopped = self.seen.iter().filter(|(_, beat)| now_ms.saturating_sub(beat.at_ms) > patience_ms);
        stopped.map(|(who, _)| who.clone()).collect()
    }

    /// All of them.
    pub fn all(&self) -> Vec<String> {
        self.seen.keys().cloned().collect()
    }
}

/// What is known of one role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleStanding {
    /// Whose, as `site/s1`.
    pub who: String,
    /// Its connections to brokers, and how many of them stand.
    pub connections: (usize, usize),
    /// Whether more of them are needed than one.
    pub needs_most: bool,
    /// Whether it may go by its clock; nothing where it has none of its own.
    pub clock_sane: Option<bool>,
    /// Whether the ledger has gone on without it.
    pub behind: bool,
}

/// What is known of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is still starting.
    pub starting: bool,
    /// Whether the system's clock says a time before the program was built.
    pub clock_before_build: bool,
    /// Hearts that have stopped.
    pub stopped: Vec<String>,
    /// Its roles.
    pub roles: Vec<RoleStanding>,
    /// Folders of data with their free bytes, as far as they are known.
    pub disks: Vec<(String, u64)>,
}

impl Standing {
    /// Why the process is not ready; nothing where it is.
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.starting {
            reasons.push("it is still starting".to_owned());
        }
        if self.clock_before_build {
            reasons.push("the clock says a time before this program was built: it is not set yet".to_owned());
        }
        reasons.extend(self.stopped.iter().map(|who| format!("{who}: its heartbeat has stopped")));
        for role in &self.roles {
            let who = &role.who;
            let (all, standing) = role.connections;
            let (part, of) = CONNECTIONS;
            if all > 0 && standing == 0 {
                reasons.push(format!("{who}: no connection to a broker stands"));
            } else if role.needs_most && standing * of <= all * part {
                reasons.push(format!("{who}: only {standing} of {all} connections to brokers stand"));
            }
            if role.clock_sane == Some(false) {
                reasons.push(format!(
                    "{who}: its clock is not borne out, so it says nothing that is bound to a time"
                ));
            }
            if role.behind {
                reasons.push(format!("{who}: the ledger has gone on, and it is catching up"));
            }
        }
        let full = self.disks.iter().filter(|(_, free)| *free < DISK_LEAST);
        reasons.extend(full.map(|(folder, free)| {
            format!("{folder}: {} MiB free, so its disk is as good as full", free >> 20)
        }));
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heart_has_stopped_when_its_count_stands_still_for_too_long() {
        let mut hearts = Heartbeats::default();
        hearts.expect("site/s1", 0);
        hearts.expect("dso/d1", 0);
        hearts.observe("nobody", 5, 10);
        let mut check = |beats: &[(&str, u64)], now_ms, expected: &[&str]| {
            beats.iter().for_each(|(who, count)| hearts.observe(who, *count, now_ms));
            assert_eq!(hearts.stopped(now_ms, 1_000), expected, "{beats:?} at {now_ms}");
        };
        check(&[], 1_000, &[]);
        check(&[("site/s1", 1)], 1_001, &["dso/d1"]);
        check(&[("site/s1", 1), ("dso/d1", 1)], 2_001, &[]);
        check(&[("site/s1", 1), ("dso/d1", 2)], 2_002, &["site/s1"]);
        check(&[("site/s1", 2), ("dso/d1", 3)], 3_000, &[]);
    }

    fn check(standing: Standing, expected: &[&str]) {
        let reasons = standing.reasons();
        assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
        for (reason, part) in reasons.iter().zip(expected) {
            assert!(reason.contains(part), "{reason} without {part}");
        }
    }

    #[test]
    fn whatever_is_lacking_is_named() {
        let role = RoleStanding {
            who: "site/s1".into(),
            connections: (1, 1),
            clock_sane: Some(true),
            ..Default::default()
        };
        let with = |role: RoleStanding| Standing { roles: vec![role], ..Standing::default() };
        check(Standing::default(), &[]);
        check(with(role.clone()), &[]);
        check(with(RoleStanding { connections: (2, 0), ..role.clone() }), &["site/s1: no connection"]);
        check(with(RoleStanding { connections: (2, 1), ..role.clone() }), &[]);
        check(with(RoleStanding { connections: (4, 2), needs_most: true, ..role.clone() }), &["only 2 of 4"]);
        check(with(RoleStanding { connections: (4, 3), needs_most: true, ..role.clone() }), &[]);
        check(
            with(RoleStanding { clock_sane: Some(false), behind: true, ..role }),
            &["clock", "catching up"],
        );
        let all = Standing {
            starting: true,
            clock_before_build: true,
            stopped: vec!["dso/d1".into()],
            roles: Vec::new(),
            disks: vec![("/a".into(), 1 << 20), ("/b".into(), 1 << 30)],
        };
        check(all, &["starting", "before this program", "dso/d1: its heartbeat", "/a: 1 MiB"]);
    }
}
