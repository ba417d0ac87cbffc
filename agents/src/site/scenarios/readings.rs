//! Readings while nobody takes them, through restarts, and by a clock that nobody bears out.

use super::*;
use crate::site::journal::Journal;

const NO_PRICE: &str = "note no-firm-price";
const NO_READING: &str = "note no-reading";

/// A site that has counted twice, and whose first reading nobody acknowledged.
fn unanswered() -> Site {
    let mut site = Site::new();
    assert_eq!(site.step(Counted(0, 1_000)), [NO_READING]);
    assert_eq!(site.step(At(900)), UNPRICED);
    assert_eq!(site.step(Counted(900, 1_100)), ["reading of 0: 100 Wh"]);
    site
}

#[test]
fn readings_nobody_acknowledged_wait_behind_the_oldest_and_go_in_order() {
    play(
        unanswered(),
        &[
            (At(1_800), &["read meter at 1800", NO_PRICE, "report no, 0 confirmed"]),
            (Counted(1_800, 1_300), &[]),
            (QuarterPasses, &[]),
            (QuarterPasses, &["reading of 0: 100 Wh"]),
            (At(2_700), &["read meter at 2700", NO_PRICE, "report no, 0 confirmed"]),
            (Counted(2_700, 1_600), &[]),
            (Answered(0), &["reading of 900: 200 Wh", "reading of 1800: 300 Wh"]),
            (Answered(0), &[]),
            (Answered(1_800), &[]),
            (Answered(900), &[]),
        ],
    );
}

#[test]
fn after_a_restart_the_same_readings_wait_and_the_interval_it_fell_into_has_one() {
    let mut before = unanswered();
    before.step(At(1_800));
    assert_eq!(before.step(Counted(1_800, 1_300)), Vec::<String>::new());
    let mut journal = Journal::default();
    before.kept.iter().for_each(|record| journal.take(record));

    let mut after = Site::new();
    after.core.restore(&journal);
    play(
        after,
        &[
            (At(1_900), &[NO_PRICE, "report no, 0 confirmed", "reading of 0: 100 Wh"]),
            (Answered(0), &["reading of 900: 200 Wh"]),
            (Answered(900), &[]),
            (At(2_700), &["read meter at 2700", NO_PRICE, "report no, 0 confirmed"]),
            (Counted(2_700, 1_600), &["reading of 1800: 300 Wh"]),
        ],
    );
}

/// A site that begins by a clock nobody bears out, and has counted twice by it.
fn doubtful() -> Site {
    let mut site = Site::new();
    site.core.trust_clock(false);
    assert_eq!(site.step(At(1)), ["note clock-unconfirmed"]);
    assert_eq!(site.step(Counted(0, 1_000)), [NO_READING]);
    // When bids open, nothing is read for one.
    for at in [301, 601] {
        site.now.real_ms += 300_000;
        assert_eq!(site.step(At(at)), Vec::<String>::new());
    }
    site.now.real_ms += 299_000;
    assert_eq!(site.step(At(900)), UNPRICED);
    assert_eq!(site.step(Counted(900, 1_100)), Vec::<String>::new());
    assert!(site.kept.is_empty());
    site
}

#[test]
fn nothing_is_bid_by_a_clock_nobody_bears_out_and_readings_wait_for_it() {
    let mut site = doubtful();
    site.core.trust_clock(true);
    play(
        site,
        &[
            (At(900), &["note clock-confirmed", "reading of 0: 100 Wh"]),
            (Answered(0), &[]),
            (At(1_200), &["read all for 1800"]),
            (AllRead(1_800), &["bid -6000..4500 with 100 Wh"]),
        ],
    );
}

#[test]
fn readings_by_a_clock_that_was_then_set_are_none() {
    let mut site = doubtful();
    // Two hours later by the clock, a second by real time: it was set, and then borne out.
    site.now.real_ms += 1_000;
    site.step(At(8_100));
    site.core.trust_clock(true);
    play(
        site,
        &[
            (At(8_101), &["note clock-set"]),
            // The boundary's counters are not the ones of before.
            (Counted(8_100, 9_000), &[NO_READING]),
            (At(9_000), &["read meter at 9000", NO_PRICE, "report no, 0 confirmed"]),
            (Counted(9_000, 9_100), &["reading of 8100: 100 Wh"]),
        ],
    );
}

#[test]
fn time_that_jumps_past_a_boundary_gives_no_false_reading() {
    after_bidding(&[
        (At(1_000), &["note no-firm-price", "report no, 0 confirmed"]),
        (At(1_800), &["read meter at 1800", "note no-firm-price", "report no, 0 confirmed"]),
        (Counted(1_800, 2_000), &["note no-reading"]),
        (At(2_700), &["read meter at 2700", "note no-firm-price", "report no, 0 confirmed"]),
        (Counted(2_700, 2_100), &["reading of 1800: 100 Wh"]),
    ]);
}
