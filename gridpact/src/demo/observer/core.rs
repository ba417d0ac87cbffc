//! What the onlooker makes of the messages it hears: one account an interval. Pure: messages in,
//! accounts out.

use super::day_ahead::{AheadAccount, Ledgers};
use agents::chain::{Chain, ChainError};
use agents::price_parts::PriceParts;
use agents::roster::RosterError;
use agents::terms::Terms;
use ledger::contracts::rules::Rules;
use ledger::follower::FollowError;
use ledger::genesis::Genesis;
use market::dlmp::Dlmp;
use market::interval::Interval;
use market::parameters::MarketParameters;
use market::units::{Millijoule, Millivar, Milliwatt, PicoEurPerWh};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use thiserror::Error;
use wire::entry::{ClearingEntry, DayAheadEntry, DeliveryEntry, Entry, SignedEnvelope};
use wire::envelope::Opened;
use wire::message::day_ahead::DayAheadFinalDemand;
use wire::message::{Body, MessageRef};
use wire::party::Registry;

/// One interval, as the ledger and the messages around it tell it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntervalAccount {
    /// Price at the grid supply point, lowest and highest local price; none until it is cleared.
    pub prices: Option<[PicoEurPerWh; 3]>,
    /// The bus whose price lies furthest from the grid supply point's, and what it is made of.
    pub furthest: Option<(String, Dlmp)>,
    /// Rounds between DSO and aggregators that its clearing took, as the aggregators signed them.
    pub rounds: u32,
    /// Net import cleared.
    pub import: Milliwatt,
    /// From the DSO's submission of the clearing to the first copy of its decided block, in milliseconds
    /// between the two messages' times of issue.
    pub finality_ms: Option<u64>,
    /// From gate closure to the last site's report of setpoints written and read back, likewise.
    pub round_ms: Option<u64>,
    /// Sites with a commitment.
    pub commitments: usize,
    /// Sites whose meter reading is on the ledger.
    pub readings: usize,
    /// Sum of the energy committed by sites with a reading.
    pub committed: Millijoule,
    /// Sum of the energy they delivered.
    pub delivered: Millijoule,
    /// Sum over sites of how far each was from its commitment.
    pub deviation: Millijoule,
    /// Reactive power that sites were committed to give or absorb, whichever.
    pub reactive: Millivar,
    /// Aggregators whose deliveries are settled.
    pub settled: usize,
    /// Setpoints written and read back as written.
    pub setpoints: u64,
    /// Devices that did not take theirs.
    pub faults: usize,
    /// What was cleared for it day-ahead; none where no session did.
    pub ahead: Option<AheadAccount>,
    local_prices: Vec<PicoEurPerWh>,
    gate_closed_ms: Option<u64>,
    reported: BTreeSet<MessageRef>,
}

/// Blocks kept until one before them is heard, which changed whose votes decide.
const MOST_WAITING: usize = 64;

/// Why a block heard of does not count.
#[derive(Debug, Error)]
pub enum ObserverError {
    /// None, or not decided by those who were to.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// What was voted for makes no market.
    #[error(transparent)]
    Terms(#[from] RosterError),
}

/// The onlooker.
pub struct ObserverCore {
    chain: Chain,
    /// What the next block is made under, as far as was heard, and what follows from it.
    rules: Arc<Rules>,
    ledgers: Ledgers,
    parameters: MarketParameters,
    price_parts: PriceParts,
    /// Place of the grid supply point among the feeder's buses.
    root: usize,
    /// The feeder's buses.
    buses: Vec<String>,
    /// Blocks that came before one they follow from, with their messages' times of issue.
    waiting: VecDeque<(Vec<u8>, u64)>,
    blocks: u64,
    accounts: BTreeMap<Interval, IntervalAccount>,
}

impl ObserverCore {
    /// An onlooker of the ledger that starts from `genesis`.
    ///
    /// # Errors
    /// Where the genesis makes no market.
    pub fn new(genesis: &Genesis) -> Result<Self, RosterError> {
        let feeder = &genesis.feeder;
        let chain = Chain::new(genesis)?;
        let terms = Terms::of(chain.rules());
        Ok(Self {
            rules: chain.rules().clone(),
            ledgers: Ledgers::new(&terms)?,
            parameters: terms.parameters,
            price_parts: PriceParts::new(&terms)?,
            root: feeder.buses.iter().position(|bus| *bus == feeder.root).unwrap_or(0),
            buses: feeder.buses.clone(),
            waiting: VecDeque::new(),
            blocks: 0,
            accounts: BTreeMap::new(),
            chain,
        })
    }

    /// Everyone's keys, as far as the ledger was followed.
    pub fn registry(&self) -> &Arc<Registry> {
        self.chain.registry()
    }

    /// Takes in one message.
    ///
    /// # Errors
    /// Where it is no decided block.
    pub fn hear(&mut self, message: &Opened) -> Result<(), ObserverError> {
        match &message.body {
            Body::Tick(tick) => {
                let parameters = self.parameters;
                let next = parameters.next(parameters.interval_at(tick.now));
                if parameters.gate_closure(next) <= tick.now {
                    self.accounts.entry(next).or_default().gate_closed_ms.get_or_insert(message.issued_ms);
                }
            }
            Body::SetpointReport(report) => {
                let account = self.accounts.entry(report.interval).or_default();
                if !account.reported.insert(message.id.clone()) {
                    // Repeated until it is acknowledged.
                    return Ok(());
                }
                account.setpoints += u64::from(report.confirmed);
                account.faults += report.faults.len();
                let since_ms = account.gate_closed_ms.map(|closed| message.issued_ms.saturating_sub(closed));
                account.round_ms = account.round_ms.max(since_ms);
            }
            Body::Block(bytes) => self.hear_block(bytes, message.issued_ms)?,
            _ => {}
        }
        Ok(())
    }

    /// A block, and those that waited for it.
    fn hear_block(&mut self, bytes: &[u8], issued_ms: u64) -> Result<(), ObserverError> {
        match self.take(bytes, issued_ms) {
            Err(ObserverError::Chain(ChainError::Follow(FollowError::Behind { .. }))) => {
                if self.waiting.len() == MOST_WAITING {
                    self.waiting.pop_front();
                }
                self.waiting.push_back((bytes.to_vec(), issued_ms));
                return Ok(());
            }
            taken => taken?,
        }
        if Arc::ptr_eq(self.chain.rules(), &self.rules) {
            return Ok(());
        }
        std::mem::take(&mut self.waiting).into_iter().try_for_each(|(bytes, ms)| self.hear_block(&bytes, ms))
    }

    fn take(&mut self, bytes: &[u8], issued_ms: u64) -> Result<(), ObserverError> {
        self.turn()?;
        let Some(decided) = self.chain.take(bytes)? else { return Ok(()) };
        self.blocks += 1;
        for envelope in decided.envelopes() {
            // Validators voted for the block, so its entries open.
            let Some(entry) = self.chain.opened(envelope) else { continue };
            let took_ms = issued_ms.saturating_sub(entry.issued_ms);
            match entry.body {
                Body::Submit(Entry::Clearing(clearing)) => self.cleared(&clearing, took_ms),
                Body::Submit(Entry::DayAhead(session)) => self.cleared_ahead(&session),
                Body::Submit(Entry::Delivery(delivery)) => self.delivered(&delivery),
                _ => {}
            }
        }
        Ok(())
    }

    /// Goes by what the next block is made under.
    fn turn(&mut self) -> Result<(), ObserverError> {
        if !Arc::ptr_eq(self.chain.rules(), &self.rules) {
            self.rules = self.chain.rules().clone();
            let terms = Terms::of(&self.rules);
            self.parameters = terms.parameters;
            self.price_parts = PriceParts::new(&terms)?;
            self.ledgers = Ledgers::new(&terms).map_err(RosterError::from)?;
        }
        Ok(())
    }

    fn cleared(&mut self, clearing: &ClearingEntry, took_ms: u64) {
        let lowest = clearing.prices.iter().min().copied().unwrap_or_default();
        let highest = clearing.prices.iter().max().copied().unwrap_or_default();
        let at_root = clearing.prices.get(self.root).copied().unwrap_or(lowest);
        let parts = self.price_parts.of(clearing).unwrap_or_default();
        let parts = self.buses.iter().cloned().zip(parts.into_iter().map(|parts| parts.real));
        let account = self.accounts.entry(clearing.interval).or_default();
        account.furthest = parts.max_by_key(|(_, real)| real.beyond_energy());
        account.prices = Some([at_root, lowest, highest]);
        account.rounds = clearing.rounds;
        account.import = clearing.import;
        account.local_prices = clearing.prices.clone();
        account.finality_ms = Some(took_ms);
    }

    fn cleared_ahead(&mut self, session: &DayAheadEntry) {
        let demand = |raw: &SignedEnvelope| match self.chain.evidence(raw) {
            Some(Body::DayAheadFinalDemand(demand)) => Some(demand),
            _ => None,
        };
        let demands: Vec<DayAheadFinalDemand> = session.demands.iter().filter_map(demand).collect();
        for (interval, ahead) in self.ledgers.session(session, &demands) {
            self.accounts.entry(interval).or_default().ahead = Some(ahead);
        }
    }

    fn delivered(&mut self, delivery: &DeliveryEntry) {
        let interval_s = self.parameters.interval_s;
        let account = self.accounts.entry(delivery.interval).or_default();
        account.settled += 1;
        if let Some(ahead) = &mut account.ahead {
            self.ledgers.deliver(ahead, delivery, &account.local_prices);
        }
        for site in &delivery.sites {
            account.commitments += 1;
            account.reactive.0 += site.reactive.0.abs();
            if let Some(energy) = site.energy {
                let committed = site.commitment.over_seconds(interval_s);
                account.readings += 1;
                account.committed += committed;
                account.delivered += energy;
                account.deviation += Millijoule((energy - committed).0.abs());
            }
        }
    }

    /// Every interval heard of, by time.
    pub fn accounts(&self) -> &BTreeMap<Interval, IntervalAccount> {
        &self.accounts
    }

    /// How many blocks were heard of; where none was missed, the last one's height.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }
}
