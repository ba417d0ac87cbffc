//! How a simulated device misbehaves: each fault with a probability, all drawn from one seed, so that a run is the same
//! again.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::str::FromStr;
use thiserror::Error;

/// What a device can do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// What it says comes seconds late.
    Late,
    /// It does not say what it should.
    Silent,
    /// It takes a command, says that it did, and doesn't.
    Lie,
    /// It says half of what it should.
    Half,
    /// It says a value that is none, or can't be.
    Nonsense,
    /// It says once more what it said before.
    Frozen,
    /// It loses its connection and what it was told, and comes back.
    Reboot,
}

/// All faults, by their words.
const WORDS: [(&str, Fault); 7] = [
    ("late", Fault::Late),
    ("silent", Fault::Silent),
    ("lie", Fault::Lie),
    ("half", Fault::Half),
    ("nonsense", Fault::Nonsense),
    ("frozen", Fault::Frozen),
    ("reboot", Fault::Reboot),
];

/// How often each fault happens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Misbehaviour(Vec<(Fault, f64)>);

/// A text that says no misbehaviour.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not FAULT=PROBABILITY with one of late, silent, lie, half, nonsense, frozen, reboot and 0 to 1"
)]
pub struct MisbehaviourError(String);

impl FromStr for Misbehaviour {
    type Err = MisbehaviourError;

    /// Reads `late=0.1,lie=0.2`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = |part: &str| {
            let (word, probability) = part.split_once('=')?;
            let (_, fault) = WORDS.iter().find(|(known, _)| *known == word.trim())?;
            let probability: f64 = probability.trim().parse().ok()?;
            (0.0..=1.0).contains(&probability).then_some((*fault, probability))
        };
        let parts = text.split(',').filter(|part| !part.trim().is_empty());
        let all =
            parts.map(|part| fault(part).ok_or_else(|| MisbehaviourError(part.chars().take(40).collect())));
        all.collect::<Result<_, _>>().map(Self)
    }
}

/// A device's mischief, drawn from a seed.
#[derive(Debug)]
pub struct Mischief {
    misbehaviour: Misbehaviour,
    random: SmallRng,
}

/// What becomes of something it would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// This, after so many milliseconds.
    This(String, u64),
    /// Nothing.
    Nothing,
}

impl Mischief {
    /// The same from the same seed.
    pub fn new(misbehaviour: Misbehaviour, seed: u64) -> Self {
        Self { misbehaviour, random: SmallRng::seed_from_u64(seed) }
    }

    /// Whether it does that now. Draws once for each fault that can happen at all.
    pub fn does(&mut self, fault: Fault) -> bool {
        let probability = self.misbehaviour.0.iter().find(|(known, _)| *known == fault).map(|(_, p)| *p);
        probability.is_some_and(|probability| self.random.random_bool(probability))
    }

    /// What becomes of `now`, where it said `before` the last time.
    pub fn says(&mut self, now: String, before: Option<&String>) -> Said {
        if self.does(Fault::Silent) {
            return Said::Nothing;
        }
        let mut said = match before {
            Some(before) if self.does(Fault::Frozen) => before.clone(),
            _ => now,
        };
        if self.does(Fault::Half) {
            let mut half = said.len() / 2;
            while !said.is_char_boundary(half) {
                half -= 1;
            }
            said.truncate(half);
        }
        if self.does(Fault::Nonsense) {
            said = ["nan", "{\"power_w\":1e12}", "unavailable", "{", "-1"][self.random.random_range(0..5)]
                .to_owned();
        }
        let late_ms = if self.does(Fault::Late) { self.random.random_range(1_000..10_000) } else { 0 };
        Said::This(said, late_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misbehaviour_is_a_list_of_faults_and_probabilities() {
        let check = |text: &str, expected: Option<&[(Fault, f64)]>| {
            assert_eq!(text.parse::<Misbehaviour>().ok().map(|m| m.0).as_deref(), expected, "{text}");
        };
        check("", Some(&[]));
        check("late=0.1, lie=1", Some(&[(Fault::Late, 0.1), (Fault::Lie, 1.0)]));
        for wrong in ["late", "late=2", "dance=0.5", "late=x", "late=nan"] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_same_seed_misbehaves_the_same() {
        let run = |seed| {
            let misbehaviour = "silent=0.2,frozen=0.3,half=0.2,nonsense=0.2,late=0.2".parse().unwrap();
            let mut mischief = Mischief::new(misbehaviour, seed);
            let before = "before".to_owned();
            (0..200).map(|n| mischief.says(format!("now {n}"), Some(&before))).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let said = run(7);
        assert!(said.contains(&Said::Nothing));
        assert!(said.iter().any(|said| matches!(said, Said::This(_, late_ms) if *late_ms > 0)));
    }
}
