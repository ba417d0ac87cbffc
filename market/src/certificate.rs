//! The certificate: whether a clearing is feasible and optimal, from signed demand alone.
//!
//! A clearing carries its dual solution, the prices. By complementary slackness (strong duality of
//! linear programs) a feasible clearing is optimal exactly when every party takes what it asks for
//! at its price, and prices differ along a line only in the direction in which the line is full.
//! So nobody needs to solve anything to check it, or to trust whoever solved it.
//!
//! Everything is integers, and nothing a hostile proposer can write overflows or panics.

use crate::clearing::Clearing;
use crate::feeder::{Feeder, Tree};
use crate::share::Demand;
use crate::supply::SupplyCurve;
use crate::units::{Milliwatt, PicoEurPerWh, PRICE_BOUND};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What one party (an aggregator, or a single site) asks for at its bus's price, and was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyDemand {
    /// Index of its bus in [`Feeder::buses`].
    pub bus: usize,
    /// What its bids allow at that bus's price.
    pub range: Demand,
    /// What it was given.
    pub allocation: Milliwatt,
}

/// What of a clearing does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// The clearing has not one price and allocation for each bus and one flow for each line.
    #[error("{what}: {count} figures, {expected} needed")]
    Shape {
        /// prices, allocations or flows.
        what: &'static str,
        /// Figures given.
        count: usize,
        /// Figures needed.
        expected: usize,
    },
    /// A price beyond [`PRICE_BOUND`].
    #[error("bus {bus:?}: its price {price} is out of bounds")]
    Price {
        /// The bus.
        bus: String,
        /// Its price.
        price: PicoEurPerWh,
    },
    /// A party at a bus that does not exist.
    #[error("party {party} is at bus index {bus}, which does not exist")]
    UnknownBus {
        /// Place of the party in the list.
        party: usize,
        /// The bus index it names.
        bus: usize,
    },
    /// A party was given what it did not ask for at its price.
    #[error("party {party} was given {allocation}, and asks for {} to {}", range.low, range.high)]
    Allocation {
        /// Place of the party in the list.
        party: usize,
        /// What it was given.
        allocation: Milliwatt,
        /// What it asks for.
        range: Demand,
    },
    /// The parties at a bus were not given together what the clearing says.
    #[error("bus {bus:?}: its parties were given {given} mW, not {allocation}")]
    BusSum {
        /// The bus.
        bus: String,
        /// Sum over its parties.
        given: i128,
        /// What the clearing says.
        allocation: Milliwatt,
    },
    /// A flow is not the sum of the allocations below.
    #[error("line {line:?}: {below} mW are taken below it, and its flow is {flow}")]
    Flow {
        /// The line.
        line: String,
        /// Sum of allocations below.
        below: i128,
        /// What the clearing says.
        flow: Milliwatt,
    },
    /// A flow beyond its line's limits.
    #[error("line {line:?}: its flow {flow} is beyond its limits")]
    Limit {
        /// The line.
        line: String,
        /// Its flow.
        flow: Milliwatt,
    },
    /// The import is not the sum of all allocations.
    #[error("{taken} mW are taken, and {import} are imported")]
    Import {
        /// Sum of all allocations.
        taken: i128,
        /// What the clearing says.
        import: Milliwatt,
    },
    /// The import is not on offer at the root's price.
    #[error("{import} are imported, and {} to {} are on offer at {price}", offer.low, offer.high)]
    Supply {
        /// The import.
        import: Milliwatt,
        /// What is on offer.
        offer: Demand,
        /// The root's price.
        price: PicoEurPerWh,
    },
    /// A price changes along a line that is not full in that direction.
    #[error("line {line:?}: the price goes from {from} to {to}, and no limit binds")]
    PriceStep {
        /// The line.
        line: String,
        /// Price at its parent bus.
        from: PicoEurPerWh,
        /// Price at its child bus.
        to: PicoEurPerWh,
    },
}

/// Checks a clearing against the parties' demand at its prices and the supply curve.
///
/// # Errors
/// The first condition that fails, with its figures.
pub fn check(
    feeder: &Feeder,
    tree: &Tree,
    supply: &SupplyCurve,
    clearing: &Clearing,
    parties: &[PartyDemand],
) -> Result<(), CertificateError> {
    check_shape(feeder, clearing)?;
    check_parties(feeder, clearing, parties)?;
    check_flows(feeder, tree, clearing)?;
    check_supply(tree, supply, clearing)?;
    check_prices(feeder, tree, clearing)
}

fn check_shape(feeder: &Feeder, clearing: &Clearing) -> Result<(), CertificateError> {
    let shapes = [
        ("prices", clearing.prices.len(), feeder.buses.len()),
        ("allocations", clearing.allocations.len(), feeder.buses.len()),
        ("flows", clearing.flows.len(), feeder.lines.len()),
    ];
    match shapes.into_iter().find(|(_, count, expected)| count != expected) {
        Some((what, count, expected)) => Err(CertificateError::Shape { what, count, expected }),
        None => Ok(()),
    }
}

fn check_parties(
    feeder: &Feeder,
    clearing: &Clearing,
    parties: &[PartyDemand],
) -> Result<(), CertificateError> {
    let mut given = vec![0i128; feeder.buses.len()];
    for (party, demand) in parties.iter().enumerate() {
        let bus = demand.bus;
        let sum = given.get_mut(bus).ok_or(CertificateError::UnknownBus { party, bus })?;
        let (allocation, range) = (demand.allocation, demand.range);
        if !range.contains(allocation) {
            return Err(CertificateError::Allocation { party, allocation, range });
        }
        *sum += allocation.0 as i128;
    }
    for (bus, (given, allocation)) in given.into_iter().zip(&clearing.allocations).enumerate() {
        if given != allocation.0 as i128 {
            let (bus, allocation) = (feeder.buses[bus].clone(), *allocation);
            return Err(CertificateError::BusSum { bus, given, allocation });
        }
    }
    Ok(())
}

fn check_flows(feeder: &Feeder, tree: &Tree, clearing: &Clearing) -> Result<(), CertificateError> {
    let mut below: Vec<i128> = tree.order.iter().map(|bus| clearing.allocations[*bus].0 as i128).collect();
    for place in (1..below.len()).rev() {
        let line = &feeder.lines[tree.line[place]];
        let flow = clearing.flows[tree.line[place]];
        if below[place] != flow.0 as i128 {
            let (line, below) = (line.id.clone(), below[place]);
            return Err(CertificateError::Flow { line, below, flow });
        }
        let too_much = line.power_max.is_some_and(|most| flow > most);
        let too_little = line.power_min.is_some_and(|least| flow < least);
        if too_much || too_little {
            return Err(CertificateError::Limit { line: line.id.clone(), flow });
        }
        below[tree.parent[place]] += below[place];
    }
    if below[0] != clearing.import.0 as i128 {
        return Err(CertificateError::Import { taken: below[0], import: clearing.import });
    }
    Ok(())
}

fn check_supply(tree: &Tree, supply: &SupplyCurve, clearing: &Clearing) -> Result<(), CertificateError> {
    let (price, import) = (clearing.prices[tree.order[0]], clearing.import);
    // Beyond the bound every curve is constant: one tick more than the price must exist.
    let offer = supply.import_at(price.clamp(-PRICE_BOUND, PRICE_BOUND));
    if !offer.contains(import) {
        return Err(CertificateError::Supply { import, offer, price });
    }
    Ok(())
}

fn check_prices(feeder: &Feeder, tree: &Tree, clearing: &Clearing) -> Result<(), CertificateError> {
    for (bus, price) in clearing.prices.iter().enumerate() {
        if !(-PRICE_BOUND..=PRICE_BOUND).contains(price) {
            return Err(CertificateError::Price { bus: feeder.buses[bus].clone(), price: *price });
        }
    }
    for place in 1..tree.order.len() {
        let line = &feeder.lines[tree.line[place]];
        let flow = Some(clearing.flows[tree.line[place]]);
        let from = clearing.prices[tree.order[tree.parent[place]]];
        let to = clearing.prices[tree.order[place]];
        if (to > from && flow != line.power_max) || (to < from && flow != line.power_min) {
            return Err(CertificateError::PriceStep { line: line.id.clone(), from, to });
        }
    }
    Ok(())
}
