//! Bounds on what the day-ahead market's messages and entry may hold.

use super::{DayAheadDemand, DayAheadQuestion, DemandIn, PlacedOrders};
use crate::entry::DayAheadEntry;
use crate::message::bounds::{at_most, emission};
use crate::message::{Body, BoundsError, MAX_BUSES_PER_MESSAGE, MAX_CORNERS, MAX_DEMANDS, MAX_PATH_STEPS};
use market::day_ahead::clearing::{DeferrableAward, StorageAward};
use market::day_ahead::rules::MAX_SESSION_INTERVALS;

/// Most orders in one message, of one kind.
pub const MAX_ORDERS: usize = 10_000;
/// Most orders of one kind in one site's bid.
pub const MAX_ORDERS_PER_SITE: usize = 16;

/// Most powers that one question may ask for, and one answer may hold.
pub const MAX_POWERS: usize = 262_144;

/// Bounds of a body of this market; nothing is said of others.
pub(in crate::message) fn check_body(body: &Body) -> Result<(), BoundsError> {
    match body {
        Body::DayAheadBid(bid) => {
            intervals(bid.curves.len())?;
            at_most("storage orders", bid.storages.len(), MAX_ORDERS_PER_SITE)?;
            at_most("deferrable orders", bid.deferrables.len(), MAX_ORDERS_PER_SITE)
        }
        Body::DayAheadCommitted(committed) => orders(&committed.orders),
        Body::DayAheadSupply(supply) => {
            emission(supply.emission)?;
            intervals(supply.curves.len())
        }
        Body::DayAheadQuestion(question) => check_question(question),
        Body::DayAheadDemand(demand) => check_demand(demand),
        Body::DayAheadAward(award) => {
            intervals(award.intervals.len())?;
            at_most("buses", award.buses.len(), MAX_BUSES_PER_MESSAGE)?;
            award.intervals.iter().try_for_each(|at| at_most("buses", at.len(), award.buses.len()))?;
            schedules(&award.storages, &award.deferrables)
        }
        Body::DayAheadFinalDemand(demand) => {
            orders(&demand.orders)?;
            at_most("buses", demand.buses.len(), MAX_BUSES_PER_MESSAGE)?;
            intervals(demand.intervals.len())?;
            let within = |at: &DemandIn| at_most("buses", at.buses.len(), demand.buses.len());
            demand.intervals.iter().try_for_each(within)
        }
        Body::DayAheadFirm(firm) => {
            intervals(firm.positions.len())?;
            at_most("siblings", firm.bid_path.siblings.len(), MAX_PATH_STEPS)?;
            at_most("storage orders", firm.storages.len(), MAX_ORDERS_PER_SITE)?;
            at_most("deferrable orders", firm.deferrables.len(), MAX_ORDERS_PER_SITE)?;
            let steps = |(_, steps): &(_, Vec<_>)| at_most("path steps", steps.len(), MAX_PATH_STEPS);
            firm.positions.iter().try_for_each(steps)
        }
        _ => Ok(()),
    }
}

/// Bounds of a session's entry.
pub(in crate::message) fn check_entry(entry: &DayAheadEntry) -> Result<(), BoundsError> {
    let clearing = &entry.clearing;
    intervals(clearing.intervals.len())?;
    clearing.intervals.iter().try_for_each(|prices| {
        at_most("prices", prices.prices.len(), MAX_BUSES_PER_MESSAGE)?;
        at_most("reactive prices", prices.reactive_prices.len(), MAX_BUSES_PER_MESSAGE)?;
        at_most("multipliers", prices.binding.len(), MAX_BUSES_PER_MESSAGE)
    })?;
    schedules(&clearing.storages, &clearing.deferrables)?;
    at_most("demands", entry.demands.len(), MAX_DEMANDS)
}

fn intervals(count: usize) -> Result<(), BoundsError> {
    at_most("intervals", count, MAX_SESSION_INTERVALS as usize)
}

fn orders(orders: &PlacedOrders) -> Result<(), BoundsError> {
    at_most("storage orders", orders.storages.len(), MAX_ORDERS)?;
    at_most("deferrable orders", orders.deferrables.len(), MAX_ORDERS)
}

fn schedules(storages: &[StorageAward], deferrables: &[DeferrableAward]) -> Result<(), BoundsError> {
    at_most("storage orders", storages.len(), MAX_ORDERS)?;
    at_most("deferrable orders", deferrables.len(), MAX_ORDERS)?;
    storages.iter().try_for_each(|award| {
        intervals(award.charge.len())?;
        intervals(award.discharge.len())?;
        intervals(award.stored_values.len())
    })?;
    deferrables.iter().try_for_each(|award| intervals(award.power.len()))
}

/// Each bus in each interval.
const MAX_PLACES: usize = MAX_SESSION_INTERVALS as usize * MAX_BUSES_PER_MESSAGE;

/// A few bytes can ask for many powers, by naming one window again and again.
fn check_question(question: &DayAheadQuestion) -> Result<(), BoundsError> {
    at_most("places", question.asked.len(), MAX_PLACES)?;
    let ticks = |window: &u32| question.windows.get(*window as usize).map_or(0, |row| row.prices().len());
    let mut powers = 0;
    for asked in &question.asked {
        at_most("windows", asked.windows.len(), question.windows.len())?;
        powers += asked.windows.iter().map(ticks).sum::<usize>();
        at_most("powers", powers, MAX_POWERS)?;
    }
    Ok(())
}

fn check_demand(demand: &DayAheadDemand) -> Result<(), BoundsError> {
    at_most("places", demand.answers.len(), MAX_PLACES)?;
    at_most("powers", demand.answers.iter().map(|answer| answer.powers.powers().len()).sum(), MAX_POWERS)?;
    demand.answers.iter().try_for_each(|answer| at_most("corners", answer.corners.len(), MAX_CORNERS))
}
