//! Reactive power of an award, split over the sites that offered it: pro rata of their ranges, to the
//! millivar, in order of account.

use super::allocation::AwardError;
use super::rounds::FixedBids;
use market::grid::volt_var::shares;
use market::units::Millivar;
use wire::message::{Award, ReactiveAward, ReactiveFirm};

/// What each site of one interval was allocated of reactive power.
#[derive(Clone, Debug, Default)]
pub(super) struct ReactiveShares {
    /// By bus, as awarded.
    awards: Vec<ReactiveAward>,
    /// In the order of the fixed bids; nothing for those that offered none.
    allocations: Vec<Millivar>,
    /// For each fixed bid that offered any, the place of its bus in `awards`.
    award_of: Vec<Option<usize>>,
}

impl ReactiveShares {
    /// Splits what `award` says of reactive power.
    ///
    /// # Errors
    /// Where it names other buses or ranges than were offered, or more than they reach.
    pub fn by(fixed: &FixedBids, award: &Award) -> Result<Self, AwardError> {
        let offered = fixed.reactive();
        let told = award.reactive.iter().map(|at| (&at.bus, at.range));
        if !told.eq(offered.iter().map(|at| (&at.bus, at.range))) {
            return Err(AwardError::OtherReactive);
        }
        let mut allocations = vec![Millivar::ZERO; fixed.bids.len()];
        let mut award_of = vec![None; fixed.bids.len()];
        for (number, at) in award.reactive.iter().enumerate() {
            let places = fixed.places.get(&at.bus).map_or(&[][..], Vec::as_slice);
            let ranges: Vec<Millivar> =
                places.iter().map(|place| fixed.bids[*place].reactive_range).collect();
            let beyond = || AwardError::BeyondReactive {
                bus: at.bus.clone(),
                allocation: at.allocation,
                range: at.range,
            };
            let split = shares(at.allocation, &ranges).ok_or_else(beyond)?;
            for ((place, range), share) in places.iter().zip(ranges).zip(split) {
                if range > Millivar::ZERO {
                    (allocations[*place], award_of[*place]) = (share, Some(number));
                }
            }
        }
        Ok(Self { awards: award.reactive.clone(), allocations, award_of })
    }

    /// By bus, as awarded.
    pub fn awards(&self) -> &[ReactiveAward] {
        &self.awards
    }

    /// In the order of the fixed bids.
    pub fn allocations(&self) -> &[Millivar] {
        &self.allocations
    }

    /// What is told to the site at `place` of the fixed bids; none where it offered none.
    pub fn firm(&self, place: usize) -> Option<ReactiveFirm> {
        let award = self.awards.get((*self.award_of.get(place)?)?)?;
        Some(ReactiveFirm { award: award.clone(), allocation: self.allocations[place] })
    }
}
