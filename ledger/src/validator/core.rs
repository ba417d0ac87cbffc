//! What a validator does about what it is told. Pure: time, messages and the log's content come in
//! as data; what must be written, sent and answered goes out, in the order it must happen.

mod behind;
mod decision;
mod event;
mod late;
mod missed;
mod proposal;
mod saying;
mod summary;
mod witness;

pub use event::{Effect, Event, Now};

use super::candidates::Candidates;
use super::catch_up::CatchUp;
use super::download::Download;
use super::Timeouts;
use crate::block::vote::ValidatorIndex;
use crate::block::{Block, DecidedBlock, MAX_ENTRY_BYTES};
use crate::consensus::committee::Committee;
use crate::consensus::message::{ConsensusMessage, Record, Statement};
use crate::consensus::{Agreement, AgreementError, Input, Output, Timer, TimerKind};
use crate::contracts::rules::Rules;
use crate::double_clearing::Watch;
use crate::execute::{OpenedEntry, Tip};
use crate::follower::Summary;
use crate::mempool::Mempool;
use crate::query::View;
use crate::state::State;
use crate::store::Chain;
use broker::rate::{Bucket, Rate};
use serde_bytes::ByteBuf;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use wire::entry::SignedEnvelope;
use wire::envelope::Signer;
use wire::message::{MessageRef, Verdict};
use wire::party::{Id, PartyId};

/// Statements kept for the height after the one being decided: a few rounds of everyone's.
const MAX_EARLY: usize = 256;

/// Which validator it is.
#[derive(Clone, Debug)]
pub struct Me {
    /// Its name.
    pub name: Id,
    /// Its keys. At heights where the name has none of them, or is no validator, it follows and
    /// does not vote.
    pub signer: Arc<Signer>,
}
/// Entries accepted with an answer at once. Under more, signing answers would cost more than all the rest: who submits
/// sees the entry decided before it would ask again, or is answered then.
const ANSWERS: Rate = Rate { per_second: 200, burst: 200 };

/// A validator.
pub struct ValidatorCore {
    rules: Arc<Rules>,
    me: Me,
    /// Who decides the height after the tip.
    committee: Arc<Committee>,
    agreement: Box<dyn Agreement + Send>,
    timeouts: Timeouts,
    tip: Tip,
    state: State,
    pool: Mempool,
    /// Whether the height after the tip has begun. It does when there is something to decide.
    begun: bool,
    candidates: Candidates,
    /// A round in which we should propose and had nothing to.
    wanted: Option<u32>,
    timers: BTreeMap<Timer, u64>,
    early: VecDeque<(Statement, Option<ByteBuf>)>,
    catch_up: CatchUp,
    /// Validators we accused of contradicting themselves, and the ledger does not know yet.
    accused: BTreeSet<Id>,
    /// What DSOs signed lately.
    watch: Watch,
    /// What is told to those who ask what is governed.
    summary: Option<Arc<Summary>>,
    download: Download,
    /// Who was asked last.
    asked: Option<Id>,
    answered: Bucket,
    /// Blocks sent to those who missed them.
    sent: BTreeMap<PartyId, Bucket>,
    effects: Vec<Effect>,
}

impl ValidatorCore {
    /// Validator `me`, on a chain as its store has it.
    pub fn new(me: Me, agreement: Box<dyn Agreement + Send>, timeouts: Timeouts, chain: Chain) -> Self {
        let Chain { tip, state, rules } = chain;
        let committee = Arc::new(Committee::after(&state, &rules));
        let mut catch_up = CatchUp::new(timeouts.catch_up_ms);
        catch_up.set_peers(&me.name, &committee.validators);
        Self {
            rules,
            me,
            committee,
            agreement,
            timeouts,
            tip,
            state,
            pool: Mempool::default(),
            begun: false,
            candidates: Candidates::default(),
            wanted: None,
            timers: BTreeMap::new(),
            early: VecDeque::new(),
            catch_up,
            accused: BTreeSet::new(),
            watch: Watch::keeping(witness::WATCHED),
            summary: None,
            download: Download::default(),
            asked: None,
            answered: Bucket::default(),
            sent: BTreeMap::new(),
            effects: Vec::new(),
        }
    }

    /// Which validator it is.
    pub fn name(&self) -> &Id {
        &self.me.name
    }

    /// The last block decided.
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// How many entries are in no block yet.
    pub fn waiting(&self) -> usize {
        self.pool.count()
    }

    /// The state after it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Our place among those who decide the height after the tip; none where we do not.
    fn place(&self) -> Option<ValidatorIndex> {
        let place = self.committee.validators.index_of(&self.me.name)?;
        self.committee.validators.key_of(place).filter(|key| self.me.signer.holds(key)).map(|_| place)
    }

    /// The rules after it.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The chain as it stands, for whoever reads it.
    pub fn view(&self) -> View {
        View { tip: self.tip.clone(), state: Arc::new(self.state.clone()), rules: self.rules.clone() }
    }

    /// When [`Event::Poll`] is due, in milliseconds of real time.
    pub fn next_deadline(&self) -> Option<u64> {
        self.timers.values().copied().chain(self.catch_up.next_deadline()).min()
    }

    /// One step.
    ///
    /// # Errors
    /// Where going on could mean voting twice: stop.
    pub fn step(&mut self, now: Now, event: Event) -> Result<Vec<Effect>, AgreementError> {
        match event {
            Event::Started { records, decided } => self.started(now, records, &decided)?,
            Event::Submit { id, opened } => self.submitted(now, id.as_ref(), *opened)?,
            Event::Consensus { sender, bytes } => self.consensus(now, &sender, &bytes)?,
            Event::Statement { sender, bytes } => self.statement(now, &sender, &bytes)?,
            Event::DoubleClearing { proof } => self.told(&proof),
            Event::Block { bytes } => self.decided_block(now, &bytes)?,
            Event::Question { by, known } => self.asked(now, by, &known),
            Event::BlockQuestion { by, question } => self.missed(now, by, question),
            Event::Poll => self.poll(now)?,
        }
        Ok(event::in_order(std::mem::take(&mut self.effects)))
    }

    fn started(
        &mut self,
        now: Now,
        records: Vec<Record>,
        decided: &[SignedEnvelope],
    ) -> Result<(), AgreementError> {
        self.pool.decided(decided.iter());
        // One question, answered only if somebody is ahead of us; more where that may be lost.
        self.catch_up.started(now.real_ms);
        if let Some(of) = self.catch_up.next_peer() {
            self.ask(of);
        }
        if records.is_empty() {
            return Ok(());
        }
        for record in &records {
            if let Record::Bytes(bytes) = record {
                if let Ok(block) = Block::decode(bytes) {
                    let executed = self.execute(&block).ok();
                    self.candidates.insert(0, block, bytes.clone(), executed);
                }
            }
        }
        self.begin(now, records)
    }

    fn submitted(
        &mut self,
        now: Now,
        id: Option<&MessageRef>,
        opened: OpenedEntry,
    ) -> Result<(), AgreementError> {
        let size = opened.envelope.topic.len() + opened.envelope.bytes.len();
        if size > MAX_ENTRY_BYTES {
            self.refuse(id, "too-large", format!("an entry of {size} bytes is too large"));
            return Ok(());
        }
        self.witness(&opened);
        let at = self.tip.next(now.wall_ms);
        match self.pool.insert(&self.rules, (&self.state, at), opened, now.real_ms) {
            Ok(()) if self.answered.take(ANSWERS, 1, now.real_ms) => self.answer(id, Verdict::Accepted),
            Ok(()) => self.effects.extend(id.cloned().map(|of| Effect::AcceptWhenAsked { of })),
            Err(error) => {
                self.refuse(id, error.reason(), error.to_string());
                return Ok(());
            }
        }
        if !self.begun {
            return self.begin_if_needed(now);
        }
        match self.wanted {
            Some(round) if self.agreement.round() == Some(round) => match self.build(now, round) {
                Some(input) => self.run(now, input),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn consensus(&mut self, now: Now, sender: &Id, bytes: &[u8]) -> Result<(), AgreementError> {
        if *sender == self.me.name {
            // Agreement hears its own voice before it is published.
            return Ok(());
        }
        let by = self.committee.validators.index_of(sender).map(|_| sender);
        match ConsensusMessage::decode(bytes) {
            Ok(ConsensusMessage::Statement { statement, block }) => {
                self.stated(now, sender, statement, block)
            }
            Ok(ConsensusMessage::Decided(blocks)) => self.decided_blocks(now, &blocks, by),
            Ok(ConsensusMessage::Pruned { lowest, tip }) => {
                self.pruned(now, (lowest, tip), by);
                Ok(())
            }
            Ok(ConsensusMessage::SnapshotRequest { part, of }) => {
                if of == self.me.name {
                    self.snapshot_requested(now, part);
                }
                Ok(())
            }
            Ok(ConsensusMessage::Manifest(bytes)) => {
                self.manifest_offered(&bytes, by);
                Ok(())
            }
            Ok(ConsensusMessage::Chunk { height, index, bytes }) => {
                self.snapshot_chunk(now, (height, index), &bytes, by)
            }
            Ok(ConsensusMessage::Request { height, of }) => {
                let mine = of == self.me.name && (1..=self.tip.height).contains(&height);
                if mine && self.catch_up.may_answer(now.real_ms) {
                    self.effects.push(Effect::SendDecided { height });
                }
                Ok(())
            }
            Err(error) => {
                self.note("malformed", format!("a consensus message of validator {sender}: {error}"));
                Ok(())
            }
        }
    }

    fn statement(&mut self, now: Now, sender: &Id, bytes: &[u8]) -> Result<(), AgreementError> {
        match ConsensusMessage::decode(bytes) {
            Ok(ConsensusMessage::Statement { statement, block }) => {
                self.stated(now, sender, statement, block)
            }
            // Nothing else is believed without its envelope's signature.
            Ok(_) => Ok(()),
            Err(error) => {
                self.note("malformed", format!("a statement of validator {sender}: {error}"));
                Ok(())
            }
        }
    }

    fn stated(
        &mut self,
        now: Now,
        sender: &Id,
        statement: Statement,
        block: Option<ByteBuf>,
    ) -> Result<(), AgreementError> {
        if statement.height() == self.tip.height {
            self.heard_late(sender, statement);
            return Ok(());
        }
        self.heard(now, statement, block)
    }

    /// A statement about some height: ours, the next, or one that shows we are behind.
    fn heard(
        &mut self,
        now: Now,
        statement: Statement,
        block: Option<ByteBuf>,
    ) -> Result<(), AgreementError> {
        let (height, current) = (statement.height(), self.tip.height + 1);
        if height < current {
            return Ok(());
        }
        if height > current {
            self.catch_up.decided_elsewhere(height - 1, self.tip.height, now.real_ms);
            if height == current + 1 && self.early.len() < MAX_EARLY {
                self.early.push_back((statement, block));
            }
            return Ok(());
        }
        if self.place().is_none() {
            // Not ours to decide: whoever decides it tells us, or is asked.
            self.catch_up.decided_elsewhere(height, self.tip.height, now.real_ms);
            return Ok(());
        }
        if !self.begun {
            self.begin(now, Vec::new())?;
        }
        let input = match statement {
            Statement::Proposal(proposal) => match self.proposed(now, &proposal, block) {
                Ok(valid) => Input::Proposal { proposal, valid },
                Err(reason) => {
                    self.note("bad-proposal", reason);
                    return Ok(());
                }
            },
            Statement::Vote(vote) => Input::Vote(vote),
            Statement::Polka(polka) => Input::Polka(polka),
            Statement::Round(round) => Input::Round(round),
        };
        self.run(now, input)
    }

    /// A decided block from outside, believed for its votes.
    fn decided_block(&mut self, now: Now, bytes: &[u8]) -> Result<(), AgreementError> {
        let decided = match DecidedBlock::decode(bytes) {
            Ok(decided) => decided,
            Err(error) => {
                self.note("malformed", error.to_string());
                return Ok(());
            }
        };
        let height = decided.height();
        if height <= self.tip.height {
            return Ok(());
        }
        self.catch_up.decided_elsewhere(height, self.tip.height, now.real_ms);
        if height > self.tip.height + 1 {
            return Ok(());
        }
        if let Err(error) = self.rules.verifier.verify(&decided) {
            self.note("bad-block", error.to_string());
            return Ok(());
        }
        let known = self.candidates.remove(&decided.block.header.hash()).and_then(|known| known.executed);
        let executed = match known.map_or_else(|| self.execute(&decided.block), Ok) {
            Ok(executed) => executed,
            Err(error) => {
                self.note("bad-block", error);
                return Ok(());
            }
        };
        self.end_height(now)?;
        self.commit(now, (decided, bytes.to_vec()), executed, decision::Tell::Nobody);
        self.go_on(now)
    }

    fn poll(&mut self, now: Now) -> Result<(), AgreementError> {
        let due: Vec<Timer> =
            self.timers.iter().filter(|(_, at)| **at <= now.real_ms).map(|(timer, _)| *timer).collect();
        let stalled = due.iter().any(|timer| timer.kind == TimerKind::Rebroadcast);
        for timer in due {
            // An earlier one's consequences may have stopped this one.
            if self.timers.get(&timer).is_some_and(|at| *at <= now.real_ms) {
                self.timers.remove(&timer);
                self.run(now, Input::TimeUp(timer))?;
            }
        }
        // Where nothing moves, the others may have decided, and nobody says it a second time.
        let anyway = if stalled { self.catch_up.next_peer() } else { None };
        if let Some(of) = self.catch_up.ask(self.tip.height, now.real_ms).or(anyway) {
            self.ask(of);
        }
        Ok(())
    }

    fn begin_if_needed(&mut self, now: Now) -> Result<(), AgreementError> {
        if !self.begun && self.pool.has_ready() {
            self.begin(now, Vec::new())?;
        }
        Ok(())
    }

    fn begin(&mut self, now: Now, records: Vec<Record>) -> Result<(), AgreementError> {
        let Some(me) = self.place() else { return Ok(()) };
        self.begun = true;
        let committee = self.committee.clone();
        self.run(now, Input::Start { height: self.tip.height + 1, committee, me, records })
    }

    /// The height was decided without our agreement's saying so.
    fn end_height(&mut self, now: Now) -> Result<(), AgreementError> {
        if self.begun {
            self.run(now, Input::End)?;
        }
        Ok(())
    }

    /// Feeds agreement and does what it wants done, until it wants nothing more.
    fn run(&mut self, now: Now, input: Input) -> Result<(), AgreementError> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let mut decision = None;
            for output in self.agreement.step(input)? {
                match output {
                    Output::NeedBlock { round } => inputs.extend(self.build(now, round)),
                    Output::Decided { block, certificate } => decision = Some((block, certificate)),
                    other => self.perform(now, other),
                }
            }
            if let Some((block, certificate)) = decision {
                self.decide(now, &block, certificate);
                return self.go_on(now);
            }
        }
        Ok(())
    }

    fn perform(&mut self, now: Now, output: Output) {
        match output {
            Output::Record(record) => self.record(&record),
            Output::Publish(statement) => {
                let block = match &statement {
                    Statement::Proposal(signed) => {
                        self.candidates.get(&signed.proposal.block).map(|known| known.bytes.clone())
                    }
                    _ => None,
                };
                self.publish(&ConsensusMessage::Statement { statement, block });
            }
            Output::Schedule(timer) => {
                self.timers.insert(timer, now.real_ms.saturating_add(self.timeouts.of(timer)));
            }
            Output::Cancel(timer) => {
                self.timers.remove(&timer);
            }
            Output::CancelAll => self.timers.clear(),
            Output::Equivocation(both) => self.accuse(self.tip.height + 1, &both),
            Output::Dropped { reason } => self.note("dropped", reason),
            // Handled where outputs are taken.
            Output::NeedBlock { .. } | Output::Decided { .. } => {}
        }
    }

    /// After a decision: what was said early about the next height, and what waits for a block.
    fn go_on(&mut self, now: Now) -> Result<(), AgreementError> {
        for (statement, block) in std::mem::take(&mut self.early) {
            self.heard(now, statement, block)?;
        }
        self.begin_if_needed(now)
    }
}
