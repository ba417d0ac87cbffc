//! A day-ahead session between a DSO and its aggregators, played whole in one process: what the rounds ask
//! and take, and what its certificate costs to check: `cargo bench -p market --bench day_ahead`.
//!
//! A suburb of 59 buses and 96 quarter hours, 111 sites: flexible demand at every bus, plants at every
//! third, a battery at every second, a car at every one. Answers are made from the curves as they are asked,
//! and not counted.

use market::clearing::sampled::{Question, MAX_ROUNDS};
use market::clearing::samples::{Sample, Samples};
use market::clearing::PriceRange;
use market::curve::{Breakpoint, FlexCurve};
use market::day_ahead::certificate;
use market::day_ahead::orders::{DeferrableOffer, Orders, Placed, StorageOffer};
use market::day_ahead::rounds::{DayAheadMarket, SessionCleared, SessionOutcome, SessionParty};
use market::day_ahead::terms::DayAheadTerms;
use market::feeder::{Feeder, Line};
use market::grid::rules::{GridRules, VoltageLimits};
use market::supply::SupplyCurve;
use market::units::{Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

const BUSES: usize = 59;
const INTERVALS: usize = 96;
const INTERVAL_S: i64 = 900;
/// One kW in milliwatts, and one EUR/MWh in ticks.
const UNIT: i64 = 1_000_000;
const KWH: i64 = 3_600_000_000;

/// Corners are told in windows of a 64th of the price range, as aggregators do.
const NARROW: i64 = 4_500 * UNIT / 64;

/// The least that making must cost, as a multiple of checking.
const WANTED: f64 = 50.0;

/// xorshift64*: the same sites in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as i64) % bound
    }
}

/// A tree of 400 V lines, each bus feeding up to three, behind a transformer of 400 kVA.
fn feeder() -> Feeder {
    let line = |bus: usize| Line {
        id: format!("l{bus}"),
        from: format!("n{}", if bus < 2 { 0 } else { (bus - 2) / 3 + 1 }),
        to: format!("n{bus}"),
        power_max: None,
        power_min: None,
        resistance_microohm: if bus < 2 { 4_000 } else { 8_000 },
        reactance_microohm: if bus < 2 { 15_000 } else { 3_000 },
        rating_millivoltampere: Some(if bus < 2 { 250 * UNIT } else { 120 * UNIT }),
    };
    Feeder {
        voltage_millivolt: 400_000,
        root: "n0".into(),
        buses: (0..BUSES).map(|bus| format!("n{bus}")).collect(),
        lines: (1..BUSES).map(line).collect(),
    }
}

fn rules() -> GridRules {
    GridRules {
        root_voltage_micro_pu: UNIT,
        voltage: VoltageLimits { min_micro_pu: Some(940_000), max_micro_pu: Some(1_050_000) },
        voltage_at: BTreeMap::new(),
        loading_max_percent: Some(100),
        loss_price: PicoEurPerWh(50 * UNIT),
        voltage_deviation_micro_eur_per_h: 0,
        reactive: (1..BUSES).map(|bus| (format!("n{bus}"), Millivar(UNIT / 2))).collect(),
        reactive_full_price: None,
        carbon_price: None,
    }
}

/// Base load, a heat pump in four steps, and at some buses a plant that stops below nothing.
fn curve(random: &mut Random, interval: usize, plant: bool) -> Result<FlexCurve, Box<dyn Error>> {
    let evening = (68..84).contains(&interval);
    let base = 500_000 + random.below(if evening { 2_500_000 } else { 1_000_000 });
    let mut points = Vec::new();
    let mut power = base + 4 * 800_000;
    let mut price = random.below(20) * UNIT;
    let noon = 48 - (interval as i64 - 48).abs();
    let sun = if plant { (noon - 24).max(0) * 250_000 } else { 0 };
    let edge = Breakpoint { price: PicoEurPerWh(-random.below(5 * UNIT)), power: Milliwatt(power) };
    points.push(edge);
    power -= sun;
    points.push(Breakpoint { power: Milliwatt(power), ..edge });
    for _ in 0..4 {
        price += random.below(50 * UNIT);
        points.push(Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) });
        power -= 800_000;
        points.push(Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) });
    }
    Ok(FlexCurve::new(points)?)
}

fn orders(random: &mut Random) -> Orders {
    let battery = |place: usize, full: i64| Placed {
        place,
        order: StorageOffer {
            charge_max: Milliwatt(5 * UNIT),
            discharge_max: Milliwatt(5 * UNIT),
            energy_min: Millijoule(KWH / 2),
            energy_max: Millijoule(10 * KWH),
            energy_start: Millijoule(KWH * (1 + full)),
            energy_end_min: Millijoule(KWH),
            charge_efficiency_ppm: 950_000,
            discharge_efficiency_ppm: 950_000,
            wear: PicoEurPerWh(10 * UNIT),
        },
    };
    let car = |place: usize, start: i64, energy: i64| Placed {
        place,
        order: DeferrableOffer {
            energy: Millijoule(energy * KWH),
            power_max: Milliwatt(11 * UNIT),
            start: start as u32,
            end: start as u32 + 32,
        },
    };
    Orders {
        storages: (1..BUSES).step_by(2).map(|place| battery(place, random.below(8))).collect(),
        deferrables: (1..BUSES).map(|place| car(place, random.below(64), 4 + random.below(20))).collect(),
    }
}

/// Answers a question as an aggregator does, and says how many prices were asked.
fn answer(
    curves: &[Vec<FlexCurve>],
    questions: &[Question],
    known: &mut [Vec<Samples>],
) -> Result<usize, Box<dyn Error>> {
    let mut asked = 0;
    for (party, (curves, samples)) in curves.iter().zip(known).enumerate() {
        for ((curve, samples), question) in curves.iter().zip(samples).zip(questions) {
            for window in &question.of_bus[party + 1] {
                let window = &question.windows[*window];
                let sample = |tick: PicoEurPerWh| Sample { tick, power: curve.power_at(tick) };
                samples.learn(window.ticks.iter().copied().map(sample))?;
                asked += window.ticks.len();
                if window.to.0 - window.from.0 <= NARROW {
                    let corners = curve.points().iter().map(|point| point.price);
                    let corners = corners.filter(|price| (window.from..window.to).contains(price)).take(16);
                    samples.learn(corners.flat_map(|price| [price, price.next()]).map(sample))?;
                }
            }
        }
    }
    Ok(asked)
}

fn play(
    market: &DayAheadMarket<'_>,
    curves: &[Vec<FlexCurve>],
) -> Result<(SessionCleared, Duration), Box<dyn Error>> {
    let mut known = vec![vec![Samples::default(); INTERVALS]; curves.len()];
    let (mut questions, mut making) = (market.first_question(), Duration::ZERO);
    for round in 1..=MAX_ROUNDS {
        let asked = answer(curves, &questions, &mut known)?;
        let parties: Vec<_> =
            known.iter().zip(1..).map(|(samples, bus)| SessionParty { bus, samples }).collect();
        let start = Instant::now();
        let outcome = market.clear(&parties, MAX_ROUNDS - round)?;
        let took = start.elapsed();
        making += took;
        println!("round {round}: {asked} prices asked, solved in {:.2} s", took.as_secs_f64());
        match outcome {
            SessionOutcome::Cleared(cleared) => return Ok((*cleared, making)),
            SessionOutcome::Ask(next) => questions = next,
        }
    }
    Err("not cleared".into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = Random(20_260_101);
    let feeder = feeder();
    let tree = feeder.tree()?;
    let terms = DayAheadTerms::new(&rules().terms(&feeder, &tree)?, INTERVAL_S)?;
    let range = PriceRange::new(PicoEurPerWh(-500 * UNIT), PicoEurPerWh(4_000 * UNIT)).ok_or("no range")?;
    let supply = |interval: usize| {
        let price = 60 + ((interval as i64 * 7) % 40) - if (40..60).contains(&interval) { 45 } else { 0 };
        let end = |kw: i64, price: i64| Breakpoint {
            price: PicoEurPerWh(price * UNIT),
            power: Milliwatt(kw * UNIT),
        };
        SupplyCurve::new(vec![end(-400, price - 2), end(400, price + 2)])
    };
    let supplies = (0..INTERVALS).map(supply).collect::<Result<Vec<_>, _>>()?;
    let orders = orders(&mut random);
    let mut curves = Vec::new();
    for bus in 1..BUSES {
        let of_bus = (0..INTERVALS).map(|interval| curve(&mut random, interval, bus % 3 == 0));
        curves.push(of_bus.collect::<Result<Vec<_>, _>>()?);
    }
    let market = DayAheadMarket { terms: &terms, tree: &tree, supplies: &supplies, range, orders: &orders };
    let (cleared, making) = play(&market, &curves)?;
    let check = || certificate::check(&terms, &supplies, &orders, &cleared.clearing, &cleared.demands);
    check()?;
    let start = Instant::now();
    const TIMES: u32 = 20;
    for _ in 0..TIMES {
        black_box(check())?;
    }
    let checking = start.elapsed() / TIMES;
    let binding: usize = cleared.clearing.intervals.iter().map(|interval| interval.binding.len()).sum();
    let ratio = making.as_secs_f64() / checking.as_secs_f64();
    println!(
        "{BUSES} buses, {INTERVALS} intervals, {} storage and {} deferrable orders, {binding} limits bind: \
         made in {:.2} s, checked in {:.2} ms, ratio {ratio:.0}",
        orders.storages.len(),
        orders.deferrables.len(),
        making.as_secs_f64(),
        checking.as_secs_f64() * 1e3
    );
    if ratio < WANTED {
        return Err(format!("less than {WANTED} wanted").into());
    }
    Ok(())
}
