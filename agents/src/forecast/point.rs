//! The middle of a forecast: the usual course of a day, and what is left of today's departure from it.

use super::Quantity;

/// Weight of each day against the day after it.
const DAY_WEIGHT: f64 = 0.7;
/// Sun against the clear envelope is told only where the envelope is above this part of its peak.
const DAYLIGHT: f64 = 0.05;
/// Most that clouds' edges add to a clear sky.
const CLEARNESS_MAX: f64 = 1.2;

/// The next `horizon` values after `values`, of which `per_day` make a day. Before a whole day is known,
/// the last value goes on.
pub fn expected(quantity: Quantity, values: &[f64], per_day: usize, horizon: usize) -> Vec<f64> {
    let last = values.last().copied().unwrap_or(0.0);
    if values.len() < per_day {
        return vec![last; horizon];
    }
    match quantity {
        Quantity::Price | Quantity::Load => usual(quantity, values, per_day, horizon),
        Quantity::Pv => sun(values, per_day, horizon),
    }
}

/// Whole days before the end of `values`, the last first, each in order of time.
fn days(values: &[f64], per_day: usize) -> impl Iterator<Item = &[f64]> {
    values.rchunks_exact(per_day)
}

/// Steps of an hour, at least one.
fn per_hour(per_day: usize) -> usize {
    (per_day / 24).max(1)
}

/// What `hourly` leaves after `steps`.
fn left(hourly: f64, steps: usize, per_day: usize) -> f64 {
    hourly.powf(steps as f64 * 24.0 / per_day as f64)
}

/// The mean of each time of day over the days before, nearer days counting more, for the day to come.
fn mean_day(values: &[f64], per_day: usize) -> Vec<f64> {
    let mut sum = vec![0.0; per_day];
    let (mut weight, mut total) = (1.0, 0.0);
    for day in days(values, per_day) {
        sum.iter_mut().zip(day).for_each(|(sum, value)| *sum += weight * value);
        total += weight;
        weight *= DAY_WEIGHT;
    }
    sum.iter_mut().for_each(|sum| *sum /= total);
    sum
}

/// The mean day, shifted by what the last hour departed from its own mean day (exponential smoothing
/// with a damped departure; Gardner and McKenzie 1985).
fn usual(quantity: Quantity, values: &[f64], per_day: usize, horizon: usize) -> Vec<f64> {
    let day = mean_day(values, per_day);
    let hour = per_hour(per_day);
    let before = values.len() - hour;
    let departure = if before >= per_day {
        let usual = mean_day(&values[..before], per_day);
        values[before..].iter().zip(&usual).map(|(value, usual)| value - usual).sum::<f64>() / hour as f64
    } else {
        0.0
    };
    let persistence = quantity.hourly_persistence();
    let value = |step: usize| day[step % per_day] + departure * left(persistence, step + 1, per_day);
    (0..horizon).map(value).collect()
}

/// The most the sun gave at each time of day, times the clearness of the last hours going over into that
/// of the last days (a clear-sky index without an astronomer; Bacher, Madsen and Nielsen 2009).
fn sun(values: &[f64], per_day: usize, horizon: usize) -> Vec<f64> {
    let envelope = envelope(values, per_day);
    let peak = envelope.iter().copied().fold(0.0, f64::max);
    if peak <= 0.0 {
        return vec![0.0; horizon];
    }
    let usual = mean_day(values, per_day).iter().sum::<f64>() / envelope.iter().sum::<f64>();
    let lately = 2 * per_hour(per_day);
    let seen: f64 = values[values.len() - lately.min(values.len())..].iter().sum();
    // The envelope is that of the day to come, so its last steps are those that just were.
    let clear: f64 = envelope[per_day - lately.min(per_day)..].iter().sum();
    let now = if clear > DAYLIGHT * peak * lately as f64 { seen / clear } else { usual };
    let persistence = Quantity::Pv.hourly_persistence();
    let value = |step: usize| {
        let clearness = usual + (now - usual) * left(persistence, step + 1, per_day);
        envelope[step % per_day] * clearness.clamp(0.0, CLEARNESS_MAX)
    };
    (0..horizon).map(value).collect()
}

/// The most of each time of day over the days before, smoothed over five steps.
fn envelope(values: &[f64], per_day: usize) -> Vec<f64> {
    let mut most = vec![0.0f64; per_day];
    for day in days(values, per_day) {
        most.iter_mut().zip(day).for_each(|(most, value)| *most = most.max(*value));
    }
    let around =
        |step: usize| (0..5).map(|shift| most[(step + 2 * per_day + shift - 2) % per_day]).sum::<f64>();
    (0..per_day).map(|step| around(step) / 5.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(quantity: Quantity, values: &[f64], horizon: usize, expected_values: &[f64]) {
        let got = expected(quantity, values, 24, horizon);
        let close = got.iter().zip(expected_values).all(|(got, expected)| (got - expected).abs() < 1e-9);
        assert!(close && got.len() == expected_values.len(), "{got:?}, not {expected_values:?}");
    }

    fn hours(of: impl Fn(usize) -> f64, count: usize) -> Vec<f64> {
        (0..count).map(of).collect()
    }

    #[test]
    fn before_a_day_is_known_the_last_value_goes_on() {
        check(Quantity::Load, &[], 2, &[0.0, 0.0]);
        check(Quantity::Pv, &[1.0, 3.0], 2, &[3.0, 3.0]);
    }

    #[test]
    fn what_repeats_every_day_is_expected_again() {
        let wave = |hour: usize| (hour % 24) as f64;
        check(Quantity::Price, &hours(wave, 50), 4, &[2.0, 3.0, 4.0, 5.0]);
        check(Quantity::Load, &hours(wave, 72), 25, &hours(wave, 25));
    }

    #[test]
    fn a_departure_fades_into_the_usual() {
        let mut values = vec![10.0; 48];
        values.push(20.0);
        // The last hour's mean over three days, nearest first, is (20 + 0.7 * 10) / 1.7 at the same hour of
        // tomorrow; all other hours are 10 but for what is left of the departure.
        check(Quantity::Price, &values, 2, &[10.0 + 10.0 * 0.9, 10.0 + 10.0 * 0.81]);
    }

    /// Each day the sun gives the same bell; today all of it is halved.
    #[test]
    fn half_the_sun_by_morning_is_little_more_by_noon() {
        let bell = |hour: usize| (12.0 - (hour % 24).abs_diff(12) as f64 - 6.0).max(0.0);
        let today = |hour: usize| if hour >= 48 { bell(hour) / 2.0 } else { bell(hour) };
        let got = expected(Quantity::Pv, &hours(today, 58), 24, 4);
        for (step, got) in got.iter().enumerate() {
            let clear = envelope(&hours(bell, 48), 24)[10 + step];
            assert!((0.5..0.8).contains(&(got / clear)), "{got} of {clear} in {step} hours");
        }
        check(Quantity::Pv, &[0.0; 48], 2, &[0.0, 0.0]);
    }
}
