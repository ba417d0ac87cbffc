//! How fast the auditor re-executes a chain, against how fast it was made under load.

use super::super::figure::{Figure, Target};
use super::super::stopwatch::timed;
use super::super::BenchError;
use super::throughput::Load;
use ledger::verify::verify_dir;
use std::path::Path;

/// Verifies a validator's folder that holds the load's blocks and next to nothing else.
///
/// # Errors
/// Where something does not hold.
pub fn measure(folder: &Path, load: &Load) -> Result<Figure, BenchError> {
    let (lasted, report) = timed(|| verify_dir(folder, &mut |_, _| {}));
    let report = report.map_err(|error| BenchError::Verify(Box::new(error)))?;
    Ok(Figure {
        name: format!("verifying a chain of {} entries, against making it", report.transfers),
        measured: load.lasted.as_secs_f64() / lasted.as_secs_f64(),
        unit: "x",
        target: Target::AtLeast(10.0),
        detail: format!(
            "made in {:.2} s, verified in {:.2} s, {} blocks",
            load.lasted.as_secs_f64(),
            lasted.as_secs_f64(),
            report.blocks
        ),
    })
}
