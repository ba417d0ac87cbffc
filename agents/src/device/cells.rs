//! The value of stored energy where a table of it is wanted and not every slope: what is worth how much
//! at the bounds of equal cells of the store, straight in between.
//!
//! A step back costs the same however many steps went before, and needs no memory but the table's own.
//! Where [`super::value`] inserts two slopes, here the same optimum is written down at each bound: buy up
//! to the energy at which the next watt-hour is worth no more than the price, or as far as power goes; sell
//! down likewise; else stand still (the base-stock rule, which concavity makes optimal).

use super::value::{Band, Store, Value};
use std::ops::Range;

/// Into how many equal cells a store is divided. Values are exact at their bounds but for what earlier
/// steps' cells took away, and always at most what they should be.
pub const CELLS: usize = 64;

/// What stored energy is worth, in 1e-12 EUR, as a concave function, up to a constant.
#[derive(Clone, Debug, PartialEq)]
pub struct Cells {
    least_wh: f64,
    cell_wh: f64,
    /// At each cell's lower bound, and at the last one's upper.
    worth_pico: [f64; CELLS + 1],
}

impl Cells {
    /// `value` at the bounds of the cells from `least_wh` to `most_wh`.
    pub fn of(value: &Value, least_wh: f64, most_wh: f64) -> Self {
        let cell_wh = (most_wh - least_wh).max(0.0) / CELLS as f64;
        let mut cells = Self { least_wh, cell_wh, worth_pico: [0.0; CELLS + 1] };
        let slopes = value.between(least_wh, most_wh);
        let (mut at_wh, mut worth_pico, mut bound) = (least_wh, 0.0, 1);
        for slope in &slopes {
            let end_wh = at_wh + slope.length_wh;
            while bound < CELLS && cells.bound_wh(bound) <= end_wh {
                cells.worth_pico[bound] =
                    worth_pico + slope.value_pico_per_wh * (cells.bound_wh(bound) - at_wh);
                bound += 1;
            }
            worth_pico += slope.value_pico_per_wh * slope.length_wh;
            at_wh = end_wh;
        }
        cells.worth_pico[bound..].fill(worth_pico);
        cells
    }

    /// The value at the start of a step at this price, in which power can flow for `hours`, where `self`
    /// is the value after it. Beyond its ends `self` goes on as it ended.
    pub fn before(&self, store: &Store, price_pico_per_wh: f64, hours: f64) -> Self {
        if self.cell_wh <= 0.0 {
            return self.clone();
        }
        let after = After::of(self, store);
        let (buy, sell) = store.trading(price_pico_per_wh, hours);
        let (buy, sell) = (buy * self.cell_wh, sell * self.cell_wh);
        let (intake, outtake) =
            (store.intake_wh(hours) / self.cell_wh, store.outtake_wh(hours) / self.cell_wh);
        let buy_to = after.worth_no_more_from(buy);
        let sell_to = if outtake > 0.0 { after.worth_no_more_from(sell) } else { f64::INFINITY };
        // As energy rises: all that can be bought is, then up to a point, then nothing; and sold likewise.
        let [all_bought, bought, idle, sold] =
            [buy_to - intake, buy_to, sell_to, sell_to + outtake].map(|place| after.bounds_before(place));
        let mut before = Self { worth_pico: [0.0; CELLS + 1], ..*self };
        let worth = &mut before.worth_pico;
        after.moved(worth, 0..all_bought, intake, -buy * intake);
        after.straight(worth, all_bought..bought, (buy_to, after.worth_at(buy_to)), buy);
        after.moved(worth, bought..idle, 0.0, 0.0);
        if sell_to.is_finite() {
            after.straight(worth, idle..sold, (sell_to, after.worth_at(sell_to)), sell);
            after.moved(worth, sold..CELLS + 1, -outtake, sell * outtake);
        }
        before
    }

    /// Moves values in the same cells by `part` of the way towards their mean, by weight.
    pub fn approach_mean(values: &mut [Self], weights: &[f64], part: f64) {
        let mut mean = [0.0; CELLS + 1];
        for (value, weight) in values.iter().zip(weights) {
            mean.iter_mut().zip(&value.worth_pico).for_each(|(mean, worth)| *mean += worth * weight);
        }
        for value in values {
            let both = value.worth_pico.iter_mut().zip(&mean);
            both.for_each(|(worth, mean)| *worth += (mean - *worth) * part);
        }
    }

    /// The first energy after `energy_wh`, up to `to_wh`, at which the slope may change: a cell's bound or
    /// an edge of `band`.
    pub fn next_turn(&self, band: Option<&Band>, energy_wh: f64, to_wh: f64) -> f64 {
        let after = |turn: &f64| energy_wh < *turn && *turn < to_wh;
        let cell = self.cell_at(energy_wh);
        // Rounding may put an energy just below the bound it was given as.
        let bounds = (cell + 1..CELLS).take(2).map(|bound| self.bound_wh(bound));
        let edges = band.into_iter().flat_map(|band| [band.low_wh, band.high_wh]);
        bounds.chain(edges).filter(after).fold(to_wh, f64::min)
    }

    /// What a watt-hour is worth in a cell, in 1e-12 EUR/Wh.
    pub fn slope_in(&self, cell: usize) -> f64 {
        (self.worth_pico[cell + 1] - self.worth_pico[cell]) / self.cell_wh
    }

    /// The cell in which an energy lies, or the nearest one.
    pub fn cell_at(&self, energy_wh: f64) -> usize {
        // A store without room has cells without length; the cast makes of what is no number 0.
        (((energy_wh - self.least_wh) / self.cell_wh) as usize).min(CELLS - 1)
    }

    fn bound_wh(&self, bound: usize) -> f64 {
        self.least_wh + self.cell_wh * bound as f64
    }
}

/// The value after a step, with the penalty at its end, over energies counted in cells.
struct After<'a> {
    worth_pico: &'a [f64; CELLS + 1],
    /// Where a store at the first bound, and how much farther one at each next bound, is at the step's end if
    /// nothing is bought or sold.
    first: f64,
    apart: f64,
    /// Lower and upper edge, and cost of each cell outside; nowhere reached where there is no band.
    low: f64,
    high: f64,
    penalty: f64,
}

impl<'a> After<'a> {
    fn of(cells: &'a Cells, store: &Store) -> Self {
        let place = |energy_wh: f64| (energy_wh - cells.least_wh) / cells.cell_wh;
        let (low, high, penalty) = store.band.map_or((f64::MIN, f64::MAX, 0.0), |band| {
            (place(band.low_wh), place(band.high_wh), band.penalty_pico_per_wh * cells.cell_wh)
        });
        let first = place(cells.least_wh * store.retention + store.gain_wh);
        Self { worth_pico: &cells.worth_pico, first, apart: store.retention, low, high, penalty }
    }

    fn worth_at(&self, place: f64) -> f64 {
        let cell = (place.max(0.0) as usize).min(CELLS - 1);
        let (low, high) = (self.worth_pico[cell], self.worth_pico[cell + 1]);
        low + (high - low) * (place - cell as f64) - self.penalty * self.outside(place)
    }

    /// How many of the bounds lie before a place at the step's end.
    fn bounds_before(&self, place: f64) -> usize {
        // The cast saturates, and makes nothing of what is no number.
        (((place - self.first) / self.apart).ceil().max(0.0) as usize).min(CELLS + 1)
    }

    fn place_of(&self, bound: usize) -> f64 {
        self.first + self.apart * bound as f64
    }

    /// At each of these bounds, what a store there is worth at the step's end, moved by so many cells, with
    /// `gain` on top.
    fn moved(&self, worth: &mut [f64; CELLS + 1], bounds: Range<usize>, by: f64, gain: f64) {
        let mut from = bounds.start;
        while from < bounds.end {
            let place = self.place_of(from) + by;
            let cell = (place.max(0.0) as usize).min(CELLS - 1);
            // From one bound to the next the place moves by less than a cell, as a rule by much of one: for a
            // long run of bounds the cell is the next one each time, and all of it one plain loop.
            let (into, slips) = (place - cell as f64, 1.0 - self.apart);
            let run = if !(0.0..=1.0).contains(&into) || slips < 0.0 {
                1
            } else if slips > 0.0 {
                ((into / slips) as usize).saturating_add(1).min(CELLS - cell)
            } else {
                CELLS - cell
            };
            let to = from.saturating_add(run).min(bounds.end);
            let (low, high) = (&self.worth_pico[cell..CELLS], &self.worth_pico[cell + 1..]);
            // Counted in 32 bits, whole numbers become floating ones several at a time.
            for (((worth, low), high), i) in worth[from..to].iter_mut().zip(low).zip(high).zip(0i32..) {
                *worth = low + (high - low) * (into - slips * f64::from(i)) + gain;
            }
            from = to;
        }
        if self.penalty > 0.0 {
            let cold = bounds.start..self.bounds_before(self.low - by).min(bounds.end);
            let warm = self.bounds_before(self.high - by).max(bounds.start)..bounds.end;
            let place = |bound: usize| self.place_of(bound) + by;
            cold.for_each(|bound| worth[bound] -= self.penalty * (self.low - place(bound)));
            warm.for_each(|bound| worth[bound] -= self.penalty * (place(bound) - self.high));
        }
    }

    /// At each of these bounds, what lies on the straight line through a place and its worth.
    fn straight(&self, worth: &mut [f64; CELLS + 1], bounds: Range<usize>, through: (f64, f64), slope: f64) {
        let (place, at_place) = through;
        let (from, each) = (at_place + slope * (self.place_of(bounds.start) - place), slope * self.apart);
        for (worth, i) in worth.get_mut(bounds).into_iter().flatten().zip(0i32..) {
            *worth = from + each * f64::from(i);
        }
    }

    /// The least place within the store from which on one more cell is worth no more than `price`.
    fn worth_no_more_from(&self, price: f64) -> f64 {
        let slope = |bound: usize| {
            let own = self.worth_pico[bound + 1] - self.worth_pico[bound];
            let place = bound as f64;
            own + self.penalty * (self.outside(place) - self.outside(place + 1.0))
        };
        let (mut low, mut high) = (0, CELLS);
        while low < high {
            let middle = (low + high) / 2;
            if slope(middle) > price {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let best = low as f64;
        if self.penalty <= 0.0 {
            return best;
        }
        let gain = |place: f64| self.worth_at(place) - price * place;
        let within = [self.low, self.high].into_iter().filter(|edge| (best - edge).abs() < 1.0);
        let within = within.filter(|edge| (0.0..=CELLS as f64).contains(edge));
        within.fold(best, |best, edge| if gain(edge) > gain(best) { edge } else { best })
    }

    /// How many cells a place lies outside of the band.
    fn outside(&self, place: f64) -> f64 {
        (self.low - place).max(0.0) + (place - self.high).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn store(retention: f64, gain_wh: f64, band: Option<Band>, discharge_max_w: f64) -> Store {
        Store {
            least_wh: 10.0,
            most_wh: 74.0,
            charge_max_w: 7.0,
            discharge_max_w,
            charge_efficiency: 0.9,
            discharge_efficiency: 0.8,
            wear_pico_per_wh: 2.0,
            retention,
            gain_wh,
            band,
        }
    }

    /// Slopes that change at whole watt-hours, so that the cells hold them exactly.
    fn value(falls: &[f64]) -> Value {
        let mut value_pico_per_wh = 100.0;
        let slopes = falls.iter().map(|fall| {
            value_pico_per_wh -= fall;
            (value_pico_per_wh, 1.0)
        });
        Value::of_slopes(10.0, slopes.collect::<Vec<_>>())
    }

    proptest! {
        /// One step of the exact slopes is the reference; it is compared where cells are exact: at bounds.
        #[test]
        fn a_step_is_that_of_the_exact_slopes(
            falls in prop::collection::vec(0.0f64..6.0, CELLS),
            price in -150.0f64..250.0,
            hours in 0.1f64..2.0,
            (retention, gain_wh) in (0.8f64..=1.0, -3.0f64..3.0),
            (penalised, sells) in (any::<bool>(), any::<bool>()),
        ) {
            let band = Band { low_wh: 30.3, high_wh: 55.7, penalty_pico_per_wh: 40.0 };
            let band = penalised.then_some(band);
            let store = store(retention, gain_wh, band, if sells { 5.0 } else { 0.0 });
            let after = value(&falls);
            let ours = Cells::of(&after, 10.0, 74.0).before(&store, price, hours);
            let exact = Cells::of(&after.before(&store, price, hours), 10.0, 74.0);
            // Up to a constant; at the ends exact slopes and cells go on differently beyond the store.
            for bound in 8..CELLS - 8 {
                let (got, expected) = (
                    ours.worth_pico[bound + 1] - ours.worth_pico[bound],
                    exact.worth_pico[bound + 1] - exact.worth_pico[bound],
                );
                prop_assert!((got - expected).abs() < 1e-6, "{got}, not {expected} in cell {bound}");
            }
        }
    }

    #[test]
    fn a_store_without_room_has_no_worth_to_tell_apart() {
        let none = Cells::of(&Value::flat(5.0, 5.0, 30.0), 5.0, 5.0);
        let store = Store { least_wh: 5.0, most_wh: 5.0, ..store(1.0, 0.0, None, 4.0) };
        let before = none.before(&store, 20.0, 1.0);
        assert!(before.worth_pico.iter().all(|worth| worth.is_finite()), "{before:?}");
    }
}
