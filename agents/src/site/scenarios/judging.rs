//! Who does not do what it took is out of the bid, and what was not taken is written again.

use super::*;

/// Meter and devices answer as they do for a bid, to be judged: the battery idle, and all the sun fed in.
fn judged(site: &mut Site, start: i64) -> Vec<String> {
    let Input::Own(SiteReport::AllRead { interval, meter, devices }) = site.all_read(start, true, true)
    else {
        unreachable!()
    };
    let effects = site.core.step(site.now, Input::Own(SiteReport::Judged { interval, meter, devices }));
    site.perform_all(effects)
}

#[test]
fn devices_that_go_on_as_they_did_are_named_and_out_of_the_bid() {
    let mut site = Site::new();
    let mut check = |rows: &[(Happens, &[&str])], judged_at: Option<&[&str]>| {
        for (happens, expected) in rows {
            assert_eq!(site.step(*happens), *expected, "{happens:?}");
        }
        if let Some(expected) = judged_at {
            assert_eq!(judged(&mut site, 900), expected);
        }
    };
    check(&BIDDING, None);
    let told = [
        (Firm(900, -10, 0), &["note firm", "accept"][..]),
        (At(900), &["read meter at 900", "write 0=4000 1=0"]),
        (Written(900), &["report 4500, 2 confirmed"]),
        (At(1_079), &[]),
        (At(1_080), &["judge 900"]),
    ];
    check(&told, Some(&[]));
    let disobeyed = ["note device-disobeys", "note device-disobeys", "note nothing-to-shed"];
    check(&[(At(1_260), &["judge 900", "read all for 1800"])], Some(&disobeyed));
    // What they do is then part of the base load.
    check(&[(AllRead(1_800), &["note device-left-out", "note device-left-out", "bid -1500..0"])], None);
    let disobeying = ["battery", "pv"].map(|device| Figure::Obeys { device: device.into(), obeys: false });
    let shown: Vec<&Figure> = site.shown.iter().filter(|it| matches!(it, Figure::Obeys { .. })).collect();
    assert_eq!(shown, disobeying.iter().collect::<Vec<_>>());
}

#[test]
fn what_was_not_taken_is_written_again_and_reported_once() {
    after_bidding(&[
        (Firm(900, 40, 0), &["note firm", "accept"]),
        (At(900), &["read meter at 900", "write 0=4000 1=free"]),
        (BatteryFails(900), &["note device-fault", "report 2500, 1 confirmed battery"]),
        (At(914), &[]),
        (At(915), &["write 0=4000"]),
        (At(916), &[]),
        (BatteryFails(900), &["note device-fault"]),
        (At(946), &["write 0=4000"]),
        (Written(900), &[]),
        (At(1_100), &[]),
    ]);
}
