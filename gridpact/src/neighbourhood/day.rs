//! Which day is played: a season, a weekday, and how the data sets' calendars are laid over each other.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Intervals of a day: 96 quarters of an hour, as the profiles have them.
pub const INTERVALS_PER_DAY: usize = 96;
/// Seconds of one interval.
pub const INTERVAL_S: i64 = 900;

/// One of the two weeks the data sets hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Season {
    /// Profiles from 2016-01-11, prices from 2024-01-08.
    Winter,
    /// Profiles from 2016-07-04, prices from 2024-07-01.
    Summer,
}

/// A day of the week. Both data sets begin on a Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// The day played.
///
/// The profiles' timestamps are taken as local German time, which is what household load follows; the
/// prices are in UTC and begin at a local midnight. Both weeks begin on a Monday, so the same weekday
/// is taken of both, although their years differ: SimBench has 2016, and prices of 2016 would tell
/// little of a market with today's PV. Market time is the prices' date. Neither week changes between
/// summer and winter time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Which week.
    pub season: Season,
    /// Which day of it.
    pub weekday: Weekday,
}

impl Season {
    /// The season's word in file names.
    pub fn word(self) -> &'static str {
        match self {
            Season::Winter => "winter",
            Season::Summer => "summer",
        }
    }
}

impl Day {
    /// The day's place in its week, Monday 0.
    pub fn index(self) -> usize {
        self.weekday as usize
    }
    /// The rows of a week's profile that are this day.
    pub fn profile_rows(self) -> std::ops::Range<usize> {
        let first = self.index() * INTERVALS_PER_DAY;
        first..first + INTERVALS_PER_DAY
    }
}
