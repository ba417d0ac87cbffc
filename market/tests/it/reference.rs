//! A naive clearing by bisection, written for being obviously right, not fast: every question is
//! answered by walking the whole tree again.

use crate::feeders::Market;
use market::share::{split, Demand};
use market::units::{Milliwatt, PicoEurPerWh};

/// Prices, allocations by bus, flows by line and import; none where no price meets every limit.
pub type Outcome = Option<(Vec<i64>, Vec<i64>, Vec<i64>, i64)>;

struct Naive<'a> {
    market: &'a Market,
    range: (i64, i64),
}

impl Naive<'_> {
    fn own(&self, bus: usize, tick: i64) -> i64 {
        let here = self.market.parties.iter().filter(|(at, _)| *at == bus);
        here.map(|(_, curve)| curve.power_at(PicoEurPerWh(tick)).0).sum()
    }
    fn lines_from(&self, bus: usize) -> Vec<usize> {
        let feeder = &self.market.feeder;
        (0..feeder.lines.len()).filter(|l| feeder.lines[*l].from == feeder.buses[bus]).collect()
    }
    fn child(&self, line: usize) -> usize {
        let feeder = &self.market.feeder;
        feeder.buses.iter().position(|b| *b == feeder.lines[line].to).unwrap()
    }
    fn limits(&self, line: usize) -> (i64, i64) {
        let line = &self.market.feeder.lines[line];
        (line.power_min.map_or(i64::MIN, |p| p.0), line.power_max.map_or(i64::MAX, |p| p.0))
    }
    fn demand(&self, bus: usize, tick: i64) -> i64 {
        let below = self.lines_from(bus).into_iter().map(|l| self.flow(l, tick)).sum::<i64>();
        self.own(bus, tick) + below
    }
    fn flow(&self, line: usize, tick: i64) -> i64 {
        let (least, most) = self.limits(line);
        self.demand(self.child(line), tick).clamp(least, most)
    }
    /// The least tick of the range, or one above it, from which on `holds`.
    fn least(&self, holds: impl Fn(i64) -> bool) -> i64 {
        let (mut low, mut high) = (self.range.0, self.range.1 + 1);
        while low < high {
            let middle = low + (high - low).div_euclid(2);
            if holds(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }
    /// The rule for prices that may lie anywhere in an interval.
    fn price(&self, demand: impl Fn(i64) -> i64) -> i64 {
        let first = self.least(|t| demand(t + 1) <= 0);
        let last = self.least(|t| demand(t) < 0) - 1;
        let open_below = demand(self.range.0) <= 0;
        let open_above = demand(self.range.1 + 1) >= 0;
        match (open_below, open_above) {
            (true, true) => 0.clamp(self.range.0, self.range.1),
            (false, true) => first,
            (true, false) => last,
            (false, false) => first + (last - first).div_euclid(2),
        }
    }
    fn feasible(&self) -> bool {
        let (low, high) = (self.range.0, self.range.1 + 1);
        let lines = (0..self.market.feeder.lines.len()).all(|line| {
            let (least, most) = self.limits(line);
            let child = self.child(line);
            self.demand(child, high) <= most && self.demand(child, low) >= least
        });
        let import = |tick| -self.market.supply.mirrored().power_at(PicoEurPerWh(tick)).0;
        lines && self.demand(0, high) <= import(high) && self.demand(0, low) >= import(low)
    }
}

/// Clears naively, prices from `range.0` to `range.1`.
pub fn clear(market: &Market, range: (i64, i64)) -> Outcome {
    let naive = Naive { market, range };
    if !naive.feasible() {
        return None;
    }
    let supply = |tick| market.supply.mirrored().power_at(PicoEurPerWh(tick)).0;
    let buses = market.feeder.buses.len();
    let (mut prices, mut allocations) = (vec![0; buses], vec![0; buses]);
    let mut flows = vec![0; market.feeder.lines.len()];
    let root = naive.price(|t| naive.demand(0, t) + supply(t));
    let import = naive.demand(0, root).min(-supply(root + 1));
    let mut todo = vec![(0, root, import)];
    while let Some((bus, price, taken)) = todo.pop() {
        let step =
            |at: &dyn Fn(i64) -> i64| Demand { low: Milliwatt(at(price + 1)), high: Milliwatt(at(price)) };
        let lines = naive.lines_from(bus);
        let mut parts = vec![step(&|t| naive.own(bus, t))];
        parts.extend(lines.iter().map(|l| step(&|t| naive.flow(*l, t))));
        let shares = split(Milliwatt(taken), &parts).expect("the total lies within the steps");
        (prices[bus], allocations[bus]) = (price, shares[0].0);
        for (line, share) in lines.iter().zip(&shares[1..]) {
            flows[*line] = share.0;
            let child = naive.child(*line);
            let within = (naive.demand(child, price + 1)..=naive.demand(child, price)).contains(&share.0);
            let own = || naive.price(|t| naive.demand(child, t) - share.0);
            todo.push((child, if within { price } else { own() }, share.0));
        }
    }
    Some((prices, allocations, flows, import))
}
