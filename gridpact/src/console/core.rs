//! What the console knows of a market: its decided blocks taken apart by interval, site and validator. Pure: blocks and
//! messages in, figures out. What of it is shown to whom, [`super::views`] says.

use super::grid::{self, Spot};
use super::heard::Heard;
use agents::price_parts::PriceParts;
use agents::terms::Terms;
use ledger::block::vote::VoteCertificate;
use ledger::block::DecidedBlock;
use ledger::governed::roster::Roster;
use ledger::query::View;
use ledger::store::remembered::RememberedEntry;
use market::dlmp::BusDlmp;
use market::interval::Interval;
use market::powerflow::PowerFlow;
use market::share::Demand;
use market::supply::SupplyCurve;
use market::units::{Milliwatt, NanoEur, PicoEurPerWh};
use std::collections::{BTreeMap, VecDeque};
use wire::entry::{ClearingEntry, DayAheadEntry, DeliveryEntry, Entry, SignedEnvelope};
use wire::envelope::{claimed, Opened};
use wire::message::Body;
use wire::party::Id;

/// Intervals kept: two days of quarter hours.
pub const KEPT_INTERVALS: usize = 192;
/// Blocks kept.
pub const KEPT_BLOCKS: usize = 256;

/// A decided block, and what is known of it besides.
pub struct Seen<'a> {
    /// The block.
    pub decided: &'a DecidedBlock,
    /// What its entries did; none where that is not remembered.
    pub did: Option<&'a [RememberedEntry]>,
    /// Who decided on it.
    pub roster: &'a Roster,
    /// Who decided on the block before.
    pub roster_before: &'a Roster,
    /// The wall clock when it was decided here, in milliseconds since 1970; none for a block of the past.
    pub now_ms: Option<u64>,
}

/// One block, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockLine {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: String,
    /// Its time by its proposer's clock, in milliseconds since 1970.
    pub time_ms: u64,
    /// Who built it.
    pub proposer: Id,
    /// Round in which it was decided.
    pub round: u32,
    /// Who voted for it, as its certificate has it.
    pub voters: Vec<Id>,
    /// Kinds of its entries.
    pub entries: Vec<String>,
    /// From its first entry's signature to its decision here, in milliseconds; none for a block of the past.
    pub final_after_ms: Option<u64>,
}

/// What is known of a validator by the votes in blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValidatorLine {
    /// Height of the last block it voted for.
    pub voted: Option<u64>,
    /// Height of the last block it built.
    pub proposed: Option<u64>,
}

/// One interval's clearing.
#[derive(Clone, Debug)]
pub struct Cleared {
    /// Height of its block.
    pub height: u64,
    /// Its place in the block.
    pub entry: usize,
    /// The clearing as it stands on the ledger.
    pub clearing: ClearingEntry,
    /// What prices are made of, in the order of buses.
    pub parts: Option<Vec<BusDlmp>>,
    /// What flows where everybody takes what was cleared.
    pub flow: Option<PowerFlow>,
    /// The import's price curve.
    pub supply: Option<SupplyCurve>,
    /// What aggregators signed at each bus: what their bids allow at its price, and what was allocated.
    pub demands: Vec<SignedDemand>,
    /// From its signature to its block's decision here, in milliseconds.
    pub final_after_ms: Option<u64>,
}

/// What an aggregator signed of one bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDemand {
    /// The aggregator.
    pub aggregator: Id,
    /// The bus.
    pub bus: String,
    /// What its bids allow there at the price.
    pub range: Demand,
    /// What was allocated.
    pub allocation: Milliwatt,
}

/// One aggregator's delivery.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Height of its block.
    pub height: u64,
    /// Its place in the block.
    pub entry: usize,
    /// The delivery as it stands on the ledger.
    pub delivery: DeliveryEntry,
    /// What accounts received for it; negative: paid. None where that is not remembered.
    pub payments: Option<BTreeMap<Id, NanoEur>>,
}

/// One interval.
#[derive(Clone, Debug, Default)]
pub struct IntervalBook {
    /// How it was cleared.
    pub cleared: Option<Cleared>,
    /// Its deliveries, by aggregator.
    pub settled: BTreeMap<Id, Settled>,
    /// Day-ahead price at each bus.
    pub ahead: Option<Vec<PicoEurPerWh>>,
}

/// What the console knows.
pub struct Book {
    /// The chain after its last block.
    pub view: View,
    /// Where buses are drawn.
    pub spots: Vec<Spot>,
    /// Intervals by time.
    pub intervals: BTreeMap<Interval, IntervalBook>,
    /// Blocks, the latest last.
    pub blocks: VecDeque<BlockLine>,
    /// Validators by name.
    pub validators: BTreeMap<Id, ValidatorLine>,
    /// What was heard beside the ledger.
    pub heard: Heard,
    /// Grows with everything taken in.
    pub revision: u64,
}

impl Book {
    /// Of a chain, nothing of which was taken in yet.
    pub fn new(view: View) -> Self {
        Self {
            spots: grid::layout(&view.rules.tree),
            view,
            intervals: BTreeMap::new(),
            blocks: VecDeque::new(),
            validators: BTreeMap::new(),
            heard: Heard::default(),
            revision: 0,
        }
    }

    /// The chain has come to here.
    pub fn turn(&mut self, view: View) {
        self.view = view;
        self.revision += 1;
    }

    /// Takes in a message whose signature holds.
    pub fn hear(&mut self, message: &Opened) {
        let interval_s = self.view.rules.parameters.interval_s;
        if self.heard.hear(message, interval_s) {
            self.revision += 1;
        }
    }

    /// Takes in a decided block.
    pub fn take(&mut self, seen: &Seen<'_>) {
        let (block, height) = (&seen.decided.block, seen.decided.height());
        let (mut kinds, mut issued_ms) = (Vec::new(), None);
        for (index, envelope) in block.entries.iter().enumerate() {
            let Some(opened) = self.opened(envelope) else { continue };
            let did = seen.did.and_then(|did| did.get(index));
            let after_ms = seen.now_ms.map(|now_ms| now_ms.saturating_sub(opened.issued_ms));
            issued_ms.get_or_insert(opened.issued_ms);
            let Body::Submit(entry) = opened.body else { continue };
            kinds.push(ledger::rights::EntryKind::of(&entry).word().to_owned());
            match entry {
                Entry::Clearing(clearing) => self.cleared((height, index), clearing, after_ms),
                Entry::DayAhead(session) => self.ahead(&session),
                Entry::Delivery(delivery) => {
                    let payments = did.map(|did| did.payments.iter().cloned().collect());
                    let settled = Settled { height, entry: index, delivery, payments };
                    let interval = self.intervals.entry(settled.delivery.interval).or_default();
                    interval.settled.insert(opened.topic.sender.id, settled);
                }
                _ => {}
            }
        }
        self.votes(seen, kinds, issued_ms);
        while self.intervals.len() > KEPT_INTERVALS {
            self.intervals.pop_first();
        }
        self.revision += 1;
    }

    fn votes(&mut self, seen: &Seen<'_>, entries: Vec<String>, issued_ms: Option<u64>) {
        let (header, height) = (&seen.decided.block.header, seen.decided.height());
        let certificate = &seen.decided.certificate;
        let voters = voters_of(certificate, seen.roster);
        // The next block has votes that came late, too.
        let late = seen.decided.block.previous_votes.as_ref();
        let late = late.map(|votes| voters_of(votes, seen.roster_before)).unwrap_or_default();
        let of_before = late.iter().map(|voter| (voter, height.saturating_sub(1)));
        for (voter, height) in of_before.chain(voters.iter().map(|voter| (voter, height))) {
            let line = self.validators.entry(voter.clone()).or_default();
            line.voted = line.voted.max(Some(height));
        }
        let proposer = self.validators.entry(header.proposer.clone()).or_default();
        proposer.proposed = proposer.proposed.max(Some(height));
        let final_after_ms = seen.now_ms.zip(issued_ms).map(|(now, issued)| now.saturating_sub(issued));
        self.blocks.push_back(BlockLine {
            height,
            hash: header.hash().to_string(),
            time_ms: header.time_ms,
            proposer: header.proposer.clone(),
            round: certificate.round,
            voters,
            entries,
            final_after_ms,
        });
        while self.blocks.len() > KEPT_BLOCKS {
            self.blocks.pop_front();
        }
    }

    /// What was signed in a decided block. Validators checked the signature, by the keys of that time.
    fn opened(&self, envelope: &SignedEnvelope) -> Option<Opened> {
        claimed(self.view.rules.verifier.network(), &envelope.topic, &envelope.bytes).ok()
    }

    fn cleared(&mut self, (height, entry): (u64, usize), clearing: ClearingEntry, after_ms: Option<u64>) {
        let rules = &self.view.rules;
        let supply = match self.opened(&clearing.supply).map(|opened| opened.body) {
            Some(Body::Supply(supply)) => Some(supply.curve),
            _ => None,
        };
        let mut demands = Vec::new();
        for opened in clearing.demands.iter().filter_map(|signed| self.opened(signed)) {
            let Body::FinalDemand(demand) = opened.body else { continue };
            demands.extend(demand.buses.into_iter().map(|(at, range)| SignedDemand {
                aggregator: opened.topic.sender.id.clone(),
                bus: at.bus,
                range,
                allocation: at.allocation,
            }));
        }
        let parts = PriceParts::new(&Terms::of(rules)).ok().and_then(|parts| parts.of(&clearing));
        let root_voltage = rules.governed.grid.as_ref().map_or(1_000_000, |grid| grid.root_voltage_micro_pu);
        let flow = grid::flow(&rules.feeder, &rules.tree, root_voltage, &clearing);
        let interval = self.intervals.entry(clearing.interval).or_default();
        let final_after_ms = after_ms;
        interval.cleared =
            Some(Cleared { height, entry, clearing, parts, flow, supply, demands, final_after_ms });
    }

    fn ahead(&mut self, session: &DayAheadEntry) {
        let rules = self.view.rules.clone();
        for (place, cleared) in session.clearing.intervals.iter().enumerate() {
            let interval = session.session.later(place as i64, rules.parameters.interval_s);
            let known = self.intervals.entry(interval).or_default();
            known.ahead = Some(cleared.by_bus(&rules.tree));
        }
    }

    /// The last interval that was cleared.
    pub fn latest(&self) -> Option<Interval> {
        self.intervals.iter().rev().find(|(_, book)| book.cleared.is_some()).map(|(interval, _)| *interval)
    }
}

/// Names of those who voted.
fn voters_of(votes: &VoteCertificate, roster: &Roster) -> Vec<Id> {
    let voter = |place: &u16| roster.0.get(usize::from(*place)).map(|(id, _)| id.clone());
    votes.signatures.iter().filter_map(|(place, _)| voter(place)).collect()
}
