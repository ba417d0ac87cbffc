//! Settlement of one site's interval: who pays whom, to a sum of exactly zero.
//!
//! A site pays its local price for what it was committed to, its aggregator's fee on the magnitude
//! of that, and the imbalance price for what it took beyond it. What it holds day-ahead it pays at that
//! market's price, and only the rest of its commitment at the real-time one. The transmission side receives the
//! energy at the root's price and the whole deviation; the distribution side the rest of the local
//! price, which is congestion rent. What rounding to a nano-euro leaves goes to an account of its
//! own. Nothing here knows balances, accounts or names.

use crate::parameters::MarketParameters;
use crate::units::{Millijoule, Millivar, Milliwatt, NanoEur, PicoEurPerWh};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Changes of balance; their sum is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSettlement {
    /// The site's; negative where it pays.
    pub site: NanoEur,
    /// Its aggregator's.
    pub aggregator: NanoEur,
    /// The TSO interface's.
    pub tso: NanoEur,
    /// The DSO's.
    pub dso: NanoEur,
    /// The rounding account's: at most a few nano-euro either way.
    pub rounding: NanoEur,
}

impl SiteSettlement {
    /// The five changes added up: zero, always.
    pub fn sum(&self) -> NanoEur {
        [self.site, self.aggregator, self.tso, self.dso, self.rounding].into_iter().sum()
    }
}

/// Energy, price or money beyond 64 bits: no sound meter or market reaches that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("settling {commitment} with {delivered:?} delivered: {part} does not fit 64 bits")]
pub struct SettlementError {
    /// What the site was committed to.
    pub commitment: Milliwatt,
    /// What its meter counted.
    pub delivered: Option<Millijoule>,
    /// Which figure does not fit.
    pub part: &'static str,
}

/// A clearing's prices for one site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SitePrices {
    /// At its bus.
    pub bus: PicoEurPerWh,
    /// At the grid supply point.
    pub root: PicoEurPerWh,
}

/// What a site bought (sold, where negative) day-ahead for one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// How much.
    pub power: Milliwatt,
    /// At which prices.
    pub prices: SitePrices,
}

/// Settles one site over one interval without a day-ahead position.
///
/// # Errors
/// Where a figure does not fit 64 bits.
pub fn settle_site(
    parameters: &MarketParameters,
    price_bus: PicoEurPerWh,
    price_root: PicoEurPerWh,
    commitment: Milliwatt,
    delivered: Option<Millijoule>,
) -> Result<SiteSettlement, SettlementError> {
    let prices = SitePrices { bus: price_bus, root: price_root };
    settle_site_beyond(parameters, &Position::default(), prices, commitment, delivered)
}

/// Settles one site over one interval: its day-ahead position at that clearing's prices, what it was
/// committed to beyond it at `prices`, the real-time clearing's. No reading (`delivered` none) counts as
/// delivered as committed.
///
/// # Errors
/// Where a figure does not fit 64 bits.
pub fn settle_site_beyond(
    parameters: &MarketParameters,
    position: &Position,
    prices: SitePrices,
    commitment: Milliwatt,
    delivered: Option<Millijoule>,
) -> Result<SiteSettlement, SettlementError> {
    let too_large = |part| SettlementError { commitment, delivered, part };
    let cost =
        |price: PicoEurPerWh, energy: Millijoule, part| price.cost_of(energy).ok_or_else(|| too_large(part));
    let energy = commitment.0.checked_mul(parameters.interval_s);
    let committed = energy.map(Millijoule).ok_or_else(|| too_large("the energy committed"))?;
    let magnitude = committed.0.checked_abs().map(Millijoule);
    let magnitude = magnitude.ok_or_else(|| too_large("the energy committed"))?;
    let deviation = delivered.unwrap_or(committed).checked_sub(committed);
    let deviation = deviation.ok_or_else(|| too_large("the deviation"))?;
    let held = position.power.0.checked_mul(parameters.interval_s).map(Millijoule);
    let held = held.ok_or_else(|| too_large("the energy held day-ahead"))?;
    let beyond = committed.checked_sub(held).ok_or_else(|| too_large("the energy beyond day-ahead"))?;
    let spread = parameters.imbalance_spread;
    let imbalance = if deviation > Millijoule::ZERO {
        prices.bus.checked_add(spread)
    } else {
        prices.bus.checked_sub(spread)
    };
    let imbalance = imbalance.ok_or_else(|| too_large("the imbalance price"))?;

    let fee = cost(parameters.aggregator_fee, magnitude, "the aggregator's fee")?.0 as i128;
    let balancing = cost(imbalance, deviation, "the deviation's cost")?.0 as i128;
    let (mut local, mut energy, mut rent) = (0, 0, 0);
    for (at, bought) in [(position.prices, held), (prices, beyond)] {
        let congestion = at.bus.checked_sub(at.root).ok_or_else(|| too_large("the congestion price"))?;
        local += cost(at.bus, bought, "the energy's cost")?.0 as i128;
        energy += cost(at.root, bought, "the energy's cost")?.0 as i128;
        rent += cost(congestion, bought, "the congestion rent")?.0 as i128;
    }
    let whole =
        |figure: i128| i64::try_from(figure).map(NanoEur).map_err(|_| too_large("a balance's change"));
    let (paid, received) = (local + fee + balancing, fee + energy + balancing + rent);
    Ok(SiteSettlement {
        site: whole(-paid)?,
        aggregator: whole(fee)?,
        tso: whole(energy + balancing)?,
        dso: whole(rent)?,
        rounding: whole(paid - received)?,
    })
}

/// What of the transmission side's receipts is the carbon price's, at `adder` for each watt-hour: on all that was
/// delivered, or committed where no meter says. Negative where export saves emissions.
///
/// # Errors
/// Where a figure does not fit 64 bits.
pub fn carbon_part(
    parameters: &MarketParameters,
    adder: PicoEurPerWh,
    commitment: Milliwatt,
    delivered: Option<Millijoule>,
) -> Result<NanoEur, SettlementError> {
    let committed = || commitment.0.checked_mul(parameters.interval_s).map(Millijoule);
    let cost = delivered.or_else(committed).and_then(|energy| adder.cost_of(energy));
    cost.ok_or(SettlementError { commitment, delivered, part: "the carbon part" })
}

/// Energy of reactive power over an interval, as settled: millivar-seconds, whose price is per var-hour.
fn reactive_energy(parameters: &MarketParameters, reactive: Millivar) -> Option<Millijoule> {
    reactive.0.checked_mul(parameters.interval_s).map(Millijoule)
}

/// What a site receives (negative: pays) for reactive power it was committed to, at the reactive price of its
/// bus; the distribution side, whose lines it relieves, pays it.
///
/// # Errors
/// Where the amount does not fit 64 bits.
pub fn settle_reactive(
    parameters: &MarketParameters,
    reactive_price: PicoEurPerWh,
    reactive: Millivar,
) -> Result<NanoEur, SettlementError> {
    let cost = reactive_energy(parameters, reactive).and_then(|energy| reactive_price.cost_of(energy));
    let received = cost.and_then(|cost| NanoEur::ZERO.checked_sub(cost));
    let part = "the reactive power's cost";
    let commitment = Milliwatt(reactive.0);
    received.ok_or(SettlementError { commitment, delivered: None, part })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charges::Charges;
    use proptest::prelude::*;

    /// A quarter of an hour, 20 EUR/MWh imbalance spread, 1 EUR/MWh fee.
    fn parameters() -> MarketParameters {
        MarketParameters {
            interval_s: 900,
            bids_open_s: 600,
            gate_closure_s: 120,
            price_min: PicoEurPerWh(-500_000_000),
            price_max: PicoEurPerWh(4_000_000_000),
            imbalance_spread: PicoEurPerWh(20_000_000),
            aggregator_fee: PicoEurPerWh(1_000_000),
            charges: Charges::NONE,
        }
    }

    /// Prices in EUR/MWh at bus and root, kilowatts committed, kilowatt-hours delivered; expected are
    /// euro-cents of site, aggregator, TSO, DSO.
    fn check(prices: (i64, i64), kw: i64, kwh: Option<f64>, expected: [i64; 4]) {
        let price = |eur: i64| PicoEurPerWh(eur * 1_000_000);
        let delivered = kwh.and_then(|kwh| Millijoule::from_wh(kwh * 1e3));
        let got = settle_site(
            &parameters(),
            price(prices.0),
            price(prices.1),
            Milliwatt(kw * 1_000_000),
            delivered,
        )
        .unwrap();
        let expected = expected.map(|cent| NanoEur(cent * 10_000_000));
        assert_eq!([got.site, got.aggregator, got.tso, got.dso], expected);
        assert_eq!(got.rounding, NanoEur::ZERO);
    }

    #[test]
    fn a_site_pays_its_local_price_and_the_fee() {
        // 400 kW for a quarter of an hour are 0.1 MWh: 8 EUR at 80, 0.10 EUR fee, 5 EUR at 50.
        check((80, 50), 400, None, [-810, 10, 500, 300]);
        check((80, 50), 400, Some(100.0), [-810, 10, 500, 300]);
    }

    #[test]
    fn an_exporting_site_is_paid_and_pays_the_fee_too() {
        check((80, 50), -400, None, [790, 10, -500, -300]);
    }

    #[test]
    fn a_deviation_is_settled_with_the_transmission_side_at_the_imbalance_price() {
        // 0.01 MWh more at 80 + 20; 0.01 MWh less at 80 - 20.
        check((80, 50), 400, Some(110.0), [-910, 10, 600, 300]);
        check((80, 50), 400, Some(90.0), [-750, 10, 440, 300]);
    }

    /// 400 kW held day-ahead at 60 EUR/MWh at the bus and 40 at the root, then 80 and 50.
    fn check_held(committed_kw: i64, kwh: Option<f64>, expected: [i64; 4]) {
        let prices = |bus: i64, root: i64| SitePrices {
            bus: PicoEurPerWh(bus * 1_000_000),
            root: PicoEurPerWh(root * 1_000_000),
        };
        let position = Position { power: Milliwatt(400_000_000), prices: prices(60, 40) };
        let delivered = kwh.and_then(|kwh| Millijoule::from_wh(kwh * 1e3));
        let commitment = Milliwatt(committed_kw * 1_000_000);
        let got =
            settle_site_beyond(&parameters(), &position, prices(80, 50), commitment, delivered).unwrap();
        let expected = expected.map(|cent| NanoEur(cent * 10_000_000));
        assert_eq!([got.site, got.aggregator, got.tso, got.dso], expected);
        assert_eq!(got.rounding, NanoEur::ZERO);
    }

    #[test]
    fn a_position_is_paid_as_bought_and_only_the_rest_in_real_time() {
        // 0.1 MWh held cost 6 EUR, 4 of it the transmission side's, whatever real time costs.
        check_held(400, None, [-610, 10, 400, 200]);
        // 0.05 MWh more at 80, of which 50 are the transmission side's; the fee on all.
        check_held(600, None, [-1015, 15, 650, 350]);
        // All sold back: what was paid at 60 earns 80.
        check_held(0, None, [200, 0, -100, -100]);
        // 0.01 MWh more than committed, at 80 + 20.
        check_held(400, Some(110.0), [-710, 10, 500, 200]);
    }

    #[test]
    fn the_carbon_part_is_of_all_energy_delivered() {
        let part = |kw: i64, kwh: Option<f64>| {
            let delivered = kwh.and_then(|kwh| Millijoule::from_wh(kwh * 1e3));
            carbon_part(&parameters(), PicoEurPerWh(30_000_000), Milliwatt(kw * 1_000_000), delivered)
        };
        // 0.1 MWh at 30 EUR/MWh.
        assert_eq!(part(400, None), Ok(NanoEur(3_000_000_000)));
        assert_eq!(part(400, Some(50.0)), Ok(NanoEur(1_500_000_000)));
        assert_eq!(part(-400, None), Ok(NanoEur(-3_000_000_000)));
        assert!(carbon_part(&parameters(), PicoEurPerWh(1), Milliwatt(i64::MAX), None).is_err());
    }

    #[test]
    fn who_gives_reactive_power_where_it_is_dear_is_paid() {
        let settle = |price: i64, kvar: i64| {
            settle_reactive(&parameters(), PicoEurPerWh(price * 1_000_000), Millivar(kvar * 1_000_000))
        };
        // 4 kvar for a quarter of an hour are 1 kvarh: at 10 EUR/Mvarh, one cent.
        assert_eq!(settle(10, -4), Ok(NanoEur(10_000_000)));
        assert_eq!(settle(10, 4), Ok(NanoEur(-10_000_000)));
        assert_eq!(settle(-10, 4), Ok(NanoEur(10_000_000)));
        assert_eq!(settle(0, 4), Ok(NanoEur::ZERO));
        assert!(settle_reactive(&parameters(), PicoEurPerWh(1), Millivar(i64::MAX)).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let settle = |kw, delivered| {
            settle_site(&parameters(), PicoEurPerWh(1_000_000), PicoEurPerWh::ZERO, Milliwatt(kw), delivered)
        };
        let part = |kw, delivered| settle(kw, delivered).map_err(|error| error.part);
        assert_eq!(part(i64::MAX, None), Err("the energy committed"));
        assert_eq!(part(-1, Some(Millijoule(i64::MAX))), Err("the deviation"));
        assert_eq!(part(0, Some(Millijoule(i64::MIN))), Ok(settle(0, Some(Millijoule(i64::MIN))).unwrap()));
    }

    proptest! {
        #[test]
        fn money_is_neither_made_nor_lost(
            price_bus in -1_000_000_000_000i64..=1_000_000_000_000,
            price_root in -1_000_000_000_000i64..=1_000_000_000_000,
            commitment in -10_000_000_000i64..=10_000_000_000,
            delivered in prop::option::of(-10_000_000_000_000i64..=10_000_000_000_000),
        ) {
            let (bus, root) = (PicoEurPerWh(price_bus), PicoEurPerWh(price_root));
            let delivered = delivered.map(Millijoule);
            let settled = settle_site(&parameters(), bus, root, Milliwatt(commitment), delivered).unwrap();
            prop_assert_eq!(settled.sum(), NanoEur::ZERO);
            prop_assert!(settled.rounding.0.abs() <= 2);
        }

        #[test]
        fn nor_is_it_with_a_position(
            held in (-10_000_000_000i64..=10_000_000_000, -1_000_000_000_000i64..=1_000_000_000_000),
            price_root in -1_000_000_000_000i64..=1_000_000_000_000,
            commitment in -10_000_000_000i64..=10_000_000_000,
        ) {
            let prices = |bus: i64| SitePrices { bus: PicoEurPerWh(bus), root: PicoEurPerWh(price_root) };
            let position = Position { power: Milliwatt(held.0), prices: prices(held.1) };
            let (now, commitment) = (prices(price_root / 2), Milliwatt(commitment));
            let settled = settle_site_beyond(&parameters(), &position, now, commitment, None).unwrap();
            prop_assert_eq!(settled.sum(), NanoEur::ZERO);
            prop_assert!(settled.rounding.0.abs() <= 3);
        }
    }
}
