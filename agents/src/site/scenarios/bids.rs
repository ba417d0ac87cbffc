//! What a site notices where its aggregator clears another bid than its own, or settles it for none.

use super::*;

#[test]
fn an_older_bid_stands_in_only_where_no_newer_was_taken() {
    let play = |rows: &[&[(Happens, &'static [&'static str])]]| after_bidding(&rows.concat());
    let taken: [(Happens, &[&str]); 1] = [(Accepted, &[])];
    let second: [(Happens, &[&str]); 3] =
        [(At(900), &UNPRICED), (At(1_200), &["read all for 1800"]), (AllRead(1_800), &[BID])];
    play(&[&taken, &second, &[(FirmByOlder(1_800), &["note firm", "accept"])]]);
    play(&[&second, &taken, &[(FirmByOlder(1_800), &["note firm-refused", "refuse"])]]);
}

#[test]
fn what_is_settled_without_a_promise_is_noted() {
    // Of the first intervals a site just started can't know what it was promised.
    after_bidding(&[(At(900), &UNPRICED), (Settled(900, Some(5)), &[])]);
    let with_firm = |settled, expected: &'static [&'static str]| {
        after_bidding(&[
            (At(900), &UNPRICED),
            (At(1_200), &["read all for 1800"]),
            (AllRead(1_800), &[BID]),
            (Accepted, &[]),
            (Firm(1_800, 40, 0), &["note firm", "accept"]),
            (At(1_800), &["read meter at 1800", "write 0=4000 1=free"]),
            (Settled(1_800, settled), expected),
        ]);
    };
    with_firm(Some(2_500), &[]);
    with_firm(Some(2_501), &["note settled-otherwise"]);
    let without_firm = |settled, expected: &'static [&'static str]| {
        after_bidding(&[
            (At(900), &UNPRICED),
            (At(1_200), &["read all for 1800"]),
            (AllRead(1_800), &[BID]),
            (Accepted, &[]),
            (At(1_800), &["read meter at 1800", "note no-firm-price", "report no, 0 confirmed"]),
            (Settled(1_800, settled), expected),
        ]);
    };
    without_firm(None, &["note bid-dropped"]);
    without_firm(Some(5), &["note settled-unpromised"]);
}
