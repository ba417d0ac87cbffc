//! Clearing in rounds with parties who keep their curves and only answer what they would take at
//! the prices asked: what the DSO does with its aggregators.
//!
//! The first question asks everyone's demand at 129 edges of the price range. Each further one asks
//! about the gaps between answers in which a price is still to be found, and only those whose demand
//! matters there. Two things decide what is asked within a gap. Equal parts, as many as close every
//! gap for certain in the rounds that are left: so five rounds always do, whatever the curves are. And
//! a guess, with ticks around it ever further apart: so two or three rounds do where demand falls
//! evenly between answers, or steps where an aggregator said it does. Guesses decide nothing else.

use super::allocate::{allocate, Missing};
use super::bound::{Bound, Grid};
use super::levels::{sum_up, Grounds};
use super::locate::{locate, Gap, Located};
use super::samples::{Sample, Samples};
use super::{Clearing, Infeasible, PriceRange};
use crate::feeder::{Feeder, Tree};
use crate::supply::SupplyCurve;
use crate::units::PicoEurPerWh;
use thiserror::Error;

/// Most rounds one clearing may take.
pub const MAX_ROUNDS: u32 = 5;

/// Equal parts of the price range in the first question.
pub const FIRST_PARTS: i64 = 128;

/// Most ticks in a question. A gap of the first round in a range of 2e10 ticks (10 000 EUR/MWh either
/// way) closes in four rounds of 112 parts, so some 500 gaps fit: a zone with a price of its own has
/// one, or two where its price may lie in an interval.
pub const MAX_QUESTION: usize = 65_536;

/// Most bounds (bus by tick) that one question may add: fewer ticks on feeders of very many buses.
const MAX_CELLS: usize = 8_000_000;

/// Ticks that nobody need be asked about cost little, so gaps are divided less finely and more often.
const UNASKED_ROUNDS: u32 = 12;

/// Largest sum of magnitudes over all parties, so that no sum up the tree overflows.
const SUM_BOUND: i128 = i64::MAX as i128 / 8;

/// What is cleared, the parties apart.
#[derive(Clone, Copy, Debug)]
pub struct Market<'a> {
    /// The feeder.
    pub feeder: &'a Feeder,
    /// Its order.
    pub tree: &'a Tree,
    /// What the import costs.
    pub supply: &'a SupplyCurve,
    /// Prices it may clear at.
    pub range: PriceRange,
}

/// One party, and what it has answered so far.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// Index of its bus in [`Feeder::buses`].
    pub bus: usize,
    /// Its answers; both ends of every window it was asked about among them.
    pub samples: &'a Samples,
}

/// How far the rounds have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Cleared(Clearing),
    /// Ask this.
    Ask(Question),
}

/// What to ask in one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Stretches of price, in order of where they begin.
    pub windows: Vec<Window>,
    /// For each bus, the windows its parties are asked about.
    pub of_bus: Vec<Vec<usize>>,
}

/// A stretch of price in which demand is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first tick.
    pub from: PicoEurPerWh,
    /// Its last tick.
    pub to: PicoEurPerWh,
    /// Ticks asked, rising, from first to last.
    pub ticks: Vec<PicoEurPerWh>,
}

/// Why rounds can't go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RoundsError {
    /// No price meets a limit.
    #[error(transparent)]
    Infeasible(#[from] Infeasible),
    /// A party stands at no bus, or has not answered at the ends of the price range.
    #[error("party {party} has not answered at both ends of the price range, or stands at no bus")]
    Unanswered {
        /// Its place in the list.
        party: usize,
    },
    /// Powers too large to be added.
    #[error("the parties' powers are too large to be added")]
    TooLarge,
    /// No rounds are left to ask in, or there is nothing to ask.
    #[error("not cleared in the rounds there are, {gaps} gaps between answers still being open")]
    NotCleared {
        /// Gaps still open.
        gaps: usize,
    },
}

impl Market<'_> {
    /// The first question, to every bus: equal parts of the price range, and each of the supply's
    /// breakpoints with the tick above it, so that an uncongested interval with a flat import price
    /// clears in one round.
    pub fn first_question(&self) -> Question {
        let (first, last) = self.ends();
        let mut ticks = vec![first, last];
        divide(first, last, FIRST_PARTS, &mut ticks);
        for point in self.supply.mirrored().points() {
            let here = [point.price.0, point.price.0 + 1];
            ticks.extend(here.iter().filter(|tick| (first..=last).contains(*tick)));
        }
        Question { windows: vec![window(first, last, ticks)], of_bus: vec![vec![0]; self.feeder.buses.len()] }
    }

    /// Clears from what the parties have answered, or says what to ask next, `rounds_left` questions
    /// being left.
    ///
    /// # Errors
    /// [`RoundsError`]: a limit that no price meets, answers that are none, or no rounds left.
    pub fn clear(&self, parties: &[Party<'_>], rounds_left: u32) -> Result<Outcome, RoundsError> {
        self.check(parties)?;
        let grounds = Grounds { feeder: self.feeder, tree: self.tree, supply: self.supply };
        let mut ticks = self.ticks(parties);
        let mut open_before = Vec::new();
        loop {
            let demand = self.demand(parties, &ticks, Samples::add_bounds);
            let levels = sum_up(&grounds, &demand)?;
            let located = locate(&grounds, &levels);
            let settled = located.windows.iter().all(|w| w.low == w.high);
            let gaps = located.gaps.len();
            let question = if settled {
                match allocate(&grounds, &demand, &levels, &located.windows) {
                    Ok(clearing) => return Ok(Outcome::Cleared(clearing)),
                    Err(Missing(ticks)) => self.about(&demand, ticks),
                }
            } else if located.gaps == open_before {
                let guessed = self.demand(parties, &ticks, Samples::add_guess);
                let guesses = guesses(&locate(&grounds, &sum_up(&grounds, &guessed)?));
                self.question(&located, &demand, &guesses, rounds_left)
            } else {
                // Where demand is level between two answers, or the supply alone decides, ticks that
                // nobody was asked about may be enough.
                let more = self.question(&located, &demand, &[], UNASKED_ROUNDS);
                ticks.extend(more.windows.iter().flat_map(|window| &window.ticks).map(|tick| tick.0));
                ticks.sort_unstable();
                ticks.dedup();
                open_before = located.gaps;
                continue;
            };
            return if rounds_left == 0 || question.of_bus.iter().all(Vec::is_empty) {
                Err(RoundsError::NotCleared { gaps })
            } else {
                Ok(Outcome::Ask(question))
            };
        }
    }

    fn ends(&self) -> (i64, i64) {
        (self.range.min().0, self.range.max().0 + 1)
    }

    fn check(&self, parties: &[Party<'_>]) -> Result<(), RoundsError> {
        let (first, last) = self.ends();
        let (mut most, mut least) = (0i128, 0i128);
        for (party, Party { bus, samples }) in parties.iter().enumerate() {
            if *bus >= self.feeder.buses.len() || !samples.span(first, last) {
                return Err(RoundsError::Unanswered { party });
            }
            let end = |sample: Option<&Sample>| sample.map_or(0, |sample| (sample.power.0 as i128).abs());
            most += end(samples.known().first());
            least += end(samples.known().last());
        }
        if most.max(least) > SUM_BOUND {
            return Err(RoundsError::TooLarge);
        }
        Ok(())
    }

    /// Every tick of the range that somebody has answered.
    fn ticks(&self, parties: &[Party<'_>]) -> Vec<i64> {
        let (first, last) = self.ends();
        let known = parties.iter().flat_map(|party| party.samples.known()).map(|sample| sample.tick.0);
        let mut ticks: Vec<i64> = known.filter(|tick| (first..=last).contains(tick)).collect();
        ticks.extend([first, last]);
        ticks.sort_unstable();
        ticks.dedup();
        ticks
    }

    fn demand(
        &self,
        parties: &[Party<'_>],
        ticks: &[i64],
        add: impl Fn(&Samples, &[i64], &mut [Bound]),
    ) -> Grid {
        let mut demand = Grid::new(ticks.to_vec(), self.feeder.buses.len());
        for party in parties {
            add(party.samples, ticks, demand.row_mut(party.bus));
        }
        demand
    }

    /// A question about a few ticks by themselves.
    fn about(&self, demand: &Grid, mut ticks: Vec<i64>) -> Question {
        ticks.sort_unstable();
        let open = |bus: usize| ticks.iter().any(|tick| demand.at(bus, *tick).known().is_none());
        let of_bus = (0..demand.rows()).map(|bus| if open(bus) { vec![0] } else { Vec::new() }).collect();
        let (from, to) = (ticks[0], ticks[ticks.len() - 1]);
        Question { windows: vec![window(from, to, ticks)], of_bus }
    }

    fn question(&self, located: &Located, demand: &Grid, guesses: &[i64], rounds_left: u32) -> Question {
        let gaps = &located.gaps[..located.gaps.len().min(MAX_QUESTION)];
        let room = MAX_QUESTION.min(MAX_CELLS / demand.rows().max(1)) / gaps.len().max(1);
        let inside = |Gap { left, right, .. }: &Gap| {
            // Its ends as well: the supply alone may have led there, and nobody been asked.
            let mut ticks = vec![*left, *right];
            around(*left, *right, guesses, room / 2, &mut ticks);
            divide(
                *left,
                *right,
                parts(right - left, rounds_left, room.saturating_sub(ticks.len())),
                &mut ticks,
            );
            window(*left, *right, ticks)
        };
        // Asked are those whose demand matters there, and may be other than level.
        let asks = |bus: usize, gap: &Gap| {
            let of = located.windows[self.tree.place[bus]];
            let matters = gap.left <= of.ask_to && gap.right >= of.ask_from;
            matters && demand.at(bus, gap.left).high > demand.at(bus, gap.right).low
        };
        let asked = |bus| gaps.iter().enumerate().filter(|(_, gap)| asks(bus, gap)).map(|(i, _)| i).collect();
        Question {
            windows: gaps.iter().map(inside).collect(),
            of_bus: (0..demand.rows()).map(asked).collect(),
        }
    }
}

fn window(from: i64, to: i64, mut ticks: Vec<i64>) -> Window {
    ticks.sort_unstable();
    ticks.dedup();
    let ticks = ticks.into_iter().map(PicoEurPerWh).collect();
    Window { from: PicoEurPerWh(from), to: PicoEurPerWh(to), ticks }
}

/// Where prices would lie if demand fell evenly between answers; in order.
fn guesses(located: &Located) -> Vec<i64> {
    let mut guesses = Vec::new();
    for window in &located.windows {
        guesses.extend([window.low, window.low + 1, window.high, window.high + 1]);
    }
    for Gap { left, right, above, below } in &located.gaps {
        let (width, above, below) = ((right - left) as i128, *above as i128, *below as i128);
        guesses.push(left + (width * above / (above + below).max(1)).clamp(0, width) as i64);
    }
    guesses.sort_unstable();
    guesses.dedup();
    guesses
}

/// The guesses that lie between `left` and `right`, and ticks ever further from each of them, `room` at
/// most.
fn around(left: i64, right: i64, guesses: &[i64], room: usize, ticks: &mut Vec<i64>) {
    let first = guesses.partition_point(|guess| *guess <= left);
    let within = guesses[first..].iter().take_while(|guess| **guess < right);
    let steps = (0..i64::BITS - 2).map(|power| 1i64 << power).take_while(|step| *step < right - left);
    for guess in within {
        let beside = steps.clone().flat_map(|step| [guess - step, guess + step]);
        let inside = std::iter::once(*guess).chain(beside).filter(|tick| (left + 1..right).contains(tick));
        ticks.extend(inside);
        if ticks.len() >= room {
            ticks.truncate(room);
            return;
        }
    }
}

/// How many equal parts close a gap of this width: in one round less than are left, in case the price
/// found must be asked for by itself, or if there is no room for that in all of them.
fn parts(width: i64, rounds_left: u32, room: usize) -> i64 {
    let spare = parts_in(width, rounds_left.saturating_sub(1).max(1));
    if spare as usize <= room {
        return spare;
    }
    parts_in(width, rounds_left).min(room as i64).max(2)
}

/// The least number whose `rounds`-th power is at least `width`.
fn parts_in(width: i64, rounds: u32) -> i64 {
    let enough = |parts: i64| (parts as i128).checked_pow(rounds).is_none_or(|reach| reach >= width as i128);
    let (mut few, mut many) = (1, width.max(2));
    while many - few > 1 {
        let middle = few + (many - few) / 2;
        if enough(middle) {
            many = middle;
        } else {
            few = middle;
        }
    }
    many
}

/// The inner edges of `parts` equal parts, or every tick where there are no more than that.
fn divide(left: i64, right: i64, parts: i64, ticks: &mut Vec<i64>) {
    let width = (right - left) as i128;
    let parts = (parts as i128).min(width);
    ticks.extend((1..parts).map(|k| left + (width * k / parts) as i64));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(width: i64, rounds: u32, expected: i64) {
        assert_eq!(parts_in(width, rounds), expected, "{width} in {rounds}");
    }

    #[test]
    fn just_as_many_parts_as_close_a_gap_in_the_rounds_left() {
        check(2, 1, 2);
        check(1_000, 1, 1_000);
        check(1_000, 3, 10);
        check(1_001, 3, 11);
        check(2_000_000_000_001 / FIRST_PARTS, 4, 354);
    }

    #[test]
    fn ticks_around_a_guess_stay_within_the_gap_and_the_room() {
        let around = |left, right, guesses: &[i64], room| {
            let mut ticks = Vec::new();
            around(left, right, guesses, room, &mut ticks);
            ticks
        };
        assert_eq!(around(0, 10, &[-5, 0, 4, 10, 11], 100), [4, 3, 5, 2, 6, 8]);
        assert_eq!(around(0, 10, &[4], 3), [4, 3, 5]);
        assert_eq!(around(0, 10, &[0, 10], 100), [0i64; 0]);
    }
}
