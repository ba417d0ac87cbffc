//! The wholesale market as the TSO interface knows it: a transmission network, the others' curves there,
//! and the feeder's bus. Pure.
//!
//! The feeder bids by its own clearing: the interface traces what the others sell at the feeder's bus, the
//! DSO clears against that, and what was cleared is the feeder's award in the auction of all.

use market::auction::nodal::residual::{residual_supply, ResidualError};
use market::auction::nodal::{clear, Network, NodalError, Participant};
use market::curve::{Breakpoint, CurveError, FlexCurve};
use market::interval::Interval;
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh};
use thiserror::Error;

/// Seconds of a day, over which a trader's profile stretches.
const DAY_S: i64 = 86_400;

/// One who trades at a bus of the transmission network.
#[derive(Clone, Debug, PartialEq)]
pub struct Trader {
    /// Index of its bus.
    pub bus: usize,
    /// What it takes, or, negative, delivers.
    pub curve: FlexCurve,
    /// By what the curve's powers are multiplied in each equal part of a day; empty for always 1.
    pub profile: Vec<f64>,
}

/// The market.
#[derive(Clone, Debug, PartialEq)]
pub struct Wholesale {
    /// The transmission network.
    pub network: Network,
    /// Index of the bus that feeds the feeder.
    pub bus: usize,
    /// Everybody but the feeder.
    pub traders: Vec<Trader>,
    /// Least import by the feeder (negative: most export).
    pub import_min: Milliwatt,
    /// Most import by the feeder.
    pub import_max: Milliwatt,
}

/// What the feeder was awarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeederAward {
    /// For which interval.
    pub interval: Interval,
    /// What it imports.
    pub import: Milliwatt,
    /// Price at its bus.
    pub price: PicoEurPerWh,
}

/// Why the market gives no price.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum WholesaleError {
    /// A profile makes no curve of a trader's.
    #[error("trader {trader} in {interval}: {source}")]
    Profile {
        /// Place of the trader.
        trader: usize,
        /// The interval.
        interval: Interval,
        /// What is wrong.
        source: CurveError,
    },
    /// No curve of what the others sell.
    #[error("{interval}: {source}")]
    Residual {
        /// The interval.
        interval: Interval,
        /// What is wrong.
        source: ResidualError,
    },
    /// No auction.
    #[error("{interval}: the wholesale auction: {source}")]
    Auction {
        /// The interval.
        interval: Interval,
        /// What is wrong.
        source: NodalError,
    },
}

impl Wholesale {
    /// What the others sell at the feeder's bus in `interval`.
    ///
    /// # Errors
    /// [`WholesaleError`]: a profile that makes no curve, or an auction without outcome.
    pub fn supply(&self, interval: Interval) -> Result<SupplyCurve, WholesaleError> {
        let others = self.others(interval)?;
        residual_supply(&self.network, &others, self.bus, self.import_min, self.import_max)
            .map_err(|source| WholesaleError::Residual { interval, source })
    }

    /// What the feeder is awarded in the auction of all when it takes `import`.
    ///
    /// # Errors
    /// As [`Self::supply`].
    pub fn award(&self, interval: Interval, import: Milliwatt) -> Result<FeederAward, WholesaleError> {
        let mut all = self.others(interval)?;
        all.push(Participant { bus: self.bus, curve: FlexCurve::inelastic(import) });
        let outcome =
            clear(&self.network, &all).map_err(|source| WholesaleError::Auction { interval, source })?;
        Ok(FeederAward { interval, import, price: outcome.prices[self.bus] })
    }

    fn others(&self, interval: Interval) -> Result<Vec<Participant>, WholesaleError> {
        let second = interval.start().0.rem_euclid(DAY_S);
        let scaled = |(trader, of): (usize, &Trader)| {
            let part = second * of.profile.len() as i64 / DAY_S;
            let scale = of.profile.get(part as usize).copied().unwrap_or(1.0);
            let out = |index| WholesaleError::Profile {
                trader,
                interval,
                source: CurveError::OutOfBounds { index },
            };
            let point = |(index, point): (usize, &Breakpoint)| {
                let power = Milliwatt::from_kw(point.power.kw() * scale).ok_or_else(|| out(index))?;
                Ok(Breakpoint { price: point.price, power })
            };
            let points = of.curve.points().iter().enumerate().map(point).collect::<Result<_, _>>()?;
            let curve = FlexCurve::new(points).map_err(|source| WholesaleError::Profile {
                trader,
                interval,
                source,
            })?;
            Ok(Participant { bus: of.bus, curve })
        };
        self.traders.iter().enumerate().map(scaled).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use market::auction::nodal::Link;
    use market::interval::UnixSeconds;

    /// A cheap unit behind a line of 2 MW, a dear one at the feeder's bus, and a town there that takes
    /// 1 MW in the first half of a day and 3 MW in the second.
    pub fn market() -> Wholesale {
        let kw = |kw: f64| Milliwatt::from_kw(kw).unwrap();
        let unit = |bus, price: i64, most: f64| {
            let point = |power| Breakpoint { price: PicoEurPerWh(price * 1_000_000), power };
            let curve = FlexCurve::new(vec![point(kw(0.0)), point(kw(-most))]).unwrap();
            Trader { bus, curve, profile: Vec::new() }
        };
        let town = Trader { bus: 1, curve: FlexCurve::inelastic(kw(1e3)), profile: vec![1.0, 3.0] };
        let limit = Some(kw(2e3));
        Wholesale {
            network: Network {
                buses: vec!["plant".into(), "feeder".into()],
                links: vec![Link { id: "line".into(), from: 0, to: 1, reactance: Some(0.1), limit }],
            },
            bus: 1,
            traders: vec![unit(0, 30, 10e3), unit(1, 80, 10e3), town],
            import_min: kw(-500.0),
            import_max: kw(4e3),
        }
    }

    fn at(hour: i64) -> Interval {
        Interval(UnixSeconds(hour * 3_600))
    }

    fn check(hour: i64, import_kw: f64, price: f64) {
        let import = Milliwatt::from_kw(import_kw).unwrap();
        let award = market().award(at(hour), import).unwrap();
        assert!((award.price.eur_per_mwh() - price).abs() < 2e-3, "{award:?}");
        let supply = market().supply(at(hour)).unwrap();
        let near = |shift: i64| supply.import_at(PicoEurPerWh(award.price.0 + shift));
        assert!(near(-4_000).low <= import && import <= near(4_000).high, "{supply:?}");
    }

    #[test]
    fn the_feeder_gets_what_the_line_brings_and_then_the_dear_unit() {
        check(6, 500.0, 30.0);
        check(6, 1_500.0, 80.0);
        check(18, -400.0, 80.0);
        check(18, 3_000.0, 80.0);
    }

    #[test]
    fn a_profile_that_makes_no_curve_names_its_trader() {
        let mut market = market();
        market.traders[2].profile = vec![f64::NAN];
        assert!(market.supply(at(0)).unwrap_err().to_string().starts_with("trader 2 in"));
    }
}
