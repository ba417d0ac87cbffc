//! What a site is made of, as plain data.

use crate::physics::battery::BatterySpec;
use crate::physics::car::{ChargerConfig, ChargerConfigError};
use crate::physics::heat_pump::{HeatPumpConfig, HeatPumpConfigError};
use crate::physics::profile::Profile;
use crate::physics::pv::PvSpec;
use market::units::Milliwatt;
use thiserror::Error;

/// A site and what is in it. Plain data.
#[derive(Clone, Debug)]
pub struct SiteSpec {
    /// Its name, for messages.
    pub name: String,
    /// What is neither named below nor steered.
    pub load: LoadSpec,
    /// Its PV system.
    pub pv: Option<PvSpec>,
    /// Its battery.
    pub battery: Option<BatterySpec>,
    /// Its charge point and the car that comes there.
    pub charger: Option<ChargerConfig>,
    /// Its heat pump.
    pub heat_pump: Option<HeatPumpSpec>,
}

/// A load that follows profiles.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadSpec {
    /// What `active` is in fractions of, positive.
    pub peak: Milliwatt,
    /// Active power.
    pub active: Profile,
    /// What `reactive` is in fractions of, in millivars.
    pub reactive_peak_mvar: i64,
    /// Reactive power, absorbed positive.
    pub reactive: Profile,
}

/// A heat pump and its weather.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatPumpSpec {
    /// The heat pump and its room.
    pub config: HeatPumpConfig,
    /// Outdoor temperature in degrees Celsius.
    pub outdoor_celsius: Profile,
}

/// A site that can't be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SpecError {
    /// The PV system's nameplate is not positive.
    #[error("{0}: the PV nameplate is not positive")]
    Pv(String),
    /// A battery's figure is out of range.
    #[error("{0}: the battery needs positive capacity and powers, and an efficiency of 1 to 1000 permille")]
    Battery(String),
    /// The charger can't be.
    #[error("{0}: {1}")]
    Charger(String, ChargerConfigError),
    /// The heat pump can't be.
    #[error("{0}: {1}")]
    HeatPump(String, HeatPumpConfigError),
}
