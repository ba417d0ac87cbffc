//! What the DSO has to show for each interval, as data; how it is shown is the shell's business.

use market::clearing::Clearing;
use market::feeder::Feeder;
use market::units::{Milliwatt, PicoEurPerWh};
use std::fmt;

/// Something to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measurement {
    /// An interval was cleared and is before the validators.
    Cleared(Cleared),
    /// Its clearing is on the ledger.
    Final {
        /// Milliseconds of real time from submission to the verified block.
        finality_ms: u64,
    },
}

/// What an interval was cleared at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// Net import at the grid supply point.
    pub import: Milliwatt,
    /// Lowest price at any bus.
    pub price_min: PicoEurPerWh,
    /// Highest price at any bus.
    pub price_max: PicoEurPerWh,
    /// Each line's name and power.
    pub flows: Vec<(String, Milliwatt)>,
    /// Lines whose limit binds.
    pub binding: usize,
    /// Rounds it took.
    pub rounds: u32,
    /// Milliseconds of real time from the first thing heard of the interval to submission.
    pub took_ms: u64,
}

impl Cleared {
    /// The figures of a clearing.
    pub fn of(feeder: &Feeder, clearing: &Clearing, rounds: u32, took_ms: u64) -> Self {
        let flows: Vec<(String, Milliwatt)> =
            feeder.lines.iter().map(|line| line.id.clone()).zip(clearing.flows.iter().copied()).collect();
        let binds = |(line, flow): &(&market::feeder::Line, &Milliwatt)| {
            line.power_max == Some(**flow) || line.power_min == Some(**flow)
        };
        Self {
            import: clearing.import,
            price_min: clearing.prices.iter().copied().min().unwrap_or_default(),
            price_max: clearing.prices.iter().copied().max().unwrap_or_default(),
            binding: feeder.lines.iter().zip(&clearing.flows).filter(binds).count(),
            flows,
            rounds,
            took_ms,
        }
    }
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
        )
    }
}
