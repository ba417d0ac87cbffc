//! Entries opened together have the verdicts they have one by one.

use crate::world::{party, transfer, World};
use wire::entry::SignedEnvelope;
use wire::party::Role;

#[test]
fn entries_opened_together_have_the_verdicts_they_have_one_by_one() {
    let world = World::new(1);
    let verifier = &world.rules.verifier;
    let payer = party(Role::Site, "s1");
    let good: Vec<SignedEnvelope> = (0..9).map(|nonce| world.submit(&payer, transfer(nonce, 5))).collect();
    let spoiled = |place: usize, spoil: fn(&mut SignedEnvelope)| {
        let mut envelopes = good.clone();
        spoil(&mut envelopes[place]);
        envelopes
    };
    let last = |envelope: &mut SignedEnvelope| *envelope.bytes.last_mut().unwrap() ^= 1;
    let cut = |envelope: &mut SignedEnvelope| envelope.bytes.truncate(20);
    let moved = |envelope: &mut SignedEnvelope| envelope.topic = envelope.topic.replace("/s1/", "/s2/");
    let mut refused = 0;
    for place in 0..good.len() {
        for envelopes in [good.clone(), spoiled(place, last), spoiled(place, cut), spoiled(place, moved)] {
            let alone: Vec<_> = envelopes.iter().map(|envelope| verifier.open_entry(envelope)).collect();
            let together = verifier.open_together(&envelopes);
            assert_eq!(together, alone);
            refused += together.iter().filter(|opened| opened.is_err()).count();
        }
    }
    assert_eq!(refused, 3 * good.len());
}
