//! AC correction: what really flows when everyone takes what was cleared, and clearing again with the
//! voltage limits shifted by what the linear model misses, until what really results keeps the
//! problem's own limits.
//!
//! The shift of a place is its squared voltage in the model less the one in the AC flow of the last
//! dispatch. It hardly depends on the dispatch, so each pass leaves a small part of the violation.

use super::problem::{GridProblem, Losses, VoltageBand};
use super::solution::GridSolution;
use crate::powerflow::{solve_network, PlaceLoad, PowerFlowError, RadialFlow};

/// AC voltage, in p.u., that may pass a limit in a correction that counts as done.
pub const TOLERANCE_PU: f64 = 2e-5;

/// Most times a problem is cleared again.
pub const MAX_CORRECTIONS: usize = 6;

/// Voltage multiplier in EUR/MWh times kW per p.u. up to which a limit counts as without effect.
const NEGLIGIBLE: f64 = 1e-6;

/// A dispatch beside its AC power flow.
#[derive(Clone, Debug, PartialEq)]
pub struct Pass {
    /// What was cleared: the problem's own limits of voltage, or those shifted.
    pub bands: Vec<VoltageBand>,
    /// The clearing.
    pub solution: GridSolution,
    /// The AC power flow of its dispatch.
    pub flow: RadialFlow,
    /// How far apart they are.
    pub gap: Gap,
}

/// How far a model's voltages and losses lie from those of the AC power flow.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gap {
    /// Largest difference of a voltage, in p.u.
    pub voltage_max_pu: f64,
    /// The same once the model's squared voltages are shifted as its limits were, in p.u.
    pub shifted_voltage_max_pu: f64,
    /// Mean difference of the voltages, in p.u.
    pub voltage_mean_pu: f64,
    /// Losses by the model: those in its balance, else `r (P^2 + Q^2)` at 1 p.u.
    pub model_loss_kw: f64,
    /// Largest difference of a line's losses.
    pub line_loss_max_kw: f64,
    /// Largest difference of a line's real power at its sending end.
    pub line_power_max_kw: f64,
    /// How far the lowest AC voltage lies below its limit, in p.u.; 0 where none does.
    pub below_min_pu: f64,
    /// How far the highest AC voltage lies above its limit, in p.u.; 0 where none does.
    pub above_max_pu: f64,
}

/// How a correction ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending<E> {
    /// AC voltages keep the limits within [`TOLERANCE_PU`], and the shifts have settled.
    Kept,
    /// They do not after [`MAX_CORRECTIONS`].
    NotKept,
    /// Clearing within the shifted limits failed.
    Refused(E),
    /// The AC power flow of a corrected dispatch was not found.
    NoFlow(PowerFlowError),
}

/// A correction: the dispatch it began with, those cleared after it, and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction<E> {
    /// At least one.
    pub passes: Vec<Pass>,
    /// How it ended.
    pub ending: Ending<E>,
}

/// The AC power flow of what was cleared.
///
/// # Errors
/// See [`PowerFlowError`].
pub fn flow(problem: &GridProblem, solution: &GridSolution) -> Result<RadialFlow, PowerFlowError> {
    let mut loads = vec![PlaceLoad::default(); problem.network.parent.len()];
    for (offer, award) in problem.offers.iter().zip(&solution.awards) {
        loads[offer.place].power_kw += award.power_kw;
        loads[offer.place].reactive_kvar += award.reactive_kvar;
    }
    solve_network(&problem.network, &loads)
}

/// Runs the AC power flow on `solution` and corrects it, clearing with `clear`.
///
/// # Errors
/// [`PowerFlowError`] where the dispatch to begin with has no power flow.
pub fn correct<E>(
    problem: &GridProblem,
    solution: GridSolution,
    clear: impl Fn(&GridProblem) -> Result<GridSolution, E>,
) -> Result<Correction<E>, PowerFlowError> {
    let bands = &problem.network.bands;
    let mut shifts = vec![0.0; bands.len()];
    let mut passes = vec![pass(problem, &shifts, solution)?];
    loop {
        let last = &passes[passes.len() - 1];
        let missed = missed(last);
        if settled(bands, last, &shifts, &missed) {
            return Ok(Correction { passes, ending: Ending::Kept });
        }
        if passes.len() > MAX_CORRECTIONS {
            return Ok(Correction { passes, ending: Ending::NotKept });
        }
        shifts = missed;
        let mut shifted = problem.clone();
        shifted.network.bands = shift(bands, &shifts);
        let cleared = match clear(&shifted) {
            Ok(solution) => solution,
            Err(error) => return Ok(Correction { passes, ending: Ending::Refused(error) }),
        };
        match pass(problem, &shifts, cleared) {
            Ok(next) => passes.push(next),
            Err(error) => return Ok(Correction { passes, ending: Ending::NoFlow(error) }),
        }
    }
}

fn pass(problem: &GridProblem, shifts: &[f64], solution: GridSolution) -> Result<Pass, PowerFlowError> {
    let flow = flow(problem, &solution)?;
    let bands = shift(&problem.network.bands, shifts);
    let gap = gap(problem, shifts, &solution, &flow);
    Ok(Pass { bands, solution, flow, gap })
}

/// By place: the model's squared voltage less the AC flow's.
fn missed(pass: &Pass) -> Vec<f64> {
    let places = pass.solution.voltage_square_pu.iter().zip(&pass.flow.voltage_pu);
    places.map(|(square, voltage)| square - voltage * voltage).collect()
}

fn shift(bands: &[VoltageBand], shifts: &[f64]) -> Vec<VoltageBand> {
    let shifted = |(band, shift): (&VoltageBand, &f64)| VoltageBand {
        min_square_pu: band.min_square_pu + shift,
        max_square_pu: band.max_square_pu + shift,
    };
    bands.iter().zip(shifts).map(shifted).collect()
}

/// Whether AC voltages keep the limits, and no limit that holds the dispatch back stands elsewhere
/// than where the last flow would put it.
fn settled(bands: &[VoltageBand], pass: &Pass, shifts: &[f64], missed: &[f64]) -> bool {
    let kept = pass.gap.below_min_pu.max(pass.gap.above_max_pu) <= TOLERANCE_PU;
    let stands = |place: usize| {
        let duals = &pass.solution.duals[place];
        let holds = duals.voltage_min.max(duals.voltage_max) > NEGLIGIBLE;
        // A square changes twice as fast as its root.
        !holds || (shifts[place] - missed[place]).abs() <= 2.0 * TOLERANCE_PU * pass.flow.voltage_pu[place]
    };
    kept && (1..bands.len()).all(stands)
}

/// How far the clearing lies from its AC power flow, and that from the problem's limits.
fn gap(problem: &GridProblem, shifts: &[f64], solution: &GridSolution, flow: &RadialFlow) -> Gap {
    let mut gap = Gap::default();
    let places = flow.voltage_pu.len() as f64;
    let model = solution.voltage_square_pu.iter().zip(shifts);
    for ((square, shift), voltage) in model.zip(&flow.voltage_pu) {
        let error = (square.max(0.0).sqrt() - voltage).abs();
        let shifted_error = ((square - shift).max(0.0).sqrt() - voltage).abs();
        gap.voltage_max_pu = gap.voltage_max_pu.max(error);
        gap.voltage_mean_pu += error / places;
        gap.shifted_voltage_max_pu = gap.shifted_voltage_max_pu.max(shifted_error);
    }
    for (place, ac) in flow.flows.iter().enumerate().skip(1) {
        let (band, voltage) = (&problem.network.bands[place], flow.voltage_pu[place]);
        gap.below_min_pu = gap.below_min_pu.max(band.min_square_pu.max(0.0).sqrt() - voltage);
        gap.above_max_pu = gap.above_max_pu.max(voltage - band.max_square_pu.max(0.0).sqrt());
        let model = &solution.flows[place];
        let loss_kw = match problem.network.losses {
            Losses::Carried | Losses::Relaxed => model.loss_kw,
            Losses::Neglected => {
                let apparent_square = model.power_kw.powi(2) + model.reactive_kvar.powi(2);
                problem.network.branches[place].resistance_pu_per_kva * apparent_square
            }
        };
        gap.model_loss_kw += loss_kw;
        gap.line_loss_max_kw = gap.line_loss_max_kw.max((loss_kw - ac.loss_kw).abs());
        gap.line_power_max_kw = gap.line_power_max_kw.max((model.power_kw - ac.power_kw).abs());
    }
    gap
}

#[cfg(test)]
mod tests {
    use super::super::clear;
    use super::super::sample::{chain, loaded};
    use super::*;

    fn corrected(problem: &GridProblem) -> Correction<super::super::GridError> {
        correct(problem, clear(problem).unwrap(), clear).unwrap()
    }

    #[test]
    fn a_lower_limit_the_model_thought_kept_is_kept_in_the_end() {
        let mut problem = loaded();
        problem.network.bands[3].min_square_pu = 0.96 * 0.96;
        let correction = corrected(&problem);
        let (first, last) = (&correction.passes[0], correction.passes.last().unwrap());
        assert_eq!(correction.ending, Ending::Kept);
        assert!(first.gap.below_min_pu > 1e-4, "{:?}", first.gap);
        assert!(last.gap.below_min_pu <= TOLERANCE_PU, "{:?}", last.gap);
        assert!(last.gap.shifted_voltage_max_pu < 0.05 * first.gap.voltage_max_pu, "{:?}", last.gap);
        assert!(correction.passes.len() <= 4);
    }

    #[test]
    fn an_upper_limit_the_model_held_too_early_lets_more_through() {
        let mut problem = chain();
        problem.network.bands[3].max_square_pu = 1.03 * 1.03;
        let correction = corrected(&problem);
        let (first, last) = (&correction.passes[0], correction.passes.last().unwrap());
        assert_eq!(correction.ending, Ending::Kept);
        // The generators export more, at less cost, and reach the limit.
        assert!(last.solution.import_kw < first.solution.import_kw - 10.0);
        assert!((last.flow.voltage_pu[3] - 1.03).abs() < 2.0 * TOLERANCE_PU, "{:?}", last.flow);
    }

    #[test]
    fn without_a_limit_that_binds_nothing_is_cleared_again() {
        let correction = corrected(&loaded());
        assert_eq!((correction.passes.len(), correction.ending), (1, Ending::Kept));
    }

    #[test]
    fn a_limit_that_only_the_model_can_keep_is_not_passed_over() {
        let mut problem = loaded();
        problem.offers.iter_mut().for_each(|offer| offer.pieces.clear());
        let free = clear(&problem).unwrap();
        // What the model says is exactly allowed; the AC voltage is lower.
        problem.network.bands[3].min_square_pu = free.voltage_square_pu[3] - 1e-9;
        let correction = corrected(&problem);
        assert!(matches!(correction.ending, Ending::Refused(_)), "{:?}", correction.ending);
    }

    #[test]
    fn a_dispatch_no_feeder_can_carry_has_no_flow() {
        let mut problem = loaded();
        problem.offers[2].power_min_kw = 1e5;
        problem.offers[2].pieces.clear();
        problem.supply.pieces[0].width_kw = 1e6;
        let error = correct(&problem, clear(&problem).unwrap(), clear).unwrap_err();
        assert!(matches!(error, PowerFlowError::Diverged { .. }));
    }
}
