//! The settings of a charge point that we read and change: configuration keys in 1.6 (section 9), variables
//! in 2.0.1 (part 2, appendices). Pure.

use super::fields::Fields;
use super::request::StationRequest;
use super::station::{RateUnit, StationState};
use super::version::Version;
use serde_json::Value;

/// Most settings read of one answer.
const SETTINGS_MAX: usize = 1000;
/// What a meter reading must state.
pub(super) const MEASURANDS: &str = "Power.Active.Import,Energy.Active.Import.Register";
const POWER: &str = "Power.Active.Import";

/// A setting as a charge point tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name: a configuration key in 1.6, `Component.Variable` in 2.0.1.
    pub name: String,
    /// Its value; none where the charge point does not know or does not tell it.
    pub value: Option<String>,
}

/// The names of what is read when a charge point connects.
pub(super) fn read_at_set_up(version: Version) -> StationRequest {
    let names: &[&str] = match version {
        Version::V16 => &[
            "ChargingScheduleAllowedChargingRateUnit",
            "ChargeProfileMaxStackLevel",
            "MeterValuesSampledData",
        ],
        Version::V201 => &[
            "SmartChargingCtrlr.RateUnit",
            "SmartChargingCtrlr.ProfileStackLevel",
            "SampledDataCtrlr.TxUpdatedMeasurands",
        ],
    };
    StationRequest::GetSettings(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Reads the answer to [`StationRequest::GetSettings`].
pub(super) fn parse(version: Version, payload: &Value) -> Vec<Setting> {
    let fields = Fields(payload);
    match version {
        Version::V16 => {
            let known = fields.objects("configurationKey").take(SETTINGS_MAX);
            let known = known.filter_map(|entry| {
                Some(Setting { name: entry.text("key").ok()?, value: entry.text("value").ok() })
            });
            let unknown = payload.get("unknownKey").and_then(Value::as_array).into_iter().flatten();
            let unknown = unknown.filter_map(Value::as_str).take(SETTINGS_MAX);
            let unknown = unknown.map(|key| Setting { name: key.chars().take(500).collect(), value: None });
            known.chain(unknown).collect()
        }
        Version::V201 => {
            let results = fields.objects("getVariableResult").take(SETTINGS_MAX);
            let setting = |entry: Fields<'_>| {
                let component = entry.object("component")?.text("name").ok()?;
                let variable = entry.object("variable")?.text("name").ok()?;
                let accepted = entry.text_or_empty("attributeStatus") == "Accepted";
                let value = entry.text("attributeValue").ok().filter(|_| accepted);
                Some(Setting { name: format!("{component}.{variable}"), value })
            };
            results.filter_map(setting).collect()
        }
    }
}

/// The status in the answer to [`StationRequest::ChangeSetting`].
pub(super) fn change_status(version: Version, payload: &Value) -> String {
    match version {
        Version::V16 => Fields(payload).text_or_empty("status"),
        Version::V201 => Fields(payload)
            .objects("setVariableResult")
            .next()
            .map(|result| result.text_or_empty("attributeStatus"))
            .unwrap_or_default(),
    }
}

/// Keeps what settings say of profiles; gives what must be changed.
pub(super) fn keep(station: &mut StationState, settings: &[Setting]) -> Vec<StationRequest> {
    let mut changes = Vec::new();
    for Setting { name, value } in settings {
        let Some(value) = value else { continue };
        match name.as_str() {
            "ChargingScheduleAllowedChargingRateUnit" | "SmartChargingCtrlr.RateUnit" => {
                let watts = value.split(',').any(|unit| matches!(unit.trim(), "Power" | "W"));
                station.rate_unit = if watts { RateUnit::Watt } else { RateUnit::Ampere };
            }
            "ChargeProfileMaxStackLevel" | "SmartChargingCtrlr.ProfileStackLevel" => {
                station.stack_level = value.trim().parse().unwrap_or(0_i64).clamp(0, 100);
            }
            "MeterValuesSampledData" | "SampledDataCtrlr.TxUpdatedMeasurands" if !value.contains(POWER) => {
                let change =
                    StationRequest::ChangeSetting { name: name.clone(), value: MEASURANDS.to_owned() };
                if !changes.contains(&change) {
                    changes.push(change);
                }
            }
            _ => {}
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(version: Version, payload: Value, unit: RateUnit, stack_level: i64, changes: usize) {
        let mut station = StationState::unknown();
        let changed = keep(&mut station, &parse(version, &payload));
        assert_eq!((station.rate_unit, station.stack_level, changed.len()), (unit, stack_level, changes));
    }

    #[test]
    fn unit_level_and_measurands_are_read_in_both_versions() {
        let key = |key: &str, value: Value| json!({ "key": key, "readonly": true, "value": value });
        let keys = json!([
            key("ChargingScheduleAllowedChargingRateUnit", json!("Current,Power")),
            key("ChargeProfileMaxStackLevel", json!(8)),
            key("MeterValuesSampledData", json!("Energy.Active.Import.Register")),
        ]);
        check(Version::V16, json!({ "configurationKey": keys }), RateUnit::Watt, 8, 1);
        check(Version::V16, json!({ "unknownKey": ["ChargeProfileMaxStackLevel"] }), RateUnit::Ampere, 0, 0);
        let result = |component: &str, variable: &str, value: &str| {
            json!({ "attributeStatus": "Accepted", "attributeValue": value,
                "component": { "name": component }, "variable": { "name": variable } })
        };
        let results = json!([
            result("SmartChargingCtrlr", "RateUnit", "A"),
            result("SmartChargingCtrlr", "ProfileStackLevel", "3"),
            result("SampledDataCtrlr", "TxUpdatedMeasurands", MEASURANDS),
        ]);
        check(Version::V201, json!({ "getVariableResult": results }), RateUnit::Ampere, 3, 0);
        check(Version::V201, json!({ "getVariableResult": "x" }), RateUnit::Ampere, 0, 0);
    }
}
