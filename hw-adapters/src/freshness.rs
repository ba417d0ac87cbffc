//! Whether a reading is new. A gateway that has lost its device goes on giving the last values for ever; what
//! betrays it is that energy flows and nothing counts it. Reads no clock.

/// Without a counter, an image that stands still for so long while power flows is frozen.
const WITHOUT_COUNTER_MS: u64 = 15 * 60 * 1_000;
/// With one, it must have missed so many of its steps.
const STEPS: u64 = 3;
/// And stood still for so long at least.
const LEAST_MS: u64 = 10_000;

/// The last image of a device's measurements, and since when it has stood so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Freshness {
    image: Vec<u16>,
    since_ms: u64,
    /// For how long what was read last may have been old already: power flowed and nothing had moved since.
    stood_ms: u64,
    /// When it was read.
    read_ms: u64,
}

impl Freshness {
    /// Takes an image read at `now_ms`, with the power it says flows (in milliwatts, either way) and its energy
    /// counter's step (in milliwatt-hours) where it has one. Gives for how many milliseconds it has been frozen,
    /// where it is.
    pub fn frozen(
        &mut self,
        now_ms: u64,
        image: &[u16],
        power_mw: u64,
        step_mwh: Option<u64>,
    ) -> Option<u64> {
        if self.image != image {
            *self = Self { image: image.to_vec(), since_ms: now_ms, stood_ms: 0, read_ms: now_ms };
            return None;
        }
        let stood_ms = now_ms.saturating_sub(self.since_ms);
        self.read_ms = now_ms;
        self.stood_ms = if power_mw > 0 { stood_ms } else { 0 };
        let must_have_moved = match step_mwh {
            Some(step) => {
                let flowed = u128::from(power_mw) * u128::from(stood_ms) / 3_600_000;
                flowed > u128::from(step) * u128::from(STEPS) && stood_ms >= LEAST_MS
            }
            None => power_mw > 0 && stood_ms >= WITHOUT_COUNTER_MS,
        };
        must_have_moved.then_some(stood_ms)
    }

    /// How old what was read last may be at `now_ms`: since it was read, and where power flows, since anything moved.
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.read_ms).saturating_add(self.stood_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(power_w: u64, step_wh: Option<u64>, after_s: u64, frozen: bool) {
        let mut freshness = Freshness::default();
        let step = step_wh.map(|step| step * 1_000);
        assert_eq!(freshness.frozen(5_000, &[1, 2], power_w * 1_000, step), None);
        let told = freshness.frozen(5_000 + after_s * 1_000, &[1, 2], power_w * 1_000, step);
        assert_eq!(told.is_some(), frozen, "{power_w} W, {step_wh:?}, {after_s} s");
        assert_eq!(freshness.frozen(90_000_000, &[1, 3], power_w * 1_000, step), None);
    }

    #[test]
    fn a_reading_is_as_old_as_what_last_moved_in_it() {
        let mut freshness = Freshness::default();
        let mut check = |now_ms, image: u16, power_mw, later_ms, age_ms| {
            let _ = freshness.frozen(now_ms, &[image], power_mw, None);
            assert_eq!(freshness.age_ms(now_ms + later_ms), age_ms, "at {now_ms}");
        };
        check(1_000, 1, 5, 0, 0);
        check(1_000, 1, 5, 30, 30);
        check(9_000, 1, 5, 30, 8_030);
        check(10_000, 2, 5, 0, 0);
        // At night nothing moves, and that is no old news.
        check(90_000, 2, 0, 40, 40);
    }

    #[test]
    fn what_flows_must_be_counted() {
        check(1_000, Some(1), 9, false);
        check(1_000, Some(1), 12, true);
        check(1_000, Some(1_000), 3 * 3_600, false);
        check(1_000, Some(1_000), 3 * 3_600 + 4, true);
        check(0, Some(1), 86_400, false);
        check(1_000, None, 899, false);
        check(1_000, None, 900, true);
        check(0, None, 86_400, false);
    }
}
