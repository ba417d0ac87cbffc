//! The Merkle-sum tree by which an aggregator commits to what each of its sites was allocated.
//!
//! Every hash covers its children's hashes *and* sums, so that a root fixes the totals as well: no
//! site can be left out of, or added to, the sums that validators check against the clearing. Sums
//! are of imports and of exports apart, both non-negative; with one signed sum a false export could
//! hide a false import. The tree's shape is RFC 6962's ([`crate::merkle`]).

use crate::entry::SignedEnvelope;
use crate::hash::Hash32;
use crate::message::{MerkleSumPath, PathStep, MAX_PATH_STEPS};
use crate::party::Id;
use market::units::{Millivar, Milliwatt, POWER_BOUND};

/// One site under the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SumLeaf {
    /// The site's account.
    pub account: Id,
    /// Salted hash of its bid, by [`salted_bid_hash`].
    pub bid_hash: Hash32,
    /// What it was allocated; import positive.
    pub allocation: Milliwatt,
    /// Reactive power it was allocated; absorbed positive. Covered by the hash, and not summed: a delivery
    /// lists every leaf, and sums are by bus there.
    pub reactive: Millivar,
}

/// Hash and sums of a whole tree, or of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SumRoot {
    /// Covers everything below, sums included.
    pub hash: Hash32,
    /// Sum of the allocations that import.
    pub import: Milliwatt,
    /// Sum of the allocations that export, as a positive power.
    pub export: Milliwatt,
}

/// A tree over an aggregator's sites, in the order given.
#[derive(Clone, Debug)]
pub struct SumTree {
    /// The leaves' nodes, then each level above; a node without a right neighbour moves up as it
    /// is, which gives RFC 6962's shape.
    levels: Vec<Vec<SumRoot>>,
}

/// Hash of a signed bid with the site's salt, which keeps a bid from being guessed from its hash.
pub fn salted_bid_hash(salt: &Hash32, bid: &SignedEnvelope) -> Hash32 {
    Hash32::of("gridpact bid", &[&salt.0, bid.topic.as_bytes(), &bid.bytes])
}

impl SumTree {
    /// A tree over these leaves. Where sums leave the market's bounds they saturate, and
    /// [`verify`] then holds for no leaf.
    pub fn build(leaves: &[SumLeaf]) -> SumTree {
        let mut level: Vec<SumRoot> = leaves.iter().map(leaf_node).collect();
        let mut levels = Vec::new();
        while level.len() > 1 {
            let above = level.chunks(2).map(|pair| match pair {
                [left, right] => inner_node(left, right),
                _ => pair[0],
            });
            let above = above.collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.push(level);
        SumTree { levels }
    }

    /// The root; for no leaves, a hash of its own and sums of zero.
    pub fn root(&self) -> SumRoot {
        let top = self.levels.last().and_then(|level| level.first());
        top.copied().unwrap_or_else(|| SumRoot {
            hash: Hash32::of("gridpact sum empty", &[]),
            import: Milliwatt::ZERO,
            export: Milliwatt::ZERO,
        })
    }

    /// The path of the leaf at `index`, its salt left zero for the caller to fill in; none where
    /// there is no such leaf.
    pub fn path(&self, index: usize) -> Option<MerkleSumPath> {
        self.levels.first()?.get(index)?;
        let mut place = index;
        let mut steps = Vec::new();
        for level in &self.levels {
            if let Some(sibling) = level.get(place ^ 1) {
                let SumRoot { hash, import, export } = *sibling;
                steps.push(PathStep { left: place & 1 == 1, hash, import, export });
            }
            place >>= 1;
        }
        Some(MerkleSumPath { salt: Hash32::default(), steps })
    }
}

/// Whether `leaf` lies under `root` by `path`, every sum on the way being non-negative and bounded.
pub fn verify(leaf: &SumLeaf, path: &MerkleSumPath, root: &SumRoot) -> bool {
    if path.steps.len() > MAX_PATH_STEPS {
        return false;
    }
    let mut node = leaf_node(leaf);
    for step in &path.steps {
        let sibling = SumRoot { hash: step.hash, import: step.import, export: step.export };
        // Checked before adding: bounded sums cannot overflow.
        if !is_bounded(&node) || !is_bounded(&sibling) {
            return false;
        }
        node = if step.left { inner_node(&sibling, &node) } else { inner_node(&node, &sibling) };
    }
    is_bounded(&node) && node == *root
}

fn is_bounded(node: &SumRoot) -> bool {
    let allowed = Milliwatt::ZERO..=POWER_BOUND;
    allowed.contains(&node.import) && allowed.contains(&node.export)
}

fn leaf_node(leaf: &SumLeaf) -> SumRoot {
    let import = leaf.allocation.max(Milliwatt::ZERO);
    let export = Milliwatt(leaf.allocation.0.saturating_neg()).max(Milliwatt::ZERO);
    let (import_bytes, export_bytes) = (import.0.to_be_bytes(), export.0.to_be_bytes());
    let reactive_bytes = leaf.reactive.0.to_be_bytes();
    let parts: [&[u8]; 5] =
        [leaf.account.as_str().as_bytes(), &leaf.bid_hash.0, &import_bytes, &export_bytes, &reactive_bytes];
    // Without reactive power a leaf is as it was before there was any.
    let count = if leaf.reactive == Millivar::ZERO { 4 } else { 5 };
    let hash = Hash32::of("gridpact sum leaf", &parts[..count]);
    SumRoot { hash, import, export }
}

fn inner_node(left: &SumRoot, right: &SumRoot) -> SumRoot {
    let hash = Hash32::of(
        "gridpact sum node",
        &[
            &left.hash.0,
            &left.import.0.to_be_bytes(),
            &left.export.0.to_be_bytes(),
            &right.hash.0,
            &right.import.0.to_be_bytes(),
            &right.export.0.to_be_bytes(),
        ],
    );
    let sum = |a: Milliwatt, b: Milliwatt| Milliwatt(a.0.saturating_add(b.0));
    SumRoot { hash, import: sum(left.import, right.import), export: sum(left.export, right.export) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaf(number: usize, allocation: i64) -> SumLeaf {
        let account = format!("account-{number}").parse().unwrap();
        let bid_hash = Hash32::of("test", &[&number.to_be_bytes()]);
        SumLeaf { account, bid_hash, allocation: Milliwatt(allocation), reactive: Millivar::ZERO }
    }

    fn leaves(allocations: &[i64]) -> Vec<SumLeaf> {
        allocations.iter().enumerate().map(|(n, power)| leaf(n, *power)).collect()
    }

    proptest! {
        #[test]
        fn every_leaf_verifies_and_the_root_holds_both_sums(
            allocations in prop::collection::vec(-10_000_000i64..10_000_000, 1..50),
        ) {
            let leaves = leaves(&allocations);
            let tree = SumTree::build(&leaves);
            let root = tree.root();
            prop_assert_eq!(root.import.0, allocations.iter().filter(|p| **p > 0).sum::<i64>());
            prop_assert_eq!(root.export.0, -allocations.iter().filter(|p| **p < 0).sum::<i64>());
            for (index, leaf) in leaves.iter().enumerate() {
                prop_assert!(verify(leaf, &tree.path(index).unwrap(), &root));
            }
            prop_assert_eq!(tree.path(leaves.len()), None);
        }

        #[test]
        fn a_changed_leaf_step_or_root_is_refused(
            allocations in prop::collection::vec(-1_000i64..1_000, 2..20), index in 0usize..20,
            step in 0usize..8, change in 1i64..1_000,
        ) {
            let leaves = leaves(&allocations);
            let index = index % leaves.len();
            let tree = SumTree::build(&leaves);
            let (leaf, path, root) = (&leaves[index], tree.path(index).unwrap(), tree.root());
            let step = step % path.steps.len();
            let more = SumRoot { import: Milliwatt(root.import.0 + change), ..root };
            let changed_leaf = SumLeaf { allocation: Milliwatt(leaf.allocation.0 + change), ..leaf.clone() };
            prop_assert!(!verify(&changed_leaf, &path, &root));
            prop_assert!(!verify(leaf, &path, &more));
            let reactive = SumLeaf { reactive: Millivar(change), ..leaf.clone() };
            prop_assert!(!verify(&reactive, &path, &root));
            // The same false claim carried through the path, so that only the hashes can tell.
            let mut false_path = path.clone();
            false_path.steps[step].import.0 += change;
            prop_assert!(!verify(leaf, &false_path, &more));
            let mut other_side = path.clone();
            other_side.steps[step].left ^= true;
            prop_assert!(!verify(leaf, &other_side, &root));
            let mut short = path.clone();
            short.steps.remove(step);
            prop_assert!(!verify(leaf, &short, &root));
        }
    }

    // A sibling of negative import would let an aggregator show a small total over large parts; the
    // hashes alone cannot tell, since the aggregator makes them.
    #[test]
    fn negative_and_overflowing_sums_are_refused_even_with_right_hashes() {
        let mine = leaf(0, 5_000);
        let check = |import: i64, export: i64, expected: bool| {
            let sibling =
                SumRoot { hash: Hash32::default(), import: Milliwatt(import), export: Milliwatt(export) };
            let root = inner_node(&leaf_node(&mine), &sibling);
            let SumRoot { hash, import, export } = sibling;
            let steps = vec![PathStep { left: false, hash, import, export }];
            let path = MerkleSumPath { salt: Hash32::default(), steps };
            assert_eq!(verify(&mine, &path, &root), expected, "{import} {export}");
        };
        check(1, 2, true);
        check(-1, 0, false);
        check(0, -1, false);
        check(i64::MAX, 0, false);
        check(POWER_BOUND.0 - 5_000, 0, true);
        check(POWER_BOUND.0, 0, false);
    }

    #[test]
    fn the_salt_and_the_topic_change_a_bids_hash() {
        let bid =
            |topic: &str| SignedEnvelope { topic: topic.into(), bytes: serde_bytes::ByteBuf::from([1, 2]) };
        let hash = salted_bid_hash(&Hash32([1; 32]), &bid("a"));
        assert_ne!(hash, salted_bid_hash(&Hash32([2; 32]), &bid("a")));
        assert_ne!(hash, salted_bid_hash(&Hash32([1; 32]), &bid("b")));
    }
}
