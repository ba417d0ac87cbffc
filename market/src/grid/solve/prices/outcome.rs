//! What prices come to over the whole feeder: what is taken, what flows, and which limits are passed.

use super::limits::excess;
use super::search::Search;
use crate::grid::error::Limit;
use crate::grid::solve::model::Model;
use crate::grid::solve::point::{Node, Point};

/// Kinds of limits that can join, those of flow first.
const KINDS: usize = 4;
const FLOWS: usize = 2;

/// A dispatch and what follows from it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// By stretch.
    pub taken: Vec<f64>,
    /// Real and reactive power into the line that feeds each place; the root's is the import.
    pub flows: Vec<[f64; 2]>,
    squares: Vec<f64>,
}

/// A limit that is passed: which of the model's bounds, at which place, by how much.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub bound: usize,
    pub place: usize,
    pub over: f64,
}

fn kind(limit: Limit) -> Option<usize> {
    match limit {
        Limit::PowerMax => Some(0),
        Limit::PowerMin => Some(1),
        Limit::VoltageMax => Some(2),
        Limit::VoltageMin => Some(3),
        _ => None,
    }
}

impl Outcome {
    /// Room for an outcome.
    pub(super) fn new(model: &Model) -> Self {
        let places = model.parent.len();
        let squares = vec![model.root_square; places];
        Self { taken: vec![0.0; model.stretches.len()], flows: vec![[0.0; 2]; places], squares }
    }

    /// Makes flows of what is drawn at every place, and voltages of them.
    pub(super) fn flow(&mut self, model: &Model) {
        let Self { flows, squares, .. } = self;
        for place in (1..flows.len()).rev() {
            let [p, q] = flows[place];
            let above = &mut flows[model.parent[place]];
            *above = [above[0] + p, above[1] + q];
        }
        for place in 1..flows.len() {
            let line = &model.lines[place];
            let ([r, x], [p, q]) = (line.impedance, flows[place]);
            squares[place] = line.ratio * squares[model.parent[place]] - 2.0 * (r * p + x * q);
        }
    }

    fn excess(&self, model: &Model, bound: usize, place: usize) -> f64 {
        excess(&model.bounds[bound], self.flows[place], self.squares[place])
    }

    /// Whether the limits of apparent power hold to within `tolerance`.
    pub(super) fn keeps_apparent(&self, model: &Model, tolerance: f64) -> bool {
        (1..self.flows.len()).all(|place| {
            let mut bounds = model.first_bound[place]..model.first_bound[place + 1];
            bounds.all(|bound| {
                model.bounds[bound].limit != Limit::Apparent || self.excess(model, bound, place) <= tolerance
            })
        })
    }

    /// The limits passed by more than `tolerance`, the one passed most first. Of voltages only those
    /// that are passed by no less than any above or below them: the others will mostly be kept with them.
    pub(super) fn passed(&self, model: &Model, tolerance: f64) -> Vec<Passed> {
        let mut all = Vec::new();
        for place in 1..self.flows.len() {
            for bound in model.first_bound[place]..model.first_bound[place + 1] {
                let Some(kind) = kind(model.bounds[bound].limit) else { continue };
                let over = self.excess(model, bound, place);
                if over > tolerance {
                    all.push((Passed { bound, place, over }, kind));
                }
            }
        }
        if all.is_empty() {
            return Vec::new();
        }
        // By place, the most by which each kind is passed there or below, and there or above.
        let mut below = vec![[0f64; KINDS]; self.flows.len()];
        for (passed, kind) in &all {
            below[passed.place][*kind] = passed.over;
        }
        let mut above = below.clone();
        let larger = |a: [f64; KINDS], b: [f64; KINDS]| std::array::from_fn(|kind| a[kind].max(b[kind]));
        for place in (1..below.len()).rev() {
            let parent = model.parent[place];
            below[parent] = larger(below[parent], below[place]);
        }
        for place in 1..above.len() {
            above[place] = larger(above[place], above[model.parent[place]]);
        }
        let most = |(passed, kind): &&(Passed, usize)| {
            let around = below[passed.place][*kind].max(above[passed.place][*kind]);
            *kind < FLOWS || passed.over >= around
        };
        let mut found: Vec<Passed> = all.iter().filter(most).map(|(passed, _)| *passed).collect();
        found.sort_by(|a, b| b.over.total_cmp(&a.over));
        found
    }

    /// The point that the search came to with this outcome.
    pub(super) fn point<'a>(self, search: &Search<'a>) -> Point<'a> {
        let (model, paths) = (search.model, &search.paths);
        let node = |(place, (flow, square)): (usize, ([f64; 2], f64))| {
            let at = &search.nodes[paths.node[place]];
            let on_path = paths.places[paths.node[place]] == place;
            Node {
                price: at.price,
                square,
                drop: if on_path && place > 0 { at.drop } else { 0.0 },
                flow: if place > 0 { flow } else { [0.0; 2] },
                current: 0.0,
            }
        };
        let nodes = self.flows.into_iter().zip(self.squares).enumerate().map(node).collect();
        let mut duals = vec![0.0; model.bounds.len()];
        for joined in &search.joined {
            duals[joined.bound] = joined.multiplier;
        }
        Point::at(model, nodes, &self.taken, &duals)
    }
}
