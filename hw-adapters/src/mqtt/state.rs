//! From points to what the site controller knows: a meter's, a plug's or a heat pump's state.

use super::core::MqttCore;
use super::payload::Value;
use super::points::Lack;
use crate::device::{HeatPumpState, MeterState, PlugState};
use crate::template::{DeviceKind, PointName};
use market::units::{Millijoule, Milliwatt};

/// A device's state, by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A meter's.
    Meter(MeterState),
    /// A plug's.
    Plug(PlugState),
    /// A heat pump's.
    HeatPump(HeatPumpState),
}

impl State {
    /// Most power it takes; zero for a meter.
    pub fn power_max(&self) -> Milliwatt {
        match self {
            Self::Meter(_) => Milliwatt::ZERO,
            Self::Plug(state) => state.power_max,
            Self::HeatPump(state) => state.power_max,
        }
    }
}

struct Reader<'a> {
    core: &'a MqttCore,
    now_ms: u64,
    /// Age of the oldest value read so far.
    age_ms: u64,
}

impl Reader<'_> {
    fn amount(&mut self, name: PointName) -> Result<i64, Lack> {
        let (value, age_ms) = self.core.value(name, self.now_ms)?;
        self.age_ms = self.age_ms.max(age_ms);
        match value {
            Value::Amount(amount) => Ok(amount),
            _ => Err(Lack::Unsaid(name.word())),
        }
    }

    fn switch(&mut self, name: PointName) -> Result<bool, Lack> {
        let (value, age_ms) = self.core.value(name, self.now_ms)?;
        self.age_ms = self.age_ms.max(age_ms);
        match value {
            Value::Switch(on) => Ok(on),
            _ => Err(Lack::Unsaid(name.word())),
        }
    }

    fn has(&self, name: PointName) -> bool {
        self.core.followed().points.contains_key(&name)
    }

    /// A point that isn't needed and must not be frozen.
    fn goes_on(&self, name: PointName) -> Result<(), Lack> {
        match self.has(name).then(|| self.core.value(name, self.now_ms)) {
            Some(Err(frozen @ Lack::Frozen { .. })) => Err(frozen),
            _ => Ok(()),
        }
    }

    fn power_max(&mut self) -> Result<Milliwatt, Lack> {
        if self.has(PointName::PowerMax) {
            let power_max = Milliwatt(self.amount(PointName::PowerMax)?);
            return match power_max.0 {
                1.. => Ok(power_max),
                _ => Err(Lack::Refused(format!("a nameplate of {power_max} can't be right"))),
            };
        }
        self.core.followed().power_max.ok_or(Lack::Unsaid(PointName::PowerMax.word()))
    }

    /// Its power, within 1.2 times its nameplate.
    fn power(&mut self, power_max: Milliwatt) -> Result<Milliwatt, Lack> {
        if !self.has(PointName::Power) {
            let running = self.switch(PointName::Running)?;
            return Ok(if running { power_max } else { Milliwatt::ZERO });
        }
        let power = Milliwatt(self.amount(PointName::Power)?);
        if power.0 < 0 || power.0 / 6 > power_max.0 / 5 {
            return Err(Lack::Refused(format!("power of {power} with a nameplate of {power_max}")));
        }
        Ok(power)
    }
}

/// What the points say together.
///
/// # Errors
/// The first point that has no value, and why.
pub(super) fn state(core: &MqttCore, now_ms: u64) -> Result<(State, u64), Lack> {
    let mut read = Reader { core, now_ms, age_ms: 0 };
    // A point that has to be another in each message shows a device that repeats itself.
    read.goes_on(PointName::Clock)?;
    let state = match core.device() {
        DeviceKind::Meter => State::Meter(MeterState {
            power: Milliwatt(read.amount(PointName::Power)?),
            imported: Millijoule(read.amount(PointName::Imported)?),
            exported: match read.has(PointName::Exported) {
                true => Millijoule(read.amount(PointName::Exported)?),
                false => Millijoule::ZERO,
            },
        }),
        DeviceKind::Plug => {
            let power_max = read.power_max()?;
            let power = read.power(power_max)?;
            let on = read.switch(PointName::On)?;
            // Not needed, and a counter that stands still shows that the power is not true.
            read.goes_on(PointName::Imported)?;
            State::Plug(PlugState { on, power, power_max })
        }
        _ => {
            let power_max = read.power_max()?;
            State::HeatPump(HeatPumpState {
                power: read.power(power_max)?,
                power_max,
                room_millicelsius: read.amount(PointName::Room)?,
                outdoor_millicelsius: read.amount(PointName::Outdoor)?,
            })
        }
    };
    Ok((state, read.age_ms))
}
