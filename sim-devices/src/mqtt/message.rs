//! What the heat pump says and understands.

use crate::physics::heat_pump::{Control, HeatPumpSim};
use market::units::Milliwatt;
use serde_json::{json, Value};

/// Longest command understood, in bytes.
const COMMAND_MAX_BYTES: usize = 64;
/// Largest power asked for, in watts; more is a slip, not a wish.
const POWER_MAX_W: f64 = 1e6;

/// A state, given what the heat pump claims to be steered by.
pub(super) fn state(sim: &HeatPumpSim, control: Control) -> String {
    let thousandths = |figure: i64| figure as f64 / 1000.0;
    let mut state = json!({
        "power_w": thousandths(sim.power().0),
        "room_c": thousandths(sim.room_millicelsius()),
        "outdoor_c": thousandths(sim.outdoor_millicelsius()),
        "power_max_w": thousandths(sim.power_max().0),
        "mode": "auto",
    });
    if let Control::Setpoint(power) = control {
        state["mode"] = json!("setpoint");
        state["setpoint_w"] = json!(thousandths(power.0));
    }
    state.to_string()
}

/// A command: a number of watts, or `"auto"` (also without quotes). None where it is neither.
pub(super) fn command(payload: &[u8]) -> Option<Option<Milliwatt>> {
    if payload.len() > COMMAND_MAX_BYTES {
        return None;
    }
    if payload == b"auto" {
        return Some(None);
    }
    match serde_json::from_slice(payload).ok()? {
        Value::String(text) if text == "auto" => Some(None),
        Value::Number(watt) => {
            let watt = watt.as_f64().filter(|watt| (0.0..=POWER_MAX_W).contains(watt))?;
            Some(Some(Milliwatt((watt * 1000.0).round() as i64)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::heat_pump::HeatPumpConfig;
    use market::interval::UnixSeconds;
    use proptest::prelude::*;

    fn check(payload: &str, expected: Option<Option<i64>>) {
        let got = command(payload.as_bytes()).map(|power| power.map(|power| power.0));
        assert_eq!(got, expected, "{payload}");
    }

    #[test]
    fn commands_are_watts_or_auto() {
        check("1234.567", Some(Some(1_234_567)));
        check("0", Some(Some(0)));
        check("\"auto\"", Some(None));
        check("auto", Some(None));
        for bad in ["", "-1", "1e9", "NaN", "{}", "\"off\"", "null", &"1".repeat(65)] {
            check(bad, None);
        }
    }

    #[test]
    fn the_state_says_what_it_is_steered_by() {
        let sim = HeatPumpSim::new(HeatPumpConfig::default(), UnixSeconds(0), -2500).unwrap();
        let said: Value = serde_json::from_str(&state(&sim, Control::Thermostat)).unwrap();
        assert_eq!(
            said,
            json!({ "power_w": 0.0, "room_c": 20.5, "outdoor_c": -2.5, "power_max_w": 3000.0, "mode": "auto" })
        );
        let said: Value = serde_json::from_str(&state(&sim, Control::Setpoint(Milliwatt(812_500)))).unwrap();
        assert_eq!((&said["mode"], &said["setpoint_w"]), (&json!("setpoint"), &json!(812.5)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_command_or_not(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = command(&bytes);
        }
    }
}
