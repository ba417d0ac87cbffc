//! A clearing as the result the schema's page describes.

use super::case::Case;
use super::objective;
use super::problem::Posed;
use super::taps;
use market::feeder::Tree;
use market::grid::dlmp::{excess_loss_kva, parts, PriceParts};
use market::grid::problem::Network;
use market::grid::solution::{GridSolution, OfferAward};
use serde_json::{json, Map, Value};

/// Multiplier, in EUR/MWh, up to which a limit counts as without effect.
const NEGLIGIBLE: f64 = 1e-6;

/// How near, relatively, a figure must be to its limit to count as there.
const REACHED: f64 = 1e-6;

/// The result of a clearing that passed its certificate.
pub fn optimal(case: &Case, tree: &Tree, posed: &Posed, solution: &GridSolution) -> Value {
    let problem = &posed.problem;
    let site = |figure: fn(&OfferAward) -> f64| {
        let awards = case.sites.iter().zip(&solution.awards);
        by_name(awards.map(|(site, award)| (&site.id, figure(award).into())))
    };
    let node = |figure: &dyn Fn(usize) -> Value| by_node(case, tree, figure);
    let line = |figure: &dyn Fn(usize) -> f64| {
        let fed = (1..tree.order.len()).map(|place| (&case.lines[tree.line[place]].id, figure(place).into()));
        by_name(fed)
    };
    let parts = parts(problem, solution);
    let part = |parts: &PriceParts| {
        let PriceParts { energy, loss, congestion, voltage } = *parts;
        json!({"energy": energy, "loss": loss, "congestion": congestion, "voltage": voltage})
    };
    let mut result = json!({
        "id": case.id,
        "status": "optimal",
        "objective_eur_per_h": objective::eur_per_h(case, &problem.network, solution),
        "import_kw": solution.import_kw,
        "import_kvar": solution.import_kvar,
        "node_price": node(&|place| solution.prices[place].into()),
        "node_q_price": node(&|place| solution.reactive_prices[place].into()),
        "node_price_components": node(&|place| part(&parts[place].real)),
        "node_q_price_components": node(&|place| part(&parts[place].reactive)),
        "site_p_kw": site(|award| award.power_kw),
        "site_q_kvar": site(|award| award.reactive_kvar),
        "line_p_kw": line(&|place| solution.flows[place].power_kw),
        "line_q_kvar": line(&|place| solution.flows[place].reactive_kvar),
    });
    if posed.impedances {
        result["node_v_pu"] = node(&|place| solution.voltage_square_pu[place].max(0.0).sqrt().into());
    }
    let ratios: Map<_, _> = taps::changing(case, tree)
        .map(|(place, line)| (line.id.clone(), problem.network.branches[place].ratio_square.sqrt().into()))
        .collect();
    if !ratios.is_empty() {
        result["tap_ratio"] = Value::Object(ratios);
    }
    if problem.network.losses.carries() {
        result["line_loss_kw"] = line(&|place| solution.flows[place].loss_kw);
        let excess = |place: usize| excess_loss_kva(&problem.network, solution, place);
        let beyond = (1..tree.order.len()).filter(|place| excess(*place) > 0.0);
        let beyond: Vec<_> =
            beyond.map(|place| (&case.lines[tree.line[place]].id, excess(place).into())).collect();
        if !beyond.is_empty() {
            result["line_excess_loss_kva"] = by_name(beyond.into_iter());
        }
    }
    limits(case, tree, posed, solution, &mut result);
    reserve(case, posed, solution, &mut result);
    result
}

/// Reserve awarded to those who offer it, and its prices, where some is required.
fn reserve(case: &Case, posed: &Posed, solution: &GridSolution, result: &mut Value) {
    let objective = &posed.problem.objective;
    let offered = |up: bool| {
        let sites = case.sites.iter().zip(&posed.problem.offers).zip(&solution.awards);
        let awarded = sites.filter_map(move |((site, offer), award)| match up {
            true => offer.reserve_up.map(|_| (&site.id, award.reserve_up_kw.into())),
            false => offer.reserve_down.map(|_| (&site.id, award.reserve_down_kw.into())),
        });
        by_name(awarded)
    };
    result["reserve_kw"] = offered(true);
    if objective.reserve_up_kw > 0.0 {
        result["reserve_price"] = json!(solution.reserve_up_price);
    }
    if objective.reserve_down_kw > 0.0 {
        result["reserve_down_kw"] = offered(false);
        result["reserve_down_price"] = json!(solution.reserve_down_price);
    }
}

/// Under `binding` the names of limits that are reached, or would be passed but for their multiplier;
/// under `multipliers` the multipliers themselves, in EUR/MWh, of voltage per p.u. of its square and kW.
fn limits(case: &Case, tree: &Tree, posed: &Posed, solution: &GridSolution, result: &mut Value) {
    let mut names = [(); LIMITS.len()].map(|()| Vec::new());
    let mut multipliers = [(); LIMITS.len()].map(|()| Map::new());
    for place in 1..tree.order.len() {
        for (kind, limit) in limits_at(&posed.problem.network, solution, place).into_iter().enumerate() {
            let name = match LIMITS[kind].1 {
                Of::Node => &case.nodes[tree.order[place]].id,
                Of::Line => &case.lines[tree.line[place]].id,
            };
            let effect = limit.multiplier > NEGLIGIBLE;
            if effect {
                multipliers[kind].insert(name.clone(), limit.multiplier.into());
            }
            if effect || (limit.size.is_finite() && limit.left <= REACHED * limit.size.abs().max(1.0)) {
                names[kind].push(name);
            }
        }
    }
    for (((key, _), names), multipliers) in LIMITS.into_iter().zip(names).zip(multipliers) {
        result["binding"][key] = json!(names);
        result["multipliers"][key] = Value::Object(multipliers);
    }
}

/// Whose a limit is.
#[derive(Clone, Copy)]
enum Of {
    Line,
    Node,
}

/// The kinds of limits a place and its line have.
const LIMITS: [(&str, Of); 5] = [
    ("line_max", Of::Line),
    ("line_min", Of::Line),
    ("line_kva", Of::Line),
    ("v_min", Of::Node),
    ("v_max", Of::Node),
];

/// What is left to a limit, how large it is, and its multiplier.
struct Limited {
    left: f64,
    size: f64,
    multiplier: f64,
}

/// In the order of [`LIMITS`].
fn limits_at(network: &Network, solution: &GridSolution, place: usize) -> [Limited; LIMITS.len()] {
    let (branch, band) = (&network.branches[place], &network.bands[place]);
    let (flow, square) = (&solution.flows[place], solution.voltage_square_pu[place]);
    let duals = &solution.duals[place];
    let most = |size: f64, figure: f64, multiplier: f64| Limited { left: size - figure, size, multiplier };
    let least = |size: f64, figure: f64, multiplier: f64| Limited { left: figure - size, size, multiplier };
    [
        most(branch.power_max_kw, flow.power_kw, duals.power_max),
        least(branch.power_min_kw, flow.power_kw, duals.power_min),
        most(branch.apparent_max_kva, flow.power_kw.hypot(flow.reactive_kvar), duals.apparent),
        least(band.min_square_pu, square, duals.voltage_min),
        most(band.max_square_pu, square, duals.voltage_max),
    ]
}

/// A figure of each node's place, by its name.
pub fn by_node<T: Into<Value>>(case: &Case, tree: &Tree, figure: impl Fn(usize) -> T) -> Value {
    let places = case.nodes.iter().zip(&tree.place);
    by_name(places.map(|(node, place)| (&node.id, figure(*place).into())))
}

fn by_name<'a>(named: impl Iterator<Item = (&'a String, Value)>) -> Value {
    Value::Object(named.map(|(name, figure)| (name.clone(), figure)).collect::<Map<_, _>>())
}
