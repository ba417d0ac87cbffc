//! What a grid operator would have measured: the week of the data sets as one series of load, sun and
//! price, laid so that the day played comes after six days before it.

use super::dataset::Dataset;
use super::day::{Day, Weekday, INTERVALS_PER_DAY, INTERVAL_S};
use super::simbench::Grid;
use super::{Neighbourhood, NeighbourhoodError};
use agents::forecaster::Observation;

/// Seconds of a day.
const DAY_S: i64 = 86_400;

/// The six days before `day`, and then `day` itself, `repeat` times.
///
/// The data sets hold one week: days that come after `day` in it stand for those of the week before.
/// Load is what the customers' devices that nothing steers take together; sun is the part of all
/// nameplates; price is the day-ahead auction's.
///
/// # Errors
/// As [`Neighbourhood::read`].
pub fn measured(
    grid: Grid,
    day: Day,
    dataset: &Dataset,
    repeat: u32,
) -> Result<Vec<Observation>, NeighbourhoodError> {
    let weekdays = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    let last = Neighbourhood::read(grid, day, dataset)?;
    let mut observations = Vec::new();
    let before = (1..weekdays.len()).rev();
    for back in before {
        let weekday = weekdays[(day.index() + weekdays.len() - back) % weekdays.len()];
        let here = Neighbourhood::read(grid, Day { weekday, ..day }, dataset)?;
        observations.extend(of_day(&here, &last, -(back as i64)));
    }
    for ahead in 0..i64::from(repeat) {
        observations.extend(of_day(&last, &last, ahead));
    }
    Ok(observations)
}

/// One day's rows, put so many days after the first of `last`.
fn of_day(here: &Neighbourhood, last: &Neighbourhood, days: i64) -> Vec<Observation> {
    let plants = || here.customers.iter().filter_map(|customer| customer.plant.as_ref());
    let nameplate: i64 = plants().map(|plant| plant.nameplate.0).sum();
    let row = |place: usize| Observation {
        interval: last.first.later(days * (DAY_S / INTERVAL_S) + place as i64, INTERVAL_S),
        load_milliwatt: Some(here.customers.iter().map(|customer| customer.base[place].0 as f64).sum()),
        pv_fraction: (nameplate > 0)
            .then(|| plants().map(|plant| plant.available[place].0 as f64).sum::<f64>() / nameplate as f64),
        price_pico_per_wh: here.prices.get(place).map(|price| price.0 as f64),
    };
    (0..INTERVALS_PER_DAY).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::day::Season;
    use super::*;

    #[test]
    fn the_day_played_comes_last_and_no_interval_is_missing() {
        let day = Day { season: Season::Winter, weekday: Weekday::Wednesday };
        let rows = measured(Grid::Rural1, day, &Dataset::Embedded, 2).unwrap();
        assert_eq!(rows.len(), 8 * INTERVALS_PER_DAY);
        let follows = |two: &[Observation]| two[0].interval.later(1, INTERVAL_S) == two[1].interval;
        assert!(rows.windows(2).all(follows));
        let played = &rows[6 * INTERVALS_PER_DAY];
        // SMARD.de: 89.29 EUR/MWh in the first hour of 2024-01-10.
        assert_eq!(played.price_pico_per_wh, Some(89_290_000.0));
        assert_eq!(
            played.interval,
            Neighbourhood::read(Grid::Rural1, day, &Dataset::Embedded).unwrap().first
        );
        assert_eq!(rows[7 * INTERVALS_PER_DAY].load_milliwatt, played.load_milliwatt);
    }
}
