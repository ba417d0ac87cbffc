//! What the DSO is answered: sums over the sites of a bus at the prices asked, and a few corners of their
//! curves once it asks about narrow stretches of price. Curves stay here.

use super::rounds::FixedBids;
use market::clearing::sampled::MAX_ROUNDS;
use market::curve::FlexCurve;
use market::parameters::MarketParameters;
use market::units::{Milliwatt, PicoEurPerWh};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::message::{BusQuestion, Corner, DemandAt, PriceQuestion, PriceWindow, MAX_CORNERS};

/// Corners are told in windows of at most this part of the price range: in a window of all of it they
/// would be the curves.
const NARROW: i64 = 64;

/// Why a question is not answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuestionError {
    /// No round there is.
    #[error("round {round} is none of 1 to {MAX_ROUNDS}")]
    Round {
        /// The round.
        round: u32,
    },
    /// A window without ticks, or with ticks that don't rise, or beyond it or the market's prices.
    #[error("the prices asked in window {window} are none, not increasing, or out of bounds")]
    Window {
        /// Its place.
        window: usize,
    },
    /// A bus that is not ours, or asked twice.
    #[error("{bus} is none of our buses, or not asked in order of name")]
    Bus {
        /// Its name.
        bus: String,
    },
    /// A bus is asked about a window that is not there, or twice about one.
    #[error("{bus} is asked about a window that is not there, or not in order")]
    NoSuchWindow {
        /// The bus.
        bus: String,
    },
    /// The sum of powers at a bus leaves 64 bits.
    #[error("the demand at {bus} leaves 64 bits")]
    Overflow {
        /// The bus.
        bus: String,
    },
}

/// Answers a question from the bids.
///
/// # Errors
/// Names what is wrong with the question.
pub fn answer(
    parameters: &MarketParameters,
    fixed: &FixedBids,
    question: &PriceQuestion,
) -> Result<Vec<DemandAt>, QuestionError> {
    if !(1..=MAX_ROUNDS).contains(&question.round) {
        return Err(QuestionError::Round { round: question.round });
    }
    let sound = |window: &PriceWindow| is_sound(parameters, window);
    if let Some(window) = question.windows.iter().position(|window| !sound(window)) {
        return Err(QuestionError::Window { window });
    }
    if let Some(pair) = question.buses.windows(2).find(|pair| pair[0].bus >= pair[1].bus) {
        return Err(QuestionError::Bus { bus: pair[1].bus.clone() });
    }
    let narrow = narrow(parameters);
    question.buses.iter().map(|asked| answer_at(fixed, &question.windows, asked, narrow)).collect()
}

/// Widest window in which corners are told.
pub(super) fn narrow(parameters: &MarketParameters) -> i64 {
    (parameters.price_max.0 - parameters.price_min.0) / NARROW + 1
}

fn answer_at(
    fixed: &FixedBids,
    windows: &[PriceWindow],
    asked: &BusQuestion,
    narrow: i64,
) -> Result<DemandAt, QuestionError> {
    let bus = || asked.bus.clone();
    let places = fixed.places.get(&asked.bus).ok_or_else(|| QuestionError::Bus { bus: bus() })?;
    let curves: Vec<&FlexCurve> = places.iter().map(|place| &fixed.bids[*place].curve).collect();
    let rising = asked.windows.windows(2).all(|pair| pair[0] < pair[1]);
    let windows: Option<Vec<&PriceWindow>> =
        asked.windows.iter().map(|window| windows.get(*window as usize)).collect();
    let windows = windows.filter(|_| rising).ok_or_else(|| QuestionError::NoSuchWindow { bus: bus() })?;
    let overflow = || QuestionError::Overflow { bus: bus() };
    let mut powers = Vec::new();
    for window in &windows {
        powers.extend(sums(&curves, &window.ticks).ok_or_else(overflow)?);
    }
    let narrow = windows.into_iter().map(|w| (w.from, w.to)).filter(|(from, to)| to.0 - from.0 <= narrow);
    let corners = corners(&curves, narrow).ok_or_else(overflow)?;
    Ok(DemandAt { bus: bus(), powers, corners })
}

fn is_sound(parameters: &MarketParameters, window: &PriceWindow) -> bool {
    let PriceWindow { from, to, ticks } = window;
    let rising = ticks.windows(2).all(|pair| pair[0] < pair[1]);
    let within = |tick: &PicoEurPerWh| from <= tick && tick <= to;
    rising
        && ticks.first().is_some_and(within)
        && ticks.last().is_some_and(within)
        && parameters.price_min <= *from
        && *to <= parameters.price_max.next()
}

/// Demand of all curves at each of some rising ticks; none where a sum leaves 64 bits.
pub(super) fn sums(curves: &[&FlexCurve], ticks: &[PicoEurPerWh]) -> Option<Vec<Milliwatt>> {
    let (first, last) = (*ticks.first()?, *ticks.last()?);
    let mut level = 0i128;
    let mut sums = vec![0i128; ticks.len()];
    for curve in curves {
        let most = curve.power_at(first);
        if most == curve.power_at(last) {
            level += i128::from(most.0);
            continue;
        }
        for (sum, tick) in sums.iter_mut().zip(ticks) {
            *sum += i128::from(curve.power_at(*tick).0);
        }
    }
    sums.into_iter().map(|sum| i64::try_from(sum + level).ok().map(Milliwatt)).collect()
}

/// Corners of the curves within windows, each from a price to below another, in order of price; the highest
/// steps, where there are many.
pub(super) fn corners(
    curves: &[&FlexCurve],
    windows: impl Iterator<Item = (PicoEurPerWh, PicoEurPerWh)>,
) -> Option<Vec<Corner>> {
    let mut steps: BTreeMap<PicoEurPerWh, i128> = BTreeMap::new();
    for (from, to) in windows {
        for curve in curves {
            let points = curve.points();
            let first = points.partition_point(|point| point.price < from);
            for point in points[first..].iter().take_while(|point| point.price < to) {
                // Counted at both of a step's corners: what matters is which steps are higher.
                let step = curve.power_at(point.price) - curve.power_at(point.price.next());
                *steps.entry(point.price).or_default() += i128::from(step.0);
            }
        }
    }
    let mut highest: Vec<(PicoEurPerWh, i128)> = steps.into_iter().collect();
    highest.sort_by_key(|(price, step)| (std::cmp::Reverse(*step), *price));
    highest.truncate(MAX_CORNERS);
    let mut prices: Vec<PicoEurPerWh> = highest.into_iter().map(|(price, _)| price).collect();
    prices.sort_unstable();
    let corner = |price: PicoEurPerWh| {
        let pair = sums(curves, &[price, price.next()])?;
        Some(Corner { price, at: pair[0], above: pair[1] })
    };
    prices.into_iter().map(corner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::curve::Breakpoint;

    fn curve(points: &[(i64, i64)]) -> FlexCurve {
        let point = |(price, power): &(i64, i64)| Breakpoint {
            price: PicoEurPerWh(*price),
            power: Milliwatt(*power),
        };
        FlexCurve::new(points.iter().map(point).collect()).unwrap()
    }

    #[test]
    fn sums_are_exact_at_every_tick_whether_a_curve_falls_or_not() {
        let curves = [curve(&[(0, 5)]), curve(&[(3, 4), (3, 1)]), curve(&[(2, 10), (7, 0)])];
        let ticks: Vec<PicoEurPerWh> = (0..9).map(PicoEurPerWh).collect();
        let sums = sums(&curves.iter().collect::<Vec<_>>(), &ticks).unwrap();
        let expected = ticks.iter().map(|tick| curves.iter().map(|curve| curve.power_at(*tick)).sum());
        assert_eq!(sums, expected.collect::<Vec<Milliwatt>>());
        assert_eq!(super::sums(&[&curve(&[(0, 5)])], &[]), None);
    }

    #[test]
    fn the_highest_steps_within_the_windows_are_told() {
        let stairs: Vec<(i64, i64)> =
            (0..40).flat_map(|k| [(10 * k, 2_000 - k * k), (10 * k, 2_000 - (k + 1) * (k + 1))]).collect();
        let curve = curve(&stairs);
        let windows = [(0, 90), (200, 390)].map(|(from, to)| (PicoEurPerWh(from), PicoEurPerWh(to)));
        let told = corners(&[&curve], windows.into_iter()).unwrap();
        let prices: Vec<i64> = told.iter().map(|corner| corner.price.0).collect();
        assert_eq!(prices, (23..39).map(|k| 10 * k).collect::<Vec<i64>>());
        for corner in told {
            assert_eq!(corner.at, curve.power_at(corner.price));
            assert_eq!(corner.above, curve.power_at(corner.price.next()));
        }
    }
}
