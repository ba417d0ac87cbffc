//! Clearing a day of 96 quarter hours on the 33-bus feeder of Baran and Wu (1989) with a thousand storage
//! orders, and checking its certificate. The voltage limits bind in the evening.

use super::figure::{Figure, Target};
use super::stopwatch::{milliseconds, timed};
use super::BenchError;
use market::grid::problem::{Branch, Losses, Network, Piece, Reactive, Supply, VoltageBand};
use market::horizon::certificate::{check, Tolerance};
use market::horizon::clear;
use market::horizon::clearing::HorizonClearing;
use market::horizon::problem::{DeferrableOrder, HorizonProblem, OfferCurve, ProfiledOffer, StorageOrder};

const INTERVALS: usize = 96;

/// Parent, ohms of the line that feeds it, kW and kvar of each bus but the root (Baran and Wu, 1989).
const BUSES: [(usize, f64, f64, f64, f64); 32] = [
    (0, 0.0922, 0.0470, 100.0, 60.0),
    (1, 0.4930, 0.2511, 90.0, 40.0),
    (2, 0.3660, 0.1864, 120.0, 80.0),
    (3, 0.3811, 0.1941, 60.0, 30.0),
    (4, 0.8190, 0.7070, 60.0, 20.0),
    (5, 0.1872, 0.6188, 200.0, 100.0),
    (6, 0.7114, 0.2351, 200.0, 100.0),
    (7, 1.0300, 0.7400, 60.0, 20.0),
    (8, 1.0440, 0.7400, 60.0, 20.0),
    (9, 0.1966, 0.0650, 45.0, 30.0),
    (10, 0.3744, 0.1238, 60.0, 35.0),
    (11, 1.4680, 1.1550, 60.0, 35.0),
    (12, 0.5416, 0.7129, 120.0, 80.0),
    (13, 0.5910, 0.5260, 60.0, 10.0),
    (14, 0.7463, 0.5450, 60.0, 20.0),
    (15, 1.2890, 1.7210, 60.0, 20.0),
    (16, 0.7320, 0.5740, 90.0, 40.0),
    (1, 0.1640, 0.1565, 90.0, 40.0),
    (18, 1.5042, 1.3554, 90.0, 40.0),
    (19, 0.4095, 0.4784, 90.0, 40.0),
    (20, 0.7089, 0.9373, 90.0, 40.0),
    (2, 0.4512, 0.3083, 90.0, 50.0),
    (22, 0.8980, 0.7091, 420.0, 200.0),
    (23, 0.8960, 0.7011, 420.0, 200.0),
    (5, 0.2030, 0.1034, 60.0, 25.0),
    (25, 0.2842, 0.1447, 60.0, 25.0),
    (26, 1.0590, 0.9337, 60.0, 20.0),
    (27, 0.8042, 0.7006, 120.0, 70.0),
    (28, 0.5075, 0.2585, 200.0, 600.0),
    (29, 0.9744, 0.9630, 150.0, 70.0),
    (30, 0.3105, 0.3619, 210.0, 100.0),
    (31, 0.3410, 0.5302, 60.0, 40.0),
];

/// Square of the feeder's 12.66 kV by 1 kVA, in ohms.
const OHM_PER_PU_KVA: f64 = 12.66 * 12.66 * 1e3;

/// xorshift64*: the same orders in every run.
struct Random(u64);

impl Random {
    fn between(&mut self, least: f64, most: f64) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let part = (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64;
        least + part * (most - least)
    }
}

fn network() -> Network {
    let branch = |resistance: f64, reactance: f64| Branch {
        resistance_pu_per_kva: resistance / OHM_PER_PU_KVA,
        reactance_pu_per_kva: reactance / OHM_PER_PU_KVA,
        ratio_square: 1.0,
        power_min_kw: f64::NEG_INFINITY,
        power_max_kw: f64::INFINITY,
        apparent_max_kva: f64::INFINITY,
    };
    let band = VoltageBand { min_square_pu: 0.95 * 0.95, max_square_pu: 1.04 * 1.04 };
    let mut network = Network {
        parent: vec![0],
        branches: vec![branch(0.0, 0.0)],
        bands: vec![band; 1 + BUSES.len()],
        root_voltage_square_pu: 1.0,
        losses: Losses::Neglected,
    };
    for (parent, resistance, reactance, _, _) in BUSES {
        network.parent.push(parent);
        network.branches.push(branch(resistance, reactance));
    }
    network.branches[1].power_max_kw = 2_600.0;
    network
}

/// Load by time of day: low at night, highest at 19:00.
fn shape(t: usize) -> f64 {
    let hour = t as f64 * 24.0 / INTERVALS as f64;
    let bump = |at: f64, width: f64| (-((hour - at) / width).powi(2)).exp();
    0.45 + 0.2 * bump(8.0, 2.0) + 0.55 * bump(19.0, 2.5)
}

fn offer(place: usize, kw: f64, kvar: f64, random: &mut Random) -> ProfiledOffer {
    let curve = |t: usize| {
        let load = kw * (shape(t) + random.between(-0.02, 0.02));
        OfferCurve {
            power_min_kw: 0.6 * load,
            pieces: vec![
                Piece { width_kw: 0.25 * load, price_high: 400.0, price_low: 120.0 },
                Piece { width_kw: 0.15 * load, price_high: 80.0, price_low: 40.0 },
            ],
        }
    };
    let reactive = Reactive::Proportional { tan_phi: (kvar / kw).min(0.6) };
    ProfiledOffer { place, reactive, curves: (0..INTERVALS).map(curve).collect() }
}

fn supply(t: usize) -> Supply {
    let base = 30.0 + 60.0 * shape(t);
    let piece =
        |width_kw, from: f64, to: f64| Piece { width_kw, price_low: base + from, price_high: base + to };
    Supply {
        import_min_kw: -4_000.0,
        pieces: vec![piece(4_000.0, -20.0, 0.0), piece(4_000.0, 0.0, 25.0), piece(4_000.0, 25.0, 120.0)],
    }
}

fn storage(random: &mut Random) -> StorageOrder {
    let power_kw = random.between(1.0, 6.0);
    let energy_kwh = power_kw * random.between(1.5, 4.0);
    let start = random.between(0.1, 0.9) * energy_kwh;
    StorageOrder {
        place: 1 + random.between(0.0, BUSES.len() as f64) as usize,
        charge_max_kw: power_kw,
        discharge_max_kw: power_kw,
        energy_min_kwh: 0.05 * energy_kwh,
        energy_max_kwh: energy_kwh,
        energy_start_kwh: start,
        energy_end_min_kwh: start.min(0.5 * energy_kwh),
        charge_efficiency: random.between(0.9, 0.98),
        discharge_efficiency: random.between(0.9, 0.98),
        wear_eur_per_mwh: random.between(1.0, 10.0),
    }
}

fn deferrable(random: &mut Random) -> DeferrableOrder {
    let start = random.between(0.0, 60.0) as usize;
    let end = start + random.between(16.0, 36.0) as usize;
    let hours = (end - start) as f64 * 24.0 / INTERVALS as f64;
    DeferrableOrder {
        place: 1 + random.between(0.0, BUSES.len() as f64) as usize,
        energy_kwh: random.between(0.2, 0.6) * 7.4 * hours,
        power_max_kw: 7.4,
        start,
        end,
    }
}

fn problem(storages: usize) -> HorizonProblem {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let loads = BUSES.iter().enumerate();
    HorizonProblem {
        network: network(),
        interval_hours: 24.0 / INTERVALS as f64,
        supplies: (0..INTERVALS).map(supply).collect(),
        offers: loads.map(|(i, bus)| offer(i + 1, bus.3, bus.4, &mut random)).collect(),
        storages: (0..storages).map(|_| storage(&mut random)).collect(),
        deferrables: (0..storages / 5).map(|_| deferrable(&mut random)).collect(),
        loss_price: 0.0,
    }
}

/// In how many intervals a limit has an effect: of lines, and of voltage.
fn binding(clearing: &HorizonClearing) -> (usize, usize) {
    let lines = clearing.intervals.iter().filter(|i| i.duals.iter().any(|d| d.power_max > 1e-3)).count();
    let voltages = clearing.intervals.iter().filter(|i| i.duals.iter().any(|d| d.voltage_min > 1e-3)).count();
    (lines, voltages)
}

/// The day, cleared once and checked once.
///
/// # Errors
/// Where the day does not clear, or its certificate does not hold.
pub fn measure(storages: usize) -> Result<Vec<Figure>, BenchError> {
    let problem = problem(storages);
    let (cleared, clearing) = timed(|| clear(&problem));
    let clearing = clearing?;
    let (checked, verdict) = timed(|| check(&problem, &clearing, &Tolerance::default()));
    let gap_eur = verdict?.gap_eur;
    let (lines, voltages) = binding(&clearing);
    let orders = problem.deferrables.len();
    let detail = format!(
        "and {orders} deferrable orders; voltage binds in {voltages} intervals, a line in {lines}; a gap of {gap_eur:.1e} EUR"
    );
    Ok(vec![
        Figure {
            name: format!("day ahead, {INTERVALS} intervals x 33 buses x {storages} storage orders"),
            measured: cleared.as_secs_f64(),
            unit: "s",
            target: Target::AtMost(10.0),
            detail,
        },
        Figure {
            name: "checking that day against clearing it".to_owned(),
            measured: cleared.as_secs_f64() / checked.as_secs_f64(),
            unit: "x",
            target: Target::AtLeast(50.0),
            detail: format!("checked in {:.2} ms", milliseconds(checked)),
        },
    ])
}
