//! Metering: what really flowed.

use market::interval::Interval;
use market::units::Millijoule;
use serde::{Deserialize, Serialize};

/// Net energy at a site's connection point over one interval, from its meter's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterReading {
    /// The interval.
    pub interval: Interval,
    /// Net energy over it; import positive.
    pub energy: Millijoule,
}

/// A device that did not answer or did not obey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFault {
    /// The device's name within its site.
    pub device: String,
    /// What went wrong, at most 200 characters.
    pub reason: String,
}
