//! True certificates of several intervals made backwards, without a solver: prices, multipliers and a
//! dispatch are drawn first, and curves, limits and orders then chosen so that they are optimal. By
//! `+ - * /` alone, so that the figures are the same on every machine.

use super::super::certified::random::Random;
use market::grid::problem::{Branch, Losses, Network, Piece, Reactive, Supply, VoltageBand};
use market::grid::solution::{BranchFlow, GridSolution, OfferAward, PlaceDuals};
use market::horizon::clearing::{BoundDuals, DeferrableSchedule, HorizonClearing, StorageSchedule};
use market::horizon::problem::{DeferrableOrder, HorizonProblem, OfferCurve, ProfiledOffer, StorageOrder};

/// The first problem from `seed` on whose every limit is kept in intervals other than the one it binds in,
/// and its optimum.
pub fn made(seed: u64) -> (HorizonProblem, HorizonClearing) {
    let mut random = Random::new(seed);
    loop {
        let (mut problem, clearing) = draw(&mut random);
        if limits(&mut problem.network, &clearing) {
            return (problem, clearing);
        }
    }
}

fn draw(random: &mut Random) -> (HorizonProblem, HorizonClearing) {
    let (places, intervals) = (random.between(2, 8) as usize, random.between(1, 6) as usize);
    let mut problem = HorizonProblem {
        network: network(random, places),
        interval_hours: 0.25 + random.unit(),
        supplies: Vec::new(),
        offers: Vec::new(),
        storages: Vec::new(),
        deferrables: Vec::new(),
        loss_price: 0.0,
    };
    let mut clearing = HorizonClearing {
        intervals: Vec::new(),
        storages: Vec::new(),
        deferrables: Vec::new(),
        objective_eur: 0.0,
    };
    // Orders follow prices, and prices flows where apparent power is limited: not both.
    let orders = random.one_in(2);
    let duals = duals(random, intervals, places, !orders);
    let roots: Vec<f64> = (0..intervals).map(|_| 20.0 + 100.0 * random.unit()).collect();
    let mut awards = vec![Vec::new(); intervals];
    for _ in 0..random.between(1, 2 * places as i64) {
        offer(random, &mut problem, &mut awards);
    }
    if orders {
        let still = vec![BranchFlow::default(); places];
        let of = |(root, duals): (&f64, &Vec<PlaceDuals>)| prices(&problem.network, *root, duals, &still);
        let prices: Vec<Vec<(f64, f64)>> = roots.iter().zip(&duals).map(of).collect();
        for _ in 0..random.between(0, 3) {
            storage(random, &mut problem, &prices, &mut clearing);
        }
        for _ in 0..random.between(0, 2) {
            deferrable(random, &mut problem, &prices, &mut clearing);
        }
    }
    for (interval, (awards, mut duals)) in awards.into_iter().zip(duals).enumerate() {
        let taken = taken(&problem, &clearing, &awards, interval);
        let (flows, import) = flows(&problem.network, &taken);
        for (place, flow) in flows.iter().enumerate() {
            if size(flow) < 0.5 {
                duals[place].apparent = 0.0;
            } else if duals[place].apparent > 0.0 {
                problem.network.branches[place].apparent_max_kva = size(flow);
            }
        }
        let prices = prices(&problem.network, roots[interval], &duals, &flows);
        for offer in &mut problem.offers {
            let (price, reactive_price) = prices[offer.place];
            let tan_phi = if let Reactive::Proportional { tan_phi } = offer.reactive { tan_phi } else { 0.0 };
            let piece = &mut offer.curves[interval].pieces[0];
            piece.price_high += price + tan_phi * reactive_price;
            piece.price_low += price + tan_phi * reactive_price;
        }
        let solution = solution(random, &mut problem, (flows, import, awards), (&prices, duals));
        clearing.objective_eur += problem.interval_hours * solution.objective_eur_per_h;
        clearing.intervals.push(solution);
    }
    for (order, schedule) in problem.storages.iter().zip(&clearing.storages) {
        let moved: f64 = schedule.charge_kw.iter().chain(&schedule.discharge_kw).sum();
        clearing.objective_eur += problem.interval_hours * order.wear_eur_per_mwh * moved / 1e3;
    }
    (problem, clearing)
}

/// Apparent power.
fn size(flow: &BranchFlow) -> f64 {
    (flow.power_kw * flow.power_kw + flow.reactive_kvar * flow.reactive_kvar).sqrt()
}

fn network(random: &mut Random, places: usize) -> Network {
    let branch = |random: &mut Random| Branch {
        resistance_pu_per_kva: 1e-5 + 1e-4 * random.unit(),
        reactance_pu_per_kva: 1e-5 + 1e-4 * random.unit(),
        ratio_square: if random.one_in(6) { 0.95 + 0.1 * random.unit() } else { 1.0 },
        power_min_kw: f64::NEG_INFINITY,
        power_max_kw: f64::INFINITY,
        apparent_max_kva: f64::INFINITY,
    };
    let free = VoltageBand { min_square_pu: f64::NEG_INFINITY, max_square_pu: f64::INFINITY };
    Network {
        parent: (0..places).map(|place| random.between(0, place.saturating_sub(1) as i64) as usize).collect(),
        branches: (0..places).map(|_| branch(random)).collect(),
        bands: vec![free; places],
        root_voltage_square_pu: 0.98 + 0.1 * random.unit(),
        losses: Losses::Neglected,
    }
}

/// By interval and place: at most one multiplier of each line and place, in one interval.
fn duals(random: &mut Random, intervals: usize, places: usize, apparent: bool) -> Vec<Vec<PlaceDuals>> {
    let mut duals = vec![vec![PlaceDuals::default(); places]; intervals];
    for place in 1..places {
        let in_interval = &mut duals[random.between(0, intervals as i64 - 1) as usize];
        let dual = &mut in_interval[place];
        match random.between(0, 11) {
            0 => dual.power_max = 40.0 * random.unit(),
            1 => dual.power_min = 15.0 * random.unit(),
            2 => dual.voltage_min = 1e5 * random.unit(),
            3 => dual.voltage_max = 1e5 * random.unit(),
            4 | 5 if apparent => dual.apparent = 60.0 * random.unit(),
            _ => {}
        }
    }
    duals
}

/// Sets limits that have a multiplier to where they bind. Whether all intervals keep them.
fn limits(network: &mut Network, clearing: &HorizonClearing) -> bool {
    for solution in &clearing.intervals {
        for (place, dual) in solution.duals.iter().enumerate().skip(1) {
            let (branch, band) = (&mut network.branches[place], &mut network.bands[place]);
            let (flow, square) = (solution.flows[place].power_kw, solution.voltage_square_pu[place]);
            for (multiplier, limit, figure) in [
                (dual.power_max, &mut branch.power_max_kw, flow),
                (dual.power_min, &mut branch.power_min_kw, flow),
                (dual.voltage_min, &mut band.min_square_pu, square),
                (dual.voltage_max, &mut band.max_square_pu, square),
            ] {
                if multiplier > 0.0 {
                    *limit = figure;
                }
            }
        }
    }
    clearing.intervals.iter().all(|solution| {
        (1..solution.flows.len()).all(|place| {
            let (branch, band) = (&network.branches[place], &network.bands[place]);
            let (flow, square) = (solution.flows[place].power_kw, solution.voltage_square_pu[place]);
            size(&solution.flows[place]) <= branch.apparent_max_kva
                && branch.power_min_kw <= flow
                && flow <= branch.power_max_kw
                && band.min_square_pu <= square
                && square <= band.max_square_pu
        })
    })
}

fn ancestors(network: &Network, place: usize) -> impl Iterator<Item = usize> + '_ {
    std::iter::successors(Some(place), |place| Some(network.parent[*place])).take_while(|place| *place != 0)
}

/// Prices by the path from the root, the worth of voltage by the paths from below.
fn prices(network: &Network, root: f64, duals: &[PlaceDuals], flows: &[BranchFlow]) -> Vec<(f64, f64)> {
    let mut worth = vec![0.0; duals.len()];
    for (place, dual) in duals.iter().enumerate().skip(1) {
        let mut here = dual.voltage_min - dual.voltage_max;
        for line in ancestors(network, place) {
            worth[line] += here;
            here *= network.branches[line].ratio_square;
        }
    }
    let step = |line: usize| {
        let (branch, dual) = (&network.branches[line], &duals[line]);
        let along = dual.apparent / branch.apparent_max_kva;
        let real = dual.power_max - dual.power_min + 2.0 * branch.resistance_pu_per_kva * worth[line];
        let reactive = 2.0 * branch.reactance_pu_per_kva * worth[line];
        (real + along * flows[line].power_kw, reactive + along * flows[line].reactive_kvar)
    };
    let path = |place: usize| {
        ancestors(network, place).map(step).fold((root, 0.0), |sum, by| (sum.0 + by.0, sum.1 + by.1))
    };
    (0..duals.len()).map(path).collect()
}

/// A curve that slopes through what is taken at the price, its prices counted from that price.
fn offer(random: &mut Random, problem: &mut HorizonProblem, awards: &mut [Vec<OfferAward>]) {
    let place = random.between(0, problem.network.parent.len() as i64 - 1) as usize;
    let reactive = match random.between(0, 1) {
        0 => Reactive::Fixed { reactive_kvar: 4.0 * random.unit() - 2.0 },
        _ => Reactive::Proportional { tan_phi: 1.2 * random.unit() - 0.6 },
    };
    let mut curves = Vec::new();
    for awards in awards {
        let (above, below) = (30.0 * random.unit(), 1.0 + 30.0 * random.unit());
        let width_kw = 1.0 + 20.0 * random.unit();
        let piece = Piece { width_kw, price_high: above, price_low: -below };
        let power_min_kw = 20.0 * random.unit() - 15.0;
        let power_kw = power_min_kw + width_kw * (above / (above + below));
        let reactive_kvar = match reactive {
            Reactive::Proportional { tan_phi } => tan_phi * power_kw,
            Reactive::Fixed { reactive_kvar } => reactive_kvar,
            Reactive::Range { .. } => 0.0,
        };
        curves.push(OfferCurve { power_min_kw, pieces: vec![piece] });
        awards.push(OfferAward { power_kw, reactive_kvar, ..OfferAward::default() });
    }
    problem.offers.push(ProfiledOffer { place, reactive, curves });
}

/// The multipliers of a reduced cost.
fn bound_duals(reduced_cost: f64) -> BoundDuals {
    match reduced_cost > 0.0 {
        true => BoundDuals { min: reduced_cost, max: 0.0 },
        false => BoundDuals { min: 0.0, max: -reduced_cost },
    }
}

/// A storage order to which energy is worth the same all the time, so that prices alone decide.
fn storage(
    random: &mut Random,
    problem: &mut HorizonProblem,
    prices: &[Vec<(f64, f64)>],
    clearing: &mut HorizonClearing,
) {
    let mut order = StorageOrder {
        place: random.between(0, problem.network.parent.len() as i64 - 1) as usize,
        charge_max_kw: 1.0 + 5.0 * random.unit(),
        discharge_max_kw: 1.0 + 5.0 * random.unit(),
        energy_min_kwh: -1e3,
        energy_max_kwh: 1e3,
        energy_start_kwh: 10.0 * random.unit(),
        energy_end_min_kwh: 0.0,
        charge_efficiency: 0.8 + 0.2 * random.unit(),
        discharge_efficiency: 0.8 + 0.2 * random.unit(),
        wear_eur_per_mwh: 1.0 + 10.0 * random.unit(),
    };
    let (value, intervals) = (20.0 + 100.0 * random.unit(), prices.len());
    let mut schedule = StorageSchedule::default();
    let mut energy = order.energy_start_kwh;
    for (t, prices) in prices.iter().enumerate() {
        let price = prices[order.place].0;
        let charging = order.wear_eur_per_mwh + price - order.charge_efficiency * value;
        let discharging = order.wear_eur_per_mwh + value / order.discharge_efficiency - price;
        let charge = if charging < 0.0 { order.charge_max_kw } else { 0.0 };
        let discharge = if discharging < 0.0 { order.discharge_max_kw } else { 0.0 };
        energy += problem.interval_hours
            * (order.charge_efficiency * charge - discharge / order.discharge_efficiency);
        schedule.charge_kw.push(charge);
        schedule.discharge_kw.push(discharge);
        schedule.energy_kwh.push(energy);
        schedule.stored_values.push(value);
        schedule.charge_duals.push(bound_duals(charging));
        schedule.discharge_duals.push(bound_duals(discharging));
        schedule.energy_duals.push(if t + 1 == intervals {
            bound_duals(value)
        } else {
            BoundDuals::default()
        });
    }
    order.energy_end_min_kwh = energy;
    problem.storages.push(order);
    clearing.storages.push(schedule);
}

/// A deferrable order that takes all it can where its energy is worth more than the price.
fn deferrable(
    random: &mut Random,
    problem: &mut HorizonProblem,
    prices: &[Vec<(f64, f64)>],
    clearing: &mut HorizonClearing,
) {
    let place = random.between(0, problem.network.parent.len() as i64 - 1) as usize;
    let (power_max_kw, energy_value) = (1.0 + 5.0 * random.unit(), 20.0 + 100.0 * random.unit());
    let reduced: Vec<f64> = prices.iter().map(|prices| prices[place].0 - energy_value).collect();
    let taken = |reduced: &f64| if *reduced < 0.0 { power_max_kw } else { 0.0 };
    let power_kw: Vec<f64> = reduced.iter().map(taken).collect();
    let energy_kwh = power_kw.iter().fold(0.0, |sum, power| sum + problem.interval_hours * power);
    problem.deferrables.push(DeferrableOrder {
        place,
        energy_kwh,
        power_max_kw,
        start: 0,
        end: prices.len(),
    });
    clearing.deferrables.push(DeferrableSchedule {
        power_kw,
        energy_value,
        power_duals: reduced.into_iter().map(bound_duals).collect(),
    });
}

/// Real and reactive power taken at each place.
fn taken(
    problem: &HorizonProblem,
    clearing: &HorizonClearing,
    awards: &[OfferAward],
    interval: usize,
) -> Vec<(f64, f64)> {
    let mut taken = vec![(0.0, 0.0); problem.network.parent.len()];
    for (offer, award) in problem.offers.iter().zip(awards) {
        taken[offer.place].0 += award.power_kw;
        taken[offer.place].1 += award.reactive_kvar;
    }
    for (order, schedule) in problem.storages.iter().zip(&clearing.storages) {
        taken[order.place].0 += schedule.charge_kw[interval] - schedule.discharge_kw[interval];
    }
    for (order, schedule) in problem.deferrables.iter().zip(&clearing.deferrables) {
        taken[order.place].0 += schedule.power_kw[interval];
    }
    taken
}

/// What flows on each line, and into the root.
fn flows(network: &Network, taken: &[(f64, f64)]) -> (Vec<BranchFlow>, (f64, f64)) {
    let mut flows = vec![BranchFlow::default(); taken.len()];
    let mut import = (0.0, 0.0);
    for (place, taken) in taken.iter().enumerate() {
        for line in ancestors(network, place) {
            flows[line].power_kw += taken.0;
            flows[line].reactive_kvar += taken.1;
        }
        import = (import.0 + taken.0, import.1 + taken.1);
    }
    (flows, import)
}

/// An interval's voltages, and a supply that slopes through its import at the root's price.
fn solution(
    random: &mut Random,
    problem: &mut HorizonProblem,
    (flows, import, awards): (Vec<BranchFlow>, (f64, f64), Vec<OfferAward>),
    (prices, duals): (&[(f64, f64)], Vec<PlaceDuals>),
) -> GridSolution {
    let network = &problem.network;
    let mut squares = vec![network.root_voltage_square_pu];
    for (place, flow) in flows.iter().enumerate().skip(1) {
        let branch = &network.branches[place];
        let drop =
            branch.resistance_pu_per_kva * flow.power_kw + branch.reactance_pu_per_kva * flow.reactive_kvar;
        squares.push(branch.ratio_square * squares[network.parent[place]] - 2.0 * drop);
    }
    let (below, above, width_kw) =
        (1.0 + 20.0 * random.unit(), 1.0 + 20.0 * random.unit(), 10.0 + 90.0 * random.unit());
    let price_low = prices[0].0 - below;
    let used = width_kw * (below / (below + above));
    let piece = Piece { width_kw, price_low, price_high: prices[0].0 + above };
    problem.supplies.push(Supply { import_min_kw: import.0 - used, pieces: vec![piece] });
    let mut milli = used * (price_low + prices[0].0) / 2.0;
    for (offer, award) in problem.offers.iter().zip(&awards) {
        let curve = &offer.curves[problem.supplies.len() - 1];
        let (piece, beyond) = (&curve.pieces[0], award.power_kw - curve.power_min_kw);
        let last = piece.price_high - (piece.price_high - piece.price_low) * (beyond / piece.width_kw);
        milli -= beyond * (piece.price_high + last) / 2.0;
    }
    GridSolution {
        import_kw: import.0,
        import_kvar: import.1,
        awards,
        flows,
        voltage_square_pu: squares,
        prices: prices.iter().map(|price| price.0).collect(),
        reactive_prices: prices.iter().map(|price| price.1).collect(),
        duals,
        reserve_up_price: 0.0,
        reserve_down_price: 0.0,
        objective_eur_per_h: milli / 1e3,
    }
}
