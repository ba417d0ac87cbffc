//! Proof that a tree was only appended to (RFC 9162 section 2.1.4).

use super::{node_hash, root, split_point};
use crate::hash::Hash32;

/// Proof that the tree over all `leaves` (hashes) begins with the tree over its first `old_size`; none
/// where that is zero, of which there is nothing to prove, or more than there are.
pub fn consistency_proof(leaves: &[Hash32], old_size: usize) -> Option<Vec<Hash32>> {
    if old_size == 0 || old_size > leaves.len() {
        return None;
    }
    let (mut rest, mut old, mut proof) = (leaves, old_size, Vec::new());
    // Whether the part of the old tree in `rest` is a tree the verifier knows the root of.
    let mut known = true;
    while old < rest.len() {
        let (left, right) = rest.split_at(split_point(rest.len()));
        if old <= left.len() {
            proof.push(root(right));
            rest = left;
        } else {
            proof.push(root(left));
            (rest, old, known) = (right, old - left.len(), false);
        }
    }
    if !known {
        proof.push(root(rest));
    }
    proof.reverse();
    Some(proof)
}

/// Whether the tree of `new_size` leaves with `new_root` begins with the tree of `old_size` leaves with
/// `old_root` (RFC 9162 section 2.1.4.2). An old size of zero is refused: every tree begins with the
/// empty one, so nothing would be proven, and whoever asks has lost the head it should have kept.
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    proof: &[Hash32],
    old_root: &Hash32,
    new_root: &Hash32,
) -> bool {
    if old_size == 0 || old_size > new_size {
        return false;
    }
    if old_size == new_size {
        return proof.is_empty() && old_root == new_root;
    }
    // Where the old tree is full, its root is the first step and is not repeated in the proof.
    let (first, steps) = match (old_size.is_power_of_two(), proof.split_first()) {
        (true, _) => (old_root, proof),
        (false, Some((first, steps))) => (first, steps),
        (false, None) => return false,
    };
    let (mut place, mut last) = (old_size - 1, new_size - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*first, *first);
    for step in steps {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            old = node_hash(step, &old);
            new = node_hash(step, &new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, step);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && old == *old_root && new == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::leaf_hash;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_proof_holds_for_its_sizes_and_roots_alone(
            new in 1usize..70, old in 1usize..70, other in 0usize..70, step in 0usize..8,
        ) {
            let leaves: Vec<Hash32> = (0..new).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let (old, other) = (1 + (old - 1) % new, other % (new + 1));
            let proof = consistency_proof(&leaves, old).unwrap();
            let (old_root, new_root) = (root(&leaves[..old]), root(&leaves));
            let holds = |old: usize, new: usize, proof: &[Hash32], old_root: &Hash32, new_root: &Hash32| {
                verify_consistency(old as u64, new as u64, proof, old_root, new_root)
            };
            prop_assert!(holds(old, new, &proof, &old_root, &new_root));
            prop_assert!(other == old || !holds(other, new, &proof, &root(&leaves[..other]), &new_root));
            prop_assert!(other == old || !holds(other, new, &proof, &old_root, &new_root));
            prop_assert!(old == new || !holds(old, new, &proof, &new_root, &old_root));
            prop_assert!(!holds(0, new, &proof, &root(&[]), &new_root));
            prop_assert!(!holds(old, new, &proof, &old_root, &leaf_hash(b"other")));
            let longer: Vec<Hash32> = proof.iter().copied().chain([new_root]).collect();
            prop_assert!(!holds(old, new, &longer, &old_root, &new_root));
            if !proof.is_empty() {
                prop_assert!(!holds(old, new, &proof[1..], &old_root, &new_root));
                let mut changed = proof.clone();
                changed[step % proof.len()].0[7] ^= 1;
                prop_assert!(!holds(old, new, &changed, &old_root, &new_root));
            }
        }
    }

    #[test]
    fn there_is_no_proof_from_nothing_or_from_more_than_there_is() {
        let leaves = [leaf_hash(b"a"), leaf_hash(b"b")];
        assert_eq!(consistency_proof(&leaves, 0), None);
        assert_eq!(consistency_proof(&leaves, 3), None);
        assert_eq!(consistency_proof(&[], 0), None);
        assert!(!verify_consistency(0, 0, &[], &root(&[]), &root(&[])));
        assert!(!verify_consistency(0, 2, &[], &root(&[]), &root(&leaves)));
        assert!(!verify_consistency(u64::MAX, u64::MAX - 1, &[], &root(&[]), &root(&[])));
    }
}
