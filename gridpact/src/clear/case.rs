//! The schema `market-case/1` as written: types and nothing else. Unknown and repeated keys are
//! refused by the parser, which names line and column.

use serde::de::IgnoredAny;
use serde::Deserialize;

/// The one schema read here.
pub const SCHEMA: &str = "market-case/1";

/// `[price in EUR/MWh, power in kW]`.
pub type Corner = [f64; 2];

/// One case. Keys that only describe it (`title`, `expected`, ...) are not read.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub schema: String,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default, rename = "title")]
    _title: IgnoredAny,
    #[serde(default, rename = "tags")]
    _tags: IgnoredAny,
    #[serde(default, rename = "seed")]
    _seed: IgnoredAny,
    #[serde(default, rename = "expected")]
    _expected: IgnoredAny,
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
    #[serde(default, rename = "origin")]
    _origin: IgnoredAny,
    #[serde(default, rename = "description")]
    _description: IgnoredAny,
    #[serde(default, rename = "notes")]
    _notes: IgnoredAny,
    #[serde(default = "lindistflow")]
    pub model: String,
    #[serde(default)]
    pub interval_h: Option<f64>,
    #[serde(default)]
    pub intervals: Option<u64>,
    #[serde(default)]
    pub base: Option<Base>,
    pub root: String,
    #[serde(default)]
    pub v_root_pu: Option<f64>,
    pub nodes: Vec<Node>,
    pub lines: Vec<Line>,
    pub sites: Vec<Site>,
    pub tso: Tso,
    #[serde(default)]
    pub policy: Policy,
    #[serde(default)]
    pub storages: Vec<StorageCase>,
    #[serde(default)]
    pub deferrables: Vec<DeferrableCase>,
}

fn lindistflow() -> String {
    "lindistflow".to_owned()
}

/// What per-unit figures refer to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    pub s_kva: f64,
    pub v_kv: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    pub id: String,
    #[serde(default)]
    pub v_min_pu: Option<f64>,
    #[serde(default)]
    pub v_max_pu: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub id: String,
    pub from: String,
    pub to: String,
    #[serde(default)]
    pub r_ohm: Option<f64>,
    #[serde(default)]
    pub x_ohm: Option<f64>,
    #[serde(default)]
    pub r_pu: Option<f64>,
    #[serde(default)]
    pub x_pu: Option<f64>,
    #[serde(default)]
    pub p_max_kw: Option<f64>,
    #[serde(default)]
    pub p_min_kw: Option<f64>,
    #[serde(default)]
    pub s_max_kva: Option<f64>,
    /// A transformer's ratio off its middle tap: voltage behind it over voltage before it.
    #[serde(default)]
    pub tap_ratio: Option<f64>,
    /// An on-load tap changer, whose position the clearing chooses.
    #[serde(default)]
    pub taps: Option<Taps>,
}

/// A tap changer's ratios: so many, evenly spaced from the least to the most.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taps {
    pub ratio_min: f64,
    pub ratio_max: f64,
    pub positions: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    pub id: String,
    pub node: String,
    pub curve: Vec<Corner>,
    #[serde(default)]
    pub q: Reactive,
    #[serde(default)]
    pub emission_t_per_mwh: Option<f64>,
    #[serde(default)]
    pub reserve_up: Option<Reserve>,
    #[serde(default)]
    pub reserve_down: Option<Reserve>,
    #[serde(default)]
    pub profile: Option<Vec<f64>>,
}

/// Power a site can keep ready, at a price in EUR/MW,h.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    pub max_kw: f64,
    pub price: f64,
}

/// A storage that the market schedules over several intervals.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageCase {
    pub id: String,
    pub node: String,
    pub e_min_kwh: f64,
    pub e_max_kwh: f64,
    pub e0_kwh: f64,
    pub e_end_min_kwh: f64,
    pub p_ch_max_kw: f64,
    pub p_dis_max_kw: f64,
    pub eta_ch: f64,
    pub eta_dis: f64,
    #[serde(default)]
    pub wear_eur_per_mwh: f64,
}

/// Energy due within a window of intervals.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeferrableCase {
    pub id: String,
    pub node: String,
    pub energy_kwh: f64,
    pub p_max_kw: f64,
    pub t_start: usize,
    pub t_end: usize,
}

/// A site's reactive power, in kvar.
#[derive(Debug, Default, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase", deny_unknown_fields)]
pub enum Reactive {
    #[default]
    None,
    Fixed {
        q_kvar: f64,
    },
    Tan {
        tan_phi: f64,
    },
    Range {
        q_min_kvar: f64,
        q_max_kvar: f64,
        #[serde(default)]
        cost_eur_per_mvarh2: f64,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tso {
    #[serde(default)]
    pub curve: Option<Vec<Corner>>,
    #[serde(default)]
    pub curves: Option<Vec<Vec<Corner>>>,
    #[serde(default)]
    pub emission_t_per_mwh: Option<OneOrMany>,
}

/// One figure, or one for each interval.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(f64),
    Many(Vec<f64>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    #[serde(default)]
    pub carbon_price: Option<f64>,
    #[serde(default)]
    pub loss_price: Option<f64>,
    #[serde(default)]
    pub reserve_up_kw: Option<f64>,
    #[serde(default)]
    pub reserve_down_kw: Option<f64>,
    /// EUR/h for each node and p.u.^4 of the squared voltage's squared distance from 1.
    #[serde(default)]
    pub voltage_deviation_price: Option<f64>,
}
