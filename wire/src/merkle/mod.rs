//! The Merkle tree of RFC 6962 and RFC 9162 section 2.1, over SHA-256. Why this is not `ct-merkle`
//! stands in `docs/adr/0023`.

mod consistency;
mod frontier;
mod grown;
mod nodes;

pub use consistency::{consistency_proof, verify_consistency};
pub use frontier::{Frontier, FrontierError};
pub use grown::Grown;
pub use nodes::{consistency_proof_from, inclusion_proof_from, Node};

use crate::hash::Hash32;
use sha2::{Digest, Sha256};

/// Hash of a leaf: SHA-256 over 0x00 and its bytes.
pub fn leaf_hash(leaf: &[u8]) -> Hash32 {
    Hash32(Sha256::new().chain_update([0]).chain_update(leaf).finalize().into())
}

/// Hash of an inner node: SHA-256 over 0x01 and its children's hashes.
pub fn node_hash(left: &Hash32, right: &Hash32) -> Hash32 {
    Hash32(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// Root over leaves' hashes, in order; for none, the hash of nothing.
pub fn root(leaves: &[Hash32]) -> Hash32 {
    match leaves {
        [] => Hash32(Sha256::digest([]).into()),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split_point(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// A tree that keeps its nodes, for whoever proves many leaves: a proof costs no hashing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The leaves, then each level above; a node without a right neighbour moves up as it is, which gives
    /// the same shape as splitting at powers of two.
    levels: Vec<Vec<Hash32>>,
}

impl Tree {
    /// Over leaves' hashes, in order.
    pub fn build(leaves: Vec<Hash32>) -> Tree {
        let mut levels = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let above = level.chunks(2).map(|pair| match pair {
                [left, right] => node_hash(left, right),
                _ => pair[0],
            });
            let above = above.collect();
            levels.push(above);
        }
        Tree { levels }
    }

    /// As [`root`].
    pub fn root(&self) -> Hash32 {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_else(|| root(&[]))
    }

    /// How many leaves it has.
    pub fn size(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// As [`inclusion_proof`].
    pub fn proof(&self, index: usize) -> Option<Vec<Hash32>> {
        self.levels.first()?.get(index)?;
        let mut place = index;
        let mut proof = Vec::new();
        for level in &self.levels {
            proof.extend(level.get(place ^ 1));
            place >>= 1;
        }
        Some(proof)
    }
}

/// Inclusion proof for the leaf at `index`, siblings from the leaf upward; none where there is no
/// such leaf.
pub fn inclusion_proof(leaves: &[Hash32], index: usize) -> Option<Vec<Hash32>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut rest, mut index, mut proof) = (leaves, index, Vec::new());
    while rest.len() > 1 {
        let (left, right) = rest.split_at(split_point(rest.len()));
        if index < left.len() {
            proof.push(root(right));
            rest = left;
        } else {
            proof.push(root(left));
            index -= left.len();
            rest = right;
        }
    }
    proof.reverse();
    Some(proof)
}

/// Whether `leaf` (a hash) stands at `index` of the tree with `size` leaves and this root
/// (RFC 9162 section 2.1.3.2).
pub fn verify_inclusion(leaf: &Hash32, index: u64, size: u64, proof: &[Hash32], root: &Hash32) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            // A node without a right sibling moves up unchanged until it is a right child.
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// The largest power of two below `count`, which is at least 2.
fn split_point(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Leaves and roots of Certificate Transparency's reference trees, by number of leaves.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [(usize, &str); 4] = [
        (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ];

    #[test]
    fn roots_are_those_of_the_reference_trees() {
        let leaves: Vec<Hash32> = LEAVES.iter().map(|leaf| leaf_hash(&hex::decode(leaf).unwrap())).collect();
        for (size, expected) in ROOTS {
            assert_eq!(root(&leaves[..size]).to_string(), expected, "{size} leaves");
        }
    }

    proptest! {
        #[test]
        fn a_proof_holds_at_its_place_and_nowhere_else(size in 1usize..70, index in 0usize..70, other in 0usize..70) {
            let leaves: Vec<Hash32> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let (index, other) = (index % size, other % size);
            let root = root(&leaves);
            let proof = inclusion_proof(&leaves, index).unwrap();
            let holds = |leaf: usize, place: usize, size: usize, proof: &[Hash32]| {
                verify_inclusion(&leaves[leaf], place as u64, size as u64, proof, &root)
            };
            prop_assert!(holds(index, index, size, &proof));
            let tree = Tree::build(leaves.clone());
            prop_assert_eq!((tree.size(), tree.root(), tree.proof(index)), (size, root, Some(proof.clone())));
            prop_assert!(other == index || !holds(other, index, size, &proof));
            prop_assert!(other == index || !holds(index, other, size, &proof));
            prop_assert!(proof.is_empty() || !holds(index, index, size, &proof[1..]));
            let longer: Vec<Hash32> = proof.iter().copied().chain([root]).collect();
            prop_assert!(!holds(index, index, size, &longer));
        }
    }

    #[test]
    fn there_is_no_proof_for_a_leaf_that_is_not_there() {
        assert_eq!(inclusion_proof(&[leaf_hash(b"a")], 1), None);
        assert_eq!(inclusion_proof(&[], 0), None);
        let (one, none) = (Tree::build(vec![leaf_hash(b"a")]), Tree::build(Vec::new()));
        assert_eq!((one.proof(1), none.proof(0), none.root()), (None, None, root(&[])));
    }
}
