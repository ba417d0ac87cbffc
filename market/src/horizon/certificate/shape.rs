//! Whether a clearing has a figure for everything that needs one, so that no later check looks at what
//! is not there.

use super::CertificateError;
use crate::horizon::clearing::HorizonClearing;
use crate::horizon::problem::HorizonProblem;

fn long<T>(what: &'static str, list: &[T], expected: usize) -> Result<(), CertificateError> {
    if list.len() == expected {
        return Ok(());
    }
    Err(CertificateError::Shape { what, count: list.len(), expected })
}

/// Checks the length of every list.
pub fn check(problem: &HorizonProblem, clearing: &HorizonClearing) -> Result<(), CertificateError> {
    let (intervals, places) = (problem.intervals(), problem.network.parent.len());
    long("intervals", &clearing.intervals, intervals)?;
    long("storages", &clearing.storages, problem.storages.len())?;
    long("deferrables", &clearing.deferrables, problem.deferrables.len())?;
    for interval in &clearing.intervals {
        long("awards", &interval.awards, problem.offers.len())?;
        long("flows", &interval.flows, places)?;
        long("voltages", &interval.voltage_square_pu, places)?;
        long("prices", &interval.prices, places)?;
        long("reactive prices", &interval.reactive_prices, places)?;
        long("multipliers", &interval.duals, places)?;
    }
    for schedule in &clearing.storages {
        long("charging powers", &schedule.charge_kw, intervals)?;
        long("discharging powers", &schedule.discharge_kw, intervals)?;
        long("energies", &schedule.energy_kwh, intervals)?;
        long("stored values", &schedule.stored_values, intervals)?;
        long("multipliers of charging", &schedule.charge_duals, intervals)?;
        long("multipliers of discharging", &schedule.discharge_duals, intervals)?;
        long("multipliers of energy", &schedule.energy_duals, intervals)?;
    }
    for schedule in &clearing.deferrables {
        long("deferred powers", &schedule.power_kw, intervals)?;
        long("multipliers of deferred power", &schedule.power_duals, intervals)?;
    }
    Ok(())
}
