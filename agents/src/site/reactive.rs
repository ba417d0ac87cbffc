//! A site's reactive power: whether what it is told is its share of what was decided, and the split of
//! that over its inverters.

use super::bidding::OwnBid;
use super::firm::FirmError;
use super::schedule::Setpoint;
use market::grid::volt_var::{is_share, shares};
use market::units::Millivar;
use wire::message::{FinalDemand, Firm, ReactiveFirm};

/// Checks the reactive power told against the award decided and the bid that was cleared.
///
/// # Errors
/// Where none is told of what was offered, or another award than was decided, or not the site's share.
pub(super) fn check(bus: &str, demand: &FinalDemand, bid: &OwnBid, firm: &Firm) -> Result<(), FirmError> {
    let own = bid.reactive_range();
    let Some(ReactiveFirm { award, allocation }) = firm.reactive.as_deref() else {
        let none = own == Millivar::ZERO;
        return none.then_some(()).ok_or(FirmError::OtherReactive { bus: bus.to_owned() });
    };
    let decided = demand.reactive.iter().find(|at| at.bus == bus);
    if own == Millivar::ZERO || decided != Some(award) {
        return Err(FirmError::OtherReactive { bus: bus.to_owned() });
    }
    if !is_share(*allocation, own, award.allocation, award.range) {
        return Err(FirmError::NotReactiveShare { allocation: *allocation, own });
    }
    Ok(())
}

/// Each inverter's setpoint: the site's share, pro rata of what each offered.
pub(super) fn reactive_orders(bid: &OwnBid, firm: &Firm) -> Vec<(usize, Setpoint)> {
    let Some(ReactiveFirm { allocation, .. }) = firm.reactive.as_deref() else { return Vec::new() };
    let ranges: Vec<Millivar> = bid.reactive.iter().map(|(_, range)| *range).collect();
    // A share lies within its range but for a millivar of rounding.
    let most: Millivar = ranges.iter().copied().sum();
    let split = shares(Millivar(allocation.0.clamp(-most.0, most.0)), &ranges).unwrap_or_default();
    bid.reactive.iter().zip(split).map(|((place, _), share)| (*place, Setpoint::Reactive(share))).collect()
}
