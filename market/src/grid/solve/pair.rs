//! A limit's slack and its multiplier, the pair an interior point keeps positive and drives to zero
//! in product.
//!
//! The limit is `g(u) + slack = give * dual` with `g` convex and a `give` of zero, save where a
//! problem without solution is asked which limits must give way. A small multiple of the
//! multiplier's *change* is let into that equation (a proximal point in the dual, Rockafellar 1976;
//! Friedlander and Orban 2012), which bounds the step where a limit is met exactly by load that
//! cannot move. It vanishes as the iterates settle, so the solution is not moved by it.

/// How much of the multiplier's change is let into the equation of a limit of power.
///
/// With that of choices it says how far the figures of a step's system lie apart: twelve orders of
/// magnitude. With thirteen, flat stretches behind a full line lost their place's balance; with eleven, prices
/// in a market of rounds lost the last digits that a line's flow is made of.
const POWER: f64 = 1e-6;

/// The same for a limit of voltage that answers to a unit of power by one. Ten times as much keeps
/// two limits that nearly coincide from settling which of them binds, by more than voltages are held to.
const SQUARE: f64 = 1e-6;

/// Share of its slack by which a limit's equation may be off and is put right at once.
///
/// Apparent power is curved: where a flow can move at no cost, each step leaves an excess of second
/// order that the next one makes anew. Where a limit is far from binding its slack can simply be what it is
/// (as Byrd, Hribar and Nocedal reset slacks, SIAM J. Optimization 9(4), 1999); a tenth keeps the product near the others.
const RESET: f64 = 0.1;

/// What a limit is like beside others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// How much of the multiplier's change is let into its equation.
    proximity: f64,
    /// How far a unit of the multiplier moves it.
    give: f64,
}

impl Scale {
    /// A limit of power.
    pub(super) fn power(give: f64) -> Self {
        Self { proximity: POWER, give }
    }

    /// A limit of squared voltage that answers to a unit of power by `step`.
    pub(super) fn square(step: f64, give: f64) -> Self {
        Self { proximity: SQUARE * step * step, give }
    }
}

/// One limit within the iteration.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    /// How far the limit is from being met exactly.
    pub slack: f64,
    /// Its multiplier.
    pub dual: f64,
    /// How far a unit of the multiplier moves the limit.
    give: f64,
    proximity: f64,
    /// What the limit's equation lacks.
    residual: f64,
    /// Product of the predicted steps: what the corrector makes up for.
    second: f64,
    inverse: f64,
    slack_step: f64,
    dual_step: f64,
}

impl Pair {
    /// A pair whose product is `product`, with a slack not below `least`.
    pub(super) fn start(slack: f64, least: f64, product: f64, scale: Scale) -> Self {
        let slack = slack.max(least);
        Self { slack, dual: product / slack, give: scale.give, proximity: scale.proximity, ..Self::default() }
    }

    /// A multiplier, known otherwise.
    pub(super) fn at(dual: f64) -> Self {
        Self { dual, ..Self::default() }
    }

    /// Takes the present value of `g`; forgets the last step.
    pub(super) fn prepare(&mut self, value: f64) {
        let room = self.give * self.dual - value;
        if (room - self.slack).abs() < RESET * self.slack {
            self.slack = room;
        }
        self.residual = self.slack - room;
        self.second = 0.0;
        self.inverse = 1.0 / (self.slack + (self.give + self.proximity) * self.dual);
    }

    pub(super) fn residual(&self) -> f64 {
        self.residual
    }

    /// Second derivative along the limit's gradient.
    pub(super) fn weight(&self) -> f64 {
        self.dual * self.inverse
    }

    /// The multiplier that the next step leads to if the limited quantity stays.
    pub(super) fn force(&self, target: f64) -> f64 {
        self.dual + self.change(target, 0.0)
    }

    /// The multiplier's step if the limited quantity moves by `moved`.
    pub(super) fn change(&self, target: f64, moved: f64) -> f64 {
        let product = target - self.second - self.slack * self.dual;
        (product + self.dual * (self.residual + moved)) * self.inverse
    }

    /// Takes the step that follows from the limited quantity's `moved`.
    pub(super) fn recover(&mut self, target: f64, moved: f64) {
        self.dual_step = self.change(target, moved);
        self.slack_step = (self.give + self.proximity) * self.dual_step - self.residual - moved;
    }

    /// Takes a multiplier's step that is known otherwise, as exactly as it is known.
    pub(super) fn accept(&mut self, target: f64, dual_step: f64) {
        self.dual_step = dual_step;
        self.slack_step = (target - self.second - self.slack * dual_step) / self.dual - self.slack;
    }

    /// Makes the present step the prediction to be corrected: `share` of the product it leaves, and
    /// `curvature`, what `g` rises beyond its gradient.
    pub(super) fn predict(&mut self, share: f64, curvature: f64) {
        self.second = share * self.slack_step * self.dual_step;
        self.residual += curvature;
    }

    /// Longest step that keeps both from turning negative.
    pub(super) fn reach(&self) -> f64 {
        reach(self.slack, self.slack_step).min(reach(self.dual, self.dual_step))
    }

    /// The product's coefficients of no, one and two powers of the step's length.
    pub(super) fn products(&self) -> [f64; 3] {
        let linear = self.slack * self.dual_step + self.dual * self.slack_step;
        [self.slack * self.dual, linear, self.slack_step * self.dual_step]
    }

    pub(super) fn advance(&mut self, length: f64) {
        self.slack += length * self.slack_step;
        self.dual += length * self.dual_step;
    }
}

/// Longest step from a positive `value` that does not turn it negative.
pub(super) fn reach(value: f64, step: f64) -> f64 {
    if step < 0.0 {
        -value / step
    } else {
        f64::INFINITY
    }
}

/// The larger of two, not a number where one is not: `f64::max` would pass over it.
pub(super) fn worse(one: f64, other: f64) -> f64 {
    if one.is_nan() || one > other {
        one
    } else {
        other
    }
}
