//! What a local price is made of, in ticks: the figures a site is told, and can work out again from what
//! stands on the ledger.

use crate::units::PicoEurPerWh;
use serde::{Deserialize, Serialize};

/// The parts of one price (distribution locational marginal price). They add up to it exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dlmp {
    /// The price at the grid supply point.
    pub energy: PicoEurPerWh,
    /// Losses on the way.
    pub loss: PicoEurPerWh,
    /// Limits of the lines on the way.
    pub congestion: PicoEurPerWh,
    /// Limits and deviation of voltage.
    pub voltage: PicoEurPerWh,
}

/// The parts of a bus's prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusDlmp {
    /// Of the price of real power.
    pub real: Dlmp,
    /// Of the price of reactive power, in a market that knows its grid.
    pub reactive: Option<Dlmp>,
}

impl Dlmp {
    /// The price the parts add up to; none where that leaves 64 bits.
    pub fn price(&self) -> Option<PicoEurPerWh> {
        let Self { energy, loss, congestion, voltage } = *self;
        [loss, congestion, voltage].into_iter().try_fold(energy, PicoEurPerWh::checked_add)
    }

    /// By how much the price differs from the root's, either way.
    pub fn beyond_energy(&self) -> u128 {
        let Self { energy: _, loss, congestion, voltage } = *self;
        let parts = [loss, congestion, voltage].map(|part| i128::from(part.0));
        parts.into_iter().sum::<i128>().unsigned_abs()
    }

    /// Where lines limit real power alone, all that a price differs from the root's is congestion. None
    /// where the difference leaves 64 bits.
    pub fn congested(root: PicoEurPerWh, price: PicoEurPerWh) -> Option<Self> {
        Some(Self { energy: root, congestion: price.checked_sub(root)?, ..Self::default() })
    }
}

impl BusDlmp {
    /// [`Dlmp::congested`], reactive power having no price.
    pub fn congested(root: PicoEurPerWh, price: PicoEurPerWh) -> Option<Self> {
        Some(Self { real: Dlmp::congested(root, price)?, reactive: None })
    }
}

impl std::fmt::Display for Dlmp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [energy, loss, congestion, voltage] =
            [self.energy, self.loss, self.congestion, self.voltage].map(PicoEurPerWh::eur_per_mwh);
        write!(
            f,
            "{energy:.2} energy {loss:+.2} loss {congestion:+.2} congestion {voltage:+.2} voltage EUR/MWh"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_or_are_none() {
        let tick = PicoEurPerWh;
        let parts = Dlmp { energy: tick(50), loss: tick(3), congestion: tick(-20), voltage: tick(1) };
        assert_eq!(parts.price(), Some(tick(34)));
        let congested = Dlmp::congested(tick(50), tick(34)).unwrap();
        assert_eq!((congested.congestion, congested.price()), (tick(-16), Some(tick(34))));
        assert_eq!(Dlmp::congested(tick(-2), tick(i64::MAX)), None);
        assert_eq!(Dlmp { loss: tick(i64::MAX), ..parts }.price(), None);
    }
}
