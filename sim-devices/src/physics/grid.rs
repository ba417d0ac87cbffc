//! The grid a device sees: nominal, and for as long as an excursion lasts, not. No protocol, no clock.

use market::interval::UnixSeconds;

/// Voltage and frequency at a device's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Voltage in hundredths of a percent of nominal.
    pub voltage: i64,
    /// Frequency in thousandths of a hertz.
    pub frequency: i64,
}

/// As it should be, at 50 Hz.
pub const NOMINAL: Grid = Grid { voltage: 10_000, frequency: 50_000 };

/// A time for which the grid is something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excursion {
    /// Its first second.
    pub from: UnixSeconds,
    /// The first second after it.
    pub until: UnixSeconds,
    /// What the grid is meanwhile.
    pub grid: Grid,
}

/// How the grid goes. Of excursions at the same time the first one holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GridCourse(pub Vec<Excursion>);

impl GridCourse {
    /// The grid at `now`.
    pub fn at(&self, now: UnixSeconds) -> Grid {
        let on = |excursion: &&Excursion| excursion.from <= now && now < excursion.until;
        self.0.iter().find(on).map_or(NOMINAL, |excursion| excursion.grid)
    }

    /// The first instant after `now` at which it changes; none where it stays.
    pub fn next_change(&self, now: UnixSeconds) -> Option<UnixSeconds> {
        let changes = self.0.iter().flat_map(|excursion| [excursion.from, excursion.until]);
        changes.filter(|change| *change > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excursion_lasts_as_long_as_it_is_said_to() {
        let sag = Grid { voltage: 6_000, frequency: 50_000 };
        let course = GridCourse(vec![Excursion { from: UnixSeconds(10), until: UnixSeconds(12), grid: sag }]);
        let check = |now, grid, next: Option<i64>| {
            assert_eq!(course.at(UnixSeconds(now)), grid, "at {now}");
            assert_eq!(course.next_change(UnixSeconds(now)), next.map(UnixSeconds), "after {now}");
        };
        check(9, NOMINAL, Some(10));
        check(10, sag, Some(12));
        check(11, sag, Some(12));
        check(12, NOMINAL, None);
    }
}
