//! The right edge of a growing tree: enough to append to it and to know its root, in as many hashes
//! as the size has binary digits.

use super::nodes::Node;
use super::{node_hash, root};
use crate::hash::Hash32;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Roots of the full subtrees that a tree of some size is made of, the largest first: one for each
/// binary one of the size (RFC 9162 section 2.1.1 splits a tree so).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash32>,
}

/// As it is written, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    size: u64,
    peaks: Vec<Hash32>,
}

/// Why parts make no frontier.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a tree of {size} leaves has {expected} full subtrees at its edge, not {count}")]
pub struct FrontierError {
    /// Leaves.
    pub size: u64,
    /// Subtrees such a tree has.
    pub expected: u32,
    /// Subtrees given.
    pub count: usize,
}

impl TryFrom<Parts> for Frontier {
    type Error = FrontierError;
    fn try_from(parts: Parts) -> Result<Self, FrontierError> {
        let Parts { size, peaks } = parts;
        let (expected, count) = (size.count_ones(), peaks.len());
        match count == expected as usize {
            true => Ok(Self { size, peaks }),
            false => Err(FrontierError { size, expected, count }),
        }
    }
}

impl Frontier {
    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf, given by its hash.
    pub fn push(&mut self, leaf: Hash32) {
        self.push_with(leaf, &mut |_, _| {});
    }

    /// Appends a leaf, given by its hash, and tells of every full subtree that it completes, itself first.
    pub fn push_with(&mut self, leaf: Hash32, completed: &mut dyn FnMut(Node, Hash32)) {
        let (mut at, mut node) = (Node { level: 0, index: self.size }, leaf);
        completed(at, node);
        // Every trailing one of the size is a full subtree that the new one completes to a larger.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
                at = Node { level: at.level + 1, index: at.index / 2 };
                completed(at, node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The full subtrees it is made of, the largest first.
    pub fn peaks(&self) -> impl Iterator<Item = (Node, Hash32)> + '_ {
        let levels = (0..u64::BITS).rev().filter(|bit| self.size >> bit & 1 == 1);
        // What stands before a part is a multiple of its size, for its parts are larger.
        let node = |bit: u32| Node { level: bit as u8, index: (self.size >> bit) - 1 };
        levels.map(node).zip(self.peaks.iter().copied())
    }

    /// Root of the full subtree of `count` leaves from `low` on; none where that is none of its parts.
    pub(super) fn subtree(&self, low: u64, count: u64) -> Option<Hash32> {
        let mut start = 0;
        let sizes = (0..u64::BITS).rev().map(|bit| 1u64 << bit).filter(|part| self.size & part != 0);
        for (size, peak) in sizes.zip(&self.peaks) {
            if (start, size) == (low, count) {
                return Some(*peak);
            }
            start += size;
        }
        None
    }

    /// As [`super::root`] over all leaves.
    pub fn root(&self) -> Hash32 {
        let folded = self.peaks.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        folded.unwrap_or_else(|| root(&[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;
    use crate::merkle::leaf_hash;

    #[test]
    fn it_has_the_root_of_the_whole_tree_at_every_size() {
        let leaves: Vec<Hash32> = (0u64..130).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut frontier = Frontier::default();
        for size in 0..leaves.len() {
            assert_eq!((frontier.size(), frontier.root()), (size as u64, root(&leaves[..size])));
            assert_eq!(frontier.peaks.len(), size.count_ones() as usize);
            frontier.push(leaves[size]);
        }
    }

    #[test]
    fn it_is_read_back_and_another_number_of_peaks_is_refused() {
        let mut frontier = Frontier::default();
        (0u64..3).for_each(|n| frontier.push(leaf_hash(&n.to_be_bytes())));
        let bytes = cbor::to_vec(&frontier).unwrap();
        assert_eq!(cbor::from_slice::<Frontier>(&bytes, 1_000).unwrap(), frontier);
        // One peak with the right root, from which the tree would go on wrongly.
        let forged = Frontier { size: 3, peaks: vec![frontier.root()] };
        assert_eq!(forged.root(), frontier.root());
        let error = cbor::from_slice::<Frontier>(&cbor::to_vec(&forged).unwrap(), 1_000).unwrap_err();
        assert!(error.to_string().contains("has 2 full subtrees at its edge, not 1"), "{error}");
    }
}
