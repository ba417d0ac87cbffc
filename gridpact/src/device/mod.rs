//! `gridpact device`: what an installer does first on site. Looks for devices, reads and watches one, and sets it when told
//! to. Which protocol a device speaks is its template's matter.

pub mod args;
mod models;
mod print;
mod read;
mod scan;
mod set;
mod target;

pub use read::read_once;

use args::DeviceCommand;
use hw_adapters::config::OpenError;
use hw_adapters::device::DeviceError;
use hw_adapters::scan::ScanError;
use hw_adapters::template::TemplateError;
use std::io::{self, Write};
use std::process::ExitCode;
use thiserror::Error;

/// Nothing was found.
const EXIT_NOTHING: u8 = 5;
/// The device does not answer.
const EXIT_SILENT: u8 = 6;
/// It answers what can't be right.
const EXIT_BAD_ANSWER: u8 = 7;
/// It refuses, or accepts and does otherwise.
const EXIT_REFUSED: u8 = 8;

/// Why a command on devices was not done.
#[derive(Debug, Error)]
pub enum DeviceCommandError {
    /// A template that is none, or isn't there.
    #[error("{0}\n`gridpact device templates` lists those there are")]
    Template(#[from] TemplateError),
    /// The device can't be opened.
    #[error("{0}\n`gridpact device templates NAME` says what this template needs")]
    Open(#[from] OpenError),
    /// Nothing can be looked for there.
    #[error("{0}\nIs it switched on, on this network, and its Modbus TCP or MQTT allowed in its menu?")]
    Scan(#[from] ScanError),
    /// Nothing was found.
    #[error("no device found at {0}\nTry other units (--units 1-247), ports (--port) or a longer look (--listen-s)")]
    Nothing(String),
    /// The device failed.
    #[error("{error}\n{}", advice(error))]
    Device {
        /// How.
        error: DeviceError,
    },
    /// What was asked for means nothing to this kind of device.
    #[error("a {kind} can't be told {order}; it can be told {can}")]
    NoSuchOrder {
        /// The device.
        kind: &'static str,
        /// What was asked.
        order: &'static str,
        /// What it can be told.
        can: &'static str,
    },
    /// Only SunSpec devices have models.
    #[error("{0} is no SunSpec device, so it has no models; read it without --all")]
    NoModels(String),
    /// The site's file can't be used.
    #[error("{0}")]
    Site(String),
    /// Nobody said yes.
    #[error("nothing was written: {0}")]
    NotConfirmed(&'static str),
    /// The result can't be printed.
    #[error("printing: {0}")]
    Print(#[from] io::Error),
    /// Nothing can be run.
    #[error("starting: {0}")]
    Start(io::Error),
}

impl From<DeviceError> for DeviceCommandError {
    fn from(error: DeviceError) -> Self {
        Self::Device { error }
    }
}

/// What to do about it.
fn advice(error: &DeviceError) -> &'static str {
    match error {
        DeviceError::Silent { .. } => {
            "Check its address, unit and power; many devices take one connection only, and another program may have it."
        }
        DeviceError::BadAnswer { .. } => {
            "It answers, and not as its template says: is it this product, in this mode, with this unit?"
        }
        DeviceError::Stale { .. } => "It repeats itself: has it, or the gateway before it, hung up? Switch it off and on.",
        DeviceError::Disobeyed { .. } => {
            "It took the command and holds something else: is control from outside allowed in its menu, and does nobody else steer it?"
        }
        DeviceError::Refused { .. } => "It says no: is control from outside allowed in its menu?",
    }
}

impl DeviceCommandError {
    fn code(&self) -> u8 {
        match self {
            Self::Nothing(_) => EXIT_NOTHING,
            Self::Scan(_) => EXIT_SILENT,
            Self::Device { error: DeviceError::Silent { .. } } => EXIT_SILENT,
            Self::Device { error: DeviceError::BadAnswer { .. } | DeviceError::Stale { .. } } => {
                EXIT_BAD_ANSWER
            }
            Self::Device { error: DeviceError::Disobeyed { .. } | DeviceError::Refused { .. } } => {
                EXIT_REFUSED
            }
            _ => 1,
        }
    }
}

/// Runs the command, with its errors on standard error.
pub fn run(command: DeviceCommand) -> ExitCode {
    match start(command, &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gridpact: {error}");
            ExitCode::from(error.code())
        }
    }
}

fn start(command: DeviceCommand, out: &mut impl Write) -> Result<(), DeviceCommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(DeviceCommandError::Start)?;
    runtime.block_on(async {
        match command {
            DeviceCommand::Templates(args) => print::templates(&args, out),
            DeviceCommand::Scan(args) => scan::run(&args, out).await,
            DeviceCommand::Read(args) => read::run(&args, out).await,
            DeviceCommand::Watch(args) => read::watch(&args, out).await,
            DeviceCommand::Set(args) => set::run(&args, out).await,
        }
    })
}
