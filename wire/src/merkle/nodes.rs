//! Proofs from a tree's stored nodes, for a tree so large that nobody holds its leaves: one is a walk over as many
//! nodes as the tree is high, the other over about twice as many. What is known of the tree may begin late, as in a
//! [`super::Frontier`]; a proof that would need what came before is none.

use super::{node_hash, split_point};
use crate::hash::Hash32;

/// A full subtree, by its place: the one that starts at leaf `index * 2^level` and has `2^level` leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// How high it stands; 0 for a leaf.
    pub level: u8,
    /// Which of its level, from 0.
    pub index: u64,
}

/// Gives a node's hash, where it is known.
pub type NodeOf<'a> = dyn FnMut(Node) -> Option<Hash32> + 'a;

/// As [`super::inclusion_proof`], in the tree of the first `size` leaves.
pub fn inclusion_proof_from(index: u64, size: u64, node: &mut NodeOf<'_>) -> Option<Vec<Hash32>> {
    inclusion(index, size, &mut |low, high| subtree(low, high, node))
}

/// As [`super::consistency_proof`], for the tree of the first `size` leaves.
pub fn consistency_proof_from(old_size: u64, size: u64, node: &mut NodeOf<'_>) -> Option<Vec<Hash32>> {
    consistency(old_size, size, &mut |low, high| subtree(low, high, node))
}

/// Root over the leaves from `low` up to `high`, being a node of the tree.
fn subtree(low: u64, high: u64, node: &mut NodeOf<'_>) -> Option<Hash32> {
    let count = high.checked_sub(low)?;
    if count.is_power_of_two() && low.is_multiple_of(count) {
        return node(Node { level: count.trailing_zeros() as u8, index: low / count });
    }
    let middle = low + split(count);
    let (left, right) = (subtree(low, middle, node)?, subtree(middle, high, node)?);
    Some(node_hash(&left, &right))
}

/// Gives the root over the leaves of a part of the tree, from the first number up to the second.
pub(super) type RootOf<'a> = dyn FnMut(u64, u64) -> Option<Hash32> + 'a;

pub(super) fn inclusion(index: u64, size: u64, root: &mut RootOf<'_>) -> Option<Vec<Hash32>> {
    if index >= size {
        return None;
    }
    let (mut low, mut high, mut proof) = (0, size, Vec::new());
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            proof.push(root(middle, high)?);
            high = middle;
        } else {
            proof.push(root(low, middle)?);
            low = middle;
        }
    }
    proof.reverse();
    Some(proof)
}

pub(super) fn consistency(old_size: u64, size: u64, root: &mut RootOf<'_>) -> Option<Vec<Hash32>> {
    if old_size == 0 || old_size > size {
        return None;
    }
    let (mut low, mut high, mut proof) = (0, size, Vec::new());
    let mut known = true;
    while old_size < high {
        let middle = low + split(high - low);
        if old_size <= middle {
            proof.push(root(middle, high)?);
            high = middle;
        } else {
            proof.push(root(low, middle)?);
            (low, known) = (middle, false);
        }
    }
    if !known {
        proof.push(root(low, high)?);
    }
    proof.reverse();
    Some(proof)
}

pub(super) fn split(count: u64) -> u64 {
    split_point(count as usize) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{consistency_proof, inclusion_proof, leaf_hash, Frontier};
    use std::collections::BTreeMap;

    #[test]
    fn proofs_from_stored_nodes_are_those_of_the_whole_tree() {
        let leaves: Vec<Hash32> = (0u64..37).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        for known in [0, 1, 5, 16, 30] {
            let mut frontier = Frontier::default();
            leaves[..known].iter().for_each(|leaf| frontier.push(*leaf));
            let mut nodes: BTreeMap<Node, Hash32> = frontier.peaks().collect();
            for leaf in &leaves[known..] {
                frontier.push_with(*leaf, &mut |node, hash| {
                    nodes.insert(node, hash);
                });
            }
            let mut node = |node: Node| nodes.get(&node).copied();
            for size in known..=leaves.len() {
                for index in 0..=leaves.len() {
                    let whole = inclusion_proof(&leaves[..size], index);
                    let proof = inclusion_proof_from(index as u64, size as u64, &mut node);
                    assert!(
                        proof == whole || (proof.is_none() && index < known),
                        "{index} of {size}, {known}"
                    );
                    let whole = consistency_proof(&leaves[..size], index);
                    let proof = consistency_proof_from(index as u64, size as u64, &mut node);
                    assert!(
                        proof == whole || (proof.is_none() && index < known),
                        "{index} to {size}, {known}"
                    );
                }
            }
        }
    }
}
