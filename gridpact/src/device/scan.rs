//! `gridpact device scan`: what answers at a host, with the templates that fit and how to go on.

use super::args::ScanArgs;
use super::target::catalogue;
use super::DeviceCommandError;
use hw_adapters::modbus::{Endpoint, ModbusLink, Parity, SerialLine, Timeouts};
use hw_adapters::scan::{scan_broker, scan_units, Finding, ScanError};
use hw_adapters::template::Catalogue;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{json, Value};
use std::io::Write;
use std::time::Duration;

/// Ports a broker listens on.
const BROKERS: [u16; 2] = [1883, 8883];
/// Ports tried where none is named.
const USUAL: [u16; 3] = [502, 1502, 1883];

/// Scans, and prints what was found.
pub async fn run(args: &ScanArgs, out: &mut impl Write) -> Result<(), DeviceCommandError> {
    let catalogue = catalogue(args.templates.as_deref())?;
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    let mut found = Vec::new();
    let mut failed: Option<ScanError> = None;
    let mut answered = false;
    for address in addresses(args) {
        match scan(&address, args, &catalogue, &bar).await {
            Ok(more) => {
                answered = true;
                found.extend(more);
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    bar.finish_and_clear();
    if found.is_empty() {
        return Err(match failed {
            Some(error) if !answered => error.into(),
            _ => DeviceCommandError::Nothing(args.host.clone()),
        });
    }
    match args.json {
        true => writeln!(out, "{}", json!({ "found": found.iter().map(described).collect::<Vec<_>>() }))?,
        false => found.iter().try_for_each(|finding| show(finding, out))?,
    }
    Ok(())
}

/// Whatever is to be looked at: `host:port`s, or a serial device.
fn addresses(args: &ScanArgs) -> Vec<String> {
    if args.host.starts_with('/') {
        return vec![args.host.clone()];
    }
    if let Some((_, Ok(_))) = args.host.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        return vec![args.host.clone()];
    }
    let ports = match (&args.port[..], args.broker) {
        ([], true) => &BROKERS[..1],
        ([], false) => &USUAL[..],
        (named, _) => named,
    };
    ports.iter().map(|port| format!("{}:{port}", args.host)).collect()
}

async fn scan(
    address: &str,
    args: &ScanArgs,
    catalogue: &Catalogue,
    bar: &ProgressBar,
) -> Result<Vec<Finding>, ScanError> {
    let port = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    if args.broker || port.is_some_and(|port: u16| BROKERS.contains(&port)) {
        bar.set_message(format!("{address}: listening for {} s", args.listen_s));
        bar.enable_steady_tick(Duration::from_millis(200));
        return scan_broker((address, &args.login.login()), catalogue, Duration::from_secs(args.listen_s))
            .await;
    }
    if !address.starts_with('/') {
        return scan_modbus((address, None), args, catalogue, bar).await;
    }
    // A line is set one way for all that hang on it, so the first way that anything answers by is the line's.
    let mut failed = None;
    for line in lines(args) {
        match scan_modbus((address, Some(line)), args, catalogue, bar).await {
            Ok(found) if !found.is_empty() => return Ok(found),
            Ok(_) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(Vec::new()), Err)
}

/// Every way a serial line may be set that is to be tried.
fn lines(args: &ScanArgs) -> Vec<SerialLine> {
    let parity = |word: &String| match word.as_str() {
        "even" => Parity::Even,
        "odd" => Parity::Odd,
        _ => Parity::None,
    };
    let of = |baud: &u32| {
        let stop_bits = args.stop_bits;
        let baud = *baud;
        args.parity.iter().map(move |word| SerialLine { baud, parity: parity(word), stop_bits })
    };
    args.baud.iter().flat_map(of).collect()
}

async fn scan_modbus(
    (address, line): (&str, Option<SerialLine>),
    args: &ScanArgs,
    catalogue: &Catalogue,
    bar: &ProgressBar,
) -> Result<Vec<Finding>, ScanError> {
    let request = Duration::from_millis(args.answer_within_ms);
    let endpoint = Endpoint::parse(address, line)
        .map_err(|error| ScanError { address: address.to_owned(), reason: error.to_string() })?;
    let link = |unit| ModbusLink::new(endpoint.clone(), unit, Timeouts::of(request));
    let set = line.map_or(String::new(), |line| format!(" at {line}"));
    let progress = |at: hw_adapters::scan::UnitProgress| {
        bar.set_message(format!("{address}{set}: unit {} ({} of {})", at.unit, at.done + 1, at.of));
        bar.tick();
    };
    let found = scan_units((address, &args.units.0), link, catalogue, progress).await?;
    Ok(found.into_iter().map(|finding| Finding { line, ..finding }).collect())
}

fn described(finding: &Finding) -> Value {
    let templates: Vec<Value> = finding
        .templates
        .iter()
        .map(|(name, settings)| json!({ "template": name, "settings": settings }))
        .collect();
    json!({
        "protocol": finding.protocol, "address": finding.address, "serial": finding.line, "unit": finding.unit,
        "what": finding.what,
        "models": finding.models, "templates": templates,
    })
}

fn show(finding: &Finding, out: &mut impl Write) -> Result<(), DeviceCommandError> {
    let unit = finding.unit.map_or(String::new(), |unit| format!(" unit {unit}"));
    let what = if finding.what.is_empty() { "says nothing of itself" } else { &finding.what };
    let line = finding.line.map_or(String::new(), |line| format!(" at {line}"));
    writeln!(out, "{}{line}{unit} ({}): {what}", finding.address, finding.protocol)?;
    if !finding.models.is_empty() {
        let models: Vec<String> = finding.models.iter().map(u16::to_string).collect();
        writeln!(out, "  SunSpec models {}", models.join(", "))?;
    }
    if finding.templates.is_empty() {
        writeln!(out, "  no template fits")?;
    }
    for (template, settings) in &finding.templates {
        let unit = finding.unit.map_or(String::new(), |unit| format!(" --unit {unit}"));
        let line = finding.line.map_or(String::new(), |line| format!(" --serial {line}"));
        let settings: String = settings.iter().map(|(name, value)| format!(" -s '{name}={value}'")).collect();
        writeln!(out, "  gridpact device read {template} {}{line}{unit}{settings}", finding.address)?;
    }
    Ok(())
}
