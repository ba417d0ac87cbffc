//! Setpoints that a device did not take are written again within the interval, long before the last one lapses. Those
//! that it took are written anew each interval, which is half of what their timers hold.

use super::schedule::Setpoint;
use market::interval::UnixSeconds;
use std::collections::BTreeMap;

/// The first repetition comes after this part of an interval; each further one after twice the time.
const FIRST_PART: i64 = 60;
/// Repetitions within an interval.
const REPETITIONS: u32 = 4;

/// What is to be written again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    orders: BTreeMap<(usize, bool), Setpoint>,
    failed: BTreeMap<(usize, bool), (u32, UnixSeconds)>,
    repeating: bool,
}

/// Real and reactive power of one device are apart.
fn key(place: usize, setpoint: Setpoint) -> (usize, bool) {
    (place, matches!(setpoint, Setpoint::Reactive(_)))
}

impl Holding {
    /// These are the orders now, and none before them.
    pub fn ordered(&mut self, setpoints: &[(usize, Setpoint)]) {
        self.orders = setpoints.iter().map(|(place, setpoint)| (key(*place, *setpoint), *setpoint)).collect();
        self.failed.clear();
        self.repeating = false;
    }

    /// Devices by their places did or did not take what was written; whether that was a repetition.
    pub fn written<E>(
        &mut self,
        now: UnixSeconds,
        interval_s: i64,
        outcomes: &[(usize, Result<(), E>)],
    ) -> bool {
        for (place, outcome) in outcomes {
            let keys: Vec<(usize, bool)> = self.orders.keys().filter(|(p, _)| p == place).copied().collect();
            for key in keys {
                match outcome {
                    Ok(()) => {
                        self.failed.remove(&key);
                    }
                    Err(_) => {
                        let times = self.failed.get(&key).map_or(0, |(times, _)| *times);
                        let wait = (interval_s / FIRST_PART).max(1) << times.min(8);
                        self.failed.insert(key, (times + 1, now.plus(wait)));
                    }
                }
            }
        }
        std::mem::take(&mut self.repeating)
    }

    /// What is to be written again at `now`; each once, until its outcome is known.
    pub fn due(&mut self, now: UnixSeconds) -> Vec<(usize, Setpoint)> {
        let due = |(times, at): &(u32, UnixSeconds)| *times <= REPETITIONS && *at <= now;
        let keys: Vec<(usize, bool)> =
            self.failed.iter().filter(|(_, failed)| due(failed)).map(|(key, _)| *key).collect();
        for key in &keys {
            if let Some((_, at)) = self.failed.get_mut(key) {
                *at = UnixSeconds(i64::MAX);
            }
        }
        self.repeating |= !keys.is_empty();
        keys.iter().filter_map(|key| self.orders.get(key).map(|setpoint| (key.0, *setpoint))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::units::Milliwatt;

    #[test]
    fn what_was_not_taken_is_written_again_ever_more_rarely_and_not_for_ever() {
        let mut holding = Holding::default();
        let power = Setpoint::Power(Milliwatt(7));
        holding.ordered(&[(0, power), (1, power)]);
        let first: [(usize, Result<(), ()>); 2] = [(0, Ok(())), (1, Err(()))];
        assert!(!holding.written(UnixSeconds(0), 900, &first));
        let mut at = 0;
        for wait in [15, 30, 60, 120] {
            assert_eq!(holding.due(UnixSeconds(at + wait - 1)), []);
            at += wait;
            assert_eq!(holding.due(UnixSeconds(at)), [(1, power)]);
            assert_eq!(holding.due(UnixSeconds(at)), []);
            assert!(holding.written(UnixSeconds(at), 900, &[(1, Err(()))]));
        }
        assert_eq!(holding.due(UnixSeconds(900)), []);
        holding.ordered(&[(1, Setpoint::OwnDefault)]);
        assert!(!holding.written(UnixSeconds(900), 900, &[(1, Err(()))]));
        assert_eq!(holding.due(UnixSeconds(915)), [(1, Setpoint::OwnDefault)]);
        assert!(holding.written::<()>(UnixSeconds(915), 900, &[(1, Ok(()))]));
        assert_eq!(holding.due(UnixSeconds(1_800)), []);
    }
}
