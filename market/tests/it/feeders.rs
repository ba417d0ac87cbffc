//! Random radial markets for the property tests: small figures, so that ties, flat stretches and
//! limits met exactly come up all the time.

use market::curve::{Breakpoint, FlexCurve};
use market::feeder::{Feeder, Line, Tree};
use market::supply::SupplyCurve;
use market::units::{Milliwatt, PicoEurPerWh};
use proptest::prelude::*;

/// A feeder with parties at its buses and a supply.
#[derive(Clone, Debug)]
pub struct Market {
    pub feeder: Feeder,
    pub tree: Tree,
    pub supply: SupplyCurve,
    /// Bus index and curve of each party.
    pub parties: Vec<(usize, FlexCurve)>,
}

/// A feeder from, for each bus after the first, its parent and the limits of the line to it.
pub fn feeder(lines: &[(usize, Option<i64>, Option<i64>)]) -> Feeder {
    let name = |bus: usize| format!("n{bus}");
    Feeder {
        voltage_millivolt: 400_000,
        root: name(0),
        buses: (0..=lines.len()).map(name).collect(),
        lines: lines
            .iter()
            .enumerate()
            .map(|(i, (parent, least, most))| Line {
                id: format!("l{}", i + 1),
                from: name(*parent),
                to: name(i + 1),
                power_max: most.map(Milliwatt),
                power_min: least.map(Milliwatt),
                resistance_microohm: 0,
                reactance_microohm: 0,
                rating_millivoltampere: None,
            })
            .collect(),
    }
}

/// Breakpoints whose prices rise and powers fall by the given steps.
pub fn falling(price: i64, power: i64, steps: &[(i64, i64)]) -> Vec<Breakpoint> {
    let mut corner = Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
    let mut points = vec![corner];
    for (rise, fall) in steps {
        corner.price.0 += rise;
        corner.power.0 -= fall;
        points.push(corner);
    }
    points
}

/// Sizes of the figures in a random market.
#[derive(Clone, Copy, Debug)]
struct Scale {
    price: i64,
    rise: i64,
    power: i64,
}

/// A curve as sites of a market of that size have, prices and powers alike.
pub fn curve(scale: i64) -> impl Strategy<Value = FlexCurve> {
    scaled_curve(Scale { price: scale, rise: scale, power: scale })
}

fn scaled_curve(scale: Scale) -> impl Strategy<Value = FlexCurve> {
    let step = (prop_oneof![Just(0i64), 1..40 * scale.rise], prop_oneof![Just(0i64), 1..15 * scale.power]);
    let start = (-60 * scale.price..60 * scale.price, -20 * scale.power..30 * scale.power);
    (start, prop::collection::vec(step, 0..5))
        .prop_map(|((price, power), steps)| FlexCurve::new(falling(price, power, &steps)).unwrap())
}

fn supply(scale: Scale) -> impl Strategy<Value = SupplyCurve> {
    let step = (prop_oneof![Just(0i64), 1..40 * scale.rise], prop_oneof![Just(0i64), 1..60 * scale.power]);
    let start = (-60 * scale.price..60 * scale.price, -80 * scale.power..20 * scale.power);
    (start, prop::collection::vec(step, 0..5)).prop_map(|((price, power), steps)| {
        let mirrored = falling(price, -power, &steps);
        let points = mirrored.into_iter().map(|p| Breakpoint { price: p.price, power: -p.power });
        SupplyCurve::new(points.collect()).unwrap()
    })
}

fn limits(scale: Scale) -> impl Strategy<Value = (Option<i64>, Option<i64>)> {
    let times = move |limit: i64| Some(limit * scale.power);
    prop_oneof![
        3 => Just((None, None)),
        3 => (0..25i64).prop_map(move |p| (times(-p), times(p))),
        1 => (-10..15i64).prop_map(move |p| (None, times(p))),
        1 => (-15..10i64).prop_map(move |p| (times(p), None)),
        1 => (-8..8i64, 0..3i64).prop_map(move |(p, width)| (times(p), times(p + width))),
    ]
}

/// Any small market.
pub fn market() -> impl Strategy<Value = Market> {
    scaled(Scale { price: 1, rise: 1, power: 1 })
}

/// A market of figures of any size: prices far apart or close together, powers from milliwatts to
/// megawatts.
pub fn wide_market() -> impl Strategy<Value = Market> {
    let size = |most: u32| (0..=most).prop_map(|digits| 10i64.pow(digits));
    (size(9), size(9), size(9))
        .prop_map(|(price, rise, power)| Scale { price, rise, power })
        .prop_flat_map(scaled)
}

fn scaled(scale: Scale) -> impl Strategy<Value = Market> {
    let lines = prop::collection::vec((any::<prop::sample::Index>(), limits(scale)), 0..8);
    let parties = prop::collection::vec((any::<prop::sample::Index>(), scaled_curve(scale)), 0..14);
    (lines, parties, supply(scale)).prop_map(|(lines, parties, supply)| {
        let lines: Vec<_> = lines
            .iter()
            .enumerate()
            .map(|(i, (parent, (least, most)))| (parent.index(i + 1), *least, *most))
            .collect();
        let feeder = feeder(&lines);
        let tree = feeder.tree().unwrap();
        let buses = feeder.buses.len();
        let parties = parties.into_iter().map(|(bus, curve)| (bus.index(buses), curve)).collect();
        Market { feeder, tree, supply, parties }
    })
}
