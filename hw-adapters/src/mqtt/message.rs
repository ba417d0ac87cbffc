//! The heat pump's two topics: `{prefix}/state`, from the device, and `{prefix}/set`, to it.
//!
//! State: `{"power_w": 812.5, "room_c": 20.4, "outdoor_c": 3.1, "power_max_w": 3000, "mode":
//! "setpoint", "setpoint_w": 800}`; `mode` is `auto` (its own thermostat; no `setpoint_w`) or
//! `setpoint`. Further fields are passed over. Command: a number of watts, or `"auto"`.

use crate::device::HeatPumpState;
use market::units::Milliwatt;
use serde::Deserialize;
use serde_json::json;
use thiserror::Error;

/// Longest state read, in bytes.
pub const STATE_MAX_BYTES: usize = 4096;
/// Largest electrical power a heat pump may state, in watts.
const POWER_MAX_W: f64 = 1e6;

/// What a heat pump says: its state, and what it was asked for and holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its state.
    pub state: HeatPumpState,
    /// The power it holds; none under its own thermostat.
    pub held: Option<Milliwatt>,
}

/// A state that can't be read or can't be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReportError {
    /// Longer than [`STATE_MAX_BYTES`].
    #[error("state of {0} bytes; {STATE_MAX_BYTES} are read")]
    TooLong(usize),
    /// No JSON object with these fields.
    #[error("state is not what it must be: {0}")]
    Malformed(String),
    /// A figure out of its range.
    #[error("{0} is out of range")]
    Range(&'static str),
}

impl ReportError {
    /// The label under which it is counted.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "oversized",
            Self::Malformed(_) => "malformed",
            Self::Range(_) => "out_of_range",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Auto,
    Setpoint,
}

#[derive(Deserialize)]
struct Raw {
    power_w: f64,
    room_c: f64,
    outdoor_c: f64,
    power_max_w: f64,
    mode: Mode,
    setpoint_w: Option<f64>,
}

/// Reads a state.
///
/// # Errors
/// One that can't be read, or with a figure that can't be right: power above 1.2 times its most,
/// temperatures beyond what weather and rooms have.
pub fn report(payload: &[u8]) -> Result<Report, ReportError> {
    if payload.len() > STATE_MAX_BYTES {
        return Err(ReportError::TooLong(payload.len()));
    }
    let raw: Raw = serde_json::from_slice(payload).map_err(|e| ReportError::Malformed(e.to_string()))?;
    let within = |name, value: f64, range: std::ops::RangeInclusive<f64>| {
        range.contains(&value).then(|| (value * 1000.0).round() as i64).ok_or(ReportError::Range(name))
    };
    let power_max = Milliwatt(within("power_max_w", raw.power_max_w, 1.0..=POWER_MAX_W)?);
    let held = match (raw.mode, raw.setpoint_w) {
        (Mode::Auto, _) => None,
        (Mode::Setpoint, Some(watt)) => Some(Milliwatt(within("setpoint_w", watt, 0.0..=POWER_MAX_W)?)),
        (Mode::Setpoint, None) => return Err(ReportError::Range("setpoint_w")),
    };
    let state = HeatPumpState {
        power: Milliwatt(within("power_w", raw.power_w, 0.0..=1.2 * raw.power_max_w)?),
        power_max,
        room_millicelsius: within("room_c", raw.room_c, -40.0..=60.0)?,
        outdoor_millicelsius: within("outdoor_c", raw.outdoor_c, -60.0..=60.0)?,
    };
    Ok(Report { state, held })
}

/// The command that asks for `power`, or hands the heat pump back to its thermostat.
pub fn command(power: Option<Milliwatt>) -> String {
    match power {
        Some(power) => json!(power.0 as f64 / 1000.0),
        None => json!("auto"),
    }
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn good() -> Value {
        json!({ "power_w": 812.5, "room_c": 20.4, "outdoor_c": -3.1, "power_max_w": 3000, "mode": "auto" })
    }

    fn check(change: Value, expected: Result<Option<Milliwatt>, &str>) {
        let mut state = good();
        for (name, value) in change.as_object().unwrap() {
            state[name] = value.clone();
        }
        let got = report(state.to_string().as_bytes()).map(|report| report.held);
        assert_eq!(got.as_ref().map_err(ReportError::reason), expected.as_ref().map_err(|e| *e), "{state}");
    }

    #[test]
    fn a_state_is_read() {
        let state = report(good().to_string().as_bytes()).unwrap().state;
        let expected = HeatPumpState {
            power: Milliwatt(812_500),
            power_max: Milliwatt(3_000_000),
            room_millicelsius: 20_400,
            outdoor_millicelsius: -3_100,
        };
        assert_eq!(state, expected);
        check(
            json!({ "mode": "setpoint", "setpoint_w": 800.001, "wifi": -60 }),
            Ok(Some(Milliwatt(800_001))),
        );
    }

    #[test]
    fn a_state_that_cannot_be_right_is_refused() {
        check(json!({ "power_w": 3601 }), Err("out_of_range"));
        check(json!({ "power_w": -1 }), Err("out_of_range"));
        check(json!({ "room_c": 200 }), Err("out_of_range"));
        check(json!({ "power_max_w": 0 }), Err("out_of_range"));
        check(json!({ "power_w": null }), Err("malformed"));
        check(json!({ "mode": "turbo" }), Err("malformed"));
        check(json!({ "mode": "setpoint" }), Err("out_of_range"));
        check(json!({ "note": "x".repeat(STATE_MAX_BYTES) }), Err("oversized"));
    }

    #[test]
    fn commands_are_json() {
        assert_eq!(command(None), "\"auto\"");
        assert_eq!(command(Some(Milliwatt(1_234_567))), "1234.567");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_state_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = report(&bytes);
        }
    }
}
