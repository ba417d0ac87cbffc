//! The supply curve at the grid supply point: import as a non-decreasing function of price.

use crate::curve::CurveError;
use crate::curve::{Breakpoint, FlexCurve};
use crate::share::Demand;
use crate::units::{MicroEurPerTonne, MicrogramPerWh, Milliwatt, PicoEurPerWh};
use serde::{Deserialize, Serialize};

/// What the transmission side delivers at each price. Imports below its first or above its last
/// breakpoint are forbidden; export is negative import.
///
/// Kept as the mirrored [`FlexCurve`] of the transmission side seen as a consumer of `-import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SupplyCurve {
    mirrored: FlexCurve,
}

impl SupplyCurve {
    /// From breakpoints with price and import both non-decreasing.
    ///
    /// # Errors
    /// As [`FlexCurve::new`]; `PowerIncreases` there means import decreases here.
    pub fn new(points: Vec<Breakpoint>) -> Result<Self, CurveError> {
        let mirror =
            |p: Breakpoint| Breakpoint { price: p.price, power: Milliwatt(p.power.0.saturating_neg()) };
        Ok(Self { mirrored: FlexCurve::new(points.into_iter().map(mirror).collect())? })
    }

    /// Any import from `import_min` to `import_max` at one price.
    ///
    /// # Errors
    /// `PowerIncreases` where `import_max` is below `import_min`; `OutOfBounds` as it says.
    pub fn flat(
        price: PicoEurPerWh,
        import_min: Milliwatt,
        import_max: Milliwatt,
    ) -> Result<Self, CurveError> {
        Self::new(vec![Breakpoint { price, power: import_min }, Breakpoint { price, power: import_max }])
    }

    /// No import and no export at any price: a market by itself.
    pub fn none() -> Self {
        Self { mirrored: FlexCurve::inelastic(Milliwatt::ZERO) }
    }

    /// The same party seen as a consumer of `-import`.
    pub fn mirrored(&self) -> &FlexCurve {
        &self.mirrored
    }

    /// The same import, each watt-hour of it dearer by `adder`.
    ///
    /// # Errors
    /// `OutOfBounds` where a price leaves the market's bounds.
    pub fn dearer(&self, adder: PicoEurPerWh) -> Result<Self, CurveError> {
        let dearer = |point: &Breakpoint| Breakpoint {
            price: PicoEurPerWh(point.price.0.saturating_add(adder.0)),
            power: point.power,
        };
        Ok(Self { mirrored: FlexCurve::new(self.mirrored.points().iter().map(dearer).collect())? })
    }

    /// The same import with a price of carbon on what a watt-hour of it emits.
    ///
    /// # Errors
    /// `OutOfBounds` where a price leaves the market's bounds.
    pub fn with_carbon(&self, price: MicroEurPerTonne, emission: MicrogramPerWh) -> Result<Self, CurveError> {
        // An adder beyond all prices leaves the bounds with whatever it is added to.
        self.dearer(price.adder(emission).unwrap_or(PicoEurPerWh(i64::MAX)))
    }

    /// What may be imported at `price`, from `low` to `high`.
    pub fn import_at(&self, price: PicoEurPerWh) -> Demand {
        let mirrored = self.mirrored.demand_at(price);
        Demand { low: -mirrored.high, high: -mirrored.low }
    }

    /// The least import (most export) at any price.
    pub fn import_min(&self) -> Milliwatt {
        -self.mirrored.power_max()
    }

    /// The most import at any price.
    pub fn import_max(&self) -> Milliwatt {
        -self.mirrored.power_min()
    }
}
