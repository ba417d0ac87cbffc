//! A day-ahead session at the site: when it is bid for.

use super::*;
use crate::scene;

#[test]
fn a_session_is_bid_for_once_its_devices_are_read_and_not_after_its_gate() {
    let unpriced = |boundary: &'static str| [boundary, "note no-firm-price", "report no, 0 confirmed"];
    let [late, opening] = ["read meter at 2700", "read meter at 1800"].map(unpriced);
    let opened = [&opening[..], &["read for the day ahead from 3600"]].concat();
    let site = || Site::with(Some(scene::day_ahead()), vec![None; 2]);
    play(
        site(),
        &[
            (Counted(0, 1_000), &["note no-reading"]),
            (At(1_800), &opened),
            (AheadRead(3_600), &["offer 4 curves, 1 stores, 0 stays"]),
            (Accepted, &[]),
            (At(1_810), &[]),
        ],
    );
    play(site(), &[(At(1_800), &opened), (At(2_700), &late), (AheadRead(3_600), &["note bid-late"])]);
}
