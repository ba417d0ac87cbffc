//! A small market for tests: figures and parties that several files' tests need.

use crate::roster::SiteEntry;
use crate::site::day_ahead::Setting;
use market::charges::Charges;
use market::day_ahead::rules::DayAheadRules;
use market::day_ahead::terms::DayAheadTerms;
use market::feeder::{Feeder, Line};
use market::grid::rules::{GridRules, VoltageLimits};
use market::parameters::MarketParameters;
use market::units::{Milliwatt, PicoEurPerWh};
use std::collections::BTreeMap;
use wire::party::{PartyId, Role};

/// Intervals of 900 s, bids from 600 s before, gate closure 120 s before; -500 to 4000 EUR/MWh.
pub fn parameters() -> MarketParameters {
    MarketParameters {
        interval_s: 900,
        bids_open_s: 600,
        gate_closure_s: 120,
        price_min: PicoEurPerWh(-500_000_000),
        price_max: PicoEurPerWh(4_000_000_000),
        imbalance_spread: PicoEurPerWh(20_000_000),
        aggregator_fee: PicoEurPerWh(1_000_000),
        charges: Charges::NONE,
    }
}

/// Neither voltage nor losses count for anything.
pub fn grid_rules() -> GridRules {
    GridRules {
        root_voltage_micro_pu: 1_000_000,
        voltage: VoltageLimits::default(),
        voltage_at: BTreeMap::new(),
        loading_max_percent: None,
        loss_price: PicoEurPerWh::ZERO,
        voltage_deviation_micro_eur_per_h: 0,
        reactive: BTreeMap::new(),
        reactive_full_price: None,
        carbon_price: None,
    }
}

/// Sessions of an hour, bids from half an hour before it, gate closure a quarter before; a line to one bus.
pub fn day_ahead() -> Setting {
    let line = Line {
        id: "l".into(),
        from: "r".into(),
        to: "b".into(),
        power_max: None,
        power_min: None,
        resistance_microohm: 1_000,
        reactance_microohm: 1_000,
        rating_millivoltampere: None,
    };
    let buses = vec!["r".into(), "b".into()];
    let feeder = Feeder { voltage_millivolt: 400_000, root: "r".into(), buses, lines: vec![line] };
    let terms = grid_rules().terms(&feeder, &feeder.tree().unwrap()).unwrap();
    Setting {
        rules: DayAheadRules { intervals: 4, offset_s: 0, bids_open_s: 1_800, gate_closure_s: 900 },
        terms: DayAheadTerms::new(&terms, 900).unwrap(),
    }
}

pub fn aggregator(id: &str) -> PartyId {
    PartyId::new(Role::Aggregator, id.parse().unwrap())
}

pub fn site_entry(id: &str, connection_mw: i64) -> SiteEntry {
    SiteEntry {
        party: PartyId::new(Role::Site, id.parse().unwrap()),
        account: format!("acc-{id}").parse().unwrap(),
        aggregator: "a1".parse().unwrap(),
        bus: "b1".to_owned(),
        connection: Milliwatt(connection_mw),
    }
}
