//! Priced losses, `r (P^2 + Q^2)` on every line in every interval: what they add to prices at the present point, and
//! as bends to a Newton step ([`super::row`]).
//!
//! Losses bend everywhere and limits only where they bind, so a session with them costs as much as one in which a
//! limit binds on every line in every interval. There may be [`MAX_BENDS`] of them.

use super::error::HorizonError;
use super::limits::{row, Limit, LimitKind, LimitRow};
use super::model::{Model, Purpose, Taken};
use super::problem::HorizonProblem;
use super::row::Row;
use crate::grid::problem::{Branch, Network};
use crate::grid::solution::BranchFlow;

/// Most bends of losses: two for each line with resistance in each interval.
pub const MAX_BENDS: usize = 2_000;

/// Checks that losses, where they have a price, bend in few enough places.
///
/// # Errors
/// Where they don't.
pub fn check(problem: &HorizonProblem) -> Result<(), HorizonError> {
    let lines = problem.network.branches.iter().skip(1).filter(|line| line.resistance_pu_per_kva > 0.0);
    let count = if problem.loss_price > 0.0 { 2 * lines.count() * problem.intervals() } else { 0 };
    match count > MAX_BENDS {
        true => Err(HorizonError::TooMany { what: "bends of priced losses", count, most: MAX_BENDS }),
        false => Ok(()),
    }
}

/// What losses at these flows cost in EUR/MWh times kW.
pub fn cost(network: &Network, loss_price: f64, flows: &[BranchFlow]) -> f64 {
    let mut lost = 0.0;
    for (branch, flow) in network.branches.iter().zip(flows).skip(1) {
        let square = flow.power_kw * flow.power_kw + flow.reactive_kvar * flow.reactive_kvar;
        lost += branch.resistance_pu_per_kva * square;
    }
    loss_price * lost
}

/// A line on which losses cost something.
pub struct LossyLine {
    place: usize,
    /// What flows there of what is taken where.
    pattern: LimitRow,
    /// Whether any of the real, and of the reactive, power below can be other than it is.
    moves: [bool; 2],
}

impl Model<'_> {
    /// The lines on which losses cost something.
    pub fn lossy_lines(&self) -> Vec<LossyLine> {
        let HorizonProblem { network, loss_price, .. } = self.problem;
        if *loss_price == 0.0 || self.purpose == Purpose::LeastExcess {
            return Vec::new();
        }
        let moves = self.moves_below();
        let lossy = |(place, branch): (usize, &Branch)| {
            let limit = Limit { place, kind: LimitKind::Apparent };
            (branch.resistance_pu_per_kva > 0.0).then(|| LossyLine {
                place,
                pattern: row(network, limit),
                moves: moves[place],
            })
        };
        network.branches.iter().enumerate().skip(1).filter_map(lossy).collect()
    }

    /// Whether any real, and any reactive, power at a place or below it can move in any interval.
    fn moves_below(&self) -> Vec<[bool; 2]> {
        let mut moves = vec![[false; 2]; self.places()];
        for link in &self.links {
            let [real, reactive] = &mut moves[link.place];
            *real |= link.real != 0.0;
            *reactive |= link.reactive != 0.0;
        }
        let orders = self.storages.iter().map(|s| s.place).chain(self.deferrables.iter().map(|d| d.place));
        orders.for_each(|place| moves[place][0] = true);
        for place in (1..moves.len()).rev() {
            let [real, reactive] = moves[place];
            let above = &mut moves[self.problem.network.parent[place]];
            *above = [above[0] || real, above[1] || reactive];
        }
        moves
    }

    /// Half of what a scaled unit of flow adds to the scaled price of more, by line.
    fn loss_weight(&self, place: usize) -> f64 {
        let HorizonProblem { network, loss_price, .. } = self.problem;
        loss_price * network.branches[place].resistance_pu_per_kva * self.scale.power / self.scale.price
    }

    /// Adds to prices what losses at the present point add to them.
    pub fn add_loss_prices(&self, prices: &mut Taken) {
        if self.lossy.is_empty() {
            return;
        }
        let (parent, power) = (&self.problem.network.parent, self.scale.power);
        let taken = self.taken(&self.boxes.value);
        for interval in 0..self.intervals() {
            let flows = self.state(&taken, interval).flows;
            let mut added = vec![[0.0; 2]; flows.len()];
            for place in 1..flows.len() {
                let BranchFlow { power_kw, reactive_kvar, .. } = flows[place];
                let rise = 2.0 * self.loss_weight(place) / power;
                let [real, reactive] = added[parent[place]];
                added[place] = [real + rise * power_kw, reactive + rise * reactive_kvar];
                let at = self.at(place, interval);
                prices.real[at] += added[place][0];
                prices.reactive[at] += added[place][1];
            }
        }
    }

    /// The losses' bends.
    pub fn loss_bends(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.intervals()).flat_map(move |interval| {
            self.lossy.iter().flat_map(move |LossyLine { place, pattern, moves }| {
                let root = (2.0 * self.loss_weight(*place)).sqrt();
                let bends = [(moves[0], [root, 0.0]), (moves[1], [0.0, root])];
                bends.into_iter().filter(|(moves, _)| *moves).map(move |(_, along)| Row {
                    interval,
                    pattern,
                    along,
                })
            })
        })
    }
}
