//! Device agents: state, the owner's preferences and a price forecast make a price-flexibility curve.
//!
//! One file for each kind of device. All of it is pure arithmetic: no device is read or written
//! here, and time comes in with the [`Outlook`].

pub mod ahead;
pub mod base_load;
pub mod battery;
pub mod cells;
pub mod charger;
pub mod generator;
pub mod heat_pump;
pub mod horizon;
pub mod ladder;
pub mod levels;
pub mod offer;
pub mod outlook;
pub mod passage;
pub mod plug;
pub mod preferences;
pub mod slowing;
pub mod value;

use horizon::KeptValues;
use hw_adapters::device::{BatteryState, ChargerState, GeneratorState, HeatPumpState, PlugState};
use market::curve::{CurveError, FlexCurve};
use market::units::{Millijoule, Millivar, Milliwatt};
use preferences::Preferences;
use thiserror::Error;

pub use outlook::{Outlook, PriceQuantiles, Prospect};

/// What a device said of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A battery.
    Battery(BatteryState),
    /// A generator.
    Generator(GeneratorState),
    /// A charge point.
    Charger(ChargerState),
    /// A heat pump.
    HeatPump(HeatPumpState),
    /// A plug.
    Plug(PlugState),
}

impl Reading {
    /// Reactive power it can be told to give or absorb whatever its real power; none where it can't be told.
    pub fn reactive_range(&self) -> Millivar {
        match self {
            Reading::Generator(state) => state.reactive_max.unwrap_or_default(),
            Reading::Battery(_) | Reading::Charger(_) | Reading::HeatPump(_) | Reading::Plug(_) => {
                Millivar::ZERO
            }
        }
    }

    /// Power now; import positive.
    pub fn power(&self) -> Milliwatt {
        match self {
            Reading::Battery(state) => state.power,
            Reading::Generator(state) => state.power,
            Reading::Charger(state) => state.power,
            Reading::HeatPump(state) => state.power,
            Reading::Plug(state) => state.power,
        }
    }
}

/// What one device bids for one interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceBid {
    /// Its net power as a function of price.
    pub curve: FlexCurve,
    /// For what runs either not at all or at least at some power: its curve's lowest step, which can't be
    /// taken in part, and the setpoint that makes it run.
    pub block: Option<Block>,
    /// Setpoint by which all of the curve is taken, where that is more than the curve's most: what slows
    /// down by itself has a mean power below the one it begins with.
    pub setpoint_whole: Option<Milliwatt>,
}

/// Power that comes whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Mean power over the interval when the block is taken.
    pub height: Milliwatt,
    /// Least setpoint at which the device runs; above `height` where less energy is wanted than it
    /// gives over the whole interval.
    pub setpoint_min: Milliwatt,
}

impl From<FlexCurve> for DeviceBid {
    fn from(curve: FlexCurve) -> Self {
        Self { curve, block: None, setpoint_whole: None }
    }
}

/// Why an agent could not bid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AgentError {
    /// The reading is of another kind than the preferences.
    #[error("the device answered as another kind than its preferences are for")]
    OtherKind,
    /// The state read can't be true.
    #[error("the device's state can't be right: {reason}")]
    BadState {
        /// What is wrong.
        reason: &'static str,
    },
    /// Powers beyond what the market accepts.
    #[error("the device's power makes no curve: {0}")]
    Curve(#[from] CurveError),
}

/// One device's agent: its owner's preferences, and what it must remember between readings.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceAgent {
    preferences: Preferences,
    memory: generator::Memory,
    values: KeptValues,
    car: charger::Memory,
}

impl DeviceAgent {
    /// An agent with these preferences.
    pub fn new(preferences: Preferences) -> Self {
        let (memory, values) = (generator::Memory::default(), KeptValues::default());
        Self { preferences, memory, values, car: charger::Memory::default() }
    }

    /// What the device is told from now on: a limit of ours hides what it could do, and a car that takes
    /// less than it may has its reasons. None where it is left to itself.
    pub fn is_told(&mut self, power: Option<Milliwatt>) {
        self.memory.limited = power.is_some();
        self.car.is_told(power);
    }

    /// What the sun is expected to do from the reading to the interval bid for.
    pub fn expect_sun(&mut self, sun: Option<generator::Sun>) {
        self.memory.sun = sun;
    }

    /// The curve for the interval of `outlook`.
    ///
    /// # Errors
    /// As [`AgentError`] says; the device is then left out of the site's bid.
    pub fn bid(&mut self, reading: &Reading, outlook: &Outlook) -> Result<DeviceBid, AgentError> {
        match (&self.preferences, reading) {
            (Preferences::Battery(wish), Reading::Battery(state)) => {
                Ok(battery::curve(state, wish, outlook, &mut self.values)?.into())
            }
            (Preferences::Charger(wish), Reading::Charger(state)) => {
                charger::bid(state, wish, outlook, &mut self.car)
            }
            (Preferences::HeatPump(wish), Reading::HeatPump(state)) => {
                Ok(heat_pump::curve(state, wish, outlook, &mut self.values)?.into())
            }
            (Preferences::Generator(wish), Reading::Generator(state)) => {
                Ok(generator::curve(state, wish, &mut self.memory)?.into())
            }
            (Preferences::Plug(wish), Reading::Plug(state)) => plug::bid(state, wish),
            _ => Err(AgentError::OtherKind),
        }
    }
}

fn hours(seconds: i64) -> f64 {
    seconds as f64 / 3_600.0
}

fn watt(power: Milliwatt) -> f64 {
    power.0 as f64 / 1e3
}

fn watt_hours(energy: Millijoule) -> f64 {
    energy.0 as f64 / market::units::MILLIJOULE_PER_WH as f64
}

#[cfg(test)]
mod days;

#[cfg(test)]
pub(crate) mod testing {
    //! What the agents' tests share: an outlook in round figures.

    use super::ladder::PriceRange;
    use super::*;
    use market::interval::{Interval, UnixSeconds};
    use market::units::PicoEurPerWh;

    /// A price in EUR/MWh.
    pub fn price(eur_per_mwh: f64) -> PicoEurPerWh {
        PicoEurPerWh::from_eur_per_mwh(eur_per_mwh).unwrap()
    }

    /// Reading at the start of an hourly interval at 1970-01-01T00:00Z, with these prices after it.
    pub fn outlook(prices_eur_per_mwh: &[f64]) -> Outlook {
        Outlook {
            interval: Interval::default(),
            interval_s: 3_600,
            read_at: UnixSeconds(0),
            price: None,
            prices: prices_eur_per_mwh.iter().map(|p| PriceQuantiles::certain(price(*p))).collect(),
            hourly_persistence: 0.0,
            range: PriceRange { min: price(-500.0), max: price(4_000.0) },
        }
    }

    /// Corners in EUR/MWh and watts.
    pub fn corners(curve: &FlexCurve) -> Vec<(f64, f64)> {
        curve.points().iter().map(|p| (p.price.eur_per_mwh(), watt(p.power))).collect()
    }

    /// Whether corners are these, to the milliwatt and a hundredth of an euro.
    pub fn check_corners(curve: &FlexCurve, expected: &[(f64, f64)]) {
        let got = corners(curve);
        let close = |(a, b): (&(f64, f64), &(f64, f64))| (a.0 - b.0).abs() < 0.01 && (a.1 - b.1).abs() < 0.01;
        assert!(
            got.len() == expected.len() && got.iter().zip(expected).all(close),
            "{got:?}, not {expected:?}"
        );
    }
}
