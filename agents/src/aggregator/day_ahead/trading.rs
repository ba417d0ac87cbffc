//! One session at the aggregator, from gate closure until its intervals are delivered.

use super::allocation::AllocatedSession;
use super::answer::answer;
use super::fixed::{FixedBid, FixedSession};
use super::held::PositionsFile;
use crate::aggregator::once::Once;
use crate::missed::Asking;
use market::parameters::MarketParameters;
use market::units::{Milliwatt, PicoEurPerWh};
use serde_bytes::ByteBuf;
use wire::entry::SitePosition;
use wire::message::day_ahead::{
    DayAheadAward, DayAheadDemand, DayAheadFinalDemand, DayAheadFirm, DayAheadQuestion,
};
use wire::party::PartyId;

/// What follows from a session's decision.
pub(in crate::aggregator) struct DecidedSession {
    /// To each site, what it bought and sold.
    pub firm: Vec<(PartyId, DayAheadFirm)>,
    /// The same, as deliveries state it.
    pub positions: PositionsFile,
}

/// One session.
pub(super) struct SessionTrading {
    /// The bids it is cleared on.
    pub fixed: FixedSession,
    said: Once<DayAheadQuestion, DayAheadAward, AllocatedSession>,
    decided: bool,
    /// When to ask whether it is.
    asking: Asking,
}

impl SessionTrading {
    pub fn new(fixed: FixedSession) -> Self {
        Self { fixed, said: Once::default(), decided: false, asking: Asking::at_once() }
    }

    /// Answers the DSO's question, one a round.
    ///
    /// # Errors
    /// In words, why the question is none.
    pub fn answer(
        &mut self,
        parameters: &MarketParameters,
        question: &DayAheadQuestion,
    ) -> Result<DayAheadDemand, String> {
        let answers = answer(parameters, &self.fixed, question).map_err(|error| error.to_string())?;
        let DayAheadQuestion { session, round, .. } = question;
        // Sessions are not kept: one that is killed in its rounds is lost to them.
        let _first = self.said.ask(*round, question)?;
        Ok(DayAheadDemand { session: *session, round: *round, answers })
    }

    /// Takes the DSO's award, once.
    ///
    /// # Errors
    /// In words, why the award does not fit.
    pub fn award(
        &mut self,
        parameters: &MarketParameters,
        tolerance: PicoEurPerWh,
        award: &DayAheadAward,
        real_ms: u64,
    ) -> Result<DayAheadFinalDemand, String> {
        let rounds = self.said.rounds();
        let of = format!("the session of {}", award.session);
        if self.said.allocated().is_none() {
            self.asking = Asking::later(real_ms);
        }
        let allocate = || AllocatedSession::by(parameters, tolerance, &self.fixed, award);
        let allocated = self.said.award(award, of, allocate)?;
        Ok(allocated.final_demand(&self.fixed, rounds))
    }

    /// Whether it waits for its clearing to be decided.
    pub fn awaits_decision(&self) -> bool {
        self.said.allocated().is_some() && !self.decided
    }

    /// Whether to ask now if it is decided.
    pub fn asks(&mut self, real_ms: u64) -> bool {
        self.awaits_decision() && self.asking.is_due(real_ms)
    }

    /// Its clearing is decided with the prices of `price_at` (place of the interval, of the bus): each site's
    /// positions.
    ///
    /// # Errors
    /// In words: the prices decided are not those we were awarded.
    pub fn decide(
        &mut self,
        price_at: impl Fn(usize, u32) -> Option<PicoEurPerWh>,
        finality: &ByteBuf,
    ) -> Result<DecidedSession, String> {
        let Some((award, allocated)) = self.said.allocated() else {
            return Err("it was not awarded".to_owned());
        };
        let same = award.intervals.iter().enumerate().all(|(interval, at)| {
            award.buses.iter().zip(at).all(|(bus, (price, _))| price_at(interval, *bus) == Some(*price))
        });
        if !same {
            return Err(format!(
                "the clearing decided for the session of {} is not our award",
                award.session
            ));
        }
        let sites = self.fixed.bids.iter().enumerate();
        let firm = sites.filter_map(|(place, bid)| {
            Some((bid.site.clone(), allocated.firm(&self.fixed, place, finality)?))
        });
        let decided = DecidedSession { firm: firm.collect(), positions: self.positions(allocated) };
        self.decided = true;
        Ok(decided)
    }

    /// What its sites bought and sold in each interval.
    fn positions(&self, allocated: &AllocatedSession) -> PositionsFile {
        let leaf = |(bid, position): (&FixedBid, &Milliwatt)| SitePosition {
            account: bid.account.clone(),
            bid_hash: bid.bid_hash,
            position: *position,
        };
        let of_interval = |positions: &[Milliwatt]| self.fixed.bids.iter().zip(positions).map(leaf).collect();
        PositionsFile {
            session: self.fixed.session,
            intervals: allocated.positions().map(of_interval).collect(),
        }
    }
}
