//! What is cleared over several intervals: a feeder, what its parties offer in each interval, orders
//! that tie intervals together, and what the transmission side supplies. Plain figures; nothing here
//! decides.
//!
//! Units and places as in [`crate::grid::problem`]; energy in kWh.

use crate::grid::problem::{Network, Piece, Reactive, Supply};

/// Part of an energy that rounding may amount to.
const ROUNDING: f64 = 1e-9;

/// The market of several intervals of equal length on one feeder.
#[derive(Clone, Debug, PartialEq)]
pub struct HorizonProblem {
    /// The feeder, the same in every interval.
    pub network: Network,
    /// Length of an interval in hours.
    pub interval_hours: f64,
    /// What comes from the transmission side in each interval; as many as there are intervals.
    pub supplies: Vec<Supply>,
    /// Parties that state a curve for each interval.
    pub offers: Vec<ProfiledOffer>,
    /// Storage that the market schedules.
    pub storages: Vec<StorageOrder>,
    /// Energy that must be delivered within a window.
    pub deferrables: Vec<DeferrableOrder>,
    /// Price in EUR/MWh of `r (P^2 + Q^2)` on every line; losses are not in the balance.
    pub loss_price: f64,
}

/// A party with a curve for each interval, none of which depends on another.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfiledOffer {
    /// Where.
    pub place: usize,
    /// Reactive power, by the same rule in every interval.
    pub reactive: Reactive,
    /// One curve for each interval.
    pub curves: Vec<OfferCurve>,
}

/// What a party takes in one interval.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfferCurve {
    /// What is taken at any price, however high.
    pub power_min_kw: f64,
    /// What is taken besides, the most valued first.
    pub pieces: Vec<Piece>,
}

/// Storage offered whole. With `c` charged and `d` discharged in an interval of `h` hours, its energy
/// rises by `h (charge_efficiency c - d / discharge_efficiency)`; the grid sees `c - d`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StorageOrder {
    /// Where.
    pub place: usize,
    /// Most power taken from the grid.
    pub charge_max_kw: f64,
    /// Most power given to the grid.
    pub discharge_max_kw: f64,
    /// Least energy at the end of any interval.
    pub energy_min_kwh: f64,
    /// Most energy at the end of any interval.
    pub energy_max_kwh: f64,
    /// Energy before the first interval.
    pub energy_start_kwh: f64,
    /// Least energy after the last interval.
    pub energy_end_min_kwh: f64,
    /// Part of what is taken that is stored, above 0 and up to 1.
    pub charge_efficiency: f64,
    /// Part of what leaves the store that reaches the grid, above 0 and up to 1.
    pub discharge_efficiency: f64,
    /// Cost of wear for each MWh charged and each MWh discharged, in EUR.
    pub wear_eur_per_mwh: f64,
}

/// Energy to be taken within `[start, end)`, in intervals, whatever it costs. No reactive power.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeferrableOrder {
    /// Where.
    pub place: usize,
    /// Energy taken in all.
    pub energy_kwh: f64,
    /// Most power at any time.
    pub power_max_kw: f64,
    /// First interval in which it may be taken.
    pub start: usize,
    /// First interval in which it may no longer be taken.
    pub end: usize,
}

impl DeferrableOrder {
    /// Its power in its window where there is but one: nothing to deliver, or the most all the time.
    pub fn fixed_kw(&self, interval_hours: f64) -> Option<f64> {
        let deliverable_kwh = interval_hours * self.power_max_kw * (self.end - self.start) as f64;
        if self.energy_kwh <= ROUNDING * deliverable_kwh {
            Some(0.0)
        } else if self.energy_kwh >= (1.0 - ROUNDING) * deliverable_kwh {
            Some(self.power_max_kw)
        } else {
            None
        }
    }
}

impl HorizonProblem {
    /// How many intervals there are.
    pub fn intervals(&self) -> usize {
        self.supplies.len()
    }
}
