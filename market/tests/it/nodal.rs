//! The wholesale auction against published nodal prices, and what it sells at one bus against itself.

use market::auction::nodal::check::{check, CheckError};
use market::auction::nodal::residual::residual_supply;
use market::auction::nodal::{clear, Link, Network, NodalError, Outcome, Participant};
use market::curve::{Breakpoint, FlexCurve};
use market::units::{Milliwatt, PicoEurPerWh};
use proptest::prelude::*;

fn mw(megawatt: f64) -> Milliwatt {
    Milliwatt::from_kw(megawatt * 1e3).unwrap()
}

fn eur(price: f64) -> PicoEurPerWh {
    PicoEurPerWh::from_eur_per_mwh(price).unwrap()
}

fn load(bus: usize, megawatt: f64) -> Participant {
    Participant { bus, curve: FlexCurve::inelastic(mw(megawatt)) }
}

fn step(bus: usize, price: f64, high: f64, low: f64) -> Participant {
    let point = |power| Breakpoint { price: eur(price), power: mw(power) };
    Participant { bus, curve: FlexCurve::new(vec![point(high), point(low)]).unwrap() }
}

fn unit(bus: usize, price: f64, megawatt: f64) -> Participant {
    step(bus, price, 0.0, -megawatt)
}

fn link(from: usize, to: usize, reactance: Option<f64>, limit: Option<f64>) -> Link {
    Link { id: format!("{from}-{to}"), from, to, reactance, limit: limit.map(mw) }
}

/// The PJM 5-bus system: Li and Bo, "Small test systems for power system economic studies", IEEE PES
/// General Meeting 2010. Buses A to E are 0 to 4.
fn pjm(limit_de: f64) -> Network {
    Network {
        buses: ["A", "B", "C", "D", "E"].map(String::from).to_vec(),
        links: vec![
            link(0, 1, Some(0.0281), Some(400.0)),
            link(0, 3, Some(0.0304), None),
            link(0, 4, Some(0.0064), None),
            link(1, 2, Some(0.0108), None),
            link(2, 3, Some(0.0297), None),
            link(3, 4, Some(0.0297), Some(limit_de)),
        ],
    }
}

fn pjm_units() -> Vec<Participant> {
    vec![
        unit(0, 14.0, 40.0),
        unit(0, 15.0, 170.0),
        unit(2, 30.0, 520.0),
        unit(3, 40.0, 200.0),
        unit(4, 10.0, 600.0),
    ]
}

fn check_prices(network: &Network, participants: &[Participant], expected: &[f64]) -> Outcome {
    let outcome = clear(network, participants).unwrap();
    for (price, expected) in outcome.prices.iter().zip(expected) {
        assert!((price.eur_per_mwh() - expected).abs() < 2e-3, "{:?}, not {expected:?}", outcome.prices);
    }
    outcome
}

#[test]
fn the_pjm_system_clears_at_its_published_prices() {
    let with_loads = |loads: [f64; 3]| {
        let loads = loads.into_iter().zip(1..).map(|(megawatt, bus)| load(bus, megawatt));
        pjm_units().into_iter().chain(loads).collect::<Vec<_>>()
    };
    // The published base case of 1000 MW.
    check_prices(&pjm(240.0), &with_loads([300.0, 300.0, 400.0]), &[16.977, 26.384, 30.0, 39.943, 10.0]);
    check_prices(&pjm(240.0), &with_loads([150.0, 150.0, 200.0]), &[10.0; 5]);
    let outcome = check_prices(&pjm(300.0), &with_loads([300.0, 300.0, 400.0]), &[30.0; 5]);
    let flows: Vec<f64> = outcome.flows.iter().map(|flow| (flow.kw() / 1e3 * 1e3).round() / 1e3).collect();
    assert_eq!(flows, [317.603, 209.557, -317.16, 17.603, -92.397, -282.84]);
}

#[test]
fn a_link_without_reactance_carries_what_is_chosen() {
    let network =
        Network { buses: vec!["node1".into(), "node2".into()], links: vec![link(0, 1, None, Some(500.0))] };
    let participants = [
        step(0, 3000.0, 1000.0, 0.0),
        step(1, 3000.0, 200.0, 0.0),
        unit(0, 100.0, 1000.0),
        unit(1, 50.0, 1000.0),
    ];
    let outcome = check_prices(&network, &participants, &[100.0, 50.0]);
    let whole = |powers: &[Milliwatt]| powers.iter().map(|p| (p.kw() / 1e3).round()).collect::<Vec<_>>();
    assert_eq!(whole(&outcome.flows), [-500.0]);
    assert_eq!(whole(&outcome.powers), [1000.0, 200.0, -500.0, -700.0]);
}

#[test]
fn what_can_not_be_brought_is_infeasible() {
    let network =
        Network { buses: vec!["a".into(), "b".into()], links: vec![link(0, 1, Some(0.1), Some(5.0))] };
    assert_eq!(clear(&network, &[unit(0, 10.0, 100.0), load(1, 6.0)]), Err(NodalError::Infeasible));
}

#[test]
fn what_is_no_network_is_refused() {
    let network = |links| Network { buses: vec!["a".into(), "b".into()], links };
    let error = |network: &Network, participants: &[Participant]| {
        clear(network, participants).unwrap_err().to_string()
    };
    assert!(error(&network(vec![link(0, 0, None, None)]), &[]).contains("two different buses"));
    assert!(error(&network(vec![link(0, 1, Some(0.0), None)]), &[]).contains("reactance"));
    assert!(error(&network(vec![link(0, 1, None, Some(-1.0))]), &[]).contains("limit"));
    assert!(error(&network(vec![]), &[load(2, 1.0)]).contains("bus index 2"));
    assert!(error(&Network::default(), &[]).contains("buses: 0"));
}

#[test]
fn the_rest_of_the_market_sells_in_steps() {
    // Below 200 MW E alone sells; from there on the line from E is full, and prices at D are mixtures.
    let supply = residual_supply(&pjm(240.0), &pjm_units(), 3, mw(0.0), mw(900.0)).unwrap();
    let participants = |import: f64| pjm_units().into_iter().chain([load(3, import)]).collect::<Vec<_>>();
    for import in [10.0, 123.4, 300.0, 400.0, 555.5, 700.0, 890.0] {
        let outcome = clear(&pjm(240.0), &participants(import)).unwrap();
        let near = |shift: f64| PicoEurPerWh(outcome.prices[3].0 + (shift * 1e6) as i64);
        assert!(supply.import_at(near(-0.01)).low <= mw(import + 0.01), "{import} MW");
        assert!(supply.import_at(near(0.01)).high >= mw(import - 0.01), "{import} MW");
    }
}

fn markets() -> impl Strategy<Value = (Network, Vec<Participant>)> {
    let spare = (0usize..8, 0usize..8, 0.01f64..1.0, prop::option::of(1.0f64..400.0));
    let unit = (0usize..8, -50.0f64..200.0, 1.0f64..500.0);
    let parts = (
        2usize..8,
        prop::collection::vec(spare, 7..16),
        prop::collection::vec(unit.clone(), 1..20),
        prop::collection::vec(unit, 1..20),
    );
    parts.prop_map(|(buses, spare, sells, buys)| {
        let mut links = Vec::new();
        for (i, (from, to, x, limit)) in spare.into_iter().enumerate() {
            let (from, to) = if i + 1 < buses { (i, i + 1) } else { (from % buses, to % buses) };
            if from != to {
                let id = format!("l{i}");
                let reactance = (i % 5 != 4).then_some(x);
                links.push(Link { id, from, to, reactance, limit: limit.map(mw) });
            }
        }
        let sells = sells.into_iter().map(|(bus, price, most)| unit_at(bus % buses, price, 0.0, -most));
        let buys = buys.into_iter().map(|(bus, price, most)| unit_at(bus % buses, price, most, 0.0));
        let network = Network { buses: (0..buses).map(|bus| format!("b{bus}")).collect(), links };
        (network, sells.chain(buys).collect())
    })
}

/// Steps and slopes in turn.
fn unit_at(bus: usize, price: f64, high: f64, low: f64) -> Participant {
    let width = if (price * 10.0) as i64 % 2 == 0 { 0.0 } else { 20.0 };
    let point = |price, power| Breakpoint { price: eur(price), power: mw(power) };
    Participant { bus, curve: FlexCurve::new(vec![point(price, high), point(price + width, low)]).unwrap() }
}

proptest! {
    #![proptest_config(super::cases(150))]

    /// Clearing checks itself, so it is enough that it ends well; then each of its figures matters.
    #[test]
    fn any_market_clears_and_its_check_refuses_what_is_changed(
        (network, participants) in markets(),
        pick in any::<prop::sample::Index>(),
        shift in prop_oneof![Just(-1i64), Just(1)],
    ) {
        let outcome = clear(&network, &participants).unwrap();
        prop_assert_eq!(check(&network, &participants, &outcome), Ok(()));
        let mut moved = outcome.clone();
        let at = pick.index(moved.powers.len());
        moved.powers[at].0 += shift * 10_000_000_000;
        let refused = check(&network, &participants, &moved);
        let by_power = matches!(refused, Err(CheckError::Power { .. } | CheckError::Sum { .. }));
        prop_assert!(by_power, "{:?}", refused);
        if !network.links.is_empty() {
            let mut moved = outcome.clone();
            let at = pick.index(moved.flows.len());
            moved.flows[at].0 += shift * 10_000_000_000;
            prop_assert!(check(&network, &participants, &moved).is_err());
            let mut moved = outcome;
            moved.congestion[at] += shift as f64 * 20.0;
            prop_assert!(check(&network, &participants, &moved).is_err());
        }
    }
}
