//! Clearing in rounds with parties who keep their curves and only answer what they would take at
//! the prices asked: what the DSO does with its aggregators.

use super::allocate::{allocate, Missing};
use super::bound::{Bound, Grid};
use super::levels::{sum_up, Grounds};
use super::locate::{locate, Gap};
use super::samples::Samples;
use super::{Clearing, Infeasible};
use crate::feeder::{Feeder, Tree};
use crate::supply::SupplyCurve;
use crate::units::{PicoEurPerWh, PRICE_BOUND};

/// Parts into which one question divides a window while there are few windows.
pub const PARTS: i64 = 128;

/// Most ticks in a question after the first. Up to eight windows are divided by [`PARTS`] at once,
/// which settles a range of 2e10 ticks (10 000 EUR/MWh either way) in five rounds. A zone with a
/// price of its own has one window, or two where its price may lie in an interval, for whose ends
/// they are. More windows share the ticks, and may take further rounds rather than ever larger
/// questions.
pub const MAX_QUESTION: usize = 1_024;

/// How far the rounds have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Cleared(Clearing),
    /// Ask for demand at these ticks too, rising and none known yet.
    Ask(Vec<PicoEurPerWh>),
}

/// The ticks of the first question: [`PARTS`] equal parts of the price range, and each of the
/// supply's breakpoints with the tick above it, so that an uncongested interval with a flat import
/// price clears in one round.
pub fn first_question(
    supply: &SupplyCurve,
    price_min: PicoEurPerWh,
    price_max: PicoEurPerWh,
) -> Vec<PicoEurPerWh> {
    let (first, last) = (price_min.0, price_max.0 + 1);
    let mut ticks = vec![first, last];
    divide(first, last, PARTS, &mut ticks);
    for point in supply.mirrored().points() {
        ticks.extend([point.price.0, point.price.0 + 1].iter().filter(|t| (first..=last).contains(*t)));
    }
    ticks.sort_unstable();
    ticks.dedup();
    ticks.into_iter().map(PicoEurPerWh).collect()
}

/// Clears from demand sampled so far, or says what to ask next. The price range is what the samples
/// span: from their first tick to one below their last.
///
/// # Errors
/// [`Infeasible`] names the limit that no price in the range meets.
pub fn clear_sampled(
    feeder: &Feeder,
    tree: &Tree,
    supply: &SupplyCurve,
    samples: &Samples,
) -> Result<Outcome, Infeasible> {
    let grounds = Grounds { feeder, tree, supply };
    if samples.ticks().len() < 2 {
        // Nothing was asked yet, and no price range given: the widest there is.
        return Ok(Outcome::Ask(first_question(supply, -PRICE_BOUND, PRICE_BOUND)));
    }
    let ticks: Vec<i64> = samples.ticks().iter().map(|t| t.0).collect();
    let mut own = Grid::new(ticks, feeder.buses.len());
    for (bus, powers) in samples.demand_by_bus().iter().enumerate() {
        for (bound, power) in own.row_mut(bus).iter_mut().zip(powers) {
            *bound = Bound::exact(power.0);
        }
    }
    let levels = sum_up(&grounds, &own)?;
    let located = locate(&grounds, &levels);
    let settled = located.windows.iter().all(|w| w.low == w.high);
    let mut ask = Vec::new();
    if settled {
        match allocate(&grounds, &own, &levels, &located.windows) {
            Ok(clearing) => return Ok(Outcome::Cleared(clearing)),
            Err(Missing(unsettled)) => {
                ask = unsettled;
                ask.retain(|tick| own.ticks.binary_search(tick).is_err());
            }
        }
    } else {
        question(&located.gaps, &mut ask);
    }
    Ok(Outcome::Ask(ask.into_iter().map(PicoEurPerWh).collect()))
}

fn question(gaps: &[Gap], ask: &mut Vec<i64>) {
    let parts = (MAX_QUESTION / gaps.len().max(1)).clamp(2, PARTS as usize) as i64;
    for gap in gaps.iter().take(MAX_QUESTION) {
        divide(gap.left, gap.right, parts, ask);
    }
    ask.sort_unstable();
    ask.dedup();
}

/// The inner edges of `parts` equal parts, or every tick where there are no more than that.
fn divide(left: i64, right: i64, parts: i64, ticks: &mut Vec<i64>) {
    let width = (right - left) as i128;
    let parts = (parts as i128).min(width);
    ticks.extend((1..parts).map(|k| left + (width * k / parts) as i64));
}
