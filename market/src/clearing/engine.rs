//! Clearing many sites whose curves are at hand, in a [`Book`].
//!
//! Curves are never merged. A look at one site in many guesses each bus's window of prices; one
//! pass over all of them keeps the few pieces of curves that fall within it; and rounds on those
//! alone, 65 prices at a time and summed up the tree, narrow it to a tick, the last of them exactly.
//! Only where the guess was wrong (or there are few sites) is every curve bounded at 65 prices that
//! span them all. The outcome is the same, figure for figure, as that of [`super::sampled`] or of a
//! bisection over the whole tree.

use super::allocate::{allocate, Missing};
use super::book::Book;
use super::bound::{Bound, Grid};
use super::levels::{sum_up, Grounds};
use super::locate::{locate, Gap, Located};
use super::pieces::{Edges, Pieces, PARTS};
use super::survey::{ends, survey, window_of, windows, Effort, Market, ROUND_CELLS};
use super::{Clearing, Infeasible, PriceRange};
use crate::feeder::{Feeder, Tree};
use crate::supply::SupplyCurve;

/// Evaluations of a piece at a tick that are cheaper done than avoided.
const CHEAP: usize = 4_000_000;

/// Sites looked at for a guess; books of fewer are bounded whole at once.
const GUESS_SITES: usize = 65_536;

/// Sites of a single bus looked at for a guess, where it has as many.
const GUESS_SITES_OF_BUS: usize = 128;

/// Supply breakpoints asked exactly in one round.
const SUPPLY_TICKS: usize = 8;

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
    let effort = Effort { guess_sites: GUESS_SITES, guess_sites_of_bus: GUESS_SITES_OF_BUS, cheap: CHEAP };
    clear_within(&Grounds { feeder, tree, supply }, book, range, effort)
}

fn clear_within(
    grounds: &Grounds<'_>,
    book: &Book,
    range: PriceRange,
    effort: Effort,
) -> Result<Clearing, Infeasible> {
    let market = Market { grounds, book, range, effort };
    match market.guessed()? {
        Some((rounds, demand)) => rounds.run(&market, demand, true),
        None => {
            let (rounds, demand) = market.surveyed()?;
            rounds.run(&market, demand, false)
        }
    }
}

impl Market<'_> {
    /// Rounds begun on windows guessed from a few sites, with bounds across them. None where there
    /// are too few sites for a guess to pay.
    fn guessed(&self) -> Result<Option<(Rounds, Grid)>, Infeasible> {
        let stride = self.book.sites() / self.effort.guess_sites.max(1);
        if stride < 2 {
            return Ok(None);
        }
        let Some((survey, edges)) = survey(self, stride) else { return Ok(None) };
        let windows = windows(self.grounds, &survey, 1 << edges.shift)?;
        let rounds = Rounds::new(self, &windows);
        let demand = rounds.bounded(self.book, &ends(self), &windows);
        Ok(demand.map(|demand| (rounds, demand)))
    }

    /// Rounds begun on windows known for sure, from every site.
    fn surveyed(&self) -> Result<(Rounds, Grid), Infeasible> {
        let demand = match survey(self, 1) {
            Some((survey, _)) => survey,
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
    /// Sum of the gaps' widths when they were last divided by bounds, to notice when that no longer helps.
    width: i128,
    /// Rounds asked near the interpolated price since one divided gaps evenly.
    guesses: usize,
    cheap: usize,
}

impl Rounds {
    fn new(market: &Market<'_>, windows: &[(i64, i64)]) -> Self {
        let pieces = windows.iter().enumerate().map(|(bus, window)| Pieces::of(market.book, bus, *window));
        Self { pieces: pieces.collect(), width: i128::MAX, guesses: 0, cheap: market.effort.cheap }
    }

    /// Narrows until every price is known; from a survey of everything where windows were `guessed`
    /// and turn out to lie elsewhere.
    fn run(
        mut self,
        market: &Market<'_>,
        mut demand: Grid,
        mut guessed: bool,
    ) -> Result<Clearing, Infeasible> {
        let grounds = market.grounds;
        loop {
            let levels = sum_up(grounds, &demand)?;
            let located = locate(grounds, &levels);
            let mut asked = Vec::new();
            if located.windows.iter().all(|w| w.low == w.high) {
                match allocate(grounds, &demand, &levels, &located.windows) {
                    Ok(clearing) => return Ok(clearing),
                    Err(Missing(ticks)) => asked = ticks,
                }
            }
            if !self.holds(grounds.tree, &located) && guessed {
                (self, demand) = market.surveyed()?;
                guessed = false;
                continue;
            }
            self.narrow(market, &located);
            demand =
                demand.within(&located.windows.iter().map(|w| (w.ask_from, w.ask_to)).collect::<Vec<_>>());
            demand = self.next(grounds, market.book, &demand, &located, asked);
        }
    }

    /// Whether every bus's window lies within the one its pieces were kept for.
    fn holds(&self, tree: &Tree, located: &Located) -> bool {
        tree.place.iter().zip(&self.pieces).all(|(place, pieces)| {
            let ((from, to), (kept_from, kept_to)) = (window_of(located, *place), pieces.window());
            kept_from <= from && to <= kept_to
        })
    }

    /// Brings every bus's pieces to its window.
    fn narrow(&mut self, market: &Market<'_>, located: &Located) {
        for (bus, place) in market.grounds.tree.place.iter().enumerate() {
            let (from, to) = window_of(located, *place);
            let (kept_from, kept_to) = self.pieces[bus].window();
            if from < kept_from || to > kept_to {
                self.pieces[bus] = Pieces::of(market.book, bus, (from, to));
            } else if (to - from) < (kept_to - kept_from) / 4 {
                // Reading the pieces again pays once it drops or straightens many of them.
                self.pieces[bus].narrow((from, to));
            }
        }
    }

    /// One round: asks what narrows the gaps most for its cost. `asked` are ticks needed anyway.
    fn next(
        &mut self,
        grounds: &Grounds<'_>,
        book: &Book,
        demand: &Grid,
        located: &Located,
        asked: Vec<i64>,
    ) -> Grid {
        let pieces: usize = self.pieces.iter().map(Pieces::len).sum();
        let cheap = pieces.saturating_mul(PARTS) <= self.cheap;
        let mut ticks = asked;
        supply_ticks(grounds, &located.gaps, &mut ticks);
        let width = located.gaps.iter().map(|gap| (gap.right - gap.left) as i128).sum();
        if !cheap && width < self.width / 4 && !(1..=4).contains(&ticks.len()) {
            self.width = width;
            let windows: Vec<_> = grounds.tree.place.iter().map(|place| window_of(located, *place)).collect();
            if let Some(grid) = self.bounded(book, demand, &windows) {
                return grid;
            }
        }
        let cells = ROUND_CELLS / self.pieces.len().max(1) / located.gaps.len().max(1);
        let parts = if cheap { PARTS.min(cells).max(2) } else { 8 };
        let even = cheap || self.guesses % 2 == 1;
        self.guesses += 1;
        for gap in &located.gaps {
            if even {
                divide(gap, parts, &mut ticks);
            } else {
                guess(gap, &mut ticks);
            }
        }
        for window in located.windows.iter().filter(|window| window.low == window.high) {
            ticks.extend([window.low, window.low + 1]);
        }
        self.exact(grounds, demand, located, ticks)
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
        let ticks_of = |edges: Edges, (_, to): (i64, i64)| {
            (0..=PARTS).map(move |edge| edges.tick(edge)).take_while(move |tick| *tick <= to)
        };
        let edges: Option<Vec<_>> = different.iter().map(|window| edges_of(*window)).collect();
        let all = different.iter().zip(edges?).flat_map(|(window, edges)| ticks_of(edges, *window));
        let mut grid = demand.widened(all.collect());
        for (bus, window) in windows.iter().enumerate() {
            let edges = edges_of(*window)?;
            for (tick, bound) in ticks_of(edges, *window).zip(self.pieces[bus].within(edges)) {
                grid.learn(bus, tick, bound);
            }
        }
        grid.tighten();
        Some(grid)
    }

    /// A round of exact demand at `ticks`, of each bus at those that lie in its window.
    fn exact(&self, grounds: &Grounds<'_>, demand: &Grid, located: &Located, mut ticks: Vec<i64>) -> Grid {
        ticks.sort_unstable();
        ticks.dedup();
        let mut grid = demand.widened(ticks.clone());
        for (bus, place) in grounds.tree.place.iter().enumerate() {
            let (from, to) = window_of(located, *place);
            let first = ticks.partition_point(|tick| *tick < from);
            let last = ticks.partition_point(|tick| *tick <= to);
            let here = &ticks[first..last.max(first)];
            for (tick, power) in here.iter().zip(self.pieces[bus].exact(here)) {
                grid.learn(bus, *tick, Bound::exact(power));
            }
        }
        grid.tighten();
        grid
    }
}

fn divide(gap: &Gap, parts: usize, ticks: &mut Vec<i64>) {
    let width = (gap.right - gap.left) as i128;
    let parts = (parts as i128).min(width);
    ticks.extend((1..parts).map(|k| gap.left + (width * k / parts) as i64));
}

/// The four ticks around where a straight line through the gap's ends puts the price.
fn guess(gap: &Gap, ticks: &mut Vec<i64>) {
    let (width, above) = ((gap.right - gap.left) as i128, gap.above.max(0) as i128);
    let fall = (above + gap.below.max(0) as i128).max(1);
    let middle = gap.left + (width * above / fall) as i64;
    ticks.extend((middle - 1..=middle + 2).filter(|tick| gap.left < *tick && *tick < gap.right));
}

/// Where the supply has a step, demand and supply together fall in one tick: that tick and the next.
fn supply_ticks(grounds: &Grounds<'_>, gaps: &[Gap], ticks: &mut Vec<i64>) {
    let points = grounds.supply.mirrored().points();
    for gap in gaps {
        let first = points.partition_point(|p| p.price.0 < gap.left);
        let last = points.partition_point(|p| p.price.0 < gap.right);
        let within = &points[first..last.max(first)];
        let every = within.len().div_ceil(SUPPLY_TICKS).max(1);
        for point in within.iter().skip(every / 2).step_by(every) {
            let pair = [point.price.0, point.price.0 + 1];
            ticks.extend(pair.iter().filter(|tick| gap.left < **tick && **tick < gap.right));
        }
    }
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
                clear_within(&grounds, &book, range, Effort { guess_sites, guess_sites_of_bus: 1, cheap })
            };
            let exact = clear(usize::MAX, usize::MAX);
            prop_assert_eq!(&clear(usize::MAX, 0), &exact);
            // A guess from a few sites, mostly wrong.
            prop_assert_eq!(&clear(4, 0), &exact);
        }
    }
}
