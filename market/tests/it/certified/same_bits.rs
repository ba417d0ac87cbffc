//! The same verdicts, figure for figure, on every machine: a digest of the refusals of certificates
//! whose objective is off to within a hair of their tolerances, recorded on x86-64.

use super::made::{made, Made};
use super::random::Random;

/// Of nothing yet.
pub const FIRST: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits.
pub fn digest(digest: u64, text: &str) -> u64 {
    text.bytes().fold(digest, |digest, byte| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// By how much the price moves most that moves most with the loss price.
fn worst(made: &Made) -> f64 {
    let mut moves = vec![(0.0, 0.0)];
    for (place, flow) in made.clearing.flows.iter().enumerate().skip(1) {
        let near: (f64, f64) = moves[made.network.parent[place]];
        let along = 2.0 * made.network.branches[place].resistance_pu_per_kva;
        moves.push((near.0 + along * flow.power.kw(), near.1 + along * flow.reactive.kvar()));
    }
    moves.into_iter().map(|(power, reactive)| power.abs().max(reactive.abs())).fold(1e-9, f64::max)
}

#[test]
fn verdicts_at_the_edge_of_the_tolerance_are_those_recorded() {
    let mut random = Random::new(7);
    let (mut folded, mut accepted, mut refused) = (FIRST, 0, 0);
    for seed in 0..400 {
        let made = made(seed);
        let worst = worst(&made);
        for _ in 0..5 {
            let mut moved = made.clone();
            // A weight that moves one price by within a hair of 1e-3 EUR/MWh.
            moved.objective.loss_price += 1e-3 * (0.99 + 0.02 * random.unit()) / worst;
            let verdict = moved.verdict();
            *(if verdict.is_ok() { &mut accepted } else { &mut refused }) += 1;
            folded = digest(folded, &format!("{verdict:?}"));
        }
    }
    assert!(accepted > 500 && refused > 500, "{accepted} accepted, {refused} refused");
    assert_eq!(folded, 1_685_626_423_503_053_687, "{accepted} accepted, {refused} refused");
}
