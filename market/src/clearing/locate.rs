//! Where prices can lie, given demand at the ticks asked so far, and which ticks to ask next.

use super::bound::{Bound, Grid};
use super::levels::Grounds;

/// Ticks between two that were asked, where a price is still to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gap {
    /// Last tick known to lie below.
    pub left: i64,
    /// First tick known to lie above; more than one tick from `left`.
    pub right: i64,
    /// About how far demand at `left` exceeds the value sought.
    pub above: i64,
    /// About how far demand at `right` falls short of the value sought.
    pub below: i64,
}

/// What is known of a place's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The price lies from here ...
    pub low: i64,
    /// ... to here.
    pub high: i64,
    /// Demand at this place matters from this tick ...
    pub ask_from: i64,
    /// ... to this one.
    pub ask_to: i64,
}

/// Windows by place, and the gaps to divide before every window is a single tick.
pub(crate) struct Located {
    pub windows: Vec<Window>,
    pub gaps: Vec<Gap>,
}

/// The prices `t` at which `D(t + 1) <= value <= D(t)`: an interval, each end known within bounds.
struct Crossing {
    /// The interval's low end lies in these.
    first: (i64, i64),
    /// The interval's high end lies in these.
    last: (i64, i64),
    /// It reaches the lowest price.
    open_below: bool,
    /// It reaches the highest price.
    open_above: bool,
    gap_first: Option<Gap>,
    gap_last: Option<Gap>,
}

impl Crossing {
    fn of(ticks: &[i64], demand: &dyn Fn(usize) -> Bound, value: i64) -> Self {
        let end = ticks.len() - 1;
        let count = |holds: &dyn Fn(Bound) -> bool| partition_point(ticks.len(), |i| holds(demand(i)));
        let tick = |n: usize, default: i64| if n == 0 { default } else { ticks[n - 1] };
        let (surely_more, maybe_more) = (count(&|d| d.low > value), count(&|d| d.high > value));
        let (surely_least, maybe_least) = (count(&|d| d.low >= value), count(&|d| d.high >= value));
        let top = ticks[end] - 1;
        // The first tick at which demand is no more than the value is one above the low end.
        let after_first = ticks[maybe_more.min(end)];
        let after_last = ticks[maybe_least.min(end)];
        let gap = |surely: usize, maybe: usize| {
            let (left, right) = (surely.checked_sub(1)?, maybe.min(end));
            (ticks[right] - ticks[left] > 1).then(|| Gap {
                left: ticks[left],
                right: ticks[right],
                above: demand(left).middle().saturating_sub(value),
                below: value.saturating_sub(demand(right).middle()),
            })
        };
        let open_below = maybe_more == 0;
        let open_above = surely_least > end;
        Self {
            first: (tick(surely_more, ticks[0]), if open_below { ticks[0] } else { after_first - 1 }),
            last: (
                tick(surely_least, ticks[0]).min(top),
                if open_above { top } else { (after_last - 1).max(ticks[0]) },
            ),
            open_below,
            open_above,
            gap_first: gap(surely_more, maybe_more),
            gap_last: if open_above { None } else { gap(surely_least, maybe_least) },
        }
    }

    /// Where the price chosen by the rules at [`super`] lies, and the gaps that keep it from being one tick.
    fn price(&self, gaps: &mut Vec<Gap>) -> Window {
        let midpoint = |a: i64, b: i64| a + (b - a).div_euclid(2);
        let (low, high) = match (self.open_below, self.open_above) {
            (true, true) => {
                let nearest = 0.clamp(self.first.0, self.last.1);
                (nearest, nearest)
            }
            (false, true) => self.first,
            (true, false) => self.last,
            (false, false) => (midpoint(self.first.0, self.last.0), midpoint(self.first.1, self.last.1)),
        };
        gaps.extend(self.gap_first.filter(|_| !self.open_below));
        gaps.extend(self.gap_last.filter(|_| !self.open_above));
        let from = if self.open_below { low } else { low.min(self.first.0) };
        let to = if self.open_above { high } else { high.max(self.last.1) };
        Window { low, high, ask_from: from, ask_to: to + 1 }
    }
}

fn partition_point(len: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Finds every place's window from the root down. `levels` must have passed [`super::levels::sum_up`].
pub(crate) fn locate(grounds: &Grounds<'_>, levels: &Grid) -> Located {
    let ticks = &levels.ticks;
    let supply: Vec<i64> = ticks.iter().map(|t| grounds.supply_at(*t)).collect();
    let root = levels.row(0);
    let balance = |i: usize| root[i].plus(Bound::exact(supply[i]));
    let mut gaps = Vec::new();
    let mut windows = vec![Crossing::of(ticks, &balance, 0).price(&mut gaps)];
    windows.reserve(grounds.tree.order.len());
    for place in 1..grounds.tree.order.len() {
        let parent = windows[grounds.tree.parent[place]];
        let window = child_window(parent, ticks, levels.row(place), grounds.limits(place), &mut gaps);
        windows.push(window);
    }
    gaps.sort_unstable();
    gaps.dedup_by_key(|gap| (gap.left, gap.right));
    Located { windows, gaps }
}

fn child_window(
    parent: Window,
    ticks: &[i64],
    row: &[Bound],
    (power_min, power_max): (i64, i64),
    gaps: &mut Vec<Gap>,
) -> Window {
    let demand = |i: usize| row[i];
    let mut window = parent;
    // Neither test below can be true of a limit that is absent or out of reach.
    if row[0].high > power_max {
        let upper = Crossing::of(ticks, &demand, power_max);
        if parent.low < upper.first.1 {
            // The limit may bind: the price may lie below where demand comes down to it.
            let own = upper.price(gaps);
            let surely = parent.high < upper.first.0;
            let apart = parent.ask_to <= upper.first.0;
            window = merge(window, own, surely, apart);
        }
    }
    if row[row.len() - 1].low < power_min {
        let lower = Crossing::of(ticks, &demand, power_min);
        if parent.high > lower.last.0 {
            let own = lower.price(gaps);
            let surely = parent.low > lower.last.1;
            let apart = parent.ask_from > lower.last.1;
            window = merge(window, own, surely, apart);
        }
    }
    window
}

/// `surely`: the limit binds, the price is its own. `apart`: throughout what the parent asks, the
/// line carries its limit, so the parent's questions need no answer from below.
fn merge(inherited: Window, own: Window, surely: bool, apart: bool) -> Window {
    let (low, high) =
        if surely { (own.low, own.high) } else { (inherited.low.min(own.low), inherited.high.max(own.high)) };
    let (ask_from, ask_to) = if surely && apart {
        (own.ask_from, own.ask_to)
    } else {
        (inherited.ask_from.min(own.ask_from), inherited.ask_to.max(own.ask_to))
    };
    Window { low, high, ask_from, ask_to }
}
