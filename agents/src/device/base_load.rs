//! What a site takes besides its devices: light, kitchen, whatever the market can't steer. On a
//! time-of-use tariff its owner may opt in to have part of it answer prices.

use super::ladder::PriceRange;
use super::preferences::{PreferenceError, TimeOfDay};
use market::curve::{Breakpoint, CurveError, FlexCurve};
use market::interval::UnixSeconds;
use market::units::{Milliwatt, PicoEurPerWh};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most windows of a tariff.
const WINDOWS_MAX: usize = 24;

/// A time-of-use tariff and what of the load answers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// Part of the load, in percent, that its owner has opted in to go without where the market's price is
    /// above the tariff's.
    pub opt_in_percent: f64,
    /// Times of day and their prices. Outside all of them the load answers nothing; where two overlap, the
    /// first counts.
    pub windows: Vec<TariffWindow>,
}

/// One time of day and its price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TariffWindow {
    /// From this UTC time of day on, "HH:MM".
    pub from: TimeOfDay,
    /// Until this one, which may lie behind midnight.
    pub until: TimeOfDay,
    /// What a MWh costs then, in EUR/MWh: the most the part opted in pays.
    pub price_eur_per_mwh: f64,
}

/// A load and what of it answers prices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BaseLoad {
    /// Net power.
    pub power: Milliwatt,
    /// What of it answers, where anything does.
    pub answers: Option<Answer>,
}

/// The part of a load that goes without above a price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer {
    /// The part, 0 to 1.
    pub part: f64,
    /// The price.
    pub price: PicoEurPerWh,
}

impl From<Milliwatt> for BaseLoad {
    fn from(power: Milliwatt) -> Self {
        Self { power, answers: None }
    }
}

impl Tariff {
    /// Checks every figure. NaN is none.
    ///
    /// # Errors
    /// [`PreferenceError::Figure`] with the first rule broken.
    pub fn validate(&self) -> Result<(), PreferenceError> {
        let price =
            |window: &TariffWindow| PicoEurPerWh::from_eur_per_mwh(window.price_eur_per_mwh).is_some();
        let rules = [
            ((0.0..=100.0).contains(&self.opt_in_percent), "opt_in_percent must lie in 0..=100"),
            (self.windows.len() <= WINDOWS_MAX, "there are at most 24 windows"),
            (self.windows.iter().all(price), "price_eur_per_mwh must be a price the market knows"),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(PreferenceError::Figure { rule }),
            None => Ok(()),
        }
    }

    /// What answers at this instant.
    pub fn at(&self, now: UnixSeconds) -> Option<Answer> {
        let within = |window: &&TariffWindow| {
            // Inside, the window's end comes before its next beginning.
            let (from, until) = (window.from.next_after(now), window.until.next_after(now));
            until < from || window.from == window.until
        };
        let window = self.windows.iter().find(within)?;
        let price = PicoEurPerWh::from_eur_per_mwh(window.price_eur_per_mwh)?;
        Some(Answer { part: self.opt_in_percent / 100.0, price })
    }
}

/// The curve of a base load: the same at any price the market can clear at, but for its ends, and for the
/// part that answers. At the highest price, which is the value of lost load, load may fall to zero; at
/// the lowest, infeed may. So there is a clearing whatever the feeder allows.
///
/// # Errors
/// [`CurveError::OutOfBounds`] where power leaves what the market accepts.
pub fn curve(load: &BaseLoad, range: PriceRange) -> Result<FlexCurve, CurveError> {
    let power = load.power;
    let step = |price, above, below| [(price, above), (price, below)];
    let corners = match power {
        Milliwatt::ZERO => return Ok(FlexCurve::inelastic(Milliwatt::ZERO)),
        infeed if infeed < Milliwatt::ZERO => step(range.min, Milliwatt::ZERO, infeed).to_vec(),
        load_power => {
            let part = load.answers.map_or(0.0, |answer| answer.part.clamp(0.0, 1.0));
            let firm = Milliwatt((load_power.0 as f64 * (1.0 - part)).round() as i64);
            let price = load.answers.map_or(range.max, |answer| answer.price.max(range.min).min(range.max));
            match firm == load_power || price == range.max {
                true => step(range.max, load_power, Milliwatt::ZERO).to_vec(),
                false => [step(price, load_power, firm), step(range.max, firm, Milliwatt::ZERO)].concat(),
            }
        }
    };
    FlexCurve::new(corners.into_iter().map(|(price, power)| Breakpoint { price, power }).collect())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_corners, outlook, price};
    use super::*;

    fn check(power_w: i64, answers: Option<(f64, f64)>, expected: &[(f64, f64)]) {
        let answers = answers.map(|(part, eur)| Answer { part, price: price(eur) });
        let load = BaseLoad { power: Milliwatt(power_w * 1_000), answers };
        check_corners(&curve(&load, outlook(&[]).range).unwrap(), expected);
    }

    #[test]
    fn it_gives_way_only_at_the_market_s_ends() {
        check(700, None, &[(4_000.0, 700.0), (4_000.0, 0.0)]);
        check(-700, None, &[(-500.0, 0.0), (-500.0, -700.0)]);
        check(0, None, &[(0.0, 0.0)]);
    }

    #[test]
    fn the_part_opted_in_goes_without_above_the_tariff() {
        let rest = [(4_000.0, 560.0), (4_000.0, 0.0)];
        check(700, Some((0.2, 180.0)), &[&[(180.0, 700.0), (180.0, 560.0)], &rest[..]].concat());
        check(700, Some((0.0, 180.0)), &[(4_000.0, 700.0), (4_000.0, 0.0)]);
        check(700, Some((0.2, 9_000.0)), &[(4_000.0, 700.0), (4_000.0, 0.0)]);
        check(-700, Some((0.2, 180.0)), &[(-500.0, 0.0), (-500.0, -700.0)]);
    }

    fn window(from: &str, until: &str, price_eur_per_mwh: f64) -> TariffWindow {
        let time = |text: &str| text.to_owned().try_into().unwrap();
        TariffWindow { from: time(from), until: time(until), price_eur_per_mwh }
    }

    #[test]
    fn a_window_may_lie_over_midnight_and_the_first_counts() {
        let windows = vec![
            window("17:00", "20:00", 300.0),
            window("22:00", "06:00", 90.0),
            window("05:00", "07:00", 1.0),
        ];
        let tariff = Tariff { opt_in_percent: 25.0, windows };
        let check = |hour: f64, expected: Option<f64>| {
            let answer = tariff.at(UnixSeconds(86_400 + (hour * 3_600.0) as i64));
            assert_eq!(answer, expected.map(|eur| Answer { part: 0.25, price: price(eur) }), "at {hour}");
        };
        check(16.99, None);
        check(17.0, Some(300.0));
        check(19.99, Some(300.0));
        check(20.0, None);
        check(23.0, Some(90.0));
        check(0.0, Some(90.0));
        check(5.5, Some(90.0));
        check(6.5, Some(1.0));
        assert!(Tariff { opt_in_percent: 0.0, windows: vec![window("09:00", "09:00", 5.0)] }
            .at(UnixSeconds(0))
            .is_some());
    }

    #[test]
    fn figures_without_sense_are_refused() {
        let check = |opt_in_percent, price_eur_per_mwh, expected: bool| {
            let windows = vec![window("17:00", "20:00", price_eur_per_mwh)];
            assert_eq!(Tariff { opt_in_percent, windows }.validate().is_ok(), expected);
        };
        check(20.0, 300.0, true);
        check(120.0, 300.0, false);
        check(f64::NAN, 300.0, false);
        check(20.0, f64::INFINITY, false);
    }
}
