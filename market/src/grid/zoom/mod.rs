//! Clearing a feeder with voltage and reactive power whose curves stay with the aggregators: each
//! answers a window of prices with at most 33 points of its merged curve, the DSO clears over the
//! points it knows, and the windows close in on the prices.
//!
//! Every answer's points lie on the true curve and the first window is the whole price range, so what
//! can be met at all shows in the first round. Between known points the DSO draws straight lines. Once
//! every price lies where no breakpoint is missing, lines and curves are the same around the prices,
//! and by convexity the clearing is the true problem's: nobody's best response, and so no optimality
//! condition, depends on a curve far from its price. A curve of 40,000 breakpoints takes four rounds.
//!
//! Sending, counting time and giving up are the caller's.

pub mod merged;

use super::error::GridError;
use super::problem::{GridProblem, Offer, Piece, Reactive};
use super::solution::GridSolution;
use crate::curve::Breakpoint;
use crate::units::{Milliwatt, PicoEurPerWh, POWER_BOUND, PRICE_BOUND};
use merged::{Sampled, MOST_POINTS};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Prices from `from` to `to`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Lowest price.
    pub from: PicoEurPerWh,
    /// Highest price.
    pub to: PicoEurPerWh,
}

impl Window {
    /// Every price the market knows.
    pub const WIDEST: Self = Self { from: PicoEurPerWh(-PRICE_BOUND.0), to: PRICE_BOUND };
}

/// A merged curve the DSO does not see: where it is and how its reactive power follows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HiddenCurve {
    /// Place of its bus.
    pub place: usize,
    /// Reactive power per real power, the same for all its sites.
    pub tan_phi: f64,
}

/// A question to the aggregator of one hidden curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Index of the curve.
    pub curve: usize,
    /// Which prices.
    pub window: Window,
}

/// How far the rounds have come.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Ask these; curves not among them are known well enough for now.
    Ask(Vec<Question>),
    /// The optimum over the true curves. Awards of hidden curves come after those of the problem's own
    /// offers. The objective counts each hidden curve's value along the points known of it.
    Cleared(Box<GridSolution>),
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ZoomError {
    /// A curve was not answered for, or one that was not asked was.
    #[error("{answers} answers to {questions} questions")]
    Answers {
        /// Answers given.
        answers: usize,
        /// Questions asked.
        questions: usize,
    },
    /// An answer's points do not span its window, are too many, or do not fall between what is known.
    #[error("curve {curve}: its answer is no part of a falling curve in the window asked")]
    NoCurve {
        /// The curve.
        curve: usize,
    },
    /// No clearing over what is known.
    #[error(transparent)]
    Grid(#[from] GridError),
}

/// What is known of one hidden curve.
#[derive(Clone, Debug, Default)]
struct Known {
    /// In order of price.
    points: Vec<Breakpoint>,
    /// Where no breakpoint is missing.
    complete: Vec<Window>,
}

/// The DSO's side of the rounds.
#[derive(Clone, Debug)]
pub struct Zoom {
    problem: GridProblem,
    curves: Vec<HiddenCurve>,
    known: Vec<Known>,
    asked: Vec<Question>,
    /// The problem's own offers, and the hidden curves as far as they are known.
    posed: GridProblem,
    rounds: usize,
}

impl Zoom {
    /// Rounds on a problem whose own offers are known, and hidden curves besides.
    pub fn new(problem: GridProblem, curves: Vec<HiddenCurve>) -> Self {
        let asked = (0..curves.len()).map(|curve| Question { curve, window: Window::WIDEST }).collect();
        let known = vec![Known::default(); curves.len()];
        Self { posed: problem.clone(), problem, curves, known, asked, rounds: 0 }
    }

    /// What is to be answered next, in this order.
    pub fn questions(&self) -> &[Question] {
        &self.asked
    }

    /// The problem last cleared: hidden curves are offers along the points known of them, after the
    /// problem's own.
    pub fn posed(&self) -> &GridProblem {
        &self.posed
    }

    /// Rounds answered so far.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// Clears over what is known after the answers to [`Self::questions`], in their order.
    ///
    /// # Errors
    /// An answer that is none, or no clearing. Nothing is remembered of answers then.
    pub fn step(&mut self, answers: &[Sampled]) -> Result<Step, ZoomError> {
        if answers.len() != self.asked.len() {
            return Err(ZoomError::Answers { answers: answers.len(), questions: self.asked.len() });
        }
        let mut known = self.known.clone();
        for (Question { curve, window }, answer) in self.asked.iter().zip(answers) {
            known[*curve].learn(*window, answer).ok_or(ZoomError::NoCurve { curve: *curve })?;
        }
        let mut problem = self.problem.clone();
        problem.offers.extend(self.curves.iter().zip(&known).map(|(curve, known)| known.offer(curve)));
        let solution = super::clear(&problem)?;
        (self.known, self.posed, self.rounds) = (known, problem, self.rounds + 1);
        let question = |(curve, hidden): (usize, &HiddenCurve)| {
            let price =
                solution.prices[hidden.place] + hidden.tan_phi * solution.reactive_prices[hidden.place];
            self.known[curve].question(price).map(|window| Question { curve, window })
        };
        self.asked = self.curves.iter().enumerate().filter_map(question).collect();
        Ok(match self.asked.is_empty() {
            true => Step::Cleared(Box::new(solution)),
            false => Step::Ask(self.asked.clone()),
        })
    }
}

impl Known {
    /// Takes up an answer; none where it is none.
    fn learn(&mut self, window: Window, answer: &Sampled) -> Option<()> {
        let before = self.points.partition_point(|point| point.price < window.from);
        let after = self.points.partition_point(|point| point.price <= window.to);
        let (first, last) = (answer.points.first()?, answer.points.last()?);
        if answer.points.len() > MOST_POINTS || first.price != window.from || last.price != window.to {
            return None;
        }
        let mut points = self.points[..before].to_vec();
        points.extend_from_slice(&answer.points);
        points.extend_from_slice(&self.points[after..]);
        let bounds = -POWER_BOUND..=POWER_BOUND;
        let falls = |pair: &[Breakpoint]| pair[0].price <= pair[1].price && pair[0].power >= pair[1].power;
        if !points.windows(2).all(falls) || !points.iter().all(|point| bounds.contains(&point.power)) {
            return None;
        }
        self.points = points;
        if answer.complete {
            self.complete.push(window);
        }
        Some(())
    }

    fn offer(&self, curve: &HiddenCurve) -> Offer {
        let piece = |pair: &[Breakpoint]| Piece {
            width_kw: (pair[0].power - pair[1].power).kw(),
            price_high: pair[1].price.eur_per_mwh(),
            price_low: pair[0].price.eur_per_mwh(),
        };
        let falling = self.points.windows(2).rev().filter(|pair| pair[0].power > pair[1].power);
        Offer {
            place: curve.place,
            power_min_kw: self.points.last().map_or(Milliwatt::ZERO, |last| last.power).kw(),
            pieces: falling.map(piece).collect(),
            reactive: Reactive::Proportional { tan_phi: curve.tan_phi },
            reserve_up: None,
            reserve_down: None,
        }
    }

    /// Where to look next; nowhere if no breakpoint is missing around the price.
    fn question(&self, price_eur_per_mwh: f64) -> Option<Window> {
        let price = PicoEurPerWh::from_eur_per_mwh(price_eur_per_mwh)?;
        let holds = |window: &Window| window.from <= price && price <= window.to;
        let next = self.points.partition_point(|point| point.price <= price);
        let (left, right) = (self.points.get(next.checked_sub(1)?)?, self.points.get(next)?);
        // A curve that is as high at both ends is level in between.
        if left.power == right.power || self.complete.iter().any(holds) {
            return None;
        }
        // The stretch the price lies in, and one more on either side lest it moves there.
        let before = self.points.partition_point(|point| point.price < left.price);
        let after = self.points.partition_point(|point| point.price <= right.price);
        let from = self.points[before.saturating_sub(1)].price;
        let to = self.points.get(after).unwrap_or(right).price;
        Some(Window { from, to })
    }
}
