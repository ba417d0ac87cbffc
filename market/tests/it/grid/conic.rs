//! The same problem written out whole, variable by variable, for a general conic solver (Clarabel).

use clarabel::algebra::CscMatrix;
use clarabel::solver::{
    DefaultSettings, DefaultSolver, IPSolver, SolverStatus, SupportedConeT, SupportedConeT::*,
};
use market::grid::problem::{GridProblem, Offer, Reactive};

/// A sum of variables, and a constant.
type Row = (Vec<(usize, f64)>, f64);

#[derive(Default)]
struct Program {
    linear: Vec<f64>,
    square: Vec<f64>,
    zero: Vec<Row>,
    positive: Vec<Row>,
    cones: Vec<Vec<Row>>,
}

impl Program {
    /// A new variable that costs `linear x + square x^2 / 2`.
    fn variable(&mut self, linear: f64, square: f64) -> usize {
        self.linear.push(linear);
        self.square.push(square);
        self.linear.len() - 1
    }
    fn within(&mut self, variable: usize, least: f64, most: f64) {
        if least.is_finite() {
            self.positive.push((vec![(variable, 1.0)], -least));
        }
        if most.is_finite() {
            self.positive.push((vec![(variable, -1.0)], most));
        }
    }
    /// The optimum in EUR/h; none where there is no solution; nothing at all where the solver is
    /// unsure.
    fn solve(self) -> Option<Option<f64>> {
        let count = self.linear.len();
        let cone_rows = self.cones.iter().flatten();
        let rows: Vec<&Row> = self.zero.iter().chain(&self.positive).chain(cone_rows).collect();
        let (mut at, mut column, mut value) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (terms, _)) in rows.iter().enumerate() {
            for (variable, factor) in terms {
                at.push(index);
                column.push(*variable);
                value.push(-factor);
            }
        }
        let matrix = CscMatrix::new_from_triplets(rows.len(), count, at, column, value);
        let right: Vec<f64> = rows.iter().map(|(_, constant)| *constant).collect();
        let mut cones: Vec<SupportedConeT<f64>> =
            vec![ZeroConeT(self.zero.len()), NonnegativeConeT(self.positive.len())];
        cones.extend(self.cones.iter().map(|rows| SecondOrderConeT(rows.len())));
        let diagonal: Vec<usize> = (0..count).collect();
        let curve = CscMatrix::new_from_triplets(count, count, diagonal.clone(), diagonal, self.square);
        let settings = DefaultSettings { verbose: false, ..DefaultSettings::default() };
        let mut solver = DefaultSolver::new(&curve, &self.linear, &matrix, &right, &cones, settings).ok()?;
        solver.solve();
        match solver.solution.status {
            SolverStatus::Solved => Some(Some(solver.solution.obj_val / 1e3)),
            SolverStatus::PrimalInfeasible => Some(None),
            _ => None,
        }
    }
}

/// Variables of one place.
struct Place {
    real: usize,
    reactive: usize,
    square: usize,
    current: Option<usize>,
}

/// The least cost, constants apart that [`constant`] gives; see [`Program::solve`] for what is none.
pub fn optimum(problem: &GridProblem) -> Option<Option<f64>> {
    let mut program = Program::default();
    let places = lines(problem, &mut program);
    let mut balance: Vec<[Row; 2]> = places.iter().map(|_| Default::default()).collect();
    let mut forward: [Row; 2] = Default::default();
    for offer in &problem.offers {
        let [real, reactive] = &mut balance[offer.place];
        offers(offer, &mut program, real, reactive, &mut forward);
    }
    let needed = [problem.objective.reserve_up_kw, problem.objective.reserve_down_kw];
    for (mut row, needed) in forward.into_iter().zip(needed) {
        if needed > 0.0 {
            row.1 -= needed;
            program.positive.push(row);
        }
    }
    for place in 1..places.len() {
        let Place { real, reactive, current, .. } = places[place];
        let branch = &problem.network.branches[place];
        for (kind, (flow, loss)) in
            [(real, branch.resistance_pu_per_kva), (reactive, branch.reactance_pu_per_kva)]
                .into_iter()
                .enumerate()
        {
            balance[problem.network.parent[place]][kind].0.push((flow, 1.0));
            balance[place][kind].0.push((flow, -1.0));
            if let Some(current) = current {
                balance[place][kind].0.push((current, loss));
            }
        }
    }
    let root = &mut balance[0][0];
    root.1 -= problem.supply.import_min_kw;
    for piece in &problem.supply.pieces {
        let rise = (piece.price_high - piece.price_low) / piece.width_kw;
        let variable = program.variable(piece.price_low, rise);
        program.within(variable, 0.0, piece.width_kw);
        root.0.push((variable, -1.0));
    }
    for (place, rows) in balance.into_iter().enumerate() {
        let [real, reactive] = rows;
        program.zero.push(real);
        if place > 0 {
            program.zero.push(reactive);
        }
    }
    program.solve()
}

fn lines(problem: &GridProblem, program: &mut Program) -> Vec<Place> {
    let mut places = Vec::<Place>::new();
    let network = &problem.network;
    for (index, branch) in network.branches.iter().enumerate() {
        let (r, x) = (branch.resistance_pu_per_kva, branch.reactance_pu_per_kva);
        let loss = if index > 0 { 2.0 * problem.objective.loss_price * r } else { 0.0 };
        // 1e3 w (V - 1)^2 in thousandths of EUR/h.
        let deviation = if index > 0 { 2e3 * problem.objective.voltage_deviation_price } else { 0.0 };
        let (real, reactive) = (program.variable(0.0, loss), program.variable(0.0, loss));
        let square = program.variable(-deviation, deviation);
        let current = (index > 0 && network.losses.carries()).then(|| program.variable(0.0, 0.0));
        if index == 0 {
            program.zero.push((vec![(square, 1.0)], -network.root_voltage_square_pu));
        } else {
            let above = places[network.parent[index]].square;
            program.within(real, branch.power_min_kw, branch.power_max_kw);
            program.within(square, network.bands[index].min_square_pu, network.bands[index].max_square_pu);
            let mut fall =
                vec![(square, -1.0), (above, branch.ratio_square), (real, -2.0 * r), (reactive, -2.0 * x)];
            if branch.apparent_max_kva.is_finite() {
                let limit = (vec![], branch.apparent_max_kva);
                program.cones.push(vec![limit, (vec![(real, 1.0)], 0.0), (vec![(reactive, 1.0)], 0.0)]);
            }
            if let Some(current) = current {
                fall.push((current, r * r + x * x));
                // Brought to one size: l V >= P^2 + Q^2 with l and V S of the size of P.
                let size = 1e2;
                let sum = (vec![(current, 1.0 / size), (above, size)], 0.0);
                let difference = (vec![(current, 1.0 / size), (above, -size)], 0.0);
                // (l/S + V S)^2 - (l/S - V S)^2 = 4 l V, so the flows enter doubled.
                let flows = [real, reactive].map(|flow| (vec![(flow, 2.0)], 0.0));
                program.cones.push([sum, difference].into_iter().chain(flows).collect());
            }
            program.zero.push((fall, 0.0));
        }
        places.push(Place { real, reactive, square, current });
    }
    places
}

fn offers(offer: &Offer, program: &mut Program, real: &mut Row, reactive: &mut Row, forward: &mut [Row; 2]) {
    let (mut taken, mut total) = (Vec::new(), 0.0);
    for piece in &offer.pieces {
        let fall = (piece.price_high - piece.price_low) / piece.width_kw;
        let variable = program.variable(-piece.price_high, fall);
        program.within(variable, 0.0, piece.width_kw);
        taken.push((variable, 1.0));
        total += piece.width_kw;
    }
    real.0.extend(&taken);
    real.1 += offer.power_min_kw;
    match offer.reactive {
        Reactive::Fixed { reactive_kvar } => reactive.1 += reactive_kvar,
        Reactive::Proportional { tan_phi } => {
            reactive.0.extend(taken.iter().map(|(variable, _)| (*variable, tan_phi)));
            reactive.1 += tan_phi * offer.power_min_kw;
        }
        Reactive::Range { min_kvar, max_kvar, cost_eur_per_mvar2_h } => {
            let variable = program.variable(0.0, 2.0 * cost_eur_per_mvar2_h / 1e3);
            program.within(variable, min_kvar, max_kvar);
            reactive.0.push((variable, 1.0));
        }
    }
    // Reserve up is covered by what is taken, reserve down by what is left.
    for (kind, (reserve, sign)) in
        [(offer.reserve_up, 1.0), (offer.reserve_down, -1.0)].into_iter().enumerate()
    {
        if let Some(reserve) = reserve {
            let variable = program.variable(reserve.price, 0.0);
            program.within(variable, 0.0, reserve.max_kw);
            forward[kind].0.push((variable, 1.0));
            let mut cover: Row = (taken.iter().map(|(taken, _)| (*taken, sign)).collect(), 0.0);
            cover.0.push((variable, -1.0));
            cover.1 = if kind == 0 { 0.0 } else { total };
            program.positive.push(cover);
        }
    }
}

/// What [`optimum`] leaves out of the cost in EUR/h: what does not depend on the dispatch.
pub fn constant(problem: &GridProblem) -> f64 {
    let mut from_zero = 0.0;
    let mut start = problem.supply.import_min_kw;
    for piece in &problem.supply.pieces {
        let part = (-start).clamp(0.0, piece.width_kw);
        let rise = (piece.price_high - piece.price_low) / piece.width_kw;
        from_zero += part * piece.price_low + rise * part * part / 2.0;
        start += piece.width_kw;
    }
    let places = (problem.network.parent.len() - 1) as f64;
    problem.objective.voltage_deviation_price * places - from_zero / 1e3
}
