//! Integer quantities with their unit in the type's name. No floating point lives here.
//!
//! Resolutions are chosen so that power over time is energy without rounding (1 mW for 1 s is
//! 1 mJ) and so that a price tick (1e-6 EUR/MWh) lies a thousandfold below the reference cases'
//! tolerance. Money is the only place that rounds; what rounding leaves has an account of its own.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $unit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// Nothing of it.
            pub const ZERO: Self = Self(0);
            /// The sum, or `None` where it does not fit 64 bits.
            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }
            /// The difference, or `None` where it does not fit 64 bits.
            pub fn checked_sub(self, other: Self) -> Option<Self> {
                self.0.checked_sub(other.0).map(Self)
            }
        }
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self { Self(self.0 + other.0) }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self { Self(self.0 - other.0) }
        }
        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self { Self(-self.0) }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) { self.0 += other.0; }
        }
        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) { self.0 -= other.0; }
        }
        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self { Self(iter.map(|x| x.0).sum()) }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{} ", $unit), self.0)
            }
        }
    };
}

quantity!(
    /// Power in milliwatts. Import (consumption) is positive, export (injection) negative.
    Milliwatt, "mW"
);
quantity!(
    /// Reactive power in milli-volt-ampere reactive. Absorbed (inductive) is positive.
    Millivar, "mvar"
);
quantity!(
    /// Energy in millijoules, that is milliwatt-seconds; 1 Wh is 3 600 000 mJ. Import positive.
    Millijoule, "mJ"
);
quantity!(
    /// A price in 1e-12 EUR per watt-hour; 1 EUR/MWh is 1 000 000 of it. One unit is one *tick*.
    PicoEurPerWh, "pEUR/Wh"
);
quantity!(
    /// What a limit of voltage is worth: 1e-9 EUR per hour and p.u. of squared voltage.
    NanoEurPerHourPu, "nEUR/(h p.u.)"
);
quantity!(
    /// What a watt-hour emits, in 1e-6 g of CO2 and what is counted as CO2: 1e-6 t/MWh.
    MicrogramPerWh, "ug/Wh"
);
quantity!(
    /// A carbon price in 1e-6 EUR per tonne.
    MicroEurPerTonne, "uEUR/t"
);
quantity!(
    /// Money in 1e-9 EUR. A balance or payment of the ledger's token, which stands for one euro.
    NanoEur, "nEUR"
);

/// Largest power the market accepts in a curve, limit or reading: 1 TW.
pub const POWER_BOUND: Milliwatt = Milliwatt(1_000_000_000_000_000);
/// Largest price, either sign, the market accepts: 1 000 000 EUR/MWh.
pub const PRICE_BOUND: PicoEurPerWh = PicoEurPerWh(1_000_000_000_000);
/// Millijoules in one watt-hour.
pub const MILLIJOULE_PER_WH: i64 = 3_600_000;

impl Milliwatt {
    /// From kilowatts, rounded to the nearest milliwatt; `None` for NaN or beyond [`POWER_BOUND`].
    pub fn from_kw(power_kw: f64) -> Option<Self> {
        bounded(power_kw * 1e6, POWER_BOUND.0).map(Self)
    }
    /// In kilowatts, for people and for JSON.
    pub fn kw(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// Energy over `seconds`, exact.
    pub fn over_seconds(self, seconds: i64) -> Millijoule {
        Millijoule(self.0 * seconds)
    }
}

impl Millivar {
    /// From kvar, rounded to the nearest millivar; `None` for NaN or beyond [`POWER_BOUND`]'s figure.
    pub fn from_kvar(reactive_kvar: f64) -> Option<Self> {
        bounded(reactive_kvar * 1e6, POWER_BOUND.0).map(Self)
    }
    /// In kvar, for people and for JSON.
    pub fn kvar(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

impl Millijoule {
    /// From watt-hours, rounded to the nearest millijoule; `None` for NaN or beyond 64 bits.
    pub fn from_wh(energy_wh: f64) -> Option<Self> {
        bounded(energy_wh * MILLIJOULE_PER_WH as f64, i64::MAX / 4).map(Self)
    }
    /// In kilowatt-hours, for people and for JSON.
    pub fn kwh(self) -> f64 {
        self.0 as f64 / (MILLIJOULE_PER_WH as f64 * 1e3)
    }
}

impl PicoEurPerWh {
    /// From EUR/MWh, rounded to the nearest tick; `None` for NaN or beyond [`PRICE_BOUND`].
    pub fn from_eur_per_mwh(price_eur_per_mwh: f64) -> Option<Self> {
        bounded(price_eur_per_mwh * 1e6, PRICE_BOUND.0).map(Self)
    }
    /// In EUR/MWh, for people and for JSON.
    pub fn eur_per_mwh(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// One tick higher.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
    /// What `energy` costs at this price, rounded half away from zero to a nano-euro;
    /// `None` where it does not fit.
    pub fn cost_of(self, energy: Millijoule) -> Option<NanoEur> {
        let pico = self.0 as i128 * energy.0 as i128;
        let denominator = MILLIJOULE_PER_WH as i128 * 1_000;
        let half = denominator / 2 * pico.signum();
        i64::try_from((pico + half) / denominator).ok().map(NanoEur)
    }
}

impl MicroEurPerTonne {
    /// What this price adds to that of energy which emits so much, rounded half away from zero to a tick;
    /// `None` where that is beyond [`PRICE_BOUND`].
    pub fn adder(self, emission: MicrogramPerWh) -> Option<PicoEurPerWh> {
        let micro = self.0 as i128 * emission.0 as i128;
        let ticks = (micro + 500_000 * micro.signum()) / 1_000_000;
        i64::try_from(ticks).ok().map(PicoEurPerWh).filter(|adder| adder.0.abs() <= PRICE_BOUND.0)
    }
}

impl NanoEur {
    /// In euros, for people and for JSON.
    pub fn eur(self) -> f64 {
        self.0 as f64 / 1e9
    }
}

fn bounded(value: f64, bound: i64) -> Option<i64> {
    let rounded = value.round();
    (rounded.abs() <= bound as f64).then_some(rounded as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_megawatt_hour_at_fifty_costs_fifty_euros() {
        let price = PicoEurPerWh::from_eur_per_mwh(50.0).unwrap();
        let energy = Millijoule::from_wh(1e6).unwrap();
        assert_eq!(price.cost_of(energy), Some(NanoEur(50_000_000_000)));
        assert_eq!(price.cost_of(-energy), Some(NanoEur(-50_000_000_000)));
    }

    #[test]
    fn four_hundred_grams_at_eighty_euros_a_tonne_add_thirty_two_euros() {
        let adder =
            |euros: i64, grams: i64| MicroEurPerTonne(euros * 1_000_000).adder(MicrogramPerWh(grams * 1_000));
        assert_eq!(adder(80, 400), Some(PicoEurPerWh(32_000_000)));
        assert_eq!(adder(0, 400), Some(PicoEurPerWh(0)));
        assert_eq!(MicroEurPerTonne(1).adder(MicrogramPerWh(500_000)), Some(PicoEurPerWh(1)));
        assert_eq!(MicroEurPerTonne(i64::MAX).adder(MicrogramPerWh(i64::MAX)), None);
    }

    #[test]
    fn what_is_no_number_or_too_large_is_refused() {
        for bad in [f64::NAN, f64::INFINITY, -f64::INFINITY, 1e300] {
            assert_eq!(Milliwatt::from_kw(bad), None);
            assert_eq!(PicoEurPerWh::from_eur_per_mwh(bad), None);
        }
    }
}
