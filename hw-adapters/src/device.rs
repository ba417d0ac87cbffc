//! What a device can do, as traits of one or two methods, and what it says of itself.
//!
//! Power follows the house's sign: import (consumption, charging) positive, export negative.

use futures::future::{BoxFuture, FutureExt};
use market::units::{Millijoule, Millivar, Milliwatt};
use std::time::Duration;
use thiserror::Error;

/// A reading or writing that failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DeviceError {
    /// No answer in time, or no connection.
    #[error("{device}: no answer while {act}: {reason}")]
    Silent {
        /// The device's name.
        device: String,
        /// What was tried.
        act: &'static str,
        /// What the transport said.
        reason: String,
    },
    /// An answer that can't be right.
    #[error("{device}: a bad answer while {act}: {reason}")]
    BadAnswer {
        /// The device's name.
        device: String,
        /// What was tried.
        act: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// An answer that is an old one: power flows by it, and nothing moves.
    #[error("{device}: a stale answer while {act}, {age_ms} ms old: {reason}")]
    Stale {
        /// The device's name.
        device: String,
        /// What was tried.
        act: &'static str,
        /// For how long nothing has moved.
        age_ms: u64,
        /// What tells.
        reason: String,
    },
    /// The device read back something other than what was written.
    #[error("{device}: {what} was written as {written} and reads back as {read}")]
    Disobeyed {
        /// The device's name.
        device: String,
        /// Which point or profile.
        what: &'static str,
        /// What was written.
        written: String,
        /// What came back.
        read: String,
    },
    /// The device said no.
    #[error("{device}: refused {act}: {reason}")]
    Refused {
        /// The device's name.
        device: String,
        /// What was tried.
        act: &'static str,
        /// Its reason.
        reason: String,
    },
}

/// A meter's counters and power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterState {
    /// Net power now.
    pub power: Milliwatt,
    /// Energy imported since the counter began, never negative.
    pub imported: Millijoule,
    /// Energy exported since the counter began, never negative.
    pub exported: Millijoule,
}

/// A battery with its inverter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatteryState {
    /// Power now: positive charging, negative discharging.
    pub power: Milliwatt,
    /// Usable energy stored now.
    pub stored: Millijoule,
    /// Usable energy when full.
    pub capacity: Millijoule,
    /// Most charging power, positive.
    pub charge_max: Milliwatt,
    /// Most discharging power, positive.
    pub discharge_max: Milliwatt,
}

/// A generator, as a rule PV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneratorState {
    /// Power now, zero or negative.
    pub power: Milliwatt,
    /// What it could feed in now if not limited, zero or negative; none where it doesn't say.
    pub available: Option<Milliwatt>,
    /// Nameplate as a positive power.
    pub nameplate: Milliwatt,
    /// Reactive power it can be told to give or absorb whatever its power; none where it can't be told, or
    /// doesn't say how much.
    pub reactive_max: Option<Millivar>,
}

/// A charge point with one connector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargerState {
    /// Whether a car is plugged in.
    pub plugged: bool,
    /// Power now.
    pub power: Milliwatt,
    /// Energy given since the car was plugged in; zero where none is.
    pub session: Millijoule,
    /// Least power it charges at, short of not charging (6 A on its phases).
    pub power_min: Milliwatt,
    /// Most power it charges at.
    pub power_max: Milliwatt,
}

/// A heat pump and the room it heats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeatPumpState {
    /// Electrical power now.
    pub power: Milliwatt,
    /// Electrical power when running.
    pub power_max: Milliwatt,
    /// Room temperature in thousandths of a degree Celsius.
    pub room_millicelsius: i64,
    /// Outdoor temperature in thousandths of a degree Celsius.
    pub outdoor_millicelsius: i64,
}

/// Something that is switched on and off, as a water heater behind a plug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlugState {
    /// Whether it is switched on.
    pub on: bool,
    /// Power now.
    pub power: Milliwatt,
    /// Most power of what hangs on it.
    pub power_max: Milliwatt,
}

/// Says how old what it read last is.
pub trait Aged: Send {
    /// Age of the oldest value in what was read last, as far as can be told; zero where reading asks the device itself
    /// and nothing in its answer says otherwise.
    fn age(&self) -> Duration {
        Duration::ZERO
    }
}

/// Reads a meter.
pub trait Meter: Aged {
    /// Counters and power now.
    fn read(&mut self) -> BoxFuture<'_, Result<MeterState, DeviceError>>;
}

/// Gives a device back to whoever had it before.
pub trait GiveBack: Send {
    /// Restores what was found in the device before the first write; nothing where nothing was written, or the
    /// device keeps nothing of it.
    fn give_back(&mut self) -> BoxFuture<'_, Result<(), DeviceError>> {
        async { Ok(()) }.boxed()
    }
}

/// Moves to a setpoint in steps, where it must not jump.
pub trait Paced: Send {
    /// After how long the setpoint asked for last is to be asked for again, since a ramp still stands between it and
    /// what the device holds; none where it has been reached.
    fn next_step(&self) -> Option<Duration> {
        None
    }
}

/// Reads and sets a battery.
pub trait Battery: GiveBack + Aged + Paced {
    /// Its state now.
    fn read(&mut self) -> BoxFuture<'_, Result<BatteryState, DeviceError>>;
    /// Writes a power setpoint, bounded by nameplate and ramp, with the device's own reversion timer set to
    /// `hold_s` where it has one; gives what reads back.
    fn set_power(&mut self, power: Milliwatt, hold_s: u32) -> BoxFuture<'_, Result<Milliwatt, DeviceError>>;
}

/// Reads and limits a generator.
pub trait Generator: GiveBack + Aged + Paced + Reactive {
    /// Its state now.
    fn read(&mut self) -> BoxFuture<'_, Result<GeneratorState, DeviceError>>;
    /// Limits feed-in to `power` (zero or negative), within its ramp; none lifts our limit. Gives what reads back.
    fn limit(
        &mut self,
        power: Option<Milliwatt>,
        hold_s: u32,
    ) -> BoxFuture<'_, Result<Option<Milliwatt>, DeviceError>>;
}

/// Sets reactive power.
pub trait Reactive: Send {
    /// Asks for reactive power, absorbed positive; zero switches ours off. Gives what reads back.
    fn set_reactive(
        &mut self,
        reactive: Millivar,
        hold_s: u32,
    ) -> BoxFuture<'_, Result<Millivar, DeviceError>>;
}

/// Reads and limits a charge point.
pub trait Charger: Aged {
    /// Its state now.
    fn read(&mut self) -> BoxFuture<'_, Result<ChargerState, DeviceError>>;
    /// Limits charging to `power`: zero pauses. Gives what the charge point holds afterwards.
    fn limit(&mut self, power: Milliwatt) -> BoxFuture<'_, Result<Milliwatt, DeviceError>>;
}

/// Reads and steers a heat pump.
pub trait HeatPump: GiveBack + Aged {
    /// Its state now.
    fn read(&mut self) -> BoxFuture<'_, Result<HeatPumpState, DeviceError>>;
    /// Asks for an electrical power from zero to its most; none hands it back to its own
    /// thermostat. Gives what it says it holds.
    fn set_power(
        &mut self,
        power: Option<Milliwatt>,
    ) -> BoxFuture<'_, Result<Option<Milliwatt>, DeviceError>>;
}

/// Reads and switches a plug.
pub trait Plug: GiveBack + Aged {
    /// Its state now.
    fn read(&mut self) -> BoxFuture<'_, Result<PlugState, DeviceError>>;
    /// Switches it; none gives it back to how it was found. Gives what it says it is afterwards.
    fn switch(&mut self, on: Option<bool>) -> BoxFuture<'_, Result<bool, DeviceError>>;
}

/// A device, by what it can do.
pub enum Device {
    /// A meter at the connection point.
    Meter(Box<dyn Meter>),
    /// A battery.
    Battery(Box<dyn Battery>),
    /// A generator.
    Generator(Box<dyn Generator>),
    /// A charge point.
    Charger(Box<dyn Charger>),
    /// A heat pump.
    HeatPump(Box<dyn HeatPump>),
    /// A plug.
    Plug(Box<dyn Plug>),
}

impl Device {
    /// Age of the oldest value in what was read of it last.
    pub fn age(&self) -> Duration {
        match self {
            Self::Meter(device) => device.age(),
            Self::Battery(device) => device.age(),
            Self::Generator(device) => device.age(),
            Self::Charger(device) => device.age(),
            Self::HeatPump(device) => device.age(),
            Self::Plug(device) => device.age(),
        }
    }

    /// After how long the setpoint asked for last is to be asked for again; none where it has been reached.
    pub fn next_step(&self) -> Option<Duration> {
        match self {
            Self::Battery(device) => device.next_step(),
            Self::Generator(device) => device.next_step(),
            Self::Meter(_) | Self::Charger(_) | Self::HeatPump(_) | Self::Plug(_) => None,
        }
    }

    /// Gives it back to whoever had it before; nothing where nothing of it was kept.
    ///
    /// # Errors
    /// Where it can't be reached, or does not take what it had.
    pub async fn give_back(&mut self) -> Result<(), DeviceError> {
        match self {
            Self::Battery(device) => device.give_back().await,
            Self::Generator(device) => device.give_back().await,
            Self::HeatPump(device) => device.give_back().await,
            Self::Plug(device) => device.give_back().await,
            Self::Meter(_) | Self::Charger(_) => Ok(()),
        }
    }
}
