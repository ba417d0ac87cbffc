//! A meter that is lost, and prices that do not come, at a site with stored safe limits.

use super::*;

const NO_PRICE: &str = "note no-firm-price";

/// A site with safe limits: the battery stands still, the PV gives 1,000 W at most.
fn safe(rows: &[(Happens, &'static [&'static str])]) {
    let limits = vec![Some(Milliwatt::ZERO), Some(Milliwatt(-1_000_000))];
    play(Site::with(None, limits), &[&BIDDING[..], rows].concat());
}

#[test]
fn a_lost_meter_means_safe_limits_at_once_then_the_own_default() {
    safe(&[
        (Firm(900, 40, 0), &["note firm", "accept"]),
        (At(900), &["read meter at 900", "write 0=4000 1=free"]),
        (NotCounted(900), &["note meter-fault"]),
        (At(1_200), &["read all for 1800"]),
        (
            MeterSilent(1_800),
            &["note meter-lost", "note safe-limits", "write 0=0 1=-1000", "note meter-fault", "note no-bid"],
        ),
        (At(1_800), &["read meter at 1800", NO_PRICE, "note safe-limits", "write 0=0 1=-1000"]),
        (At(2_700), &["read meter at 2700", NO_PRICE, "note released", "write 0=free 1=free"]),
        (Counted(2_700, 1_000), &["note meter-back", "note no-reading"]),
        (At(3_000), &["read all for 3600"]),
        (AllRead(3_600), &[BID]),
    ]);
}

#[test]
fn a_firm_price_is_not_followed_without_a_meter() {
    safe(&[
        (Firm(900, 40, 0), &["note firm", "accept"]),
        (At(900), &["read meter at 900", "write 0=4000 1=free"]),
        (At(1_200), &["read all for 1800"]),
        (AllRead(1_800), &[BID]),
        (Firm(1_800, 40, 0), &["note firm", "accept"]),
        (NotCounted(900), &["note meter-fault"]),
        (At(1_800), &["read meter at 1800", "write 0=4000 1=free"]),
        (
            NotCounted(1_800),
            &["note meter-lost", "note safe-limits", "write 0=0 1=-1000", "note meter-fault"],
        ),
    ]);
}

#[test]
fn without_prices_the_last_schedule_then_the_safe_limits_then_the_own_default() {
    safe(&[
        (Firm(900, 40, 0), &["note firm", "accept"]),
        (At(900), &["read meter at 900", "write 0=4000 1=free"]),
        (At(1_800), &["read meter at 1800", NO_PRICE, "write 0=4000 1=free"]),
        (At(2_700), &["read meter at 2700", NO_PRICE, "write 0=4000 1=free"]),
        (At(3_600), &["read meter at 3600", NO_PRICE, "note safe-limits", "write 0=0 1=-1000"]),
        (At(4_500), &["read meter at 4500", NO_PRICE, "note safe-limits", "write 0=0 1=-1000"]),
        (At(5_400), &["read meter at 5400", NO_PRICE, "note released", "write 0=free 1=free"]),
        (At(6_300), &["read meter at 6300", NO_PRICE, "report no, 0 confirmed"]),
    ]);
}

#[test]
fn below_zero_pv_is_curtailed() {
    after_bidding(&[
        (Firm(900, -10, 0), &["note firm", "accept"]),
        (At(900), &["read meter at 900", "write 0=4000 1=0"]),
    ]);
}
