//! A SimBench low-voltage grid as its file has it: no interpretation beyond names and types.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The grids carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Grid {
    /// 160 kVA, 15 customers, much PV: farms and a few houses.
    Rural1,
    /// 400 kVA, 42 customers.
    Semiurb4,
    /// 630 kVA, 111 customers.
    Urban6,
}

impl Grid {
    /// The grid's word in file names and identifiers.
    pub fn word(self) -> &'static str {
        match self {
            Grid::Rural1 => "rural1",
            Grid::Semiurb4 => "semiurb4",
            Grid::Urban6 => "urban6",
        }
    }
}

/// A grid file.
#[derive(Clone, Debug, Deserialize)]
pub struct GridFile {
    /// SimBench's code of the grid.
    pub code: String,
    /// Buses, one of them (or more) at medium voltage.
    pub buses: Vec<Bus>,
    /// Lines, in the order switches refer to.
    pub lines: Vec<GridLine>,
    /// Switches; open ones take their line or transformer out.
    pub switches: Vec<Switch>,
    /// The one transformer.
    pub transformer: Transformer,
    /// Loads; consumption positive.
    pub loads: Vec<Load>,
    /// PV generators; injection positive.
    pub generators: Vec<Generator>,
    /// Batteries.
    pub storage: Vec<Storage>,
}

/// A bus.
#[derive(Clone, Debug, Deserialize)]
pub struct Bus {
    /// Number, by which everything else refers to it.
    pub id: usize,
    /// Name.
    pub name: String,
    /// Nominal line-to-line voltage.
    pub vn_kv: f64,
}

/// A line.
#[derive(Clone, Debug, Deserialize)]
pub struct GridLine {
    /// Name.
    pub name: String,
    /// One end.
    pub from_bus: usize,
    /// The other end.
    pub to_bus: usize,
    /// Length.
    pub length_km: f64,
    /// Series resistance per length.
    pub r_ohm_per_km: f64,
    /// Series reactance per length.
    pub x_ohm_per_km: f64,
    /// Thermal limit of the current.
    pub max_i_a: f64,
    /// Whether it is there at all.
    pub in_service: bool,
}

/// A switch.
#[derive(Clone, Debug, Deserialize)]
pub struct Switch {
    /// Row of what it switches, among lines or transformers; the other bus for a bus switch.
    pub element: usize,
    /// `l` for a line, `t` for the transformer, `b` between two buses.
    pub et: String,
    /// Whether current can pass.
    pub closed: bool,
}

/// The transformer.
#[derive(Clone, Debug, Deserialize)]
pub struct Transformer {
    /// Name.
    pub name: String,
    /// Bus at medium voltage.
    pub hv_bus: usize,
    /// Bus at low voltage.
    pub lv_bus: usize,
    /// Rating.
    pub sn_kva: f64,
    /// Nominal voltage of the low-voltage side.
    pub vn_lv_kv: f64,
    /// Short-circuit voltage.
    pub vk_percent: f64,
    /// Its real part.
    pub vkr_percent: f64,
}

/// A load, with its profile.
#[derive(Clone, Debug, Deserialize)]
pub struct Load {
    /// Name.
    pub name: String,
    /// Where.
    pub bus: usize,
    /// Real power at which the profile is 1.
    pub p_kw: f64,
    /// Reactive power at which the profile is 1.
    pub q_kvar: f64,
    /// Profile, without `_pload` or `_qload`.
    pub profile: String,
}

/// A PV generator, with its profile.
#[derive(Clone, Debug, Deserialize)]
pub struct Generator {
    /// Name.
    pub name: String,
    /// Where.
    pub bus: usize,
    /// Real power at which the profile is 1.
    pub p_kw: f64,
    /// Column of the generator profiles.
    pub profile: String,
}

/// A battery.
#[derive(Clone, Debug, Deserialize)]
pub struct Storage {
    /// Name.
    pub name: String,
    /// Where.
    pub bus: usize,
    /// Most charging and discharging power.
    pub p_kw: f64,
    /// Usable energy.
    pub energy_kwh: f64,
    /// One-way efficiency, 0 to 1.
    pub efficiency: f64,
}

/// What a load is, told by its profile's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadKind {
    /// Household, business or farm: `H0-*`, `G*`, `L*`.
    Base,
    /// Heat pump: `Air_*`, `Soil_*`.
    HeatPump,
    /// Charging a car at home or in public: `HLS_*`, `APLS_*`.
    Charger,
}

impl Load {
    /// What it is; none for a profile of another name.
    pub fn kind(&self) -> Option<LoadKind> {
        let kinds = [
            (["HLS_", "APLS_"].as_slice(), LoadKind::Charger),
            (&["Air_", "Soil_"], LoadKind::HeatPump),
            (&["H", "G", "L"], LoadKind::Base),
        ];
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| self.profile.starts_with(prefix));
        kinds.iter().find(|(prefixes, _)| begins(prefixes)).map(|(_, kind)| *kind)
    }
}
