//! A case's on-load tap changers: which of their positions the case is cleared at.

use super::case::{Case, Line, Taps};
use super::problem::Posed;
use super::refusal::Refusal;
use super::unmet::Unmet;
use market::feeder::Tree;
use market::grid::problem::Network;
use market::grid::solution::GridSolution;
use market::grid::taps::{choose as cheapest, TapChanger, Tapped};

/// Why one choice of positions gives no result.
enum Uncleared {
    Unmet(Unmet),
    Refused(Refusal),
}

/// Lines with a tap changer, and the places they feed.
pub fn changing<'a>(case: &'a Case, tree: &'a Tree) -> impl Iterator<Item = (usize, &'a Line)> {
    let fed = (1..tree.order.len()).map(|place| (place, &case.lines[tree.line[place]]));
    fed.filter(|(_, line)| line.taps.is_some())
}

/// Clears with each changer where that is cheapest, and leaves its ratio in the posed problem.
///
/// # Errors
/// As `solve`'s, of the positions nearest a ratio of 1 where none clears.
pub fn choose(
    case: &Case,
    tree: &Tree,
    posed: &mut Posed,
    solve: impl Fn(&Posed) -> Result<Result<GridSolution, Unmet>, Refusal>,
) -> Result<Result<GridSolution, Unmet>, Refusal> {
    let changers: Vec<TapChanger> = changing(case, tree)
        .filter_map(|(place, line)| Some(TapChanger { place, ratios: ratios(line.taps.as_ref()?) }))
        .collect();
    if changers.is_empty() {
        return solve(posed);
    }
    if !posed.impedances {
        return Err(Refusal::invalid("lines", "a tap changer needs base and every line's r and x"));
    }
    let chosen = cheapest(&changers, |positions| {
        set(&mut posed.problem.network, &changers, positions);
        match solve(posed) {
            Ok(Ok(solution)) => Ok(solution),
            Ok(Err(unmet)) => Err(Uncleared::Unmet(unmet)),
            Err(refusal) => Err(Uncleared::Refused(refusal)),
        }
    });
    match chosen {
        Ok(Tapped { positions, solution }) => {
            set(&mut posed.problem.network, &changers, &positions);
            Ok(Ok(solution))
        }
        Err(Uncleared::Unmet(unmet)) => Ok(Err(unmet)),
        Err(Uncleared::Refused(refusal)) => Err(refusal),
    }
}

fn ratios(taps: &Taps) -> Vec<f64> {
    let last = taps.positions.saturating_sub(1).max(1) as f64;
    (0..taps.positions)
        .map(|position| taps.ratio_min + (taps.ratio_max - taps.ratio_min) * position as f64 / last)
        .collect()
}

fn set(network: &mut Network, changers: &[TapChanger], positions: &[usize]) {
    for (changer, position) in changers.iter().zip(positions) {
        let ratio = changer.ratios[*position];
        network.branches[changer.place].ratio_square = ratio * ratio;
    }
}
