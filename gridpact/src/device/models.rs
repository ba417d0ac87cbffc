//! `gridpact device read --all`: every point that a SunSpec device says, model by model.

use super::args::ReadArgs;
use super::target::configured;
use super::DeviceCommandError;
use hw_adapters::config::sunspec_models;
use hw_adapters::sunspec::{ModelReading, PointReading};
use serde_json::{json, Map, Value};
use std::io::Write;

/// Reads the device's models and prints them, each as it comes.
pub async fn run(args: &ReadArgs, out: &mut impl Write) -> Result<(), DeviceCommandError> {
    let (config, catalogue) = configured(&args.target)?;
    let device = sunspec_models(&config, &catalogue)?;
    let mut device = device.ok_or_else(|| DeviceCommandError::NoModels(config.name().to_owned()))?;
    let mut models = Vec::new();
    for place in device.models().await? {
        let reading = device.read(place).await?;
        match args.json {
            true => models.push(described(&reading)),
            false => show(&reading, out)?,
        }
    }
    if args.json {
        writeln!(out, "{}", json!({ "name": config.name(), "models": models }))?;
    }
    Ok(())
}

/// A point's value in decimals; none where it is not implemented.
fn value(point: &PointReading) -> Option<String> {
    let text = match &point.value {
        Ok(value) => value.to_string(),
        Err(error) => format!("? ({error})"),
    };
    Some(text).filter(|text| !text.is_empty())
}

fn show(reading: &ModelReading, out: &mut impl Write) -> Result<(), DeviceCommandError> {
    let label = reading.label.as_deref().unwrap_or("not in the catalogue");
    writeln!(out, "{} at {}: {label}", reading.place.id, reading.place.address)?;
    for point in &reading.points {
        let Some(value) = value(point) else { continue };
        let unit = point.unit.as_deref().map_or(String::new(), |unit| format!(" {unit}"));
        let writable = if point.writable { "  (can be written)" } else { "" };
        writeln!(out, "  {} = {value}{unit}{writable}", point.path)?;
    }
    Ok(())
}

fn described(reading: &ModelReading) -> Value {
    let point = |point: &PointReading| {
        let number =
            value(point).map(|text| text.parse::<serde_json::Number>().map_or(json!(text), Value::Number));
        let about = json!({ "value": number, "unit": point.unit, "writable": point.writable });
        (point.path.clone(), about)
    };
    let points: Map<String, Value> = reading.points.iter().map(point).collect();
    json!({
        "model": reading.place.id, "address": reading.place.address, "length": reading.place.length,
        "label": reading.label, "points": points,
    })
}
