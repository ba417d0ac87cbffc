//! A point of the iteration and its Newton step: what every party takes, what flows, at which voltage
//! and at which prices.

use super::choice::Choice;
use super::matrix::{dot, Mat3, Vec3, ZERO};
use super::model::{Bound, Model, Party};
use super::pair::Pair;
use super::tree::{Answer, Load, Transfer, Tree};
use crate::grid::error::Limit;

/// A place and the line that feeds it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Node {
    /// Prices of real and reactive power.
    pub price: [f64; 2],
    /// Squared voltage.
    pub square: f64,
    /// Multiplier of the equation of the voltage along the line.
    pub drop: f64,
    /// Real and reactive power into the line.
    pub flow: [f64; 2],
}

/// A point, its last step, and the room both need.
#[derive(Clone, Debug)]
pub(super) struct Point<'a> {
    pub model: &'a Model,
    pub nodes: Vec<Node>,
    pub choices: Vec<Choice>,
    pub pairs: Vec<Pair>,
    /// Power the parties of each place take.
    drawn: Vec<[f64; 2]>,
    tree: Tree,
    loads: Vec<Load>,
    answers: Vec<Answer>,
    /// What the whole feeder draws at the root for a unit of price.
    root: f64,
}

/// How far a point is from a solution.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Residuals {
    /// Largest violation of a balance, a voltage equation or a limit.
    pub primal: f64,
    /// Largest violation of a stationarity condition.
    pub dual: f64,
    /// Sum of all products of slack and multiplier.
    pub gap: f64,
}

/// How the limited quantity of a bound moves with the step at its place.
fn gradient(bound: &Bound, node: &Node) -> Vec3 {
    match bound.limit {
        Limit::PowerMax => [1.0, 0.0, 0.0],
        Limit::PowerMin => [-1.0, 0.0, 0.0],
        Limit::VoltageMax => [0.0, 0.0, 1.0],
        Limit::VoltageMin => [0.0, 0.0, -1.0],
        _ => [node.flow[0] / bound.bound, node.flow[1] / bound.bound, 0.0],
    }
}

/// By how much a bound is exceeded; for apparent power `(P^2 + Q^2 - S^2) / 2 S`.
pub(super) fn excess(bound: &Bound, node: &Node) -> f64 {
    match bound.limit {
        Limit::PowerMax => node.flow[0] - bound.bound,
        Limit::PowerMin => bound.bound - node.flow[0],
        Limit::VoltageMax => node.square - bound.bound,
        Limit::VoltageMin => bound.bound - node.square,
        _ => (node.flow[0].hypot(node.flow[1]) - bound.bound) * ratio(bound, node),
    }
}

fn ratio(bound: &Bound, node: &Node) -> f64 {
    (node.flow[0].hypot(node.flow[1]) / bound.bound + 1.0) / 2.0
}

/// What the step of a node means for its limits.
fn moved(answer: &Answer) -> Vec3 {
    [answer.sent[0], answer.sent[1], answer.effort[2]]
}

impl<'a> Point<'a> {
    /// Everyone where a barrier of weight `product` leaves them at one `price` everywhere.
    pub(super) fn start(model: &'a Model, price: f64, product: f64) -> Self {
        let places = model.parent.len();
        let node = Node { price: [price, 0.0], ..Node::default() };
        let supplied = |index: usize| model.supply.contains(&index);
        let choice =
            |(index, stretch)| Choice::start(stretch, if supplied(index) { -price } else { price }, product);
        let mut point = Self {
            model,
            nodes: vec![node; places],
            choices: model.stretches.iter().enumerate().map(choice).collect(),
            pairs: vec![Pair::default(); model.bounds.len()],
            drawn: vec![[0.0; 2]; places],
            tree: Tree::new(&model.parent),
            loads: vec![Load::default(); places],
            answers: vec![Answer::default(); places],
            root: 0.0,
        };
        point.nodes[0].square = model.root_square;
        point.draw();
        for place in (1..places).rev() {
            let mut flow = point.nodes[place].flow;
            flow[0] += point.drawn[place][0];
            flow[1] += point.drawn[place][1];
            point.nodes[place].flow = flow;
            let parent = &mut point.nodes[model.parent[place]].flow;
            *parent = [parent[0] + flow[0], parent[1] + flow[1]];
        }
        point.nodes[0].flow = [0.0; 2];
        for place in 1..places {
            let (line, flow) = (&model.lines[place], point.nodes[place].flow);
            let fall = 2.0 * (line.impedance[0] * flow[0] + line.impedance[1] * flow[1]);
            point.nodes[place].square = line.ratio * point.nodes[model.parent[place]].square - fall;
            for index in model.first_bound[place]..model.first_bound[place + 1] {
                let bound = &model.bounds[index];
                let least = match bound.limit {
                    Limit::VoltageMax | Limit::VoltageMin => 1e-2,
                    _ => (bound.bound.abs() * 0.1).max(1e-2),
                };
                let slack = -excess(bound, &point.nodes[place]);
                point.pairs[index] = Pair::start(slack, least, product);
            }
        }
        point
    }

    /// Price that the stretches of a party see.
    fn party_price(&self, party: &Party, place: usize) -> f64 {
        let price = self.nodes[place].price;
        price[0] + party.tan_phi * price[1]
    }

    /// Adds up what the parties of each place take.
    fn draw(&mut self) {
        let model = self.model;
        for place in 0..model.parent.len() {
            let mut drawn = [0.0; 2];
            for party in &model.parties[model.first_party[place]..model.first_party[place + 1]] {
                let taken: f64 = self.choices[party.real.clone()].iter().map(|c| c.taken).sum();
                let vars = party.vars.map_or(0.0, |index| self.choices[index].taken);
                drawn[0] += party.power + taken;
                drawn[1] += party.reactive + party.tan_phi * taken + vars;
            }
            self.drawn[place] = drawn;
        }
    }

    /// Import as the supply has it.
    fn import(&self) -> f64 {
        let taken = self.choices[self.model.supply.clone()].iter().map(|c| c.taken);
        self.model.import_min + taken.sum::<f64>()
    }

    /// Takes stock of the point: how far it is from a solution, and what the step's system needs that
    /// does not depend on the target. Gives nothing where the system is singular.
    pub(super) fn prepare(&mut self) -> Option<Residuals> {
        let model = self.model;
        self.draw();
        let mut residuals = Residuals::default();
        for place in 1..model.parent.len() {
            for index in model.first_bound[place]..model.first_bound[place + 1] {
                let pair = &mut self.pairs[index];
                pair.prepare(excess(&model.bounds[index], &self.nodes[place]));
                residuals.primal = residuals.primal.max(pair.residual().abs());
                residuals.gap += pair.products()[0];
            }
        }
        for (choice, stretch) in self.choices.iter_mut().zip(&model.stretches) {
            choice.prepare(stretch);
            residuals.gap += choice.products()[0];
        }
        self.stationarity(&mut residuals);
        let mut tree = std::mem::replace(&mut self.tree, Tree::new(&[]));
        let root = tree.factor(|place| self.system(place));
        self.tree = tree;
        let supply: f64 = self.choices[model.supply.clone()].iter().map(|c| c.give).sum();
        self.root = supply - root?[0][0];
        Some(residuals)
    }

    fn stationarity(&self, residuals: &mut Residuals) {
        let model = self.model;
        let mut worst = |residual: f64| residuals.dual = residuals.dual.max(residual.abs());
        for place in 0..model.parent.len() {
            for party in &model.parties[model.first_party[place]..model.first_party[place + 1]] {
                let price = self.party_price(party, place);
                for index in party.real.clone() {
                    worst(self.choices[index].stationarity(&model.stretches[index], price));
                }
                if let Some(index) = party.vars {
                    let price = self.nodes[place].price[1];
                    worst(self.choices[index].stationarity(&model.stretches[index], price));
                }
            }
        }
        for index in model.supply.clone() {
            worst(self.choices[index].stationarity(&model.stretches[index], -self.nodes[0].price[0]));
        }
    }

    /// A place's own response and its line.
    fn system(&self, place: usize) -> (Mat3, Transfer) {
        let model = self.model;
        let mut own = ZERO;
        for party in &model.parties[model.first_party[place]..model.first_party[place + 1]] {
            let give: f64 = self.choices[party.real.clone()].iter().map(|c| c.give).sum();
            own[0][0] -= give;
            own[0][1] -= give * party.tan_phi;
            own[1][1] -= give * party.tan_phi * party.tan_phi;
            own[1][1] -= party.vars.map_or(0.0, |index| self.choices[index].give);
        }
        own[1][0] = own[0][1];
        let line = &model.lines[place];
        let loss = 2.0 * line.loss_cost;
        let mut curve = [[loss, 0.0], [0.0, loss]];
        own[2][2] = 2.0 * model.deviation;
        for index in model.first_bound[place]..model.first_bound[place + 1] {
            let (bound, pair) = (&model.bounds[index], &self.pairs[index]);
            let along = gradient(bound, &self.nodes[place]);
            let weight = pair.weight();
            curve[0][0] += weight * along[0] * along[0];
            curve[0][1] += weight * along[0] * along[1];
            curve[1][1] += weight * along[1] * along[1];
            own[2][2] += weight * along[2] * along[2];
            if bound.limit == Limit::Apparent {
                curve[0][0] += pair.dual / bound.bound;
                curve[1][1] += pair.dual / bound.bound;
            }
        }
        let fall = [-2.0 * line.impedance[0], -2.0 * line.impedance[1]];
        let through = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, line.ratio]];
        let series = [
            [curve[0][0], curve[0][1], fall[0]],
            [curve[0][1], curve[1][1], fall[1]],
            [fall[0], fall[1], 0.0],
        ];
        (own, Transfer { through, series, shunt: ZERO })
    }

    /// The right-hand side for one target. Returns the largest residual of the equations on the way.
    fn load(&mut self, target: f64) -> Residuals {
        let model = self.model;
        let mut residuals = Residuals::default();
        for place in 0..model.parent.len() {
            self.loads[place] = Load::default();
        }
        for place in (1..model.parent.len()).rev() {
            let (node, line) = (self.nodes[place], &model.lines[place]);
            let above = self.nodes[model.parent[place]];
            let mut force = [2.0 * line.loss_cost * node.flow[0], 2.0 * line.loss_cost * node.flow[1]];
            let mut push = 2.0 * model.deviation * (node.square - 1.0);
            for index in model.first_bound[place]..model.first_bound[place + 1] {
                let along = gradient(&model.bounds[index], &node);
                let multiplier = self.pairs[index].force(target);
                force[0] += multiplier * along[0];
                force[1] += multiplier * along[1];
                push += multiplier * along[2];
            }
            let [r, x] = line.impedance;
            let square =
                line.ratio * above.square - 2.0 * (r * node.flow[0] + x * node.flow[1]) - node.square;
            residuals.primal = residuals.primal.max(square.abs());
            let effort =
                |k: usize| above.price[k] + force[k] - node.price[k] + 2.0 * line.impedance[k] * node.drop;
            self.loads[place].effort = [effort(0), effort(1), square];
            let own = &mut self.loads[place].own;
            own[0] += self.drawn[place][0] - node.flow[0];
            own[1] += self.drawn[place][1] - node.flow[1];
            own[2] += push + node.drop;
            residuals.primal = residuals.primal.max(own[0].abs()).max(own[1].abs());
            let parent = &mut self.loads[model.parent[place]].own;
            parent[0] += node.flow[0];
            parent[1] += node.flow[1];
            parent[2] -= line.ratio * node.drop;
        }
        let balance = self.loads[0].own[0] + self.drawn[0][0] - self.import();
        self.loads[0].own[0] = balance;
        residuals.primal = residuals.primal.max(balance.abs());
        self.pull(target);
        residuals
    }

    /// Adds what the parties would move at unchanged prices.
    fn pull(&mut self, target: f64) {
        let model = self.model;
        for place in 0..model.parent.len() {
            for party in &model.parties[model.first_party[place]..model.first_party[place + 1]] {
                let price = self.party_price(party, place);
                let step = |index: usize, price: f64| {
                    let choice = &self.choices[index];
                    choice.give * choice.pull(&model.stretches[index], price, target)
                };
                let real: f64 = party.real.clone().map(|index| step(index, price)).sum();
                let vars = party.vars.map_or(0.0, |index| step(index, self.nodes[place].price[1]));
                let own = &mut self.loads[place].own;
                own[0] += real;
                own[1] += party.tan_phi * real + vars;
            }
        }
    }

    /// Finds the step towards `target`, the product of every slack and its multiplier.
    pub(super) fn solve(&mut self, target: f64) -> Residuals {
        let residuals = self.load(target);
        let model = self.model;
        let drawn = self.tree.up(&self.loads);
        let price = -self.nodes[0].price[0];
        let supplied: f64 = model
            .supply
            .clone()
            .map(|index| {
                let choice = &self.choices[index];
                choice.give * choice.pull(&model.stretches[index], price, target)
            })
            .sum();
        let root = (drawn[0] - supplied) / self.root;
        self.tree.down([root, 0.0, 0.0], &self.loads, &mut self.answers);
        self.recover(target, root);
        residuals
    }

    fn recover(&mut self, target: f64, root: f64) {
        let model = self.model;
        for place in 0..model.parent.len() {
            let moved = moved(&self.answers[place]);
            for index in model.first_bound[place]..model.first_bound[place + 1] {
                let along = gradient(&model.bounds[index], &self.nodes[place]);
                self.pairs[index].recover(target, dot(along, moved));
            }
            let change = self.answers[place].effort;
            let price = self.nodes[place].price;
            for party in &model.parties[model.first_party[place]..model.first_party[place + 1]] {
                let now = price[0] + party.tan_phi * price[1];
                let change_here = change[0] + party.tan_phi * change[1];
                for index in party.real.clone() {
                    let choice = &mut self.choices[index];
                    let pull = choice.pull(&model.stretches[index], now, target) - change_here;
                    choice.recover(pull, target);
                }
                if let Some(index) = party.vars {
                    let choice = &mut self.choices[index];
                    let pull = choice.pull(&model.stretches[index], price[1], target) - change[1];
                    choice.recover(pull, target);
                }
            }
        }
        let price = self.nodes[0].price[0];
        for index in model.supply.clone() {
            let choice = &mut self.choices[index];
            let pull = choice.pull(&model.stretches[index], -price, target) + root;
            choice.recover(pull, target);
        }
    }

    /// Longest step, and the products' sum by powers of its length.
    pub(super) fn reach(&self) -> (f64, [f64; 3]) {
        let mut reach = f64::INFINITY;
        let mut sums = [0.0; 3];
        let mut take = |length: f64, products: [f64; 3]| {
            reach = reach.min(length);
            for (sum, product) in sums.iter_mut().zip(products) {
                *sum += product;
            }
        };
        self.pairs.iter().for_each(|pair| take(pair.reach(), pair.products()));
        self.choices.iter().for_each(|choice| take(choice.reach(), choice.products()));
        (reach, sums)
    }

    /// Makes the present step the prediction that the next [`Point::solve`] corrects.
    pub(super) fn predict(&mut self) {
        let model = self.model;
        for place in 1..model.parent.len() {
            let sent = self.answers[place].sent;
            for index in model.first_bound[place]..model.first_bound[place + 1] {
                let bound = &model.bounds[index];
                let curved = bound.limit == Limit::Apparent;
                let square = sent[0] * sent[0] + sent[1] * sent[1];
                self.pairs[index].predict(if curved { square / (2.0 * bound.bound) } else { 0.0 });
            }
        }
        self.choices.iter_mut().for_each(Choice::predict);
    }

    /// Goes along the step.
    pub(super) fn advance(&mut self, length: f64) {
        for (node, answer) in self.nodes.iter_mut().zip(&self.answers) {
            node.price[0] += length * answer.effort[0];
            node.price[1] += length * answer.effort[1];
            node.square += length * answer.effort[2];
            node.flow[0] += length * answer.sent[0];
            node.flow[1] += length * answer.sent[1];
            node.drop -= length * answer.received[2];
        }
        // The root's line does not exist.
        self.nodes[0].flow = [0.0; 2];
        self.nodes[0].drop = 0.0;
        self.pairs.iter_mut().for_each(|pair| pair.advance(length));
        self.choices.iter_mut().for_each(|choice| choice.advance(length));
    }

    /// Pairs and bounds of choices: how many products there are.
    pub(super) fn products(&self) -> usize {
        self.pairs.len() + 2 * self.choices.len()
    }
}
