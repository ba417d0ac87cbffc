//! A growing tree of which only the frontier at some size is known, and the leaves after it: enough to prove
//! every later leaf. So a ledger that has forgotten its oldest blocks still proves its newer ones.

use super::nodes::{self, split};
use super::{root, Frontier};
use crate::hash::Hash32;

/// A frontier, and the leaves that were appended to it.
#[derive(Clone, Debug)]
pub struct Grown {
    base: Frontier,
    later: Vec<Hash32>,
}

impl Grown {
    /// A tree that had this frontier.
    pub fn from(base: Frontier) -> Self {
        Self { base, later: Vec::new() }
    }

    /// Appends a leaf, given by its hash.
    pub fn push(&mut self, leaf: Hash32) {
        self.later.push(leaf);
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.base.size() + self.later.len() as u64
    }

    /// As [`super::inclusion_proof`], in the tree of the first `size` leaves, for a leaf appended since; none
    /// for another.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Option<Vec<Hash32>> {
        if index < self.base.size() || size > self.size() {
            return None;
        }
        nodes::inclusion(index, size, &mut |low, high| self.node(low, high))
    }

    /// As [`super::consistency_proof`], for the tree of the first `size` leaves; none where what is known of it
    /// does not go back far enough.
    pub fn consistency_proof(&self, old_size: u64, size: u64) -> Option<Vec<Hash32>> {
        if size > self.size() {
            return None;
        }
        nodes::consistency(old_size, size, &mut |low, high| self.node(low, high))
    }

    /// Root over the leaves from `low` up to `high`, being a node of the tree.
    fn node(&self, low: u64, high: u64) -> Option<Hash32> {
        let known = self.base.size();
        if low >= known {
            let leaves = (low - known) as usize..(high - known) as usize;
            return Some(root(self.later.get(leaves)?));
        }
        if high <= known {
            // A full subtree beside a leaf that came later is one of the frontier's.
            return self.base.subtree(low, high - low);
        }
        let middle = low + split(high - low);
        Some(super::node_hash(&self.node(low, middle)?, &self.node(middle, high)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{consistency_proof, inclusion_proof, leaf_hash};

    #[test]
    fn its_proofs_are_those_of_the_whole_tree() {
        let leaves: Vec<Hash32> = (0u64..37).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        for known in 0..leaves.len() {
            let mut frontier = Frontier::default();
            leaves[..known].iter().for_each(|leaf| frontier.push(*leaf));
            let mut grown = Grown::from(frontier);
            leaves[known..].iter().for_each(|leaf| grown.push(*leaf));
            assert_eq!(grown.size(), leaves.len() as u64);
            for size in known..=leaves.len() {
                for index in 0..leaves.len() {
                    let expected = (index >= known).then(|| inclusion_proof(&leaves[..size], index));
                    let proof = grown.inclusion_proof(index as u64, size as u64);
                    assert_eq!(proof, expected.flatten(), "{index} of {size}, {known} forgotten");
                    let proof = grown.consistency_proof(index as u64, size as u64);
                    let expected = consistency_proof(&leaves[..size], index);
                    let whole = known == 0 || (index >= known && index > 0);
                    assert!(proof == expected || (proof.is_none() && !whole), "{index} to {size}, {known}");
                }
            }
        }
    }
}
