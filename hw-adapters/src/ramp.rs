//! Ramps: by how much a setpoint may move at once, so that a feeder is not told to jump by what all its devices are
//! rated for. Decides from the time it is given; reads no clock and writes nothing.

use market::units::Milliwatt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Between two steps of one ramp.
pub const STEP: Duration = Duration::from_secs(1);
const STEP_MS: u64 = 1_000;
/// Fastest ramp that can be said, in percent of the nameplate a second: all of it in ten milliseconds.
const PERCENT_MAX: u32 = 10_000;

/// How fast a setpoint may move. Where both are said the slower one holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RampRules {
    /// Percent of the device's nameplate a second, 1 to 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub percent_per_s: Option<u32>,
    /// Watts a second, 1 or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub w_per_s: Option<u32>,
}

/// What holds where neither site nor template nor the device itself says anything: a fifth of the nameplate a second.
pub const USUAL: RampRules = RampRules { percent_per_s: Some(20), w_per_s: None };

impl RampRules {
    /// Whether it says a ramp that can be.
    ///
    /// # Errors
    /// What is wrong, naming the key.
    pub fn validate(&self) -> Result<(), String> {
        match (self.percent_per_s, self.w_per_s) {
            (None, None) => Err("ramp says neither percent_per_s nor w_per_s".to_owned()),
            (Some(percent), _) if !(1..=PERCENT_MAX).contains(&percent) => {
                Err(format!("ramp.percent_per_s is {percent}, not within 1 to {PERCENT_MAX}"))
            }
            (_, Some(0)) => Err("ramp.w_per_s is 0: nothing would ever move".to_owned()),
            _ => Ok(()),
        }
    }

    /// Milliwatts a second for a device of this nameplate, at least one.
    pub fn rate(&self, nameplate: Milliwatt) -> i64 {
        let by_percent =
            self.percent_per_s.map(|percent| nameplate.0.saturating_abs() / 100 * i64::from(percent));
        let by_watts = self.w_per_s.map(|watts| i64::from(watts) * 1_000);
        by_percent.into_iter().chain(by_watts).min().unwrap_or(i64::MAX).max(1)
    }
}

/// Where one device's setpoint is on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ramp {
    /// When a step was last taken.
    stepped_ms: Option<u64>,
    /// What was aimed at by that step, and what of it the device could hold: registers round towards zero, and many
    /// small steps must come to something nevertheless.
    at: Option<(Milliwatt, Milliwatt)>,
    under_way: bool,
}

impl Ramp {
    /// The next setpoint at `now_ms` on the way from what the device holds to `to`, at `rate` milliwatts a second.
    /// However long nothing was asked, a step is a second's at most.
    pub fn towards(&self, now_ms: u64, holds: Milliwatt, to: Milliwatt, rate: i64) -> Milliwatt {
        let from = match self.at {
            Some((aimed, held)) if held == holds => aimed,
            _ => holds,
        };
        let passed_ms = self.stepped_ms.map_or(STEP_MS, |at| now_ms.saturating_sub(at)).min(STEP_MS);
        let most = i128::from(rate.max(1)) * i128::from(passed_ms) / i128::from(STEP_MS);
        let way = i128::from(to.0) - i128::from(from.0);
        let step = i128::from(from.0) + way.clamp(-most, most);
        Milliwatt(i64::try_from(step).unwrap_or(to.0))
    }

    /// A step was written: this was aimed at, this is what the device holds of it, and `to` is where it goes.
    pub fn stepped(&mut self, now_ms: u64, (aimed, held): (Milliwatt, Milliwatt), to: Milliwatt) {
        (self.stepped_ms, self.at) = (Some(now_ms), Some((aimed, held)));
        self.under_way = aimed != to;
    }

    /// The device was given back, or goes its own way: nothing is under way any more.
    pub fn ended(&mut self) {
        (self.at, self.under_way) = (None, false);
    }

    /// When the next step is due; none where the setpoint has been reached.
    pub fn next_step(&self) -> Option<Duration> {
        self.under_way.then_some(STEP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(percent: Option<u32>, watts: Option<u32>) -> RampRules {
        RampRules { percent_per_s: percent, w_per_s: watts }
    }

    #[test]
    fn the_slower_of_both_rates_holds() {
        let check = |rules: RampRules, expected: i64| {
            assert_eq!(rules.rate(Milliwatt(5_000_000)), expected, "{rules:?}");
        };
        check(USUAL, 1_000_000);
        check(rules(Some(20), Some(100)), 100_000);
        check(rules(Some(1), Some(100)), 50_000);
        check(rules(None, Some(100)), 100_000);
    }

    #[test]
    fn a_ramp_that_cannot_be_is_named() {
        let check = |rules: RampRules, part: &str| {
            assert!(rules.validate().unwrap_err().contains(part), "{rules:?}");
        };
        check(rules(None, None), "neither");
        check(rules(Some(0), None), "percent_per_s is 0");
        check(rules(Some(10_001), None), "10001");
        check(rules(Some(5), Some(0)), "w_per_s is 0");
        assert_eq!(USUAL.validate(), Ok(()));
    }

    /// Asks for `to` at these times of a device that holds what it is told; gives what it then held.
    fn walk(from: i64, to: i64, rate: i64, at_ms: &[u64]) -> (Vec<i64>, Option<Duration>) {
        let (mut ramp, mut holds) = (Ramp::default(), Milliwatt(from));
        let steps = at_ms.iter().map(|now_ms| {
            let next = ramp.towards(*now_ms, holds, Milliwatt(to), rate);
            ramp.stepped(*now_ms, (next, next), Milliwatt(to));
            holds = next;
            next.0
        });
        (steps.collect(), ramp.next_step())
    }

    #[test]
    fn a_setpoint_is_reached_step_by_step_and_no_pause_makes_a_step_longer() {
        let check = |from, to, at_ms: &[u64], expected: &[i64], under_way: bool| {
            let (steps, next) = walk(from, to, 1_000, at_ms);
            assert_eq!((steps.as_slice(), next.is_some()), (expected, under_way), "{from} to {to}");
        };
        check(0, 2_500, &[0, 1_000, 2_000], &[1_000, 2_000, 2_500], false);
        check(2_000, -1_000, &[0, 1_000, 2_000], &[1_000, 0, -1_000], false);
        check(0, 5_000, &[0, 500, 500, 90_000], &[1_000, 1_500, 1_500, 2_500], true);
        check(700, 700, &[0], &[700], false);
    }

    #[test]
    fn steps_smaller_than_a_register_can_say_come_to_something() {
        // The device holds whole hundreds.
        let (mut ramp, mut holds) = (Ramp::default(), Milliwatt(0));
        for second in 0..25 {
            let next = ramp.towards(second * 1_000, holds, Milliwatt(1_000), 40);
            holds = Milliwatt(next.0 / 100 * 100);
            ramp.stepped(second * 1_000, (next, holds), Milliwatt(1_000));
        }
        assert_eq!((holds, ramp.next_step()), (Milliwatt(1_000), None));
    }

    proptest! {
        #[test]
        fn no_step_is_longer_than_its_rate_allows_nor_beyond_its_aim(
            from in -50_000_000i64..50_000_000, to in -50_000_000i64..50_000_000,
            rate in 1i64..10_000_000, gaps in prop::collection::vec(0u64..5_000, 1..40)
        ) {
            let (mut ramp, mut holds, mut now_ms) = (Ramp::default(), from, 0);
            for gap in gaps {
                now_ms += gap;
                let next = ramp.towards(now_ms, Milliwatt(holds), Milliwatt(to), rate).0;
                prop_assert!((next - holds).abs() <= rate);
                prop_assert!((to - next).abs() <= (to - holds).abs());
                prop_assert!((next - from.min(to)) >= 0 && next <= from.max(to));
                ramp.stepped(now_ms, (Milliwatt(next), Milliwatt(next)), Milliwatt(to));
                holds = next;
            }
        }
    }
}
