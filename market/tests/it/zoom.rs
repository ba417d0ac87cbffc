//! Rounds over merged curves against one clearing of every curve.

use market::curve::Breakpoint;
use market::grid::problem::{
    Branch, GridProblem, Losses, Network, Objective, Offer, Piece, Reactive, Supply, VoltageBand,
};
use market::grid::solution::GridSolution;
use market::grid::zoom::merged::{MergedCurve, Sampled};
use market::grid::zoom::{HiddenCurve, Step, Zoom, ZoomError};
use market::units::{Milliwatt, PicoEurPerWh};

const PLACES: usize = 33;

/// A linear congruential generator: the same curves in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as i64 % bound
    }
}

/// Eight corners from -20 to 180 EUR/MWh, falling by up to 2 kW between two; some rises are vertical.
fn curve(random: &mut Random) -> Vec<Breakpoint> {
    let mut price = random.below(60_000_000) - 20_000_000;
    let mut power = random.below(6_000_000);
    let corner = |_| {
        let point = Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
        price += (random.below(24_000_000) - 6_000_000).max(0);
        power -= random.below(2_000_000);
        point
    };
    (0..8).map(corner).collect()
}

/// A trunk of 18 places with three laterals, on which `total_kw` spread evenly drops the
/// squared voltage by far more than is allowed; limits at 0.95 and 1.05 p.u., a limit on the first line of one lateral.
fn feeder(total_kw: f64) -> GridProblem {
    let parent = |place: usize| match place {
        0 => 0,
        18 => 1,
        22 => 2,
        25 => 5,
        _ => place - 1,
    };
    let branch = |place: usize| Branch {
        resistance_pu_per_kva: 0.15 / total_kw,
        reactance_pu_per_kva: 0.1 / total_kw,
        ratio_square: 1.0,
        power_min_kw: f64::NEG_INFINITY,
        power_max_kw: if place == 22 { 0.02 * total_kw } else { f64::INFINITY },
        apparent_max_kva: if place == 18 { 0.05 * total_kw } else { f64::INFINITY },
    };
    GridProblem {
        network: Network {
            parent: (0..PLACES).map(parent).collect(),
            branches: (0..PLACES).map(branch).collect(),
            bands: vec![VoltageBand { min_square_pu: 0.9025, max_square_pu: 1.1025 }; PLACES],
            root_voltage_square_pu: 1.0,
            losses: Losses::Neglected,
        },
        offers: Vec::new(),
        supply: Supply {
            import_min_kw: -2.0 * total_kw,
            pieces: vec![Piece { width_kw: 4.0 * total_kw, price_high: 70.0, price_low: 10.0 }],
        },
        objective: Objective::default(),
    }
}

fn offer(place: usize, tan_phi: f64, points: &[Breakpoint]) -> Offer {
    let piece = |pair: &[Breakpoint]| Piece {
        width_kw: (pair[0].power - pair[1].power).kw(),
        price_high: pair[1].price.eur_per_mwh(),
        price_low: pair[0].price.eur_per_mwh(),
    };
    Offer {
        place,
        power_min_kw: points[points.len() - 1].power.kw(),
        pieces: points.windows(2).rev().map(piece).filter(|piece| piece.width_kw > 0.0).collect(),
        reactive: Reactive::Proportional { tan_phi },
        reserve_up: None,
        reserve_down: None,
    }
}

/// Value in EUR/h of what an offer takes beyond its least.
fn value(offer: &Offer, power_kw: f64) -> f64 {
    let (mut left, mut value) = (power_kw - offer.power_min_kw, 0.0);
    for piece in &offer.pieces {
        let taken = left.clamp(0.0, piece.width_kw);
        let end = piece.price_high + (piece.price_low - piece.price_high) * taken / piece.width_kw;
        value += taken * (piece.price_high + end) / 2e3;
        left -= taken;
    }
    value
}

struct Town {
    whole: GridProblem,
    zoom: Zoom,
    merged: Vec<MergedCurve>,
    hidden: Vec<HiddenCurve>,
}

fn town(curves_each: usize, seed: u64) -> Town {
    let mut random = Random(seed);
    let total_kw = (PLACES * curves_each) as f64 * 6.0;
    let problem = feeder(total_kw);
    let mut whole = problem.clone();
    let (mut merged, mut hidden) = (Vec::new(), Vec::new());
    for place in 1..PLACES {
        for tan_phi in [0.0, 0.33] {
            let curves: Vec<_> = (0..curves_each / 2).map(|_| curve(&mut random)).collect();
            whole.offers.extend(curves.iter().map(|curve| offer(place, tan_phi, curve)));
            merged.push(MergedCurve::of(curves.iter().map(Vec::as_slice)));
            hidden.push(HiddenCurve { place, tan_phi });
        }
    }
    Town { whole, zoom: Zoom::new(problem, hidden.clone()), merged, hidden }
}

/// Plays the rounds; the solution and its objective with every hidden curve's true value.
fn play(town: &mut Town) -> (GridSolution, f64) {
    loop {
        let questions = town.zoom.questions().iter();
        let answers: Vec<_> = questions.map(|q| town.merged[q.curve].sampled(q.window)).collect();
        if let Step::Cleared(solution) = town.zoom.step(&answers).unwrap() {
            let mut objective = solution.objective_eur_per_h;
            for (i, award) in solution.awards.iter().enumerate() {
                let HiddenCurve { place, tan_phi } = town.hidden[i];
                objective += value(&town.zoom.posed().offers[i], award.power_kw);
                objective -= value(&offer(place, tan_phi, town.merged[i].points()), award.power_kw);
            }
            return (*solution, objective);
        }
        assert!(town.zoom.rounds() < 5, "no end after five rounds");
    }
}

#[test]
fn rounds_reach_the_optimum_of_every_curve_at_once() {
    let mut at_limit = 0;
    for seed in 1..=6 {
        let mut town = town(40, seed);
        let (solution, objective) = play(&mut town);
        let whole = market::grid::clear(&town.whole).unwrap();
        let (got, expected) = (objective, whole.objective_eur_per_h);
        assert!((got - expected).abs() <= 1e-6 * expected.abs(), "seed {seed}: {got} {expected}");
        assert!((solution.import_kw - whole.import_kw).abs() <= 1e-3 * whole.import_kw.abs());
        let binds = |v: &f64| (v - 0.9025).abs() < 1e-6 || (v - 1.1025).abs() < 1e-6;
        at_limit += usize::from(solution.voltage_square_pu.iter().any(binds));
    }
    assert!(at_limit >= 3, "voltage binds in {at_limit} of 6 towns");
}

#[test]
fn answers_that_are_none_are_refused() {
    let mut town = town(2, 1);
    let answers: Vec<_> =
        town.zoom.questions().iter().map(|q| town.merged[q.curve].sampled(q.window)).collect();
    let count = ZoomError::Answers { answers: 0, questions: 64 };
    assert_eq!(town.zoom.step(&[]), Err(count));
    let spoilt: [fn(&mut Sampled); 4] = [
        |answer| answer.points.clear(),
        |answer| answer.points.swap(1, 2),
        |answer| answer.points[0].price.0 += 1,
        |answer| answer.points[0].power.0 = i64::MAX,
    ];
    for spoil in spoilt {
        let mut answers = answers.clone();
        spoil(&mut answers[3]);
        assert_eq!(town.zoom.step(&answers), Err(ZoomError::NoCurve { curve: 3 }));
    }
    assert_eq!(town.zoom.rounds(), 0);
    town.zoom.step(&answers).unwrap();
}
