//! Short days of a few streets: nothing is lost, no limit is passed, customers get what they need, and
//! the same seed gives the same day.

use super::day::{uncoordinated, Day, Trading};
use super::population::{Population, Scope};
use super::{simulate, Report, SimulateArgs};
use crate::cli::{Cli, Command};
use crate::neighbourhood::dataset::Dataset;
use crate::neighbourhood::day::{Day as Date, Season, Weekday};
use crate::neighbourhood::simbench::Grid;
use clap::Parser;
use market::units::Milliwatt;
use std::sync::Arc;

fn arguments(line: &str) -> SimulateArgs {
    match Cli::try_parse_from(line.split(' ')).unwrap().command {
        Command::Simulate(args) => args,
        other => panic!("{other:?} is no simulation"),
    }
}

fn population(sites: usize, grid: Grid) -> Population {
    let day = Date { season: Season::Winter, weekday: Weekday::Wednesday };
    Population::draw(&Scope { sites, day, grids: vec![grid], seed: 3 }, &Dataset::Embedded).unwrap()
}

/// A traded day, and the most the supply point carried.
fn play(population: Population, intervals: usize) -> (Day, Milliwatt) {
    let mut trading = Trading::begin(population, intervals, 2).unwrap();
    let mut played = Vec::new();
    for number in 0..=intervals {
        let ended = trading.play(number).unwrap();
        assert_eq!(ended.is_some(), number > 0);
        played.extend(ended.map(|figures| trading.ended(number - 1, figures)));
    }
    (Day { intervals: played, service: trading.service() }, trading.limit())
}

/// The same streets with lines of a sixteenth of the power; transformers, by which the supply point is
/// sized, are as they were.
fn narrowed(mut population: Population) -> Population {
    for street in &mut population.streets {
        let shape = Arc::make_mut(&mut street.shape);
        for line in shape.feeder.lines.iter_mut().skip(1) {
            line.power_max = line.power_max.map(|power| Milliwatt(power.0 / 16));
            line.power_min = line.power_min.map(|power| Milliwatt(power.0 / 16));
        }
    }
    population
}

#[test]
fn money_is_conserved_and_no_limit_is_passed_in_any_interval() {
    let (day, limit) = play(narrowed(population(200, Grid::Semiurb4)), 24);
    assert_eq!(day.intervals.len(), 24);
    let mut bound = 0;
    for interval in &day.intervals {
        let figures = &interval.figures;
        assert_eq!(figures.payments.sum().0, 0, "{interval:?}");
        assert_eq!(figures.beyond_limit, 0, "{interval:?}");
        assert!(-limit <= figures.committed && figures.committed <= limit, "{interval:?}");
        // Sites deviate both ways, so the whole deviates by no more than they do together.
        let missed = figures.delivered - figures.committed.over_seconds(300);
        assert!(missed.0.abs() <= figures.deviation.0, "{interval:?}");
        bound += figures.binding;
    }
    assert!(bound > 0, "no limit was ever met, so keeping them shows nothing");
}

#[test]
fn customers_get_what_they_need_within_the_supply_point_s_limit() {
    let homes = || population(60, Grid::Rural1);
    let (with, limit) = play(homes(), 288);
    let without = uncoordinated(homes(), 288, 2, || ()).unwrap();
    for (day, share_met) in [(&with, 0.995), (&without, 0.999)] {
        let service = &day.service;
        assert!(service.cars > 20, "{service:?}");
        assert!(service.ev_delivered_kwh > share_met * service.ev_needed_kwh, "{service:?}");
        assert_eq!(service.minutes_too_cold, 0, "{service:?}");
        // Thermostats and agents alike heat below 20 degrees.
        assert!(service.coolest_room_celsius > Some(19.8), "{service:?}");
    }
    assert_eq!(with.service.ev_needed_kwh, without.service.ev_needed_kwh);
    // Base load and sun change while an interval lasts, so meters may miss what was committed a little.
    let peak = |day: &Day| day.intervals.iter().map(|i| i.figures.delivered.kwh() * 12.0).fold(0.0, f64::max);
    assert!(peak(&with) < limit.kw() * 1.05, "{}", peak(&with));
}

/// A report without what a clock or the machine had to do with.
fn figures(line: &str) -> Report {
    let mut report = simulate(&arguments(line)).unwrap();
    report.speed = Default::default();
    report.hours.iter_mut().for_each(|hour| hour.seconds = 0.0);
    report
}

#[test]
fn the_same_seed_gives_the_same_day_on_any_number_of_threads() {
    let line = "gridpact simulate --sites 180 --intervals 3 --threads";
    let first = figures(&format!("{line} 1"));
    assert_eq!(first.paid_sum_nano_eur, 0);
    assert_eq!(first, figures(&format!("{line} 3")));
    assert_ne!(first, figures(&format!("{line} 3 --seed 2")));
}

#[test]
fn a_report_says_hours_totals_and_speed() {
    let text = simulate(&arguments("gridpact simulate --sites 20 --intervals 13")).unwrap().to_string();
    for part in ["20 sites in 2 streets", "peak import", "seed 1", "sum  ", "0.000000000  EUR", "played in"] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert_eq!(text.lines().filter(|line| line.starts_with("  0")).count(), 2, "{text}");
}
