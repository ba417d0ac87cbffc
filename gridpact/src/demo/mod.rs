//! `gridpact demo`: one day of a real low-voltage grid, with every role and device on its own sockets.

pub mod certificates;
pub mod console;
pub mod devices;
pub mod display;
pub mod figures;
pub mod files;
pub mod genesis;
pub mod observer;
pub mod payments;
pub mod play;
pub mod ports;
pub mod record;
pub mod report;
pub mod report_ahead;
pub mod roster;
pub mod specs;

use crate::cli::DemoArgs;
use play::{Demo, DemoError};
use report::Report;
use std::path::PathBuf;

/// Plays a demo in `directory`, which is there and empty, and prints as it goes.
///
/// # Errors
/// As [`Demo::prepare`] and [`Demo::play`] say.
pub async fn run(args: DemoArgs, directory: PathBuf) -> Result<(), DemoError> {
    let json = args.json;
    if !json {
        println!("data directory {}", directory.display());
    }
    let demo = Demo::prepare(args, directory).await?;
    demo.play(&mut |report: &Report| match serde_json::to_string_pretty(report) {
        Ok(text) if json => println!("{text}"),
        Ok(_) => println!("{report}"),
        Err(error) => eprintln!("the report has no JSON: {error}"),
    })
    .await
}
