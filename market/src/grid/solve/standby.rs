//! A party that offers reserve beside energy: its local part of a Newton step.
//!
//! Reserve up is covered by what the party takes above its least, `r <= X`; reserve down by what it
//! leaves of its pieces, `r <= W - X`. The two covers' multipliers are the only unknowns of a system
//! of two, because everything the party chooses answers prices one by one.

/// The two ways reserve acts, up then down, on what the party takes.
const SIGN: [f64; 2] = [1.0, -1.0];

/// One party's system.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standby {
    /// What its pieces together give for a unit of price.
    pub give: f64,
    /// What its reserves give for a unit of price; none where it offers none.
    pub reserve_give: [f64; 2],
    /// The inverse of the system of the covers' multipliers.
    pub inverse: [[f64; 2]; 2],
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
        let own = reserves.map(|reserve| reserve.map(|(own, weight)| 1.0 / weight + own + give));
        let inverse = match own {
            [None, None] => [[0.0; 2]; 2],
            [Some(up), None] => [[1.0 / up, 0.0], [0.0; 2]],
            [None, Some(down)] => [[0.0; 2], [0.0, 1.0 / down]],
            [Some(up), Some(down)] => {
                let determinant = up * down - give * give;
                let side = give / determinant;
                [[down / determinant, side], [side, up / determinant]]
            }
        };
        Self { give, reserve_give: reserves.map(|r| r.map_or(0.0, |(own, _)| own)), inverse }
    }

    /// What the pieces together give for a unit of price, reserves counted in.
    pub(super) fn total_give(&self) -> f64 {
        let inverse = &self.inverse;
        let square = inverse[0][0] - 2.0 * inverse[0][1] + inverse[1][1];
        self.give * (1.0 - self.give * square)
    }

    /// How much more the pieces take for a unit of the price of reserve `kind`.
    pub(super) fn drawn_for(&self, kind: usize) -> f64 {
        let inverse = &self.inverse;
        self.give * (inverse[0][kind] - inverse[1][kind]) * self.reserve_give[kind]
    }

    /// The steps of the covers' multipliers when the party's price moves by `price` and those of
    /// reserve by `reserve`.
    pub(super) fn covers(&self, wish: &Wish, price: f64, reserve: [f64; 2]) -> [f64; 2] {
        let asked = |kind: usize| {
            wish.cover[kind] + wish.reserve[kind] + self.reserve_give[kind] * reserve[kind]
                - SIGN[kind] * (wish.taken - self.give * price)
        };
        let asked = [asked(0), asked(1)];
        self.inverse.map(|row| row[0] * asked[0] + row[1] * asked[1])
    }
}

/// What the covers' multipliers add to what the pieces earn.
pub(super) fn earned(covers: [f64; 2]) -> f64 {
    SIGN[0] * covers[0] + SIGN[1] * covers[1]
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
            let moved = stands - SIGN[kind] * taken;
            assert!((covers[kind] - weights[kind] * (wish.cover[kind] + moved)).abs() < 1e-12);
        }
        let still = standby.covers(&Wish::default(), 1.0, [0.0; 2]);
        assert!((standby.total_give() - give * (1.0 - earned(still))).abs() < 1e-12);
        let paid = standby.covers(&Wish::default(), 0.0, [0.0, 1.0]);
        assert!((standby.drawn_for(1) - give * earned(paid)).abs() < 1e-12);
    }
}
