//! From an awarded clearing to the entry for the ledger, its certificate checked before anyone else sees it.

use super::answers::Buses;
use super::award::Part;
use super::problem::{Dispatch, Grid};
use super::session::{Session, Stage};
use market::certificate::{self, CertificateError, PartyDemand};
use market::grid::certificate::CertificateError as GridCertificateError;
use market::grid::rules::PlacedDemand;
use market::interval::Interval;
use market::supply::SupplyCurve;
use std::collections::BTreeMap;
use thiserror::Error;
use wire::entry::ClearingEntry;
use wire::party::PartyId;

/// Why a clearing is not put before the validators.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum EntryError {
    /// It has not come so far.
    #[error("it is not awarded")]
    NotAwarded,
    /// Its certificate does not hold.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The same, with the grid known.
    #[error(transparent)]
    GridCertificate(#[from] GridCertificateError),
}

/// The entry of an awarded interval.
///
/// # Errors
/// [`EntryError`].
pub(super) fn entry(
    grid: &Grid,
    aggregators: &BTreeMap<PartyId, Buses>,
    interval: Interval,
    session: &Session,
) -> Result<ClearingEntry, EntryError> {
    let (Stage::Awarded { dispatch, parts, finals, .. }, Some((supply, supply_raw))) =
        (&session.stage, &session.supply)
    else {
        return Err(EntryError::NotAwarded);
    };
    check(grid, supply, dispatch, &parties(aggregators, parts))?;
    let clearing = &dispatch.clearing;
    Ok(ClearingEntry {
        interval,
        rounds: session.rounds,
        import: clearing.import,
        prices: clearing.prices.clone(),
        flows: clearing.flows.clone(),
        grid: dispatch.grid.as_ref().map(|grid| Box::new(grid.clearing.clone())),
        supply: supply_raw.clone(),
        demands: finals.values().cloned().collect(),
    })
}

fn parties(aggregators: &BTreeMap<PartyId, Buses>, parts: &BTreeMap<PartyId, Part>) -> Vec<PartyDemand> {
    let of_aggregator = aggregators.iter().flat_map(|(aggregator, buses)| {
        let part = parts.get(aggregator).into_iter().flatten();
        buses.values().zip(part).map(|((bus, _), (at, range))| PartyDemand {
            bus: *bus,
            range: *range,
            allocation: at.allocation,
        })
    });
    of_aggregator.collect()
}

fn check(
    grid: &Grid,
    supply: &SupplyCurve,
    dispatch: &Dispatch,
    parties: &[PartyDemand],
) -> Result<(), EntryError> {
    let Grid { feeder, tree, terms, .. } = grid;
    match (terms, &dispatch.grid) {
        (Some(terms), Some(cleared)) => {
            let placed = |party: &PartyDemand| PlacedDemand {
                place: tree.place[party.bus],
                range: party.range,
                allocation: party.allocation,
            };
            let demands: Vec<_> = parties.iter().map(placed).collect();
            Ok(terms.check_with_reactive(supply, &cleared.clearing, &demands, &cleared.reactive)?)
        }
        _ => Ok(certificate::check(feeder, tree, supply, &dispatch.clearing, parties)?),
    }
}
