//! How fast a SunSpec device's setpoints move: as its site or template says, else as the device itself is set to
//! (704, 121), else as usual. The way itself is `crate::ramp`'s matter.

use super::measured::now_ms;
use super::plate::Plate;
use super::session::Session;
use crate::device::DeviceError;
use crate::ramp::{Ramp, RampRules, USUAL};
use market::units::Milliwatt;
use std::time::Duration;

/// Whose ramp holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rules {
    /// Nobody's: setpoints jump.
    #[default]
    Free,
    /// The device's own, or the usual one.
    Own,
    /// The site's or its template's.
    Said(RampRules),
}

/// One device's ramp, and where its setpoint is on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pace {
    rules: Rules,
    ramp: Ramp,
}

/// Where a setpoint is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// What it is to be in the end.
    pub goal: Milliwatt,
    /// What the device does now: where it begins if nothing of ours is in force.
    pub measured: Milliwatt,
    /// What it must lie within at once, whatever the ramp says.
    pub bounds: (Milliwatt, Milliwatt),
    /// Milliwatts a second; none without a ramp.
    pub rate: Option<i64>,
}

impl Pace {
    /// By these rules; without any by the device's own or the usual ones.
    pub fn new(rules: Option<RampRules>) -> Self {
        Self { rules: rules.map_or(Rules::Own, Rules::Said), ramp: Ramp::default() }
    }

    /// Milliwatts a second for a device of this most power; none without a ramp.
    pub async fn rate(
        &self,
        session: &mut Session,
        act: &'static str,
        (plate, most): (&Plate, Milliwatt),
    ) -> Result<Option<i64>, DeviceError> {
        Ok(match self.rules {
            Rules::Free => None,
            Rules::Said(rules) => Some(rules.rate(most)),
            Rules::Own => Some(plate.own_ramp(session, act).await?.unwrap_or_else(|| USUAL.rate(most))),
        })
    }

    /// The next setpoint; `told` is ours that is in force.
    pub fn aim(&self, told: Option<Milliwatt>, way: &Way) -> Milliwatt {
        let (least, most) = way.bounds;
        let to = way.goal.max(least).min(most);
        match way.rate {
            None => to,
            Some(rate) => {
                let from = told.unwrap_or(way.measured);
                self.ramp.towards(now_ms(), from, to, rate).max(least).min(most)
            }
        }
    }

    /// This was aimed at, and this is what the device holds of it.
    pub fn stepped(&mut self, step: (Milliwatt, Milliwatt), way: &Way) {
        if way.rate.is_some() {
            self.ramp.stepped(now_ms(), step, way.goal);
        }
    }

    /// The device goes its own way again.
    pub fn ended(&mut self) {
        self.ramp.ended();
    }

    /// After how long the same is to be asked for again.
    pub fn next_step(&self) -> Option<Duration> {
        self.ramp.next_step()
    }
}
