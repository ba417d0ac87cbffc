//! The value of stored energy over a horizon of prices, by dynamic programming backwards in time.
//!
//! With one stored quantity, linear losses and costs, the value function of every step is concave
//! and piecewise linear in the energy stored. So it is kept as its slopes (the marginal values,
//! falling), without a grid and without rounding: one step back is a merge of the two slopes at
//! which the step could buy and sell (a sup-convolution; Bellman 1957, and for storage e.g.
//! Pereira and Pinto 1991, "water values"). A step costs time in proportion to the slopes.
//!
//! Here floating point is allowed: a bid is one party's own judgement and need not come out the
//! same to the bit on another machine. What leaves the agent is integers.

/// A run of stored energy with one marginal value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// What one more stored watt-hour is worth, in 1e-12 EUR/Wh.
    pub value_pico_per_wh: f64,
    /// How many watt-hours it is worth that for.
    pub length_wh: f64,
}

/// What stored energy is worth, as a concave piecewise-linear function, up to a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    start_wh: f64,
    slopes: Vec<Slope>,
}

/// What stores energy, over one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Store {
    /// Least energy it may hold.
    pub least_wh: f64,
    /// Most energy it may hold.
    pub most_wh: f64,
    /// Most power drawn from the grid.
    pub charge_max_w: f64,
    /// Most power fed into the grid, positive.
    pub discharge_max_w: f64,
    /// Energy stored for each watt-hour drawn; a heat pump's lies above 1.
    pub charge_efficiency: f64,
    /// Energy fed in for each watt-hour taken out of store.
    pub discharge_efficiency: f64,
    /// Cost of wear for each watt-hour stored, and again for each taken out of store.
    pub wear_pico_per_wh: f64,
    /// Part of the energy that is still there after one whole step.
    pub retention: f64,
    /// Energy gained over one whole step whatever is done (negative: lost).
    pub gain_wh: f64,
    /// Band outside which stored energy is penalised, where there is one.
    pub band: Option<Band>,
}

/// A comfort band: energy below or above it at a step's end costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Lower edge.
    pub low_wh: f64,
    /// Upper edge.
    pub high_wh: f64,
    /// Cost of each watt-hour outside, for each step.
    pub penalty_pico_per_wh: f64,
}

impl Store {
    /// Most energy that `hours` can bring into store.
    pub fn intake_wh(&self, hours: f64) -> f64 {
        self.charge_max_w * hours * self.charge_efficiency
    }
    /// Most energy that `hours` can take out of store.
    pub fn outtake_wh(&self, hours: f64) -> f64 {
        if self.discharge_max_w > 0.0 {
            self.discharge_max_w * hours / self.discharge_efficiency
        } else {
            0.0
        }
    }
    /// What storing one watt-hour costs at `price`.
    fn buying(&self, price_pico_per_wh: f64) -> f64 {
        price_pico_per_wh / self.charge_efficiency + self.wear_pico_per_wh
    }
    /// What taking one watt-hour out of store earns at `price`.
    fn selling(&self, price_pico_per_wh: f64) -> f64 {
        price_pico_per_wh * self.discharge_efficiency - self.wear_pico_per_wh
    }
    /// What storing a watt-hour costs and taking one out earns, in a step of `hours` at a price.
    ///
    /// Where a negative price would make buying and selling at once pay (losses are then earned),
    /// the two become one: the concave hull, which is what taking turns within the step earns.
    pub(super) fn trading(&self, price_pico_per_wh: f64, hours: f64) -> (f64, f64) {
        let (buy, sell) = (self.buying(price_pico_per_wh), self.selling(price_pico_per_wh));
        let (intake_wh, outtake_wh) = (self.intake_wh(hours), self.outtake_wh(hours));
        if buy < sell && outtake_wh > 0.0 {
            let both = (buy * intake_wh + sell * outtake_wh) / (intake_wh + outtake_wh);
            return (both, both);
        }
        (buy, sell)
    }
}

impl Band {
    /// By how much the penalty falls with one more watt-hour.
    pub(super) fn slope_at(&self, energy_wh: f64) -> f64 {
        if energy_wh < self.low_wh {
            self.penalty_pico_per_wh
        } else if energy_wh > self.high_wh {
            -self.penalty_pico_per_wh
        } else {
            0.0
        }
    }
}

impl Value {
    /// Every watt-hour between `least_wh` and `most_wh` worth the same.
    pub fn flat(least_wh: f64, most_wh: f64, value_pico_per_wh: f64) -> Self {
        let length_wh = (most_wh - least_wh).max(0.0);
        Self { start_wh: least_wh, slopes: vec![Slope { value_pico_per_wh, length_wh }] }
    }

    /// From the marginal values of runs that begin at `start_wh`, falling, and their lengths.
    #[cfg(test)]
    pub(super) fn of_slopes(start_wh: f64, slopes: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let slope = |(value_pico_per_wh, length_wh)| Slope { value_pico_per_wh, length_wh };
        Self { start_wh, slopes: slopes.into_iter().map(slope).collect() }
    }

    /// The value at the start of a step at this price, in which power can flow for `hours`, where
    /// `self` is the value after it.
    pub fn before(mut self, store: &Store, price_pico_per_wh: f64, hours: f64) -> Self {
        self.penalise(store);
        self.trade(store, price_pico_per_wh, hours);
        self.let_pass(store);
        Self { start_wh: store.least_wh, slopes: self.between(store.least_wh, store.most_wh) }
    }

    /// `self` with the penalty of `store`'s band, as it counts at a step's end.
    pub fn penalise(&mut self, store: &Store) {
        let Some(band) = store.band else { return };
        self.cut_at(band.low_wh);
        self.cut_at(band.high_wh);
        let mut from_wh = self.start_wh;
        for slope in &mut self.slopes {
            slope.value_pico_per_wh += band.slope_at(from_wh + slope.length_wh / 2.0);
            from_wh += slope.length_wh;
        }
    }

    /// The best of buying and selling within one step: the energy bought and sold enters as two
    /// more slopes, which the falling order puts where they belong.
    fn trade(&mut self, store: &Store, price_pico_per_wh: f64, hours: f64) {
        let (intake_wh, outtake_wh) = (store.intake_wh(hours), store.outtake_wh(hours));
        let (buy, sell) = store.trading(price_pico_per_wh, hours);
        self.start_wh -= intake_wh;
        self.insert(Slope { value_pico_per_wh: buy, length_wh: intake_wh });
        self.insert(Slope { value_pico_per_wh: sell, length_wh: outtake_wh });
    }

    /// One step's standing loss and gain.
    fn let_pass(&mut self, store: &Store) {
        self.start_wh = (self.start_wh - store.gain_wh) / store.retention;
        if store.retention == 1.0 {
            return;
        }
        for slope in &mut self.slopes {
            slope.value_pico_per_wh *= store.retention;
            slope.length_wh /= store.retention;
        }
    }

    /// The marginal values from `from_wh` to `to_wh`, in order of energy, so falling. Beyond its
    /// ends the function goes on as it ended.
    pub fn between(&self, from_wh: f64, to_wh: f64) -> Vec<Slope> {
        let mut cut: Vec<Slope> = Vec::with_capacity(self.slopes.len());
        let mut push = |value_pico_per_wh: f64, length_wh: f64| {
            if length_wh <= 0.0 {
                return;
            }
            match cut.last_mut() {
                Some(last) if last.value_pico_per_wh == value_pico_per_wh => last.length_wh += length_wh,
                _ => cut.push(Slope { value_pico_per_wh, length_wh }),
            }
        };
        let mut at_wh = self.start_wh;
        if let Some(first) = self.slopes.first() {
            push(first.value_pico_per_wh, at_wh.min(to_wh) - from_wh);
        }
        for slope in &self.slopes {
            let end_wh = at_wh + slope.length_wh;
            push(slope.value_pico_per_wh, end_wh.min(to_wh) - at_wh.max(from_wh));
            at_wh = end_wh;
        }
        if let Some(last) = self.slopes.last() {
            push(last.value_pico_per_wh, to_wh - at_wh.max(from_wh));
        }
        cut
    }

    fn insert(&mut self, new: Slope) {
        if new.length_wh > 0.0 {
            let at = self.slopes.partition_point(|slope| slope.value_pico_per_wh >= new.value_pico_per_wh);
            self.slopes.insert(at, new);
        }
    }

    fn cut_at(&mut self, energy_wh: f64) {
        let mut at_wh = self.start_wh;
        for i in 0..self.slopes.len() {
            let Slope { value_pico_per_wh, length_wh } = self.slopes[i];
            if at_wh < energy_wh && energy_wh < at_wh + length_wh {
                self.slopes[i].length_wh = energy_wh - at_wh;
                let rest = Slope { value_pico_per_wh, length_wh: at_wh + length_wh - energy_wh };
                self.slopes.insert(i + 1, rest);
                return;
            }
            at_wh += length_wh;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn battery(efficiency: f64, wear: f64) -> Store {
        Store {
            least_wh: 0.0,
            most_wh: 6.0,
            charge_max_w: 2.0 / efficiency,
            discharge_max_w: 2.0 * efficiency,
            charge_efficiency: efficiency,
            discharge_efficiency: efficiency,
            wear_pico_per_wh: wear,
            retention: 1.0,
            gain_wh: 0.0,
            band: None,
        }
    }

    /// Tries every plan of whole watt-hours; the slow, plain statement of the problem.
    fn brute(store: &Store, prices: &[f64], terminal: f64, energy: i64) -> f64 {
        let Some((&price, rest)) = prices.split_first() else { return terminal * energy as f64 };
        (-2..=2)
            .filter(|change| (store.least_wh..=store.most_wh).contains(&((energy + change) as f64)))
            .map(|change| {
                let moved = change as f64;
                let grid = if change > 0 {
                    moved / store.charge_efficiency
                } else {
                    moved * store.discharge_efficiency
                };
                brute(store, rest, terminal, energy + change)
                    - price * grid
                    - store.wear_pico_per_wh * moved.abs()
            })
            .fold(f64::NEG_INFINITY, f64::max)
    }

    fn before(value: Value, store: &Store, prices: &[f64]) -> Value {
        prices.iter().rev().fold(value, |after, price| after.before(store, *price, 1.0))
    }

    proptest! {
        #[test]
        fn slopes_are_what_every_plan_tried_gives(
            prices in prop::collection::vec(0.0f64..100.0, 0..5),
            efficiency in 0.7f64..=1.0,
            wear in 0.0f64..20.0,
            terminal in 0.0f64..100.0,
        ) {
            let store = battery(efficiency, wear);
            let value = before(Value::flat(0.0, 6.0, terminal), &store, &prices);
            for energy in 0..6 {
                let expected = brute(&store, &prices, terminal, energy + 1)
                    - brute(&store, &prices, terminal, energy);
                let got: f64 = value
                    .between(energy as f64, energy as f64 + 1.0)
                    .iter()
                    .map(|slope| slope.value_pico_per_wh * slope.length_wh)
                    .sum();
                prop_assert!((got - expected).abs() < 1e-6, "{got} for {expected} at {energy} Wh");
            }
        }

        #[test]
        fn slopes_fall_and_cover_the_store_at_any_price_and_loss(
            prices in prop::collection::vec(-200.0f64..200.0, 0..40),
            efficiency in 0.5f64..=1.0,
            retention in 0.5f64..=1.0,
            gain_wh in -2.0f64..2.0,
            penalty_pico_per_wh in 0.0f64..50.0,
        ) {
            let band = Some(Band { low_wh: 1.5, high_wh: 4.0, penalty_pico_per_wh });
            let store = Store { retention, gain_wh, band, ..battery(efficiency, 0.0) };
            let value = before(Value::flat(0.0, 6.0, 30.0), &store, &prices);
            let slopes = value.between(0.0, 6.0);
            prop_assert!(slopes.windows(2).all(|w| w[0].value_pico_per_wh >= w[1].value_pico_per_wh));
            let covered: f64 = slopes.iter().map(|slope| slope.length_wh).sum();
            prop_assert!((covered - 6.0).abs() < 1e-6);
        }
    }

    fn check(store: Store, prices: &[f64], terminal: f64, expected: &[(f64, f64)]) {
        let value = before(Value::flat(store.least_wh, store.most_wh, terminal), &store, prices);
        let slopes: Vec<(f64, f64)> = value
            .between(store.least_wh, store.most_wh)
            .iter()
            .map(|slope| (slope.length_wh, slope.value_pico_per_wh))
            .collect();
        assert_eq!(slopes, expected);
    }

    #[test]
    fn energy_is_worth_what_it_saves_or_earns() {
        // Two steps of 2 Wh each sell at most 4 Wh; the rest is worth the end's 1.
        check(battery(1.0, 0.0), &[50.0, 40.0], 1.0, &[(2.0, 50.0), (2.0, 40.0), (2.0, 1.0)]);
        // What can be bought at 10 later is worth no more than 10 now, where it can all be bought.
        check(battery(1.0, 0.0), &[10.0, 10.0, 10.0], 90.0, &[(6.0, 10.0)]);
        // Wear lies between buying and selling.
        check(battery(1.0, 5.0), &[50.0], 20.0, &[(2.0, 45.0), (4.0, 20.0)]);
    }

    #[test]
    fn heat_that_leaks_is_worth_less_and_cold_is_penalised() {
        let band = Some(Band { low_wh: 2.0, high_wh: 4.0, penalty_pico_per_wh: 10.0 });
        let still = Store { charge_max_w: 0.0, discharge_max_w: 0.0, ..battery(1.0, 0.0) };
        check(Store { band, ..still }, &[0.0], 1.0, &[(2.0, 11.0), (2.0, 1.0), (2.0, -9.0)]);
        check(Store { retention: 0.5, ..still }, &[0.0], 8.0, &[(6.0, 4.0)]);
    }
}
