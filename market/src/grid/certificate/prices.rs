//! Optimality: prices follow from the root's and the multipliers, and the supply answers the root's.

use super::losses::State;
use super::physics::{kvar, kw};
use super::{CertificateError, GridClearing, Terms};
use crate::units::{PicoEurPerWh, PRICE_BOUND};

/// What one place's voltage and its line's current are worth.
#[derive(Clone, Copy, Default)]
struct Worth {
    /// Of a higher squared voltage here, to this place and all below, in EUR/MWh kW per p.u.: `beta`.
    voltage: f64,
    /// Of less squared current on the line here, divided by the squared voltage it is sent at:
    /// `gamma / V_p`. Nothing where more is lost than its current makes, so that its flow moves no loss.
    current: f64,
}

/// What follows for one place's prices, in EUR/MWh and EUR/Mvarh.
#[derive(Clone, Copy, Default)]
pub(in crate::grid) struct Expected {
    pub(in crate::grid) price: f64,
    pub(in crate::grid) reactive: f64,
}

fn eur(price: PicoEurPerWh) -> f64 {
    price.0 as f64 / 1e6
}

fn tick(price: f64) -> PicoEurPerWh {
    PicoEurPerWh((price * 1e6) as i64)
}

/// Worths from the leaves to the root.
fn worths(
    terms: &Terms<'_>,
    clearing: &GridClearing,
    State { squares, currents }: &State,
) -> Result<Vec<Worth>, CertificateError> {
    let network = terms.network;
    // The price is in EUR/h, the multipliers in EUR/MWh times kW.
    let deviation = 2_000.0 * terms.objective.voltage_deviation_price;
    let mut worths = vec![Worth::default(); squares.len()];
    for place in (1..squares.len()).rev() {
        let (parent, branch) = (network.parent[place], &network.branches[place]);
        let limit = clearing.multipliers[place].voltage.0 as f64 / 1e6;
        let here = worths[place].voltage + limit - deviation * (squares[place] - 1.0);
        worths[place].voltage = here;
        worths[parent].voltage += branch.ratio_square * here;
        if terms.carries_losses() {
            let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
            let lost = eur(clearing.prices[place]) * r + eur(clearing.reactive_prices[place]) * x;
            let gamma = lost - (r * r + x * x) * here;
            // As if every price were higher by its tolerance.
            let size = r + if x < 0.0 { -x } else { x };
            let allowed = terms.tolerances.price_eur_per_mwh() * size;
            let costly = gamma >= -allowed;
            if !costly {
                return Err(CertificateError::LossesWelcome { place });
            }
            match currents[place] {
                Some(current) => {
                    worths[place].current = gamma / squares[parent];
                    worths[parent].voltage += gamma * current / squares[parent];
                }
                None if gamma > allowed => return Err(CertificateError::LossesIdle { place }),
                None => {}
            }
        }
    }
    Ok(worths)
}

/// Checks every price against what follows from the root's.
pub(super) fn check(
    terms: &Terms<'_>,
    clearing: &GridClearing,
    state: &State,
) -> Result<(), CertificateError> {
    walk(terms, clearing, state, |place, expected| {
        check_place(terms, clearing, place, expected)?;
        Ok(expected)
    })
}

/// Goes down the tree with what follows for each place's prices. What `visit` makes of it is what
/// the prices below follow from.
///
/// # Errors
/// Where more losses would be worth having, and `visit`'s.
pub(in crate::grid) fn walk(
    terms: &Terms<'_>,
    clearing: &GridClearing,
    state: &State,
    mut visit: impl FnMut(usize, Expected) -> Result<Expected, CertificateError>,
) -> Result<(), CertificateError> {
    let worths = worths(terms, clearing, state)?;
    let mut expected = vec![Expected::default(); worths.len()];
    expected[0].price = eur(clearing.prices[0]);
    for place in 1..worths.len() {
        let branch = &terms.network.branches[place];
        let near = expected[terms.network.parent[place]];
        let flow = clearing.flows[place];
        let (p, q) = (kw(flow.power), kvar(flow.reactive));
        let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
        let Worth { voltage, current } = worths[place];
        let per_flow = 2.0 * (terms.objective.loss_price * r + current);
        let multipliers = &clearing.multipliers[place];
        let far = Expected {
            price: near.price + eur(multipliers.congestion) + 2.0 * r * voltage + per_flow * p,
            reactive: near.reactive + 2.0 * x * voltage + per_flow * q,
        };
        expected[place] = visit(place, with_apparent(terms, clearing, place, far))?;
    }
    Ok(())
}

/// Adds what the apparent-power limit is worth: `sigma` times the limit's gradient.
fn with_apparent(terms: &Terms<'_>, clearing: &GridClearing, place: usize, far: Expected) -> Expected {
    let multipliers = &clearing.multipliers[place];
    if multipliers.apparent == PicoEurPerWh::ZERO {
        return far;
    }
    let (flow, most) = (clearing.flows[place], terms.network.branches[place].apparent_max_kva);
    let sigma = eur(multipliers.apparent);
    if most > terms.tolerances.power_kw(most) {
        let per_flow = sigma / most;
        return Expected {
            price: far.price + per_flow * kw(flow.power),
            reactive: far.reactive + per_flow * kvar(flow.reactive),
        };
    }
    // A line that carries nothing: at zero the limit has every gradient up to its multiplier's length.
    let own = Expected { price: eur(clearing.prices[place]), reactive: eur(clearing.reactive_prices[place]) };
    let (by, reactive_by) = (own.price - far.price, own.reactive - far.reactive);
    if by * by + reactive_by * reactive_by <= sigma * sigma {
        own
    } else {
        far
    }
}

fn check_place(
    terms: &Terms<'_>,
    clearing: &GridClearing,
    place: usize,
    expected: Expected,
) -> Result<(), CertificateError> {
    let tolerance = terms.tolerances.price_eur_per_mwh();
    let holds = |price: f64, expected: f64| expected - tolerance <= price && price <= expected + tolerance;
    let (price, reactive) = (clearing.prices[place], clearing.reactive_prices[place]);
    if !holds(eur(price), expected.price) {
        return Err(CertificateError::Price { place, price, expected: tick(expected.price) });
    }
    if !holds(eur(reactive), expected.reactive) {
        let expected = tick(expected.reactive);
        return Err(CertificateError::ReactivePrice { place, price: reactive, expected });
    }
    Ok(())
}

/// The import must be on offer at the root's price.
pub(super) fn check_supply(terms: &Terms<'_>, clearing: &GridClearing) -> Result<(), CertificateError> {
    let (price, import, tolerances) = (clearing.prices[0], clearing.import, &terms.tolerances);
    let at = |price: PicoEurPerWh| terms.supply.import_at(price.clamp(-PRICE_BOUND, PRICE_BOUND));
    let mut offer = at(price - tolerances.price);
    offer.high = at(price + tolerances.price).high;
    let (low, high) = (kw(offer.low), kw(offer.high));
    let import_kw = kw(import);
    let holds = import_kw >= low - tolerances.power_kw(low) && import_kw <= high + tolerances.power_kw(high);
    if !holds {
        return Err(CertificateError::Supply { import, offer, price });
    }
    Ok(())
}
