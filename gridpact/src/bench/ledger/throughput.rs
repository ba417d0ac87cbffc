//! Entries a second from signed in advance to final, as a client sees them. The client sends no more than
//! a window beyond what it saw decided, and sends again what does not come back.

use super::super::figure::{Figure, Target};
use super::super::BenchError;
use crate::clock::wall_ms;
use crate::cluster::follower::{name, Follower, Name, Publisher};
use crate::cluster::layout::VALIDATORS;
use crate::cluster::submitters::Submitters;
use crate::cluster::{Cluster, ClusterError};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use wire::entry::SignedEnvelope;

/// Most entries sent and not seen decided.
const WINDOW: usize = 6_000;
/// Without any entry decided for so long, all that are out are sent again.
const SILENCE: Duration = Duration::from_secs(3);
/// Silences after which it is given up.
const MOST_SILENCES: usize = 20;

/// What came of a load.
pub struct Load {
    /// Entries, all of them final.
    pub entries: usize,
    /// From the first one sent to the last one seen.
    pub lasted: Duration,
    /// Blocks they came in.
    pub blocks: usize,
    /// Entries sent again.
    again: usize,
    /// Processor seconds of the validators and of this client, where the system says it.
    cpu: Option<(f64, f64)>,
}

/// Submits so many entries and waits until all are final.
///
/// # Errors
/// Where they don't become so.
pub async fn measure(
    cluster: &mut Cluster,
    submitters: &mut Submitters,
    count: usize,
) -> Result<Load, BenchError> {
    let boot = wall_ms();
    let entries = submitters.sign(count, boot)?;
    let mut follower = Follower::connect(&cluster.layout, &[0], boot).await?;
    let everyone: Vec<usize> = (0..VALIDATORS).collect();
    let publisher = Publisher::connect(&cluster.layout, &everyone, &format!("bench-load-{boot}"));
    let mut out = Outstanding::new(&entries);
    let used = |cluster: &Cluster| {
        let validators: Option<f64> = cluster.running().map(|(_, node)| node.cpu_seconds()).sum();
        Some((validators?, crate::processor_time::own_seconds()))
    };
    let (start, before) = (Instant::now(), used(cluster));
    let mut load = Load { entries: count, lasted: Duration::ZERO, blocks: 0, again: 0, cpu: None };
    let mut silences = 0usize;
    while out.seen < count {
        while out.sent < count && out.sent - out.seen < WINDOW {
            publisher.publish(out.sent, &entries[out.sent]);
            out.sent += 1;
        }
        match follower.next(SILENCE).await {
            Some(seen) => {
                load.blocks += 1;
                if out.decided(&seen.entries) > 0 {
                    silences = 0;
                }
                load.lasted = seen.at - start;
            }
            None => {
                cluster.check_alive()?;
                silences += 1;
                if silences > MOST_SILENCES {
                    let what = format!("entry {} of {count}", out.seen + 1);
                    return Err(ClusterError::Late { what, limit: SILENCE * MOST_SILENCES as u32 }.into());
                }
                for place in out.missing() {
                    publisher.publish(place + silences, &entries[place]);
                    load.again += 1;
                }
            }
        }
    }
    let after = used(cluster);
    load.cpu = before.zip(after).map(|(before, after)| (after.0 - before.0, after.1 - before.1));
    Ok(load)
}

/// Which entries are out.
struct Outstanding {
    places: HashMap<Name, usize>,
    decided: Vec<bool>,
    sent: usize,
    seen: usize,
}

impl Outstanding {
    fn new(entries: &[SignedEnvelope]) -> Self {
        let places = entries.iter().enumerate().map(|(place, entry)| (name(entry), place)).collect();
        Self { places, decided: vec![false; entries.len()], sent: 0, seen: 0 }
    }

    /// Takes a block's entries; how many of ours were new.
    fn decided(&mut self, names: &[Name]) -> usize {
        let before = self.seen;
        for place in names.iter().filter_map(|name| self.places.get(name)) {
            if !std::mem::replace(&mut self.decided[*place], true) {
                self.seen += 1;
            }
        }
        self.seen - before
    }

    /// Places of what was sent and not decided.
    fn missing(&self) -> Vec<usize> {
        (0..self.sent).filter(|place| !self.decided[*place]).collect()
    }
}

impl Load {
    /// Final entries a second against what verifying their signatures at every validator leaves room for.
    pub fn figure(&self, verified_per_second: f64) -> Figure {
        let rate = self.entries as f64 / self.lasted.as_secs_f64();
        let limit = verified_per_second / VALIDATORS as f64;
        let cpu = self.cpu.map_or_else(String::new, |(validators, client)| {
            let each = |seconds: f64| seconds * 1e6 / self.entries as f64;
            format!(
                "; of processor time an entry took {:.0} us at all validators and {:.0} us at the client",
                each(validators),
                each(client)
            )
        });
        Figure {
            name: format!("{} entries, signed and submitted one by one, until final", self.entries),
            measured: rate / limit,
            unit: "x raw batch verification",
            target: Target::AtLeast(0.5),
            detail: format!(
                "{rate:.0} a second in {} blocks, {} sent again; all cores verify for {VALIDATORS} validators {limit:.0} a second{cpu}",
                self.blocks, self.again
            ),
        }
    }
}
