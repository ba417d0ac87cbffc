//! The Merkle tree against vectors of Certificate Transparency implementations, which lie beside
//! the project where it is developed. Where they do not, the check says so; the reference roots in
//! `merkle.rs` are always checked.

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use wire::hash::Hash32;
use wire::merkle::{consistency_proof, inclusion_proof, leaf_hash, node_hash, root};
use wire::merkle::{verify_consistency, verify_inclusion};

fn vectors(file: &str) -> Option<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases/merkle").join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(_) => {
            // Written past the test harness, which shows nothing of a test that passes.
            let notice = format!("NOT CHECKED: there is no {}\n", path.display());
            std::io::stderr().write_all(notice.as_bytes()).unwrap();
            None
        }
    }
}

/// None where it is not 32 bytes: no such hash can be held, let alone be right.
fn hash(value: &Value) -> Option<Hash32> {
    STANDARD.decode(value.as_str()?).ok()?.try_into().ok().map(Hash32)
}

fn accepts(case: &Value, keys: [&str; 5]) -> bool {
    let [leaf, index, size, proof, root] = keys.map(|key| &case[key]);
    let no_steps = Vec::new();
    let proof: Option<Vec<Hash32>> = proof.as_array().unwrap_or(&no_steps).iter().map(hash).collect();
    let (Some(leaf), Some(root), Some(proof)) = (hash(leaf), hash(root), proof) else { return false };
    // Negative and huge numbers are refused where they are read.
    let (Some(index), Some(size)) = (index.as_u64(), size.as_u64()) else { return false };
    verify_inclusion(&leaf, index, size, &proof, &root)
}

#[test]
fn inclusion_proofs_are_accepted_and_refused_as_the_vectors_say() {
    let Some(cases) = vectors("transparency-dev_inclusion.json") else { return };
    for case in cases.as_array().unwrap() {
        let expected = case["wantErr"] == false
            // A root of no bytes is accepted there and cannot be held here.
            && case["source_path"] != "testdata/inclusion/single-entry/empty-root-and-leaf.json";
        let keys = ["leafHash", "leafIdx", "treeSize", "proof", "root"];
        assert_eq!(accepts(case, keys), expected, "{}", case["source_path"]);
    }
    for (file, expected) in [("cctv_inclusion-valid.json", true), ("cctv_inclusion-invalid.json", false)] {
        let Some(cases) = vectors(file) else { return };
        for case in cases.as_array().unwrap() {
            let keys = ["leaf_hash", "leaf_index", "tree_size", "inclusion_path", "root_hash"];
            assert_eq!(accepts(case, keys), expected, "{case}");
        }
    }
}

fn accepts_consistency(case: &Value, keys: [&str; 5]) -> bool {
    let [old, new, proof, old_root, new_root] = keys.map(|key| &case[key]);
    let no_steps = Vec::new();
    let proof: Option<Vec<Hash32>> = proof.as_array().unwrap_or(&no_steps).iter().map(hash).collect();
    let (Some(old_root), Some(new_root), Some(proof)) = (hash(old_root), hash(new_root), proof) else {
        return false;
    };
    let (Some(old), Some(new)) = (old.as_u64(), new.as_u64()) else { return false };
    verify_consistency(old, new, &proof, &old_root, &new_root)
}

#[test]
fn consistency_proofs_are_accepted_and_refused_as_the_vectors_say() {
    let Some(cases) = vectors("transparency-dev_consistency.json") else { return };
    for case in cases.as_array().unwrap() {
        let expected = case["wantErr"] == false
            // Roots of twelve bytes are accepted there and cannot be held here.
            && case["source_path"] != "testdata/consistency/additional/sizes-are-equal-one-and-proof-is-empty.json";
        let keys = ["size1", "size2", "proof", "root1", "root2"];
        assert_eq!(accepts_consistency(case, keys), expected, "{}", case["source_path"]);
    }
    for (file, valid) in [("cctv_consistency-valid.json", true), ("cctv_consistency-invalid.json", false)] {
        let Some(cases) = vectors(file) else { return };
        for case in cases.as_array().unwrap() {
            // The two suites disagree on an old size of zero, of which nothing is proven: refused here.
            let expected = valid && case["old_size"] != 0;
            let keys = ["old_size", "new_size", "consistency_path", "old_root", "new_root"];
            assert_eq!(accepts_consistency(case, keys), expected, "{case}");
        }
    }
}

#[test]
fn roots_of_growing_trees_are_those_of_the_vectors() {
    let Some(cases) = vectors("cctv_merkle_tree.json") else { return };
    let mut leaves = Vec::new();
    for case in cases.as_array().unwrap() {
        leaves.push(leaf_hash(case["leaf_data"].as_str().unwrap().as_bytes()));
        assert_eq!(leaves.last().copied(), hash(&case["leaf_hash"]));
        assert_eq!(Some(root(&leaves)), hash(&case["root_hash"]), "{} leaves", leaves.len());
    }
    let Some(case) = vectors("transparency-dev_roots.json") else { return };
    let texts = |key: &str| case[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().to_owned());
    let leaves: Vec<Hash32> =
        texts("leaf_inputs_hex").map(|leaf| leaf_hash(&hex::decode(leaf).unwrap())).collect();
    for (size, expected) in texts("root_hex_by_size").enumerate() {
        assert_eq!(root(&leaves[..size]).to_string(), expected, "{size} leaves");
    }
}

/// Proofs we make are checked by climbing them as RFC 9162 describes the tree, not by our verifier.
#[test]
fn proofs_made_here_are_those_of_the_definition() {
    let leaves: Vec<Hash32> = (0..7u8).map(|n| leaf_hash(&[n])).collect();
    // RFC 6962 section 2.1.3's example tree of seven leaves: the path of leaf 3 is [c, g, l].
    let c = leaves[2];
    let g = node_hash(&leaves[0], &leaves[1]);
    let l = node_hash(&node_hash(&leaves[4], &leaves[5]), &leaves[6]);
    assert_eq!(inclusion_proof(&leaves, 3), Some(vec![c, g, l]));
    // And of leaf 6: [i, k].
    let i = node_hash(&leaves[4], &leaves[5]);
    let k = node_hash(&g, &node_hash(&leaves[2], &leaves[3]));
    assert_eq!(inclusion_proof(&leaves, 6), Some(vec![i, k]));
    // RFC 9162 section 2.1.5's proofs from 3, 4 and 6 of these leaves: [c, d, g, l], [l] and [i, j, k].
    let (d, j) = (leaves[3], leaves[6]);
    assert_eq!(consistency_proof(&leaves, 3), Some(vec![c, d, g, l]));
    assert_eq!(consistency_proof(&leaves, 4), Some(vec![l]));
    assert_eq!(consistency_proof(&leaves, 6), Some(vec![i, j, k]));
}
