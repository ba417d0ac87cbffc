//! Random feeders: as cheap as a general conic solver finds them, and optimal by their own figures.

use crate::cases;
use crate::grid::conic;
use crate::grid::optimal::faults;
use crate::grid::random::{problem, Features};
use market::grid::error::Limit;
use market::grid::{clear, GridError};
use proptest::prelude::*;

/// Nothing but places.
const PLAIN: Features = Features {
    places: 0,
    power: 0.0,
    apparent: 0.0,
    voltage: false,
    loss_price: false,
    deviation: false,
    reserve: false,
    carried: false,
    steps: false,
};

/// The same optimum as the conic solver's, or both without solution.
fn check(seeds: std::ops::Range<u64>, features: Features) {
    let mut solved = 0;
    for seed in seeds {
        let features = Features { places: 2 + (seed % 29) as usize, ..features };
        let problem = problem(seed, &features);
        let found = clear(&problem);
        // Where the conic solver is unsure, it says nothing.
        let Some(reference) = conic::optimum(&problem) else {
            continue;
        };
        match (found, reference) {
            (Ok(solution), Some(reference)) => {
                let off = solution.objective_eur_per_h - reference - conic::constant(&problem);
                let tolerance = 1e-6 * solution.objective_eur_per_h.abs().max(1.0);
                assert!(off.abs() < tolerance, "seed {seed}: {off} EUR/h off");
                solved += 1;
            }
            (Err(GridError::Infeasible { .. }), None) => {}
            (found, reference) => panic!("seed {seed}: {found:?}, the conic solver {reference:?}"),
        }
    }
    assert!(solved > 10, "only {solved} could be compared");
}

#[test]
fn limits_of_power_cost_as_the_conic_solver_says() {
    check(0..40, Features { power: 0.3, apparent: 0.4, ..PLAIN });
}

#[test]
fn voltage_limits_cost_as_the_conic_solver_says() {
    check(0..40, Features { power: 0.3, voltage: true, deviation: true, loss_price: true, ..PLAIN });
}

#[test]
fn reserve_costs_as_the_conic_solver_says() {
    check(0..40, Features { power: 0.3, voltage: true, reserve: true, ..PLAIN });
}

#[test]
fn steps_cost_as_the_conic_solver_says() {
    check(0..40, Features { power: 0.3, voltage: true, steps: true, ..PLAIN });
}

#[test]
fn losses_in_the_balance_cost_as_the_conic_solver_says() {
    check(0..40, Features { power: 0.3, voltage: true, carried: true, ..PLAIN });
}

/// Features by places, chances of limits of real and apparent power, and what is limited, priced or asked
/// for: voltage, losses, deviation, reserve, and whether curves are steps.
fn features(
    (places, power, apparent): (usize, f64, f64),
    [voltage, loss_price, deviation, reserve, steps]: [bool; 5],
) -> Features {
    Features { places, power, apparent, voltage, loss_price, deviation, reserve, carried: false, steps }
}

/// What is wrong with the clearing of a random feeder: nothing where all are content or no dispatch
/// meets every limit.
fn wrong(seed: u64, features: &Features) -> Vec<String> {
    let problem = problem(seed, features);
    match clear(&problem) {
        Ok(solution) => faults(&problem, &solution),
        Err(GridError::Infeasible { .. }) => Vec::new(),
        Err(error) => vec![error.to_string()],
    }
}

/// A feeder with a solution on which the iteration once failed.
fn hard(seed: u64, sizes: (usize, f64, f64), flags: [bool; 5]) {
    let problem = problem(seed, &features(sizes, flags));
    let solution = clear(&problem).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    assert_eq!(faults(&problem, &solution), Vec::<String>::new(), "seed {seed}");
}

/// A feeder whose limits cannot be met, by about as little as is tolerated: the limit is named, or what is
/// found is without fault.
fn barely_unmet(seed: u64, sizes: (usize, f64, f64), flags: [bool; 5]) {
    assert_eq!(wrong(seed, &features(sizes, flags)), Vec::<String>::new(), "seed {seed}");
}

/// A feeder whose supply is cut off below what it must have.
fn beyond_supply(seed: u64, sizes: (usize, f64, f64), flags: [bool; 5]) {
    let found = clear(&problem(seed, &features(sizes, flags)));
    let named = matches!(found, Err(GridError::Infeasible { limit: Limit::ImportMax, .. }));
    assert!(named, "seed {seed}: {found:?}");
}

#[test]
fn hard_feeders() {
    // Round in a circle: a short prediction, whose correction raised the products.
    hard(
        14355084747263317007,
        (2, 0.4892229248752741, 0.27387572053765935),
        [false, false, false, true, true],
    );
    // Flows at the start far beyond what their lines may carry.
    hard(
        334277229517459840,
        (37, 0.44576236958390864, 0.28967896149519823),
        [false, false, true, true, false],
    );
    hard(614472404545973120, (36, 0.35427116268157516, 0.2365128203335472), [true, false, true, true, true]);
    hard(1041173546227540096, (38, 0.1679597384550614, 0.3377556253430971), [true, true, false, true, true]);
    hard(
        555418304915259392,
        (31, 0.11273116818773093, 0.3831968393750122),
        [false, false, true, true, false],
    );
    hard(
        561774175465779456,
        (35, 0.19992722119018863, 0.4084472931443786),
        [true, true, false, false, false],
    );
    // Reactive power free to move at no cost, behind limits of apparent power.
    hard(
        139821492506830848,
        (26, 0.05146967731812774, 0.18301359340853257),
        [true, false, false, true, false],
    );
    hard(
        1108716840127670912,
        (35, 0.35520186045730096, 0.15060453539925428),
        [true, false, false, false, false],
    );
    hard(
        443000070849719168,
        (39, 0.15942573005290173, 0.2192320343405103),
        [true, false, false, false, false],
    );
    hard(
        973634579221601280,
        (35, 0.16402936073583346, 0.07662088508157139),
        [true, false, false, true, true],
    );
    hard(
        1034530979748824192,
        (37, 0.23092899006444284, 0.29096585762903443),
        [true, false, false, true, false],
    );
    // Real power limited beyond apparent power.
    hard(
        621766793396060032,
        (22, 0.43469866762987286, 0.4605339749349756),
        [false, false, false, true, true],
    );
    // Steep covers of reserve, and flat curves behind a full line.
    hard(851492414610681472, (3, 0.4696847134968062, 0.4232122951170872), [false, false, true, true, false]);
    hard(
        446128189530815488,
        (28, 0.38155646654139114, 0.2746753700141564),
        [true, false, false, true, false],
    );
    hard(271797830808606208, (34, 0.013825502056325045, 0.281936322101293), [true, false, true, true, true]);
    hard(536086916866785024, (6, 0.22503318695510055, 0.27472223897569514), [false, false, true, true, true]);
    // Products gone before a curved limit was met: started anew.
    hard(
        877572134324666368,
        (25, 0.35985138798301486, 0.45036963280584713),
        [false, false, false, true, false],
    );
    // Voltage limits that nearly coincide.
    hard(85736575749578880, (22, 0.07834056381654436, 0.4819913877549581), [true, true, false, false, true]);
    hard(
        516905974040200704,
        (29, 0.38680077045718886, 0.28755507412843945),
        [true, false, true, false, false],
    );
    hard(
        1050945760902131712,
        (36, 0.012223861996285557, 0.2880139991138619),
        [true, true, false, true, true],
    );
    hard(
        732265367141758464,
        (26, 0.049688584512463496, 0.21062329985053696),
        [true, true, false, false, false],
    );
}

#[test]
fn limits_that_are_barely_unmet() {
    barely_unmet(
        578990430027429120,
        (3, 0.13982639505207167, 0.17451534128201146),
        [true, true, true, false, true],
    );
    barely_unmet(
        632543864839395328,
        (2, 0.21793497165975412, 0.2109567966233742),
        [true, true, false, true, false],
    );
}

#[test]
fn nothing_that_can_move_and_too_little_supply() {
    beyond_supply(
        1031962305254831104,
        (2, 0.182216295402496, 0.2654796357239948),
        [false, true, true, false, false],
    );
    beyond_supply(
        636480351570881664,
        (2, 0.10906101152334169, 0.22643244507739518),
        [false, false, false, false, false],
    );
    beyond_supply(
        811028014523412736,
        (2, 0.4124709599703407, 0.23706315838337066),
        [false, true, false, false, false],
    );
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn every_party_and_line_is_content(
        seed in any::<u64>(),
        places in 2usize..40,
        power in 0.0..0.5,
        apparent in 0.0..0.5,
        flags in any::<[bool; 5]>(),
    ) {
        prop_assert_eq!(wrong(seed, &features((places, power, apparent), flags)), Vec::<String>::new());
    }
}
