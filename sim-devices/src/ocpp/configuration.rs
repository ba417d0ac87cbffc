//! What can be set of a charge point: configuration keys (OCPP 1.6, section 9) and variables (2.0.1, part 2,
//! appendices).

use super::profiles::{PERIODS_MAX, PROFILES_MAX, STACK_LEVEL_MAX};
use serde_json::{json, Value};

const MEASURANDS: [&str; 2] = ["Energy.Active.Import.Register", "Power.Active.Import"];

/// Variables that can be changed, by the configuration key that means the same.
const VARIABLES: [(&str, &str); 3] = [
    ("OCPPCommCtrlr.HeartbeatInterval", "HeartbeatInterval"),
    ("SampledDataCtrlr.TxUpdatedInterval", "MeterValueSampleInterval"),
    ("SampledDataCtrlr.TxUpdatedMeasurands", "MeterValuesSampledData"),
];

/// What can be configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Configuration {
    /// Between heartbeats, in seconds of real time.
    pub(super) heartbeat_s: u64,
    /// Between meter values during a transaction, in seconds of the charge point's clock.
    pub(super) meter_interval_s: i64,
    /// What meter values state.
    pub(super) measurands: Vec<&'static str>,
}

impl Configuration {
    pub(super) fn new(meter_interval_s: u32) -> Self {
        let meter_interval_s = i64::from(meter_interval_s);
        Self { heartbeat_s: 300, meter_interval_s, measurands: MEASURANDS.to_vec() }
    }

    /// The answer to `GetConfiguration`.
    pub(super) fn answer(&self, request: &Value) -> Value {
        let known = self.entries();
        let Some(asked) = request["key"].as_array().filter(|keys| !keys.is_empty()) else {
            return json!({ "configurationKey": known });
        };
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for key in asked.iter().filter_map(Value::as_str) {
            match known.iter().find(|entry| entry["key"] == key) {
                Some(entry) => found.push(entry.clone()),
                None => unknown.push(json!(key)),
            }
        }
        json!({ "configurationKey": found, "unknownKey": unknown })
    }

    /// Changes a key and gives the status of `ChangeConfiguration`.
    pub(super) fn change(&mut self, request: &Value) -> &'static str {
        let value = request["value"].as_str().unwrap_or_default();
        match request["key"].as_str() {
            Some("HeartbeatInterval") => match value.parse() {
                Ok(seconds @ 1..=86_400) => self.heartbeat_s = seconds,
                _ => return "Rejected",
            },
            Some("MeterValueSampleInterval") => match value.parse() {
                Ok(seconds @ 1..=86_400) => self.meter_interval_s = seconds,
                _ => return "Rejected",
            },
            Some("MeterValuesSampledData") => {
                let named = |name: &str| MEASURANDS.iter().copied().find(|known| *known == name.trim());
                match value.split(',').map(named).collect::<Option<Vec<_>>>() {
                    Some(measurands) => self.measurands = measurands,
                    None => return "Rejected",
                }
            }
            Some(key) if self.entries().iter().any(|entry| entry["key"] == key) => return "Rejected",
            _ => return "NotSupported",
        }
        "Accepted"
    }

    /// The answer to `GetVariables`.
    ///
    /// # Errors
    /// Where nothing is asked for.
    pub(super) fn variables(&self, request: &Value) -> Result<Value, (&'static str, &'static str)> {
        let asked = list(&request["getVariableData"], "getVariableData")?;
        let results = asked.iter().map(|asked| {
            let mut result = place(asked);
            match self.variable(&name(asked)) {
                Ok(value) => {
                    result["attributeStatus"] = json!("Accepted");
                    result["attributeValue"] = json!(value);
                }
                Err(unknown) => result["attributeStatus"] = json!(unknown),
            }
            result
        });
        Ok(json!({ "getVariableResult": results.collect::<Vec<_>>() }))
    }

    /// Changes what `SetVariables` says, and gives its answer.
    ///
    /// # Errors
    /// Where nothing is to be changed.
    pub(super) fn set_variables(&mut self, request: &Value) -> Result<Value, (&'static str, &'static str)> {
        let asked = list(&request["setVariableData"], "setVariableData")?;
        let mut results = Vec::new();
        for asked in asked {
            let name = name(asked);
            let key = VARIABLES.iter().find(|(variable, _)| *variable == name).map(|(_, key)| *key);
            let status = match (key, self.variable(&name)) {
                (Some(key), _) => self.change(&json!({ "key": key, "value": asked["attributeValue"] })),
                (None, Ok(_)) => "Rejected",
                (None, Err(unknown)) => unknown,
            };
            let mut result = place(asked);
            result["attributeStatus"] = json!(status);
            results.push(result);
        }
        Ok(json!({ "setVariableResult": results }))
    }

    /// A variable's value, or what of its name is not known.
    fn variable(&self, name: &str) -> Result<String, &'static str> {
        let value = match name {
            "SmartChargingCtrlr.RateUnit" => "A,W".to_owned(),
            "SmartChargingCtrlr.ProfileStackLevel" => STACK_LEVEL_MAX.to_string(),
            "SmartChargingCtrlr.PeriodsPerSchedule" => PERIODS_MAX.to_string(),
            "SmartChargingCtrlr.Entries" => PROFILES_MAX.to_string(),
            "SmartChargingCtrlr.Enabled" | "SmartChargingCtrlr.Available" => "true".to_owned(),
            "OCPPCommCtrlr.HeartbeatInterval" => self.heartbeat_s.to_string(),
            "SampledDataCtrlr.TxUpdatedInterval" => self.meter_interval_s.to_string(),
            "SampledDataCtrlr.TxUpdatedMeasurands" => self.measurands.join(","),
            _ => {
                let component = name.split('.').next().unwrap_or_default();
                let known = ["SmartChargingCtrlr", "OCPPCommCtrlr", "SampledDataCtrlr"].contains(&component);
                return Err(if known { "UnknownVariable" } else { "UnknownComponent" });
            }
        };
        Ok(value)
    }

    fn entries(&self) -> Vec<Value> {
        let entry = |key: &str, readonly: bool, value: String| json!({ "key": key, "readonly": readonly, "value": value });
        vec![
            entry("NumberOfConnectors", true, "1".to_owned()),
            entry("SupportedFeatureProfiles", true, "Core,SmartCharging,RemoteTrigger".to_owned()),
            entry("ChargingScheduleAllowedChargingRateUnit", true, "Current,Power".to_owned()),
            entry("ChargeProfileMaxStackLevel", true, STACK_LEVEL_MAX.to_string()),
            entry("ChargingScheduleMaxPeriods", true, PERIODS_MAX.to_string()),
            entry("MaxChargingProfilesInstalled", true, PROFILES_MAX.to_string()),
            entry("HeartbeatInterval", false, self.heartbeat_s.to_string()),
            entry("MeterValueSampleInterval", false, self.meter_interval_s.to_string()),
            entry("MeterValuesSampledData", false, self.measurands.join(",")),
        ]
    }
}

fn list<'a>(value: &'a Value, field: &'static str) -> Result<&'a [Value], (&'static str, &'static str)> {
    let list = value.as_array().filter(|list| !list.is_empty() && list.len() <= 100);
    list.map(Vec::as_slice).ok_or(("OccurrenceConstraintViolation", field))
}

fn name(asked: &Value) -> String {
    let part = |name: &str| asked[name]["name"].as_str().unwrap_or_default().to_owned();
    format!("{}.{}", part("component"), part("variable"))
}

fn place(asked: &Value) -> Value {
    json!({ "component": asked["component"], "variable": asked["variable"] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_by_name_and_changed_within_bounds() {
        let mut configuration = Configuration::new(60);
        let answer = configuration.answer(&json!({ "key": ["HeartbeatInterval", "Colour"] }));
        assert_eq!(answer["configurationKey"][0]["value"], "300");
        assert_eq!(answer["unknownKey"], json!(["Colour"]));
        assert_eq!(configuration.answer(&json!({}))["configurationKey"].as_array().unwrap().len(), 9);
        for (key, value, expected) in [
            ("MeterValueSampleInterval", "30", "Accepted"),
            ("MeterValueSampleInterval", "0", "Rejected"),
            ("MeterValuesSampledData", "Power.Active.Import", "Accepted"),
            ("MeterValuesSampledData", "Frequency", "Rejected"),
            ("NumberOfConnectors", "2", "Rejected"),
            ("Colour", "red", "NotSupported"),
        ] {
            assert_eq!(
                configuration.change(&json!({ "key": key, "value": value })),
                expected,
                "{key} {value}"
            );
        }
        assert_eq!(configuration.meter_interval_s, 30);
        assert_eq!(configuration.measurands, ["Power.Active.Import"]);
    }
}
