//! A set of a link's connections, each by its place in the link's configuration.

/// Most connections a link may have.
pub const MOST: usize = 64;

/// Some of a link's connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Routes(u64);

impl Routes {
    /// No connection.
    pub const NONE: Routes = Routes(0);

    /// The connection at `place` alone; none where no link has so many.
    pub fn only(place: usize) -> Routes {
        Routes::NONE.with(place)
    }

    /// These, and the one at `place`.
    pub fn with(self, place: usize) -> Routes {
        Routes(self.0 | Routes::bit(place))
    }

    /// These, and not the one at `place`.
    pub fn without(self, place: usize) -> Routes {
        Routes(self.0 & !Routes::bit(place))
    }

    /// Those that are in both.
    pub fn and(self, other: Routes) -> Routes {
        Routes(self.0 & other.0)
    }

    /// Whether the one at `place` is among them.
    pub fn contains(self, place: usize) -> bool {
        self.0 & Routes::bit(place) != 0
    }

    /// How many.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their places, lowest first.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..MOST).filter(move |place| self.contains(*place))
    }

    /// One of them, another for each `turn`, all in turn; none of none.
    pub fn pick(self, turn: usize) -> Routes {
        let place = (!self.is_empty()).then(|| self.iter().nth(turn % self.len())).flatten();
        place.map_or(Routes::NONE, Routes::only)
    }

    fn bit(place: usize) -> u64 {
        u32::try_from(place).ok().and_then(|place| 1u64.checked_shl(place)).unwrap_or(0)
    }
}

impl FromIterator<usize> for Routes {
    fn from_iter<T: IntoIterator<Item = usize>>(places: T) -> Routes {
        places.into_iter().fold(Routes::NONE, Routes::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_hands_out_each_in_turn() {
        let routes: Routes = [0, 5, 63].into_iter().collect();
        assert_eq!(routes.iter().collect::<Vec<_>>(), [0, 5, 63]);
        assert_eq!(routes.without(5).and(Routes::only(5).with(63)), Routes::only(63));
        let picked: Vec<Routes> = (0..4).map(|turn| routes.pick(turn)).collect();
        assert_eq!(picked, [0, 5, 63, 0].map(Routes::only));
        assert_eq!(Routes::NONE.pick(3), Routes::NONE);
        assert!(Routes::only(MOST).is_empty());
    }
}
