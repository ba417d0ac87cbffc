//! How a simulated charge point misbehaves, and a seed's choice of it over time. Pure.

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// What a charge point does wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChargerFault {
    /// Nothing.
    #[default]
    None,
    /// Its connection stands and it says nothing any more.
    Silent,
    /// What it answers comes so many milliseconds late.
    Late(u32),
    /// It turns down what it is told.
    Refusing,
    /// It accepts what it is told and does not do it.
    Disobeying,
    /// It accepts what it is told, says that it holds it, and does not do it.
    Lying,
    /// It sends half of each message.
    HalfFrames,
    /// It has lost its power, and starts anew once it is back.
    Rebooting,
    /// It has no connection and seeks none.
    Offline,
}

impl ChargerFault {
    /// Whether it keeps it from having a connection.
    pub(super) fn is_away(self) -> bool {
        matches!(self, Self::Offline | Self::Rebooting)
    }
}

/// Faults that come and go by chance: the same seed, the same times.
#[derive(Clone, Debug)]
pub struct Mischief {
    rng: SmallRng,
    faults: Vec<ChargerFault>,
    /// How long one lasts, and at most as long it is well in between, in milliseconds.
    lasts_ms: u64,
    now: ChargerFault,
    until_ms: u64,
}

impl Mischief {
    /// Of these faults, each for `lasts_ms`; none of them means none ever.
    pub fn new(seed: u64, faults: Vec<ChargerFault>, lasts_ms: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        Self { rng, faults, lasts_ms: lasts_ms.max(1), now: ChargerFault::Offline, until_ms: 0 }
    }

    /// What is wrong at `now_ms`, which must not go back.
    pub fn at(&mut self, now_ms: u64) -> ChargerFault {
        if self.until_ms == 0 {
            // It begins well.
            self.now = ChargerFault::None;
            self.until_ms = self.pause();
        }
        while now_ms >= self.until_ms {
            let well = self.now != ChargerFault::None;
            self.now = match self.faults.choose(&mut self.rng) {
                Some(fault) if !well => *fault,
                _ => ChargerFault::None,
            };
            self.until_ms += if self.now == ChargerFault::None { self.pause() } else { self.lasts_ms };
        }
        self.now
    }

    fn pause(&mut self) -> u64 {
        self.rng.random_range(1..=self.lasts_ms) + self.lasts_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_says_when_what_is_wrong() {
        let faults = vec![ChargerFault::Silent, ChargerFault::Late(100)];
        let play = |seed| {
            let mut mischief = Mischief::new(seed, faults.clone(), 1000);
            (0..1000).map(|step| mischief.at(step * 100)).collect::<Vec<_>>()
        };
        let once = play(7);
        assert_eq!(once[0], ChargerFault::None);
        assert!(faults.iter().all(|fault| once.contains(fault)));
        assert_eq!(once, play(7));
        assert_ne!(once, play(8));
        assert_eq!(Mischief::new(7, vec![], 1000).at(1_000_000), ChargerFault::None);
    }
}
