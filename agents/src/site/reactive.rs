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
    let Some(ReactiveFirm { award, allocation }) = firm.reactive.as_ref() else {
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
    let Some(ReactiveFirm { allocation, .. }) = firm.reactive.as_ref() else { return Vec::new() };
    let ranges: Vec<Millivar> = bid.reactive.iter().map(|(_, range)| *range).collect();
    // A share lies within its range but for a millivar of rounding.
    let most: Millivar = ranges.iter().copied().sum();
    let split = shares(Millivar(allocation.0.clamp(-most.0, most.0)), &ranges).unwrap_or_default();
    bid.reactive.iter().zip(split).map(|((place, _), share)| (*place, Setpoint::Reactive(share))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::curve::FlexCurve;
    use market::interval::Interval;
    use market::share::Demand;
    use market::units::{Milliwatt, PicoEurPerWh};
    use wire::hash::Hash32;
    use wire::message::{BusAward, ReactiveAward};

    /// Two inverters of 3 and 1 kvar, where `own` is offered at all.
    fn bid(own: bool) -> OwnBid {
        let none = FlexCurve::inelastic(Milliwatt(0));
        OwnBid {
            interval: Interval::default(),
            curve: none.clone(),
            base: none,
            devices: Vec::new(),
            reactive: if own { vec![(1, Millivar(3_000_000)), (4, Millivar(1_000_000))] } else { Vec::new() },
            envelope: None,
            taken: true,
        }
    }

    fn award(allocation: i64) -> ReactiveAward {
        let (price, range) = (PicoEurPerWh(1_250_000), Millivar(8_000_000));
        ReactiveAward { bus: "b".into(), price, range, allocation: Millivar(allocation) }
    }

    fn firm(told: Option<(ReactiveAward, i64)>) -> Firm {
        let bus = BusAward {
            bus: "b".into(),
            price: PicoEurPerWh(0),
            range: Demand::default(),
            allocation: Milliwatt(0),
        };
        Firm {
            interval: Interval::default(),
            bus,
            parts: None,
            allocation: Milliwatt(0),
            reactive: told.map(|(award, share)| ReactiveFirm { award, allocation: Millivar(share) }),
            path: Default::default(),
            bid_path: Default::default(),
            finality: Default::default(),
        }
    }

    fn check_told(own: bool, told: Option<(ReactiveAward, i64)>, valid: bool) {
        let demand = FinalDemand {
            interval: Interval::default(),
            bids_root: Hash32::default(),
            rounds: 1,
            allocations_root: Hash32::default(),
            import: Milliwatt(0),
            export: Milliwatt(0),
            buses: Vec::new(),
            reactive: vec![award(-2_000_001)],
        };
        let verdict = check("b", &demand, &bid(own), &firm(told.clone()));
        assert_eq!(verdict.is_ok(), valid, "{own} {told:?}: {verdict:?}");
    }

    #[test]
    fn a_share_is_told_of_what_was_decided_and_by_the_range_offered() {
        check_told(true, Some((award(-2_000_001), -1_000_000)), true);
        check_told(true, Some((award(-2_000_001), -1_000_001)), true);
        check_told(true, Some((award(-2_000_001), -1_000_002)), false);
        check_told(true, Some((award(-2_000_001), 1_000_000)), false);
        check_told(true, Some((award(-2_000_000), -1_000_000)), false);
        check_told(true, None, false);
        check_told(false, None, true);
        check_told(false, Some((award(-2_000_001), 0)), false);
    }

    #[test]
    fn each_inverter_gets_its_part_of_the_share() {
        let orders = reactive_orders(&bid(true), &firm(Some((award(-2_000_001), -1_000_001))));
        let expected =
            [(1, -750_001), (4, -250_000)].map(|(place, q)| (place, Setpoint::Reactive(Millivar(q))));
        assert_eq!(orders, expected);
        assert_eq!(reactive_orders(&bid(true), &firm(None)), []);
    }
}
