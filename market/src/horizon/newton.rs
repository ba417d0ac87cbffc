//! One Newton step of the interior point. Every party's own variables are eliminated, so that what is
//! left is a dense system in the multipliers of the equations: how what is taken answers prices, summed
//! by place and seen through the equations' patterns; and in those of the circles' bends ([`super::row`]).

use super::boxes::{Step, Target};
use super::cholesky::{Factor, Symmetric};
use super::model::{Model, Taken};
use super::row::Row;
use super::storage::{Given, Ladder};

/// Rounds of refinement of the equations' multipliers against their residual.
const REFINEMENTS: usize = 1;

/// The model at its present point, factorised.
pub struct Newton<'m, 'p> {
    model: &'m Model<'p>,
    mobility: Vec<f64>,
    ladders: Vec<Ladder>,
    gradient: Vec<f64>,
    shortfalls: Vec<f64>,
    storage_shortfalls: Vec<Vec<f64>>,
    deferrable_shortfalls: Vec<f64>,
    bends: Vec<Row<'m>>,
    factor: Factor,
}

/// A step of everything.
pub struct Direction {
    pub boxes: Step,
    pub multipliers: Vec<f64>,
    pub storage_values: Vec<Vec<f64>>,
    pub deferrable_values: Vec<f64>,
}

/// How what is taken at the places falls when prices rise.
struct Response {
    /// Within an interval, by place and interval: real by real, real by reactive, reactive by reactive.
    real: Vec<f64>,
    mixed: Vec<f64>,
    reactive: Vec<f64>,
    /// Between intervals, for places with orders that tie them: place, and a full square.
    tied: Vec<(usize, Vec<f64>)>,
}

impl<'m, 'p> Newton<'m, 'p> {
    pub fn new(model: &'m Model<'p>) -> Self {
        let mobility = model.boxes.mobility();
        let ladders: Vec<Ladder> = model.storages.iter().map(|storage| storage.ladder(&mobility)).collect();
        let bends = model.bends();
        let factor = system(model, &mobility, &ladders, &bends).factorise();
        Self {
            model,
            gradient: model.gradient(),
            shortfalls: model.shortfalls(),
            storage_shortfalls: model.storages.iter().map(|s| s.shortfall(&model.boxes)).collect(),
            deferrable_shortfalls: model.deferrables.iter().map(|d| d.shortfall(&model.boxes)).collect(),
            mobility,
            ladders,
            bends,
            factor,
        }
    }

    /// The step that drives the products to a target.
    pub fn direction(&self, target: &Target) -> Direction {
        let model = self.model;
        let pull = model.boxes.pull(&self.gradient, target);
        let mut multipliers = vec![0.0; model.equations.len() + self.bends.len()];
        let mut moved = self.answer(&multipliers, &pull);
        for _ in 0..=REFINEMENTS {
            let change = self.factor.solve(&self.over(&multipliers, &moved.0));
            multipliers.iter_mut().zip(change).for_each(|(sum, change)| *sum += change);
            moved = self.answer(&multipliers, &pull);
        }
        multipliers.truncate(model.equations.len());
        let (value, storage_values, deferrable_values) = moved;
        Direction {
            boxes: model.boxes.complete(value, target),
            multipliers,
            storage_values,
            deferrable_values,
        }
    }

    /// By how much a step passes what every equation lacks, and every bend what its multiplier says.
    fn over(&self, multipliers: &[f64], step: &[f64]) -> Vec<f64> {
        let model = self.model;
        let taken = model.taken(step);
        let equations = model.left_sides(&taken, step).into_iter().zip(&self.shortfalls);
        let bent = self.bends.iter().zip(&multipliers[model.equations.len()..]);
        let bends = bent.map(|(row, multiplier)| row.left(&taken, model.intervals()) - multiplier);
        equations.map(|(left, lack)| left - lack).chain(bends).collect()
    }

    /// What every variable does when the equations' multipliers move.
    fn answer(&self, multipliers: &[f64], pull: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>, Vec<f64>) {
        let (model, intervals) = (self.model, self.model.intervals());
        let mut prices = model.prices(multipliers);
        for (row, multiplier) in self.bends.iter().zip(&multipliers[model.equations.len()..]) {
            row.add_prices(*multiplier, &mut prices, intervals);
        }
        let here = |place: usize| &prices.real[place * intervals..(place + 1) * intervals];
        let mut step = vec![0.0; pull.len()];
        for (i, link) in model.links.iter().enumerate() {
            let at = model.at(link.place, link.interval);
            let price = link.real * prices.real[at] + link.reactive * prices.reactive[at];
            step[i] = self.mobility[i] * (pull[i] - price);
        }
        for (equation, multiplier) in model.equations.iter().zip(multipliers) {
            if let Some(slack) = equation.slack {
                step[slack] = self.mobility[slack] * (pull[slack] - multiplier);
            }
            if let Some(excess) = equation.excess {
                step[excess] = self.mobility[excess] * (pull[excess] + multiplier);
            }
        }
        let storages = model.storages.iter().zip(&self.ladders).zip(&self.storage_shortfalls);
        let storage_values = storages
            .map(|((block, ladder), lacking)| {
                let given = Given { prices: here(block.place), pull, lacking };
                ladder.step(block, &self.mobility, &given, &mut step)
            })
            .collect();
        let deferrables = model.deferrables.iter().zip(&self.deferrable_shortfalls);
        let deferrable_values = deferrables
            .map(|(d, lacking)| d.step(&self.mobility, here(d.place), pull, *lacking, &mut step))
            .collect();
        (step, storage_values, deferrable_values)
    }
}

/// The matrix of the system in the equations' multipliers and the bends'.
fn system(model: &Model, mobility: &[f64], ladders: &[Ladder], bends: &[Row]) -> Symmetric {
    let response = Response::new(model, mobility, ladders);
    let rows: Vec<Row> =
        model.equations.iter().map(|equation| model.row(equation)).chain(bends.iter().copied()).collect();
    let mut system = Symmetric::zero(rows.len());
    add_within_intervals(model, &rows, &response, &mut system);
    for (place, square) in &response.tied {
        add_between_intervals(model.intervals(), &rows, (*place, square), &mut system);
    }
    for (i, equation) in model.equations.iter().enumerate() {
        for slack in [equation.slack, equation.excess].into_iter().flatten() {
            system.row_mut(i)[i] += mobility[slack];
        }
    }
    (model.equations.len()..rows.len()).for_each(|i| system.row_mut(i)[i] += 1.0);
    system
}

fn add_within_intervals(model: &Model, rows: &[Row], response: &Response, system: &mut Symmetric) {
    let mut by_interval = vec![Vec::new(); model.intervals()];
    for (i, row) in rows.iter().enumerate() {
        by_interval[row.interval].push((i, row));
    }
    for (interval, rows) in by_interval.iter().enumerate() {
        for (k, (i, own)) in rows.iter().enumerate() {
            let of_system = system.row_mut(*i);
            for (j, other) in &rows[..=k] {
                let mut sum = 0.0;
                for place in 0..model.places() {
                    let at = model.at(place, interval);
                    let (p, q) = (own.real(place), own.reactive(place));
                    sum += other.real(place) * (p * response.real[at] + q * response.mixed[at])
                        + other.reactive(place) * (p * response.mixed[at] + q * response.reactive[at]);
                }
                of_system[*j] += sum;
            }
        }
    }
}

fn add_between_intervals(
    intervals: usize,
    rows: &[Row],
    (place, square): (usize, &[f64]),
    system: &mut Symmetric,
) {
    let seen = |(i, row): (usize, &Row)| {
        let weight = row.real(place);
        (weight != 0.0).then_some((i, row.interval, weight))
    };
    let seen: Vec<(usize, usize, f64)> = rows.iter().enumerate().filter_map(seen).collect();
    for (k, (i, interval, weight)) in seen.iter().enumerate() {
        let answers = &square[interval * intervals..(interval + 1) * intervals];
        let of_system = system.row_mut(*i);
        for (j, other, other_weight) in &seen[..=k] {
            of_system[*j] += weight * other_weight * answers[*other];
        }
    }
}

impl Response {
    fn new(model: &Model, mobility: &[f64], ladders: &[Ladder]) -> Self {
        let intervals = model.intervals();
        let Taken { real, reactive } = Taken::nothing(model.base.real.len());
        let mut response = Self { mixed: real.clone(), real, reactive, tied: Vec::new() };
        for (link, mobility) in model.links.iter().zip(mobility) {
            let at = model.at(link.place, link.interval);
            response.real[at] += link.real * link.real * mobility;
            response.mixed[at] += link.real * link.reactive * mobility;
            response.reactive[at] += link.reactive * link.reactive * mobility;
        }
        let mut squares = vec![Vec::new(); model.places()];
        let places = model.storages.iter().map(|s| s.place).chain(model.deferrables.iter().map(|d| d.place));
        places.for_each(|place| squares[place].resize(intervals * intervals, 0.0));
        for (block, ladder) in model.storages.iter().zip(ladders) {
            ladder.add_response(block, mobility, &mut squares[block.place]);
        }
        for order in &model.deferrables {
            order.add_response(mobility, &mut squares[order.place], intervals);
        }
        for (place, mut square) in squares.into_iter().enumerate() {
            if square.is_empty() {
                continue;
            }
            for j in 1..intervals {
                (0..j).for_each(|i| square[i * intervals + j] = square[j * intervals + i]);
            }
            response.tied.push((place, square));
        }
        response
    }
}
