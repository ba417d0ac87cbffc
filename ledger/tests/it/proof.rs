//! Proofs of finality: they prove what they say, and no changed one proves anything.

use crate::world::{party, transfer, World};
use ledger::proof::FinalityProof;
use wire::party::Role;

#[test]
fn every_entry_of_a_block_can_be_proven() {
    let world = World::new(4);
    let payer = party(Role::Site, "s1");
    for count in 1..=5 {
        let entries: Vec<_> = (0..count).map(|nonce| world.opened(&payer, transfer(nonce, 7))).collect();
        let (decided, _) = world.decide(&world.chain(), &entries);
        world.rules.verifier.verify(&decided).unwrap();
        let listed: Vec<_> = decided.entries().collect();
        for (index, opened) in entries.iter().enumerate() {
            let proof = FinalityProof::of(&decided, index).unwrap().encode().unwrap();
            let proven = FinalityProof::decode(&proof).unwrap().verify(&world.rules.verifier).unwrap();
            assert_eq!((proven.height, proven.block_hash), (1, decided.block.header.hash()));
            assert_eq!((proven.submitter, proven.entry), listed[index]);
            assert_eq!((payer.clone(), opened.entry.clone()), listed[index]);
        }
        assert_eq!(FinalityProof::of(&decided, count as usize), None);
    }
}

#[test]
fn no_changed_proof_proves_anything() {
    let world = World::new(4);
    let payer = party(Role::Site, "s1");
    let entries: Vec<_> = (0..3).map(|nonce| world.opened(&payer, transfer(nonce, 7))).collect();
    let (decided, _) = world.decide(&world.chain(), &entries);
    let proof = FinalityProof::of(&decided, 1).unwrap().encode().unwrap();
    for place in 0..proof.len() {
        let mut changed = proof.clone();
        changed[place] ^= 1 << (place % 8);
        let verdict = FinalityProof::decode(&changed).and_then(|proof| proof.verify(&world.rules.verifier));
        assert!(verdict.is_err(), "byte {place}: {verdict:?}");
    }
    let other = World::new(3);
    assert!(FinalityProof::decode(&proof).unwrap().verify(&other.rules.verifier).is_err());
}
