//! Limits that joined: each with its multiplier, softened a little.
//!
//! As stretches are held to what they took, so are multipliers to what they were: a limit may be passed
//! by [`Joined::softness`] for every unit its multiplier moved since it was last settled.

use crate::grid::error::Limit;
use crate::grid::solve::matrix::Vec3;
use crate::grid::solve::model::{Bound, Model};

/// First softness, as a share of what the whole market would answer to the multiplier.
const SOFTNESS: f64 = 1e-6;

/// What softness becomes whenever it is settled, down to the least share of the first.
const HARDER: f64 = 0.1;
const LEAST_SOFTNESS: f64 = 1e-4;

/// Longest step of a price that nobody answers, in units of price.
pub(super) const LONGEST: f64 = 1.0;

/// A limit that was passed once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined {
    /// Which of the model's bounds.
    pub bound: usize,
    pub place: usize,
    /// Its place's node on the paths.
    pub node: usize,
    pub multiplier: f64,
    /// By how much it is passed.
    pub excess: f64,
    /// Whether the present step lets its multiplier move, and by how much.
    pub active: bool,
    pub step: f64,
    /// How much of its quantity a unit of power moves at most.
    reach: f64,
    /// Where the multiplier was last settled.
    centre: f64,
    softness: f64,
    least_softness: f64,
}

impl Joined {
    /// A limit without multiplier yet, in a market that gives `give` for a unit of price.
    pub(super) fn new(model: &Model, (bound, place): (usize, usize), give: f64) -> Self {
        let reach = match model.bounds[bound].limit {
            Limit::VoltageMax | Limit::VoltageMin => model.lines[place].reach,
            _ => 1.0,
        };
        let softness = SOFTNESS * reach * reach * give;
        Self {
            bound,
            place,
            node: 0,
            multiplier: 0.0,
            excess: 0.0,
            active: true,
            step: 0.0,
            reach,
            centre: 0.0,
            softness,
            least_softness: softness * LEAST_SOFTNESS,
        }
    }

    /// By how much it is passed beyond what the multiplier's way from its centre excuses.
    pub(super) fn lack(&self, multiplier: f64) -> f64 {
        self.excess - self.softness * (multiplier - self.centre)
    }

    /// How far it is from being settled: kept, or met exactly where it has a multiplier.
    pub(super) fn unsettled(&self) -> f64 {
        let lack = self.lack(self.multiplier);
        if self.multiplier > 0.0 {
            lack.abs()
        } else {
            lack.max(0.0)
        }
    }

    /// What a step takes a unit of the multiplier to make up for by itself: the softness, and as much
    /// as keeps the step short where nobody answers. That part goes as the lack does.
    pub(super) fn yields(&self) -> f64 {
        self.softness + self.lack(self.multiplier).abs() * self.reach / LONGEST
    }

    /// Holds the multiplier to where it is now.
    pub(super) fn settle(&mut self) {
        self.centre = self.multiplier;
        self.softness = (self.softness * HARDER).max(self.least_softness);
    }
}

/// How a limit's quantity moves with real and reactive flow and with squared voltage; not at all for
/// apparent power, which never joins.
pub(super) fn along(bound: &Bound) -> Vec3 {
    match bound.limit {
        Limit::PowerMax => [1.0, 0.0, 0.0],
        Limit::PowerMin => [-1.0, 0.0, 0.0],
        Limit::VoltageMax => [0.0, 0.0, 1.0],
        Limit::VoltageMin => [0.0, 0.0, -1.0],
        _ => [0.0; 3],
    }
}

/// By how much a bound is passed at a flow and a squared voltage.
pub(super) fn excess(bound: &Bound, flow: [f64; 2], square: f64) -> f64 {
    match bound.limit {
        Limit::PowerMax => flow[0] - bound.bound,
        Limit::PowerMin => bound.bound - flow[0],
        Limit::VoltageMax => square - bound.bound,
        Limit::VoltageMin => bound.bound - square,
        _ => flow[0].hypot(flow[1]) - bound.bound,
    }
}
