//! From an awarded session to the entry for the ledger, its certificate checked before anyone else sees it;
//! and the orders of all aggregators as everyone places them.

use super::award::Part;
use super::session::{Session, Stage};
use super::{Buses, Setting};
use market::day_ahead::certificate::{check, taken_by_orders, DayAheadCertificateError};
use market::day_ahead::orders::{Orders, Placed};
use market::feeder::Tree;
use market::grid::rules::PlacedDemand;
use market::units::Milliwatt;
use std::collections::BTreeMap;
use thiserror::Error;
use wire::entry::DayAheadEntry;
use wire::message::day_ahead::DayAheadCommitted;
use wire::party::PartyId;

/// Why a session's clearing is not put before the validators.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum EntryError {
    /// It has not come so far.
    #[error("it is not awarded")]
    NotAwarded,
    /// Its certificate does not hold.
    #[error(transparent)]
    Certificate(#[from] DayAheadCertificateError),
}

/// Every aggregator's orders, in order of aggregator and as committed.
pub(super) fn orders(
    aggregators: &BTreeMap<PartyId, Buses>,
    commitments: &BTreeMap<PartyId, DayAheadCommitted>,
    tree: &Tree,
) -> Orders {
    let place = |bus: u32| tree.place[bus as usize];
    let mut orders = Orders::default();
    for committed in aggregators.keys().filter_map(|aggregator| commitments.get(aggregator)) {
        let storages = committed.orders.storages.iter();
        orders.storages.extend(storages.map(|(bus, order)| Placed { place: place(*bus), order: *order }));
        let deferrables = committed.orders.deferrables.iter();
        orders
            .deferrables
            .extend(deferrables.map(|(bus, order)| Placed { place: place(*bus), order: *order }));
    }
    orders
}

/// The entry of an awarded session, and each interval's import in it.
///
/// # Errors
/// [`EntryError`].
pub(super) fn entry(
    setting: &Setting,
    aggregators: &BTreeMap<PartyId, Buses>,
    session: &Session,
) -> Result<(DayAheadEntry, Vec<Milliwatt>), EntryError> {
    let (Stage::Awarded { clearing, parts, finals }, Some((supplies, supply_raw))) =
        (&session.stage, &session.supply)
    else {
        return Err(EntryError::NotAwarded);
    };
    let tree = &setting.grid.tree;
    let orders = orders(aggregators, &session.commitments, tree);
    let demands = demands(setting.intervals(), tree, parts);
    check(&setting.terms, supplies, &orders, clearing, &demands)?;
    let import = |(interval, curves): (usize, &Vec<PlacedDemand>)| -> Milliwatt {
        let scheduled = taken_by_orders(&orders, clearing, interval);
        curves.iter().chain(&scheduled).map(|demand| demand.allocation).sum()
    };
    let imports = demands.iter().enumerate().map(import).collect();
    let entry = DayAheadEntry {
        session: session.session,
        rounds: session.rounds,
        clearing: (**clearing).clone(),
        supply: supply_raw.clone(),
        demands: finals.values().cloned().collect(),
    };
    Ok((entry, imports))
}

/// What every party's curves were given, by interval.
fn demands(intervals: usize, tree: &Tree, parts: &BTreeMap<PartyId, Part>) -> Vec<Vec<PlacedDemand>> {
    let given = |interval: usize| {
        let of_part = |part: &'_ Part| -> Vec<PlacedDemand> {
            let at = part.intervals.get(interval).into_iter().flatten().zip(&part.buses);
            at.map(|(at, bus)| PlacedDemand {
                place: tree.place[*bus as usize],
                range: at.range,
                allocation: at.allocation,
            })
            .collect()
        };
        parts.values().flat_map(of_part).collect()
    };
    (0..intervals).map(given).collect()
}
