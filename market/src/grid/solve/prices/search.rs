//! Where the search stands: the root's price, the multipliers of the limits that joined, and what the
//! market makes of the prices that follow.

use super::asks::Asks;
use super::limits::{along, excess, Joined};
use super::outcome::{Outcome, Passed};
use super::paths::Paths;
use crate::grid::solve::matrix::Vec3;
use crate::grid::solve::model::Model;
use crate::grid::solve::tree::Tree;

/// Limits that may join at once: so many, and so many for each that is there already.
const FEW: usize = 4;
const FOR_EACH: usize = 2;

/// A party as the search sees it.
#[derive(Clone, Copy, Debug)]
struct Seat {
    place: usize,
    power: f64,
    reactive: f64,
    tan_phi: f64,
    /// Its stretches of real power.
    first: usize,
    last: usize,
    /// Its stretch of reactive power.
    vars: Option<usize>,
}

/// A place on the paths with all that hangs on it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Node {
    /// Prices of real and reactive power.
    pub price: [f64; 2],
    /// Multiplier of the equation of the voltage along the line.
    pub drop: f64,
    /// Real and reactive power into the line.
    pub flow: [f64; 2],
    pub square: f64,
    /// What is taken less for a unit of price: real for real, either for the other, reactive for
    /// reactive.
    pub give: Vec3,
}

/// The search.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    pub model: &'a Model,
    seats: Vec<Seat>,
    asks: Asks,
    pub joined: Vec<Joined>,
    pub paths: Paths,
    pub nodes: Vec<Node>,
    pub tree: Tree,
    pub root_price: f64,
    pub root_step: f64,
    /// What is drawn beyond the import.
    pub balance: f64,
    /// Import and what is drawn, without sign.
    pub throughput: f64,
    /// What the supply gives for a unit of price.
    pub supply_give: f64,
    /// Looks taken at the market.
    pub looks: usize,
}

impl<'a> Search<'a> {
    /// A search from one price everywhere.
    pub(super) fn new(model: &'a Model, price: f64, hold: f64) -> Self {
        let at = |place: usize| {
            let parties = &model.parties[model.first_party[place]..model.first_party[place + 1]];
            parties.iter().map(move |party| Seat {
                place,
                power: party.power,
                reactive: party.reactive,
                tan_phi: party.tan_phi,
                first: party.real.start,
                last: party.real.end,
                vars: party.vars,
            })
        };
        let paths = Paths::to(model, std::iter::empty());
        Self {
            model,
            seats: (0..model.parent.len()).flat_map(at).collect(),
            asks: Asks::new(model, hold),
            joined: Vec::new(),
            nodes: vec![Node::default(); paths.places.len()],
            tree: Tree::new(&paths.parent),
            paths,
            root_price: price,
            root_step: 0.0,
            balance: 0.0,
            throughput: 0.0,
            supply_give: 0.0,
            looks: 0,
        }
    }

    /// Takes in limits that are passed, a few at a time, and lets those go that lost their multiplier.
    /// Gives whether there was one that was not in already.
    pub(super) fn join(&mut self, passed: &[Passed]) -> bool {
        let known = |passed: &&Passed| self.joined.iter().any(|joined| joined.bound == passed.bound);
        let most = FEW + FOR_EACH * self.joined.len();
        let new: Vec<Passed> = passed.iter().filter(|passed| !known(passed)).take(most).copied().collect();
        if new.is_empty() {
            return false;
        }
        let give = self.supply_give + self.nodes.iter().map(|node| node.give[0]).sum::<f64>();
        self.joined.retain(|joined| joined.multiplier > 0.0);
        self.joined.extend(new.iter().map(|new| Joined::new(self.model, (new.bound, new.place), give)));
        self.paths = Paths::to(self.model, self.joined.iter().map(|joined| joined.place));
        for joined in &mut self.joined {
            joined.node = self.paths.node[joined.place];
        }
        self.nodes = vec![Node::default(); self.paths.places.len()];
        self.tree = Tree::new(&self.paths.parent);
        true
    }

    /// Holds everything to where it is now, stretches by another hold.
    pub(super) fn settle(&mut self, outcome: &Outcome, hold: f64) {
        self.asks.settle(self.model, &outcome.taken, hold);
        self.joined.iter_mut().for_each(Joined::settle);
    }

    /// The most by which a hold moves the price of a stretch.
    pub(super) fn pulled(&self, outcome: &Outcome) -> f64 {
        self.asks.pulled(&outcome.taken)
    }

    /// The most by which a limit that joined is passed.
    pub(super) fn passed(&self) -> f64 {
        self.joined.iter().map(|joined| joined.excess).fold(0.0, f64::max)
    }

    /// What the market makes of the prices that lie `length` of the present step ahead.
    pub(super) fn look(&mut self, length: f64) {
        self.looks += 1;
        self.price(length);
        for node in &mut self.nodes {
            (node.flow, node.give) = ([0.0; 2], [0.0; 3]);
        }
        for seat in &self.seats {
            let node = &mut self.nodes[self.paths.node[seat.place]];
            let tan_phi = seat.tan_phi;
            let real = self.asks.taken(seat.first..seat.last, node.price[0] + tan_phi * node.price[1]);
            node.flow[0] += seat.power + real.power;
            node.flow[1] += seat.reactive + tan_phi * real.power;
            node.give[0] += real.give;
            node.give[1] += real.give * tan_phi;
            node.give[2] += real.give * tan_phi * tan_phi;
            if let Some(index) = seat.vars {
                let vars = self.asks.taken(index..index + 1, node.price[1]);
                node.flow[1] += vars.power;
                node.give[2] += vars.give;
            }
        }
        self.flow();
        let supplied = self.asks.taken(self.model.supply.clone(), -self.nodes[0].price[0]);
        let (import, drawn) = (self.model.import_min + supplied.power, self.nodes[0].flow[0]);
        (self.balance, self.throughput) = (drawn - import, drawn.abs() + import.abs());
        self.supply_give = supplied.give;
        for joined in &mut self.joined {
            let node = &self.nodes[joined.node];
            joined.excess = excess(&self.model.bounds[joined.bound], node.flow, node.square);
        }
    }

    fn price(&mut self, length: f64) {
        let mut forces = vec![0.0; self.nodes.len()];
        for node in &mut self.nodes {
            node.drop = 0.0;
        }
        for joined in &self.joined {
            let multiplier = joined.multiplier + length * joined.step;
            let along = along(&self.model.bounds[joined.bound]);
            forces[joined.node] += multiplier * along[0];
            self.nodes[joined.node].drop -= multiplier * along[2];
        }
        for node in (1..self.nodes.len()).rev() {
            let drop = self.model.lines[self.paths.places[node]].ratio * self.nodes[node].drop;
            self.nodes[self.paths.parent[node]].drop += drop;
        }
        self.nodes[0].price = [self.root_price + length * self.root_step, 0.0];
        for (node, force) in forces.into_iter().enumerate().skip(1) {
            let [r, x] = self.model.lines[self.paths.places[node]].impedance;
            let above = self.nodes[self.paths.parent[node]].price;
            let twice = 2.0 * self.nodes[node].drop;
            self.nodes[node].price = [above[0] + force + r * twice, above[1] + x * twice];
        }
    }

    fn flow(&mut self) {
        for node in (1..self.nodes.len()).rev() {
            let [p, q] = self.nodes[node].flow;
            let above = &mut self.nodes[self.paths.parent[node]].flow;
            *above = [above[0] + p, above[1] + q];
        }
        self.nodes[0].square = self.model.root_square;
        for node in 1..self.nodes.len() {
            let line = &self.model.lines[self.paths.places[node]];
            let ([r, x], [p, q]) = (line.impedance, self.nodes[node].flow);
            let above = self.nodes[self.paths.parent[node]].square;
            self.nodes[node].square = line.ratio * above - 2.0 * (r * p + x * q);
        }
    }

    /// Finds what comes, over the whole feeder, of the prices last looked at.
    pub(super) fn find(&self, outcome: &mut Outcome) {
        let Outcome { taken, flows, .. } = outcome;
        flows.fill([0.0; 2]);
        for seat in &self.seats {
            let [p, q] = self.nodes[self.paths.node[seat.place]].price;
            let (mut real, mut vars) = (0.0, 0.0);
            let pieces = taken[seat.first..seat.last].iter_mut();
            for (index, taken) in (seat.first..).zip(pieces) {
                *taken = self.asks.one(index, p + seat.tan_phi * q);
                real += *taken;
            }
            if let Some(index) = seat.vars {
                taken[index] = self.asks.one(index, q);
                vars = taken[index];
            }
            let drawn = &mut flows[seat.place];
            drawn[0] += seat.power + real;
            drawn[1] += seat.reactive + seat.tan_phi * real + vars;
        }
        for index in self.model.supply.clone() {
            taken[index] = self.asks.one(index, -self.nodes[0].price[0]);
        }
        outcome.flow(self.model);
    }
}
