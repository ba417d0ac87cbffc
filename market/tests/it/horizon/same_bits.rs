//! The same verdicts of certificates of several intervals, figure for figure, on every machine: a digest
//! of gaps and refusals, recorded on x86-64, of certificates one of whose figures is off to within a hair
//! of its tolerance.

use super::super::certified::random::Random;
use super::super::certified::same_bits::{digest, FIRST};
use super::made::made;
use market::horizon::certificate::{check, Tolerance};

#[test]
fn verdicts_at_the_edge_of_the_tolerance_are_those_recorded() {
    let (tolerance, mut random) = (Tolerance::default(), Random::new(11));
    let (mut folded, mut accepted, mut refused) = (FIRST, 0, 0);
    for seed in 0..300 {
        let (problem, clearing) = made(seed);
        let verdict = check(&problem, &clearing, &tolerance);
        assert!(verdict.is_ok(), "seed {seed}: {verdict:?}");
        for _ in 0..6 {
            let mut moved = clearing.clone();
            let places = problem.network.parent.len() as i64;
            let place = random.between(0, places - 1) as usize;
            let edge = random.sign() as f64 * (0.99 + 0.02 * random.unit());
            let interval = random.between(0, moved.intervals.len() as i64 - 1) as usize;
            let solution = &mut moved.intervals[interval];
            match random.between(0, 4) {
                0 => solution.prices[place] += edge * tolerance.price,
                1 => solution.reactive_prices[place] += edge * tolerance.price,
                2 => solution.flows[place].power_kw += edge * tolerance.power_kw,
                3 => solution.voltage_square_pu[place] += edge * tolerance.square_pu,
                _ => solution.import_kw += edge * tolerance.power_kw,
            }
            let verdict = check(&problem, &moved, &tolerance);
            *(if verdict.is_ok() { &mut accepted } else { &mut refused }) += 1;
            folded = digest(folded, &format!("{verdict:?}"));
        }
    }
    assert!(accepted > 300 && refused > 300, "{accepted} accepted, {refused} refused");
    assert_eq!(folded, 10_274_608_390_379_131_672, "{accepted} accepted, {refused} refused");
}
