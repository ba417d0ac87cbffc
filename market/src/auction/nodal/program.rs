//! The auction as a quadratic program, for the interior-point solver. Floating point, in kW and EUR/MWh.

use super::{Network, NodalError, Participant};
use clarabel::algebra::CscMatrix;
use clarabel::solver::{DefaultSettings, DefaultSolver, IPSolver, SolverStatus, SupportedConeT};

/// What the solver finds.
pub(super) struct Found {
    /// Price by bus.
    pub prices: Vec<f64>,
    /// Power by participant.
    pub powers_kw: Vec<f64>,
    /// Flow by line.
    pub flows_kw: Vec<f64>,
    /// Multiplier by line, signed as the flow it limits.
    pub congestion: Vec<f64>,
}

/// A stretch of a participant's curve: `width_kw` that are worth `price_high` at first and `price_low`
/// at last.
struct Stretch {
    participant: usize,
    width_kw: f64,
    price_high: f64,
    price_low: f64,
}

/// Rows of the constraint matrix, gathered entry by entry.
#[derive(Default)]
struct Rows {
    row: Vec<usize>,
    column: Vec<usize>,
    value: Vec<f64>,
    bounds: Vec<f64>,
}

impl Rows {
    fn push(&mut self, entries: &[(usize, f64)], bound: f64) {
        for (column, value) in entries {
            self.row.push(self.bounds.len());
            self.column.push(*column);
            self.value.push(*value);
        }
        self.bounds.push(bound);
    }
}

/// Columns: stretches, then one for each bus (its angle), then one for each line (its flow).
struct Program<'a> {
    network: &'a Network,
    participants: &'a [Participant],
    stretches: Vec<Stretch>,
    /// Power of one unit of the scaled program.
    unit_kw: f64,
    /// Price of one unit of the scaled program.
    unit_price: f64,
    /// Flow of one unit of angle over one unit of reactance.
    angle_scale: f64,
}

/// Solves to a relative tolerance.
pub(super) fn solve(
    network: &Network,
    participants: &[Participant],
    tolerance: f64,
) -> Result<Found, NodalError> {
    Program::new(network, participants).solve(tolerance)
}

impl<'a> Program<'a> {
    fn new(network: &'a Network, participants: &'a [Participant]) -> Self {
        let mut stretches = Vec::new();
        for (participant, of) in participants.iter().enumerate() {
            for pair in of.curve.points().windows(2) {
                let width_kw = (pair[0].power - pair[1].power).kw();
                if width_kw > 0.0 {
                    let (price_high, price_low) = (pair[1].price.eur_per_mwh(), pair[0].price.eur_per_mwh());
                    stretches.push(Stretch { participant, width_kw, price_high, price_low });
                }
            }
        }
        let fixed = participants.iter().map(|p| p.curve.power_min().kw().abs());
        let unit_kw = stretches.iter().map(|s| s.width_kw).chain(fixed).fold(1e-6, f64::max);
        let unit_price = stretches.iter().map(|s| s.price_high.abs()).fold(1.0, f64::max);
        let angle_scale = network.links.iter().filter_map(|link| link.reactance).fold(1e9, f64::min);
        Self { network, participants, stretches, unit_kw, unit_price, angle_scale }
    }

    fn angle(&self, bus: usize) -> usize {
        self.stretches.len() + bus
    }

    fn flow(&self, link: usize) -> usize {
        self.stretches.len() + self.network.buses.len() + link
    }

    /// Balance at each bus, Kirchhoff's voltage law on each line that has a reactance, and one fixed angle
    /// wherever it is free. Gives how many.
    fn equalities(&self, rows: &mut Rows) -> usize {
        let mut balance = vec![Vec::new(); self.network.buses.len()];
        let mut fixed = vec![0.0; self.network.buses.len()];
        for (column, stretch) in self.stretches.iter().enumerate() {
            balance[self.participants[stretch.participant].bus].push((column, 1.0));
        }
        for participant in self.participants {
            fixed[participant.bus] -= participant.curve.power_min().kw() / self.unit_kw;
        }
        for (index, link) in self.network.links.iter().enumerate() {
            balance[link.from].push((self.flow(index), 1.0));
            balance[link.to].push((self.flow(index), -1.0));
        }
        for (entries, bound) in balance.iter().zip(&fixed) {
            rows.push(entries, *bound);
        }
        for (index, link) in self.network.links.iter().enumerate() {
            if let Some(reactance) = link.reactance {
                let over = reactance / self.angle_scale;
                let (from, to) = (self.angle(link.from), self.angle(link.to));
                rows.push(&[(from, 1.0), (to, -1.0), (self.flow(index), -over)], 0.0);
            }
        }
        for bus in self.references() {
            rows.push(&[(self.angle(bus), 1.0)], 0.0);
        }
        rows.bounds.len()
    }

    /// One bus of every part of the network that hangs together by reactances.
    fn references(&self) -> Vec<usize> {
        let mut group: Vec<usize> = (0..self.network.buses.len()).collect();
        let find = |group: &mut Vec<usize>, mut bus: usize| {
            while group[bus] != bus {
                group[bus] = group[group[bus]];
                bus = group[bus];
            }
            bus
        };
        for link in self.network.links.iter().filter(|link| link.reactance.is_some()) {
            let (a, b) = (find(&mut group, link.from), find(&mut group, link.to));
            group[a] = b;
        }
        (0..group.len()).filter(|bus| group[*bus] == *bus).collect()
    }

    /// Each stretch between nothing and its width, each flow within its limit.
    fn inequalities(&self, rows: &mut Rows) {
        for (column, stretch) in self.stretches.iter().enumerate() {
            rows.push(&[(column, 1.0)], stretch.width_kw / self.unit_kw);
            rows.push(&[(column, -1.0)], 0.0);
        }
        for (index, link) in self.network.links.iter().enumerate() {
            if let Some(limit) = link.limit {
                rows.push(&[(self.flow(index), 1.0)], limit.kw() / self.unit_kw);
                rows.push(&[(self.flow(index), -1.0)], limit.kw() / self.unit_kw);
            }
        }
    }

    fn solve(&self, tolerance: f64) -> Result<Found, NodalError> {
        let columns = self.flow(self.network.links.len());
        let mut rows = Rows::default();
        let equalities = self.equalities(&mut rows);
        self.inequalities(&mut rows);
        let count = rows.bounds.len();
        let matrix = CscMatrix::new_from_triplets(count, columns, rows.row, rows.column, rows.value);
        let fall = |s: &Stretch| (s.price_high - s.price_low) / self.unit_price * self.unit_kw / s.width_kw;
        let stretches = 0..self.stretches.len();
        let curvature = self.stretches.iter().map(fall).collect();
        let quadratic = CscMatrix::new_from_triplets(
            columns,
            columns,
            stretches.clone().collect(),
            stretches.collect(),
            curvature,
        );
        let mut linear = vec![0.0; columns];
        for (cost, stretch) in linear.iter_mut().zip(&self.stretches) {
            *cost = -stretch.price_high / self.unit_price;
        }
        let cones =
            [SupportedConeT::ZeroConeT(equalities), SupportedConeT::NonnegativeConeT(count - equalities)];
        let settings = DefaultSettings {
            verbose: false,
            tol_gap_abs: tolerance,
            tol_gap_rel: tolerance,
            tol_feas: tolerance,
            ..DefaultSettings::default()
        };
        let unsolved = |status: String| NodalError::Unsolved { status };
        let solver = DefaultSolver::new(&quadratic, &linear, &matrix, &rows.bounds, &cones, settings);
        let mut solver = solver.map_err(|error| unsolved(error.to_string()))?;
        solver.solve();
        let solution = &solver.solution;
        match solution.status {
            // Nearly solved is judged by the check, like all else.
            SolverStatus::Solved | SolverStatus::AlmostSolved | SolverStatus::InsufficientProgress => {
                Ok(self.read(&solution.x, &solution.z, equalities))
            }
            SolverStatus::PrimalInfeasible | SolverStatus::AlmostPrimalInfeasible => {
                Err(NodalError::Infeasible)
            }
            other => Err(unsolved(format!("{other:?}"))),
        }
    }

    fn read(&self, x: &[f64], z: &[f64], equalities: usize) -> Found {
        let mut powers_kw: Vec<f64> = self.participants.iter().map(|p| p.curve.power_min().kw()).collect();
        for (stretch, x) in self.stretches.iter().zip(x) {
            powers_kw[stretch.participant] += x * self.unit_kw;
        }
        let mut row = equalities + 2 * self.stretches.len();
        let mut multiplier = |limited: bool| {
            if !limited {
                return 0.0;
            }
            row += 2;
            (z[row - 2] - z[row - 1]) * self.unit_price
        };
        Found {
            prices: z[..self.network.buses.len()].iter().map(|price| price * self.unit_price).collect(),
            powers_kw,
            flows_kw: (0..self.network.links.len()).map(|link| x[self.flow(link)] * self.unit_kw).collect(),
            congestion: self.network.links.iter().map(|link| multiplier(link.limit.is_some())).collect(),
        }
    }
}
