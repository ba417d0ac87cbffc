//! What a point of a device is, and in which unit it may say it.

use serde::{Deserialize, Serialize};

/// A point the adapters know. A template says where it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointName {
    /// Power now. A meter's is net, import positive; every other device's is what it takes.
    Power,
    /// Most power, where the device says it.
    PowerMax,
    /// Energy counter of what was imported or taken.
    Imported,
    /// Energy counter of what was exported.
    Exported,
    /// Whether it is switched on.
    On,
    /// Whether it is running now: a heat pump's compressor, a thermostat's valve.
    Running,
    /// What steers it, in a word.
    Mode,
    /// Power it holds by our command.
    HeldPower,
    /// Temperature it is set to.
    Setpoint,
    /// Room temperature.
    Room,
    /// Outdoor temperature.
    Outdoor,
    /// Something that is another in every message, as a time or a counter: where it stands still, so does the device.
    Clock,
}

/// What a point's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Power, in milliwatts.
    Power,
    /// Energy, in millijoules.
    Energy,
    /// Temperature, in thousandths of a degree Celsius.
    Temperature,
    /// On or off.
    Switch,
    /// A word.
    Word,
}

impl PointName {
    /// What its values are.
    pub fn quantity(self) -> Quantity {
        match self {
            Self::Power | Self::PowerMax | Self::HeldPower => Quantity::Power,
            Self::Imported | Self::Exported => Quantity::Energy,
            Self::Setpoint | Self::Room | Self::Outdoor => Quantity::Temperature,
            Self::On | Self::Running => Quantity::Switch,
            Self::Mode | Self::Clock => Quantity::Word,
        }
    }

    /// As it stands in a template.
    pub fn word(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::PowerMax => "power_max",
            Self::Imported => "imported",
            Self::Exported => "exported",
            Self::On => "on",
            Self::Running => "running",
            Self::Mode => "mode",
            Self::HeldPower => "held_power",
            Self::Setpoint => "setpoint",
            Self::Room => "room",
            Self::Outdoor => "outdoor",
            Self::Clock => "clock",
        }
    }
}

/// A unit as devices have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Unit {
    /// Watts.
    W,
    /// Kilowatts.
    #[serde(rename = "kW")]
    Kilowatt,
    /// Watt-hours.
    Wh,
    /// Kilowatt-hours.
    #[serde(rename = "kWh")]
    KilowattHour,
    /// Megawatt-hours.
    #[serde(rename = "MWh")]
    MegawattHour,
    /// Watt-minutes, as some plugs count.
    Wmin,
    /// Joules.
    J,
    /// Degrees Celsius.
    #[serde(rename = "°C", alias = "C")]
    Celsius,
    /// Degrees Fahrenheit.
    #[serde(rename = "°F", alias = "F")]
    Fahrenheit,
}

impl Unit {
    /// The unit of this name, as Home Assistant's `unit_of_measurement` has them.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "W" => Self::W,
            "kW" => Self::Kilowatt,
            "Wh" => Self::Wh,
            "kWh" => Self::KilowattHour,
            "MWh" => Self::MegawattHour,
            "J" => Self::J,
            "°C" | "C" => Self::Celsius,
            "°F" | "F" => Self::Fahrenheit,
            _ => return None,
        })
    }

    /// Whether values of `quantity` can be told in it.
    pub fn fits(self, quantity: Quantity) -> bool {
        match self {
            Self::W | Self::Kilowatt => quantity == Quantity::Power,
            Self::Wh | Self::KilowattHour | Self::MegawattHour | Self::Wmin | Self::J => {
                quantity == Quantity::Energy
            }
            Self::Celsius | Self::Fahrenheit => quantity == Quantity::Temperature,
        }
    }

    /// A value told in this unit, in milliwatts, millijoules or thousandths of a degree Celsius.
    pub fn thousandths(self, value: f64) -> f64 {
        match self {
            Self::W | Self::J | Self::Celsius => value * 1e3,
            Self::Kilowatt => value * 1e6,
            Self::Wh => value * 3.6e6,
            Self::KilowattHour => value * 3.6e9,
            Self::MegawattHour => value * 3.6e12,
            Self::Wmin => value * 6e4,
            Self::Fahrenheit => (value - 32.0) / 1.8 * 1e3,
        }
    }

    /// The value of so many thousandths in this unit.
    pub fn of_thousandths(self, thousandths: f64) -> f64 {
        match self {
            Self::Fahrenheit => thousandths / 1e3 * 1.8 + 32.0,
            other => thousandths / other.thousandths(1.0),
        }
    }
}

/// What can be true of a quantity at all, in thousandths of its unit: the market's bound of power is far above it.
pub(crate) fn believable(quantity: Quantity) -> std::ops::RangeInclusive<f64> {
    match quantity {
        // 10 GW, and a counter of a TWh.
        Quantity::Power => -1e13..=1e13,
        Quantity::Energy => 0.0..=3.6e18,
        Quantity::Temperature => -90e3..=120e3,
        Quantity::Switch | Quantity::Word => 0.0..=0.0,
    }
}
