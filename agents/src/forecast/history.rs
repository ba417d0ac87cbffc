//! What was measured, in equal steps without gaps, as far back as it is of use.

/// Days kept: four weeks tell a season from a spell of weather.
pub const DAYS_KEPT: usize = 28;

/// A series of equal steps, a whole number of which make a day.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    per_day: usize,
    /// Step of the first value, counted from any one origin.
    first: i64,
    values: Vec<f64>,
}

impl History {
    /// A series with nothing in it, of `per_day` steps a day, at least one.
    pub fn new(per_day: usize) -> Self {
        Self { per_day: per_day.max(1), first: 0, values: Vec::new() }
    }

    /// Takes the value of step number `step`. Steps come in order; one that is known already is ignored,
    /// as is what is not finite. Steps missed are filled with the values of the day before, or the last
    /// one; where more than a day was missed, everything before is forgotten.
    pub fn push(&mut self, step: i64, value: f64) {
        let next = self.next();
        if !value.is_finite() || (!self.values.is_empty() && step < next) {
            return;
        }
        if self.values.is_empty() || step - next > self.per_day as i64 {
            self.values.clear();
            self.first = step;
        }
        while self.next() < step {
            let filled = self.day_before().or(self.values.last().copied()).unwrap_or(value);
            self.values.push(filled);
        }
        self.values.push(value);
        let most = DAYS_KEPT * self.per_day;
        if self.values.len() > most + self.per_day {
            let dropped = self.values.len() - most;
            self.values.drain(..dropped);
            self.first += dropped as i64;
        }
    }

    fn day_before(&self) -> Option<f64> {
        self.values.len().checked_sub(self.per_day).and_then(|place| self.values.get(place)).copied()
    }

    /// The step that comes after the last value.
    pub fn next(&self) -> i64 {
        self.first + self.values.len() as i64
    }

    /// The value of a step, where it is known.
    pub fn at(&self, step: i64) -> Option<f64> {
        usize::try_from(step - self.first).ok().and_then(|place| self.values.get(place)).copied()
    }

    /// Every value, in order.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Steps of a day.
    pub fn per_day(&self) -> usize {
        self.per_day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pushed: &[(i64, f64)], next: i64, expected: &[f64]) {
        let mut history = History::new(4);
        pushed.iter().for_each(|(step, value)| history.push(*step, *value));
        assert_eq!((history.next(), history.values()), (next, expected), "{pushed:?}");
    }

    #[test]
    fn gaps_are_filled_and_repetitions_ignored() {
        check(&[(10, 1.0), (11, 2.0), (11, 9.0), (10, 9.0)], 12, &[1.0, 2.0]);
        check(&[(10, 1.0), (13, 4.0)], 14, &[1.0, 1.0, 1.0, 4.0]);
        let day = [(0, 1.0), (1, 2.0), (2, 3.0), (3, 4.0), (6, 9.0)];
        check(&day, 7, &[1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 9.0]);
        check(&[(0, 1.0), (6, 2.0)], 7, &[2.0]);
        check(&[(0, 1.0), (1, f64::NAN), (1, f64::INFINITY)], 1, &[1.0]);
    }

    #[test]
    fn what_is_too_old_is_forgotten_a_day_at_a_time() {
        let mut history = History::new(4);
        for step in 0..1_000 {
            history.push(step, step as f64);
            assert!(history.values().len() <= (DAYS_KEPT + 1) * 4);
        }
        assert_eq!((history.at(999), history.at(3), history.at(1_000)), (Some(999.0), None, None));
    }
}
