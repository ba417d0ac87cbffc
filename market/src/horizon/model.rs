//! The problem as an interior point sees it: bounded variables, orders that tie some of them together
//! over time, and linear equations over what is taken at each place. Scaled, so that powers and prices
//! are about one.
//!
//! Limits of the feeder join as equations one by one ([`super::rows`]); how a step is found stands in
//! [`super::newton`].

use super::boxes::Boxes;
use super::deferrable::DeferrableBlock;
use super::limits::{Limit, LimitRow};
use super::losses::LossyLine;
use super::problem::{DeferrableOrder, HorizonProblem, OfferCurve, StorageOrder};
use super::storage::StorageBlock;
use crate::grid::problem::{Piece, Reactive, Supply};
use std::collections::BTreeMap;

/// Where the equations' patterns keep the balance of all places.
const BALANCE: usize = 0;

/// What is sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The least cost.
    Optimum,
    /// The least sum of powers by which limits are passed, whatever anything costs.
    LeastExcess,
}

/// What one unit of each scaled figure amounts to.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// In kW.
    pub power: f64,
    /// In EUR/MWh.
    pub price: f64,
}

/// What one unit of a variable takes, and where.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub interval: usize,
    pub place: usize,
    pub real: f64,
    pub reactive: f64,
}

/// One interval's sum over places of a pattern's coefficients times what is taken, and a slack, equal a
/// bound.
#[derive(Clone, Debug)]
pub struct Equation {
    pub interval: usize,
    pub pattern: usize,
    /// How much of the pattern's real and reactive sums counts: all, or, where the limit is a circle, its
    /// slope at the present point.
    pub along: [f64; 2],
    /// What fills the sum up to its bound; a balance has none.
    pub slack: Option<usize>,
    /// What the sum may pass its bound by, where excess is sought.
    pub excess: Option<usize>,
    pub multiplier: f64,
}

/// The scaled problem and the present point.
pub struct Model<'a> {
    pub problem: &'a HorizonProblem,
    pub purpose: Purpose,
    pub scale: Scale,
    pub boxes: Boxes,
    /// Of the first variables: pieces of supplies and offers, and reactive ranges.
    pub links: Vec<Link>,
    pub storages: Vec<StorageBlock>,
    pub deferrables: Vec<DeferrableBlock>,
    /// What is taken whatever happens, by place and interval: real and reactive.
    pub base: Taken,
    /// The balances in order of interval, then the limits that joined.
    pub equations: Vec<Equation>,
    /// Limits by pattern; the balance's is none.
    pub limits: Vec<Option<Limit>>,
    pub patterns: Vec<LimitRow>,
    pub joined: BTreeMap<(Limit, usize), usize>,
    /// Lines on which losses cost something.
    pub lossy: Vec<LossyLine>,
    /// First variable of each supply, offer by offer, interval by interval.
    pub firsts: Firsts,
}

/// Where parties' variables begin.
#[derive(Debug, Default)]
pub struct Firsts {
    pub supplies: Vec<usize>,
    /// By offer and interval; a reactive range follows its interval's pieces.
    pub offers: Vec<Vec<usize>>,
}

/// What is taken, place by place and in each place interval by interval.
#[derive(Clone, Debug)]
pub struct Taken {
    pub real: Vec<f64>,
    pub reactive: Vec<f64>,
}

impl Taken {
    pub fn nothing(count: usize) -> Self {
        Self { real: vec![0.0; count], reactive: vec![0.0; count] }
    }
}

impl Scale {
    fn of(problem: &HorizonProblem) -> Self {
        let pieces = || {
            let offers = problem.offers.iter().flat_map(|offer| &offer.curves).flat_map(|c| &c.pieces);
            problem.supplies.iter().flat_map(|supply| &supply.pieces).chain(offers)
        };
        let hours = problem.interval_hours;
        let storages = problem.storages.iter().flat_map(|s| [s.charge_max_kw, s.discharge_max_kw]);
        let deferrables = problem.deferrables.iter().map(|d| d.power_max_kw.min(d.energy_kwh / hours));
        let powers = pieces().map(|piece| piece.width_kw).chain(storages).chain(deferrables);
        let wear = problem.storages.iter().map(|storage| storage.wear_eur_per_mwh);
        let prices = pieces().flat_map(|piece| [piece.price_high.abs(), piece.price_low.abs()]).chain(wear);
        Self { power: typical(powers), price: typical(prices) }
    }
}

/// Mean of the figures that are not zero, or 1.
fn typical(figures: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) =
        figures.filter(|figure| *figure > 0.0).fold((0.0, 0.0), |(sum, count), f| (sum + f, count + 1.0));
    if count > 0.0 {
        sum / count
    } else {
        1.0
    }
}

impl<'a> Model<'a> {
    /// The problem without any limit of the feeder, at the middle of every bound.
    pub fn new(problem: &'a HorizonProblem, purpose: Purpose) -> Self {
        let (intervals, places) = (problem.intervals(), problem.network.parent.len());
        let pattern =
            LimitRow { real: vec![1.0; places], reactive: vec![0.0; places], bound: 0.0, unit: 1.0 };
        let balance = |interval| Equation {
            interval,
            pattern: BALANCE,
            along: [1.0; 2],
            slack: None,
            excess: None,
            multiplier: 0.0,
        };
        let mut model = Self {
            problem,
            purpose,
            scale: Scale::of(problem),
            boxes: Boxes::default(),
            links: Vec::new(),
            storages: Vec::new(),
            deferrables: Vec::new(),
            base: Taken::nothing(places * intervals),
            equations: (0..intervals).map(balance).collect(),
            limits: vec![None],
            patterns: vec![pattern],
            joined: BTreeMap::new(),
            lossy: Vec::new(),
            firsts: Firsts::default(),
        };
        problem.supplies.iter().enumerate().for_each(|(interval, supply)| model.add_supply(interval, supply));
        for offer in &problem.offers {
            let curves = offer.curves.iter().enumerate();
            let firsts =
                curves.map(|(t, curve)| model.add_curve((t, offer.place), &offer.reactive, curve)).collect();
            model.firsts.offers.push(firsts);
        }
        problem.storages.iter().for_each(|order| model.add_storage(order));
        problem.deferrables.iter().for_each(|order| model.add_deferrable(order));
        model.lossy = model.lossy_lines();
        model
    }

    pub fn intervals(&self) -> usize {
        self.problem.intervals()
    }

    pub fn places(&self) -> usize {
        self.problem.network.parent.len()
    }

    /// Index of a place's figure in an interval.
    pub fn at(&self, place: usize, interval: usize) -> usize {
        place * self.intervals() + interval
    }

    /// Cost of the first unit and its rise, scaled; nothing where only excess counts.
    fn cost(&self, price: f64, rise_per_kw: f64) -> (f64, f64) {
        match self.purpose {
            Purpose::Optimum => (price / self.scale.price, rise_per_kw * self.scale.power / self.scale.price),
            Purpose::LeastExcess => (0.0, 0.0),
        }
    }

    fn push(&mut self, width_kw: f64, cost: (f64, f64)) -> usize {
        self.boxes.push(width_kw / self.scale.power, cost, 1.0, 1.0)
    }

    fn add_supply(&mut self, interval: usize, supply: &Supply) {
        self.base.real[interval] -= supply.import_min_kw / self.scale.power;
        self.firsts.supplies.push(self.boxes.len());
        for piece in &supply.pieces {
            let cost = self.cost(piece.price_low, (piece.price_high - piece.price_low) / piece.width_kw);
            self.push(piece.width_kw, cost);
            self.links.push(Link { interval, place: 0, real: -1.0, reactive: 0.0 });
        }
        if self.purpose == Purpose::LeastExcess {
            for real in [-1.0, 1.0] {
                self.push(f64::INFINITY, (1.0, 0.0));
                self.links.push(Link { interval, place: 0, real, reactive: 0.0 });
            }
        }
    }

    fn add_curve(
        &mut self,
        (interval, place): (usize, usize),
        reactive: &Reactive,
        curve: &OfferCurve,
    ) -> usize {
        let (first, at, power) = (self.boxes.len(), self.at(place, interval), self.scale.power);
        let tan_phi = if let Reactive::Proportional { tan_phi } = reactive { *tan_phi } else { 0.0 };
        self.base.real[at] += curve.power_min_kw / power;
        self.base.reactive[at] += tan_phi * curve.power_min_kw / power;
        for Piece { width_kw, price_high, price_low } in &curve.pieces {
            let cost = self.cost(-price_high, (price_high - price_low) / width_kw);
            self.push(*width_kw, cost);
            self.links.push(Link { interval, place, real: 1.0, reactive: tan_phi });
        }
        match reactive {
            Reactive::Proportional { .. } => {}
            Reactive::Fixed { reactive_kvar } => self.base.reactive[at] += reactive_kvar / power,
            Reactive::Range { min_kvar, max_kvar, cost_eur_per_mvar2_h } => {
                self.base.reactive[at] += min_kvar / power;
                // EUR/h for Mvar squared is a thousandth of EUR/MWh times kW for kvar squared.
                let rise = 2e-3 * cost_eur_per_mvar2_h;
                let cost = self.cost(rise * min_kvar, rise);
                self.push(max_kvar - min_kvar, cost);
                self.links.push(Link { interval, place, real: 0.0, reactive: 1.0 });
            }
        }
        first
    }

    fn add_storage(&mut self, order: &StorageOrder) {
        let intervals = self.intervals();
        let first = self.boxes.len();
        let energy = self.problem.interval_hours * self.scale.power;
        let wear = self.cost(order.wear_eur_per_mwh, 0.0);
        for _ in 0..intervals {
            self.push(order.charge_max_kw, wear);
        }
        for _ in 0..intervals {
            self.push(order.discharge_max_kw, wear);
        }
        let mut energy_min = vec![order.energy_min_kwh / energy; intervals];
        if let Some(last) = energy_min.last_mut() {
            *last = last.max(order.energy_end_min_kwh / energy);
        }
        for least in &energy_min {
            let width = (order.energy_max_kwh / energy - least).max(0.0);
            self.boxes.push(width, (0.0, 0.0), 1.0, 1.0);
        }
        self.storages.push(StorageBlock {
            place: order.place,
            first,
            charge_efficiency: order.charge_efficiency,
            discharge_factor: 1.0 / order.discharge_efficiency,
            energy_start: order.energy_start_kwh / energy,
            energy_min,
            values: vec![0.0; intervals],
        });
    }

    fn add_deferrable(&mut self, order: &DeferrableOrder) {
        let first = self.boxes.len();
        let fixed_kw = order.fixed_kw(self.problem.interval_hours);
        for interval in order.start..order.end {
            self.push(if fixed_kw.is_some() { 0.0 } else { order.power_max_kw }, (0.0, 0.0));
            let at = self.at(order.place, interval);
            self.base.real[at] += fixed_kw.unwrap_or(0.0) / self.scale.power;
        }
        let energy = order.energy_kwh / (self.problem.interval_hours * self.scale.power);
        self.deferrables.push(DeferrableBlock {
            place: order.place,
            first,
            start: order.start,
            end: order.end,
            energy: if fixed_kw.is_some() { 0.0 } else { energy },
            value: 0.0,
        });
    }

    /// What is taken where, by a column of all variables.
    pub fn taken(&self, column: &[f64]) -> Taken {
        let intervals = self.intervals();
        let mut taken = Taken::nothing(self.base.real.len());
        for (link, value) in self.links.iter().zip(column) {
            let at = self.at(link.place, link.interval);
            taken.real[at] += link.real * value;
            taken.reactive[at] += link.reactive * value;
        }
        for storage in &self.storages {
            let [charge, discharge, _] = storage.columns(column);
            let real = &mut taken.real[storage.place * intervals..];
            for ((sum, charge), discharge) in real.iter_mut().zip(charge).zip(discharge) {
                *sum += charge - discharge;
            }
        }
        for order in &self.deferrables {
            let real = &mut taken.real[order.place * intervals + order.start..];
            real.iter_mut().zip(order.column(column)).for_each(|(sum, power)| *sum += power);
        }
        taken
    }

    /// The left side of every equation for what is taken, with the slacks of a column of all variables.
    pub fn left_sides(&self, taken: &Taken, column: &[f64]) -> Vec<f64> {
        let left = |equation: &Equation| {
            let sum = self.row(equation).left(taken, self.intervals());
            let slack = equation.slack.map_or(0.0, |slack| column[slack]);
            sum + slack - equation.excess.map_or(0.0, |excess| column[excess])
        };
        self.equations.iter().map(left).collect()
    }

    /// What every equation lacks of its bound.
    pub fn shortfalls(&self) -> Vec<f64> {
        let mut taken = self.taken(&self.boxes.value);
        taken.real.iter_mut().zip(&self.base.real).for_each(|(sum, base)| *sum += base);
        taken.reactive.iter_mut().zip(&self.base.reactive).for_each(|(sum, base)| *sum += base);
        let left = self.left_sides(&taken, &self.boxes.value);
        let bound = |equation: &Equation| {
            let bound = self.patterns[equation.pattern].bound / self.scale.power;
            let [p, q] = equation.along;
            // `(P^2 + Q^2 - S^2) / 2 S` where the left side has `(P^2 + Q^2) / S`.
            if self.is_circle(equation) {
                bound * (p * p + q * q + 1.0) / 2.0
            } else {
                bound
            }
        };
        self.equations.iter().zip(left).map(|(equation, left)| bound(equation) - left).collect()
    }

    /// Prices of real and reactive power by place and interval that these multipliers make.
    pub fn prices(&self, multipliers: &[f64]) -> Taken {
        let mut prices = Taken::nothing(self.base.real.len());
        for (equation, multiplier) in self.equations.iter().zip(multipliers) {
            self.row(equation).add_prices(*multiplier, &mut prices, self.intervals());
        }
        prices
    }

    /// Gradient of the Lagrangian by every variable, its bounds' multipliers left out.
    pub fn gradient(&self) -> Vec<f64> {
        let multipliers: Vec<f64> = self.equations.iter().map(|equation| equation.multiplier).collect();
        let (mut prices, intervals) = (self.prices(&multipliers), self.intervals());
        self.add_loss_prices(&mut prices);
        let boxes = &self.boxes;
        let mut gradient: Vec<f64> =
            (0..boxes.len()).map(|i| boxes.cost[i] + boxes.curvature[i] * boxes.value[i]).collect();
        for (link, own) in self.links.iter().zip(&mut gradient) {
            let at = self.at(link.place, link.interval);
            *own += link.real * prices.real[at] + link.reactive * prices.reactive[at];
        }
        for storage in &self.storages {
            storage.add_gradient(&prices.real[storage.place * intervals..][..intervals], &mut gradient);
        }
        for order in &self.deferrables {
            order.add_gradient(&prices.real[order.place * intervals..][..intervals], &mut gradient);
        }
        for equation in &self.equations {
            if let Some(slack) = equation.slack {
                gradient[slack] += equation.multiplier;
            }
            if let Some(excess) = equation.excess {
                gradient[excess] -= equation.multiplier;
            }
        }
        gradient
    }
}
