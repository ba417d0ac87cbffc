//! One party's answer at its price, and whether what it was given is what it asks for.

use super::answer::reactive_range;
use super::{CertificateError, GridClearing, Tolerances};
use crate::share::Demand;
use crate::units::{Millivar, Milliwatt, PicoEurPerWh, POWER_BOUND, PRICE_BOUND};
use serde::{Deserialize, Serialize};

/// What one party (an aggregator's sites at one bus and of one power factor, or a single site)
/// answers at the clearing's prices, and what it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyDemand {
    /// Where it stands.
    pub place: usize,
    /// The price it answered: its bus's, plus `tan phi` times the reactive price where its reactive
    /// power is proportional.
    pub answered: PicoEurPerWh,
    /// What its bids allow from the price tolerance above that price to as much below.
    pub range: Demand,
    /// Real power it was given.
    pub allocation: Milliwatt,
    /// Its reactive power's terms.
    pub reactive: ReactiveTerms,
    /// Reactive power it was given.
    pub reactive_allocation: Millivar,
    /// Its reserve up, where it offers any.
    pub reserve_up: Option<Standby>,
    /// Its reserve down, where it offers any.
    pub reserve_down: Option<Standby>,
}

/// A party's reactive power, as [`crate::grid::problem::Reactive`] but in integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ReactiveTerms {
    /// The same at any price.
    Fixed {
        /// How much.
        reactive: Millivar,
    },
    /// In proportion to its real power.
    Proportional {
        /// Reactive power per real power, in billionths.
        tan_phi_nano: i64,
    },
    /// Cleared with the real power.
    Range {
        /// Least.
        min: Millivar,
        /// Most.
        max: Millivar,
        /// Cost in 1e-6 EUR/h per Mvar squared; not negative.
        cost_micro_eur_per_mvar2_h: i64,
    },
}

/// An offer to stand ready, and what was awarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standby {
    /// Most it keeps ready.
    pub max: Milliwatt,
    /// What it asks for keeping one watt ready for an hour.
    pub price: PicoEurPerWh,
    /// The end of its curve the reserve must leave it: its least power for reserve up, its most for
    /// reserve down.
    pub end: Milliwatt,
    /// The price of reserve it answered.
    pub answered: PicoEurPerWh,
    /// What it was awarded.
    pub award: Milliwatt,
}

/// Power taken at one place, or below it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    /// In milliwatts.
    pub power: i128,
    /// In millivars.
    pub reactive: i128,
}

/// Checks every party, and sums up what they take at each place.
pub(super) fn check(
    tolerances: &Tolerances,
    clearing: &GridClearing,
    parties: &[PartyDemand],
) -> Result<Vec<Taken>, CertificateError> {
    let mut taken = vec![Taken::default(); clearing.prices.len()];
    for (party, demand) in parties.iter().enumerate() {
        let place = demand.place;
        let here = taken.get_mut(place).ok_or(CertificateError::UnknownPlace { party, place })?;
        if !demand.is_bounded() {
            return Err(CertificateError::OutOfBounds { what: "a figure of party", index: party });
        }
        demand.check_price(party, clearing)?;
        if !demand.range.contains(demand.allocation) {
            let (allocation, range) = (demand.allocation, demand.range);
            return Err(CertificateError::Allocation { party, allocation, range });
        }
        demand.check_reactive(party, clearing.reactive_prices[place], tolerances)?;
        if let Some(standby) = &demand.reserve_up {
            let room = demand.allocation - standby.end;
            standby.check(party, clearing.reserve_up_price, room, tolerances)?;
        }
        if let Some(standby) = &demand.reserve_down {
            let room = standby.end - demand.allocation;
            standby.check(party, clearing.reserve_down_price, room, tolerances)?;
        }
        here.power += i128::from(demand.allocation.0);
        here.reactive += i128::from(demand.reactive_allocation.0);
    }
    Ok(taken)
}

fn power_bounded(figure: i64) -> bool {
    (-POWER_BOUND.0..=POWER_BOUND.0).contains(&figure)
}

fn price_bounded(figure: i64) -> bool {
    // An effective price adds a reactive one to a real one.
    (-2 * PRICE_BOUND.0..=2 * PRICE_BOUND.0).contains(&figure)
}

impl PartyDemand {
    fn is_bounded(&self) -> bool {
        let terms = match self.reactive {
            ReactiveTerms::Fixed { reactive } => power_bounded(reactive.0),
            ReactiveTerms::Proportional { tan_phi_nano: _ } => true,
            ReactiveTerms::Range { min, max, cost_micro_eur_per_mvar2_h } => {
                power_bounded(min.0) && power_bounded(max.0) && min <= max && cost_micro_eur_per_mvar2_h >= 0
            }
        };
        let standbys = [self.reserve_up, self.reserve_down];
        terms
            && power_bounded(self.allocation.0)
            && power_bounded(self.reactive_allocation.0)
            && price_bounded(self.answered.0)
            && standbys.into_iter().flatten().all(|standby| standby.is_bounded())
    }

    /// The price answered must be the party's own: exactly its bus's, or with the reactive part
    /// rounded to a tick.
    fn check_price(&self, party: usize, clearing: &GridClearing) -> Result<(), CertificateError> {
        let bus = clearing.prices[self.place];
        let ReactiveTerms::Proportional { tan_phi_nano } = self.reactive else {
            return if self.answered == bus {
                Ok(())
            } else {
                Err(CertificateError::OtherPrice { party, answered: self.answered, price: bus })
            };
        };
        let reactive = clearing.reactive_prices[self.place];
        // In billionths of a tick, exactly.
        let price = i128::from(bus.0) * NANO + i128::from(tan_phi_nano) * i128::from(reactive.0);
        let off = i128::from(self.answered.0) * NANO - price;
        if -NANO < off && off < NANO {
            return Ok(());
        }
        let price = PicoEurPerWh(i64::try_from(price / NANO).unwrap_or(i64::MAX));
        Err(CertificateError::OtherPrice { party, answered: self.answered, price })
    }

    fn check_reactive(
        &self,
        party: usize,
        price: PicoEurPerWh,
        tolerances: &Tolerances,
    ) -> Result<(), CertificateError> {
        let (low, high) = reactive_range(&self.reactive, self.allocation, price, tolerances);
        let given = self.reactive_allocation;
        if low <= given && given <= high {
            return Ok(());
        }
        Err(CertificateError::Reactive { party, given, low, high })
    }
}

const NANO: i128 = 1_000_000_000;

impl Standby {
    fn is_bounded(&self) -> bool {
        (0..=POWER_BOUND.0).contains(&self.max.0)
            && power_bounded(self.end.0)
            && power_bounded(self.award.0)
            && price_bounded(self.price.0)
            && price_bounded(self.answered.0)
    }

    /// What may be awarded where `room` is left at a price of reserve: nothing where that is below
    /// what is asked, all there is where it is above.
    pub(crate) fn range(&self, price: PicoEurPerWh, room: Milliwatt, tolerances: &Tolerances) -> Demand {
        let most = self.max.min(room);
        let margin = price - self.price;
        let low = if margin > tolerances.price { most } else { Milliwatt::ZERO };
        let high = if margin < -tolerances.price { Milliwatt::ZERO } else { most };
        Demand { low, high }
    }

    fn check(
        &self,
        party: usize,
        price: PicoEurPerWh,
        room: Milliwatt,
        tolerances: &Tolerances,
    ) -> Result<(), CertificateError> {
        if self.answered != price {
            return Err(CertificateError::OtherPrice { party, answered: self.answered, price });
        }
        let (award, range) = (self.award, self.range(price, room, tolerances));
        // Where there is no room, nothing asked for excuses the party's being beyond its end.
        if room < Milliwatt::ZERO || !range.contains(award) {
            return Err(CertificateError::Standby { party, award, range });
        }
        Ok(())
    }
}
