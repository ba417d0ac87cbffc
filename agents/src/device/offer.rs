//! What a store would take or give in the next step, piece by piece, each at what it is worth.

use super::ladder::Rung;
use super::levels::{worth, LevelPrices, LevelValues, LEVELS};
use super::value::Store;

/// Power offered from `least_w` upward.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// Power at the highest price; negative where energy is given back.
    pub least_w: f64,
    /// What comes on top of it as the price falls, in order of power.
    pub rungs: Vec<Rung>,
}

/// The step offered for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Price expected at each level, where it is forecast.
    pub prices: Option<LevelPrices>,
    /// Hours in which power can flow.
    pub hours: f64,
    /// Hours of the whole step; powers are means over it.
    pub step_hours: f64,
}

/// The offer of a store that holds `energy_wh` at the start of a step, where `after` is what energy is
/// worth at the step's end, by the step's level.
///
/// A piece given is worth what it leaves behind plus wear, for each watt-hour that reaches the grid; a
/// piece taken what it brings into store less wear.
pub fn offer(after: &LevelValues, store: &Store, energy_wh: f64, span: &Span) -> Offer {
    let Span { prices, hours, step_hours } = *span;
    let idle_wh = energy_wh * store.retention + store.gain_wh;
    let outtake_wh = store.outtake_wh(hours).min(idle_wh - store.least_wh).max(0.0);
    let intake_wh = store.intake_wh(hours).min(store.most_wh - idle_wh).max(0.0);
    let rung = |values: [f64; LEVELS], width_w| Rung { worth_pico_per_wh: worth(&values, prices), width_w };
    let given = after.between(store, idle_wh - outtake_wh, idle_wh).into_iter().map(|piece| {
        let sold = |value| (value + store.wear_pico_per_wh) / store.discharge_efficiency;
        let width_w = piece.length_wh * store.discharge_efficiency / step_hours;
        rung(piece.values_pico_per_wh.map(sold), width_w)
    });
    let taken = after.between(store, idle_wh, idle_wh + intake_wh).into_iter().map(|piece| {
        let bought = |value| (value - store.wear_pico_per_wh) * store.charge_efficiency;
        rung(piece.values_pico_per_wh.map(bought), piece.length_wh / store.charge_efficiency / step_hours)
    });
    Offer {
        least_w: -outtake_wh * store.discharge_efficiency / step_hours,
        rungs: given.chain(taken).collect(),
    }
}
