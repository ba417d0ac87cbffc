//! A site's devices, as whoever runs them says. Pure.

use super::exact::Exact;
use serde::Serialize;

/// A device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceView {
    /// Its name within its site.
    pub device: String,
    /// What it is.
    pub kind: &'static str,
    /// How it is reached.
    pub reached_by: &'static str,
    /// What it takes now; negative: gives.
    pub power_milliwatt: Option<Exact>,
    /// What else is known of it.
    pub facts: Vec<Fact>,
}

/// One figure, with its unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// The figure.
    pub value: Exact,
    /// Its unit: `millijoule`, `milliwatt`, `millicelsius`.
    pub unit: &'static str,
}
