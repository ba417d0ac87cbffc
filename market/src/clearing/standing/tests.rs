//! One changed bid after another, against a clearing from scratch after each.

use super::*;
use crate::feeder::Line;
use crate::units::PicoEurPerWh;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;

type Steps = Vec<(i64, i64)>;
type Bid = (i64, i64, Steps);
/// Least and most power.
type Limits = (Option<i64>, Option<i64>);
/// The parent among the buses before, and the limits.
type Feed = (Index, Limits);

fn points((price, power, steps): &Bid, scale: i64) -> Vec<Breakpoint> {
    let mut corner = Breakpoint { price: PicoEurPerWh(price * scale), power: Milliwatt(power * scale) };
    let mut points = vec![corner];
    for (rise, fall) in steps {
        corner.price.0 += rise * scale;
        corner.power.0 -= fall * scale;
        points.push(corner);
    }
    points
}

/// Small figures, so that ties, level stretches and limits met exactly come up all the time.
fn bid() -> impl Strategy<Value = Bid> {
    let step = (prop_oneof![Just(0i64), 1..40i64], prop_oneof![Just(0i64), 1..15i64]);
    (-60..60i64, -20..30i64, prop::collection::vec(step, 0..5))
}

fn limits() -> impl Strategy<Value = Limits> {
    prop_oneof![
        2 => Just((None, None)),
        4 => (0..25i64).prop_map(|power| (Some(-power), Some(power))),
        1 => (-10..15i64).prop_map(|power| (None, Some(power))),
        1 => (-15..10i64).prop_map(|power| (Some(power), None)),
    ]
}

#[derive(Clone, Debug)]
struct Case {
    lines: Vec<Feed>,
    sites: Vec<(Index, Bid)>,
    supply: Bid,
    /// Sites and their new bids; whether the book looks ahead after that.
    changes: Vec<(Index, Bid, bool)>,
    /// Factor of every figure.
    scale: i64,
    effort: Effort,
}

fn case() -> impl Strategy<Value = Case> {
    let supply = (-60..60i64, 40..80i64, prop::collection::vec((0..60i64, 0..90i64), 1..4));
    let effort = prop_oneof![
        Just(Effort { few_sites: usize::MAX, falls: 1, ticks_max: 1 }),
        (prop_oneof![2..90i64, 1_000..20_000i64]).prop_map(|ticks_max| Effort {
            few_sites: 0,
            falls: 4,
            ticks_max
        }),
        Just(Effort { few_sites: 4, falls: 4, ticks_max: 60 }),
    ];
    (
        prop::collection::vec((any::<Index>(), limits()), 0..7),
        prop::collection::vec((any::<Index>(), bid()), 1..14),
        supply,
        prop::collection::vec((any::<Index>(), bid(), any::<bool>()), 1..12),
        prop_oneof![Just(1i64), Just(37i64), Just(90_001i64)],
        effort,
    )
        .prop_map(|(lines, sites, supply, changes, scale, effort)| Case {
            lines,
            sites,
            supply,
            changes,
            scale,
            effort,
        })
}

fn feeder(case: &Case) -> Feeder {
    let scaled = |limit: Option<i64>| limit.map(|limit| Milliwatt(limit * case.scale));
    let line = |(i, (parent, (least, most))): (usize, &Feed)| Line {
        id: format!("l{i}"),
        from: format!("n{}", parent.index(i + 1)),
        to: format!("n{}", i + 1),
        power_max: scaled(*most),
        power_min: scaled(*least),
        resistance_microohm: 0,
        reactance_microohm: 0,
        rating_millivoltampere: None,
    };
    Feeder {
        voltage_millivolt: 400_000,
        root: "n0".into(),
        buses: (0..=case.lines.len()).map(|bus| format!("n{bus}")).collect(),
        lines: case.lines.iter().enumerate().map(line).collect(),
    }
}

fn supply(case: &Case) -> SupplyCurve {
    let mirrored = points(&case.supply, case.scale).into_iter();
    SupplyCurve::new(mirrored.map(|p| Breakpoint { price: p.price, power: -p.power }).collect()).unwrap()
}

/// The standing book of a case, where it clears.
fn standing(case: &Case) -> Option<Standing> {
    let feeder = feeder(case);
    let tree = feeder.tree().unwrap();
    let mut book = Book::new(feeder.buses.len());
    for bus in 0..feeder.buses.len() {
        for (_, bid) in case.sites.iter().filter(|(at, _)| at.index(feeder.buses.len()) == bus) {
            book.push(bus, &points(bid, case.scale)).unwrap();
        }
    }
    let mut standing = Standing::new(feeder, tree, supply(case), book, PriceRange::WIDEST).ok()?;
    standing.effort = case.effort;
    standing.look_ahead();
    Some(standing)
}

/// Plays the changes; how many were cleared from their zone alone.
fn play(case: &Case) -> Result<usize, TestCaseError> {
    let Some(mut standing) = standing(case) else { return Ok(0) };
    let mut zonal = 0;
    for (site, bid, look_ahead) in &case.changes {
        let site = site.index(case.sites.len());
        let points = points(bid, case.scale);
        let mut book = standing.book().clone();
        book.replace(site, &points).unwrap();
        let Standing { feeder, tree, supply, .. } = &standing;
        let fresh = engine::dispatch(feeder, tree, supply, &book, PriceRange::WIDEST);
        let before = standing.clone();
        match (standing.replace(site, &points), fresh) {
            (Ok(how), Ok(fresh)) => {
                prop_assert_eq!(standing.clearing(), &fresh.clearing, "{:?}", how);
                let sites: Option<Vec<_>> = (0..case.sites.len()).map(|site| standing.site(site)).collect();
                prop_assert_eq!(sites, Some(fresh.sites));
                zonal += usize::from(how == Recleared::Zone);
            }
            (Err(ReplaceError::Infeasible { source, .. }), Err(fresh)) => {
                prop_assert_eq!(source, fresh);
                prop_assert_eq!(standing.clearing(), before.clearing());
                prop_assert_eq!(standing.book().points(site), before.book().points(site));
            }
            (got, fresh) => prop_assert!(false, "{:?} {:?}", got, fresh),
        }
        if *look_ahead {
            standing.look_ahead();
        }
    }
    Ok(zonal)
}

proptest! {
    #![proptest_config(Config { cases: 2_000, failure_persistence: None, ..Config::default() })]
    #[test]
    fn every_change_clears_as_from_scratch(case in case()) {
        play(&case)?;
    }
}

/// A town behind two lines, one of which carries all it may; what is kept reaches some changes far.
#[test]
fn changes_on_either_side_of_a_full_line_are_cleared_from_their_zones() {
    let line = |i: usize, most: i64| Line {
        id: format!("l{i}"),
        from: "n0".into(),
        to: format!("n{i}"),
        power_max: Some(Milliwatt(most)),
        power_min: None,
        resistance_microohm: 0,
        reactance_microohm: 0,
        rating_millivoltampere: None,
    };
    let feeder = Feeder {
        voltage_millivolt: 400_000,
        root: "n0".into(),
        buses: (0..3).map(|bus| format!("n{bus}")).collect(),
        lines: vec![line(1, 365_000_000), line(2, 1_000_000_000_000)],
    };
    let mut state = 20_260_101u64;
    let mut below = |bound: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i64 % bound
    };
    let mut bid = || {
        let (price, power) = (below(40_000), 1_000_000 + below(3_000_000));
        // One rise in five is a vertical step.
        let mut step = || ((below(40_000) - 8_000).max(0), below(900_000));
        points(&(price, power, vec![step(), step(), step()]), 1)
    };
    let mut book = Book::new(3);
    (0..900).for_each(|site| book.push(site / 300, &bid()).unwrap());
    let supply = vec![(10_000, -2_000_000_000), (70_000, 2_000_000_000)].into_iter();
    let supply =
        supply.map(|(price, power)| Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) });
    let supply = SupplyCurve::new(supply.collect()).unwrap();
    let tree = feeder.tree().unwrap();
    let mut standing =
        Standing::new(feeder.clone(), tree.clone(), supply.clone(), book, PriceRange::WIDEST).unwrap();
    standing.effort = Effort { few_sites: 0, falls: 30, ticks_max: 1 << 14 };
    assert_eq!(standing.look_ahead(), 3);
    assert!(standing.clearing().prices[1] > standing.clearing().prices[0], "no limit binds");
    let mut zonal = 0;
    for change in 0..60 {
        let how = standing.replace(change * 7 % 900, &bid()).unwrap();
        let fresh = engine::clear(&feeder, &tree, &supply, standing.book(), PriceRange::WIDEST);
        assert_eq!(Ok(standing.clearing()), fresh.as_ref(), "change {change}, {how:?}");
        zonal += usize::from(how == Recleared::Zone);
    }
    assert!(zonal > 50, "{zonal} of 60");
}
