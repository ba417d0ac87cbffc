//! Whether what a template says of a device on a broker can be, and is all that such a device must have.

use super::check::In;
use super::mqtt::{Commands, Level, MqttTemplate, PointTemplate, Setting};
use super::{DeviceKind, PointName, Quantity, TemplateError};
use std::collections::BTreeMap;

impl MqttTemplate {
    pub(super) fn check(&self, at: &In<'_>, device: DeviceKind) -> Result<(), TemplateError> {
        if !matches!(device, DeviceKind::Meter | DeviceKind::Plug | DeviceKind::HeatPump) {
            return Err(at.wrong(
                "device",
                &device.word(),
                "on a broker there are meters, plugs and heat pumps",
            ));
        }
        at.number("stale_after_s", f64::from(self.stale_after_s), 1.0..=86_400.0)?;
        at.number("answer_within_ms", f64::from(self.answer_within_ms), 100.0..=60_000.0)?;
        at.count("settings", self.settings.len(), 0..=16)?;
        let settings = at.key("settings");
        for (name, setting) in &self.settings {
            let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            if !plain || name == "value" {
                return Err(settings.wrong(name, &"its name", "it must be of a-z and _, and not value"));
            }
            settings.key(name).text("about", &setting.about, 1..=200)?;
        }
        if let Some(availability) = &self.availability {
            let at = at.key("availability");
            at.topic("topic", &availability.topic, self.settings.keys())?;
            at.count("online", availability.online.len(), 1..=8)?;
            at.count("offline", availability.offline.len(), 1..=8)?;
            check_path(&at, availability.path.as_ref())?;
        }
        at.count("ask", self.ask.len(), 0..=8)?;
        for ask in &self.ask {
            let at = at.key("ask");
            at.topic("topic", &ask.topic, self.settings.keys())?;
            at.placeholders("payload", &ask.payload, self.settings.keys())?;
            at.number("every_s", f64::from(ask.every_s), 1.0..=86_400.0)?;
        }
        for (name, point) in &self.points {
            point.check(&at.key("points").key(name.word()), *name, &self.settings)?;
        }
        self.commands.check(&at.key("commands"), &self.settings)?;
        if let Some(thermostat) = &self.thermostat {
            let at = at.key("thermostat");
            thermostat.low.check(&at.key("low"))?;
            thermostat.high.check(&at.key("high"))?;
        }
        if let Some(scan) = &self.scan {
            let at = at.key("scan");
            at.text("filter", &scan.filter, 1..=128)?;
            at.number("level", f64::from(scan.level), 0.0..=15.0)?;
            if !self.settings.contains_key(&scan.setting) {
                return Err(at.wrong("setting", &scan.setting, "there is no such key in [mqtt.settings]"));
            }
        }
        match &self.discovery {
            Some(discovery) => discovery.check(&at.key("discovery"), device, &self.settings),
            None => self.complete(at, device),
        }
    }

    /// Whether there is everything such a device must have.
    fn complete(&self, at: &In<'_>, device: DeviceKind) -> Result<(), TemplateError> {
        let points = at.key("points");
        let need = |names: &[PointName]| {
            if names.iter().any(|name| self.points.contains_key(name)) {
                return Ok(());
            }
            let words: Vec<&str> = names.iter().map(|name| name.word()).collect();
            Err(points.wrong(&words.join(" or "), &"missing", &format!("a {} must have it", device.word())))
        };
        let commands = at.key("commands");
        match device {
            DeviceKind::Meter => {
                need(&[PointName::Power])?;
                need(&[PointName::Imported])
            }
            DeviceKind::Plug => {
                need(&[PointName::Power])?;
                need(&[PointName::On])?;
                match self.commands.switch {
                    Some(_) => Ok(()),
                    None => Err(commands.wrong("switch", &"missing", "a plug must have it")),
                }
            }
            _ => {
                need(&[PointName::Room])?;
                need(&[PointName::Power, PointName::Running])?;
                self.told(&commands, &points)
            }
        }
    }

    /// Whether a heat pump can be told more and less, and its state shows what it was told.
    fn told(&self, commands: &In<'_>, points: &In<'_>) -> Result<(), TemplateError> {
        let Commands { power, setpoint, mode, .. } = &self.commands;
        let has = |name| self.points.contains_key(&name);
        match (power, &self.thermostat) {
            (Some(_), _) if has(PointName::HeldPower) => Ok(()),
            (Some(_), _) => Err(points.wrong("held_power", &"missing", "what is told must be read back")),
            (None, None) => Err(commands.wrong(
                "power",
                &"missing",
                "a heat pump takes a power, or has [mqtt.thermostat]",
            )),
            (None, Some(thermostat)) => {
                let levels = [&thermostat.low, &thermostat.high];
                let by_setpoint = levels.iter().any(|level| level.setpoint_celsius.is_some());
                let by_mode = levels.iter().any(|level| level.mode.is_some());
                if by_setpoint && (setpoint.is_none() || !has(PointName::Setpoint)) {
                    return Err(commands.wrong(
                        "setpoint",
                        &"missing",
                        "[mqtt.thermostat] needs it, and the point",
                    ));
                }
                if by_mode && (mode.is_none() || !has(PointName::Mode)) {
                    return Err(commands.wrong(
                        "mode",
                        &"missing",
                        "[mqtt.thermostat] needs it, and the point",
                    ));
                }
                Ok(())
            }
        }
    }
}

fn check_path(at: &In<'_>, path: Option<&String>) -> Result<(), TemplateError> {
    let Some(path) = path else { return Ok(()) };
    at.text("path", path, 1..=128)?;
    match crate::mqtt::path::JsonPath::parse(path) {
        Some(_) => Ok(()),
        None => Err(at.wrong("path", &format!("{path:?}"), "it must be of the form a.b[0].c")),
    }
}

impl PointTemplate {
    fn check(
        &self,
        at: &In<'_>,
        name: PointName,
        settings: &BTreeMap<String, Setting>,
    ) -> Result<(), TemplateError> {
        let sources = usize::from(self.topic.is_some()) + usize::from(!self.topics.is_empty());
        if sources + usize::from(self.constant.is_some()) != 1 {
            return Err(at.wrong("topic, topics or constant", &sources, "exactly one must be there"));
        }
        at.count("topics", self.topics.len(), 0..=6)?;
        for topic in self.topics() {
            at.topic("topic", topic, settings.keys())?;
        }
        check_path(at, self.path.as_ref())?;
        at.count("also", self.also.len(), 0..=4)?;
        for place in &self.also {
            let at = at.key("also");
            at.topic("topic", &place.topic, settings.keys())?;
            check_path(&at, place.path.as_ref())?;
        }
        if !self.also.is_empty() && !self.topics.is_empty() {
            return Err(at.wrong(
                "also",
                &self.also.len(),
                "what is added from several topics has one place for each",
            ));
        }
        let quantity = name.quantity();
        match (self.unit, quantity) {
            (None, Quantity::Switch | Quantity::Word) => {}
            (Some(unit), _) if unit.fits(quantity) => {}
            (unit, _) => return Err(at.wrong("unit", &format!("{unit:?}"), "it is no unit of this point")),
        }
        if quantity == Quantity::Switch {
            at.count("on", self.on.len(), 1..=8)?;
            at.count("off", self.off.len(), 1..=8)?;
        } else if !self.on.is_empty() || !self.off.is_empty() {
            return Err(at.wrong("on", &format!("{:?}", self.on), "only what is on or off has words for it"));
        }
        if self.scale.is_some_and(|scale| scale == 0.0) {
            return Err(at.wrong("scale", &0, "it must not be 0"));
        }
        at.number("scale", self.scale.unwrap_or(1.0), -1e9..=1e9)?;
        at.number("constant", self.constant.unwrap_or(0.0), -1e9..=1e9)?;
        let (min, max) = (self.min.unwrap_or(-1e15), self.max.unwrap_or(1e15));
        if min.is_nan() || max.is_nan() || min >= max {
            return Err(at.wrong("min", &min, &format!("it must lie below max, which is {max}")));
        }
        at.number("step", self.step.unwrap_or(1.0), 1e-6..=1e6)?;
        at.number("frozen_after_s", f64::from(self.frozen_after_s.unwrap_or(10)), 10.0..=86_400.0)
    }
}

impl Commands {
    fn check(&self, at: &In<'_>, settings: &BTreeMap<String, Setting>) -> Result<(), TemplateError> {
        let payload = |at: &In<'_>, key: &str, payload: &String, valued: bool| {
            at.text(key, payload, 1..=512)?;
            at.placeholders(key, payload, settings.keys())?;
            if valued && !payload.contains("{value}") {
                return Err(at.wrong(key, &format!("{payload:?}"), "it must have {value} in it"));
            }
            Ok(())
        };
        if let Some(switch) = &self.switch {
            let at = at.key("switch");
            at.topic("topic", &switch.topic, settings.keys())?;
            payload(&at, "on", &switch.on, false)?;
            payload(&at, "off", &switch.off, false)?;
        }
        if let Some(power) = &self.power {
            let at = at.key("power");
            at.topic("topic", &power.topic, settings.keys())?;
            payload(&at, "value", &power.value, true)?;
            payload(&at, "release", &power.release, false)?;
            if !power.unit.fits(Quantity::Power) {
                return Err(at.wrong("unit", &format!("{:?}", power.unit), "it is no unit of power"));
            }
        }
        for (name, command) in [("setpoint", &self.setpoint), ("mode", &self.mode)] {
            let Some(command) = command else { continue };
            let at = at.key(name);
            at.topic("topic", &command.topic, settings.keys())?;
            payload(&at, "value", &command.value, true)?;
            let (min, max) = (command.min.unwrap_or(-50.0), command.max.unwrap_or(95.0));
            at.number("min", min, -50.0..=95.0)?;
            at.number("max", max, -50.0..=95.0)?;
            if min >= max {
                return Err(at.wrong("min", &min, &format!("it must lie below max, which is {max}")));
            }
            at.number("step", command.step.unwrap_or(0.1), 0.01..=10.0)?;
            if command.unit.is_some_and(|unit| !unit.fits(Quantity::Temperature)) {
                return Err(at.wrong("unit", &format!("{:?}", command.unit), "it is no unit of temperature"));
            }
        }
        Ok(())
    }
}

impl Level {
    fn check(&self, at: &In<'_>) -> Result<(), TemplateError> {
        if self.setpoint_celsius.is_none() && self.mode.is_none() {
            return Err(at.wrong("setpoint_celsius or mode", &"missing", "one of them must be there"));
        }
        at.number("setpoint_celsius", self.setpoint_celsius.unwrap_or(20.0), -10.0..=90.0)?;
        self.mode.iter().try_for_each(|mode| at.text("mode", mode, 1..=32))
    }
}
