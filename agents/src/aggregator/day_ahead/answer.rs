//! What the DSO is answered about a session: sums over the curves at a bus in an interval, and a few of
//! their corners, by the same rules as in real time.

use super::fixed::FixedSession;
use crate::aggregator::answer::{corners, narrow, sums};
use market::clearing::sampled::MAX_ROUNDS;
use market::curve::FlexCurve;
use market::parameters::MarketParameters;
use market::units::{Milliwatt, PicoEurPerWh};
use thiserror::Error;
use wire::message::day_ahead::{AnswerAt, AnsweredCorner, AskedAt, DayAheadQuestion};
use wire::message::series::{FallingPowers, RisingPrices};

/// Most corners told in one answer, so that it fits its envelope; they help and are not owed.
const MOST_CORNERS: usize = 16_384;

/// Why a question about a session is not answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum QuestionError {
    /// No round there is.
    #[error("round {round} is none of 1 to {MAX_ROUNDS}")]
    Round {
        /// The round.
        round: u32,
    },
    /// A window without ticks, or beyond the market's prices.
    #[error("the prices asked in window {window} are none, or out of bounds")]
    Window {
        /// Its place.
        window: usize,
    },
    /// An interval or a bus that is not ours, or asked twice.
    #[error("bus {bus} in interval {interval} is none of ours, or not asked in order")]
    Place {
        /// Place of the interval.
        interval: u16,
        /// Place of the bus.
        bus: u32,
    },
    /// A window that is not there, or not in order.
    #[error("bus {bus} in interval {interval} is asked about a window that is not there, or not in order")]
    NoSuchWindow {
        /// Place of the interval.
        interval: u16,
        /// Place of the bus.
        bus: u32,
    },
    /// The sum of powers at a bus leaves the market's bounds.
    #[error("the demand at bus {bus} in interval {interval} is out of bounds")]
    Overflow {
        /// Place of the interval.
        interval: u16,
        /// Place of the bus.
        bus: u32,
    },
}

/// Answers a question from the bids.
///
/// # Errors
/// Names what is wrong with the question.
pub(super) fn answer(
    parameters: &MarketParameters,
    fixed: &FixedSession,
    question: &DayAheadQuestion,
) -> Result<Vec<AnswerAt>, QuestionError> {
    if !(1..=MAX_ROUNDS).contains(&question.round) {
        return Err(QuestionError::Round { round: question.round });
    }
    let limits = parameters.price_min..=parameters.price_max.next();
    let sound = |window: &RisingPrices| {
        let ends = (window.prices().first(), window.prices().last());
        matches!(ends, (Some(from), Some(to)) if limits.contains(from) && limits.contains(to))
    };
    if let Some(window) = question.windows.iter().position(|window| !sound(window)) {
        return Err(QuestionError::Window { window });
    }
    let place = |asked: &AskedAt| (asked.interval, asked.bus);
    if let Some(pair) = question.asked.windows(2).find(|pair| place(&pair[0]) >= place(&pair[1])) {
        return Err(QuestionError::Place { interval: pair[1].interval, bus: pair[1].bus });
    }
    let narrow = narrow(parameters);
    let mut room = MOST_CORNERS;
    let mut answer = |asked: &AskedAt| {
        let mut answer = answer_at(fixed, &question.windows, asked, narrow)?;
        if answer.corners.len() > room {
            answer.corners.clear();
        }
        room -= answer.corners.len();
        Ok(answer)
    };
    question.asked.iter().map(&mut answer).collect()
}

fn answer_at(
    fixed: &FixedSession,
    windows: &[RisingPrices],
    asked: &AskedAt,
    narrow: i64,
) -> Result<AnswerAt, QuestionError> {
    let AskedAt { interval, bus, .. } = *asked;
    let curves: Option<Vec<&FlexCurve>> = fixed.curves(usize::from(interval), bus);
    let curves = curves.ok_or(QuestionError::Place { interval, bus })?;
    let windows: Option<Vec<&[PicoEurPerWh]>> =
        asked.windows.iter().map(|window| windows.get(*window as usize).map(RisingPrices::prices)).collect();
    // Windows that follow each other may share a tick.
    let follows = |pair: &[&[PicoEurPerWh]]| pair[0].last() <= pair[1].first();
    let windows = windows.filter(|windows| windows.windows(2).all(follows));
    let windows = windows.ok_or(QuestionError::NoSuchWindow { interval, bus })?;
    let overflow = || QuestionError::Overflow { interval, bus };
    let mut powers: Vec<Milliwatt> = Vec::new();
    for ticks in &windows {
        powers.extend(sums(&curves, ticks).ok_or_else(overflow)?);
    }
    let powers = FallingPowers::new(powers).map_err(|_| overflow())?;
    let ends = windows.iter().filter_map(|ticks| Some((*ticks.first()?, *ticks.last()?)));
    let corners = corners(&curves, ends.filter(|(from, to)| to.0 - from.0 <= narrow)).ok_or_else(overflow)?;
    let corner = |corner: wire::message::Corner| AnsweredCorner {
        price: corner.price,
        at: corner.at,
        above: corner.above,
    };
    Ok(AnswerAt { powers, corners: corners.into_iter().map(corner).collect() })
}
