//! Where each bus's price is likely to lie, from a few samples of the sites: each sample is cleared
//! roughly, and the spread of their prices says how wide a window to look in. A wrong guess costs
//! time and nothing else.

use super::book::Book;
use super::bound::{Bound, Grid};
use super::pieces::Pieces;
use super::slopes::{Edges, Slopes, PARTS};
use super::survey::{ends, windows, Market, ROUND_CELLS};
use super::sweep::each;
use super::Infeasible;

/// Samples of sites, none of which shares one with another.
const SAMPLES: usize = 4;

/// Sites that stand together are looked at together, which is what memory is quick at.
const RUN: usize = 32;

/// As many of them are enough to say where to look at the rest.
const FEW: usize = 4;

/// Parts a window is divided into for one sample: finer ones would say no more than the sample knows.
const SAMPLE_PARTS: usize = PARTS / 2;

/// Which sites of every bus are looked at.
#[derive(Clone, Copy)]
struct Sample {
    sample: usize,
    /// How many of those that stand together.
    run: usize,
}

/// Windows of prices, by bus.
type Windows = Vec<(i64, i64)>;

/// A window for each bus, or none where there are too few sites for a guess to pay.
pub(super) fn guess(market: &Market<'_>) -> Result<Option<Windows>, Infeasible> {
    let Market { book, effort, .. } = market;
    let buses = market.grounds.feeder.buses.len();
    let whole = Sample { sample: 0, run: RUN };
    let looked: usize = (0..buses).map(|bus| sites(market, bus, whole).count()).sum();
    if effort.guess_sites == 0 || looked > book.sites() / 16 || buses * PARTS > ROUND_CELLS {
        return Ok(None);
    }
    let ends = ends(market);
    let Some(coarse) = coarse(market, &ends)? else { return Ok(None) };
    let Some(near) = spread(market, &ends, &coarse, FEW)? else { return Ok(None) };
    spread(market, &ends, &near, RUN)
}

/// The windows that samples of `run` sites in a row give within others, and most of their spread again on
/// either side: all of it where there are few.
fn spread(
    market: &Market<'_>,
    ends: &Grid,
    kept: &Windows,
    run: usize,
) -> Result<Option<Windows>, Infeasible> {
    let sampled = |sample| sampled(market, ends, kept, Sample { sample, run });
    let mut hull: Option<Windows> = None;
    for windows in each(market.book, (0..SAMPLES).collect(), sampled) {
        let Some(windows) = windows? else { return Ok(None) };
        hull = Some(match hull {
            Some(hull) => hull.iter().zip(windows).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))).collect(),
            None => windows,
        });
    }
    let (first, last) = (market.range.min().0, market.range.max().0 + 1);
    let widened = |(from, to): (i64, i64)| {
        let margin = if run < RUN { to - from } else { (to - from) / 4 * 3 } + 1;
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
fn sites(
    market: &Market<'_>,
    bus: usize,
    Sample { sample, run }: Sample,
) -> impl Iterator<Item = usize> + Clone {
    let (stride, all) = (stride(market, bus), market.book.sites_at(bus));
    let starts = all.clone().skip(sample * stride * RUN / SAMPLES).step_by(stride * RUN);
    starts.flat_map(move |start| start..(start + run).min(all.end))
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
    let looked_at = each(book, (0..ends.rows()).collect(), |bus| {
        let sites = sites(market, bus, Sample { sample: 0, run: 1 });
        let mut slopes = Slopes::new(edges);
        let base = sites.clone().map(|site| slopes.add_curve(book.curve(site))).sum();
        (reach(book, sites), slopes.sums(base))
    });
    for (bus, (reach, sums)) in looked_at.into_iter().enumerate() {
        estimate(market, &mut grid, bus, reach, edges.ticks_to(last).zip(sums));
    }
    grid.tighten();
    windows(grounds, &grid, 2 << edges.shift).map(Some)
}

/// The windows one sample gives: 65 prices across each of those kept so far.
fn sampled(
    market: &Market<'_>,
    ends: &Grid,
    kept: &Windows,
    sample: Sample,
) -> Result<Option<Windows>, Infeasible> {
    let book = market.book;
    let mut different = kept.clone();
    different.sort_unstable();
    different.dedup();
    if different.len() * PARTS * kept.len() > ROUND_CELLS {
        return Ok(Some(kept.clone()));
    }
    let edges: Option<Vec<_>> = different.iter().map(|w| Edges::few_over(book, *w, SAMPLE_PARTS)).collect();
    let Some(edges) = edges else { return Ok(None) };
    let ticks = edges.iter().zip(&different).flat_map(|(edges, window)| edges.ticks_to(window.1));
    let mut grid = ends.widened(ticks.collect());
    let mut pieces = Pieces::default();
    for (bus, window) in kept.iter().enumerate() {
        let Ok(place) = different.binary_search(window) else { continue };
        let sites = sites(market, bus, sample);
        pieces.refill(book, sites.clone(), *window);
        let powers = edges[place].ticks_to(window.1).zip(pieces.within(edges[place]));
        estimate(market, &mut grid, bus, reach(book, sites), powers);
    }
    grid.tighten();
    Ok(Some(within(windows(market.grounds, &grid, 0)?, kept)))
}

/// What two windows of each bus share, or the nearest end of the second.
fn within(found: Windows, kept: &Windows) -> Windows {
    let clamp = |((from, to), kept): ((i64, i64), &(i64, i64))| {
        (from.clamp(kept.0, kept.1), to.clamp(kept.0, kept.1))
    };
    found.into_iter().zip(kept).map(clamp).collect()
}

/// The most and the least that some sites take together at any price.
fn reach(book: &Book, sites: impl Iterator<Item = usize>) -> (i64, i64) {
    sites.map(|site| book.ends(site)).fold((0, 0), |sum, ends| (sum.0 + ends.0, sum.1 + ends.1))
}

/// Bits of fraction in what one sample's fall stands for.
const FRACTION: u32 = 24;

/// Enters what a bus's sites would take at some ticks if as much of their whole fall, which is known
/// exactly, lay above a tick as of the fall of those looked at. What these take themselves says less:
/// how much sites take at all varies more than where they fall.
fn estimate(
    market: &Market<'_>,
    grid: &mut Grid,
    bus: usize,
    (highest, lowest): (i64, i64),
    powers: impl Iterator<Item = (i64, Bound)>,
) {
    if highest == lowest {
        return;
    }
    let (first, last) = market.book.ends_of(bus);
    let end = grid.ticks.len() - 1;
    let (most, least) = (grid.row(bus)[0].high, grid.row(bus)[end].low);
    // Below 2^61, so that the product has room.
    let scale = (i128::from(first - last) << FRACTION) / i128::from(highest - lowest);
    let of_all = |power: i64| last + ((i128::from(power - lowest) * scale) >> FRACTION) as i64;
    let estimates =
        powers.map(|(tick, power)| (tick, Bound::exact(of_all(power.middle()).clamp(least, most))));
    grid.learn_all(bus, estimates);
}
