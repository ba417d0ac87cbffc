//! Where each bus's price is likely to lie, from a few samples of the sites: each sample is cleared
//! roughly, and the spread of their prices says how wide a window to look in. A wrong guess costs
//! time and nothing else.

use super::bound::{Bound, Grid};
use super::pieces::Pieces;
use super::slopes::{Edges, Slopes, PARTS};
use super::survey::{ends, windows, Market, ROUND_CELLS};
use super::sweep::each;
use super::Infeasible;

/// Samples of sites, none of which shares one with another.
const SAMPLES: usize = 4;

/// Sites that stand together are looked at together, which is what memory is quick at.
const RUN: usize = 16;

/// Windows of prices, by bus.
type Windows = Vec<(i64, i64)>;

/// A window for each bus, or none where there are too few sites for a guess to pay.
pub(super) fn guess(market: &Market<'_>) -> Result<Option<Windows>, Infeasible> {
    let Market { book, effort, .. } = market;
    let buses = market.grounds.feeder.buses.len();
    let looked: usize = (0..buses).map(|bus| sites(market, bus, 0).count()).sum();
    if effort.guess_sites == 0 || looked > book.sites() / 16 || buses * PARTS > ROUND_CELLS {
        return Ok(None);
    }
    let ends = ends(market);
    let Some(coarse) = coarse(market, &ends)? else { return Ok(None) };
    let samples = each(book, (0..SAMPLES).collect(), |sample| sampled(market, &ends, &coarse, sample));
    let mut hull: Option<Windows> = None;
    for windows in samples {
        let Some(windows) = windows? else { return Ok(None) };
        hull = Some(match hull {
            Some(hull) => hull.iter().zip(windows).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))).collect(),
            None => windows,
        });
    }
    let (first, last) = (market.range.min().0, market.range.max().0 + 1);
    // Half the windows' spread again on either side.
    let widened = |(from, to): (i64, i64)| {
        let margin = (to - from) / 2 + 1;
        ((from - margin).max(first), (to + margin).min(last))
    };
    Ok(hull.map(|hull| hull.into_iter().map(widened).collect()))
}

/// One site in so many of a bus's belongs to one sample.
fn stride(market: &Market<'_>, bus: usize) -> usize {
    let Market { book, effort, .. } = market;
    let of_bus = book.sites_at(bus).len() / effort.guess_sites_of_bus.max(1);
    (book.sites() / effort.guess_sites.max(1)).min(of_bus).max(1)
}

/// The sites of a bus that belong to a sample.
fn sites(market: &Market<'_>, bus: usize, sample: usize) -> impl Iterator<Item = usize> + Clone {
    let (stride, all) = (stride(market, bus), market.book.sites_at(bus));
    let starts = all.clone().skip(sample * stride * RUN / SAMPLES).step_by(stride * RUN);
    starts.flat_map(move |start| start..(start + RUN).min(all.end))
}

/// Windows that 65 prices across all leave to a part of the first sample, and two edges more.
fn coarse(market: &Market<'_>, ends: &Grid) -> Result<Option<Windows>, Infeasible> {
    let Market { grounds, book, range, .. } = market;
    let (first, last) = (range.min().0, range.max().0 + 1);
    let Some((low, high)) = book.price_span() else { return Ok(None) };
    let Some(edges) = Edges::over(book, low.clamp(first, last), (high + 1).clamp(first, last)) else {
        return Ok(None);
    };
    let mut grid = ends.widened(edges.ticks_to(last).collect());
    for bus in 0..ends.rows() {
        let sites = sites(market, bus, 0).step_by(RUN);
        let mut slopes = Slopes::new(edges);
        let base = sites.clone().map(|site| slopes.add_curve(book.curve(site))).sum();
        estimate(market, &mut grid, bus, sites.count(), edges.ticks_to(last).zip(slopes.sums(base)));
    }
    grid.tighten();
    windows(grounds, &grid, 2 << edges.shift).map(Some)
}

/// The windows one sample gives: 65 prices across the coarse ones, and then 65 across those.
fn sampled(
    market: &Market<'_>,
    ends: &Grid,
    coarse: &Windows,
    sample: usize,
) -> Result<Option<Windows>, Infeasible> {
    let book = market.book;
    let of_bus = |(bus, window): (usize, &(i64, i64))| Pieces::of(book, sites(market, bus, sample), *window);
    let mut pieces: Vec<_> = coarse.iter().enumerate().map(of_bus).collect();
    let mut found = coarse.clone();
    for _ in 0..2 {
        let mut different = found.clone();
        different.sort_unstable();
        different.dedup();
        if different.len() * PARTS * found.len() > ROUND_CELLS {
            break;
        }
        let edges: Option<Vec<_>> = different.iter().map(|w| Edges::over(book, w.0, w.1)).collect();
        let Some(edges) = edges else { return Ok(None) };
        let ticks = edges.iter().zip(&different).flat_map(|(edges, window)| edges.ticks_to(window.1));
        let mut grid = ends.widened(ticks.collect());
        for (bus, (window, pieces)) in found.iter().zip(&mut pieces).enumerate() {
            let Ok(place) = different.binary_search(window) else { continue };
            pieces.narrow(*window);
            let powers = edges[place].ticks_to(window.1).zip(pieces.within(edges[place]));
            estimate(market, &mut grid, bus, sites(market, bus, sample).count(), powers);
        }
        grid.tighten();
        let widest = edges.iter().map(|edges| 1 << edges.shift).max().unwrap_or(0);
        found = within(windows(market.grounds, &grid, widest)?, &found);
    }
    Ok(Some(found))
}

/// What two windows of each bus share, or the nearest end of the second.
fn within(found: Windows, kept: &Windows) -> Windows {
    let clamp = |((from, to), kept): ((i64, i64), &(i64, i64))| {
        (from.clamp(kept.0, kept.1), to.clamp(kept.0, kept.1))
    };
    found.into_iter().zip(kept).map(clamp).collect()
}

/// Enters what a bus's sites would take at some ticks if all were as those looked at.
fn estimate(
    market: &Market<'_>,
    grid: &mut Grid,
    bus: usize,
    looked: usize,
    powers: impl Iterator<Item = (i64, Bound)>,
) {
    if looked == 0 {
        return;
    }
    let (all, looked) = (market.book.sites_at(bus).len() as i64, looked as i64);
    let end = grid.ticks.len() - 1;
    let (most, least) = (grid.row(bus)[0].high, grid.row(bus)[end].low);
    let of_all =
        |power: i64| (power / looked).saturating_mul(all).saturating_add(power % looked * all / looked);
    let estimates =
        powers.map(|(tick, power)| (tick, Bound::exact(of_all(power.middle()).clamp(least, most))));
    grid.learn_all(bus, estimates);
}
