//! What the DSO has to show for each interval, as data; how it is shown is the shell's business.

use super::balance::Balance;
use super::day_ahead::measurement::ClearedSession;
use super::problem::{Dispatch, Grid};
use market::dlmp::BusDlmp;
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
    /// Each line's name and power.
    pub flows: Vec<(String, Milliwatt)>,
    /// Limits that bind.
    pub binding: usize,
    /// What the prices are made of at each bus, in a market that knows its grid.
    pub parts: Vec<(String, BusDlmp)>,
    /// Rounds it took.
    pub rounds: u32,
    /// Milliseconds of real time from the first thing heard of the interval to submission.
    pub took_ms: u64,
}

impl Cleared {
    /// The figures of a clearing.
    pub fn of(grid: &Grid, dispatch: &Dispatch, rounds: u32, took_ms: u64) -> Self {
        let (Grid { feeder, tree, .. }, clearing) = (grid, &dispatch.clearing);
        let flows: Vec<(String, Milliwatt)> =
            feeder.lines.iter().map(|line| line.id.clone()).zip(clearing.flows.iter().copied()).collect();
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
            flows,
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
