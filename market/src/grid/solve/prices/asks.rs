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

    /// By how much the hold moves the price of a stretch that takes `taken`.
    pub(super) fn pull(&self, index: usize, taken: f64) -> f64 {
        self.hold / self.asks[index].width * (taken - self.centres[index]).abs()
    }

    /// Holds every stretch to what it takes now, by another hold.
    pub(super) fn settle(&mut self, model: &Model, taken: &[f64], hold: f64) {
        self.hold = hold;
        self.centres.copy_from_slice(taken);
        for ((ask, stretch), centre) in self.asks.iter_mut().zip(&model.stretches).zip(&self.centres) {
            *ask = Ask::new(stretch, hold, *centre);
        }
    }
}
