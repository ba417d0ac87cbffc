//! Whether a problem is sound: shapes, order, finite figures within what is sensible.
//!
//! The bounds are far beyond any feeder, and near enough that their products stay finite.

use super::error::GridError;
use super::problem::{Branch, GridProblem, Network, Offer, Piece, Reactive, ReserveOffer, Supply};

/// Largest real or reactive power of a single figure, in kW or kvar.
pub const POWER_BOUND_KW: f64 = 1e9;

/// Largest price in EUR/MWh, also of losses and reserve.
pub const PRICE_BOUND: f64 = 1e6;

/// Largest impedance in p.u. per kVA.
const IMPEDANCE_BOUND: f64 = 1e3;

/// Largest squared voltage or squared ratio.
const SQUARE_BOUND: f64 = 100.0;

/// Largest weight of a squared quantity.
const WEIGHT_BOUND: f64 = 1e12;

fn within(
    figure: &'static str,
    index: usize,
    value: f64,
    (least, most): (f64, f64),
) -> Result<(), GridError> {
    if (least..=most).contains(&value) {
        Ok(())
    } else {
        Err(GridError::Figure { figure, index, value, least, most })
    }
}

/// As [`within`], where an infinity of the right sign means that there is no limit.
fn ordered(
    figure: &'static str,
    index: usize,
    (least, most): (f64, f64),
    bound: f64,
) -> Result<(), GridError> {
    if least != f64::NEG_INFINITY {
        within(figure, index, least, (-bound, bound))?;
    }
    if most != f64::INFINITY {
        within(figure, index, most, (-bound, bound))?;
    }
    if least > most {
        return Err(GridError::Reversed { figure, index, least, most });
    }
    Ok(())
}

/// Checks everything the solver relies on.
///
/// # Errors
/// The first figure found that is unsound.
pub fn check(problem: &GridProblem) -> Result<(), GridError> {
    network(&problem.network)?;
    let places = problem.network.parent.len();
    for (index, offer) in problem.offers.iter().enumerate() {
        if offer.place >= places {
            return Err(GridError::UnknownPlace { offer: index, place: offer.place });
        }
        self::offer(index, offer)?;
    }
    supply(&problem.supply)?;
    let objective = &problem.objective;
    within("price of losses", 0, objective.loss_price, (0.0, PRICE_BOUND))?;
    within("price of voltage deviation", 0, objective.voltage_deviation_price, (0.0, WEIGHT_BOUND))?;
    within("reserve up", 0, objective.reserve_up_kw, (0.0, POWER_BOUND_KW))?;
    within("reserve down", 0, objective.reserve_down_kw, (0.0, POWER_BOUND_KW))
}

fn network(network: &Network) -> Result<(), GridError> {
    let expected = network.parent.len();
    let shape = |list, found| GridError::Shape { list, found, expected };
    if expected == 0 {
        return Err(GridError::Shape { list: "places", found: 0, expected: 1 });
    }
    if network.branches.len() != expected {
        return Err(shape("branches", network.branches.len()));
    }
    if network.bands.len() != expected {
        return Err(shape("voltage bands", network.bands.len()));
    }
    within("root's squared voltage", 0, network.root_voltage_square_pu, (1e-2, SQUARE_BOUND))?;
    for place in 1..expected {
        let parent = network.parent[place];
        if parent >= place {
            return Err(GridError::Parent { place, parent });
        }
        branch(place, &network.branches[place])?;
        let band = &network.bands[place];
        let limits = (band.min_square_pu, band.max_square_pu);
        ordered("squared voltage at place", place, limits, SQUARE_BOUND)?;
    }
    Ok(())
}

fn branch(place: usize, branch: &Branch) -> Result<(), GridError> {
    within("resistance of line", place, branch.resistance_pu_per_kva, (0.0, IMPEDANCE_BOUND))?;
    let reactance = branch.reactance_pu_per_kva;
    within("reactance of line", place, reactance, (-IMPEDANCE_BOUND, IMPEDANCE_BOUND))?;
    within("squared ratio of line", place, branch.ratio_square, (1e-2, SQUARE_BOUND))?;
    let limits = (branch.power_min_kw, branch.power_max_kw);
    ordered("power of line", place, limits, POWER_BOUND_KW)?;
    if branch.apparent_max_kva != f64::INFINITY {
        within("apparent power of line", place, branch.apparent_max_kva, (0.0, POWER_BOUND_KW))?;
    }
    Ok(())
}

fn offer(index: usize, offer: &Offer) -> Result<(), GridError> {
    within("power of offer", index, offer.power_min_kw, (-POWER_BOUND_KW, POWER_BOUND_KW))?;
    let prices = |piece: &Piece| (-piece.price_high, -piece.price_low);
    pieces("offer", index, &offer.pieces, prices)?;
    let power = (-POWER_BOUND_KW, POWER_BOUND_KW);
    match offer.reactive {
        Reactive::Fixed { reactive_kvar } => within("vars of offer", index, reactive_kvar, power)?,
        Reactive::Proportional { tan_phi } => within("tan phi of offer", index, tan_phi, (-1e3, 1e3))?,
        Reactive::Range { min_kvar, max_kvar, cost_eur_per_mvar2_h } => {
            within("least vars of offer", index, min_kvar, power)?;
            within("most vars of offer", index, max_kvar, power)?;
            ordered("vars of offer", index, (min_kvar, max_kvar), POWER_BOUND_KW)?;
            within("cost of vars of offer", index, cost_eur_per_mvar2_h, (0.0, WEIGHT_BOUND))?;
        }
    }
    let reserve = |reserve: &Option<ReserveOffer>| match reserve {
        None => Ok(()),
        Some(reserve) => {
            within("reserve of offer", index, reserve.max_kw, (0.0, POWER_BOUND_KW))?;
            within("reserve price of offer", index, reserve.price, (0.0, PRICE_BOUND))
        }
    };
    reserve(&offer.reserve_up)?;
    reserve(&offer.reserve_down)
}

fn supply(supply: &Supply) -> Result<(), GridError> {
    within("least import", 0, supply.import_min_kw, (-POWER_BOUND_KW, POWER_BOUND_KW))?;
    pieces("supply", 0, &supply.pieces, |piece| (piece.price_low, piece.price_high))
}

/// Widths, prices, and that what `prices` gives (start, end) never falls.
fn pieces(
    figure: &'static str,
    index: usize,
    pieces: &[Piece],
    prices: impl Fn(&Piece) -> (f64, f64),
) -> Result<(), GridError> {
    let mut last = f64::NEG_INFINITY;
    for (at, piece) in pieces.iter().enumerate() {
        within("width of piece", at, piece.width_kw, (f64::MIN_POSITIVE, POWER_BOUND_KW))?;
        within("price of piece", at, piece.price_high, (-PRICE_BOUND, PRICE_BOUND))?;
        within("price of piece", at, piece.price_low, (-PRICE_BOUND, PRICE_BOUND))?;
        let (start, end) = prices(piece);
        if start < last || end < start {
            return Err(GridError::Order { figure, index, piece: at });
        }
        last = end;
    }
    Ok(())
}
