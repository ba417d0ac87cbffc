//! A point of the iteration: what every party takes, what flows, at which voltage and at which prices.

use super::choice::Choice;
use super::line::{Element, Push};
use super::model::{Bound, Cover, Model, Party, Stretch};
use super::pair::{worse, Pair, Scale};
use super::tree::{Answer, Load, Tree};
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
    /// Squared current of the line, where losses are in the balance.
    pub current: f64,
}

/// A point, its last step, and the room both need.
#[derive(Clone, Debug)]
pub(super) struct Point<'a> {
    pub model: &'a Model,
    pub nodes: Vec<Node>,
    pub choices: Vec<Choice>,
    /// Of the model's bounds.
    pub pairs: Vec<Pair>,
    /// Of the squared current by place; none where losses are not in the balance.
    pub currents: Vec<Pair>,
    /// Of what covers the reserve offered.
    pub covers: Vec<Pair>,
    /// Of the reserve that must stand ready; the multipliers are its prices.
    pub required: [Option<Pair>; 2],
    /// How far a unit of the root's price moves the balance there.
    pub give: f64,
    pub(super) system: System,
}

/// A Newton step's system and its step.
#[derive(Clone, Debug, Default)]
pub(super) struct System {
    pub tree: Tree,
    /// Lines with losses by place; none where they are not in the balance.
    pub elements: Vec<Element>,
    pub pushes: Vec<Push>,
    pub loads: Vec<Load>,
    pub answers: Vec<Answer>,
    /// Steps of the squared currents.
    pub current_steps: Vec<f64>,
    /// What supply and feeder together give at the root for a unit of price.
    pub root: f64,
    /// Answers to a unit of the price of reserve up and down.
    pub reserve: [Vec<Answer>; 2],
    /// Reserve that comes forward for a unit of either reserve price.
    pub forward: [[f64; 2]; 2],
}

/// How limits give way, per multiplier: zero where they hold.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Give {
    /// Limits of power and reserve.
    pub power: f64,
    /// Limits of squared voltage.
    pub square: f64,
}

/// With which slack a limit begins that the first point passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// A little: mostly the quicker and the more exact.
    Little,
    /// As much as it is passed by: a slack that is small beside the excess can end every step before it.
    AsMuch,
}

/// By how much a bound is exceeded; for apparent power `(P^2 + Q^2 - S^2) / 2 S`.
pub(super) fn excess(bound: &Bound, node: &Node) -> f64 {
    match bound.limit {
        Limit::PowerMax => node.flow[0] - bound.bound,
        Limit::PowerMin => bound.bound - node.flow[0],
        Limit::VoltageMax => node.square - bound.bound,
        Limit::VoltageMin => bound.bound - node.square,
        _ => {
            let apparent = node.flow[0].hypot(node.flow[1]);
            (apparent - bound.bound) * (apparent / bound.bound + 1.0) / 2.0
        }
    }
}

/// Squared current that a flow needs at a squared voltage.
pub(super) fn needed_current(flow: [f64; 2], square: f64) -> f64 {
    (flow[0] * flow[0] + flow[1] * flow[1]) / square
}

impl<'a> Point<'a> {
    /// Everyone where a barrier of weight `product` leaves them at one `price` everywhere, and flows
    /// and voltages as they follow; limits that are passed then with a slack of `room`.
    pub(super) fn start(model: &'a Model, (price, product): (f64, f64), give: Give, room: Room) -> Self {
        let places = model.parent.len();
        let node = Node { price: [price, 0.0], square: model.root_square, ..Node::default() };
        let choice = |(index, stretch)| {
            let price = if model.supply.contains(&index) { -price } else { price };
            Choice::start(stretch, price, product)
        };
        let lossy = if model.carried { places } else { 0 };
        let required =
            |reserve: f64| Pair::start(0.0, 1e-2 + reserve / 10.0, product, Scale::power(give.power));
        let mut point = Self {
            model,
            nodes: vec![node; places],
            choices: model.stretches.iter().enumerate().map(choice).collect(),
            pairs: vec![Pair::default(); model.bounds.len()],
            currents: vec![Pair::default(); lossy],
            covers: vec![Pair::start(0.0, 0.1, product, Scale::power(0.0)); model.covers],
            required: model.reserve.map(|reserve| (reserve > 0.0).then(|| required(reserve))),
            give: give.power,
            system: System::new(model),
        };
        point.flow();
        point.limits(product, give, room);
        point
    }

    /// A point known otherwise: what every stretch takes, and the multipliers of the bounds.
    pub(super) fn at(model: &'a Model, nodes: Vec<Node>, taken: &[f64], duals: &[f64]) -> Self {
        let choice = |(taken, stretch): (&f64, &Stretch)| Choice::at(*taken, stretch.width - taken);
        Self {
            model,
            nodes,
            choices: taken.iter().zip(&model.stretches).map(choice).collect(),
            pairs: duals.iter().map(|dual| Pair::at(*dual)).collect(),
            currents: Vec::new(),
            covers: Vec::new(),
            required: [None; 2],
            give: 0.0,
            system: System::default(),
        }
    }

    fn flow(&mut self) {
        let model = self.model;
        for place in (1..model.parent.len()).rev() {
            let drawn = self.drawn(place);
            let node = &mut self.nodes[place];
            node.flow = [node.flow[0] + drawn[0], node.flow[1] + drawn[1]];
            let flow = node.flow;
            let parent = &mut self.nodes[model.parent[place]].flow;
            *parent = [parent[0] + flow[0], parent[1] + flow[1]];
        }
        self.nodes[0].flow = [0.0; 2];
        for place in 1..model.parent.len() {
            let square = self.nodes[place].square + self.square_residual(place);
            // Losses are left out at first; a current needs a voltage.
            let least = if model.carried { model.root_square / 4.0 } else { f64::NEG_INFINITY };
            self.nodes[place].square = square.max(least);
            if model.carried {
                let above = self.nodes[model.parent[place]].square;
                self.nodes[place].current = needed_current(self.nodes[place].flow, above);
            }
        }
    }

    fn limits(&mut self, product: f64, give: Give, room: Room) {
        let model = self.model;
        for place in 1..model.parent.len() {
            for index in model.first_bound[place]..model.first_bound[place + 1] {
                let bound = &model.bounds[index];
                let (least, scale) = match bound.limit {
                    Limit::VoltageMax | Limit::VoltageMin => {
                        let step = model.lines[place].reach.min(1.0);
                        (1e-2, Scale::square(step, give.square))
                    }
                    _ => {
                        let size = bound.bound.abs();
                        ((size * 0.1).max(1e-2), Scale::power(give.power))
                    }
                };
                let excess = excess(bound, &self.nodes[place]);
                let least = match room {
                    Room::Little => least,
                    Room::AsMuch => least.max(excess),
                };
                self.pairs[index] = Pair::start(-excess, least, product, scale);
            }
            if model.carried {
                let least = 0.1 * self.nodes[place].current + 1e-3;
                self.currents[place] = Pair::start(0.0, least, product, Scale::power(0.0));
            }
        }
    }

    /// What the equation of the voltage along a line lacks.
    pub(super) fn square_residual(&self, place: usize) -> f64 {
        let (node, line) = (&self.nodes[place], &self.model.lines[place]);
        let [r, x] = line.impedance;
        let fall = 2.0 * (r * node.flow[0] + x * node.flow[1]) - (r * r + x * x) * node.current;
        line.ratio * self.nodes[self.model.parent[place]].square - fall - node.square
    }

    /// Parties at a place.
    pub(super) fn parties(&self, place: usize) -> &'a [Party] {
        &self.model.parties[self.model.first_party[place]..self.model.first_party[place + 1]]
    }

    /// Power the parties of a place take.
    pub(super) fn drawn(&self, place: usize) -> [f64; 2] {
        let mut drawn = [0.0; 2];
        for party in self.parties(place) {
            let taken: f64 = self.choices[party.real.clone()].iter().map(|c| c.taken).sum();
            let vars = party.vars.map_or(0.0, |index| self.choices[index].taken);
            drawn[0] += party.power + taken;
            drawn[1] += party.reactive + party.tan_phi * taken + vars;
        }
        drawn
    }

    /// Import as the supply has it.
    pub(super) fn import(&self) -> f64 {
        let taken = self.choices[self.model.supply.clone()].iter().map(|c| c.taken);
        self.model.import_min + taken.sum::<f64>()
    }

    /// Price that the real stretches of a party see, the covers of its reserve counted in.
    pub(super) fn party_price(&self, party: &Party, place: usize) -> f64 {
        let price = self.nodes[place].price;
        let cover = |cover: Option<Cover>| cover.map_or(0.0, |cover| self.covers[cover.pair].dual);
        price[0] + party.tan_phi * price[1] - cover(party.reserve[0]) + cover(party.reserve[1])
    }

    /// Price that a party's reserve sees: what covering it costs less what it earns.
    pub(super) fn reserve_price(&self, kind: usize, cover: Cover) -> f64 {
        self.covers[cover.pair].dual - self.required[kind].map_or(0.0, |required| required.dual)
    }

    /// By how much a party's reserve exceeds what covers it.
    pub(super) fn uncovered(&self, party: &Party, kind: usize, cover: Cover) -> f64 {
        let real = &self.choices[party.real.clone()];
        let covering: f64 = real.iter().map(|c| if kind == 0 { c.taken } else { c.left }).sum();
        self.choices[cover.stretch].taken - covering
    }

    /// Reserve that still lacks.
    pub(super) fn lacking(&self, kind: usize) -> f64 {
        let offered = self.model.parties.iter().filter_map(|party| party.reserve[kind]);
        let ready: f64 = offered.map(|cover| self.choices[cover.stretch].taken).sum();
        self.model.reserve[kind] - ready
    }

    fn all_pairs(&self) -> impl Iterator<Item = &Pair> {
        // The root has no line, hence no current.
        let lines = self.pairs.iter().chain(self.currents.iter().skip(1));
        lines.chain(&self.covers).chain(self.required.iter().flatten())
    }

    fn all_pairs_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        let lines = self.pairs.iter_mut().chain(self.currents.iter_mut().skip(1));
        lines.chain(&mut self.covers).chain(self.required.iter_mut().flatten())
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
        self.all_pairs().for_each(|pair| take(pair.reach(), pair.products()));
        self.choices.iter().for_each(|choice| take(choice.reach(), choice.products()));
        if self.model.carried {
            // The current's limit has no meaning where the voltage is not positive.
            for (node, answer) in self.nodes.iter().zip(&self.system.answers) {
                take(super::pair::reach(node.square * 0.8, answer.effort[2]), [0.0; 3]);
            }
        }
        (reach, sums)
    }

    /// Sum and largest of all products of slack and multiplier, and how many they are.
    pub(super) fn products(&self) -> (f64, f64, usize) {
        let pairs = self.all_pairs().map(|pair| pair.slack * pair.dual);
        let taken = self.choices.iter().map(|choice| choice.taken * choice.low);
        let left = self.choices.iter().map(|choice| choice.left * choice.high);
        let all = pairs.chain(taken).chain(left);
        all.fold((0.0, 0.0, 0), |(sum, most, count), product| {
            (sum + product, f64::max(most, product), count + 1)
        })
    }

    /// Largest of what the limits' equations lack.
    pub(super) fn limits_residual(&self) -> f64 {
        self.all_pairs().fold(0.0, |most, pair| worse(most, pair.residual().abs()))
    }

    /// Goes along the step.
    pub(super) fn advance(&mut self, length: f64) {
        for (place, answer) in self.system.answers.iter().enumerate() {
            let node = &mut self.nodes[place];
            node.price[0] += length * answer.effort[0];
            node.price[1] += length * answer.effort[1];
            node.square += length * answer.effort[2];
            node.flow[0] += length * answer.sent[0];
            node.flow[1] += length * answer.sent[1];
            node.drop -= length * answer.received[2];
            if let Some(step) = self.system.current_steps.get(place) {
                node.current += length * step;
            }
        }
        // There is no line to the root.
        self.nodes[0].flow = [0.0; 2];
        self.nodes[0].drop = 0.0;
        self.all_pairs_mut().for_each(|pair| pair.advance(length));
        self.choices.iter_mut().for_each(|choice| choice.advance(length));
    }
}

/// What of a point makes it up.
pub(super) struct Kept {
    nodes: Vec<Node>,
    choices: Vec<Choice>,
    pairs: Vec<Pair>,
    required: [Option<Pair>; 2],
}

impl Point<'_> {
    /// What can be restored later.
    pub(super) fn keep(&self) -> Kept {
        let (nodes, choices) = (self.nodes.clone(), self.choices.clone());
        Kept { nodes, choices, pairs: self.pairs.clone(), required: self.required }
    }

    /// Brings back what the solution is read from.
    pub(super) fn restore(&mut self, kept: Kept) {
        self.nodes = kept.nodes;
        self.choices = kept.choices;
        self.pairs = kept.pairs;
        self.required = kept.required;
    }
}

impl System {
    /// Step of the root's price that makes supply and feeder move by `lacking` together. Where nothing
    /// at all can move, no price makes it, and what lacks stays to be seen.
    pub(super) fn root_price(&self, lacking: f64) -> f64 {
        if self.root > 0.0 {
            lacking / self.root
        } else {
            0.0
        }
    }

    fn new(model: &Model) -> Self {
        let places = model.parent.len();
        let lossy = if model.carried { places } else { 0 };
        let reserve = |kind: usize| if model.reserve[kind] > 0.0 { places } else { 0 };
        Self {
            tree: Tree::new(&model.parent),
            elements: Vec::with_capacity(lossy),
            pushes: vec![Push::default(); places],
            loads: vec![Load::default(); places],
            answers: vec![Answer::default(); places],
            current_steps: vec![0.0; lossy],
            root: 0.0,
            reserve: [vec![Answer::default(); reserve(0)], vec![Answer::default(); reserve(1)]],
            forward: [[0.0; 2]; 2],
        }
    }
}
