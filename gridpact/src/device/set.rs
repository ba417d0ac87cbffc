//! `gridpact device set`: one setpoint, written once somebody has said yes, and read back.

use super::args::{OrderArgs, SetArgs};
use super::read::first;
use super::target::open;
use super::DeviceCommandError;
use hw_adapters::device::{Device, DeviceError};
use market::units::Milliwatt;
use serde_json::json;
use std::io::{stdin, IsTerminal, Write};

/// What is asked of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Power(Milliwatt),
    Switch(bool),
    Release,
}

impl Order {
    fn of(args: &OrderArgs) -> Self {
        match args.power_w {
            Some(watts) => Self::Power(Milliwatt(watts.clamp(-10_000_000_000, 10_000_000_000) * 1_000)),
            None if args.release => Self::Release,
            None => Self::Switch(args.on),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Power(_) => "--power-w",
            Self::Switch(true) => "--on",
            Self::Switch(false) => "--off",
            Self::Release => "--release",
        }
    }

    fn said(self) -> String {
        match self {
            Self::Power(power) => format!("{} W", power.0 / 1_000),
            Self::Switch(on) => if on { "on" } else { "off" }.to_owned(),
            Self::Release => "left to itself".to_owned(),
        }
    }
}

/// Reads the device, asks, writes, and says what it then holds.
pub async fn run(args: &SetArgs, out: &mut impl Write) -> Result<(), DeviceCommandError> {
    let order = Order::of(&args.order);
    let mut target = open(&args.target).await?;
    fits(&target.device, order)?;
    let before = first(&mut target).await?;
    eprintln!("{} is now {}", target.name, before.line());
    if !args.yes {
        confirm(&format!("Set {} to {}?", target.name, order.said()))?;
    }
    let mut held = write(&mut target.device, order, args.hold_s).await?;
    while let Some(next) = target.device.next_step() {
        eprintln!("{} holds {held}, on its way", target.name);
        tokio::time::sleep(next).await;
        held = write(&mut target.device, order, args.hold_s).await?;
    }
    match args.json {
        true => writeln!(out, "{}", json!({ "name": target.name, "asked": order.said(), "holds": held }))?,
        false => writeln!(out, "{} holds: {held}", target.name)?,
    }
    Ok(())
}

/// Whether such a device can be told so at all.
fn fits(device: &Device, order: Order) -> Result<(), DeviceCommandError> {
    let (kind, can, able) = match device {
        Device::Meter(_) => ("meter", "nothing", false),
        Device::Plug(_) => ("plug", "--on, --off and --release", !matches!(order, Order::Power(_))),
        Device::Battery(_) => ("battery", "--power-w and --release", !matches!(order, Order::Switch(_))),
        Device::Generator(_) => ("generator", "--power-w and --release", !matches!(order, Order::Switch(_))),
        Device::Charger(_) => ("charger", "--power-w and --release", !matches!(order, Order::Switch(_))),
        Device::HeatPump(_) => ("heat pump", "--power-w and --release", !matches!(order, Order::Switch(_))),
    };
    match able {
        true => Ok(()),
        false => Err(DeviceCommandError::NoSuchOrder { kind, order: order.word(), can }),
    }
}

fn confirm(question: &str) -> Result<(), DeviceCommandError> {
    if !stdin().is_terminal() {
        return Err(DeviceCommandError::NotConfirmed(
            "there is no terminal to ask at; --yes writes without asking",
        ));
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(DeviceCommandError::NotConfirmed("the answer was no")),
    }
}

async fn write(device: &mut Device, order: Order, hold_s: u32) -> Result<String, DeviceError> {
    let watts = |power: Milliwatt| format!("{} W", power.0 as f64 / 1e3);
    let or_itself = |power: Option<Milliwatt>| power.map_or("left to itself".to_owned(), watts);
    Ok(match (device, order) {
        (Device::Battery(battery), Order::Power(power)) => watts(battery.set_power(power, hold_s).await?),
        (Device::Battery(battery), _) => {
            battery.set_power(Milliwatt::ZERO, 1).await?;
            "left to itself".to_owned()
        }
        (Device::Generator(generator), Order::Power(power)) => {
            or_itself(generator.limit(Some(power), hold_s).await?)
        }
        (Device::Generator(generator), _) => or_itself(generator.limit(None, hold_s).await?),
        (Device::Charger(charger), Order::Power(power)) => watts(charger.limit(power).await?),
        (Device::Charger(charger), _) => {
            let power_max = charger.read().await?.power_max;
            watts(charger.limit(power_max).await?)
        }
        (Device::HeatPump(pump), Order::Power(power)) => or_itself(pump.set_power(Some(power)).await?),
        (Device::HeatPump(pump), _) => or_itself(pump.set_power(None).await?),
        (Device::Plug(plug), Order::Switch(on)) => Order::Switch(plug.switch(Some(on)).await?).said(),
        (Device::Plug(plug), _) => Order::Switch(plug.switch(None).await?).said(),
        // Sorted out before anything was written.
        (Device::Meter(_), _) => "nothing".to_owned(),
    })
}
