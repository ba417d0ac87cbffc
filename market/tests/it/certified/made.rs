//! True certificates made backwards, without a solver: a dispatch and multipliers are drawn first,
//! and limits, curves and weights then chosen so that they are optimal. Flows, voltages and prices
//! are worked out here by walking paths and subtrees, independently of the code under test.

use super::random::Random;
use market::curve::Breakpoint;
use market::grid::certificate::{
    check, CertificateError, GridClearing, LineFlow, Multipliers, PartyDemand, ReactiveTerms, Standby, Terms,
    Tolerances,
};
use market::grid::problem::{Branch, Losses, Network, Objective, VoltageBand};
use market::share::Demand;
use market::supply::SupplyCurve;
use market::units::{Millivar, Milliwatt, NanoEurPerHourPu, PicoEurPerWh};

/// A clearing with all that it is checked against.
#[derive(Clone, Debug)]
pub struct Made {
    pub network: Network,
    pub objective: Objective,
    pub supply: SupplyCurve,
    pub clearing: GridClearing,
    pub parties: Vec<PartyDemand>,
}

impl Made {
    pub fn verdict(&self) -> Result<(), CertificateError> {
        let Self { network, objective, supply, clearing, parties } = self;
        check(&Terms { network, supply, objective, tolerances: Tolerances::default() }, clearing, parties)
    }
}

const KW: i64 = 1_000_000;
const EUR: i64 = 1_000_000;

/// The first true certificate from `seed` on: rarely a draw makes more losses welcome.
pub fn made(seed: u64) -> Made {
    let mut random = Random::new(seed);
    loop {
        if let Some(made) = draw(&mut random) {
            return made;
        }
    }
}

fn draw(random: &mut Random) -> Option<Made> {
    let mut network = network(random);
    let places = network.parent.len();
    let count = random.between(1, 2 * places as i64);
    let mut parties: Vec<PartyDemand> = (0..count).map(|_| party(random, places)).collect();
    let (flows, import) = flows(&network, &parties);
    let squares = squares(&network, &flows);
    let multipliers = limits(random, &mut network, &flows, &squares);
    let objective = Objective {
        loss_price: if random.one_in(3) { 300.0 * random.unit() } else { 0.0 },
        voltage_deviation_price: if random.one_in(4) { 50.0 * random.unit() } else { 0.0 },
        ..Objective::default()
    };
    let root = random.between(20 * EUR, 200 * EUR);
    let lines = Lines { network: &network, flows: &flows, squares: &squares, multipliers: &multipliers };
    let prices = prices(&lines, &objective, root as f64 / 1e6)?;
    let tick = |price: f64| PicoEurPerWh((price * 1e6).round() as i64);
    let clearing = GridClearing {
        import: import.power,
        import_reactive: import.reactive,
        prices: prices.iter().map(|price| tick(price.0)).collect(),
        reactive_prices: prices.iter().map(|price| tick(price.1)).collect(),
        flows,
        multipliers,
        reserve_up_price: PicoEurPerWh::ZERO,
        reserve_down_price: PicoEurPerWh::ZERO,
    };
    for party in &mut parties {
        answer(random, &clearing, party);
    }
    let mut made =
        Made { network, objective, supply: supply(random, root, import.power.0), clearing, parties };
    made.objective.reserve_up_kw =
        reserve(random, &mut made.clearing.reserve_up_price, &mut made.parties, true);
    made.objective.reserve_down_kw =
        reserve(random, &mut made.clearing.reserve_down_price, &mut made.parties, false);
    Some(made)
}

fn network(random: &mut Random) -> Network {
    let places = random.between(2, 14) as usize;
    let branch = |random: &mut Random| Branch {
        resistance_pu_per_kva: if random.one_in(8) { 0.0 } else { 1e-5 + 1e-4 * random.unit() },
        reactance_pu_per_kva: 1e-5 + 1e-4 * random.unit(),
        ratio_square: if random.one_in(6) { 0.95 + 0.1 * random.unit() } else { 1.0 },
        power_min_kw: f64::NEG_INFINITY,
        power_max_kw: f64::INFINITY,
        apparent_max_kva: f64::INFINITY,
    };
    let band = VoltageBand { min_square_pu: f64::NEG_INFINITY, max_square_pu: f64::INFINITY };
    Network {
        parent: (0..places).map(|place| random.between(0, place.saturating_sub(1) as i64) as usize).collect(),
        branches: (0..places).map(|_| branch(random)).collect(),
        bands: vec![band; places],
        root_voltage_square_pu: 0.98 + 0.1 * random.unit(),
        losses: if random.one_in(3) { Losses::Carried } else { Losses::Neglected },
    }
}

/// A party's dispatch; what it answers follows once there are prices.
fn party(random: &mut Random, places: usize) -> PartyDemand {
    let power = random.sign() * random.between(KW, 25 * KW);
    let mut reactive_power = random.sign() * random.between(KW / 10, 8 * KW);
    let reactive = match random.between(0, 3) {
        0 => ReactiveTerms::Fixed { reactive: Millivar(reactive_power) },
        1 | 2 => {
            let tan_phi_nano = random.between(-700_000_000, 700_000_000);
            reactive_power = (power as i128 * tan_phi_nano as i128 / 1_000_000_000) as i64;
            ReactiveTerms::Proportional { tan_phi_nano }
        }
        _ => ReactiveTerms::Range {
            min: Millivar::ZERO,
            max: Millivar::ZERO,
            cost_micro_eur_per_mvar2_h: if random.one_in(3) { 0 } else { random.between(EUR, 4_000 * EUR) },
        },
    };
    let allocation = Milliwatt(power);
    PartyDemand {
        place: random.between(0, places as i64 - 1) as usize,
        answered: PicoEurPerWh::ZERO,
        range: Demand { low: allocation, high: allocation },
        allocation,
        reactive,
        reactive_allocation: Millivar(reactive_power),
        reserve_up: None,
        reserve_down: None,
    }
}

fn ancestors(network: &Network, place: usize) -> impl Iterator<Item = usize> + '_ {
    std::iter::successors(Some(place), |place| Some(network.parent[*place])).take_while(|place| *place != 0)
}

/// What is taken at and below each place, plus the losses on the way where they are carried: found
/// by going round until they no longer change.
pub fn flows(network: &Network, parties: &[PartyDemand]) -> (Vec<LineFlow>, LineFlow) {
    let places = network.parent.len();
    let mut lost = vec![(0i64, 0i64); places];
    loop {
        let mut flows = vec![LineFlow::default(); places];
        let mut import = LineFlow::default();
        let mut add = |place: usize, power: i64, reactive: i64| {
            for line in ancestors(network, place) {
                flows[line].power.0 += power;
                flows[line].reactive.0 += reactive;
            }
            import.power.0 += power;
            import.reactive.0 += reactive;
        };
        parties.iter().for_each(|p| add(p.place, p.allocation.0, p.reactive_allocation.0));
        (1..places).for_each(|place| add(place, lost[place].0, lost[place].1));
        if network.losses == Losses::Neglected {
            return (flows, import);
        }
        let squares = squares(network, &flows);
        let now: Vec<(i64, i64)> = (0..places)
            .map(|place| {
                let branch = &network.branches[place];
                let current = current(network, &flows, &squares, place);
                let milli = |impedance: f64| (impedance * current * 1e6).round() as i64;
                (milli(branch.resistance_pu_per_kva), milli(branch.reactance_pu_per_kva))
            })
            .collect();
        let settled = now.iter().zip(&lost).skip(1).all(|(a, b)| (a.0 - b.0).abs() + (a.1 - b.1).abs() <= 2);
        if settled {
            return (flows, import);
        }
        lost = now;
    }
}

/// Apparent power in kVA. By a root, not `hypot`, so that it is the same on every machine.
fn size(flow: LineFlow) -> f64 {
    let (power, reactive) = (flow.power.kw(), flow.reactive.kvar());
    (power * power + reactive * reactive).sqrt()
}

fn current(network: &Network, flows: &[LineFlow], squares: &[f64], place: usize) -> f64 {
    if network.losses == Losses::Neglected {
        return 0.0;
    }
    let size = size(flows[place]);
    size * size / squares[network.parent[place]]
}

pub fn squares(network: &Network, flows: &[LineFlow]) -> Vec<f64> {
    let mut squares = vec![network.root_voltage_square_pu];
    for place in 1..flows.len() {
        let Branch { resistance_pu_per_kva: r, reactance_pu_per_kva: x, ratio_square, .. } =
            network.branches[place];
        let flow = flows[place];
        let drop = 2.0 * (r * flow.power.kw() + x * flow.reactive.kvar());
        let back = (r * r + x * x) * current(network, flows, &squares, place);
        squares.push(squares[network.parent[place]] * ratio_square - drop + back);
    }
    squares
}

/// Draws multipliers, and sets limits so that those with a multiplier bind and the others don't.
fn limits(
    random: &mut Random,
    network: &mut Network,
    flows: &[LineFlow],
    squares: &[f64],
) -> Vec<Multipliers> {
    let mut multipliers = vec![Multipliers::default(); flows.len()];
    for place in 1..flows.len() {
        let (flow, worth) = (flows[place], &mut multipliers[place]);
        let power = flow.power.kw();
        let path = || ancestors(network, place).map(|line| network.branches[line].reactance_pu_per_kva);
        let reach: f64 = 2.0 * path().sum::<f64>();
        let branch = &mut network.branches[place];
        let band = &mut network.bands[place];
        match random.between(0, 5) {
            0 => (branch.power_max_kw, worth.congestion) = (power, PicoEurPerWh(random.between(1, 80 * EUR))),
            1 => {
                (branch.power_min_kw, worth.congestion) = (power, PicoEurPerWh(-random.between(1, 15 * EUR)))
            }
            2 => (branch.power_min_kw, branch.power_max_kw) = (power - 1.0, power + 1.0),
            _ => {}
        }
        let size = size(flow);
        match random.between(0, 4) {
            0 if size > 0.5 => {
                (branch.apparent_max_kva, worth.apparent) = (size, PicoEurPerWh(random.between(1, 60 * EUR)));
            }
            1 => branch.apparent_max_kva = size + 1.0,
            _ => {}
        }
        let voltage = NanoEurPerHourPu((20.0 * random.unit() / reach * 1e6) as i64);
        match random.between(0, 5) {
            0 => (band.min_square_pu, worth.voltage) = (squares[place], voltage),
            1 => (band.max_square_pu, worth.voltage) = (squares[place], -voltage),
            2 => (band.min_square_pu, band.max_square_pu) = (squares[place] - 1e-3, squares[place] + 1e-3),
            _ => {}
        }
    }
    multipliers
}

struct Lines<'a> {
    network: &'a Network,
    flows: &'a [LineFlow],
    squares: &'a [f64],
    multipliers: &'a [Multipliers],
}

/// Prices of real and reactive power by the paths from the root, each voltage's worth by its subtree;
/// going round where losses, which cost the prices they make, are carried. None where more losses
/// would be worth having.
fn prices(lines: &Lines<'_>, objective: &Objective, root: f64) -> Option<Vec<(f64, f64)>> {
    let places = lines.squares.len();
    let network = lines.network;
    let mut prices = vec![(root, 0.0); places];
    let mut gamma = vec![0.0; places];
    for _ in 0..if network.losses == Losses::Carried { 40 } else { 1 } {
        // What a unit of squared voltage at a place is worth to the place itself and its own lines.
        let own = |place: usize| {
            let limit = lines.multipliers[place].voltage.0 as f64 / 1e6;
            let children = (1..places).filter(|child| network.parent[*child] == place);
            let lost = children.map(|c| gamma[c] * current(network, lines.flows, lines.squares, c));
            let deviation = 2_000.0 * objective.voltage_deviation_price * (lines.squares[place] - 1.0);
            limit - deviation + lost.sum::<f64>() / lines.squares[place]
        };
        let ratio = |place: usize, above: usize| -> f64 {
            ancestors(network, place)
                .take_while(|line| *line != above)
                .map(|l| network.branches[l].ratio_square)
                .product()
        };
        let beta = |line: usize| -> f64 {
            let below = (1..places).filter(|place| ancestors(network, *place).any(|above| above == line));
            below.map(|place| own(place) * ratio(place, line)).sum()
        };
        let betas: Vec<f64> = (0..places).map(|line| if line == 0 { 0.0 } else { beta(line) }).collect();
        let step = |line: usize| step(lines, objective, line, (betas[line], gamma[line]));
        let path = |place: usize| {
            ancestors(network, place).map(step).fold((root, 0.0), |sum, by| (sum.0 + by.0, sum.1 + by.1))
        };
        prices = (0..places).map(path).collect();
        if network.losses == Losses::Carried {
            for line in 1..places {
                let (r, x) = impedance(network, line);
                gamma[line] = prices[line].0 * r + prices[line].1 * x - (r * r + x * x) * betas[line];
            }
        }
    }
    gamma.iter().all(|gamma| *gamma >= 0.0).then_some(prices)
}

fn impedance(network: &Network, line: usize) -> (f64, f64) {
    let branch = &network.branches[line];
    (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva)
}

/// By how much prices differ along a line.
fn step(lines: &Lines<'_>, objective: &Objective, line: usize, (beta, gamma): (f64, f64)) -> (f64, f64) {
    let (r, x) = impedance(lines.network, line);
    let (power, reactive) = (lines.flows[line].power.kw(), lines.flows[line].reactive.kvar());
    let worth = lines.multipliers[line];
    let sigma = worth.apparent.eur_per_mwh();
    let apparent = if sigma > 0.0 { sigma / size(lines.flows[line]) } else { 0.0 };
    let sent = lines.squares[lines.network.parent[line]];
    let along = apparent + 2.0 * objective.loss_price * r + 2.0 * gamma / sent;
    let congestion = worth.congestion.eur_per_mwh();
    (congestion + 2.0 * r * beta + along * power, 2.0 * x * beta + along * reactive)
}

/// What a party must answer for its dispatch to be what it asks for.
fn answer(random: &mut Random, clearing: &GridClearing, party: &mut PartyDemand) {
    let (price, reactive_price) = (clearing.prices[party.place], clearing.reactive_prices[party.place]);
    party.answered = price;
    let room = |random: &mut Random| if random.one_in(2) { 0 } else { random.between(0, 10 * KW) };
    party.range.low.0 -= room(random);
    party.range.high.0 += room(random);
    match &mut party.reactive {
        ReactiveTerms::Fixed { .. } => {}
        ReactiveTerms::Proportional { tan_phi_nano } => {
            let part = *tan_phi_nano as f64 / 1e9 * reactive_price.0 as f64;
            party.answered.0 += part.round() as i64;
        }
        ReactiveTerms::Range { min, max, cost_micro_eur_per_mvar2_h: cost } => {
            let given = party.reactive_allocation;
            (*min, *max) =
                (given - Millivar(random.between(KW, 9 * KW)), given + Millivar(random.between(KW, 9 * KW)));
            let inside = -(reactive_price.0 as f64) * 5e8 / given.0 as f64;
            if *cost > 0 && inside >= 1e3 && random.one_in(2) {
                *cost = inside.round() as i64;
            }
            let slope = reactive_price.0 as f64 + *cost as f64 * given.0 as f64 / 5e8;
            if slope > 1.0 {
                *min = given;
            } else if slope < -1.0 {
                *max = given;
            }
        }
    }
}

/// Lets some parties stand ready at a price. Gives how much must.
fn reserve(random: &mut Random, price: &mut PicoEurPerWh, parties: &mut [PartyDemand], up: bool) -> f64 {
    if !random.one_in(3) {
        return 0.0;
    }
    let scarce = random.one_in(2);
    *price = PicoEurPerWh(if scarce { random.between(EUR, 30 * EUR) } else { 0 });
    let mut ready = 0;
    for party in parties.iter_mut() {
        if random.one_in(2) {
            continue;
        }
        let asked = match random.between(0, 2) {
            0 => price.0,
            1 => price.0 + random.between(EUR / 100, 10 * EUR),
            _ => (price.0 - random.between(EUR / 100, 10 * EUR)).max(0),
        };
        let (max, room) = (random.between(KW, 9 * KW), random.between(KW, 9 * KW));
        let most = max.min(room);
        let award = match price.0 - asked {
            0 => random.between(1, most - 1),
            1.. => most,
            _ => 0,
        };
        ready += award;
        let end = party.allocation - Milliwatt(if up { room } else { -room });
        let standby = Standby {
            max: Milliwatt(max),
            price: PicoEurPerWh(asked),
            end,
            answered: *price,
            award: Milliwatt(award),
        };
        *(if up { &mut party.reserve_up } else { &mut party.reserve_down }) = Some(standby);
    }
    if ready == 0 {
        *price = PicoEurPerWh::ZERO;
        let standbys =
            parties
                .iter_mut()
                .filter_map(|p| if up { p.reserve_up.as_mut() } else { p.reserve_down.as_mut() });
        standbys.for_each(|standby| standby.answered = PicoEurPerWh::ZERO);
        return 0.0;
    }
    if scarce {
        ready as f64 / 1e6
    } else {
        ready as f64 / 2e6
    }
}

/// A supply that offers `import` at `price`: on a step, on a slope, or at its end.
fn supply(random: &mut Random, price: i64, import: i64) -> SupplyCurve {
    let (below, above) = (random.between(0, 40 * KW), random.between(0, 40 * KW));
    let apart = random.between(1, 30 * EUR);
    let corners = match random.between(0, 2) {
        0 => vec![(price, import - below), (price, import + above)],
        1 => vec![(price - apart, import - below), (price, import), (price + apart, import + above)],
        _ => vec![(price - apart, import - below), (price - apart, import), (price + apart, import)],
    };
    let corner =
        |(price, power): (i64, i64)| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
    SupplyCurve::new(corners.into_iter().map(corner).collect()).unwrap()
}
