//! The last judgement: every folder is replayed from the genesis, and all must hold the same.

use super::TormentError;
use crate::cluster::follower::{name, Name};
use crate::cluster::layout::{Layout, VALIDATORS};
use ledger::verify::replay;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use wire::hash::Hash32;

/// What every folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Height of the last block.
    pub height: u64,
    /// Entries decided.
    pub entries: usize,
    /// Sum of all balances.
    pub total_nano_eur: i128,
}

/// One folder's blocks by height, from 1, and what is in them.
struct Held {
    path: PathBuf,
    blocks: Vec<Hash32>,
    entries: HashMap<Name, u64>,
    total_nano_eur: i128,
}

/// Replays every validator's folder, holds them against each other, and against what was seen decided.
///
/// # Errors
/// The first thing that does not hold.
pub fn judge(layout: &Layout, seen: &HashMap<Name, u64>) -> Result<Verdict, TormentError> {
    let held: Vec<Held> =
        (0..VALIDATORS).map(|index| hold(&layout.data_dir(index))).collect::<Result<_, _>>()?;
    let expected: i128 = layout.genesis.balances.iter().map(|(_, balance)| i128::from(balance.0)).sum();
    for each in &held {
        check(each, &held[0], seen, expected)?;
    }
    let first = &held[0];
    Ok(Verdict {
        height: first.blocks.len() as u64,
        entries: first.entries.len(),
        total_nano_eur: first.total_nano_eur,
    })
}

fn hold(path: &Path) -> Result<Held, TormentError> {
    let wrong = |error| TormentError::Verify { path: path.to_owned(), source: Box::new(error) };
    let (mut blocks, mut entries) = (Vec::new(), HashMap::new());
    let mut replay = replay(path).map_err(wrong)?;
    for replayed in replay.by_ref() {
        let decided = replayed.map_err(wrong)?.decided;
        blocks.push(decided.block.header.hash());
        entries.extend(decided.block.entries.iter().map(|entry| (name(entry), decided.height())));
    }
    Ok(Held { path: path.to_owned(), blocks, entries, total_nano_eur: replay.state().total_nano_eur() })
}

fn check(held: &Held, other: &Held, seen: &HashMap<Name, u64>, expected: i128) -> Result<(), TormentError> {
    let path = held.path.clone();
    if let Some(place) = held.blocks.iter().zip(&other.blocks).position(|(a, b)| a != b) {
        return Err(TormentError::Fork { height: place as u64 + 1 });
    }
    if held.blocks.len() != other.blocks.len() {
        let (height, other) = (held.blocks.len() as u64, other.blocks.len() as u64);
        return Err(TormentError::Length { path, height, other });
    }
    if let Some((_, height)) = seen.iter().find(|(entry, height)| held.entries.get(*entry) != Some(height)) {
        return Err(TormentError::Lost { path, height: *height });
    }
    let total = held.total_nano_eur;
    if total != expected {
        return Err(TormentError::Total { path, total, expected });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(blocks: &[u8], entries: &[(u8, u64)], total_nano_eur: i128) -> Held {
        Held {
            path: "folder".into(),
            blocks: blocks.iter().map(|byte| Hash32([*byte; 32])).collect(),
            entries: entries.iter().map(|(byte, height)| ([*byte; 64], *height)).collect(),
            total_nano_eur,
        }
    }

    fn check_against(held: &Held, expected: fn(&Result<(), TormentError>) -> bool) {
        let (other, seen) = (self::held(&[1, 2], &[(7, 1), (8, 2)], 5), HashMap::from([([8; 64], 2)]));
        let found = check(held, &other, &seen, 5);
        assert!(expected(&found), "{found:?}");
    }

    #[test]
    fn a_fork_a_loss_a_gap_and_a_wrong_sum_are_each_found() {
        check_against(&held(&[1, 2], &[(7, 1), (8, 2)], 5), |found| found.is_ok());
        check_against(&held(&[1, 3], &[(7, 1), (8, 2)], 5), |found| {
            matches!(found, Err(TormentError::Fork { height: 2 }))
        });
        check_against(&held(&[1], &[(7, 1), (8, 2)], 5), |found| {
            matches!(found, Err(TormentError::Length { .. }))
        });
        check_against(&held(&[1, 2], &[(7, 1)], 5), |found| {
            matches!(found, Err(TormentError::Lost { height: 2, .. }))
        });
        check_against(&held(&[1, 2], &[(7, 1), (8, 1)], 5), |found| {
            matches!(found, Err(TormentError::Lost { height: 2, .. }))
        });
        check_against(&held(&[1, 2], &[(7, 1), (8, 2)], 4), |found| {
            matches!(found, Err(TormentError::Total { .. }))
        });
    }
}
