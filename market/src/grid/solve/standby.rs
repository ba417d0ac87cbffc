//! A party that offers reserve beside energy: its local part of a Newton step.
//!
//! Reserve up is covered by what the party takes above its least, `r <= X`; reserve down by what it
//! leaves of its pieces, `r <= W - X`. The two covers' multipliers are the only unknowns of a system
//! of two, because everything the party chooses answers prices one by one.
//!
//! Its pieces can give ten million times what its reserves do, and both covers of one party pull at the
//! same pieces, so everything is written as sums of positive figures: the inverse of the system, multiplied out,
//! would lose all its digits in differences.

/// One party's system.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standby {
    /// What its pieces together give for a unit of price.
    give: f64,
    /// What its reserves give for a unit of price; none where it offers none.
    pub reserve_give: [f64; 2],
    /// How stiff each cover is apart from the pieces: one over what its limit and its reserve give
    /// together, nothing where no reserve is offered.
    stiff: [f64; 2],
    /// How much stiffer both make the pieces.
    whole: f64,
}

/// What the party would move.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    /// Its pieces together, the covers' multipliers unchanged.
    pub taken: f64,
    /// Its reserves, the covers' multipliers unchanged.
    pub reserve: [f64; 2],
    /// What the covers' multipliers would change by over their weight.
    pub cover: [f64; 2],
}

impl Standby {
    /// From the pieces' give, the reserves' give and the covers' weights; a reserve that is not
    /// offered has none.
    pub(super) fn new(give: f64, reserves: [Option<(f64, f64)>; 2]) -> Self {
        let stiff = reserves.map(|r| r.map_or(0.0, |(own, weight)| 1.0 / (1.0 / weight + own)));
        let reserve_give = reserves.map(|r| r.map_or(0.0, |(own, _)| own));
        Self { give, reserve_give, stiff, whole: 1.0 + give * (stiff[0] + stiff[1]) }
    }

    /// What the pieces together give for a unit of price, reserves counted in.
    pub(super) fn total_give(&self) -> f64 {
        self.give / self.whole
    }

    /// How much more the pieces take for a unit of the price of reserve `kind`.
    pub(super) fn drawn_for(&self, kind: usize) -> f64 {
        let drawn = self.give * self.stiff[kind] * self.reserve_give[kind] / self.whole;
        if kind == 0 {
            drawn
        } else {
            -drawn
        }
    }

    /// What the covers would lack if the pieces did not move, the prices of reserve moving by `reserve`.
    fn lacking(&self, wish: &Wish, reserve: [f64; 2]) -> [f64; 2] {
        std::array::from_fn(|kind| {
            wish.cover[kind] + wish.reserve[kind] + self.reserve_give[kind] * reserve[kind]
        })
    }

    /// What the pieces take more at unchanged prices, reserves counted in.
    pub(super) fn taken(&self, wish: &Wish) -> f64 {
        let [up, down] = self.lacking(wish, [0.0; 2]);
        (wish.taken + self.give * (self.stiff[0] * up - self.stiff[1] * down)) / self.whole
    }

    /// The steps of the covers' multipliers when the party's price moves by `price` and those of
    /// reserve by `reserve`.
    pub(super) fn covers(&self, wish: &Wish, price: f64, reserve: [f64; 2]) -> [f64; 2] {
        let ([up, down], taken) = (self.lacking(wish, reserve), wish.taken - self.give * price);
        // What one party takes for one cover it takes from the other.
        let both = self.give * (up + down);
        [
            self.stiff[0] * (up - taken + self.stiff[1] * both) / self.whole,
            self.stiff[1] * (down + taken + self.stiff[0] * both) / self.whole,
        ]
    }
}

/// What the covers' multipliers add to what the pieces earn.
pub(super) fn earned(covers: [f64; 2]) -> f64 {
    covers[0] - covers[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_covers_hold_in_every_step() {
        let (give, weights) = (2.0, [3.0, 0.5]);
        let standby = Standby::new(give, [Some((0.7, weights[0])), Some((1.1, weights[1]))]);
        let wish = Wish { taken: 0.4, reserve: [0.2, -0.1], cover: [0.05, 0.02] };
        let (price, reserve) = (0.3, [0.1, 0.2]);
        let covers = standby.covers(&wish, price, reserve);
        let taken = wish.taken + give * (earned(covers) - price);
        for kind in 0..2 {
            let stands = wish.reserve[kind] + standby.reserve_give[kind] * (reserve[kind] - covers[kind]);
            let moved = if kind == 0 { stands - taken } else { stands + taken };
            assert!((covers[kind] - weights[kind] * (wish.cover[kind] + moved)).abs() < 1e-12);
        }
        let still = standby.covers(&Wish::default(), 1.0, [0.0; 2]);
        assert!((standby.total_give() - give * (1.0 - earned(still))).abs() < 1e-12);
        let quiet = standby.covers(&wish, 0.0, [0.0; 2]);
        assert!((standby.taken(&wish) - wish.taken - give * earned(quiet)).abs() < 1e-12);
        let paid = standby.covers(&Wish::default(), 0.0, [0.0, 1.0]);
        assert!((standby.drawn_for(1) - give * earned(paid)).abs() < 1e-12);
    }
    #[test]
    fn pieces_that_give_far_more_leave_the_covers_exact() {
        let standby = Standby::new(1e9, [Some((1e-9, 1e9)), Some((1e-9, 1e9))]);
        // Both covers are stiff by 1 / 2e-9, hence the pieces by 1e9 together.
        assert!((standby.total_give() * 1e9 - 1.0).abs() < 1e-12);
        let [up, down] = standby.covers(&Wish { cover: [1.0, 1.0], ..Wish::default() }, 0.0, [0.0; 2]);
        assert!((up / 5e8 - 1.0).abs() < 1e-12 && up == down);
    }
}
