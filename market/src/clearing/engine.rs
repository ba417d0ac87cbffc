//! Clearing many sites whose curves are at hand, in a [`Book`].
//!
//! Curves are never merged. A few samples of the sites guess each bus's window of prices; one pass
//! over all of them sums what lies outside it, and the curves that are straight within it as one
//! line, and keeps the few pieces left; rounds on those alone, 65 prices at a time and summed up the
//! tree, narrow the window to some ticks; and a second pass takes the exact sums where a straight line
//! puts the price, which nearly always is where it lies, and every site's dispatch with them. Only where the guess
//! was wrong (or there are few sites) is every curve bounded at 65 prices that span them all. The
//! outcome is the same, figure for figure, as that of [`super::sampled`] or of a bisection over the
//! whole tree, on however many cores.

use super::allocate::{allocate, Missing};
use super::book::Book;
use super::bound::{Bound, Grid};
use super::guess::guess;
use super::levels::{sum_up, Grounds};
use super::locate::{locate, Gap, Located};
use super::pieces::Pieces;
use super::slopes::{Edges, PARTS};
use super::survey::{ends, survey, window_of, windows, Effort, Market, ROUND_CELLS};
use super::sweep::{batches, each, Sweep};
use super::{Clearing, Infeasible, PriceRange};
use crate::feeder::{Feeder, Tree};
use crate::supply::SupplyCurve;
use crate::units::Milliwatt;

/// What a book is worth looking at.
fn effort(book: &Book) -> Effort {
    Effort { guess_sites: (book.sites() / 32).min(16_384), guess_sites_of_bus: 16, cheap: 400_000 }
}

/// Supply breakpoints asked exactly in one round.
const SUPPLY_PRICES: usize = 8;

/// A clearing and what every site takes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Prices, allocations by bus and flows.
    pub clearing: Clearing,
    /// What each site takes, in the book's order: its bus's allocation, split by
    /// [`crate::share::split`].
    pub sites: Vec<Milliwatt>,
}

/// Clears the sites of a book.
///
/// # Errors
/// [`Infeasible`] names the limit that no price in the range meets.
pub fn clear(
    feeder: &Feeder,
    tree: &Tree,
    supply: &SupplyCurve,
    book: &Book,
    range: PriceRange,
) -> Result<Clearing, Infeasible> {
    Ok(clear_within(&Grounds { feeder, tree, supply }, book, range, effort(book))?.0)
}

/// Clears the sites of a book and dispatches each.
///
/// # Errors
/// As [`clear`].
pub fn dispatch(
    feeder: &Feeder,
    tree: &Tree,
    supply: &SupplyCurve,
    book: &Book,
    range: PriceRange,
) -> Result<Dispatch, Infeasible> {
    let (clearing, sweep) = clear_within(&Grounds { feeder, tree, supply }, book, range, effort(book))?;
    let prices: Vec<i64> = clearing.prices.iter().map(|price| price.0).collect();
    let sites = sweep.split(book, &prices, &clearing.allocations);
    Ok(Dispatch { clearing, sites })
}

fn clear_within(
    grounds: &Grounds<'_>,
    book: &Book,
    range: PriceRange,
    effort: Effort,
) -> Result<(Clearing, Sweep), Infeasible> {
    let market = Market { grounds, book, range, effort };
    if let Some(windows) = guess(&market)? {
        let rounds = Rounds::new(&market, &windows);
        if let Some(demand) = rounds.bounded(book, &ends(&market), &windows) {
            return rounds.run(&market, demand, true);
        }
    }
    let (rounds, demand) = market.surveyed()?;
    rounds.run(&market, demand, false)
}

impl Market<'_> {
    /// Rounds begun on windows known for sure, from every site.
    fn surveyed(&self) -> Result<(Rounds, Grid), Infeasible> {
        let demand = match survey(self) {
            Some(survey) => survey,
            None => ends(self),
        };
        let windows = windows(self.grounds, &demand, 0)?;
        Ok((Rounds::new(self, &windows), demand))
    }
}

/// What is left of the curves within the windows, and how far it has been narrowed.
struct Rounds {
    /// By bus.
    pieces: Vec<Pieces>,
    /// What was last asked exactly.
    sweep: Sweep,
    /// Sum of the gaps' widths when they were last divided by bounds, to notice when that no longer helps.
    width: i128,
    /// Rounds asked at the interpolated price since one divided gaps evenly.
    guesses: usize,
}

impl Rounds {
    fn new(market: &Market<'_>, windows: &[(i64, i64)]) -> Self {
        let book = market.book;
        let mut pieces: Vec<_> = windows.iter().map(|window| Pieces::of(book, 0..0, *window)).collect();
        let look = || {
            each(book, batches(book, windows.len()), |(bus, sites)| {
                (bus, Pieces::of(book, sites, windows[bus]))
            })
        };
        // Room for every site's dispatch takes as long to clear as many sites to look at.
        let (found, sweep) = rayon::join(look, || Sweep::new(book, windows.len()));
        found.into_iter().for_each(|(bus, found)| pieces[bus].merge(found));
        Self { pieces, sweep, width: i128::MAX, guesses: 0 }
    }

    /// Narrows until every price is known; from a survey of everything where windows were `guessed`
    /// and turn out to lie elsewhere.
    fn run(
        mut self,
        market: &Market<'_>,
        mut demand: Grid,
        mut guessed: bool,
    ) -> Result<(Clearing, Sweep), Infeasible> {
        let grounds = market.grounds;
        loop {
            let levels = sum_up(grounds, &demand)?;
            let located = locate(grounds, &levels);
            let mut asked = Vec::new();
            if located.windows.iter().all(|w| w.low == w.high) {
                match allocate(grounds, &demand, &levels, &located.windows) {
                    Ok(clearing) => return Ok((clearing, self.sweep)),
                    Err(Missing(ticks)) => asked.extend(ticks.first()),
                }
            }
            if !self.holds(market, &located) && guessed {
                (self, demand) = market.surveyed()?;
                guessed = false;
                continue;
            }
            self.narrow(market, &located);
            demand =
                demand.within(&located.windows.iter().map(|w| (w.ask_from, w.ask_to)).collect::<Vec<_>>());

            demand = self.next(market, &demand, &located, asked);
        }
    }

    /// Whether every bus's window lies within the one its pieces were kept for.
    fn holds(&self, market: &Market<'_>, located: &Located) -> bool {
        market.grounds.tree.place.iter().zip(&self.pieces).all(|(place, pieces)| {
            let ((from, to), (kept_from, kept_to)) = (window_of(located, *place), pieces.window());
            kept_from <= from && to <= kept_to
        })
    }

    /// Brings every bus's pieces to its window.
    fn narrow(&mut self, market: &Market<'_>, located: &Located) {
        let book = market.book;
        let windows = market.grounds.tree.place.iter().map(|place| window_of(located, *place));
        let parts: Vec<_> = self.pieces.iter_mut().zip(windows).enumerate().collect();
        each(book, parts, |(bus, (pieces, (from, to)))| {
            let (kept_from, kept_to) = pieces.window();
            if from < kept_from || to > kept_to {
                *pieces = Pieces::of(book, book.sites_at(bus), (from, to));
            } else if (to - from) < (kept_to - kept_from) / 4 {
                // Reading the pieces again pays once it drops or straightens many of them.
                pieces.narrow((from, to));
            }
        });
    }

    /// One round: asks what narrows the gaps most for its cost. `asked` are prices needed anyway.
    fn next(&mut self, market: &Market<'_>, demand: &Grid, located: &Located, asked: Vec<i64>) -> Grid {
        let grounds = market.grounds;
        let mut prices = asked;
        supply_prices(grounds, &located.gaps, &mut prices);
        let width = located.gaps.iter().map(|gap| (gap.right - gap.left) as i128).sum();
        if width < self.width / 4 && !(1..=2).contains(&prices.len()) {
            self.width = width;
            let windows: Vec<_> = grounds.tree.place.iter().map(|place| window_of(located, *place)).collect();
            if let Some(grid) = self.bounded(market.book, demand, &windows) {
                return grid;
            }
        }
        let sites = market.book.sites().max(1);
        let parts = (market.effort.cheap / sites / located.gaps.len().max(1)).clamp(8, PARTS);
        self.guesses += 1;
        for gap in &located.gaps {
            if self.guesses.is_multiple_of(2) {
                divide(gap, parts, &mut prices);
            } else if !prices.iter().any(|price| (gap.left..gap.right).contains(price)) {
                prices.push(guess_in(gap));
            }
        }
        let settled = located.windows.iter().filter(|window| window.low == window.high);
        prices.extend(settled.map(|window| window.low));
        self.exact(market, demand, located, prices)
    }

    /// A round of bounds at 65 edges of each bus's window. None where figures or feeder are too large
    /// for it.
    fn bounded(&self, book: &Book, demand: &Grid, windows: &[(i64, i64)]) -> Option<Grid> {
        let mut different = windows.to_vec();
        different.sort_unstable();
        different.dedup();
        if different.len() * PARTS * windows.len() > ROUND_CELLS {
            return None;
        }
        let edges_of = |(from, to): (i64, i64)| Edges::over(book, from, to);
        let edges: Option<Vec<_>> = different.iter().map(|window| edges_of(*window)).collect();
        let all = different.iter().zip(edges?).flat_map(|(window, edges)| edges.ticks_to(window.1));
        let mut grid = demand.widened(all.collect());
        let bounds = each(book, windows.iter().zip(&self.pieces).collect(), |(window, pieces)| {
            edges_of(*window).map(|edges| edges.ticks_to(window.1).zip(pieces.within(edges)))
        });
        for (bus, bounds) in bounds.into_iter().enumerate() {
            grid.learn_all(bus, bounds?);
        }
        grid.tighten();
        Some(grid)
    }

    /// A round of exact demand at `prices` and the ticks above them, of each bus at those that lie in
    /// its window and are not known yet.
    fn exact(&mut self, market: &Market<'_>, demand: &Grid, located: &Located, mut prices: Vec<i64>) -> Grid {
        prices.sort_unstable();
        prices.dedup();
        let mut grid = demand.widened(prices.iter().flat_map(|price| [*price, price + 1]).collect());
        let places = &market.grounds.tree.place;
        let windows: Vec<_> = places.iter().map(|place| window_of(located, *place)).collect();
        let open = |bus: usize, price: i64| {
            let (from, to) = windows[bus];
            let known = |tick: i64| demand.at(bus, tick).known().is_some();
            from <= price && price < to && !(known(price) && known(price + 1))
        };
        let mut asked: Vec<Vec<i64>> = (0..windows.len())
            .map(|bus| prices.iter().copied().filter(|price| open(bus, *price)).collect())
            .collect();
        // One pass for all buses, each at its own price; another where a bus is asked at several.
        while asked.iter().any(|prices| !prices.is_empty()) {
            let now: Vec<_> = asked.iter_mut().map(Vec::pop).collect();
            let taken = self.sweep.look(market.book, &now);
            for (bus, (price, taken)) in now.into_iter().zip(taken).enumerate() {
                if let (Some(price), Some(taken)) = (price, taken) {
                    grid.learn(bus, price, Bound::exact(taken.high.0));
                    grid.learn(bus, price + 1, Bound::exact(taken.low.0));
                }
            }
        }
        grid.tighten();
        grid
    }
}

/// Evenly spaced prices of a gap.
fn divide(gap: &Gap, parts: usize, prices: &mut Vec<i64>) {
    let width = (gap.right - gap.left) as i128;
    let parts = (parts as i128).min(width);
    prices.extend((1..parts).map(|k| gap.left + (width * k / parts) as i64));
}

/// Where a straight line through the gap's ends puts the price.
fn guess_in(gap: &Gap) -> i64 {
    let (width, above) = ((gap.right - gap.left) as i128, gap.above.max(0) as i128);
    let fall = (above + gap.below.max(0) as i128).max(1);
    (gap.left + (width * above / fall) as i64).min(gap.right - 1)
}

/// Prices at which the supply has a step, so that demand and supply together fall in one tick.
fn supply_prices(grounds: &Grounds<'_>, gaps: &[Gap], prices: &mut Vec<i64>) {
    let points = grounds.supply.mirrored().points();
    for gap in gaps {
        let first = points.partition_point(|p| p.price.0 < gap.left);
        let last = points.partition_point(|p| p.price.0 < gap.right);
        let within = &points[first..last.max(first)];
        let every = within.len().div_ceil(SUPPLY_PRICES).max(1);
        prices.extend(within.iter().skip(every / 2).step_by(every).map(|point| point.price.0));
    }
    prices.sort_unstable();
    prices.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::Breakpoint;
    use crate::feeder::Line;
    use crate::units::{Milliwatt, PicoEurPerWh};
    use proptest::prelude::*;

    fn points(price: i64, power: i64, steps: &[(i64, i64)]) -> Vec<Breakpoint> {
        let mut corner = Breakpoint { price: PicoEurPerWh(price), power: Milliwatt(power) };
        let mut points = vec![corner];
        for (rise, fall) in steps {
            corner.price.0 += rise;
            corner.power.0 -= fall;
            points.push(corner);
        }
        points
    }

    fn chain(limits: &[i64]) -> Feeder {
        let line = |i: usize| Line {
            id: format!("l{i}"),
            from: format!("n{i}"),
            to: format!("n{}", i + 1),
            power_max: Some(Milliwatt(limits[i])),
            power_min: Some(Milliwatt(-limits[i])),
            resistance_microohm: 0,
            reactance_microohm: 0,
            rating_millivoltampere: None,
        };
        Feeder {
            voltage_millivolt: 400_000,
            root: "n0".into(),
            buses: (0..=limits.len()).map(|i| format!("n{i}")).collect(),
            lines: (0..limits.len()).map(line).collect(),
        }
    }

    fn sites() -> impl Strategy<Value = Vec<Vec<Breakpoint>>> {
        let step = (prop_oneof![Just(0i64), 1..90_000_000i64], prop_oneof![Just(0i64), 1..4_000_000i64]);
        let site = (-50_000_000..200_000_000i64, 0..12_000_000i64, prop::collection::vec(step, 0..8));
        prop::collection::vec(site.prop_map(|(price, power, steps)| points(price, power, &steps)), 1..60)
    }

    proptest! {
        /// What the engine does with very many sites, on few: bounds first, exact sums last.
        #[test]
        fn bounding_first_changes_no_figure(
            sites in sites(),
            limits in prop::collection::vec(1_000_000i64..150_000_000, 0..5),
            slope in prop_oneof![Just(0i64), 1..400_000_000i64],
        ) {
            let feeder = chain(&limits);
            let tree = feeder.tree().unwrap();
            let mut book = Book::new(feeder.buses.len());
            for (i, site) in sites.iter().enumerate() {
                book.push(i * feeder.buses.len() / sites.len(), site).unwrap();
            }
            let supply = points(100_000_000 - slope / 2, 500_000_000, &[(slope, 1_000_000_000)]);
            let mirrored = supply.into_iter().map(|p| Breakpoint { price: p.price, power: -p.power });
            let supply = SupplyCurve::new(mirrored.collect()).unwrap();
            let grounds = Grounds { feeder: &feeder, tree: &tree, supply: &supply };
            let end = PicoEurPerWh(3_000_000_000);
            let range = PriceRange::new(-end, end).unwrap();
            let clear = |guess_sites, cheap| {
                let effort = Effort { guess_sites, guess_sites_of_bus: 1, cheap };
                clear_within(&grounds, &book, range, effort).map(|(clearing, _)| clearing)
            };
            let exact = clear(0, usize::MAX);
            prop_assert_eq!(&clear(0, 0), &exact);
            // A guess from a few sites, mostly wrong.
            prop_assert_eq!(&clear(2, 0), &exact);
            if let Ok(exact) = exact {
                let dispatch = dispatch(&feeder, &tree, &supply, &book, range).unwrap();
                prop_assert_eq!(&dispatch.clearing, &exact);
                prop_assert_eq!(dispatch.sites, book.split(&exact).unwrap());
            }
        }
    }
}
