//! Which of the feeder's limits the solver needs to know. Few of them bind, so each joins when the
//! present point passes it: in every interval the ones passed by more than their neighbours on the tree.
//! What never joins is kept by the final point, so leaving it out changed nothing.

use super::limits::{limits, row, state, Limit, LimitKind, State};
use super::model::{Equation, Model, Purpose, Taken};

/// Least scaled slack a limit joins with.
const SLACK_LEAST: f64 = 1e-2;

/// A limit passed in an interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Passed {
    pub limit: Limit,
    pub interval: usize,
    /// By how much, in the limit's own unit.
    pub excess: f64,
}

impl Model<'_> {
    /// Flows and voltages of an interval at the present point.
    pub fn state(&self, taken: &Taken, interval: usize) -> State {
        let power = self.scale.power;
        let sum = |taken: &[f64], base: &[f64], root: f64| -> Vec<f64> {
            let here = |place| self.at(place, interval);
            let at = |place| (taken[here(place)] + base[here(place)]) * power;
            (0..self.places()).map(|place| if place == 0 { root } else { at(place) }).collect()
        };
        let real = sum(&taken.real, &self.base.real, 0.0);
        state(&self.problem.network, &real, &sum(&taken.reactive, &self.base.reactive, 0.0))
    }

    /// Adds the limits that are passed by more than `tolerance`, a scaled power, and are not known yet;
    /// their multipliers start at `product` by their slack. How many there were.
    pub fn join(&mut self, tolerance: f64, product: f64) -> usize {
        let taken = self.taken(&self.boxes.value);
        let limits = limits(&self.problem.network);
        let mut joined = 0;
        for interval in 0..self.intervals() {
            let state = self.state(&taken, interval);
            for passed in worst(self, &state, &limits, interval) {
                let pattern = self.pattern(passed.limit);
                let excess = passed.excess / self.patterns[pattern].unit / self.scale.power;
                if excess > tolerance && !self.joined.contains_key(&(passed.limit, interval)) {
                    self.add_limit(passed.limit, interval, excess, product);
                    joined += 1;
                }
            }
        }
        joined
    }

    fn pattern(&mut self, limit: Limit) -> usize {
        if let Some(known) = self.limits.iter().position(|known| *known == Some(limit)) {
            return known;
        }
        self.limits.push(Some(limit));
        self.patterns.push(row(&self.problem.network, limit));
        self.patterns.len() - 1
    }

    fn add_limit(&mut self, limit: Limit, interval: usize, passed_by: f64, product: f64) {
        let pattern = self.pattern(limit);
        self.joined.insert((limit, interval), self.equations.len());
        let unlimited = f64::INFINITY;
        let (slack, excess) = match self.purpose {
            Purpose::Optimum => (passed_by.max(SLACK_LEAST), None),
            // Where excess is sought, it starts as it is, and the equation holds.
            Purpose::LeastExcess => {
                let start = passed_by + SLACK_LEAST;
                (SLACK_LEAST, Some(self.boxes.push(unlimited, (1.0, 0.0), start, product)))
            }
        };
        let slack = self.boxes.push(unlimited, (0.0, 0.0), slack, product);
        let multiplier = self.boxes.low[slack];
        let along = [1.0; 2];
        self.equations.push(Equation { interval, pattern, along, slack: Some(slack), excess, multiplier });
    }
}

/// The limits passed by more than both neighbours: the parent's and every child's of the same kind.
fn worst(model: &Model, state: &State, limits: &[Limit], interval: usize) -> Vec<Passed> {
    let network = &model.problem.network;
    let kinds = LimitKind::ALL.len();
    let mut excess = vec![f64::NEG_INFINITY; network.parent.len() * kinds];
    let slot = |Limit { place, kind }: Limit| place * kinds + kind as usize;
    limits.iter().for_each(|limit| excess[slot(*limit)] = state.excess(network, *limit));
    let mut below = vec![f64::NEG_INFINITY; excess.len()];
    for limit in limits {
        let above = slot(Limit { place: network.parent[limit.place], kind: limit.kind });
        below[above] = below[above].max(excess[slot(*limit)]);
    }
    let stands_out = |limit: &&Limit| {
        let own = excess[slot(**limit)];
        let above = excess[slot(Limit { place: network.parent[limit.place], kind: limit.kind })];
        own > 0.0 && own > above && own >= below[slot(**limit)]
    };
    let passed = |limit: &Limit| Passed { limit: *limit, interval, excess: excess[slot(*limit)] };
    limits.iter().filter(stands_out).map(passed).collect()
}
