//! Whether a solution is one: feasible, and every party and line content with its prices. Worked out
//! from the problem and the published figures alone.

use market::grid::problem::{GridProblem, Losses, Offer, Piece, Reactive};
use market::grid::solution::GridSolution;

/// Tolerated error of powers in kW.
const POWER: f64 = 1e-3;

/// Tolerated error of prices in EUR/MWh, as with the reference cases: more where apparent power is limited.
fn tolerance(problem: &GridProblem) -> f64 {
    let limited = problem.network.branches.iter().skip(1).any(|branch| branch.apparent_max_kva.is_finite());
    if limited {
        5e-2
    } else {
        1e-3
    }
}

/// Everything that does not hold, in words.
pub fn faults(problem: &GridProblem, solution: &GridSolution) -> Vec<String> {
    let mut faults = Vec::new();
    balances(problem, solution, &mut faults);
    limits(problem, solution, &mut faults);
    lines(problem, solution, &mut faults);
    for (index, (offer, award)) in problem.offers.iter().zip(&solution.awards).enumerate() {
        let covers = reserve(problem, solution, index, &mut faults);
        let price = solution.prices[offer.place];
        let reactive = solution.reactive_prices[offer.place];
        let tan = if let Reactive::Proportional { tan_phi } = offer.reactive { tan_phi } else { 0.0 };
        let seen = price + tan * reactive;
        // The covers' multipliers lie anywhere in their ranges.
        let (low, high) = (
            seen - covers[0].1 + covers[1].0 - tolerance(problem),
            seen - covers[0].0 + covers[1].1 + tolerance(problem),
        );
        let (least, most) = (demand(offer, high).0, demand(offer, low).1);
        if !(least - POWER..=most + POWER).contains(&award.power_kw) {
            faults.push(format!("offer {index}: {} kW, {least} to {most} asked for", award.power_kw));
        }
        vars(offer, (award.power_kw, award.reactive_kvar), reactive, tolerance(problem), &mut faults);
    }
    let import = &problem.supply;
    let (price, tolerance) = (solution.prices[0], tolerance(problem));
    let least =
        import.import_min_kw + within(&import.pieces, |p| (p.price_low, p.price_high), price - tolerance).0;
    let most =
        import.import_min_kw + within(&import.pieces, |p| (p.price_low, p.price_high), price + tolerance).1;
    if !(least - POWER..=most + POWER).contains(&solution.import_kw) {
        faults.push(format!("import {} kW, {least} to {most} supplied", solution.import_kw));
    }
    faults
}

/// Least and most of rising pieces at a price.
fn within(pieces: &[Piece], ends: impl Fn(&Piece) -> (f64, f64), price: f64) -> (f64, f64) {
    let (mut least, mut most) = (0.0, 0.0);
    for piece in pieces {
        let (start, end) = ends(piece);
        if price > end {
            least += piece.width_kw;
        } else if price > start {
            least += piece.width_kw * (price - start) / (end - start);
        }
        if price >= end {
            most += piece.width_kw;
        } else if price > start {
            most += piece.width_kw * (price - start) / (end - start);
        }
    }
    (least, most)
}

fn demand(offer: &Offer, price: f64) -> (f64, f64) {
    let (least, most) = within(&offer.pieces, |p| (-p.price_high, -p.price_low), -price);
    (offer.power_min_kw + least, offer.power_min_kw + most)
}

fn vars(offer: &Offer, (power, reactive): (f64, f64), price: f64, tolerance: f64, faults: &mut Vec<String>) {
    match offer.reactive {
        Reactive::Fixed { reactive_kvar } if reactive_kvar != reactive => {
            faults.push("fixed vars moved".into())
        }
        Reactive::Proportional { tan_phi } if (reactive - tan_phi * power).abs() > POWER => {
            faults.push("vars not in proportion".into());
        }
        Reactive::Range { min_kvar, max_kvar, cost_eur_per_mvar2_h } => {
            let marginal = price + 2.0 * cost_eur_per_mvar2_h * reactive / 1e3;
            let raise = marginal < -tolerance && reactive < max_kvar - POWER;
            let lower = marginal > tolerance && reactive > min_kvar + POWER;
            let outside = reactive < min_kvar - POWER || reactive > max_kvar + POWER;
            if raise || lower || outside {
                faults.push(format!("{reactive} kvar of {min_kvar} to {max_kvar} at a marginal {marginal}"));
            }
        }
        _ => {}
    }
}

/// The ranges that the multipliers of a party's covers lie in.
fn reserve(
    problem: &GridProblem,
    solution: &GridSolution,
    index: usize,
    faults: &mut Vec<String>,
) -> [(f64, f64); 2] {
    let (offer, award) = (&problem.offers[index], &solution.awards[index]);
    let total: f64 = offer.pieces.iter().map(|piece| piece.width_kw).sum();
    let above = award.power_kw - offer.power_min_kw;
    let kinds = [
        (offer.reserve_up, award.reserve_up_kw, solution.reserve_up_price, above),
        (offer.reserve_down, award.reserve_down_kw, solution.reserve_down_price, total - above),
    ];
    kinds.map(|(offered, ready, price, covering)| {
        let Some(offered) = offered else {
            return (0.0, 0.0);
        };
        if !(-POWER..=offered.max_kw.min(covering) + POWER).contains(&ready) {
            faults.push(format!("offer {index}: {ready} kW ready of {covering}"));
        }
        let most = if covering > ready + POWER { 0.0 } else { f64::INFINITY };
        let gain = price - offered.price;
        let range = match (ready > POWER, ready < offered.max_kw - POWER) {
            (true, true) => (gain, gain),
            (false, true) => (gain.max(0.0), most),
            (true, false) => (0.0, gain.min(most)),
            (false, false) => (0.0, most),
        };
        if range.0 > most + tolerance(problem) || range.1 < -tolerance(problem) {
            faults.push(format!("offer {index}: {ready} kW ready at a gain of {gain}, cover to {most}"));
        }
        range
    })
}

fn balances(problem: &GridProblem, solution: &GridSolution, faults: &mut Vec<String>) {
    let network = &problem.network;
    let mut left = vec![[0.0; 2]; network.parent.len()];
    for (offer, award) in problem.offers.iter().zip(&solution.awards) {
        left[offer.place][0] += award.power_kw;
        left[offer.place][1] += award.reactive_kvar;
    }
    for place in 1..left.len() {
        let (flow, branch) = (&solution.flows[place], &network.branches[place]);
        let parent = network.parent[place];
        left[parent][0] += flow.power_kw;
        left[parent][1] += flow.reactive_kvar;
        left[place][0] -= flow.power_kw - flow.loss_kw;
        left[place][1] -= flow.reactive_kvar - flow.loss_kvar;
        let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
        let fall = r * (2.0 * flow.power_kw - flow.loss_kw) + x * (2.0 * flow.reactive_kvar - flow.loss_kvar);
        let square = solution.voltage_square_pu[parent] * branch.ratio_square - fall;
        if (square - solution.voltage_square_pu[place]).abs() > 1e-9 {
            faults.push(format!("place {place}: voltage does not follow from the flow"));
        }
        let needed = flow.power_kw * flow.power_kw + flow.reactive_kvar * flow.reactive_kvar;
        let losses = match network.losses {
            Losses::Neglected => 0.0,
            Losses::Carried | Losses::Relaxed => needed / solution.voltage_square_pu[parent],
        };
        if flow.loss_kw < r * losses - POWER || flow.loss_kvar < (x * losses).min(0.0) - POWER {
            faults.push(format!("place {place}: {} kW lost, {} needed", flow.loss_kw, r * losses));
        }
    }
    left[0][0] -= solution.import_kw;
    left[0][1] -= solution.import_kvar;
    for (place, left) in left.iter().enumerate() {
        if left[0].abs() > 1e-9 * (1.0 + solution.import_kw.abs()) || left[1].abs() > 1e-6 {
            faults.push(format!("place {place}: {left:?} left over"));
        }
    }
    for (kind, (needed, price)) in [
        (problem.objective.reserve_up_kw, solution.reserve_up_price),
        (problem.objective.reserve_down_kw, solution.reserve_down_price),
    ]
    .into_iter()
    .enumerate()
    {
        let ready = |kind: usize| -> f64 {
            let each = solution.awards.iter();
            each.map(|award| if kind == 0 { award.reserve_up_kw } else { award.reserve_down_kw }).sum()
        };
        let over = ready(kind) - needed;
        if over < -POWER || over.min(1.0) * price > tolerance(problem) {
            faults.push(format!("reserve {kind}: {over} kW over, at {price}"));
        }
    }
}

/// Limits hold, and multipliers vanish where they do not bind.
fn limits(problem: &GridProblem, solution: &GridSolution, faults: &mut Vec<String>) {
    for place in 1..solution.flows.len() {
        let (branch, band) = (&problem.network.branches[place], &problem.network.bands[place]);
        let (flow, duals) = (&solution.flows[place], &solution.duals[place]);
        let square = solution.voltage_square_pu[place];
        let apparent = flow.power_kw.hypot(flow.reactive_kvar);
        for (what, room, dual, tolerance) in [
            ("power max", branch.power_max_kw - flow.power_kw, duals.power_max, POWER),
            ("power min", flow.power_kw - branch.power_min_kw, duals.power_min, POWER),
            ("apparent", branch.apparent_max_kva - apparent, duals.apparent, POWER),
            ("voltage max", band.max_square_pu - square, duals.voltage_max, 1e-8),
            ("voltage min", square - band.min_square_pu, duals.voltage_min, 1e-8),
        ] {
            let slack = if dual == 0.0 { 0.0 } else { room.max(0.0) * dual };
            if room < -tolerance || dual < 0.0 || slack > 1e-3 {
                faults.push(format!("place {place}: {what} has {room} of room at {dual}"));
            }
        }
    }
}

/// No line would gain by carrying more or less.
fn lines(problem: &GridProblem, solution: &GridSolution, faults: &mut Vec<String>) {
    let network = &problem.network;
    let places = network.parent.len();
    let mut drop = vec![0.0; places];
    let mut toll = vec![0.0; places];
    for place in (1..places).rev() {
        let duals = &solution.duals[place];
        let deviation = 2e3 * problem.objective.voltage_deviation_price;
        let deviation = deviation * (solution.voltage_square_pu[place] - 1.0);
        drop[place] += duals.voltage_min - duals.voltage_max - deviation;
        let (parent, branch, flow) =
            (network.parent[place], &network.branches[place], &solution.flows[place]);
        let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
        let square = solution.voltage_square_pu[parent];
        let carried = network.losses.carries();
        if carried {
            let price = r * solution.prices[place] + x * solution.reactive_prices[place];
            toll[place] = price - (r * r + x * x) * drop[place];
        }
        let needed = flow.power_kw * flow.power_kw + flow.reactive_kvar * flow.reactive_kvar;
        drop[parent] += branch.ratio_square * drop[place] + toll[place] * needed / square / square;
        let apparent =
            if branch.apparent_max_kva.is_finite() { duals.apparent / branch.apparent_max_kva } else { 0.0 };
        let along = apparent + 2.0 * problem.objective.loss_price * r + 2.0 * toll[place] / square;
        let real = solution.prices[parent] + duals.power_max - duals.power_min
            + along * flow.power_kw
            + 2.0 * r * drop[place]
            - solution.prices[place];
        let reactive = solution.reactive_prices[parent] + along * flow.reactive_kvar + 2.0 * x * drop[place]
            - solution.reactive_prices[place];
        if real.abs() > tolerance(problem) || reactive.abs() > tolerance(problem) {
            faults.push(format!("place {place}: prices miss {real} and {reactive}"));
        }
        // A current above what its flow needs must be worth nothing.
        let idle = flow.loss_kw - r * needed / square;
        if carried
            && (toll[place] < -tolerance(problem) * r || toll[place] * idle.max(0.0) > tolerance(problem) * r)
        {
            faults.push(format!("place {place}: {idle} kW lost beyond need, at {}", toll[place]));
        }
    }
    if solution.reactive_prices[0] != 0.0 {
        faults.push("reactive power has a price at the root".into());
    }
}
