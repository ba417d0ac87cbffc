//! Feeders drawn at random from a seed, with the features asked for.

use market::grid::problem::{
    Branch, GridProblem, Losses, Network, Objective, Offer, Piece, Reactive, ReserveOffer, Supply,
    VoltageBand,
};

/// xorshift64*: the same problem from the same seed.
pub struct Random(u64);

impl Random {
    /// From any seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        // The first few of a small seed are small.
        for _ in 0..8 {
            random.unit();
        }
        random
    }
    /// Between 0 and 1.
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
    /// Between two figures.
    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.unit()
    }
    /// Below a bound.
    pub fn below(&mut self, bound: usize) -> usize {
        ((self.unit() * bound as f64) as usize).min(bound - 1)
    }
    /// True as often as `share` says.
    pub fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }
}

/// What a random problem has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    /// Places, the root among them.
    pub places: usize,
    /// Chance that a line has limits of real power.
    pub power: f64,
    /// Chance that a line has a limit of apparent power.
    pub apparent: f64,
    /// Whether voltages are limited.
    pub voltage: bool,
    /// Whether losses are priced.
    pub loss_price: bool,
    /// Whether voltage deviations are.
    pub deviation: bool,
    /// Whether reserve is asked for.
    pub reserve: bool,
    /// Whether losses are in the balance.
    pub carried: bool,
    /// Whether every price is one of few, and every curve made of steps.
    pub steps: bool,
}

fn piece(random: &mut Random, price_high: f64, steps: bool) -> Piece {
    let fall = if steps || random.chance(0.4) { 0.0 } else { random.between(0.0, 40.0) };
    Piece { width_kw: random.between(0.2, 8.0), price_high, price_low: price_high - fall }
}

fn offer(random: &mut Random, features: &Features, place: usize) -> Offer {
    let mut price = random.between(20.0, 150.0);
    let mut pieces = Vec::new();
    for _ in 0..random.below(5) {
        if features.steps {
            price = (price / 20.0).floor() * 20.0;
        }
        let piece = piece(random, price, features.steps);
        price = piece.price_low - if random.chance(0.3) { 0.0 } else { random.between(0.0, 30.0) };
        pieces.push(piece);
    }
    let total: f64 = pieces.iter().map(|piece| piece.width_kw).sum();
    let power_min_kw = match random.below(4) {
        0 => -total,
        1 => -random.between(0.0, total),
        2 => 0.0,
        _ => random.between(0.0, 2.0),
    };
    let reactive = match random.below(4) {
        0 => Reactive::Fixed { reactive_kvar: random.between(-1.0, 2.0) },
        1 => Reactive::Proportional { tan_phi: random.between(-0.3, 0.5) },
        2 => Reactive::Range {
            min_kvar: -random.between(0.0, 5.0),
            max_kvar: random.between(0.0, 5.0),
            cost_eur_per_mvar2_h: if random.chance(0.5) { 0.0 } else { random.between(1.0, 500.0) },
        },
        _ => Reactive::Fixed { reactive_kvar: 0.0 },
    };
    let mut reserve = |share: f64| {
        let offered = features.reserve && random.chance(share);
        offered.then(|| ReserveOffer { max_kw: random.between(0.5, 6.0), price: random.between(0.0, 20.0) })
    };
    let (reserve_up, reserve_down) = (reserve(0.6), reserve(0.4));
    Offer { place, power_min_kw, pieces, reactive, reserve_up, reserve_down }
}

fn branch(random: &mut Random, features: &Features) -> Branch {
    let scale = 0.6 / (features.places as f64 * 10.0);
    let power_max_kw = if random.chance(features.power) { random.between(3.0, 30.0) } else { f64::INFINITY };
    let power_min_kw =
        if random.chance(features.power) { -random.between(1.0, 15.0) } else { f64::NEG_INFINITY };
    let apparent = random.chance(features.apparent);
    Branch {
        resistance_pu_per_kva: random.between(0.1, 1.0) * scale,
        reactance_pu_per_kva: random.between(0.0, 1.0) * scale,
        ratio_square: if random.chance(0.1) { random.between(0.95, 1.05) } else { 1.0 },
        power_min_kw,
        power_max_kw,
        apparent_max_kva: if apparent { random.between(5.0, 30.0) } else { f64::INFINITY },
    }
}

/// A problem from a seed.
pub fn problem(seed: u64, features: &Features) -> GridProblem {
    let mut random = Random::new(seed);
    let places = features.places;
    let parent: Vec<usize> =
        (0..places).map(|place| if place < 2 { 0 } else { place - 1 - random.below(place.min(4)) }).collect();
    let branches = (0..places).map(|_| branch(&mut random, features)).collect();
    let free = VoltageBand { min_square_pu: f64::NEG_INFINITY, max_square_pu: f64::INFINITY };
    let band = VoltageBand { min_square_pu: 0.95 * 0.95, max_square_pu: 1.05 * 1.05 };
    let bands = vec![if features.voltage { band } else { free }; places];
    let mut offers = Vec::new();
    for place in 0..places {
        for _ in 0..random.below(4) {
            offers.push(offer(&mut random, features, place));
        }
    }
    let mut low = random.between(-10.0, 60.0);
    let mut pieces = Vec::new();
    for _ in 0..1 + random.below(3) {
        let rise = if features.steps || random.chance(0.5) { 0.0 } else { random.between(0.0, 30.0) };
        pieces.push(Piece { width_kw: random.between(50.0, 5e3), price_low: low, price_high: low + rise });
        low += rise + random.between(0.0, 20.0);
    }
    let loss_price = if features.loss_price { random.between(10.0, 100.0) } else { 0.0 };
    let objective = Objective {
        loss_price,
        voltage_deviation_price: if features.deviation { random.between(0.0, 10.0) } else { 0.0 },
        reserve_up_kw: if features.reserve { random.between(0.0, 8.0) } else { 0.0 },
        reserve_down_kw: if features.reserve && random.chance(0.5) { random.between(0.0, 4.0) } else { 0.0 },
    };
    let losses = if features.carried { Losses::Carried } else { Losses::Neglected };
    let network =
        Network { parent, branches, bands, root_voltage_square_pu: random.between(0.98, 1.04), losses };
    let supply = Supply { import_min_kw: -random.between(0.0, 200.0), pieces };
    GridProblem { network, offers, supply, objective }
}
