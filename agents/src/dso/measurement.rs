//! What the DSO has to show for each interval, as data; how it is shown is the shell's business.

use super::balance::Balance;
use super::day_ahead::measurement::ClearedSession;
use super::problem::{Dispatch, Grid};
use market::dlmp::BusDlmp;
use market::feeder::{Feeder, Line};
use market::grid::certificate::Multipliers;
use market::units::{Milliwatt, PicoEurPerWh};
use std::fmt;

/// Something to be shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Measurement {
    /// An interval was cleared and is before the validators.
    Cleared(Cleared),
    /// A day-ahead session was cleared and is before the validators.
    Session(ClearedSession),
    /// All meters' counts of an interval are on the ledger.
    Metered(Metered),
    /// An interval's balance was drawn.
    Balance(Balance),
    /// An interval's clearing is on the ledger.
    Final {
        /// Milliseconds of real time from submission to the verified block.
        finality_ms: u64,
    },
}

/// What an interval was cleared at.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleared {
    /// Net import at the grid supply point.
    pub import: Milliwatt,
    /// Lowest price at any bus.
    pub price_min: PicoEurPerWh,
    /// Highest price at any bus.
    pub price_max: PicoEurPerWh,
    /// The same, of the limit at the grid supply point; none where there is no limit.
    pub transformer: Option<f64>,
    /// Each line.
    pub lines: Vec<LineFlow>,
    /// Limits that bind.
    pub binding: usize,
    /// What the prices are made of at each bus, in a market that knows its grid.
    pub parts: Vec<(String, BusDlmp)>,
    /// Rounds it took.
    pub rounds: u32,
    /// Milliseconds of real time from the first thing heard of the interval to submission.
    pub took_ms: u64,
}

/// What was cleared on a line.
#[derive(Clone, Debug, PartialEq)]
pub struct LineFlow {
    /// The line.
    pub id: String,
    /// Power away from the grid supply point.
    pub flow: Milliwatt,
    /// The same, of the line's limit in that direction; none where it has none.
    pub loading: Option<f64>,
}

/// What all meters counted in an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metered {
    /// Mean net import of all sites, without what is lost on the way.
    pub import: Milliwatt,
    /// The same, of the limit at the grid supply point; none where there is no limit.
    pub transformer: Option<f64>,
}

impl Metered {
    /// This much, on this feeder.
    pub fn of(feeder: &Feeder, import: Milliwatt) -> Self {
        Self { import, transformer: loading(import, supply_limits(feeder)) }
    }
}

/// Limits as `[least, most]`, each none where there is none.
type Limits = [Option<Milliwatt>; 2];

/// What may flow at the grid supply point: through the transformer, or all lines from there together. Where a line has no
/// limit on real power its rating is one.
fn supply_limits(feeder: &Feeder) -> Limits {
    let from_root = || feeder.lines.iter().filter(|line| line.from == feeder.root).map(line_limits);
    let sum = |at: usize| from_root().map(|limits| limits[at].map(|limit| limit.0)).sum::<Option<i64>>();
    let some = |sum: Option<i64>| sum.filter(|sum| *sum != 0).map(Milliwatt);
    [some(sum(0)), some(sum(1))]
}

fn line_limits(line: &Line) -> Limits {
    let rating = line.rating_millivoltampere.map(Milliwatt);
    [line.power_min.or(rating.map(|rating| -rating)), line.power_max.or(rating)]
}

/// Power of its limit in that direction.
fn loading(power: Milliwatt, [least, most]: Limits) -> Option<f64> {
    let limit = if power < Milliwatt::ZERO { least } else { most }?;
    (limit.0 != 0).then(|| power.0 as f64 / limit.0 as f64)
}

impl Cleared {
    /// The figures of a clearing.
    pub fn of(grid: &Grid, dispatch: &Dispatch, rounds: u32, took_ms: u64) -> Self {
        let (Grid { feeder, tree, .. }, clearing) = (grid, &dispatch.clearing);
        let lines = feeder.lines.iter().zip(&clearing.flows).map(|(line, flow)| LineFlow {
            id: line.id.clone(),
            flow: *flow,
            loading: loading(*flow, line_limits(line)),
        });
        let full = |(line, flow): &(&market::feeder::Line, &Milliwatt)| {
            line.power_max == Some(**flow) || line.power_min == Some(**flow)
        };
        let binding = match &dispatch.grid {
            None => feeder.lines.iter().zip(&clearing.flows).filter(full).count(),
            Some(grid) => grid.clearing.multipliers.iter().map(count_worths).sum(),
        };
        let dlmps = dispatch.grid.as_ref().zip(grid.terms.as_ref());
        let dlmps = dlmps.and_then(|(cleared, terms)| terms.dlmps(&cleared.clearing)).unwrap_or_default();
        let parts = tree.order.iter().zip(&dlmps);
        Self {
            import: clearing.import,
            price_min: clearing.prices.iter().copied().min().unwrap_or_default(),
            price_max: clearing.prices.iter().copied().max().unwrap_or_default(),
            parts: parts
                .map(|(bus, parts): (&usize, &BusDlmp)| (feeder.buses[*bus].clone(), *parts))
                .collect(),
            binding,
            transformer: loading(clearing.import, supply_limits(feeder)),
            lines: lines.collect(),
            rounds,
            took_ms,
        }
    }

    /// What the price is made of at the bus where it lies furthest from the grid supply point's.
    fn furthest(&self) -> Option<&(String, BusDlmp)> {
        self.parts.iter().max_by_key(|(_, parts)| parts.real.beyond_energy())
    }
}

/// How many of a line's and its bus's limits are worth something.
fn count_worths(worths: &Multipliers) -> usize {
    let Multipliers { congestion, apparent, voltage } = worths;
    [congestion.0, apparent.0, voltage.0].iter().filter(|worth| **worth != 0).count()
}

impl fmt::Display for Cleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.1} kW imported at {:.2} to {:.2} EUR/MWh, {} limits bind; {} rounds, {} ms",
            self.import.kw(),
            self.price_min.eur_per_mwh(),
            self.price_max.eur_per_mwh(),
            self.binding,
            self.rounds,
            self.took_ms
        )?;
        let Some((bus, parts)) = self.furthest() else { return Ok(()) };
        write!(f, "; {bus}: {}", parts.real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, from: &str, power: Option<(i64, i64)>, rating: Option<i64>) -> Line {
        Line {
            id: id.to_owned(),
            from: from.to_owned(),
            to: id.to_owned(),
            power_max: power.map(|(_, most)| Milliwatt(most)),
            power_min: power.map(|(least, _)| Milliwatt(least)),
            resistance_microohm: 0,
            reactance_microohm: 0,
            rating_millivoltampere: rating,
        }
    }

    fn check(lines: &[Line], import: i64, expected: Option<f64>) {
        let feeder = Feeder {
            voltage_millivolt: 400_000,
            root: "root".to_owned(),
            buses: Vec::new(),
            lines: lines.to_vec(),
        };
        assert_eq!(Metered::of(&feeder, Milliwatt(import)).transformer, expected, "{import}");
    }

    #[test]
    fn loading_is_of_the_limit_in_its_direction() {
        let transformer =
            [line("t", "root", Some((-50, 100)), Some(130)), line("far", "t", Some((-1, 1)), None)];
        check(&transformer, 80, Some(0.8));
        check(&transformer, 120, Some(1.2));
        check(&transformer, -25, Some(0.5));
        check(
            &[line("a", "root", None, Some(100)), line("b", "root", Some((-100, 60)), None)],
            -50,
            Some(0.25),
        );
        check(&[line("a", "root", None, None)], 50, None);
        check(&[], 50, None);
    }
}
