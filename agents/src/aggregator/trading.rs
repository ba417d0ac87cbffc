//! One interval at the aggregator, from gate closure until its delivery is on the ledger.

use super::allocation::Allocated;
use super::answer::answer;
use super::delivery::{Filing, Readings, StoredBatch};
use super::kept::{KeptReading, KeptTrading};
use super::once::Once;
use super::rounds::FixedBids;
use crate::missed::Asking;
use ledger::archive::TableError;
use market::dlmp::BusDlmp;
use market::interval::Interval;
use market::parameters::MarketParameters;
use market::units::PicoEurPerWh;
use serde_bytes::ByteBuf;
use wire::entry::{DeliveryEntry, SitePosition};
use wire::message::{Award, Decision, Demand, FinalDemand, Firm, PriceQuestion};
use wire::party::PartyId;

/// Real time after which batches that could not be stored are stored again.
const RETRY_STORE_MS: u64 = 5_000;
/// Real time after which a delivery that is not decided is submitted again: a little longer than links
/// repeat one submission.
const RESUBMIT_MS: u64 = 150_000;

/// One interval.
pub(super) struct Trading {
    /// The bids it is cleared on.
    pub fixed: FixedBids,
    /// The figures under which its gate closed, and how far from its price demand may reach.
    by: (MarketParameters, PicoEurPerWh),
    said: Once<PriceQuestion, Award, Allocated>,
    decided: bool,
    /// When to ask what is decided of it.
    asking: Asking,
    /// Whether it goes on from files: its clearing may have been decided unheard.
    restored: bool,
    /// Meter readings so far.
    pub readings: Readings,
    ended_real_ms: Option<u64>,
    stage: Stage,
}

/// How far the delivery has come.
enum Stage {
    /// Readings come in. After a failed attempt to store them, not tried again before this real time.
    Reading { not_before_ms: u64 },
    /// The batches are being stored; then this is submitted.
    Storing(DeliveryEntry),
    /// Submitted, at this real time the last time, not decided yet.
    Submitted { entry: DeliveryEntry, at_ms: u64 },
    /// On the ledger.
    Decided,
}

/// What is due for an interval's delivery.
#[derive(Debug)]
pub(super) enum Due {
    /// Nothing yet.
    Nothing,
    /// These batches are to be stored.
    Store {
        /// Bids and readings.
        batches: Vec<StoredBatch>,
        /// Whether every site's reading is in them.
        complete: bool,
    },
    /// This is to be submitted once more.
    SubmitAgain(DeliveryEntry),
}

impl Trading {
    pub fn new(fixed: FixedBids, by: (MarketParameters, PicoEurPerWh)) -> Self {
        Self {
            fixed,
            by,
            said: Once::default(),
            decided: false,
            asking: Asking::at_once(),
            restored: false,
            readings: Readings::default(),
            ended_real_ms: None,
            stage: Stage::Reading { not_before_ms: 0 },
        }
    }

    /// As it was kept, with the readings that had come in.
    ///
    /// # Errors
    /// In words: what was kept does not fit together.
    pub fn restored(kept: KeptTrading, readings: Vec<KeptReading>) -> Result<Self, String> {
        let KeptTrading { interval, parameters, tolerance, rounds, award, bids, places } = kept;
        let fixed = FixedBids::restored(interval, bids, places);
        let fixed =
            fixed.ok_or_else(|| format!("what was kept of {interval} names bids it does not have"))?;
        let allocated =
            Allocated::by(&parameters, tolerance, &fixed, &award).map_err(|error| error.to_string())?;
        let said = Once::awarded(rounds, award, allocated);
        let mut trading = Self { said, restored: true, ..Self::new(fixed, (parameters, tolerance)) };
        trading.readings.restore(readings);
        Ok(trading)
    }

    /// What must outlast the process, once it is awarded.
    pub fn kept(&self) -> Option<KeptTrading> {
        let (award, _) = self.said.allocated()?;
        Some(KeptTrading::of(&self.fixed, self.by, (self.said.rounds(), award)))
    }

    /// The same, after these questions were answered by a process before this one.
    pub fn after(mut self, asked: &[PriceQuestion]) -> Self {
        for question in asked {
            // What was answered then was the first of its round.
            let _first = self.said.ask(question.round, question);
        }
        self
    }

    /// Answers the DSO's question, one a round; and whether it is the first of its round.
    ///
    /// # Errors
    /// In words, why the question is none.
    pub fn answer(&mut self, question: &PriceQuestion) -> Result<(Demand, bool), String> {
        let buses = answer(&self.by.0, &self.fixed, question).map_err(|error| error.to_string())?;
        let PriceQuestion { interval, round, .. } = question;
        let first = self.said.ask(*round, question)?;
        Ok((Demand { interval: *interval, round: *round, buses }, first))
    }

    /// Takes the DSO's award, once.
    ///
    /// # Errors
    /// In words, why the award does not fit.
    pub fn award(&mut self, award: &Award, real_ms: u64) -> Result<FinalDemand, String> {
        let (parameters, tolerance) = &self.by;
        let rounds = self.said.rounds();
        if self.said.allocated().is_none() {
            self.asking = Asking::later(real_ms);
        }
        let allocate = || Allocated::by(parameters, *tolerance, &self.fixed, award);
        let allocated = self.said.award(award, award.interval, allocate)?;
        Ok(allocated.final_demand(&self.fixed, rounds))
    }

    /// What it answered to its award, to be said again by who goes on from files: the DSO may never have heard it.
    pub fn final_demand(&self) -> Option<FinalDemand> {
        let (_, allocated) = self.said.allocated()?;
        Some(allocated.final_demand(&self.fixed, self.said.rounds()))
    }

    /// Whether it waits for its clearing to be decided.
    pub fn awaits_decision(&self) -> bool {
        self.said.allocated().is_some() && !self.decided
    }

    /// What to ask validators for now: what of it should be decided by now and was not heard of.
    pub fn asks(&mut self, real_ms: u64) -> Option<Decision> {
        let decided = match self.stage {
            Stage::Submitted { .. } => Decision::Delivery,
            _ if self.awaits_decision() => Decision::Clearing,
            _ => return None,
        };
        self.asking.is_due(real_ms).then_some(decided)
    }

    /// Its clearing is decided, at the prices that `price_at` gives, made of `parts_at`: each site's firm
    /// price.
    ///
    /// # Errors
    /// In words: the prices decided are not those we were awarded.
    pub fn decide(
        &mut self,
        price_at: impl Fn(&str) -> Option<PicoEurPerWh>,
        parts_at: impl Fn(&str) -> Option<BusDlmp>,
        finality: &ByteBuf,
    ) -> Result<Vec<(PartyId, Firm)>, String> {
        let Some((award, allocated)) = self.said.allocated() else { return Ok(Vec::new()) };
        if !award.buses.iter().all(|at| price_at(&at.bus) == Some(at.price)) {
            return Err(format!("the clearing decided for {} is not our award", award.interval));
        }
        self.decided = true;
        let sites = self.fixed.bids.iter().enumerate();
        let firm = sites.filter_map(|(place, bid)| {
            Some((bid.site.clone(), allocated.firm(&self.fixed, place, &parts_at, finality)?))
        });
        Ok(firm.collect())
    }

    /// Its end has come.
    pub fn end(&mut self, real_ms: u64) {
        self.ended_real_ms.get_or_insert(real_ms);
    }

    /// What is due now. The batches, once the interval has ended, is cleared for good, and all readings are in
    /// or were waited for long enough; the entry again, where it takes too long to be decided.
    ///
    /// # Errors
    /// Where the batches have no encoding.
    pub fn due(
        &mut self,
        real_ms: u64,
        grace_ms: u64,
        filing: &Filing<'_>,
        positions: impl Fn() -> Vec<SitePosition>,
    ) -> Result<Due, TableError> {
        let (Some(ended), true, Some((_, allocated))) =
            (self.ended_real_ms, self.decided || self.restored, self.said.allocated())
        else {
            return Ok(Due::Nothing);
        };
        match &mut self.stage {
            Stage::Reading { not_before_ms } if real_ms >= *not_before_ms => {
                let complete = self.readings.complete(&self.fixed);
                if !complete && real_ms < ended.saturating_add(grace_ms) {
                    return Ok(Due::Nothing);
                }
                *not_before_ms = real_ms + RETRY_STORE_MS;
                let batches = self.readings.batches(filing, &self.fixed, allocated)?;
                let settled = self.readings.entry(&self.fixed, allocated, filing.place, &batches);
                self.stage = Stage::Storing(DeliveryEntry { positions: positions(), ..settled });
                Ok(Due::Store { batches: batches.into(), complete })
            }
            Stage::Submitted { entry, at_ms } if real_ms >= at_ms.saturating_add(RESUBMIT_MS) => {
                *at_ms = real_ms;
                Ok(Due::SubmitAgain(entry.clone()))
            }
            _ => Ok(Due::Nothing),
        }
    }

    /// The batches are durable: what is to be submitted, the first time this is said.
    pub fn stored(&mut self, real_ms: u64) -> Option<DeliveryEntry> {
        let Stage::Storing(entry) = &self.stage else { return None };
        let entry = entry.clone();
        self.stage = Stage::Submitted { entry: entry.clone(), at_ms: real_ms };
        self.asking = Asking::later(real_ms);
        Some(entry)
    }

    /// The batches could not be stored.
    pub fn not_stored(&mut self, real_ms: u64) {
        self.stage = Stage::Reading { not_before_ms: real_ms + RETRY_STORE_MS };
    }

    /// Whether readings still count: its batches are not fixed.
    pub fn takes_readings(&self) -> bool {
        matches!(self.stage, Stage::Reading { .. })
    }

    /// Its delivery is on the ledger.
    pub fn delivered(&mut self) {
        self.decided = true;
        self.stage = Stage::Decided;
    }

    /// Which interval.
    pub fn interval(&self) -> Interval {
        self.fixed.interval
    }

    /// Whether it was cleared and its delivery has not been decided.
    pub fn owes_delivery(&self) -> bool {
        self.decided && !matches!(self.stage, Stage::Decided)
    }
}
