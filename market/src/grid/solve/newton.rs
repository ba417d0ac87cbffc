//! A point's Newton step: the conditions of a solution are linearised, eliminated along the tree, and
//! the step is taken back down to every party and limit.

use super::line::{Current, Element, Push};
use super::matrix::{add, dot, Mat3, Vec3, ZERO};
use super::model::Bound;
use super::pair::{worse, Pair};
use super::point::{needed_current, Node, Point};
use super::tree::{Answer, Load};
use crate::grid::error::Limit;

/// How much of a step of lost power adds to its price: where losses are free, nothing else would keep a
/// line's current from any length of step. It vanishes as the iterates settle.
const IDLE: f64 = 1e-4;

/// How far a point is from a solution.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Residuals {
    /// Largest violation of a balance, a voltage equation or a limit.
    pub primal: f64,
    /// Largest violation of a stationarity condition.
    pub dual: f64,
    /// Sum of all products of slack and multiplier.
    pub gap: f64,
    /// The largest of them.
    pub product: f64,
    /// How many they are.
    pub count: usize,
}

impl Residuals {
    /// Mean product.
    pub(super) fn mean(&self) -> f64 {
        self.gap / self.count.max(1) as f64
    }

    /// The largest of all, not a number where one is not.
    pub(super) fn worst(&self) -> f64 {
        let sum = self.primal + self.dual + self.gap;
        if sum.is_finite() {
            self.primal.max(self.dual).max(self.product)
        } else {
            f64::NAN
        }
    }
}

/// How the limited quantity of a bound moves with flow and voltage at its place.
fn gradient(bound: &Bound, node: &Node) -> Vec3 {
    match bound.limit {
        Limit::PowerMax => [1.0, 0.0, 0.0],
        Limit::PowerMin => [-1.0, 0.0, 0.0],
        Limit::VoltageMax => [0.0, 0.0, 1.0],
        Limit::VoltageMin => [0.0, 0.0, -1.0],
        _ => [node.flow[0] / bound.bound, node.flow[1] / bound.bound, 0.0],
    }
}

fn largest(figures: &[f64]) -> f64 {
    figures.iter().fold(0.0, |most, figure| worse(most, figure.abs()))
}

impl Point<'_> {
    /// Takes stock: how far the point is from a solution, the step's system, and its right-hand side
    /// for products of zero. Gives nothing where the system is singular.
    pub(super) fn prepare(&mut self) -> Option<Residuals> {
        let model = self.model;
        for (choice, stretch) in self.choices.iter_mut().zip(&model.stretches) {
            choice.prepare(stretch);
        }
        self.prepare_pairs();
        let (gap, product, count) = self.products();
        let dual = worse(self.push(|pair| pair.dual), self.choices_residual());
        self.factor()?;
        let primal = worse(self.limits_residual(), self.load(0.0));
        Some(Residuals { primal, dual, gap, product, count })
    }

    fn prepare_pairs(&mut self) {
        let model = self.model;
        for place in 1..model.parent.len() {
            let node = &self.nodes[place];
            for index in model.first_bound[place]..model.first_bound[place + 1] {
                self.pairs[index].prepare(super::point::excess(&model.bounds[index], node));
            }
            if model.carried {
                let needed = needed_current(node.flow, self.nodes[model.parent[place]].square);
                self.currents[place].prepare(needed - node.current);
            }
        }
        for party in &model.parties {
            for (kind, cover) in party.reserve.iter().enumerate() {
                if let Some(cover) = *cover {
                    let uncovered = self.uncovered(party, kind, cover);
                    self.covers[cover.pair].prepare(uncovered);
                }
            }
        }
        for kind in 0..2 {
            let lacking = self.lacking(kind);
            if let Some(required) = &mut self.required[kind] {
                required.prepare(lacking);
            }
        }
    }

    fn choices_residual(&self) -> f64 {
        let mut worst = 0f64;
        let mut take = |index: usize, price: f64| {
            let residual = self.choices[index].stationarity(&self.model.stretches[index], price);
            worst = worse(worst, residual.abs());
        };
        for place in 0..self.model.parent.len() {
            for party in self.parties(place) {
                let price = self.party_price(party, place);
                party.real.clone().for_each(|index| take(index, price));
                if let Some(index) = party.vars {
                    take(index, self.nodes[place].price[1]);
                }
                for (kind, cover) in party.reserve.iter().enumerate() {
                    if let Some(cover) = *cover {
                        take(cover.stretch, self.reserve_price(kind, cover));
                    }
                }
            }
        }
        let price = -self.nodes[0].price[0];
        self.model.supply.clone().for_each(|index| take(index, price));
        worst
    }

    fn factor(&mut self) -> Option<()> {
        let model = self.model;
        self.system.elements.clear();
        if model.carried {
            for place in 0..model.parent.len() {
                let element = self.element(place);
                self.system.elements.push(element);
            }
        }
        let mut tree = std::mem::take(&mut self.system.tree);
        let root = tree.factor(|place| {
            let line = self.system.elements.get(place).map(Element::transfer);
            (self.own(place), line.unwrap_or_else(|| self.element(place).transfer()))
        });
        self.system.tree = tree;
        let supply: f64 = self.choices[model.supply.clone()].iter().map(|c| c.give).sum();
        self.system.root = supply + self.give - root?[0][0];
        self.factor_reserve();
        Some(())
    }

    /// What the parties and the voltage limits of a place answer by themselves.
    fn own(&self, place: usize) -> Mat3 {
        let model = self.model;
        let mut own = ZERO;
        for party in self.parties(place) {
            let give = self.standby(party).total_give();
            own[0][0] -= give;
            own[0][1] -= give * party.tan_phi;
            own[1][1] -= give * party.tan_phi * party.tan_phi;
            own[1][1] -= party.vars.map_or(0.0, |index| self.choices[index].give);
        }
        own[1][0] = own[0][1];
        own[2][2] = 2.0 * model.deviation;
        for index in model.first_bound[place]..model.first_bound[place + 1] {
            if matches!(model.bounds[index].limit, Limit::VoltageMax | Limit::VoltageMin) {
                own[2][2] += self.pairs[index].weight();
            }
        }
        own
    }

    /// The line that feeds a place.
    fn element(&self, place: usize) -> Element {
        let model = self.model;
        let (line, node) = (&model.lines[place], &self.nodes[place]);
        let loss = 2.0 * line.loss_cost;
        let mut curve = [[loss, 0.0, 0.0], [0.0, loss, 0.0], [0.0; 3]];
        for index in model.first_bound[place]..model.first_bound[place + 1] {
            let (bound, pair) = (&model.bounds[index], &self.pairs[index]);
            let [p, q, _] = gradient(bound, node);
            let weight = pair.weight();
            curve[0][0] += weight * p * p;
            curve[0][1] += weight * p * q;
            curve[1][1] += weight * q * q;
            if bound.limit == Limit::Apparent {
                curve[0][0] += pair.dual / bound.bound;
                curve[1][1] += pair.dual / bound.bound;
            }
        }
        curve[1][0] = curve[0][1];
        let mut current = None;
        if model.carried && place > 0 {
            let pair = &self.currents[place];
            let along = self.current_gradient(place);
            let square = self.nodes[model.parent[place]].square;
            let twice = 2.0 * pair.dual / square;
            curve[0][0] += twice;
            curve[1][1] += twice;
            for k in 0..2 {
                curve[k][2] = -pair.dual * along[k] / square;
                curve[2][k] = curve[k][2];
            }
            curve[2][2] = -2.0 * pair.dual * along[2] / square;
            let [r, x] = line.impedance;
            current = Some(Current { along, weight: pair.weight() + IDLE * (r * r + x * x) });
        }
        Element { impedance: line.impedance, ratio: line.ratio, curve, current }
    }

    /// Gradient of the current a line needs, by real and reactive power and squared voltage at its
    /// sending end.
    fn current_gradient(&self, place: usize) -> Vec3 {
        let flow = self.nodes[place].flow;
        let square = self.nodes[self.model.parent[place]].square;
        [2.0 * flow[0] / square, 2.0 * flow[1] / square, -needed_current(flow, square) / square]
    }

    /// Fills the conditions of lines and voltages for the given multipliers of the limits. Gives the
    /// largest of what they lack, voltage equations apart.
    fn push(&mut self, multiplier: impl Fn(&Pair) -> f64) -> f64 {
        let model = self.model;
        let mut worst = 0f64;
        self.system.loads.fill(Load::default());
        for place in (1..model.parent.len()).rev() {
            let (node, line) = (self.nodes[place], &model.lines[place]);
            let above = self.nodes[model.parent[place]];
            let mut force = [2.0 * line.loss_cost * node.flow[0], 2.0 * line.loss_cost * node.flow[1]];
            let mut own = 2.0 * model.deviation * (node.square - 1.0) + node.drop;
            for index in model.first_bound[place]..model.first_bound[place + 1] {
                let along = gradient(&model.bounds[index], &node);
                let multiplier = multiplier(&self.pairs[index]);
                force[0] += multiplier * along[0];
                force[1] += multiplier * along[1];
                own += multiplier * along[2];
            }
            let [r, x] = line.impedance;
            let effort = |k: usize, z: f64| above.price[k] + force[k] - node.price[k] + 2.0 * z * node.drop;
            let square = self.square_residual(place);
            let mut push = Push { effort: [effort(0, r), effort(1, x), square], ..Push::default() };
            if model.carried {
                let toll =
                    r * node.price[0] + x * node.price[1] - (r * r + x * x) * node.drop + line.current_cost;
                let along = self.current_gradient(place);
                push.effort[0] += along[0] * toll;
                push.effort[1] += along[1] * toll;
                push.gain = toll - multiplier(&self.currents[place]);
                push.response = along[2] * toll;
            }
            self.system.pushes[place] = push;
            self.system.loads[place].own[2] += own;
            let residual =
                largest(&[push.effort[0], push.effort[1], push.gain, self.system.loads[place].own[2]]);
            worst = worse(worst, residual);
            self.system.loads[model.parent[place]].own[2] += push.response - line.ratio * node.drop;
        }
        worst
    }

    /// The right-hand side for one target. Gives the largest residual of balances and voltages.
    pub(super) fn load(&mut self, target: f64) -> f64 {
        let model = self.model;
        self.push(|pair| pair.force(target));
        let mut worst = 0f64;
        for place in (0..model.parent.len()).rev() {
            let (node, line) = (self.nodes[place], &model.lines[place]);
            let push = self.system.pushes[place];
            let drawn = self.drawn(place);
            let received: [f64; 2] = std::array::from_fn(|k| node.flow[k] - line.impedance[k] * node.current);
            let load = &mut self.system.loads[place];
            let own =
                [load.own[0] + drawn[0] - received[0], load.own[1] + drawn[1] - received[1], load.own[2]];
            if place > 0 {
                let passed = match self.system.elements.get(place) {
                    Some(element) => element.load(&push),
                    None => Load { effort: push.effort, ..Load::default() },
                };
                // What the push means for the voltage above stands in that place's own load already.
                let response = add(passed.response, [0.0, 0.0, -push.response]);
                *load = Load { own, response, ..passed };
                let parent = &mut self.system.loads[model.parent[place]].own;
                parent[0] += node.flow[0];
                parent[1] += node.flow[1];
                worst = worse(worst, largest(&[own[0], own[1], push.effort[2]]));
            } else {
                load.own = own;
            }
        }
        let balance = self.system.loads[0].own[0] - self.import() - self.give * self.nodes[0].price[0];
        self.system.loads[0].own[0] = balance;
        self.pull(target);
        worse(worst, balance.abs())
    }

    /// Adds what the parties would move at unchanged prices.
    fn pull(&mut self, target: f64) {
        for place in 0..self.model.parent.len() {
            for party in self.parties(place) {
                let price = self.party_price(party, place);
                let mut real: f64 = party.real.clone().map(|index| self.wish(index, price, target)).sum();
                let vars = self.nodes[place].price[1];
                let vars = party.vars.map_or(0.0, |index| self.wish(index, vars, target));
                if party.reserve.iter().any(Option::is_some) {
                    real = self.standby(party).taken(&self.wishes(party, real, target));
                }
                let own = &mut self.system.loads[place].own;
                own[0] += real;
                own[1] += party.tan_phi * real + vars;
            }
        }
    }

    /// How much more of a stretch would be taken at an unchanged price.
    pub(super) fn wish(&self, index: usize, price: f64, target: f64) -> f64 {
        let choice = &self.choices[index];
        choice.give * choice.pull(&self.model.stretches[index], price, target)
    }

    /// Finds the step towards `target`, the product of every slack and its multiplier, for which the
    /// right-hand side was taken.
    pub(super) fn solve(&mut self, target: f64) {
        let drawn = self.system.tree.up(&self.system.loads);
        let price = -self.nodes[0].price[0];
        let supply = self.model.supply.clone();
        let supplied: f64 = supply.map(|index| self.wish(index, price, target)).sum();
        let root = self.system.root_price(drawn[0] - supplied);
        let system = &mut self.system;
        system.tree.down([root, 0.0, 0.0], &system.loads, &mut system.answers);
        let reserve = self.solve_reserve(target);
        self.recover(target, reserve);
    }

    fn recover(&mut self, target: f64, reserve: [f64; 2]) {
        let model = self.model;
        for place in 0..model.parent.len() {
            let Answer { effort, sent, .. } = self.system.answers[place];
            let moved = [sent[0], sent[1], effort[2]];
            for index in model.first_bound[place]..model.first_bound[place + 1] {
                let along = gradient(&model.bounds[index], &self.nodes[place]);
                self.pairs[index].recover(target, dot(along, moved));
            }
            if model.carried && place > 0 {
                self.recover_current(place, target);
            }
            for party in self.parties(place) {
                let price = self.party_price(party, place);
                let mut change = effort[0] + party.tan_phi * effort[1];
                if party.reserve.iter().any(Option::is_some) {
                    change -= self.recover_reserve(party, (price, change), target, reserve);
                }
                party.real.clone().for_each(|index| self.choose(index, (price, change), target));
                if let Some(index) = party.vars {
                    self.choose(index, (self.nodes[place].price[1], effort[1]), target);
                }
            }
        }
        let price = (-self.nodes[0].price[0], -self.system.answers[0].effort[0]);
        model.supply.clone().for_each(|index| self.choose(index, price, target));
    }

    /// Takes the step of one stretch from its price and that price's change.
    pub(super) fn choose(&mut self, index: usize, (price, change): (f64, f64), target: f64) {
        let choice = &mut self.choices[index];
        let pull = choice.pull(&self.model.stretches[index], price, target) - change;
        choice.recover(pull, target);
    }

    fn recover_current(&mut self, place: usize, target: f64) {
        let above = self.system.answers[self.model.parent[place]].effort;
        let received = self.system.answers[place].received;
        let passed = self.system.elements[place].pass(above, received, &self.system.pushes[place]);
        let along = self.current_gradient(place);
        let needed = along[0] * passed.sent[0] + along[1] * passed.sent[1] + along[2] * above[2];
        self.system.current_steps[place] = passed.current;
        self.currents[place].recover(target, needed - passed.current);
    }

    /// Makes the present step the prediction that the next one corrects, by `share` of what it leaves.
    pub(super) fn predict(&mut self, share: f64) {
        let model = self.model;
        for place in 1..model.parent.len() {
            let [p, q, _] = self.system.answers[place].sent;
            for index in model.first_bound[place]..model.first_bound[place + 1] {
                let bound = &model.bounds[index];
                let curved = bound.limit == Limit::Apparent;
                let curvature = if curved { (p * p + q * q) / (2.0 * bound.bound) } else { 0.0 };
                self.pairs[index].predict(share, share * share * curvature);
            }
            if model.carried {
                let parent = model.parent[place];
                let (square, change) = (self.nodes[parent].square, self.system.answers[parent].effort[2]);
                let flow = self.nodes[place].flow;
                // Half the second derivative of (P^2 + Q^2) / V along the step.
                let bent = [p - flow[0] * change / square, q - flow[1] * change / square];
                self.currents[place].predict(share, share * share * needed_current(bent, square));
            }
        }
        self.covers.iter_mut().for_each(|pair| pair.predict(share, 0.0));
        self.required.iter_mut().flatten().for_each(|pair| pair.predict(share, 0.0));
        self.choices.iter_mut().for_each(|choice| choice.predict(share));
    }
}
