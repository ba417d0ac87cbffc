//! COSE Receipts: one encoding, which proves what it says for its purpose and nothing else.

use crate::world::{party, signer};
use proptest::prelude::*;
use wire::hash::Hash32;
use wire::merkle::{leaf_hash, root};
use wire::party::Role;
use wire::receipt::{verify_root, Inclusion, Purpose, Receipt};

fn purpose(context: u8) -> Purpose {
    Purpose { name: "test", context: vec![context; 4] }
}

fn leaves() -> Vec<Hash32> {
    (0..8u8).map(|n| leaf_hash(&[n])).collect()
}

fn receipt() -> Receipt {
    let signature = signer(Role::Validator).key().sign_root(&purpose(1), &root(&leaves()));
    let kid = party(Role::Validator).to_string();
    Receipt { kid, inclusion: Inclusion::of(&leaves(), 5).unwrap(), signature }
}

#[test]
fn a_receipt_is_read_back_and_proves_its_leaf() {
    let bytes = receipt().encode(&purpose(1)).unwrap();
    let back = Receipt::decode(&bytes, &purpose(1)).unwrap();
    assert_eq!(back, receipt());
    let (key, leaves) = (signer(Role::Validator).public_key(), leaves());
    let root = root(&leaves);
    assert!(back.verify(&key, &purpose(1), &leaves[5], &root));
    assert!(!back.verify(&key, &purpose(1), &leaves[4], &root));
    assert!(!back.verify(&key, &purpose(2), &leaves[5], &root));
    assert!(!back.verify(&signer(Role::Site).public_key(), &purpose(1), &leaves[5], &root));
    assert!(!back.verify(&key, &purpose(1), &leaves[5], &leaves[0]));
    assert!(Receipt::decode(&bytes, &purpose(2)).is_err());
}

/// A root signed as one thing is signed as nothing else, nor as bytes or an envelope.
#[test]
fn a_signature_counts_for_its_purpose_alone() {
    let signature = signer(Role::Validator).key().sign_root(&purpose(1), &Hash32([1; 32]));
    let key = signer(Role::Validator).public_key();
    assert!(verify_root(&key, &purpose(1), &Hash32([1; 32]), &signature));
    let other = Purpose { name: "other", ..purpose(1) };
    assert!(!verify_root(&key, &other, &Hash32([1; 32]), &signature));
    assert!(!verify_root(&key, &purpose(1), &Hash32([2; 32]), &signature));
}

proptest! {
    #[test]
    fn no_changed_receipt_proves_anything(place in 0usize..400, bit in 0u8..8) {
        let (leaves, key) = (leaves(), signer(Role::Validator).public_key());
        let mut bytes = receipt().encode(&purpose(1)).unwrap();
        let place = place % bytes.len();
        bytes[place] ^= 1 << bit;
        if let Ok(changed) = Receipt::decode(&bytes, &purpose(1)) {
            // The signer's name is a hint where to look for the key, and is not signed.
            let named = changed.kid != receipt().kid;
            prop_assert!(named || !changed.verify(&key, &purpose(1), &leaves[5], &root(&leaves)));
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_receipt(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Receipt::decode(&bytes, &purpose(1)).is_err());
    }
}

/// A receipt with the purpose that a precommit's has, over a tree of ten leaves.
fn golden_receipt() -> (Purpose, Vec<Vec<u8>>, Receipt) {
    let purpose = Purpose { name: "gridpact precommit", context: (0..44).collect() };
    let leaves: Vec<Vec<u8>> = (0..10u8).map(|n| format!("leaf {n}").into_bytes()).collect();
    let hashes: Vec<Hash32> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let signature = signer(Role::Validator).key().sign_root(&purpose, &root(&hashes));
    let kid = party(Role::Validator).to_string();
    let receipt = Receipt { kid, inclusion: Inclusion::of(&hashes, 5).unwrap(), signature };
    (purpose, leaves, receipt)
}

/// `tests/golden/check_receipt.py` takes the same bytes apart and verifies them with other people's libraries.
#[test]
fn a_fixed_receipt_has_the_fixed_bytes() {
    let (purpose, leaves, receipt) = golden_receipt();
    let hashes: Vec<Hash32> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    let golden: serde_json::Value = serde_json::from_str(include_str!("../golden/receipt.json")).unwrap();
    let expected = serde_json::json!({
        "public_key_hex": signer(Role::Validator).public_key().to_string(),
        "kid": receipt.kid,
        "purpose": purpose.name,
        "context_hex": hex::encode(&purpose.context),
        "leaves_hex": leaves.iter().map(hex::encode).collect::<Vec<_>>(),
        "index": receipt.inclusion.index,
        "root_hex": root(&hashes).to_string(),
        "receipt_hex": hex::encode(receipt.encode(&purpose).unwrap()),
    });
    assert_eq!(golden, expected, "{expected:#}");
}
