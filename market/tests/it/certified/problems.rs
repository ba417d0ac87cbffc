//! Random problems of every kind the clearing knows, small enough to be solved by the thousand.

use super::random::Random;
use market::grid::problem::{
    Branch, GridProblem, Losses, Network, Objective, Offer, Piece, Reactive, ReserveOffer, Supply,
    VoltageBand,
};

/// What a problem may have besides curves and real-power limits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kind {
    pub voltage: bool,
    pub apparent: bool,
    pub volt_var: bool,
    pub loss_price: bool,
    pub deviation: bool,
    pub reserve: bool,
    pub carried: bool,
}

pub const KINDS: [(&str, Kind); 9] = {
    let none = Kind {
        voltage: false,
        apparent: false,
        volt_var: false,
        loss_price: false,
        deviation: false,
        reserve: false,
        carried: false,
    };
    [
        ("capacity", none),
        ("voltage", Kind { voltage: true, ..none }),
        ("apparent power", Kind { apparent: true, ..none }),
        ("volt-var", Kind { voltage: true, volt_var: true, ..none }),
        ("loss price", Kind { loss_price: true, voltage: true, ..none }),
        ("deviation", Kind { deviation: true, volt_var: true, ..none }),
        ("reserve", Kind { reserve: true, voltage: true, ..none }),
        ("carried losses", Kind { carried: true, voltage: true, ..none }),
        (
            "all together",
            Kind {
                voltage: true,
                apparent: true,
                volt_var: true,
                loss_price: true,
                deviation: true,
                reserve: true,
                carried: true,
            },
        ),
    ]
};

pub fn problem(seed: u64, kind: Kind) -> GridProblem {
    let mut random = Random::new(seed);
    let random = &mut random;
    let places = random.between(2, 12) as usize;
    let count = random.between(1, 3 * places as i64);
    let reserve = |given: bool, random: &mut Random| if given { 8.0 * random.unit() } else { 0.0 };
    GridProblem {
        network: network(random, places, kind),
        offers: (0..count).map(|_| offer(random, places, kind)).collect(),
        supply: supply(random),
        objective: Objective {
            loss_price: if kind.loss_price { 300.0 * random.unit() } else { 0.0 },
            voltage_deviation_price: if kind.deviation { 20.0 * random.unit() } else { 0.0 },
            reserve_up_kw: reserve(kind.reserve, random),
            reserve_down_kw: reserve(kind.reserve && random.one_in(2), random),
        },
    }
}

fn network(random: &mut Random, places: usize, kind: Kind) -> Network {
    let branch = |random: &mut Random| {
        let limited = random.one_in(4);
        Branch {
            resistance_pu_per_kva: 1e-5 + 1.5e-4 * random.unit(),
            reactance_pu_per_kva: 1e-5 + 1.5e-4 * random.unit(),
            ratio_square: if random.one_in(8) { 0.96 + 0.08 * random.unit() } else { 1.0 },
            power_min_kw: if limited { -5.0 - 40.0 * random.unit() } else { f64::NEG_INFINITY },
            power_max_kw: if limited { 5.0 + 40.0 * random.unit() } else { f64::INFINITY },
            apparent_max_kva: if kind.apparent { 15.0 + 50.0 * random.unit() } else { f64::INFINITY },
        }
    };
    let width = if kind.voltage { 0.02 + 0.06 * random.unit() } else { f64::INFINITY };
    let root = 0.97 + 0.06 * random.unit();
    Network {
        parent: (0..places).map(|place| random.between(0, place.saturating_sub(1) as i64) as usize).collect(),
        branches: (0..places).map(|_| branch(random)).collect(),
        bands: vec![VoltageBand { min_square_pu: root - width, max_square_pu: root + width }; places],
        root_voltage_square_pu: root,
        losses: if kind.carried { Losses::Carried } else { Losses::Neglected },
    }
}

fn offer(random: &mut Random, places: usize, kind: Kind) -> Offer {
    let mut price = 20.0 + 200.0 * random.unit();
    let pieces = (0..random.between(0, 4)).map(|_| {
        let price_high = price;
        if !random.one_in(3) {
            price -= 60.0 * random.unit();
        }
        let piece = Piece { width_kw: 0.1 + 12.0 * random.unit(), price_high, price_low: price };
        if random.one_in(3) {
            price -= 30.0 * random.unit();
        }
        piece
    });
    let pieces = pieces.collect();
    let reactive = match random.between(0, if kind.volt_var { 4 } else { 2 }) {
        0 => Reactive::Fixed { reactive_kvar: 4.0 * random.unit() - 2.0 },
        1 | 2 => Reactive::Proportional { tan_phi: 1.2 * random.unit() - 0.6 },
        _ => Reactive::Range {
            min_kvar: -8.0 * random.unit(),
            max_kvar: 8.0 * random.unit(),
            cost_eur_per_mvar2_h: if random.one_in(2) { 0.0 } else { 500.0 * random.unit() },
        },
    };
    let stands_by = |random: &mut Random| {
        (kind.reserve && random.one_in(2))
            .then(|| ReserveOffer { max_kw: 10.0 * random.unit(), price: 20.0 * random.unit() })
    };
    Offer {
        place: random.between(0, places as i64 - 1) as usize,
        power_min_kw: 14.0 * random.unit() - 10.0,
        pieces,
        reactive,
        reserve_up: stands_by(random),
        reserve_down: stands_by(random),
    }
}

/// Flat, in steps, or rising; export at low prices.
fn supply(random: &mut Random) -> Supply {
    let mut price = 10.0 + 60.0 * random.unit();
    let pieces = (0..random.between(1, 3)).map(|_| {
        let price_low = price;
        if random.one_in(2) {
            price += 60.0 * random.unit();
        }
        let piece = Piece { width_kw: 80.0 + 100.0 * random.unit(), price_low, price_high: price };
        price += 30.0 * random.unit();
        piece
    });
    Supply { pieces: pieces.collect(), import_min_kw: -60.0 - 40.0 * random.unit() }
}
