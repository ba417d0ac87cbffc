//! What an aggregator says once of an interval or a session, however often it is asked: one answer a round, since
//! answering without end would give the curves away, and one award's demand, since two signed ones would let
//! the DSO choose.

use std::collections::BTreeMap;
use std::fmt::Display;

/// Questions `Q` by round, and the award `A` with what it gives each site.
pub(super) struct Once<Q, A, L> {
    asked: BTreeMap<u32, Q>,
    allocated: Option<(A, L)>,
    /// Rounds asked before this began.
    before: u32,
}

impl<Q, A, L> Default for Once<Q, A, L> {
    fn default() -> Self {
        Self { asked: BTreeMap::new(), allocated: None, before: 0 }
    }
}

impl<Q, A, L> Once<Q, A, L> {
    /// After so many rounds, with this award taken.
    pub fn awarded(rounds: u32, award: A, allocated: L) -> Self {
        Self { asked: BTreeMap::new(), allocated: Some((award, allocated)), before: rounds }
    }
}

impl<Q: Clone + PartialEq, A: Clone + PartialEq, L> Once<Q, A, L> {
    /// Notes a sound question. Whether it is the first in this round.
    ///
    /// # Errors
    /// In words: another one was asked in this round.
    pub fn ask(&mut self, round: u32, question: &Q) -> Result<bool, String> {
        match self.asked.get(&round) {
            Some(first) if first != question => {
                Err(format!("round {round} was asked before, at other prices"))
            }
            Some(_) => Ok(false),
            None => {
                self.asked.insert(round, question.clone());
                Ok(true)
            }
        }
    }

    /// The last round in which it was asked; 0 before the first.
    pub fn rounds(&self) -> u32 {
        self.asked.keys().last().copied().unwrap_or(0).max(self.before)
    }

    /// What the award gives each site, by `allocate` the first time.
    ///
    /// # Errors
    /// In words: another award for the same, named by `of`, was taken; or why this one does not fit.
    pub fn award<E: Display>(
        &mut self,
        award: &A,
        of: impl Display,
        allocate: impl FnOnce() -> Result<L, E>,
    ) -> Result<&L, String> {
        let allocated = match self.allocated.take() {
            Some(first) if first.0 != *award => {
                self.allocated = Some(first);
                return Err(format!("another award for {of} was taken before"));
            }
            Some(same) => same,
            None => (award.clone(), allocate().map_err(|error| error.to_string())?),
        };
        Ok(&self.allocated.insert(allocated).1)
    }

    /// The award taken, with what it gives each site.
    pub fn allocated(&self) -> Option<&(A, L)> {
        self.allocated.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_has_one_question_and_an_interval_one_award() {
        let mut once = Once::<&str, &str, usize>::default();
        assert_eq!(once.rounds(), 0);
        assert_eq!(
            [once.ask(1, &"a"), once.ask(1, &"a"), once.ask(2, &"b")],
            [Ok(true), Ok(false), Ok(true)]
        );
        assert_eq!(once.ask(1, &"b"), Err("round 1 was asked before, at other prices".to_owned()));
        assert_eq!(once.rounds(), 2);
        let mut award = |award, outcome| once.award(&award, "noon", || outcome).copied();
        assert_eq!(award("a", Err("too much")), Err("too much".to_owned()));
        assert_eq!(award("a", Ok(7)), Ok(7));
        assert_eq!(award("a", Err("not asked again")), Ok(7));
        assert_eq!(award("b", Ok(8)), Err("another award for noon was taken before".to_owned()));
        assert_eq!(award("a", Ok(9)), Ok(7));
        assert_eq!(once.allocated(), Some(&("a", 7)));
    }
}
