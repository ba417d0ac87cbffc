//! Whom to kill when: pseudo-random by a seed.

use crate::cluster::layout::VALIDATORS;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::time::Duration;

/// Kills to come.
pub struct Schedule(StdRng);

impl Schedule {
    /// The schedule of a seed.
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// How long to leave everybody alone: sometimes hardly long enough to start.
    pub fn before(&mut self) -> Duration {
        self.within(900)
    }

    /// How long the dead stay dead.
    pub fn down(&mut self) -> Duration {
        self.within(600)
    }

    /// Who dies: mostly one; in one case of four two at once, after which nobody decides; in one of ten
    /// all of them. At most `most`.
    pub fn victims(&mut self, most: usize) -> Vec<usize> {
        let count = match self.0.random_range(0..20) {
            0 | 1 => VALIDATORS,
            2..=6 => 2,
            _ => 1,
        };
        let mut all: Vec<usize> = (0..VALIDATORS).collect();
        all.shuffle(&mut self.0);
        all.truncate(count.min(most));
        all
    }

    fn within(&mut self, milliseconds: u64) -> Duration {
        Duration::from_millis(self.0.random_range(0..milliseconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_gives_the_same_kills_and_everybody_dies_in_time() {
        let victims = |seed| {
            let mut schedule = Schedule::new(seed);
            (0..60).map(|_| schedule.victims(9)).collect::<Vec<_>>()
        };
        assert_eq!(victims(7), victims(7));
        let dead: BTreeSet<usize> = victims(7).into_iter().flatten().collect();
        assert_eq!(dead.len(), VALIDATORS);
        let sizes: BTreeSet<usize> = victims(7).iter().map(Vec::len).collect();
        assert_eq!(sizes, BTreeSet::from([1, 2, VALIDATORS]));
        assert_eq!(Schedule::new(7).victims(1).len(), 1);
    }
}
