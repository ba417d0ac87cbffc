//! A car that takes less and less the fuller its battery gets: constant voltage follows on constant
//! current, and power falls with what is left to charge, down to the least the charge point gives.
//!
//! Energy is turned into *whole* energy, that which full power would have brought in the same time: over a
//! stay the car takes whole energy evenly, whatever is left. So it can be planned for as if it never slowed.

/// Least power a car is taken to charge at, as a part of full power, where its charge point has no least.
const LEAST_PART: f64 = 1.0 / 64.0;

/// How a car slows down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowing {
    full_w: f64,
    least_w: f64,
    over_wh: f64,
}

impl Slowing {
    /// A car that takes `full_w`, and with less than `over_wh` to go so much less in proportion, but not
    /// less than `least_w`.
    pub fn new(full_w: f64, least_w: f64, over_wh: f64) -> Self {
        Self { full_w, least_w: least_w.clamp(full_w * LEAST_PART, full_w), over_wh }
    }

    /// Whole energy that stands for `left_wh` to go.
    pub fn whole_wh(&self, left_wh: f64) -> f64 {
        let from_wh = self.even_below_wh();
        let even_wh = left_wh.min(from_wh) * self.full_w / self.least_w;
        let slowed_wh = if from_wh > 0.0 && left_wh > from_wh {
            self.over_wh * (left_wh.min(self.over_wh) / from_wh).ln()
        } else {
            0.0
        };
        even_wh + slowed_wh + (left_wh - self.over_wh.max(from_wh)).max(0.0)
    }

    /// What `whole_wh` of whole energy to go stand for: the inverse.
    pub fn left_wh(&self, whole_wh: f64) -> f64 {
        let from_wh = self.even_below_wh();
        let even_wh = from_wh * self.full_w / self.least_w;
        if whole_wh <= even_wh {
            return whole_wh * self.least_w / self.full_w;
        }
        let slowed_wh = if from_wh > 0.0 { self.over_wh * (self.over_wh / from_wh).ln() } else { 0.0 };
        let beyond_wh = whole_wh - even_wh - slowed_wh;
        if beyond_wh < 0.0 {
            from_wh * ((whole_wh - even_wh) / self.over_wh).exp()
        } else {
            self.over_wh.max(from_wh) + beyond_wh
        }
    }

    /// What is left of `left_wh` after so many hours at the most the car takes.
    pub fn left_after(&self, left_wh: f64, hours: f64) -> f64 {
        self.left_wh((self.whole_wh(left_wh) - self.full_w * hours).max(0.0))
    }

    /// The energy below which power no longer falls: the least is reached.
    fn even_below_wh(&self) -> f64 {
        self.over_wh * self.least_w / self.full_w
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 8 kWh of which the last 2 are taken slower and slower, down to half of 8 kW.
    #[test]
    fn whole_energy_is_what_full_power_would_have_brought() {
        let car = Slowing::new(8_000.0, 4_000.0, 2_000.0);
        let check = |left_wh: f64, whole_wh: f64| {
            assert!(
                (car.whole_wh(left_wh) - whole_wh).abs() < 1e-6,
                "{} for {left_wh}",
                car.whole_wh(left_wh)
            );
            assert!(
                (car.left_wh(whole_wh) - left_wh).abs() < 1e-6,
                "{} for {whole_wh}",
                car.left_wh(whole_wh)
            );
        };
        check(0.0, 0.0);
        check(500.0, 1_000.0);
        check(1_000.0, 2_000.0);
        check(2_000.0, 2_000.0 + 2_000.0 * std::f64::consts::LN_2);
        check(8_000.0, 8_000.0 + 2_000.0 * std::f64::consts::LN_2);
    }

    proptest! {
        #[test]
        fn the_two_ways_undo_each_other(
            full_w in 1_000.0f64..22_000.0, least in 0.0f64..=1.0, over_wh in 0.0f64..20_000.0,
            left_wh in 0.0f64..80_000.0,
        ) {
            let car = Slowing::new(full_w, full_w * least, over_wh);
            let whole_wh = car.whole_wh(left_wh);
            prop_assert!(whole_wh >= left_wh - 1e-6);
            prop_assert!((car.left_wh(whole_wh) - left_wh).abs() < 1e-6 * (1.0 + left_wh), "{whole_wh}");
        }

        /// Against many small steps of the power the car takes.
        #[test]
        fn it_is_left_with_what_its_power_leaves(
            (full_w, least) in (1_000.0f64..22_000.0, 0.1f64..=1.0), over_wh in 0.0f64..20_000.0,
            left_wh in 0.0f64..60_000.0, hours in 0.0f64..6.0,
        ) {
            let car = Slowing::new(full_w, full_w * least, over_wh);
            let (mut left, steps) = (left_wh, 20_000);
            for _ in 0..steps {
                let power_w = if left < over_wh { full_w * (left / over_wh).max(least) } else { full_w };
                left = (left - power_w * hours / steps as f64).max(0.0);
            }
            let ours = car.left_after(left_wh, hours);
            prop_assert!((ours - left).abs() < full_w * hours / 2_000.0 + 1e-9, "{ours} Wh left, not {left}");
        }
    }
}
