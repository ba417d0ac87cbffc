//! What validators take that have nothing to do: the one that takes most counts.

use super::super::figure::{Figure, Target};
use super::super::BenchError;
use crate::cluster::process::Node;
use crate::cluster::Cluster;
use std::time::{Duration, Instant};

/// Time for what starting leaves behind.
const SETTLE: Duration = Duration::from_secs(5);

/// Processor time over so many seconds, and memory at their end. Nothing where the system does not say.
///
/// # Errors
/// Where a process ended.
pub fn measure(cluster: &mut Cluster, seconds: u64) -> Result<Vec<Figure>, BenchError> {
    std::thread::sleep(SETTLE);
    let used = |cluster: &Cluster| cluster.running().map(|(_, node)| node.cpu_seconds()).collect::<Vec<_>>();
    let (start, before) = (Instant::now(), used(cluster));
    std::thread::sleep(Duration::from_secs(seconds));
    let (lasted, after) = (start.elapsed().as_secs_f64(), used(cluster));
    cluster.check_alive()?;
    let shares = before.iter().zip(&after).filter_map(|(b, a)| Some(100.0 * ((*a)? - (*b)?) / lasted));
    let memories = cluster.running().filter_map(|(_, node): (_, &Node)| node.resident_mb());
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::NAN, f64::max);
    Ok(vec![
        Figure {
            name: "an idle validator: processor time".to_owned(),
            measured: most(&mut { shares }),
            unit: "% of a core",
            target: Target::AtMost(1.0),
            detail: format!("over {lasted:.0} s; the one of {} that took most", before.len()),
        },
        Figure {
            name: "an idle validator: memory".to_owned(),
            measured: most(&mut { memories }),
            unit: "MB",
            target: Target::AtMost(40.0),
            detail: "resident; the one that had most".to_owned(),
        },
    ])
}
