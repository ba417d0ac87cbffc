//! A heat pump, a plug with a water heater behind it and a meter at a house's connection, as they announce themselves for
//! Home Assistant and speak on a broker. No clock, no socket: somebody steps them and carries what they say.

use super::message::{command, state};
use crate::physics::heat_pump::{Control, HeatPumpSim};
use market::units::{Millijoule, Milliwatt};
use serde_json::{json, Value};

/// Outdoor temperature of the simulated day, in thousandths of a degree Celsius.
const OUTDOOR_MILLICELSIUS: i64 = 4_000;

/// What a device announces: component, object, and the configuration but for what all of a device's share.
pub type Announcement = (&'static str, &'static str, Value);

/// A device on a broker.
pub trait Appliance: Send {
    /// What it is, in a word, for its topics.
    fn word(&self) -> &'static str;
    /// Lets so many seconds pass.
    fn step(&mut self, seconds: u32);
    /// What it says of itself, by the last level of its topic.
    fn says(&self) -> Vec<(&'static str, String)>;
    /// What it announces, given what its topics begin with.
    fn announces(&self, base: &str) -> Vec<Announcement>;
    /// The last level, or levels, of topics it takes commands on.
    fn commands(&self) -> &'static [&'static str];
    /// Does what it is told. False where it does not understand.
    fn told(&mut self, topic: &str, payload: &[u8]) -> bool;
    /// Says that it does as it was told, and doesn't.
    fn pretends(&mut self, topic: &str, payload: &[u8]) -> bool;
    /// Begins anew: what it was told is forgotten.
    fn reboots(&mut self);
}

fn sensor(base: &str, object: &'static str, class: &str, unit: &str, field: &str) -> Announcement {
    let mut keys = json!({
        "name": object.replace('_', " "), "stat_t": format!("{base}/state"), "dev_cla": class, "unit_of_meas": unit,
        "val_tpl": format!("{{{{ value_json.{field} }}}}"),
    });
    keys["stat_cla"] = json!(if class == "energy" { "total_increasing" } else { "measurement" });
    ("sensor", object, keys)
}

fn switched(payload: &[u8]) -> Option<bool> {
    match payload {
        b"ON" => Some(true),
        b"OFF" => Some(false),
        _ => None,
    }
}

/// A heat pump that takes a power on `set` and a temperature on `setpoint/set`.
pub struct HeatPumpAppliance {
    sim: HeatPumpSim,
    claimed: Option<Control>,
}

impl HeatPumpAppliance {
    /// In front of these physics.
    pub fn new(sim: HeatPumpSim) -> Self {
        Self { sim, claimed: None }
    }
}

impl Appliance for HeatPumpAppliance {
    fn word(&self) -> &'static str {
        "heatpump"
    }

    fn step(&mut self, seconds: u32) {
        self.sim.step(seconds, OUTDOOR_MILLICELSIUS);
    }

    fn says(&self) -> Vec<(&'static str, String)> {
        let text = state(&self.sim, self.claimed.unwrap_or_else(|| self.sim.control()));
        let Ok(mut said) = serde_json::from_str::<Value>(&text) else { return Vec::new() };
        said["thermostat_c"] = json!(self.sim.thermostat_millicelsius() as f64 / 1e3);
        said["hvac"] = json!("heat");
        said["action"] = json!(if self.sim.power() > Milliwatt::ZERO { "heating" } else { "idle" });
        said["energy_kwh"] = json!((self.sim.register().kwh() * 1e3).round() / 1e3);
        vec![("state", said.to_string())]
    }

    fn announces(&self, base: &str) -> Vec<Announcement> {
        let state_topic = format!("{base}/state");
        let field = |name: &str| format!("{{{{ value_json.{name} }}}}");
        let climate = json!({
            "name": "Heating", "modes": ["heat"], "min_temp": 19, "max_temp": 22.9, "temp_step": 0.1, "temp_unit": "C",
            "curr_temp_t": state_topic, "curr_temp_tpl": field("room_c"),
            "temp_stat_t": state_topic, "temp_stat_tpl": field("thermostat_c"),
            "temp_cmd_t": format!("{base}/setpoint/set"),
            "mode_stat_t": state_topic, "mode_stat_tpl": field("hvac"), "mode_cmd_t": format!("{base}/mode/set"),
            "act_t": state_topic, "act_tpl": field("action"),
        });
        let number = json!({
            "name": "Power setpoint", "stat_t": state_topic, "val_tpl": field("setpoint_w"), "dev_cla": "power",
            "cmd_t": format!("{base}/set"), "unit_of_meas": "W", "min": 0, "max": self.sim.power_max().0 / 1_000,
        });
        vec![
            ("climate", "heating", climate),
            ("number", "power_setpoint", number),
            sensor(base, "power", "power", "W", "power_w"),
            sensor(base, "energy", "energy", "kWh", "energy_kwh"),
            sensor(base, "outdoor_temperature", "temperature", "°C", "outdoor_c"),
        ]
    }

    fn commands(&self) -> &'static [&'static str] {
        &["set", "setpoint/set", "mode/set"]
    }

    fn told(&mut self, topic: &str, payload: &[u8]) -> bool {
        self.claimed = None;
        match topic {
            "set" => command(payload).map(|power| self.sim.set_power(power)).is_some(),
            "setpoint/set" => {
                match std::str::from_utf8(payload).ok().and_then(|text| text.trim().parse::<f64>().ok()) {
                    Some(celsius) if (0.0..=40.0).contains(&celsius) => {
                        self.sim.set_thermostat((celsius * 1e3).round() as i64);
                        true
                    }
                    _ => false,
                }
            }
            _ => payload == b"heat",
        }
    }

    fn pretends(&mut self, topic: &str, payload: &[u8]) -> bool {
        match command(payload).filter(|_| topic == "set") {
            Some(power) => {
                self.claimed = Some(power.map_or(Control::Thermostat, Control::Setpoint));
                true
            }
            None => false,
        }
    }

    fn reboots(&mut self) {
        self.claimed = None;
        self.sim.set_power(None);
    }
}

/// A plug with something of one power behind it.
pub struct PlugAppliance {
    power: Milliwatt,
    on: bool,
    claimed: Option<bool>,
    register: Millijoule,
}

impl PlugAppliance {
    /// Switched on, with something of this power behind it.
    pub fn new(power: Milliwatt) -> Self {
        Self { power, on: true, claimed: None, register: Millijoule::ZERO }
    }

    fn takes(&self) -> Milliwatt {
        if self.on {
            self.power
        } else {
            Milliwatt::ZERO
        }
    }
}

impl Appliance for PlugAppliance {
    fn word(&self) -> &'static str {
        "plug"
    }

    fn step(&mut self, seconds: u32) {
        self.register += self.takes().over_seconds(i64::from(seconds));
    }

    fn says(&self) -> Vec<(&'static str, String)> {
        let on = if self.claimed.unwrap_or(self.on) { "ON" } else { "OFF" };
        let state = json!({
            "power_w": self.takes().0 as f64 / 1e3, "energy_kwh": (self.register.kwh() * 1e4).round() / 1e4, "state": on,
        });
        vec![("relay", on.to_owned()), ("state", state.to_string())]
    }

    fn announces(&self, base: &str) -> Vec<Announcement> {
        let relay = json!({
            "name": "Relay", "stat_t": format!("{base}/relay"), "cmd_t": format!("{base}/relay/set"),
            "pl_on": "ON", "pl_off": "OFF", "dev_cla": "outlet",
        });
        vec![
            ("switch", "relay", relay),
            sensor(base, "power", "power", "W", "power_w"),
            sensor(base, "energy", "energy", "kWh", "energy_kwh"),
        ]
    }

    fn commands(&self) -> &'static [&'static str] {
        &["relay/set"]
    }

    fn told(&mut self, _topic: &str, payload: &[u8]) -> bool {
        let Some(on) = switched(payload) else { return false };
        (self.on, self.claimed) = (on, None);
        true
    }

    fn pretends(&mut self, _topic: &str, payload: &[u8]) -> bool {
        self.claimed = switched(payload);
        self.claimed.is_some()
    }

    fn reboots(&mut self) {
        (self.on, self.claimed) = (true, None);
    }
}

/// A meter at a house's connection: a load that goes up and down, and PV over it at noon of a day of 24 minutes.
pub struct MeterAppliance {
    second: u64,
    power: Milliwatt,
    imported: Millijoule,
    exported: Millijoule,
}

impl Default for MeterAppliance {
    fn default() -> Self {
        Self { second: 0, power: Milliwatt(500_000), imported: Millijoule(0), exported: Millijoule(0) }
    }
}

impl Appliance for MeterAppliance {
    fn word(&self) -> &'static str {
        "powermeter"
    }

    fn step(&mut self, seconds: u32) {
        for _ in 0..seconds.min(86_400) {
            self.second += 1;
            let day = self.second as f64 / 1_440.0 * std::f64::consts::TAU;
            let load_w = 600.0 + 250.0 * (day * 7.0).sin() + 40.0 * (day * 97.0).sin();
            let pv_w = (3_000.0 * -day.cos()).max(0.0);
            self.power = Milliwatt(((load_w - pv_w) * 1e3).round() as i64);
            let energy = self.power.over_seconds(1);
            if energy > Millijoule::ZERO {
                self.imported += energy;
            } else {
                self.exported += -energy;
            }
        }
    }

    fn says(&self) -> Vec<(&'static str, String)> {
        let kwh = |energy: Millijoule| (energy.kwh() * 1e4).round() / 1e4;
        let state = json!({
            "power_w": self.power.0 as f64 / 1e3, "imported_kwh": kwh(self.imported), "exported_kwh": kwh(self.exported),
        });
        vec![("state", state.to_string())]
    }

    fn announces(&self, base: &str) -> Vec<Announcement> {
        vec![
            sensor(base, "power", "power", "W", "power_w"),
            sensor(base, "energy_import", "energy", "kWh", "imported_kwh"),
            sensor(base, "energy_export", "energy", "kWh", "exported_kwh"),
        ]
    }

    fn commands(&self) -> &'static [&'static str] {
        &[]
    }

    fn told(&mut self, _topic: &str, _payload: &[u8]) -> bool {
        false
    }

    fn pretends(&mut self, _topic: &str, _payload: &[u8]) -> bool {
        false
    }

    fn reboots(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(appliance: &dyn Appliance, field: &str) -> Value {
        let (_, state) = appliance.says().pop().unwrap();
        serde_json::from_str::<Value>(&state).unwrap()[field].clone()
    }

    #[test]
    fn a_plug_obeys_or_pretends_to() {
        let mut plug = PlugAppliance::new(Milliwatt(2_000_000));
        assert_eq!(said(&plug, "power_w"), json!(2000.0));
        assert!(plug.pretends("relay/set", b"OFF"));
        assert_eq!((said(&plug, "state"), said(&plug, "power_w")), (json!("OFF"), json!(2000.0)));
        assert!(plug.told("relay/set", b"OFF") && !plug.told("relay/set", b"off?"));
        assert_eq!(said(&plug, "power_w"), json!(0.0));
        plug.reboots();
        assert_eq!(said(&plug, "state"), json!("ON"));
    }

    #[test]
    fn a_meters_counters_run_with_its_power_both_ways() {
        let mut meter = MeterAppliance::default();
        meter.step(1_440);
        assert!(said(&meter, "imported_kwh").as_f64() > Some(0.05));
        assert!(said(&meter, "exported_kwh").as_f64() > Some(0.05));
    }
}
