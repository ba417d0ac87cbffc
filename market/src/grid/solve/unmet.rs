//! Which limit cannot be met, where there is no solution.
//!
//! Nobody's value counts now: every limit may give way at a cost rising with the square of its
//! violation, and the dispatch that costs least says where limits must give way, and by how much.

use super::iterate::{iterate, TOLERATED};
use super::model::{Bound, Model};
use super::point::{Give, Point, Room};
use crate::grid::error::{GridError, Limit};

/// How limits give way per multiplier. A hundredth of squared voltage weighs like the power of the
/// largest party.
const GIVE: Give = Give { power: 1.0, square: 1e-4 };

/// Relative violation below which a limit counts as met.
const MET: f64 = 1e-7;

/// The same for a limit of squared voltage.
const MET_SQUARE: f64 = 1e-8;

/// The limit that must give way most, relative to what it allows; none where all can be met, or where
/// that is not known.
pub(super) fn limit(model: &Model) -> Option<GridError> {
    let mut model = model.clone();
    for stretch in &mut model.stretches {
        (stretch.cost, stretch.slope) = (0.0, 0.0);
    }
    for line in &mut model.lines {
        line.loss_cost = 0.0;
    }
    model.deviation = 0.0;
    let mut point = Point::start(&model, (0.0, 1e-2), GIVE, Room::AsMuch);
    let (_, residual) = iterate(&mut point);
    if residual > TOLERATED {
        return None;
    }
    let worst = violations(&point).fold(None, |worst: Option<Violation>, violation| match worst {
        Some(worst) if worst.relative() >= violation.relative() => Some(worst),
        _ => Some(violation),
    })?;
    let (unit, met) = match worst.limit {
        Limit::VoltageMin | Limit::VoltageMax => (1.0, MET_SQUARE),
        _ => (model.power_unit, MET),
    };
    (worst.relative() > met.max(residual)).then_some(GridError::Infeasible {
        limit: worst.limit,
        place: worst.place,
        needed: worst.needed * unit,
        allowed: worst.allowed * unit,
    })
}

/// A limit and what it would have to allow.
struct Violation {
    limit: Limit,
    place: usize,
    needed: f64,
    allowed: f64,
}

impl Violation {
    fn relative(&self) -> f64 {
        let over = match self.limit {
            Limit::PowerMin | Limit::VoltageMin | Limit::ImportMin => self.allowed - self.needed,
            _ => self.needed - self.allowed,
        };
        over / self.allowed.abs().max(1e-3)
    }
}

fn violations<'a>(point: &'a Point) -> impl Iterator<Item = Violation> + 'a {
    let model = point.model;
    let bounds = (1..model.parent.len()).flat_map(move |place| {
        let range = model.first_bound[place]..model.first_bound[place + 1];
        model.bounds[range].iter().map(move |bound| of_bound(point, place, bound))
    });
    bounds.chain(of_supply(point)).chain(of_reserve(point))
}

fn of_bound(point: &Point, place: usize, bound: &Bound) -> Violation {
    let node = &point.nodes[place];
    let needed = match bound.limit {
        Limit::PowerMax | Limit::PowerMin => node.flow[0],
        Limit::VoltageMax | Limit::VoltageMin => node.square,
        _ => node.flow[0].hypot(node.flow[1]),
    };
    Violation { limit: bound.limit, place, needed, allowed: bound.bound }
}

/// Import beyond what the supply has: the balance at the root gives way.
fn of_supply(point: &Point) -> [Violation; 2] {
    let model = point.model;
    let widths: f64 = model.stretches[model.supply.clone()].iter().map(|stretch| stretch.width).sum();
    let needed = point.import() + point.give * point.nodes[0].price[0];
    let most = Violation { limit: Limit::ImportMax, place: 0, needed, allowed: model.import_min + widths };
    [most, Violation { limit: Limit::ImportMin, place: 0, needed, allowed: model.import_min }]
}

fn of_reserve<'a>(point: &'a Point) -> impl Iterator<Item = Violation> + 'a {
    let kinds = [Limit::ReserveUp, Limit::ReserveDown].into_iter().enumerate();
    kinds.filter(|(kind, _)| point.required[*kind].is_some()).map(|(kind, limit)| {
        let needed = point.model.reserve[kind];
        Violation { limit, place: 0, needed, allowed: needed - point.lacking(kind) }
    })
}
