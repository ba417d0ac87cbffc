//! A small market for tests: figures and parties that several files' tests need.

use crate::roster::SiteEntry;
use market::parameters::MarketParameters;
use market::units::{Milliwatt, PicoEurPerWh};
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
