//! What a party answers at given prices: its own word, of which the certificate needs nothing more.

use super::{PartyDemand, ReactiveTerms, Standby, Tolerances};
use crate::grid::problem::{Offer, Piece, Reactive, ReserveOffer};
use crate::share::Demand;
use crate::units::{Millivar, Milliwatt, PicoEurPerWh};

/// The prices a party answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of real power at its bus.
    pub price: PicoEurPerWh,
    /// Of reactive power at its bus.
    pub reactive_price: PicoEurPerWh,
    /// Of reserve up.
    pub reserve_up_price: PicoEurPerWh,
    /// Of reserve down.
    pub reserve_down_price: PicoEurPerWh,
}

impl Answer {
    /// What an offer asks for at these prices, with the least of it for what it was given. None where
    /// a figure leaves the market's bounds.
    pub fn of(&self, offer: &Offer, tolerances: &Tolerances) -> Option<PartyDemand> {
        let reactive = reactive_terms(&offer.reactive)?;
        let answered = self.effective_price(&reactive)?;
        let ends = (offer.power_min_kw, power_max_kw(offer));
        (ends.0 <= ends.1).then_some(())?;
        let standby = |reserve: Option<ReserveOffer>, end: f64, answered: PicoEurPerWh| match reserve {
            Some(reserve) => standby(&reserve, end, answered).map(Some),
            None => Some(None),
        };
        let range = self.range(offer, ends, answered, tolerances)?;
        let (least_reactive, _) = reactive_range(&reactive, range.low, self.reactive_price, tolerances);
        Some(PartyDemand {
            place: offer.place,
            answered,
            range,
            allocation: range.low,
            reactive,
            reactive_allocation: least_reactive,
            reserve_up: standby(offer.reserve_up, ends.0, self.reserve_up_price)?,
            reserve_down: standby(offer.reserve_down, ends.1, self.reserve_down_price)?,
        })
    }

    /// The bus's price with the reactive part of a party whose reactive power is proportional.
    fn effective_price(&self, reactive: &ReactiveTerms) -> Option<PicoEurPerWh> {
        let ReactiveTerms::Proportional { tan_phi_nano } = reactive else { return Some(self.price) };
        let part = i128::from(*tan_phi_nano) * i128::from(self.reactive_price.0);
        let half = 500_000_000 * part.signum();
        let part = i64::try_from((part + half) / 1_000_000_000).ok()?;
        self.price.0.checked_add(part).map(PicoEurPerWh)
    }

    fn range(
        &self,
        offer: &Offer,
        ends: (f64, f64),
        answered: PicoEurPerWh,
        tolerances: &Tolerances,
    ) -> Option<Demand> {
        let worth = self.standby_worth(offer);
        let tolerance = tolerances.price_eur_per_mwh();
        let price = answered.eur_per_mwh();
        let low = (worth.taken(offer, price + tolerance, false) * 1e6).floor();
        let high = (worth.taken(offer, price - tolerance, true) * 1e6).ceil();
        let bounded = |figure: f64| Milliwatt::from_kw(figure / 1e6);
        // Rounding outward must not lead beyond the ends that reserve is measured from.
        let (least, most) = (Milliwatt::from_kw(ends.0)?, Milliwatt::from_kw(ends.1)?);
        Some(Demand { low: bounded(low)?.max(least), high: bounded(high)?.min(most) })
    }

    /// A kilowatt taken is worth more where it lets one more stand ready to be taken off, and less
    /// where it takes the room to be taken more.
    fn standby_worth(&self, offer: &Offer) -> StandbyWorth {
        let (least, most) = (offer.power_min_kw, power_max_kw(offer));
        let margin = |price: PicoEurPerWh, asked: f64| larger(price.eur_per_mwh() - asked, 0.0);
        let within = |end: f64| end.clamp(least, most);
        let up = |r: ReserveOffer| (within(least + r.max_kw), margin(self.reserve_up_price, r.price));
        let down = |r: ReserveOffer| (within(most - r.max_kw), margin(self.reserve_down_price, r.price));
        let (up_to, up) = offer.reserve_up.map_or((least, 0.0), up);
        let (down_from, down) = offer.reserve_down.map_or((most, 0.0), down);
        if up_to <= down_from {
            StandbyWorth { ends: [up_to, down_from], worth: [up, 0.0, -down] }
        } else {
            StandbyWorth { ends: [down_from, up_to], worth: [up, up - down, -down] }
        }
    }
}

/// What standing ready adds to the value of one more kW, in three stretches of an offer's power.
struct StandbyWorth {
    /// Where the first and the second stretch end, in kW.
    ends: [f64; 2],
    /// Added value on each, not rising, in EUR/MWh.
    worth: [f64; 3],
}

impl StandbyWorth {
    /// The most power whose every kW is worth `price`, or more than it where not `at_least`.
    fn taken(&self, offer: &Offer, price: f64, at_least: bool) -> f64 {
        let on = |stretch: usize| taken(offer, price - self.worth[stretch], at_least);
        let [first, second] = self.ends;
        let (begun, reached) = (on(0), on(1));
        if begun < first {
            begun
        } else if reached < second {
            larger(reached, first)
        } else {
            larger(on(2), second)
        }
    }
}

fn larger(figure: f64, other: f64) -> f64 {
    if figure < other {
        other
    } else {
        figure
    }
}

fn power_max_kw(offer: &Offer) -> f64 {
    offer.pieces.iter().fold(offer.power_min_kw, |sum, piece| sum + piece.width_kw)
}

/// The most power whose every kW an offer's pieces value at `price`, or above it where not `at_least`.
fn taken(offer: &Offer, price: f64, at_least: bool) -> f64 {
    let mut taken = offer.power_min_kw;
    for Piece { width_kw, price_high, price_low } in &offer.pieces {
        let whole = if at_least { *price_low >= price } else { *price_low > price };
        if !whole {
            let part = (price_high - price) / (price_high - price_low);
            return if part > 0.0 { taken + width_kw * part } else { taken };
        }
        taken += width_kw;
    }
    taken
}

fn standby(reserve: &ReserveOffer, end_kw: f64, answered: PicoEurPerWh) -> Option<Standby> {
    Some(Standby {
        max: Milliwatt::from_kw(reserve.max_kw)?,
        price: PicoEurPerWh::from_eur_per_mwh(reserve.price)?,
        end: Milliwatt::from_kw(end_kw)?,
        answered,
        award: Milliwatt::ZERO,
    })
}

/// A party's reactive terms in integers.
fn reactive_terms(reactive: &Reactive) -> Option<ReactiveTerms> {
    let integer = |figure: f64| (-1e18..=1e18).contains(&figure).then(|| figure.round() as i64);
    Some(match *reactive {
        Reactive::Fixed { reactive_kvar } => {
            ReactiveTerms::Fixed { reactive: Millivar::from_kvar(reactive_kvar)? }
        }
        Reactive::Proportional { tan_phi } => {
            ReactiveTerms::Proportional { tan_phi_nano: integer(tan_phi * 1e9)? }
        }
        Reactive::Range { min_kvar, max_kvar, cost_eur_per_mvar2_h } => ReactiveTerms::Range {
            min: Millivar::from_kvar(min_kvar)?,
            max: Millivar::from_kvar(max_kvar)?,
            cost_micro_eur_per_mvar2_h: integer(cost_eur_per_mvar2_h * 1e6)?,
        },
    })
}

/// Reactive power that follows from a party's terms, its real power and the reactive price: the
/// least and the most.
pub fn reactive_range(
    terms: &ReactiveTerms,
    power: Milliwatt,
    price: PicoEurPerWh,
    tolerances: &Tolerances,
) -> (Millivar, Millivar) {
    match *terms {
        ReactiveTerms::Fixed { reactive } => (reactive, reactive),
        ReactiveTerms::Proportional { tan_phi_nano } => {
            let exact = tan_phi_nano as f64 / 1e9 * power.0 as f64;
            let off = tolerances.power_kw(exact / 1e6) * 1e6;
            (Millivar((exact - off) as i64), Millivar((exact + off) as i64))
        }
        ReactiveTerms::Range { min, max, cost_micro_eur_per_mvar2_h } => {
            let cost = cost_micro_eur_per_mvar2_h as f64;
            let dearest = price + tolerances.price;
            let cheapest = price - tolerances.price;
            let low = cheapest_reactive(dearest, cost, (min, max), min) - Millivar(1);
            let high = cheapest_reactive(cheapest, cost, (min, max), max) + Millivar(1);
            (low.max(min), high.min(max))
        }
    }
}

/// The reactive power that costs least at a price: where `price + 2 cost q` vanishes, within limits;
/// `tied` where it makes no difference.
fn cheapest_reactive(
    price: PicoEurPerWh,
    cost_micro: f64,
    (min, max): (Millivar, Millivar),
    tied: Millivar,
) -> Millivar {
    if cost_micro > 0.0 {
        // Ticks over 1e-6 EUR/(h Mvar^2) is Mvar; half of it, in millivar.
        let free = -(price.0 as f64) * 5e8 / cost_micro;
        return Millivar(free as i64).max(min).min(max);
    }
    match price.0 {
        0 => tied,
        1.. => min,
        _ => max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a load answers at 50 EUR/MWh that values 10 kW at 100 falling to 0 EUR/MWh, and stands
    /// ready with so many kW at a price that pays 20 EUR/MW,h more than it asks.
    fn check(up_kw: Option<f64>, down_kw: Option<f64>, expected_kw: f64) {
        let reserve = |max_kw| ReserveOffer { max_kw, price: 10.0 };
        let offer = Offer {
            place: 0,
            power_min_kw: 0.0,
            pieces: vec![Piece { width_kw: 10.0, price_high: 100.0, price_low: 0.0 }],
            reactive: Reactive::Fixed { reactive_kvar: 0.0 },
            reserve_up: up_kw.map(reserve),
            reserve_down: down_kw.map(reserve),
        };
        let price = |eur: i64| PicoEurPerWh(eur * 1_000_000);
        let prices = Answer {
            price: price(50),
            reactive_price: price(0),
            reserve_up_price: price(30),
            reserve_down_price: price(30),
        };
        let exact = Tolerances { price: PicoEurPerWh::ZERO, ..Tolerances::default() };
        let range = prices.of(&offer, &exact).unwrap().range;
        let expected = Milliwatt::from_kw(expected_kw).unwrap();
        assert!(range.low <= expected && expected <= range.high, "{range:?}, not {expected}");
        assert!(range.step() <= Milliwatt(2), "{range:?}");
    }

    #[test]
    fn standing_ready_shifts_what_is_asked_for() {
        check(None, None, 5.0);
        // Each kW up to the eighth is worth 20 EUR/MWh more: seven are worth 50.
        check(Some(8.0), None, 7.0);
        // Beyond the sixth nothing more stands ready, and the seventh is worth less than 50.
        check(Some(6.0), None, 6.0);
        // From the second kW on each takes room worth 20 EUR/MWh: three are worth 50.
        check(None, Some(8.0), 3.0);
        check(None, Some(6.0), 4.0);
        // From the second to the eighth kW both cancel.
        check(Some(8.0), Some(8.0), 5.0);
        // Up to the third they are worth 20 more, from the ninth on 20 less.
        check(Some(3.0), Some(1.0), 5.0);
    }

    #[test]
    fn reactive_power_goes_where_it_costs_least() {
        let terms = ReactiveTerms::Range {
            min: Millivar(-3_000_000),
            max: Millivar(3_000_000),
            // 1,000 EUR/h per Mvar squared: at -4 EUR/Mvarh, 2 kvar.
            cost_micro_eur_per_mvar2_h: 1_000_000_000,
        };
        let check = |price: i64, expected: i64| {
            let exact = Tolerances { price: PicoEurPerWh::ZERO, ..Tolerances::default() };
            let (low, high) = reactive_range(&terms, Milliwatt::ZERO, PicoEurPerWh(price), &exact);
            assert!((low.0 - expected).abs() <= 1 && (high.0 - expected).abs() <= 1, "{low} to {high}");
        };
        check(-4_000_000, 2_000_000);
        check(4_000_000, -2_000_000);
        check(-40_000_000, 3_000_000);
        check(40_000_000, -3_000_000);
    }
}
