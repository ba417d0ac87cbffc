//! Offers taken in order of merit at one price for all: the cheapest first, of equal ones the earlier, until there is
//! enough; the dearest taken makes the price.

use crate::units::{Milliwatt, PicoEurPerWh};
use thiserror::Error;

/// An offer. Its place among others says which came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// How much.
    pub power: Milliwatt,
    /// At how much at least.
    pub price: PicoEurPerWh,
}

/// What of each offer is taken, and the price of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The price; zero where nothing is taken.
    pub price: PicoEurPerWh,
    /// Of each offer, in their order.
    pub powers: Vec<Milliwatt>,
}

/// Why what was taken is not in order of merit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MeritError {
    /// Not one power for each offer, or one that was not offered.
    #[error("what is taken is not what was offered")]
    NotOffered,
    /// Not as much as is wanted, or as there is.
    #[error("{taken} mW are taken of {offered} offered, and {wanted} are wanted")]
    Quantity {
        /// Taken.
        taken: i128,
        /// Offered.
        offered: i128,
        /// Wanted.
        wanted: Milliwatt,
    },
    /// An offer that is dearer or later is taken before one that is not.
    #[error("offer {place} is not taken in its turn")]
    Order {
        /// Its place.
        place: usize,
    },
    /// The price is not that of the dearest offer taken.
    #[error("the price is not that of the dearest offer taken")]
    Price,
}

/// Takes offers in order of merit.
pub fn take(wanted: Milliwatt, offers: &[Offer]) -> Taken {
    let mut order: Vec<usize> = (0..offers.len()).collect();
    order.sort_by_key(|place| offers[*place].price);
    let mut taken = Taken { price: PicoEurPerWh::ZERO, powers: vec![Milliwatt::ZERO; offers.len()] };
    let mut left = wanted.0.max(0);
    for place in order {
        let power = offers[place].power.0.clamp(0, left);
        if power > 0 {
            taken.powers[place] = Milliwatt(power);
            taken.price = offers[place].price;
            left -= power;
        }
    }
    taken
}

/// Checks that offers were taken in order of merit: by conditions on what was taken, whoever worked it out.
///
/// # Errors
/// Names the first condition that does not hold.
pub fn check(wanted: Milliwatt, offers: &[Offer], taken: &Taken) -> Result<(), MeritError> {
    let offered = |(offer, power): (&Offer, &Milliwatt)| (0..=offer.power.0.max(0)).contains(&power.0);
    if offers.len() != taken.powers.len() || !offers.iter().zip(&taken.powers).all(offered) {
        return Err(MeritError::NotOffered);
    }
    let offered: i128 = offers.iter().map(|offer| i128::from(offer.power.0.max(0))).sum();
    let sum: i128 = taken.powers.iter().map(|power| i128::from(power.0)).sum();
    if sum != offered.min(i128::from(wanted.0.max(0))) {
        return Err(MeritError::Quantity { taken: sum, offered, wanted });
    }
    let pairs = || offers.iter().zip(&taken.powers);
    let is_taken = |power: &Milliwatt| *power > Milliwatt::ZERO;
    let dearest = pairs().filter(|(_, power)| is_taken(power)).map(|(offer, _)| offer.price).max();
    if taken.price != dearest.unwrap_or_default() {
        return Err(MeritError::Price);
    }
    // At the price only the last one taken may have something left; below it nobody may.
    let last = pairs().rposition(|(offer, power)| is_taken(power) && offer.price == taken.price);
    for (place, (offer, power)) in pairs().enumerate() {
        let full = power.0 == offer.power.0.max(0);
        let earlier = offer.price < taken.price || offer.price == taken.price && Some(place) < last;
        if dearest.is_some() && earlier && !full {
            return Err(MeritError::Order { place });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offers(terms: &[(i64, i64)]) -> Vec<Offer> {
        terms
            .iter()
            .map(|(power, price)| Offer { power: Milliwatt(*power), price: PicoEurPerWh(*price) })
            .collect()
    }

    fn taken(price: i64, powers: &[i64]) -> Taken {
        Taken { price: PicoEurPerWh(price), powers: powers.iter().map(|power| Milliwatt(*power)).collect() }
    }

    fn check_taken(wanted: i64, terms: &[(i64, i64)], expected: Taken) {
        let offers = offers(terms);
        assert_eq!(take(Milliwatt(wanted), &offers), expected);
        assert_eq!(check(Milliwatt(wanted), &offers, &expected), Ok(()));
    }

    const TERMS: [(i64, i64); 4] = [(10, 5), (20, 3), (30, 5), (40, 8)];

    #[test]
    fn the_cheapest_first_and_of_equal_ones_the_earlier() {
        check_taken(15, &TERMS, taken(3, &[0, 15, 0, 0]));
        check_taken(20, &TERMS, taken(3, &[0, 20, 0, 0]));
        check_taken(25, &TERMS, taken(5, &[5, 20, 0, 0]));
        check_taken(35, &TERMS, taken(5, &[10, 20, 5, 0]));
        check_taken(61, &TERMS, taken(8, &[10, 20, 30, 1]));
        check_taken(1_000, &TERMS, taken(8, &[10, 20, 30, 40]));
        check_taken(0, &TERMS, taken(0, &[0, 0, 0, 0]));
        check_taken(5, &[], taken(0, &[]));
    }

    fn check_refused(taken: Taken, expected: MeritError) {
        assert_eq!(check(Milliwatt(35), &offers(&TERMS), &taken), Err(expected));
    }

    #[test]
    fn another_award_is_no_award_by_merit() {
        check_refused(taken(5, &[10, 20, 5]), MeritError::NotOffered);
        check_refused(taken(5, &[11, 20, 4, 0]), MeritError::NotOffered);
        check_refused(taken(5, &[10, 20, 6, -1]), MeritError::NotOffered);
        let quantity = |taken| MeritError::Quantity { taken, offered: 100, wanted: Milliwatt(35) };
        check_refused(taken(5, &[10, 20, 4, 0]), quantity(34));
        check_refused(taken(5, &[10, 20, 6, 0]), quantity(36));
        check_refused(taken(8, &[10, 20, 5, 0]), MeritError::Price);
        check_refused(taken(3, &[10, 20, 5, 0]), MeritError::Price);
        check_refused(taken(8, &[10, 20, 0, 5]), MeritError::Order { place: 2 });
        check_refused(taken(5, &[10, 19, 6, 0]), MeritError::Order { place: 1 });
        check_refused(taken(5, &[9, 20, 6, 0]), MeritError::Order { place: 0 });
    }

    proptest! {
        #[test]
        fn what_is_taken_by_merit_passes_and_anything_else_does_not(
            terms in prop::collection::vec((any::<i64>(), -3i64..3), 0..8),
            wanted in prop_oneof![Just(i64::MAX), -5i64..100],
            moved in (0usize..8, 0usize..8, 1i64..5),
        ) {
            let offers = offers(&terms);
            let by_merit = take(Milliwatt(wanted), &offers);
            prop_assert_eq!(check(Milliwatt(wanted), &offers, &by_merit), Ok(()));
            let (from, to, power) = moved;
            if from < offers.len() && to < offers.len() && from != to {
                let mut other = by_merit.clone();
                other.powers[from].0 = other.powers[from].0.saturating_sub(power);
                other.powers[to].0 = other.powers[to].0.saturating_add(power);
                prop_assert!(check(Milliwatt(wanted), &offers, &other).is_err());
            }
        }
    }
}
