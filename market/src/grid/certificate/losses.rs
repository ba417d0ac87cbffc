//! Losses in the balance: what goes missing on a line, and whether its current makes it go missing.

use super::physics::{kvar, kw};
use super::{CertificateError, LineFlow, Terms, Tolerances};
use crate::grid::problem::{Branch, Losses, Network};
use crate::units::Milliwatt;

/// What of the flow into a line does not arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Lost {
    pub(crate) kw: f64,
    pub(crate) kvar: f64,
}

/// What a line loses beside what its current makes it lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fit {
    /// Just that.
    Exact,
    /// As much as a larger current would make.
    Beyond,
    /// What no current makes.
    Off,
}

/// Squared voltages, and the squared currents that losses follow from.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// By place.
    pub(crate) squares: Vec<f64>,
    /// Of the line into each place, in kVA squared at 1 p.u.; zero where losses are neglected, none
    /// where a line's losses are not those of its current.
    pub(crate) currents: Vec<Option<f64>>,
}

/// Follows flows and losses from the root down.
pub(crate) fn state(network: &Network, flows: &[LineFlow], lost: &[Lost], tolerances: &Tolerances) -> State {
    let mut squares = vec![network.root_voltage_square_pu];
    let mut currents = vec![Some(0.0)];
    for (place, flow) in flows.iter().enumerate().skip(1) {
        let (branch, sent) = (&network.branches[place], squares[network.parent[place]]);
        let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
        let drop = 2.0 * (r * kw(flow.power) + x * kvar(flow.reactive));
        // Losses of `r l` and `x l` lift the voltage by `(r^2 + x^2) l`.
        squares.push(branch.ratio_square * sent - drop + (r * lost[place].kw + x * lost[place].kvar));
        currents.push(if network.losses.carries() {
            let needed = current_square(*flow, sent);
            (fit(branch, *flow, lost[place], needed, tolerances) == Fit::Exact).then_some(needed)
        } else {
            Some(0.0)
        });
    }
    State { squares, currents }
}

/// Squared current that a flow needs.
pub(crate) fn current_square(flow: LineFlow, sending_square_pu: f64) -> f64 {
    let (p, q) = (kw(flow.power), kvar(flow.reactive));
    (p * p + q * q) / sending_square_pu
}

fn near(figure: f64, other: f64, tolerance: f64) -> bool {
    other - tolerance <= figure && figure <= other + tolerance
}

fn fit(branch: &Branch, flow: LineFlow, lost: Lost, needed: f64, tolerances: &Tolerances) -> Fit {
    let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
    let (off, reactive_off) = (tolerances.power_kw(kw(flow.power)), tolerances.power_kw(kvar(flow.reactive)));
    let made_by =
        |current: f64| near(lost.kw, r * current, off) && near(lost.kvar, x * current, reactive_off);
    if made_by(needed) {
        return Fit::Exact;
    }
    // By the larger of the two, which tells the current best. No number where both are zero.
    let current = if r * r >= x * x { lost.kw / r } else { lost.kvar / x };
    if current > needed && made_by(current) {
        Fit::Beyond
    } else {
        Fit::Off
    }
}

/// Whether what goes missing on a line may do so.
pub(super) fn check(
    terms: &Terms<'_>,
    place: usize,
    flow: LineFlow,
    lost: Lost,
    sent: f64,
) -> Result<(), CertificateError> {
    // Below zero a line would give power instead of losing it.
    let carries = sent > 0.0;
    if !carries {
        let place = terms.network.parent[place];
        return Err(CertificateError::Voltage { place, square_nano_pu: (sent * 1e9) as i64 });
    }
    let branch = &terms.network.branches[place];
    let needed = current_square(flow, sent);
    match fit(branch, flow, lost, needed, &terms.tolerances) {
        Fit::Exact => Ok(()),
        Fit::Beyond if terms.network.losses == Losses::Relaxed => Ok(()),
        Fit::Beyond | Fit::Off => {
            let made = branch.resistance_pu_per_kva * needed;
            Err(CertificateError::Loss {
                place,
                made: Milliwatt((made * 1e6) as i64),
                lost: Milliwatt((lost.kw * 1e6) as i64),
            })
        }
    }
}
