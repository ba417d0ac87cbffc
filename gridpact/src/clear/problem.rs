//! From a case to the problem a grid-aware clearing takes: names become places, ohms per-unit figures,
//! curves pieces. A carbon price goes onto the import's and the emitting sites' prices here, once.

use super::case::{Base, Case, Corner, Line, OneOrMany, Reactive, Reserve, Site};
use super::refusal::Refusal;
use market::feeder::Tree;
use market::grid::problem::{
    Branch, GridProblem, Losses, Network, Objective, Offer, Piece, ReserveOffer, Supply, VoltageBand,
};

/// Apparent power from which on a limit is none, as in the market's own figures.
const UNLIMITED_KVA: f64 = 1e9;

/// Largest impedance, in p.u. by the base in kVA.
const MOST_PU_PER_KVA: f64 = 1e3;

/// The problem, and whether the case gives the impedances that voltages and losses follow from.
pub struct Posed {
    pub problem: GridProblem,
    pub impedances: bool,
}

/// Poses a case whose figures and tree were checked. Offers are in the order of the case's sites.
///
/// # Errors
/// [`Refusal::Invalid`] where voltages or losses matter and impedances are not given.
pub fn pose(case: &Case, tree: &Tree, bus_of: &[usize]) -> Result<Posed, Refusal> {
    let per_kva = impedances(case)?;
    let carbon_price = case.policy.carbon_price.unwrap_or(0.0);
    let offer = |(site, bus): (&Site, &usize)| offer(site, tree.place[*bus], carbon_price, case);
    let curve = case.tso.curve.as_deref().unwrap_or_default();
    let emission = match case.tso.emission_t_per_mwh {
        Some(OneOrMany::One(emission)) => emission,
        _ => 0.0,
    };
    let problem = GridProblem {
        network: network(case, tree, per_kva.as_deref()),
        offers: case.sites.iter().zip(bus_of).map(offer).collect(),
        supply: Supply {
            import_min_kw: curve.first().map_or(0.0, |corner| corner[1]),
            pieces: rising(curve, carbon_price * emission),
        },
        objective: Objective {
            loss_price: case.policy.loss_price.unwrap_or(0.0),
            voltage_deviation_price: case.policy.voltage_deviation_price.unwrap_or(0.0),
            reserve_up_kw: case.policy.reserve_up_kw.unwrap_or(0.0),
            reserve_down_kw: case.policy.reserve_down_kw.unwrap_or(0.0),
        },
    };
    Ok(Posed { problem, impedances: per_kva.is_some() })
}

/// Resistance and reactance by line in p.u. per kVA of the base; none where the case does not give
/// them all, which must not matter.
fn impedances(case: &Case) -> Result<Option<Vec<(f64, f64)>>, Refusal> {
    let known = |base: &Base| case.lines.iter().map(|line| per_kva(line, base)).collect();
    let known: Option<Vec<(f64, f64)>> = case.base.as_ref().and_then(known);
    let excessive = |(r, x): &(f64, f64)| !(r.abs() <= MOST_PU_PER_KVA && x.abs() <= MOST_PU_PER_KVA);
    if let Some(line) = known.iter().flatten().position(excessive) {
        let reason = format!("an impedance is beyond {MOST_PU_PER_KVA} p.u. for each kVA of the base");
        return Err(Refusal::invalid(format!("lines[{line}]"), reason));
    }
    let needs = |place: String, what: &str| {
        Err(Refusal::invalid(place, format!("{what} needs base and every line's r and x")))
    };
    if known.is_some() {
        return Ok(known);
    }
    let limited = |node: &super::case::Node| {
        node.id != case.root && (node.v_min_pu.is_some() || node.v_max_pu.is_some())
    };
    if let Some(i) = case.nodes.iter().position(limited) {
        return needs(format!("nodes[{i}]"), "a voltage limit");
    }
    let policy = &case.policy;
    if policy.loss_price.is_some_and(|price| price > 0.0) {
        return needs("policy.loss_price".to_owned(), "it");
    }
    if policy.voltage_deviation_price.is_some_and(|price| price > 0.0) {
        return needs("policy.voltage_deviation_price".to_owned(), "it");
    }
    if case.model == "branchflow_socp" {
        return needs("model".to_owned(), "branch flow");
    }
    Ok(None)
}

/// The case's per-unit figures before its ohms.
fn per_kva(line: &Line, base: &Base) -> Option<(f64, f64)> {
    let ohm_per_kva = base.v_kv * base.v_kv * 1e3;
    let figure =
        |pu: Option<f64>, ohm: Option<f64>| pu.map(|pu| pu / base.s_kva).or(ohm.map(|ohm| ohm / ohm_per_kva));
    Some((figure(line.r_pu, line.r_ohm)?, figure(line.x_pu, line.x_ohm)?))
}

fn network(case: &Case, tree: &Tree, per_kva: Option<&[(f64, f64)]>) -> Network {
    let branch = |place: usize| {
        // The root has no line; its branch is not read.
        let line = (place > 0).then(|| tree.line[place]);
        let (resistance, reactance) = line.and_then(|line| per_kva.map(|all| all[line])).unwrap_or_default();
        let line = line.map(|line| &case.lines[line]);
        let apparent = line.and_then(|line| line.s_max_kva).filter(|most| *most <= UNLIMITED_KVA);
        Branch {
            resistance_pu_per_kva: resistance,
            reactance_pu_per_kva: reactance,
            ratio_square: line.and_then(|line| line.tap_ratio).map_or(1.0, |ratio| ratio * ratio),
            power_min_kw: line.and_then(|line| line.p_min_kw).unwrap_or(f64::NEG_INFINITY),
            power_max_kw: line.and_then(|line| line.p_max_kw).unwrap_or(f64::INFINITY),
            apparent_max_kva: apparent.unwrap_or(f64::INFINITY),
        }
    };
    let band = |bus: &usize| {
        let node = &case.nodes[*bus];
        let limit = |voltage: Option<f64>| voltage.filter(|_| node.id != case.root);
        VoltageBand {
            min_square_pu: limit(node.v_min_pu).map_or(f64::NEG_INFINITY, |v| v * v),
            max_square_pu: limit(node.v_max_pu).map_or(f64::INFINITY, |v| v * v),
        }
    };
    let root_pu = case.v_root_pu.unwrap_or(1.0);
    Network {
        parent: tree.parent.clone(),
        branches: (0..tree.order.len()).map(branch).collect(),
        bands: tree.order.iter().map(band).collect(),
        root_voltage_square_pu: root_pu * root_pu,
        losses: if case.model == "branchflow_socp" { Losses::Relaxed } else { Losses::Neglected },
    }
}

fn offer(site: &Site, place: usize, carbon_price: f64, case: &Case) -> Offer {
    // The site answers the price minus what its carbon costs: its curve moves up by that.
    let shift = carbon_price * site.emission_t_per_mwh.unwrap_or(0.0);
    let backwards: Vec<Corner> = site.curve.iter().rev().copied().collect();
    let falling = |piece: Piece| Piece {
        width_kw: piece.width_kw,
        price_high: piece.price_low,
        price_low: piece.price_high,
    };
    let wanted = |required: Option<f64>, reserve: Option<Reserve>| {
        let reserve = reserve.filter(|_| required.is_some_and(|required| required > 0.0))?;
        Some(ReserveOffer { max_kw: reserve.max_kw, price: reserve.price })
    };
    Offer {
        place,
        power_min_kw: site.curve.last().map_or(0.0, |corner| corner[1]),
        pieces: rising(&backwards, shift).into_iter().map(falling).collect(),
        reactive: match site.q {
            Reactive::None => market::grid::problem::Reactive::Fixed { reactive_kvar: 0.0 },
            Reactive::Fixed { q_kvar } => market::grid::problem::Reactive::Fixed { reactive_kvar: q_kvar },
            Reactive::Tan { tan_phi } => market::grid::problem::Reactive::Proportional { tan_phi },
            Reactive::Range { q_min_kvar, q_max_kvar, cost_eur_per_mvarh2 } => {
                market::grid::problem::Reactive::Range {
                    min_kvar: q_min_kvar,
                    max_kvar: q_max_kvar,
                    cost_eur_per_mvar2_h: cost_eur_per_mvarh2,
                }
            }
        },
        reserve_up: wanted(case.policy.reserve_up_kw, site.reserve_up),
        reserve_down: wanted(case.policy.reserve_down_kw, site.reserve_down),
    }
}

/// The pieces of a curve along which power rises: `price_low` is where each begins.
fn rising(curve: &[Corner], shift: f64) -> Vec<Piece> {
    let piece = |pair: &[Corner]| {
        let ([begins, from], [ends, to]) = (pair[0], pair[1]);
        (to > from).then_some(Piece {
            width_kw: to - from,
            price_low: begins + shift,
            price_high: ends + shift,
        })
    };
    curve.windows(2).filter_map(piece).collect()
}
