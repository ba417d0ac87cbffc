//! The commitments of one interval as one Merkle-sum root, with the path of each.

use super::super::figure::{Figure, Target};
use super::super::stopwatch::timed;
use super::super::BenchError;
use market::units::{Millivar, Milliwatt};
use wire::hash::Hash32;
use wire::merkle_sum::{verify, SumLeaf, SumTree};
use wire::party::PartyError;

/// Builds the tree over so many sites and takes every site's path.
///
/// # Errors
/// None: the accounts are identifiers.
pub fn measure(count: usize) -> Result<Vec<Figure>, BenchError> {
    let leaves = (0..count).map(leaf).collect::<Result<Vec<_>, _>>()?;
    let (duration, (root, paths)) = timed(|| {
        let tree = SumTree::build(&leaves);
        let paths: Vec<_> = (0..count).filter_map(|index| tree.path(index)).collect();
        (tree.root(), paths)
    });
    let hold = leaves.iter().zip(&paths).filter(|(leaf, path)| verify(leaf, path, &root)).count();
    Ok(vec![Figure {
        name: format!("{count} commitments of one interval, one root and a proof for each"),
        measured: duration.as_secs_f64(),
        unit: "s",
        target: Target::AtMost(1.0),
        detail: format!("{hold} of {count} proofs hold"),
    }])
}

fn leaf(number: usize) -> Result<SumLeaf, PartyError> {
    Ok(SumLeaf {
        account: format!("acct-{number}").parse()?,
        bid_hash: Hash32::of("gridpact bench bid", &[&(number as u64).to_be_bytes()]),
        allocation: Milliwatt(number as i64 % 7_001 - 3_500),
        reactive: Millivar::ZERO,
    })
}
