//! What can be said to `gridpact simulate`.

use crate::neighbourhood::day::{Season, Weekday};
use crate::neighbourhood::simbench::Grid;
use clap::Args;

/// Intervals of five minutes in a day.
pub const INTERVALS_PER_DAY: u32 = 288;

/// Arguments of `gridpact simulate`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  gridpact simulate                                a winter Wednesday of 1,000 sites
  gridpact simulate --sites 100000                 of a city; some minutes
  gridpact simulate --sites 100000 --scaling       also 1,000 and 10,000: how cost grows with sites
  gridpact simulate --season summer --grid rural1  farms with much sun
  gridpact simulate --intervals 36 --json          until three in the morning, figures as JSON

Streets are SimBench low-voltage grids, repeated until there are as many sites as asked for; every site
varies its load, house, sun and car by the seed. Each street is cleared within the limits of its lines,
and all of them together below one supply point. The same seed gives the same day, whatever the number
of threads. Market, agents and devices are those of `gridpact demo`; what is left out are sockets,
signatures and the ledger.")]
pub struct SimulateArgs {
    /// How many sites
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub sites: u32,
    /// Which week of the data sets
    #[arg(long, value_enum, default_value_t = Season::Winter)]
    pub season: Season,
    /// Which day of that week
    #[arg(long, value_enum, default_value_t = Weekday::Wednesday)]
    pub weekday: Weekday,
    /// Make every street of this SimBench grid [default: all three in turn]
    #[arg(long, value_enum)]
    pub grid: Option<Grid>,
    /// How many intervals of 5 minutes, from local midnight
    #[arg(long, default_value_t = INTERVALS_PER_DAY, value_parser = clap::value_parser!(u32).range(1..=288))]
    pub intervals: u32,
    /// What every site's differences from its pattern are drawn from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Threads to work with [default: as many as there are processors]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    pub threads: Option<u16>,
    /// Play the day with fewer sites first, by tenths down to 1,000, and fit how cost grows
    #[arg(long)]
    pub scaling: bool,
    /// Print one JSON document instead of tables
    #[arg(long)]
    pub json: bool,
}
