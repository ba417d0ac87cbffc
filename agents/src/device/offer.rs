//! What a store would take or give in the next step, piece by piece, each at what it is worth.

use super::ladder::Rung;
use super::value::{Store, Value};

/// Power offered from `least_w` upward.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// Power at the highest price; negative where energy is given back.
    pub least_w: f64,
    /// What comes on top of it as the price falls, in order of power.
    pub rungs: Vec<Rung>,
}

/// The offer of a store that holds `energy_wh` at the start of a step in which power can flow for
/// `hours` of its `step_hours`, where `after` is what energy is worth at the step's end.
///
/// Powers are means over the whole step. A piece given is worth what it leaves behind plus wear,
/// for each watt-hour that reaches the grid; a piece taken what it brings into store less wear.
pub fn offer(mut after: Value, store: &Store, energy_wh: f64, hours: f64, step_hours: f64) -> Offer {
    after.penalise(store);
    let idle_wh = energy_wh * store.retention + store.gain_wh;
    let outtake_wh = store.outtake_wh(hours).min(idle_wh - store.least_wh).max(0.0);
    let intake_wh = store.intake_wh(hours).min(store.most_wh - idle_wh).max(0.0);
    let given = after.between(idle_wh - outtake_wh, idle_wh).into_iter().map(|slope| Rung {
        worth_pico_per_wh: (slope.value_pico_per_wh + store.wear_pico_per_wh) / store.discharge_efficiency,
        width_w: slope.length_wh * store.discharge_efficiency / step_hours,
    });
    let taken = after.between(idle_wh, idle_wh + intake_wh).into_iter().map(|slope| Rung {
        worth_pico_per_wh: (slope.value_pico_per_wh - store.wear_pico_per_wh) * store.charge_efficiency,
        width_w: slope.length_wh / store.charge_efficiency / step_hours,
    });
    Offer {
        least_w: -outtake_wh * store.discharge_efficiency / step_hours,
        rungs: given.chain(taken).collect(),
    }
}
