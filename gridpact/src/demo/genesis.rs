//! The genesis of a demo's market: its feeder, its rules, its participants and their first balances.

use super::roster::Member;
use crate::neighbourhood::day::INTERVAL_S;
use crate::neighbourhood::simbench::Grid;
use crate::neighbourhood::Neighbourhood;
use ledger::genesis::Genesis;
use market::parameters::MarketParameters;
use market::units::{NanoEur, PicoEurPerWh};
use wire::party::PartyError;
use wire::topic::Network;

/// What every account begins with: 10 000 EUR, so that nobody's payment fails on a first day.
const FIRST_BALANCE: NanoEur = NanoEur(10_000_000_000_000);
const EUR_PER_MWH: i64 = 1_000_000;

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
};

/// The genesis.
///
/// # Errors
/// Where a grid's word is no identifier, which none carried is.
pub fn build(grid: Grid, neighbourhood: &Neighbourhood, members: &[Member]) -> Result<Genesis, PartyError> {
    Ok(Genesis {
        network: Network { network: "demo".parse()?, feeder: grid.word().parse()? },
        feeder: neighbourhood.feeder.clone(),
        parameters: PARAMETERS,
        participants: members.iter().map(|member| member.participant.clone()).collect(),
        balances: members.iter().map(|member| (member.participant.account.clone(), FIRST_BALANCE)).collect(),
    })
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
            let genesis = build(grid, &here, &members).unwrap();
            genesis.validate().unwrap();
            assert_eq!(genesis.participants.len(), here.customers.len() + 10);
        }
    }
}
