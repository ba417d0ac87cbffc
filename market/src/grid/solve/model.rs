//! The problem as the solver sees it: powers and prices near one, parties in the order of places,
//! everything that is chosen a stretch from zero to its width.

use crate::grid::error::Limit;
use crate::grid::problem::{Branch, GridProblem, Offer, Piece, Reactive, ReserveOffer, VoltageBand};
use std::ops::Range;

/// Something chosen between 0 and `width`, at a marginal cost rising from `cost` by `slope` a unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub width: f64,
    pub cost: f64,
    pub slope: f64,
}

/// One offer.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// Its index in the problem.
    pub offer: usize,
    /// Real power it takes in any case.
    pub power: f64,
    /// Reactive power it takes in any case.
    pub reactive: f64,
    /// Reactive power for each further unit of real power.
    pub tan_phi: f64,
    /// Its stretches of real power.
    pub real: Range<usize>,
    /// Its stretch of reactive power.
    pub vars: Option<usize>,
    /// Its reserve up and down.
    pub reserve: [Option<Cover>; 2],
}

/// A party's reserve and what covers it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cover {
    /// The stretch of what stands ready.
    pub stretch: usize,
    /// Which of the covers it is.
    pub pair: usize,
}

/// A limit at a place or on the line that feeds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub limit: Limit,
    pub bound: f64,
}

/// A line and the place it feeds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    /// Resistance and reactance by which squared voltage drops, halved.
    pub impedance: [f64; 2],
    /// Squared ratio.
    pub ratio: f64,
    /// Cost of `P^2 + Q^2`.
    pub loss_cost: f64,
    /// By how much a unit of power at its end moves the squared voltage there.
    pub reach: f64,
    /// Cost of the squared current, where nothing else keeps it from growing.
    pub current_cost: f64,
}

/// The problem, scaled.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// kW in a unit of power.
    pub power_unit: f64,
    /// EUR/MWh in a unit of price.
    pub price_unit: f64,
    pub parent: Vec<usize>,
    pub lines: Vec<Line>,
    /// Parties of place `i` are `first_party[i]..first_party[i + 1]`.
    pub first_party: Vec<usize>,
    pub parties: Vec<Party>,
    /// Bounds of place `i` are `first_bound[i]..first_bound[i + 1]`.
    pub first_bound: Vec<usize>,
    pub bounds: Vec<Bound>,
    /// Of the parties; the supply's come last.
    pub stretches: Vec<Stretch>,
    pub supply: Range<usize>,
    pub import_min: f64,
    pub root_square: f64,
    /// Cost of `(V - 1)^2` at each place.
    pub deviation: f64,
    /// Whether losses are in the balance.
    pub carried: bool,
    /// Reserve up and down that must stand ready.
    pub reserve: [f64; 2],
    /// How many covers of reserve there are.
    pub covers: usize,
}

/// How many parties the opening price asks.
const SAMPLE: usize = 500;

/// Halvings of the range the opening price lies in.
const HALVINGS: usize = 20;

/// A cost of squared current, in units of price, that lies below every tolerance.
const IDLE_CURRENT_COST: f64 = 1e-7;

/// The largest power any one figure of an offer stands for.
fn power_unit(problem: &GridProblem) -> f64 {
    let largest = |offer: &Offer| {
        let width = offer.pieces.iter().map(|piece| piece.width_kw).sum::<f64>();
        let vars = match offer.reactive {
            Reactive::Fixed { reactive_kvar } => reactive_kvar.abs(),
            Reactive::Proportional { .. } => 0.0,
            Reactive::Range { min_kvar, max_kvar, .. } => min_kvar.abs().max(max_kvar.abs()),
        };
        width.max(offer.power_min_kw.abs()).max(vars)
    };
    let most = problem.offers.iter().map(largest).fold(0.0, f64::max);
    if most > 0.0 {
        most
    } else {
        1.0
    }
}

fn price_unit(problem: &GridProblem) -> f64 {
    let offered = problem.offers.iter().flat_map(|offer| &offer.pieces);
    let prices = offered.chain(&problem.supply.pieces).map(|p| p.price_high.abs().max(p.price_low.abs()));
    let most = prices.fold(problem.objective.loss_price, f64::max);
    if most > 0.0 {
        most
    } else {
        1.0
    }
}

impl Model {
    pub(super) fn new(problem: &GridProblem) -> Self {
        let network = &problem.network;
        let (power_unit, price_unit) = (power_unit(problem), price_unit(problem));
        let mut model = Self {
            power_unit,
            price_unit,
            parent: network.parent.clone(),
            lines: Vec::with_capacity(network.branches.len()),
            first_party: Vec::with_capacity(network.parent.len() + 1),
            parties: Vec::with_capacity(problem.offers.len()),
            first_bound: Vec::with_capacity(network.parent.len() + 1),
            bounds: Vec::new(),
            stretches: Vec::new(),
            supply: 0..0,
            import_min: problem.supply.import_min_kw / power_unit,
            root_square: network.root_voltage_square_pu,
            deviation: problem.objective.voltage_deviation_price * 1e3 / (power_unit * price_unit),
            carried: network.losses.carries(),
            reserve: [problem.objective.reserve_up_kw, problem.objective.reserve_down_kw]
                .map(|reserve| reserve / power_unit),
            covers: 0,
        };
        let loss_price = problem.objective.loss_price / price_unit;
        for (place, branch) in network.branches.iter().enumerate() {
            model.line(branch, loss_price);
            model.first_bound.push(model.bounds.len());
            if place > 0 {
                model.bound(branch, &network.bands[place]);
            }
        }
        model.first_bound.push(model.bounds.len());
        for place in 1..model.parent.len() {
            let [r, x] = model.lines[place].impedance;
            model.lines[place].reach = model.lines[model.parent[place]].reach + 2.0 * (r + x.abs());
        }
        model.offers(&problem.offers);
        model.supply(problem);
        model
    }

    /// A price to begin with: where a sample of the parties would meet the supply if nothing limited
    /// them, found by halving.
    pub(super) fn opening_price(&self) -> f64 {
        let parties = &self.stretches[..self.supply.start];
        let stride = parties.len() / SAMPLE + 1;
        let fixed: f64 = self.parties.iter().map(|party| party.power).sum();
        let sampled = |price: f64| -> f64 {
            let real = self.parties.iter().step_by(stride).flat_map(|party| &parties[party.real.clone()]);
            real.map(|stretch| taken(stretch, price)).sum()
        };
        let (mut low, mut high) = (-1.0, 1.0);
        for _ in 0..HALVINGS {
            let price = (low + high) / 2.0;
            let supplied: f64 = self.stretches[self.supply.clone()].iter().map(|s| taken(s, -price)).sum();
            if fixed + stride as f64 * sampled(price) > self.import_min + supplied {
                low = price;
            } else {
                high = price;
            }
        }
        (low + high) / 2.0
    }

    fn line(&mut self, branch: &Branch, loss_price: f64) {
        let resistance = branch.resistance_pu_per_kva * self.power_unit;
        let reactance = branch.reactance_pu_per_kva * self.power_unit;
        // Losses price the current of every line with resistance. Without, nothing may.
        let idle = resistance < 1e-3 * reactance.abs();
        self.lines.push(Line {
            impedance: [resistance, reactance],
            ratio: branch.ratio_square,
            loss_cost: loss_price * resistance,
            reach: 0.0,
            current_cost: if idle { IDLE_CURRENT_COST * reactance.abs() } else { 0.0 },
        });
    }

    fn bound(&mut self, branch: &Branch, band: &VoltageBand) {
        let unit = self.power_unit;
        let bounds = [
            (Limit::PowerMax, branch.power_max_kw / unit),
            (Limit::PowerMin, branch.power_min_kw / unit),
            (Limit::Apparent, branch.apparent_max_kva / unit),
            (Limit::VoltageMax, band.max_square_pu),
            (Limit::VoltageMin, band.min_square_pu),
        ];
        // Real power is never more than apparent power: a limit of it beyond can only hold up the iteration,
        // which would follow it, reactive power circling, before it has met the limit that counts.
        let idle = |(limit, bound): &(Limit, f64)| match limit {
            Limit::PowerMax => *bound >= branch.apparent_max_kva / unit,
            Limit::PowerMin => -*bound >= branch.apparent_max_kva / unit,
            _ => false,
        };
        let bounds = bounds.into_iter().filter(|bound| !idle(bound));
        let finite = bounds.filter(|(_, bound)| bound.is_finite());
        self.bounds.extend(finite.map(|(limit, bound)| Bound { limit, bound }));
    }

    fn offers(&mut self, offers: &[Offer]) {
        let mut order: Vec<usize> = (0..offers.len()).collect();
        order.sort_by_key(|index| offers[*index].place);
        let mut next = order.into_iter().peekable();
        for place in 0..self.parent.len() {
            self.first_party.push(self.parties.len());
            while let Some(index) = next.next_if(|index| offers[*index].place == place) {
                self.offer(index, &offers[index]);
            }
        }
        self.first_party.push(self.parties.len());
    }

    fn offer(&mut self, index: usize, offer: &Offer) {
        let first = self.stretches.len();
        for piece in &offer.pieces {
            self.stretch(piece.width_kw, -piece.price_high, piece.price_high - piece.price_low);
        }
        let real = first..self.stretches.len();
        let power = offer.power_min_kw / self.power_unit;
        let (mut tan, mut vars) = (0.0, None);
        let reactive = match offer.reactive {
            Reactive::Fixed { reactive_kvar } => reactive_kvar / self.power_unit,
            Reactive::Proportional { tan_phi } => {
                tan = tan_phi;
                tan_phi * power
            }
            Reactive::Range { min_kvar, max_kvar, cost_eur_per_mvar2_h } => {
                // EUR/h of (kvar / 1e3)^2 is EUR/Mvarh of 2 kvar / 1e3.
                let rise = 2.0 * cost_eur_per_mvar2_h / 1e3;
                let width = max_kvar - min_kvar;
                if width > 0.0 {
                    vars = Some(self.stretches.len());
                    self.stretch(width, rise * min_kvar, rise * width);
                }
                min_kvar / self.power_unit
            }
        };
        let reserve = [self.cover(&real, 0, offer.reserve_up), self.cover(&real, 1, offer.reserve_down)];
        self.parties.push(Party { offer: index, power, reactive, tan_phi: tan, real, vars, reserve });
    }

    /// A reserve that is asked for and can be given.
    fn cover(&mut self, real: &Range<usize>, kind: usize, reserve: Option<ReserveOffer>) -> Option<Cover> {
        let offered = reserve.filter(|reserve| reserve.max_kw > 0.0)?;
        if real.is_empty() || self.reserve[kind] == 0.0 {
            return None;
        }
        let cover = Cover { stretch: self.stretches.len(), pair: self.covers };
        self.stretch(offered.max_kw, offered.price, 0.0);
        self.covers += 1;
        Some(cover)
    }

    fn stretch(&mut self, width_kw: f64, cost: f64, rise: f64) {
        let width = width_kw / self.power_unit;
        let (cost, rise) = (cost / self.price_unit, rise / self.price_unit);
        self.stretches.push(Stretch { width, cost, slope: rise / width });
    }

    /// The supply, cut to what the offers can ask for where that is known beforehand: an import far
    /// beyond it would only spoil the scale.
    fn supply(&mut self, problem: &GridProblem) {
        let first = self.stretches.len();
        let (least, most) = self.reachable(problem);
        let mut start = problem.supply.import_min_kw;
        self.import_min = start.max(least.min(start + total(&problem.supply.pieces))) / self.power_unit;
        for piece in &problem.supply.pieces {
            let end = start + piece.width_kw;
            let (from, to) = (start.max(least), end.min(most));
            let rise = (piece.price_high - piece.price_low) / piece.width_kw;
            if to > from {
                self.stretch(to - from, piece.price_low + rise * (from - start), rise * (to - from));
            }
            start = end;
        }
        self.supply = first..self.stretches.len();
    }

    /// Import beyond which nothing can be asked for, with a margin.
    fn reachable(&self, problem: &GridProblem) -> (f64, f64) {
        if problem.network.losses.carries() {
            return (f64::NEG_INFINITY, f64::INFINITY);
        }
        let least: f64 = problem.offers.iter().map(|offer| offer.power_min_kw).sum();
        let most = least + problem.offers.iter().map(|offer| total(&offer.pieces)).sum::<f64>();
        let margin = self.power_unit + (most - least) / 2.0;
        (least - margin, most + margin)
    }
}

/// What of a stretch is taken at a price, where nothing limits it.
fn taken(stretch: &Stretch, price: f64) -> f64 {
    let gain = -stretch.cost - price;
    if gain <= 0.0 {
        0.0
    } else if gain >= stretch.slope * stretch.width {
        stretch.width
    } else {
        gain / stretch.slope
    }
}

fn total(pieces: &[Piece]) -> f64 {
    pieces.iter().map(|piece| piece.width_kw).sum()
}
