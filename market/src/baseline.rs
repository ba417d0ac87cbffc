//! What a site would have taken: the average of the days before on which it took the most, adjusted by what it took
//! on the day itself before it was asked to take less.
//!
//! After the "Average Day" customer baseline load of the New York ISO (Emergency Demand Response Program Manual,
//! Manual 7): of the last ten like weekdays, from two days before on, the five with the most energy in
//! the event's hours; of the last three like Saturdays or Sundays, the two; the mean of these, interval by interval;
//! and its in-day adjustment by the two hours that begin four hours before the event, within 80 to 120 percent. Days
//! with an event, with readings missing, or with less than a quarter of what is usual don't count. What is usual is
//! here the mean over all days that otherwise count, of weekends as well.

use crate::units::Millijoule;
use thiserror::Error;

/// Days taken and looked at on weekdays.
pub const WEEKDAY: HighOf = HighOf { highest: 5, of: 10 };
/// Days taken and looked at on a Saturday or Sunday.
pub const WEEKEND: HighOf = HighOf { highest: 2, of: 3 };
/// The in-day adjustment's bounds, in thousandths.
pub const ADJUSTMENT_PERMILLE: std::ops::RangeInclusive<i128> = 800..=1_200;
/// When the adjustment's window begins before the event, in seconds.
pub const ADJUSTMENT_BEGINS_S: i64 = 4 * 3_600;
/// How long it is, in seconds.
pub const ADJUSTMENT_LASTS_S: i64 = 2 * 3_600;
/// The first day before the event that may count.
pub const FIRST_DAY_BEFORE: i64 = 2;
/// The last that may.
pub const LAST_DAY_BEFORE: i64 = 45;

/// How many days are taken, of how many looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HighOf {
    /// Those with the most energy.
    pub highest: usize,
    /// Of the latest so many.
    pub of: usize,
}

/// One day's energies in the event's window and in the adjustment's, interval by interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// In the event's.
    pub event: Vec<Millijoule>,
    /// In the adjustment's.
    pub before: Vec<Millijoule>,
}

/// Why there is no baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BaselineError {
    /// Too few days count.
    #[error("{days} days count, and {needed} must")]
    TooFewDays {
        /// Days that count.
        days: usize,
        /// Days that must.
        needed: usize,
    },
    /// Days have windows of different lengths.
    #[error("the days' windows differ in length")]
    Windows,
    /// An energy leaves 64 bits on the way.
    #[error("an energy does not fit 64 bits")]
    TooLarge,
}

/// Which day of the week an instant's day is, Monday being 0, at so many seconds ahead of UTC.
pub fn weekday(unix_s: i64, ahead_s: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    (unix_s.saturating_add(ahead_s).div_euclid(86_400) + 3).rem_euclid(7)
}

/// Whether two days of the week are alike: both from Monday to Friday, or the same day of a weekend.
pub fn alike(one: i64, other: i64) -> bool {
    one == other || (one < 5 && other < 5)
}

/// Days taken and looked at on a day of the week.
pub fn method(weekday: i64) -> HighOf {
    if weekday < 5 {
        WEEKDAY
    } else {
        WEEKEND
    }
}

/// The baseline, interval by interval of the event. `days` are the like days before that count, the latest first;
/// `before` is what was taken in the adjustment's window on the day itself, none where a reading is missing: the
/// baseline is then not adjusted.
///
/// # Errors
/// Where too few days count or figures don't fit.
pub fn baseline(
    method: HighOf,
    days: &[Windows],
    before: Option<&[Millijoule]>,
) -> Result<Vec<Millijoule>, BaselineError> {
    let length = days.first().map_or(0, |day| day.event.len());
    let adjusted = days.first().map_or(0, |day| day.before.len());
    let same = |day: &Windows| day.event.len() == length && day.before.len() == adjusted;
    if !days.iter().all(same) || before.is_some_and(|before| before.len() != adjusted) {
        return Err(BaselineError::Windows);
    }
    let taken = highest(method, days)?;
    let mean = |place: usize, of: fn(&Windows) -> &[Millijoule]| {
        let sum: i128 = taken.iter().map(|day| i128::from(of(day)[place].0)).sum();
        sum / taken.len() as i128
    };
    let base: i128 = (0..adjusted).map(|place| mean(place, |day| &day.before)).sum();
    let used = before.map_or(base, total);
    let values = (0..length).map(|place| {
        let energy = adjust(mean(place, |day| &day.event), base, used)?;
        i64::try_from(energy).map(Millijoule).ok()
    });
    values.collect::<Option<Vec<_>>>().ok_or(BaselineError::TooLarge)
}

/// What a site took less than its baseline, interval by interval; nothing where it took more, or no reading says.
/// None where a difference leaves 64 bits.
pub fn reduced(baseline: &[Millijoule], metered: &[Option<Millijoule>]) -> Option<Vec<Millijoule>> {
    let less = baseline.iter().zip(metered).map(|(would, took)| match took {
        Some(took) => would.checked_sub(*took).map(|less| less.max(Millijoule::ZERO)),
        None => Some(Millijoule::ZERO),
    });
    less.collect()
}

/// Of the latest days with no unusually small energy those with the most, the later one where two have the same.
fn highest(method: HighOf, days: &[Windows]) -> Result<Vec<&Windows>, BaselineError> {
    let all: i128 = days.iter().map(|day| total(&day.event)).sum();
    // A quarter of the mean, without dividing.
    let usual = |day: &&Windows| total(&day.event) * 4 * days.len() as i128 >= all;
    let mut taken: Vec<&Windows> = days.iter().filter(usual).take(method.of).collect();
    if taken.len() < method.highest {
        return Err(BaselineError::TooFewDays { days: taken.len(), needed: method.highest });
    }
    taken.sort_by_key(|day| std::cmp::Reverse(total(&day.event)));
    taken.truncate(method.highest);
    Ok(taken)
}

fn total(energies: &[Millijoule]) -> i128 {
    energies.iter().map(|energy| i128::from(energy.0)).sum()
}

/// An energy times `used` over `base`, within the adjustment's bounds. Unadjusted where these are no ratio.
fn adjust(energy: i128, base: i128, used: i128) -> Option<i128> {
    if base <= 0 || used <= 0 {
        return Some(energy);
    }
    let (low, high) = (*ADJUSTMENT_PERMILLE.start(), *ADJUSTMENT_PERMILLE.end());
    let permille = used.checked_mul(1_000)?;
    if permille < base.checked_mul(low)? {
        return Some(energy.checked_mul(low)? / 1_000);
    }
    if permille > base.checked_mul(high)? {
        return Some(energy.checked_mul(high)? / 1_000);
    }
    Some(energy.checked_mul(used)? / base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wh(energy_wh: i64) -> Millijoule {
        Millijoule(energy_wh * 3_600_000)
    }

    /// A day by its energies in Wh: two intervals of the event's window and one of the adjustment's.
    fn day((first, second, before): (i64, i64, i64)) -> Windows {
        Windows { event: vec![wh(first), wh(second)], before: vec![wh(before)] }
    }

    /// Ten weekdays, worked out by hand. Sums in the event's window: 300, 410, 290, 500, 220, 380, 450, 310, 270, 340.
    /// The five highest are 500, 450, 410, 380, 340: in the first interval (240 + 220 + 200 + 190 + 160) / 5 = 202,
    /// in the second (260 + 230 + 210 + 190 + 180) / 5 = 214, before (150 + 140 + 100 + 110 + 100) / 5 = 120.
    const TEN: [(i64, i64, i64); 10] = [
        (150, 150, 90),
        (200, 210, 100),
        (140, 150, 80),
        (240, 260, 150),
        (110, 110, 70),
        (190, 190, 110),
        (220, 230, 140),
        (150, 160, 95),
        (130, 140, 85),
        (160, 180, 100),
    ];

    fn check(days: &[(i64, i64, i64)], before_wh: Option<i64>, expected_wh: Result<[i64; 2], BaselineError>) {
        let days: Vec<Windows> = days.iter().copied().map(day).collect();
        let before = before_wh.map(|energy| vec![wh(energy)]);
        let got = baseline(WEEKDAY, &days, before.as_deref());
        assert_eq!(got, expected_wh.map(|values| values.map(wh).to_vec()));
    }

    #[test]
    fn the_five_highest_of_ten_make_the_baseline() {
        check(&TEN, None, Ok([202, 214]));
        // What was taken on the day itself before the event: as usual, a tenth more, and beyond the bounds.
        check(&TEN, Some(120), Ok([202, 214]));
        let wattseconds =
            |wh: [i64; 2], tenths: i64| wh.map(|wh| Millijoule(wh * 3_600_000 * tenths / 10)).to_vec();
        let days: Vec<Windows> = TEN.iter().copied().map(day).collect();
        let adjusted = |before: i64| baseline(WEEKDAY, &days, Some(&[wh(before)])).unwrap();
        assert_eq!(adjusted(132), wattseconds([202, 214], 11));
        assert_eq!(adjusted(1_000), wattseconds([202, 214], 12));
        assert_eq!(adjusted(1), wattseconds([202, 214], 8));
        // Energy fed in before the event gives no ratio.
        assert_eq!(adjusted(-5), wattseconds([202, 214], 10));
    }

    #[test]
    fn an_eleventh_day_back_and_a_day_away_do_not_count() {
        let mut days = TEN.to_vec();
        days.push((900, 900, 900));
        check(&days, None, Ok([202, 214]));
        // On holiday the site took 10 Wh; the day before those is then the tenth.
        let mut days = TEN.to_vec();
        days.insert(0, (5, 5, 5));
        check(&days, None, Ok([202, 214]));
        check(&TEN[..4], None, Err(BaselineError::TooFewDays { days: 4, needed: 5 }));
        check(&[], None, Err(BaselineError::TooFewDays { days: 0, needed: 5 }));
    }

    #[test]
    fn a_weekend_takes_two_of_three() {
        let days: Vec<Windows> = TEN[..3].iter().copied().map(day).collect();
        assert_eq!(baseline(WEEKEND, &days, None), Ok(vec![wh(175), wh(180)]));
        assert_eq!(method(weekday(1_700_000_100, 0)), WEEKDAY);
    }

    #[test]
    fn days_of_the_week_are_told_apart_where_the_site_is() {
        // 2023-11-14 was a Tuesday; 22:15 UTC is Wednesday in Moscow.
        assert_eq!(weekday(1_700_000_100, 0), 1);
        assert_eq!(weekday(1_700_000_100, 3 * 3_600), 2);
        assert_eq!(weekday(0, 0), 3);
        assert_eq!(weekday(-1, 0), 2);
        assert!(alike(0, 4) && alike(5, 5) && !alike(5, 6) && !alike(4, 5));
    }

    #[test]
    fn only_what_was_taken_less_counts() {
        let metered = [Some(wh(150)), Some(wh(300)), None];
        let less = reduced(&[wh(202), wh(214), wh(100)], &metered);
        assert_eq!(less, Some(vec![wh(52), wh(0), wh(0)]));
        assert_eq!(reduced(&[Millijoule(i64::MAX)], &[Some(Millijoule(-1))]), None);
    }

    #[test]
    fn windows_must_match() {
        let mut days: Vec<Windows> = TEN.iter().copied().map(day).collect();
        days[3].event.pop();
        assert_eq!(baseline(WEEKDAY, &days, None), Err(BaselineError::Windows));
        days.remove(3);
        assert_eq!(baseline(WEEKDAY, &days, Some(&[])), Err(BaselineError::Windows));
    }

    proptest! {
        #[test]
        fn no_figures_make_it_panic(
            days in prop::collection::vec((any::<i64>(), any::<i64>(), any::<i64>()), 0..12),
            before in prop::option::of(any::<i64>()),
        ) {
            let figures = |(first, second, before)| Windows {
                event: vec![Millijoule(first), Millijoule(second)],
                before: vec![Millijoule(before)],
            };
            let days: Vec<Windows> = days.into_iter().map(figures).collect();
            let before = before.map(|energy| vec![Millijoule(energy)]);
            if let Ok(values) = baseline(WEEKDAY, &days, before.as_deref()) {
                prop_assert_eq!(values.len(), 2);
            }
        }
    }
}
