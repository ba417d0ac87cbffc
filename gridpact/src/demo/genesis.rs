//! The genesis of a demo's market: its feeder, its rules, its participants and their first balances.

use super::roster::Member;
use crate::neighbourhood::day::INTERVAL_S;
use crate::neighbourhood::simbench::Grid;
use crate::neighbourhood::Neighbourhood;
use ledger::genesis::Genesis;
use market::charges::Charges;
use market::day_ahead::rules::DayAheadRules;
use market::grid::rules::{GridRules, VoltageLimits};
use market::interval::Interval;
use market::parameters::MarketParameters;
use market::units::{Millivar, NanoEur, PicoEurPerWh};
use std::collections::BTreeMap;
use wire::party::PartyError;
use wire::topic::Network;

/// What every account begins with: 10 000 EUR, so that nobody's payment fails on a first day.
const FIRST_BALANCE: NanoEur = NanoEur(10_000_000_000_000);
const EUR_PER_MWH: i64 = 1_000_000;
/// Nominal voltage in 1e-6 p.u.
const MICRO_PU: i64 = 1_000_000;

/// The rules the demo plays by.
///
/// Prices may lie where the coupled European day-ahead auction lets them (-500 to 4000 EUR/MWh).
pub const PARAMETERS: MarketParameters = MarketParameters {
    interval_s: INTERVAL_S,
    bids_open_s: 600,
    gate_closure_s: 120,
    price_min: PicoEurPerWh(-500 * EUR_PER_MWH),
    price_max: PicoEurPerWh(4_000 * EUR_PER_MWH),
    imbalance_spread: PicoEurPerWh(20 * EUR_PER_MWH),
    aggregator_fee: PicoEurPerWh(EUR_PER_MWH),
    charges: Charges::NONE,
};

/// When a day-ahead session's bids open, in seconds before its first interval: late enough to know what devices
/// will be like at its start, and with time to clear it before real-time bids open.
const DAY_AHEAD_OPEN_S: i64 = 840;
/// When its gate closes.
const DAY_AHEAD_CLOSURE_S: i64 = 660;

/// The rules of the day-ahead market with sessions of so many intervals, one of which starts at `first`; none
/// for no such market.
pub fn day_ahead(intervals: u32, first: Interval) -> Option<DayAheadRules> {
    let session_s = i64::from(intervals) * INTERVAL_S;
    (session_s > 0).then(|| DayAheadRules {
        intervals,
        offset_s: first.start().0.rem_euclid(session_s),
        bids_open_s: DAY_AHEAD_OPEN_S,
        gate_closure_s: DAY_AHEAD_CLOSURE_S,
    })
}

/// The genesis, with a day-ahead market where there are rules for one.
///
/// # Errors
/// Where a grid's word is no identifier, which none carried is.
pub fn build(
    grid: Grid,
    neighbourhood: &Neighbourhood,
    members: &[Member],
    day_ahead: Option<DayAheadRules>,
) -> Result<Genesis, PartyError> {
    Ok(Genesis {
        network: Network { network: "demo".parse()?, feeder: grid.word().parse()? },
        feeder: neighbourhood.feeder.clone(),
        parameters: PARAMETERS,
        grid: Some(grid_rules(neighbourhood)),
        day_ahead,
        participants: members.iter().map(|member| member.participant.clone()).collect(),
        balances: members.iter().map(|member| (member.participant.account.clone(), FIRST_BALANCE)).collect(),
    })
}

/// Voltage within 10 % of the nominal (EN 50160), apparent power within ratings, losses at the day's mean
/// price of what is bought for them. Reactive power is what the customers of a bus take at most at one
/// time: the market does not clear it, and must leave room for it.
fn grid_rules(neighbourhood: &Neighbourhood) -> GridRules {
    let prices = &neighbourhood.prices;
    let mean = prices.iter().map(|price| price.0).sum::<i64>() / (prices.len().max(1) as i64);
    let most = |series: &[f64]| series.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
    let planned = |series: &[f64]| Millivar::from_kvar(most(series)? / 1e3);
    let reactive = neighbourhood.reactive_by_bus();
    GridRules {
        root_voltage_micro_pu: MICRO_PU,
        voltage: VoltageLimits {
            min_micro_pu: Some(MICRO_PU * 9 / 10),
            max_micro_pu: Some(MICRO_PU * 11 / 10),
        },
        voltage_at: BTreeMap::new(),
        loading_max_percent: Some(100),
        loss_price: PicoEurPerWh(mean.max(0)),
        voltage_deviation_micro_eur_per_h: 0,
        // Day-ahead prices hold the price of carbon already.
        carbon_price: None,
        reactive_full_price: Some(PicoEurPerWh(5 * EUR_PER_MWH)),
        reactive: reactive.iter().filter_map(|(bus, q)| Some((bus.clone(), planned(q)?))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::roster;
    use super::*;
    use crate::neighbourhood::dataset::Dataset;
    use crate::neighbourhood::day::{Day, Season, Weekday};

    #[test]
    fn every_grids_genesis_holds() {
        let day = Day { season: Season::Winter, weekday: Weekday::Wednesday };
        for grid in [Grid::Rural1, Grid::Semiurb4, Grid::Urban6] {
            let here = Neighbourhood::read(grid, day, &Dataset::Embedded).unwrap();
            let members = roster::draw(&here).unwrap();
            for intervals in [0, 2, 96] {
                let rules = day_ahead(intervals, here.first);
                let genesis = build(grid, &here, &members, rules).unwrap();
                genesis.validate().unwrap();
                assert_eq!(genesis.participants.len(), here.customers.len() + 10);
                assert!(rules.is_none_or(|r| r.session_of(&PARAMETERS, here.first) == here.first));
            }
        }
    }
}
