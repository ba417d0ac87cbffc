//! A forecast with quantiles: the middle as [`super::point`] has it, and around it the errors the same
//! rule would have made before.

use super::history::History;
use super::point::expected;
use super::{Quantity, QUANTILES};

/// Errors by which quantiles are told; with fewer a forecast is its middle alone.
const ERRORS_MIN: usize = 8;
/// How often a day the rule is replayed on what is known, to see its errors.
const REPLAYS_PER_DAY: usize = 12;
/// Leads in hours at which errors grow noticeably: within one hour, three, seven, and beyond.
const LEAD_CLASSES: usize = 4;

/// The next `horizon` values of `history`: at each step the quantiles of [`QUANTILES`], rising.
pub fn forecast(quantity: Quantity, history: &History, horizon: usize) -> Vec<[f64; 3]> {
    let (values, per_day) = (history.values(), history.per_day());
    let errors = Errors::replayed(quantity, values, per_day, horizon);
    let middle = expected(quantity, values, per_day, horizon);
    let around = |(step, middle): (usize, &f64)| {
        let quantiles = errors.quantiles(values.len() + step, step).map(|error| middle + error);
        match quantity {
            Quantity::Price => quantiles,
            Quantity::Load | Quantity::Pv => quantiles.map(|value| value.max(0.0)),
        }
    };
    middle.iter().enumerate().map(around).collect()
}

/// What the rule missed by before, sorted, by time of day and lead.
struct Errors {
    per_day: usize,
    block: usize,
    classes: Vec<Vec<f64>>,
}

impl Errors {
    fn replayed(quantity: Quantity, values: &[f64], per_day: usize, horizon: usize) -> Self {
        let block = (quantity.error_block_hours() * per_day).div_ceil(24).max(1);
        let classes = vec![Vec::new(); per_day.div_ceil(block) * LEAD_CLASSES];
        let mut errors = Self { per_day, block, classes };
        let stride = (per_day / REPLAYS_PER_DAY).max(1);
        // Anchored to the series' end: the newest errors count, however long the series is.
        let origins = (1..).map(|back| values.len().checked_sub(back * stride));
        for origin in origins.map_while(|origin| origin.filter(|origin| *origin >= per_day)) {
            let until = horizon.min(values.len() - origin);
            let middle = expected(quantity, &values[..origin], per_day, until);
            for (step, (middle, value)) in middle.iter().zip(&values[origin..]).enumerate() {
                let class = errors.class(origin + step, step);
                errors.classes[class].push(value - middle);
            }
        }
        errors.classes.iter_mut().for_each(|errors| errors.sort_unstable_by(f64::total_cmp));
        errors
    }

    fn class(&self, place: usize, lead: usize) -> usize {
        let hours = lead * 24 / self.per_day;
        let lead_class = ((hours + 1).ilog2() as usize).min(LEAD_CLASSES - 1);
        place % self.per_day / self.block * LEAD_CLASSES + lead_class
    }

    /// Quantiles of the errors at this place and lead; none where too few are known.
    fn quantiles(&self, place: usize, lead: usize) -> [f64; 3] {
        let errors = &self.classes[self.class(place, lead)];
        if errors.len() < ERRORS_MIN {
            return [0.0; 3];
        }
        QUANTILES.map(|level| quantile(errors, level))
    }
}

/// A quantile of sorted values, linear between order statistics (Hyndman and Fan 1996, type 7). There
/// must be at least one.
pub fn quantile(sorted: &[f64], level: f64) -> f64 {
    let place = level * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = sorted.get(below + 1).copied().unwrap_or(sorted[below]);
    sorted[below] + (above - sorted[below]) * part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// numpy.quantile's figures.
    #[test]
    fn quantiles_are_numpy_s() {
        let check = |sorted: &[f64], level, expected: f64| {
            assert!((quantile(sorted, level) - expected).abs() < 1e-12, "{sorted:?} at {level}");
        };
        check(&[1.0, 2.0, 4.0, 8.0], 0.1, 1.3);
        check(&[1.0, 2.0, 4.0, 8.0], 0.5, 3.0);
        check(&[1.0, 2.0, 4.0, 8.0], 0.9, 6.8);
        check(&[5.0], 0.9, 5.0);
    }

    fn history(per_day: usize, values: impl IntoIterator<Item = f64>) -> History {
        let mut history = History::new(per_day);
        values.into_iter().enumerate().for_each(|(step, value)| history.push(step as i64, value));
        history
    }

    #[test]
    fn what_never_errs_has_no_spread() {
        let forecast = forecast(Quantity::Price, &history(24, (0..96).map(|hour| (hour % 24) as f64)), 3);
        for (step, quantiles) in forecast.iter().enumerate() {
            assert!(quantiles.iter().all(|value| (value - step as f64).abs() < 1e-9), "{quantiles:?}");
        }
    }

    /// Noise that no rule can know: a fixed sequence between -1 and 1 around 10.
    #[test]
    fn the_spread_is_that_of_the_noise() {
        let noise =
            |hour: u64| (hour.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / (1u64 << 23) as f64 - 1.0;
        let forecast =
            forecast(Quantity::Price, &history(24, (0..24 * 28).map(|hour| 10.0 + noise(hour))), 24);
        let [low, median, high] = forecast[23];
        assert!((8.6..9.6).contains(&low) && (9.6..10.4).contains(&median) && (10.4..11.4).contains(&high));
    }

    proptest! {
        #[test]
        fn any_history_gives_finite_rising_quantiles(
            quantity in prop::sample::select(Quantity::ALL.to_vec()),
            per_day in prop::sample::select(vec![1usize, 7, 24, 96]),
            values in prop::collection::vec(-1e9f64..1e9, 0..400),
            horizon in 0usize..120,
        ) {
            let forecast = forecast(quantity, &history(per_day, values), horizon);
            prop_assert_eq!(forecast.len(), horizon);
            for [low, median, high] in forecast {
                prop_assert!(low.is_finite() && high.is_finite() && low <= median && median <= high);
            }
        }
    }
}
