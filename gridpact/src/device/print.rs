//! Devices' states and templates, for people and as JSON: units stand in the names.

use super::args::TemplatesArgs;
use super::target::catalogue;
use super::DeviceCommandError;
use hw_adapters::device::{BatteryState, ChargerState, GeneratorState, HeatPumpState, MeterState, PlugState};
use hw_adapters::template::Template;
use market::units::{Millijoule, Milliwatt};
use serde_json::{json, Value};
use std::io::Write;

/// What a device said of itself, whatever it is.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// A meter.
    Meter(MeterState),
    /// A battery.
    Battery(BatteryState),
    /// A generator.
    Generator(GeneratorState),
    /// A charge point.
    Charger(ChargerState),
    /// A heat pump.
    HeatPump(HeatPumpState),
    /// A plug.
    Plug(PlugState),
}

fn w(power: Milliwatt) -> f64 {
    power.0 as f64 / 1e3
}

fn wh(energy: Millijoule) -> f64 {
    (energy.kwh() * 1e6).round() / 1e3
}

fn celsius(thousandths: i64) -> f64 {
    thousandths as f64 / 1e3
}

impl Shown {
    /// As JSON.
    pub fn json(&self) -> Value {
        match self {
            Self::Meter(s) => json!({
                "kind": "meter", "power_w": w(s.power), "imported_wh": wh(s.imported), "exported_wh": wh(s.exported),
            }),
            Self::Battery(s) => json!({
                "kind": "battery", "power_w": w(s.power), "stored_wh": wh(s.stored), "capacity_wh": wh(s.capacity),
                "charge_max_w": w(s.charge_max), "discharge_max_w": w(s.discharge_max),
            }),
            Self::Generator(s) => json!({
                "kind": "generator", "power_w": w(s.power), "available_w": s.available.map(w),
                "nameplate_w": w(s.nameplate), "reactive_max_var": s.reactive_max.map(|q| q.0 as f64 / 1e3),
            }),
            Self::Charger(s) => json!({
                "kind": "charger", "plugged": s.plugged, "power_w": w(s.power), "session_wh": wh(s.session),
                "power_min_w": w(s.power_min), "power_max_w": w(s.power_max),
            }),
            Self::HeatPump(s) => json!({
                "kind": "heat-pump", "power_w": w(s.power), "power_max_w": w(s.power_max),
                "room_celsius": celsius(s.room_millicelsius), "outdoor_celsius": celsius(s.outdoor_millicelsius),
            }),
            Self::Plug(s) => json!({
                "kind": "plug", "on": s.on, "power_w": w(s.power), "power_max_w": w(s.power_max),
            }),
        }
    }

    /// As one line.
    pub fn line(&self) -> String {
        let json = self.json();
        let fields = json.as_object().into_iter().flatten().filter(|(name, _)| *name != "kind");
        let field = |(name, value): (&String, &Value)| match value {
            Value::Null => format!("{name} not said"),
            value => format!("{name} {value}"),
        };
        let kind = json["kind"].as_str().unwrap_or_default();
        format!("{kind}: {}", fields.map(field).collect::<Vec<_>>().join(", "))
    }
}

/// Lists templates, or shows one.
pub fn templates(args: &TemplatesArgs, out: &mut impl Write) -> Result<(), DeviceCommandError> {
    let catalogue = catalogue(args.templates.as_deref())?;
    if let Some(name) = &args.name {
        let template = catalogue.get(name)?;
        return match args.json {
            true => Ok(writeln!(out, "{}", described(name, template))?),
            false => show(name, template, out),
        };
    }
    if args.json {
        let all: Vec<Value> = catalogue.iter().map(|(name, template)| described(name, template)).collect();
        return Ok(writeln!(out, "{}", json!({ "templates": all }))?);
    }
    for (name, template) in catalogue.iter() {
        let (device, protocol) = (template.device.word(), template.protocol());
        writeln!(out, "{name:<26} {device:<10} {protocol:<8} {}", template.product)?;
    }
    Ok(())
}

fn described(name: &str, template: &Template) -> Value {
    let settings = template.mqtt.iter().flat_map(|mqtt| &mqtt.settings);
    let settings: serde_json::Map<String, Value> = settings
        .map(|(name, setting)| (name.clone(), json!({ "about": setting.about, "default": setting.default })))
        .collect();
    json!({
        "name": name, "product": template.product, "device": template.device.word(),
        "protocol": template.protocol(), "notes": template.notes, "power_max_w": template.power_max_w,
        "settings": settings,
    })
}

fn show(name: &str, template: &Template, out: &mut impl Write) -> Result<(), DeviceCommandError> {
    writeln!(out, "{name}: {}", template.product)?;
    writeln!(out, "a {} by {}", template.device.word(), template.protocol())?;
    if let Some(notes) = &template.notes {
        writeln!(out, "{notes}")?;
    }
    for (name, setting) in template.mqtt.iter().flat_map(|mqtt| &mqtt.settings) {
        let default =
            setting.default.as_ref().map_or(String::new(), |default| format!(" [default: {default}]"));
        writeln!(out, "  -s {name}=...  {}{default}", setting.about)?;
    }
    Ok(())
}
