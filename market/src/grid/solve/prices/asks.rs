//! What parties and supply take at given prices: every stretch answers its price by itself.
//!
//! A step answers no price at all until it answers with everything, and no Newton step comes of that.
//! So every stretch is held to where it was before (a proximal point, Rockafellar 1976) by a slope
//! that is [`Asks::hold`] along its width. Where the iterates settle the hold does nothing.

use crate::grid::solve::model::{Model, Stretch};

/// One stretch: how much is taken falls with its price, between nothing and `width`.
#[derive(Clone, Copy, Debug)]
struct Ask {
    at_zero: f64,
    fall: f64,
    width: f64,
}

impl Ask {
    fn new(stretch: &Stretch, hold: f64, centre: f64) -> Self {
        let hold = hold / stretch.width;
        let fall = 1.0 / (stretch.slope + hold);
        Self { at_zero: (hold * centre - stretch.cost) * fall, fall, width: stretch.width }
    }

    fn free(&self, price: f64) -> f64 {
        self.at_zero - self.fall * price
    }

    fn taken(&self, price: f64) -> f64 {
        self.free(price).max(0.0).min(self.width)
    }
}

/// What stretches together take, and by how much less for a unit of price.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    pub power: f64,
    pub give: f64,
}

/// All stretches of a model.
#[derive(Clone, Debug)]
pub(super) struct Asks {
    asks: Vec<Ask>,
    /// Where each is held.
    centres: Vec<f64>,
    /// Price by which a step's answer is spread.
    hold: f64,
}

impl Asks {
    /// Every stretch held to its middle.
    pub(super) fn new(model: &Model, hold: f64) -> Self {
        let centres: Vec<f64> = model.stretches.iter().map(|stretch| stretch.width / 2.0).collect();
        let held = model.stretches.iter().zip(&centres);
        let asks = held.map(|(stretch, centre)| Ask::new(stretch, hold, *centre)).collect();
        Self { asks, centres, hold }
    }

    /// What the stretches of a range, who all see one price, take together.
    pub(super) fn taken(&self, range: std::ops::Range<usize>, price: f64) -> Taken {
        let mut taken = Taken::default();
        for ask in &self.asks[range] {
            let free = ask.free(price);
            taken.power += free.max(0.0).min(ask.width);
            taken.give += if free > 0.0 && free < ask.width { ask.fall } else { 0.0 };
        }
        taken
    }

    /// What one stretch takes.
    pub(super) fn one(&self, index: usize, price: f64) -> f64 {
        self.asks[index].taken(price)
    }

    /// The most by which the hold moves the price of a stretch, when this is taken.
    pub(super) fn pulled(&self, taken: &[f64]) -> f64 {
        let moved = self.asks.iter().zip(self.centres.iter().zip(taken)).filter(|(_, (c, t))| c != t);
        moved.map(|(ask, (centre, taken))| self.hold / ask.width * (taken - centre).abs()).fold(0.0, f64::max)
    }

    /// Holds every stretch to what it takes now, by another hold.
    pub(super) fn settle(&mut self, model: &Model, taken: &[f64], hold: f64) {
        let all = hold != self.hold;
        self.hold = hold;
        let asks = self.asks.iter_mut().zip(&model.stretches);
        for ((ask, stretch), (centre, taken)) in asks.zip(self.centres.iter_mut().zip(taken)) {
            if all || centre != taken {
                *centre = *taken;
                *ask = Ask::new(stretch, hold, *centre);
            }
        }
    }
}
