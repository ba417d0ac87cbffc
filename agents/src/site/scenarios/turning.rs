//! What was voted for holds at the site from the boundary of an interval on.

use super::*;
use crate::scene;
use ledger::contracts::rules::Rules;
use std::sync::Arc;

/// Rules under which bids open later, and the market knows its grid.
fn voted(world: &World) -> Arc<Rules> {
    let mut genesis = world.genesis.clone();
    genesis.parameters.bids_open_s = 300;
    genesis.feeder.lines[0].resistance_microohm = 1_000;
    genesis.feeder.lines[0].reactance_microohm = 1_000;
    genesis.grid = Some(scene::grid_rules());
    Arc::new(Rules::new(&genesis).unwrap())
}

#[test]
fn what_was_voted_for_holds_from_the_boundary_on_and_not_for_what_was_traded_before() {
    let mut site = Site::new();
    let rules = voted(&site.world);
    site.core.govern(&rules);
    play(
        site,
        &[
            (Counted(0, 1_000), &["note no-reading"]),
            (At(300), &["read all for 900"]),
            (AllRead(900), &[BID]),
            (Accepted, &[]),
            (
                At(900),
                &["note terms-changed", "read meter at 900", "note no-firm-price", "report no, 0 confirmed"],
            ),
            // Late, and by the terms it was traded by.
            (Firm(900, 40, 0), &["note firm", "write 0=4000 1=free", "accept"]),
            (At(1_200), &[]),
            (At(1_500), &["read all for 1800"]),
            (AllRead(1_800), &[BID]),
            (Accepted, &[]),
            // No clearing of a market that knows its grid.
            (Firm(1_800, 40, 0), &["note firm-refused", "refuse"]),
        ],
    );
}
